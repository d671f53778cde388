"""What other processes ask of an environment's executor, by number, through the environment's inbox."""

from __future__ import annotations

from typing import Final

START: Final = 1
CANCEL: Final = 2
RESUME: Final = 3
CALLBACK: Final = 4
CALLED: Final = 5
"""A webhook trigger was called back while the environment was locked."""
ANSWERED: Final = 6
"""A call that was under way when the environment was locked has been answered."""
STARTED: Final = 7
"""A flow was started while the environment was locked."""
DEPLOYED: Final = 10
"""A flow has a new version: its trigger is registered anew, where triggers are watched."""
SWITCH: Final = 11
"""A flow is to be enabled or disabled."""
MIGRATE: Final = 12
"""Work on the environment's keys is on record, and wants to be done."""
