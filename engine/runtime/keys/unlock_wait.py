"""How a worker waits for an environment that is locked, or suspended, when it starts: until it may be opened, and with
a worker's duty meanwhile, which is to delete what its policy has deleted.

A process that has it open already does the same in `keywatch`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ....storage import EnvironmentLocked, EnvironmentSuspended
from .guard import PERIOD
from .opening import Opening
from .watch import SWEEP

FIRST: Final = 5.0
"""Seconds between the first two questions to a key store that gives no answer; each time twice as many."""

LAST: Final = 300.0


class Patience:
    """Waits between two attempts to open one environment. `told` is called with why it cannot be opened, once for each
    reason.
    """

    def __init__(self, opening: Opening, told: Callable[[EnvironmentLocked], None]) -> None:
        self._opening = opening
        self._told = told
        self._reason: str | None = None
        self._sweep = opening.clock.now()
        self._pause = FIRST

    async def after(self, error: EnvironmentLocked) -> None:
        """Return when it is time for the next attempt. Raises EnvironmentLocked when it was deleted."""
        if error.message != self._reason:
            self._reason, self._pause = error.message, FIRST
            self._told(error)
        clock = self._opening.clock
        pause = PERIOD
        if isinstance(error, EnvironmentSuspended):  # each attempt is a question to the customer's key store
            pause, self._pause = self._pause, min(2 * self._pause, LAST)
        elif clock.now() >= self._sweep:
            self._sweep = clock.now() + SWEEP
            if await self._opening.delete_overdue():
                raise self._opening.deleted()
        await clock.sleep_until(clock.now() + pause)
