"""How long one run may keep the event loop in one go, by the processor time of its thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ..effort import Budget

SLICE: Final = 0.01
"""Seconds of processor time after which a turn pauses."""

ESTIMATE: Final = 0.015
"""Seconds that the functions of one turn may take by the estimates of their costs."""


class TurnPace:
    """See `kernel.pacing.Pace`. The first question starts the clock, so a short turn never reads it."""

    __slots__ = ("_due", "_now", "budget")

    def __init__(self, now: Callable[[], float] = time.thread_time) -> None:
        self._now = now
        self._due: float | None = None
        self.budget = Budget()

    def restart(self) -> None:
        """A turn begins, or goes on after a pause."""
        self._due = None
        self.budget.left = ESTIMATE * 1e9

    def __call__(self) -> bool:
        """Whether the turn has had its share."""
        if self._due is None:
            self._due = self._now() + SLICE
            return False
        return self._now() >= self._due
