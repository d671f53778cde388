"""Whether the next commit is made in the event loop or in the writer's thread. No rows, no SQL.

A trip to the thread and back costs more than a small commit on a fast disk, and a thread that needs the interpreter
for each statement waits behind whoever computes. So commits are made in the loop as long as the disk answers quickly.
Where it does not, or the commit is large, the thread makes them, and from time to time the loop tries again.
"""

from __future__ import annotations

from typing import Final

from ...port import Batch

QUICK_SECONDS: Final = 0.005
"""What making a commit durable may take, for the loop to wait for it."""

MOST_SLOW: Final = 0.25
"""The share of commits that may take longer."""

MOST_ROWS: Final = 1_024
MOST_BYTES: Final = 1 << 20
"""Larger commits would keep the loop too long."""

TRIAL: Final = 16
"""So many commits of the thread come before the loop's first one."""

PENANCE: Final = 64
"""So many come after the loop has found the disk slow."""

_WEIGHT: Final = 0.1


class Pace:
    """Judges by what the loop's own commits took; in the thread, waiting for the interpreter would count as well."""

    def __init__(self) -> None:
        self._wait = TRIAL
        self._slow = 0.0

    def in_loop(self, batch: Batch) -> bool:
        """Whether to make this commit in the loop."""
        if self._wait:
            self._wait -= 1
            return False
        hot = (
            len(batch.keys.inserts)
            + len(batch.runs.inserts)
            + len(batch.runs.pages)
            + len(batch.runs.updates)
            + len(batch.runs.snapshots)
        )
        if hot > MOST_ROWS or hot < batch.rows():  # what else there is may stand for many rows
            return False
        return sum([len(page.record) for page in batch.runs.pages]) <= MOST_BYTES

    def took(self, seconds: float) -> None:
        """So long did the disk take for a commit of the loop's."""
        self._slow += ((seconds > QUICK_SECONDS) - self._slow) * _WEIGHT
        if self._slow > MOST_SLOW:
            self._wait, self._slow = PENANCE, 0.0
