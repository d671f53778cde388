"""How long one run may keep the event loop in one go, by the processor time of its thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from ...effort import Budget

SLICE: Final = 0.01
"""Seconds of processor time after which a turn pauses."""

ESTIMATE: Final = 0.015
"""Seconds that the functions of one turn may take by the estimates of their costs."""


class LoopBudget(Budget):
    """The budget of a turn, for the thread of its event loop only."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def applies(self) -> bool:
        """Whether this is that thread."""
        return threading.get_ident() == self._thread


class TurnPace:
    """See `kernel.pacing.Pace`. The first question starts the clock, so a short turn never reads it."""

    __slots__ = ("_now", "budget", "due", "share")

    rows: Final = 128
    """Rows of a script between two questions."""

    def __init__(self, now: Callable[[], float] = time.thread_time) -> None:
        self._now = now
        self.due: float | None = None
        self.share = ESTIMATE * 1e9
        self.budget: Budget = LoopBudget()

    def __call__(self) -> bool:
        """Whether the turn has had its share."""
        if self.due is None:
            self.due = self._now() + SLICE
            return False
        return self._now() >= self.due
