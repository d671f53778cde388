"""Which runs are to be looked at: those that were ready when the executor came, and those that are due. Used in the
writer's thread only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ...rows import Batch
from ..rows import identifier
from .queries import named_queries

_SQL = named_queries()

_TOLD = -1
"""`wake_ms` of a run that was told something."""


def write_waits(connection: sqlite3.Connection, batch: Batch) -> None:
    """What a batch says of when runs are looked at again."""
    for row in batch.waits:
        connection.execute(_SQL["set_wait"], (row.wake_ms, row.run_id))
    for run_id in batch.wakes:
        connection.execute(_SQL["wake"], (run_id,))
    for queued in batch.queues:
        connection.execute(_SQL["put_queue"], (queued.queue, queued.rank, queued.run_id))


def claim_queued(
    connection: sqlite3.Connection, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes]
) -> list[bytes]:
    """See `port.Backend.claim_queued`."""
    sql = _SQL["queued_runs"].format(queues=",".join("?" * len(queues)))
    rows = connection.execute(sql, (now_ms, *queues, limit + len(here))).fetchall()
    taken = [(number, run_id) for number, run_id in rows if run_id not in here][:limit]
    if taken:
        _together(connection, "claim_queued", [(number,) for number, _ in taken])
    return [identifier(run_id) for _, run_id in taken]


@dataclass(slots=True)
class Ready:
    """How far the executor has come with the runs that were there before it: by their row numbers."""

    after: int = 0
    last: int | None = None

    def claim(
        self, connection: sqlite3.Connection, limit: int, now_ms: int, here: frozenset[bytes] = frozenset()
    ) -> list[bytes]:
        """See `port.Backend.claim`."""
        if self.last is None:
            self.last = connection.execute(_SQL["last_run"]).fetchone()[0]
        rows = connection.execute(_SQL["due_waits"], (now_ms, limit + len(here))).fetchall()
        due = [row[:2] for row in rows if row[2] != _TOLD or row[1] not in here][:limit]
        if due:
            _together(connection, "claim_wait", [(number,) for number, _ in due])
        room = limit - len(due)
        ready = connection.execute(_SQL["ready_runs"], (self.after, self.last, room)).fetchall()
        # One that was due just now is ready, too, and may be among these. Once there are no more, none comes: what was
        # there before and is not ready becomes due.
        self.after = self.last if len(ready) < room else ready[-1][0] if ready else self.after
        return list(dict.fromkeys(identifier(run_id) for _, run_id in [*due, *ready]))


def _together(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[int]]) -> None:
    """One statement for each of the rows, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(_SQL[name], rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
