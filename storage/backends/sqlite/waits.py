"""Which runs are to be looked at: those that were ready when the executor came, and those that are due. Used in the
writer's thread only.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ...rows import Batch
from ..rows import identifier
from .queries import named_queries

_SQL = named_queries()


def write_waits(connection: sqlite3.Connection, batch: Batch) -> None:
    """What a batch says of when runs are looked at again."""
    for row in batch.waits:
        connection.execute(_SQL["set_wait"], (row.wake_ms, row.run_id))
    for run_id in batch.wakes:
        connection.execute(_SQL["wake"], (run_id,))


@dataclass(slots=True)
class Ready:
    """How far the executor has come with the runs that were there before it: by their row numbers."""

    after: int = 0
    last: int | None = None

    def claim(self, connection: sqlite3.Connection, limit: int, now_ms: int) -> list[bytes]:
        """See `port.Backend.claim`."""
        if self.last is None:
            self.last = connection.execute(_SQL["last_run"]).fetchone()[0]
        due = connection.execute(_SQL["due_waits"], (now_ms, limit)).fetchall()
        if due:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(_SQL["claim_wait"], [(number,) for number, _ in due])
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        ready = connection.execute(_SQL["ready_runs"], (self.after, self.last, limit - len(due))).fetchall()
        # One that was due just now is ready, too, and may be among these.
        self.after = ready[-1][0] if ready else self.after
        return list(dict.fromkeys(identifier(run_id) for _, run_id in [*due, *ready]))
