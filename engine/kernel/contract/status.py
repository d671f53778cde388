"""Statuses of actions and runs, as small integers and by the names that the host uses.

Source: Logic Apps, handle errors and exceptions ("run after"); REST workflow runs, status.
"""

from __future__ import annotations

from typing import Final

RUNNING: Final = 0
SUCCEEDED: Final = 1
FAILED: Final = 2
SKIPPED: Final = 3
TIMED_OUT: Final = 4
CANCELLED: Final = 5
WAITING: Final = 6
"""Unfinished, and nothing but time or a message moves it on: an action that waits for its callback, a run in lists."""

NAMES: Final = ("Running", "Succeeded", "Failed", "Skipped", "TimedOut", "Cancelled", "Waiting")
CODES: Final = {name.lower(): code for code, name in enumerate(NAMES)}

UNMET: Final = -1
"""Names of the schema that no finished action ever has (Paused, Faulted, …): valid in `runAfter`, never matched."""


def code_of(name: str) -> int:
    """The integer for a status name in any case; `UNMET` for a name that no action here ends with."""
    return CODES.get(name.lower(), UNMET)
