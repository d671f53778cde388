"""The SQLite backend: rows in, rows out. One connection that writes and one that reads, each driven by a thread of
aiosqlite, so that nobody who reads waits behind a long commit; one trip to the thread for each commit.

It knows nothing of what the bytes mean. The integer row numbers of runs are its own business and never leave it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, TypeVar, cast
from weakref import WeakSet

import aiosqlite

from ...errors import Conflict, RecordNotFound, StoreClosed, StoreCorrupt
from ...port import (
    Batch,
    EnvironmentKeyRow,
    EnvironmentRow,
    FlowRow,
    InboxRow,
    KeyRow,
    MessageRow,
    PageRow,
    PartitionRow,
    RunRow,
    SnapshotRow,
    StoredInboxRow,
    StoredMessageRow,
    TriggerRow,
    VersionRow,
)
from ...purposes import Kind
from .administration import Reads, check_guard, write, write_first
from .connection import connect, mapped, system_error
from .copies import copy_from, copy_to
from .lock import ExecutorLock
from .queries import named_queries
from .removal import remove, settle
from .queues import add_message, add_to_inbox, consume, consume_message, reindex_item, reindex_message
from .rows import all_checked, checked, identifier, of_run

T = TypeVar("T")
Row = TypeVar("Row", bound=NamedTuple)

_ROWS_A_STATEMENT = 128
_SQL = named_queries()
_ORPHANED_KEYS: dict[int, str] = {
    Kind.RUN: "orphaned_run_keys",
    Kind.FLOW: "orphaned_flow_keys",
    Kind.CONNECTION: "orphaned_connection_keys",
    Kind.INBOX: "orphaned_inbox_keys",
    Kind.TRIGGER: "orphaned_trigger_keys",
    Kind.MESSAGE: "orphaned_message_keys",
    Kind.OPERATION: "orphaned_operation_keys",
    Kind.RETENTION: "orphaned_retention_keys",
}


class SQLiteBackend(Reads):
    """A store in one SQLite file (WAL, synchronous=FULL), with `executor.lock` beside it."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection
        self._reader = reader
        self._runs: dict[bytes, int] = {}  # row numbers of runs being written; used in the connection's thread only
        self._lock = ExecutorLock(path.with_name("executor.lock"))
        self._closed = False
        self._ended: asyncio.Future[None] | None = None
        _open.add(self)

    @classmethod
    async def open(cls, path: Path) -> SQLiteBackend:
        """Opens the file, and makes and migrates it where needed.

        Raises StoreNotWritable, StoreFull, StoreBusy, StoreCorrupt, StoreTooNew.
        """
        # Opened before aiosqlite starts its threads: when opening fails, there is no thread to be ended.
        writer, reader = await asyncio.to_thread(_connect_both, path)
        return cls(path, await _driven(writer), await _driven(reader))

    async def close(self) -> None:
        """Closes once what is under way is written. Whoever is cancelled while waiting for that cancels nothing."""
        if self._ended is None:
            if self._closed:  # a fork's copy
                return
            self._closed = True
            self._ended = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ended)

    async def _end(self) -> None:
        with mapped(self.path):
            try:
                await self._reader.close()  # first: the last one to close tidies the write-ahead log up
            finally:
                try:
                    await self._connection._execute(  # type: ignore[no-untyped-call]
                        self._close_writer, self._connection._conn
                    )
                finally:
                    await self._connection.close()

    def _close_writer(self, connection: sqlite3.Connection) -> None:
        # In the writer's thread, behind all commits: the executor's role is given up when nothing can be written any
        # more, even if the event loop has ended by then.
        try:
            connection.close()
        finally:
            self._lock.release()

    def try_become_executor(self) -> bool:
        try:
            return self._lock.acquire()
        except OSError as error:
            raise system_error(error, self.path, "locked") from error

    def executor_pid(self) -> int | None:
        return self._lock.holder()

    # --- the thread

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        # aiosqlite's public calls run one statement a trip, 30 us each; a commit is a handful of statements, so it goes
        # as one function.
        if self._closed:
            raise StoreClosed(f"The store {self.path} is closed.")
        with mapped(self.path):
            connection = self._connection
            result: T = await connection._execute(work, connection._conn, *arguments)  # type: ignore[no-untyped-call]
            return result

    async def _reading(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._closed:
            raise StoreClosed(f"The store {self.path} is closed.")
        with mapped(self.path):
            reader = self._reader
            result: T = await reader._execute(work, reader._conn, *arguments)  # type: ignore[no-untyped-call]
            return result

    async def _all(self, name: str, *parameters: Any) -> list[Any]:
        return await self._reading(_fetch_all, _SQL[name], parameters)

    async def _select(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        return await self._reading(_fetch_all, sql, parameters)

    async def _one(self, kind: type[Row], name: str, *parameters: Any) -> Row | None:
        rows = await self._all(name, *parameters)
        return checked(kind, rows[0]) if rows else None

    # --- writing

    async def commit(self, batch: Batch) -> list[int]:
        return await self._in_thread(self._commit, batch)

    def _commit(self, connection: sqlite3.Connection, batch: Batch) -> list[int]:
        execute = connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            numbers = self._write(connection, batch)
            execute("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if connection.in_transaction:
                execute("ROLLBACK")
            for run in batch.runs:
                self._runs.pop(run.run_id, None)
            raise
        for update in batch.run_updates:
            if update.ended_ms is not None:
                self._runs.pop(update.run_id, None)
        for run in batch.runs:
            if run.ended_ms is not None:
                self._runs.pop(run.run_id, None)
        for run_id in batch.removed_runs:
            self._runs.pop(run_id, None)
        return numbers

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> list[int]:
        execute = connection.execute
        if batch.guard is not None:
            check_guard(connection, batch.guard, unlocking=batch.key_state is not None)
        write_first(connection, batch)
        if batch.identity is not None:
            execute(_SQL["insert_identity"], (batch.identity,))
        if batch.environment_keys:
            _insert(connection, "insert_environment_keys", batch.environment_keys)
        if batch.keys:
            _insert(connection, "insert_keys", batch.keys)
        if batch.environments:
            _insert(connection, "insert_environments", batch.environments)
        for flow in batch.flows:
            if execute(_SQL["upsert_flow"], flow).rowcount != 1:
                raise Conflict("The flow was changed by somebody else at the same moment.")
        if batch.versions:
            _insert(connection, "insert_versions", batch.versions)
        if batch.runs:
            self._write_runs(connection, batch.runs)
        if batch.pages:
            number_of = self._number
            pages = [(number_of(connection, run), seq, link, record) for run, seq, link, record in batch.pages]
            _insert(connection, "insert_pages", pages)
        for update in batch.run_updates:
            number = self._number(connection, update.run_id)
            if execute(_SQL["update_run"], (*update[1:], number)).rowcount != 1:
                raise RecordNotFound(f"There is no run {update.run_id.hex()}.")
        if batch.snapshots:
            rows = [(self._number(connection, row.run_id), row.seq, row.record) for row in batch.snapshots.values()]
            _insert(connection, "put_snapshots", rows)
        for trigger in batch.triggers:
            _write_trigger(connection, trigger)
        numbers = [add_to_inbox(connection, row) for row in batch.inbox]
        numbers += [add_message(connection, row) for row in batch.messages]
        for item in batch.consumed:
            consume(connection, item)
        for flow_id, item in batch.consumed_messages:
            consume_message(connection, flow_id, item)
        for message in batch.reindexed_messages:
            reindex_message(connection, *message)
        for moved in batch.reindexed_items:
            reindex_item(connection, *moved)
        write(connection, batch)
        remove(connection, batch)
        return numbers

    def _write_runs(self, connection: sqlite3.Connection, runs: list[RunRow]) -> None:
        # Asked inside the transaction: no other process can take the same numbers.
        last = connection.execute(_SQL["last_run"]).fetchone()[0]
        rows = [(number, *run) for number, run in enumerate(runs, last + 1)]
        _insert(connection, "insert_runs", rows)
        self._runs.update((run.run_id, number) for number, run in enumerate(runs, last + 1))

    def _number(self, connection: sqlite3.Connection, run_id: bytes) -> int:
        number = self._runs.get(run_id)
        if number is None:
            row = connection.execute(_SQL["run_number"], (run_id,)).fetchone()
            if row is None:
                raise RecordNotFound(f"There is no run {run_id.hex()}.")
            number = self._runs[run_id] = int(row[0])
        return number

    async def settle(self) -> bool:
        return await self._in_thread(settle)

    async def copy_to(self, path: Path, *, with_keys: Path) -> None:
        await self._reading(copy_to, path, with_keys)

    async def copy_from(self, path: Path, *, with_keys: Path) -> None:
        await self._in_thread(copy_from, path, with_keys)
        self._runs.clear()

    # --- reading

    async def identity(self) -> bytes | None:
        rows = await self._all("identity")
        return identifier(rows[0][0]) if rows else None

    async def environment_keys(self) -> list[EnvironmentKeyRow]:
        return all_checked(EnvironmentKeyRow, await self._all("environment_keys"))

    async def keys(self, kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
        rows: list[KeyRow] = []
        for start in range(0, len(scopes), 500):
            part = scopes[start : start + 500]
            sql = _SQL["keys"].replace("{scopes}", _marks(len(part)))
            rows += all_checked(KeyRow, await self._reading(_fetch_all, sql, (kind, *part)))
        return rows

    async def flow_scopes(self) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all("flow_scopes")]

    async def environment_scopes(self) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all("environment_scopes")]

    async def environments(self) -> list[EnvironmentRow]:
        return all_checked(EnvironmentRow, await self._all("environments"))

    async def environment(self, name_index: bytes) -> EnvironmentRow | None:
        return await self._one(EnvironmentRow, "environment", name_index)

    async def flows(self) -> list[FlowRow]:
        return all_checked(FlowRow, await self._all("flows"))

    async def flow(self, *, flow_id: bytes | None = None, name_indexes: Sequence[bytes] = ()) -> FlowRow | None:
        if flow_id is not None:
            return await self._one(FlowRow, "flow_by_id", flow_id)
        sql = _SQL["flow_by_name"].replace("{indexes}", _marks(len(name_indexes)))
        rows = await self._select(sql, name_indexes)
        return checked(FlowRow, rows[0]) if rows else None

    async def version(self, flow_id: bytes, number: int) -> VersionRow | None:
        return await self._one(VersionRow, "version", flow_id, number)

    async def run(self, run_id: bytes) -> RunRow | None:
        rows = await self._all("run", run_id)
        return checked(RunRow, rows[0], of_run(run_id)) if rows else None

    async def runs(
        self,
        *,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[RunRow]:
        conditions = ["1"]
        parameters: list[Any] = []
        if flow_id is not None:
            conditions.append(_SQL["runs_where_flow"])
            parameters.append(flow_id)
        if statuses is not None:
            conditions.append(_SQL["runs_where_status"].replace("{statuses}", _marks(len(statuses))))
            parameters += statuses
        if parent is not None:
            conditions.append(_SQL["runs_where_parent"])
            parameters.append(parent)
        if before is not None:
            conditions.append(_SQL["runs_where_before"])
            parameters.append(before)
        sql = _SQL["runs"].replace("{conditions}", " AND ".join(conditions))
        rows = await self._reading(_fetch_all, sql, (*parameters, limit))
        return [checked(RunRow, row, of_run(identifier(row[0]))) for row in rows]

    async def run_ids(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return [(number, identifier(run_id)) for number, run_id in await self._all("run_ids", after, limit)]

    async def unfinished(self) -> list[bytes]:
        return [identifier(run_id) for (run_id,) in await self._all("unfinished")]

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        return await self._reading(_pages, run_id, from_seq, limit, most_bytes)

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None:
        return await self._reading(_snapshot, run_id)

    async def inbox(self, limit: int, after: int = 0) -> list[StoredInboxRow]:
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in await self._all("inbox", after, limit)]

    async def inbox_item(self, item_id: bytes) -> InboxRow | None:
        return await self._one(InboxRow, "inbox_item", item_id)

    async def trigger(self, flow_id: bytes) -> TriggerRow | None:
        return await self._one(TriggerRow, "trigger", flow_id)

    async def triggers(self) -> list[TriggerRow]:
        return all_checked(TriggerRow, await self._all("triggers"))

    async def due_triggers(self, by_ms: int, limit: int) -> list[TriggerRow]:
        return all_checked(TriggerRow, await self._all("due_triggers", by_ms, limit))

    async def messages(
        self, flow_id: bytes, partition_indexes: Sequence[bytes] | None, limit: int, after: int
    ) -> list[StoredMessageRow]:
        if partition_indexes is None:
            rows = await self._all("messages", flow_id, after, limit)
        else:
            sql = _SQL["messages_of_partition"].replace("{indexes}", _marks(len(partition_indexes)))
            rows = await self._reading(_fetch_all, sql, (flow_id, after, *partition_indexes, limit))
        return [StoredMessageRow(row[0], checked(MessageRow, row[1:])) for row in rows]

    async def message(self, message_id: bytes) -> MessageRow | None:
        return await self._one(MessageRow, "message", message_id)

    async def partitions(self, flow_id: bytes) -> list[PartitionRow]:
        return all_checked(PartitionRow, await self._all("message_counts", flow_id))

    async def orphaned_keys(self, kind: int) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all(_ORPHANED_KEYS[kind])]


_open: WeakSet[SQLiteBackend] = WeakSet()


def _after_fork() -> None:
    # A fork has neither the threads nor the locks, and whoever would wait for them there would wait for ever.
    for backend in list(_open):
        backend._closed = True


os.register_at_fork(after_in_child=_after_fork)


def _connect_both(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    writer = connect(path)
    try:
        return writer, connect(path, read_only=True)
    except BaseException:
        writer.close()
        raise


async def _driven(ready: sqlite3.Connection) -> aiosqlite.Connection:
    connection = aiosqlite.Connection(lambda: ready, iter_chunk_size=64)
    # A program that ends without closing its store (an error, Ctrl-C) must end and not wait for this thread:
    # what was acknowledged is on disk, and SQLite rolls the rest back.
    # (Before aiosqlite 0.22 the connection is the thread itself.)
    cast(Thread, getattr(connection, "_thread", connection)).daemon = True
    return await connection


def _pages(connection: sqlite3.Connection, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
    row = connection.execute(_SQL["run_number"], (run_id,)).fetchone()
    if row is None:
        return []
    fail = of_run(run_id, from_seq)
    pages: list[PageRow] = []
    for found in connection.execute(_SQL["pages"], (row[0], from_seq, limit)):
        page = checked(PageRow, (run_id, *found), fail)
        pages.append(page)
        most_bytes -= len(page.record)
        if most_bytes <= 0:
            break
    return pages


def _snapshot(connection: sqlite3.Connection, run_id: bytes) -> SnapshotRow | None:
    row = connection.execute(_SQL["run_number"], (run_id,)).fetchone()
    rows = _fetch_all(connection, _SQL["snapshot"], (row[0],)) if row else []
    return checked(SnapshotRow, (run_id, *rows[0]), of_run(run_id)) if rows else None


def _fetch_all(connection: sqlite3.Connection, sql: str, parameters: Iterable[Any]) -> list[Any]:
    return connection.execute(sql, tuple(parameters)).fetchall()


def _insert(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Many rows a statement: each statement takes the interpreter's lock back once, and a busy event loop makes that
    slow.
    """
    row = "(" + _marks(len(rows[0])) + ")"
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        part = rows[start : start + _ROWS_A_STATEMENT]
        sql = f"{_SQL[name]} {row}{(',' + row) * (len(part) - 1)}"
        if connection.execute(sql, tuple(chain.from_iterable(part))).rowcount != len(part):
            raise StoreCorrupt("The database did not store what it was given.")


def _write_trigger(connection: sqlite3.Connection, row: TriggerRow) -> None:
    if row.row_version == 1:
        written = connection.execute(_SQL["insert_trigger"], row).rowcount
    else:
        update = (row.due_ms, row.row_version, row.record, row.flow_id, row.row_version)
        written = connection.execute(_SQL["update_trigger"], update).rowcount
    if written != 1:
        raise Conflict("A trigger was changed by somebody else at the same moment.")


def _marks(count: int) -> str:
    return ",".join("?" * count)
