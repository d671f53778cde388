"""The PostgreSQL backend: rows in, rows out. One connection that writes, a few that read.

It knows nothing of what the bytes mean. Connections that are lost come back by themselves (see commits.py), so a
restart of the server is a pause.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import asyncpg

from ...errors import ExecutorLost, StorageError, StoreClosed, StoreUnreachable, taken_over
from ...rows import Batch, InboxRow, PageRow, QueueRow, SnapshotRow, StoredInboxRow
from ..database_url import checked_url
from ..reading import Reads
from ..rows import checked, identifier, of_run
from .batches import SQL
from .commits import Patience, Role, Writer
from .connection import WORK_SECONDS, Connection, Target, connect, mapped
from .copies import copy_from, copy_to
from .hints import Listener
from .lease import LEASE_SECONDS, Lease
from .observer import PostgresObserver
from .schema import prepare
from .schema_check import check_schema

_READERS = 3
_IDLE_SECONDS = 60.0


class PostgresBackend(Reads):
    """A store in one schema of a PostgreSQL database."""

    def __init__(
        self, target: Target, connection: Connection, readers: asyncpg.Pool[asyncpg.Record], lease_seconds: float
    ) -> None:
        self._target = target
        self._writer = Writer(target, connection)
        self._readers = readers
        self._lease = Lease(self._value, lease_seconds)
        self._listener: Listener | None = None
        self._closed = False
        self._ended: asyncio.Future[None] | None = None
        _open.add(self)

    @classmethod
    async def open(
        cls, url: str, schema: str, *, create: bool = True, lease_seconds: float = LEASE_SECONDS
    ) -> PostgresBackend:
        """Opens the schema, migrates it where needed, and makes it if it is not there and `create` says so.

        Raises InvalidDatabaseUrl (also for a URL with a password), DatabaseRefused, StoreUnreachable, StoreNotWritable,
        StoreCorrupt, StoreTooNew, RecordNotFound (no such schema).
        """
        target = Target(checked_url(url), schema)
        connection = await connect(target)
        try:
            with mapped(target):
                await prepare(connection, target, create=create)
                await check_schema(connection, target)
                readers = await asyncpg.create_pool(
                    min_size=0,
                    max_size=_READERS,
                    max_inactive_connection_lifetime=_IDLE_SECONDS,
                    reset=_nothing,
                    **target.options(),
                )
        except BaseException:
            connection.terminate()
            raise
        return cls(target, connection, readers, lease_seconds)

    async def close(self) -> None:
        """Closes once what is under way is written. Whoever is cancelled while waiting for that cancels nothing."""
        if self._ended is None:
            if self._closed:  # a fork's copy
                return
            self._closed = True
            self._ended = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ended)

    async def _end(self) -> None:
        try:
            if self._listener is not None:
                await self._listener.stop()
            await self._lease.stop()
            await self._writer.close(self._leave)
        finally:
            self._writer.abandon()  # the end of the event loop cancels this too
            try:
                await asyncio.wait_for(self._readers.close(), 5)
            except TimeoutError:
                self._readers.terminate()

    async def _leave(self, connection: Connection) -> None:
        await self._lease.leave(connection)
        if self._lease.shared:
            await connection.execute(SQL["hint"], self._target.schema)  # its runs are there for others

    async def drop(self) -> None:
        """Removes the schema with everything in it. Nobody else may use it any more."""
        self._check_open()
        with mapped(self._target):
            async with self._readers.acquire() as connection:
                await connection.execute(f'DROP SCHEMA "{self._target.schema}" CASCADE', timeout=WORK_SECONDS)

    def observer(self) -> PostgresObserver:
        return PostgresObserver(self._target, self._lease)

    # --- who executes

    async def try_become_executor(self) -> bool:
        self._check_open()
        return await self._lease.take()

    async def join(self, *, lead: bool = True) -> bool:
        self._check_open()
        return await self._lease.join(lead=lead)

    async def lead(self) -> bool:
        self._check_open()
        self._lease.may_lead = True
        await self._lease.tend()
        return self._lease.leads

    async def ask_for_role(self, asking: bool) -> bool:
        if self._lease.shared:
            await self._owned(SQL["want_lead"], *self._role(), asking)
        return True

    async def role_wanted(self) -> bool:
        role = self._lease.role
        return await self._value(SQL["lead_wanted"], role.worker if role is not None else b"") is not None

    async def hand_over(self) -> None:
        if self._lease.shared:
            await self._lease.hand_over()
            await self.hint()

    @property
    def holds_role(self) -> bool:
        return self._lease.held

    async def confirm_role(self) -> None:
        self._check_open()
        await self._lease.confirm()

    @property
    def paused(self) -> bool:
        return self._lease.paused

    @property
    def shared(self) -> bool:
        return self._lease.shared

    @property
    def leads(self) -> bool:
        return self._lease.leads

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        worker, epoch = self._role()
        await self._lease.tend()
        parameters = (worker, epoch, now_ms, list(without), limit)
        rows = await self._owned(SQL["claim_runs"], *parameters)
        return [identifier(run_id) for _, run_id in sorted((row[0], row[1]) for row in rows)]

    async def claim_run(self, run_id: bytes) -> int:
        if not self._lease.shared:  # everything is its own
            return 1
        return int((await self._owned(SQL["claim_run"], *self._role(), run_id))[0][0])

    async def owns(self, run_id: bytes, epoch: int) -> bool:
        if not self._lease.shared:
            return True
        rows = await self._select(SQL["owns_run"], (*self._role(), run_id, epoch))
        if not rows:
            self._lease.lose()
            raise taken_over()
        return bool(rows[0][0])

    async def release(self, run_ids: Sequence[bytes]) -> None:
        if not self._lease.shared:
            return
        await self._owned(SQL["release_runs"], self._role()[0], list(run_ids))
        await self.hint()

    async def told(self) -> list[bytes]:
        await self._lease.tend()  # a worker without room claims nothing, and has to see that it is paused
        return [identifier(row[0]) for row in await self._owned(SQL["told_runs"], self._role()[0])]

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        role = self._role()
        await self._lease.tend()
        rows = await self._owned(SQL["claim_queued"], *role, now_ms, list(queues), limit)
        return [identifier(run_id) for _, run_id in sorted((row[0], row[1]) for row in rows)]

    async def queue_of(self, run_id: bytes) -> bytes | None:
        found: bytes | None = await self._value(SQL["queue_of"], run_id)
        return found

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        return [QueueRow(*row) for row in await self._all("queued", list(queues), limit)]

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        found: int | None = await self._value(SQL["next_wake"], list(queues), alone)
        return found

    async def inbox_here(self, limit: int, after: int = 0, without: Sequence[bytes] = ()) -> list[StoredInboxRow]:
        parameters = (after, limit, self._role()[0], self._lease.leads, list(without))
        rows = await self._select(SQL["inbox_of_worker"], parameters)
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in rows]

    async def hint(self) -> None:
        with suppress(StorageError):  # whoever waits for one looks by himself
            await self._value(SQL["hint"], self._target.schema)

    def on_hint(self, tell: Callable[[], None]) -> None:
        if self._listener is None and not self._closed:
            self._listener = Listener(self._target, tell)
            self._listener.start()

    def _role(self) -> Role:
        self._check_open()
        role = self._lease.role
        if role is None or self._lease.lost:
            raise taken_over()
        return role

    async def _owned(self, sql: str, *parameters: Any) -> list[Any]:
        """Asks as a worker, which may have been taken over."""
        try:
            return await self._select(sql, parameters)
        except ExecutorLost:
            self._lease.lose()
            raise

    @property
    def executor_lost(self) -> bool:
        return self._lease.lost

    async def executor_pid(self) -> int | None:
        pid: int | None = await self._value(SQL["executor_pid"])
        return pid

    async def commit(self, batch: Batch) -> list[int]:
        self._check_open()
        try:
            return await self._writer.commit(batch, self._lease.role)
        except ExecutorLost:
            self._lease.lose()
            raise

    async def settle(self) -> bool:
        """Never done here: the server's own vacuum and the recycling of its log take out what was removed."""
        return False

    async def copy_to(self, path: Path, *, with_keys: Path) -> None:
        self._check_open()
        with mapped(self._target):
            async with self._readers.acquire() as connection:
                await copy_to(connection, path, with_keys)

    async def copy_from(self, path: Path, *, with_keys: Path) -> None:
        self._check_open()
        with mapped(self._target):
            async with self._readers.acquire() as connection:
                await copy_from(connection, path, with_keys)

    # --- reading

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(f"The store {self._target.place} is closed.")

    async def _select(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        patience = Patience()
        while True:
            self._check_open()
            try:
                with mapped(self._target):
                    async with self._readers.acquire() as connection:
                        return await connection.fetch(sql, *parameters)
            except StoreUnreachable:
                if not await patience.left():
                    raise

    async def _value(self, sql: str, *parameters: Any) -> Any:
        rows = await self._select(sql, parameters)
        return rows[0][0] if rows else None

    async def _all(self, name: str, *parameters: Any) -> list[Any]:
        return await self._select(SQL[name], parameters)

    async def _filtered(self, conditions: Sequence[tuple[str, Any]], limit: int) -> list[Any]:
        values: list[Any] = [limit]

        def place(value: Any) -> str:
            values.append(value)
            return f"${len(values)}"

        all_runs = all(condition == "runs_where_before" for condition, _ in conditions)
        name, statuses, parts = "runs", "", ["true"]
        for condition, value in conditions:
            if condition == "runs_where_status":
                name, statuses = "runs_of_statuses", place(value)
            elif condition == "runs_where_before" and not all_runs:
                parts.append(SQL["runs_where_behind"].format(place(value)))
            else:
                parts.append(SQL[condition].format(place(value)))
        order = "id DESC" if all_runs else "-id"
        sql = SQL[name].format(conditions=" AND ".join(parts), statuses=statuses, order=order, limit="$1")
        return await self._select(sql, values)

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        fail = of_run(run_id, from_seq)
        return [checked(PageRow, row, fail) for row in await self._all("pages", run_id, from_seq, limit, most_bytes)]

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None:
        rows = await self._all("snapshot", run_id)
        return checked(SnapshotRow, rows[0], of_run(run_id)) if rows else None


async def _nothing(connection: object) -> None:
    """A reader leaves nothing behind in its connection: asking to clean it would be a trip for each read."""


_open: WeakSet[PostgresBackend] = WeakSet()


def _after_fork() -> None:
    # A fork shares the sockets with its parent, and would break into its conversation with the server.
    for backend in list(_open):
        backend._closed = True


os.register_at_fork(after_in_child=_after_fork)
