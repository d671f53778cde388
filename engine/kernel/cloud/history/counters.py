"""What a run came to, counted while its actions end: enough to tell how it went without holding any of them.

Only numbers and the little that an end needs to be explained live here; the actions themselves are the history's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ...contract.status import FAILED, NAMES, TIMED_OUT
from ..control import ACTION_FAILED

if TYPE_CHECKING:
    from .history import Entry

LAST_FAILURES: Final = 3
"""Failures that are kept whole: the last ones, which most often say why the run failed."""

FIRST_FAILURES: Final = 50
"""Failures whose paths are kept: the first ones."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that failed, with what may be shown of its reason."""

    path: str
    code: str | None
    message: str


@dataclass(slots=True)
class Tally:
    """Counts by status, of actions that have ended; times in ticks.

    `failed` counts actions that failed by themselves, not those that only hold such a one; `failures` are the last of
    them, `failed_paths` where the first of all that did not succeed stand.
    """

    total: int = 0
    ended: list[int] = field(default_factory=lambda: [0] * len(NAMES))
    begun_at: int | None = None
    ended_at: int | None = None
    failed: int = 0
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=LAST_FAILURES))
    failed_paths: list[str] = field(default_factory=list)

    def begin(self, at: int) -> int:
        """One more action; its number, from 0 in the order in which actions start."""
        if self.begun_at is None or at < self.begun_at:
            self.begun_at = at
        self.total += 1
        return self.total - 1

    def end(self, entry: Entry, at: int) -> None:
        """An action has ended."""
        self.ended[entry.status] += 1
        if self.ended_at is None or at > self.ended_at:
            self.ended_at = at
        if entry.status in (FAILED, TIMED_OUT):
            if len(self.failed_paths) < FIRST_FAILURES:
                self.failed_paths.append(entry.path)
            if entry.code != ACTION_FAILED["code"]:
                self.failed += 1
                error = entry.shown_error or {}
                self.failures.append(Failure(entry.path, entry.code, str(error.get("message", ""))))
