"""What other processes ask of an environment's executor, by number, through the environment's inbox."""

from __future__ import annotations

from typing import Final

START: Final = 1
CANCEL: Final = 2
RESUME: Final = 3
