"""Which runs this process resumes: those that were ready when it became the executor, and those that are due."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....port import ClaimChanges, QueueRow
from ...reading.columns import identifier
from ..database import Database
from ..statements import SQL

_SIGNALLED = -1
"""`wake_ms` of a run that was signalled."""


class SQLiteClaims:
    """See `port.ClaimStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready = Ready()

    def forget(self) -> None:
        """Start again: another process may have been the executor meanwhile."""
        self._ready = Ready()

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        return await self._database.in_writer(self._ready.claim, limit, now_ms, frozenset(here))

    async def claim_run(self, run_id: bytes) -> int:
        return 1

    async def owns(self, run_id: bytes, epoch: int) -> bool:
        return True

    async def release(self, run_ids: Sequence[bytes]) -> None:
        """No other worker could resume them."""

    async def signalled(self) -> list[bytes]:
        return []  # `claim` returns them

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        return await self._database.in_writer(_claim_queued, queues, limit, now_ms, here)

    async def queue_of(self, run_id: bytes) -> bytes | None:
        rows = await self._database.fetch("queue_of", run_id)
        return rows[0][0] if rows else None

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        return [QueueRow(*row) for row in await self._database.fetch("queued", list(queues), limit)]

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        found: int | None = (await self._database.fetch("next_wake", alone, list(queues)))[0][0]
        return found

    async def hint(self) -> None:
        """Other processes check by themselves."""

    def on_hint(self, tell: Callable[[], None]) -> None:
        """There are no other workers."""


def write(connection: sqlite3.Connection, changes: ClaimChanges) -> None:
    """Write when runs are checked again."""
    for row in changes.waits:
        connection.execute(SQL["set_wait"], (row.wake_ms, row.run_id))
    for run_id in changes.wakes:
        connection.execute(SQL["wake"], (run_id,))
    for queued in changes.queues:
        connection.execute(SQL["put_queue"], (queued.queue, queued.rank, queued.run_id))


def _claim_queued(
    connection: sqlite3.Connection, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes]
) -> list[bytes]:
    sql = SQL["queued_runs"].format(queues=",".join("?" * len(queues)))
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
        """See `port.ClaimStore.claim`."""
        if self.last is None:
            self.last = connection.execute(SQL["last_run"]).fetchone()[0]
        rows = connection.execute(SQL["due_waits"], (now_ms, limit + len(here))).fetchall()
        due = [row[:2] for row in rows if row[2] != _SIGNALLED or row[1] not in here][:limit]
        if due:
            _together(connection, "claim_wait", [(number,) for number, _ in due])
        room = limit - len(due)
        ready = connection.execute(SQL["ready_runs"], (self.after, self.last, room)).fetchall()
        # One that was due just now is ready, too, and may be among these. Once there are no more, none comes: what was
        # there before and is not ready becomes due.
        self.after = self.last if len(ready) < room else ready[-1][0] if ready else self.after
        return list(dict.fromkeys(identifier(run_id) for _, run_id in [*due, *ready]))


def _together(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[int]]) -> None:
    """One statement for each of the rows, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(SQL[name], rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
