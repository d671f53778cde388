"""How often a worker looks by itself whether there is something for it. No store, no clock."""

from __future__ import annotations

from typing import Final

LONG: Final = 1.0
"""Seconds between two looks of one that has had nothing to do, where others give hints when they have something for
it: a hint may get lost, and the end of another worker gives none.
"""

QUIET_LOOKS: Final = 25
"""So many looks in a row that found nothing to do come before that."""


class Looking:
    """The pauses of one worker."""

    def __init__(self) -> None:
        self._quiet = 0

    def pause(self, short: float, *, hinted: bool) -> float:
        """Seconds until the next look. `short`: of one that has something to do, or gets no hints (`hinted`)."""
        return max(short, LONG) if hinted and self._quiet >= QUIET_LOOKS else short

    def looked(self, *, busy: bool) -> None:
        """A look and the pause behind it are over; `busy`: something is under way, or a hint has come."""
        self._quiet = 0 if busy else self._quiet + 1
