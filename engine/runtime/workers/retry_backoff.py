"""How long what has failed in the background is left alone, e.g. a run that could not be brought back: ever longer,
since what stands in its way may be over in a second (a busy store) or never (a history that was changed).
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 10_000_000
"""Ticks: one second."""

LAST: Final = 3_600 * FIRST


class Retries:
    """What could not be done, by its id, each with how often."""

    def __init__(self) -> None:
        self._failed: dict[bytes, int] = {}

    def after(self, what: bytes) -> int:
        """Once more in vain: ticks until the next attempt."""
        failed = self._failed[what] = self._failed.get(what, 0) + 1
        return min(FIRST << min(failed - 1, 32), LAST)

    def over(self, what: bytes) -> None:
        """It is done, or need not be."""
        self._failed.pop(what, None)
