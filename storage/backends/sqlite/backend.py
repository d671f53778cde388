"""The SQLite backend: rows in, rows out. One connection that writes and one that reads, each driven by a thread of
aiosqlite, so that nobody who reads waits behind a long commit; one trip to the thread for each commit, or none where
the disk is quick (see `pace`).

It knows nothing of what the bytes mean. The integer row numbers of runs are its own business and never leave it.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar, cast
from weakref import WeakSet

import aiosqlite

from ...errors import Conflict, RecordNotFound, RunNotOwned, StoreClosed, StoreCorrupt
from ...rows import Batch, PageRow, QueueRow, RunRow, SnapshotRow, StoredInboxRow, TriggerRow
from ..reading import Reads
from ..rows import checked, of_run
from .administration import check_guard, write, write_first, write_flow
from .connection import BUSY_SECONDS, connect, mapped, system_error
from .copies import copy_from, copy_to
from .identity import StoreFiles
from .lock import ExecutorLock
from .observer import SQLiteObserver
from .pace import Pace
from .queries import named_queries
from .queues import add_message, add_to_inbox, consume, consume_message, reseal_item, reseal_message
from .removal import remove, settle
from .sealed_inbox import write_sealed
from .values import write_values
from .waits import Ready, claim_queued, write_waits

T = TypeVar("T")

_ROWS_A_STATEMENT = 128
_SQL = named_queries()
_LIST = re.compile(r"\{\w+\}")


class SQLiteBackend(Reads):
    """A store in one SQLite file (WAL, synchronous=FULL), with `executor.lock` beside it."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection
        self._reader = reader
        self._runs: dict[bytes, int] = {}  # row numbers of runs being written; used by whoever writes
        self._lock = ExecutorLock(path.with_name("executor.lock"))
        self._wanted = ExecutorLock(path.with_name("executor.wanted"))
        self._ready = Ready()
        self._pace = Pace()
        self._files = StoreFiles(path)
        # Works of the writer's thread: each is counted by one side only. Where they are equal it has nothing to do.
        self._given = self._done = 0
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
            self._wanted.release()
            self._lock.release()

    def observer(self) -> SQLiteObserver:
        return SQLiteObserver(self.path)

    async def try_become_executor(self) -> bool:
        return self._locked(self._lock.acquire)

    def _locked(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except OSError as error:
            raise system_error(error, self.path, "locked") from error

    @property
    def executor_lost(self) -> bool:
        return False  # the lock ends with the process only

    async def executor_pid(self) -> int | None:
        return self._lock.holder()

    # --- the one worker that there is here

    async def join(self, *, lead: bool = True) -> bool:
        return self._locked(lambda: self._lock.acquire(yields=not lead))

    async def ask_for_role(self, asking: bool) -> bool:
        if asking:
            self._locked(self._wanted.acquire)
        else:
            self._wanted.release()
        return self._lock.yields()

    async def role_wanted(self) -> bool:
        return not self._wanted.held and not self._locked(self._wanted.is_free)

    async def hand_over(self) -> None:
        await self._in_thread(self._release)  # behind all commits

    def _release(self, connection: sqlite3.Connection) -> None:
        self._ready = Ready()
        self._lock.release()

    async def lead(self) -> bool:
        return self._lock.held

    @property
    def holds_role(self) -> bool:
        return True  # the lock ends with the process only

    async def confirm_role(self) -> None:
        """It is never in doubt."""

    @property
    def paused(self) -> bool:
        return False

    @property
    def shared(self) -> bool:
        return False

    @property
    def leads(self) -> bool:
        return self._lock.held

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        return await self._in_thread(self._ready.claim, limit, now_ms, frozenset(here))

    async def claim_run(self, run_id: bytes) -> int:
        return 1

    async def owns(self, run_id: bytes, epoch: int) -> bool:
        return True

    async def release(self, run_ids: Sequence[bytes]) -> None:
        """There is nobody else to go on with them."""

    async def told(self) -> list[bytes]:
        return []  # `claim` gives them

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        return await self._in_thread(claim_queued, queues, limit, now_ms, here)

    async def queue_of(self, run_id: bytes) -> bytes | None:
        rows = await self._all("queue_of", run_id)
        return rows[0][0] if rows else None

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        return [QueueRow(*row) for row in await self._all("queued", list(queues), limit)]

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        found: int | None = (await self._all("next_wake", alone, list(queues)))[0][0]
        return found

    async def inbox_here(self, limit: int, after: int = 0, without: Sequence[bytes] = ()) -> list[StoredInboxRow]:
        return await self.inbox(limit, after)

    async def hint(self) -> None:
        """Other processes look by themselves."""

    def on_hint(self, tell: Callable[[], None]) -> None:
        """There are none."""

    # --- the thread

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        # aiosqlite's public calls run one statement a trip, 30 us each; a commit is a handful of statements, so it goes
        # as one function.
        if self._closed:
            raise StoreClosed(f"The store {self.path} is closed.")
        with mapped(self.path):
            connection = self._connection
            self._given += 1
            result: T = await connection._execute(  # type: ignore[no-untyped-call]
                self._counted, work, connection._conn, *arguments
            )
            return result

    def _counted(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return work(*arguments)
        finally:
            self._done += 1

    async def _reading(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._closed:
            raise StoreClosed(f"The store {self.path} is closed.")
        with mapped(self.path):
            reader = self._reader
            result: T = await reader._execute(work, reader._conn, *arguments)  # type: ignore[no-untyped-call]
            return result

    async def _all(self, name: str, *parameters: Any) -> list[Any]:
        return await self._select(_SQL[name], parameters)

    async def _filtered(self, conditions: Sequence[tuple[str, Any]], limit: int) -> list[Any]:
        statuses = [value for name, value in conditions if name == "runs_where_status"]
        others = [(name, value) for name, value in conditions if name != "runs_where_status"]
        places = " AND ".join(["1", *(_SQL[name] for name, _ in others)])
        values = [*(value for _, value in others), limit]
        if not statuses:
            return await self._select(_SQL["runs"].replace("{conditions}", places), values)
        wanted = list(dict.fromkeys(statuses[0]))
        one = _SQL["runs_of_status"].replace("{conditions}", places)
        sql = _SQL["runs_of_statuses"].replace("{each}", " UNION ALL ".join([one] * len(wanted)))
        return await self._select(sql, [*(value for status in wanted for value in [status, *values]), limit])

    async def _select(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        flat: list[Any] = []
        for value in parameters:
            if isinstance(value, list):  # for the next {...} of the query
                sql = _LIST.sub(_marks(len(value)), sql, count=1)
                flat += value
            else:
                flat.append(value)
        return await self._reading(_fetch_all, sql, flat)

    # --- writing

    async def commit(self, batch: Batch) -> list[int]:
        if self._given == self._done and not self._closed and self._pace.in_loop(batch):
            with mapped(self.path):
                numbers = self._commit_here(self._connection._conn, batch)
            if numbers is not None:
                return numbers
        return await self._in_thread(self._commit, batch)

    def _commit_here(self, connection: sqlite3.Connection, batch: Batch) -> list[int] | None:
        """Commits in the event loop; None, with nothing done, where another process is writing."""
        execute = connection.execute
        execute("PRAGMA busy_timeout = 0")
        try:
            execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return None
            raise
        finally:
            execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1_000:.0f}")
        return self._finish(connection, batch, self._pace.took)

    def _commit(self, connection: sqlite3.Connection, batch: Batch) -> list[int]:
        connection.execute("BEGIN IMMEDIATE")
        return self._finish(connection, batch)

    def _finish(
        self, connection: sqlite3.Connection, batch: Batch, took: Callable[[float], None] | None = None
    ) -> list[int]:
        execute = connection.execute
        try:
            numbers = self._write(connection, batch)
            began = time.perf_counter()
            execute("COMMIT")
            if took is not None:
                took(time.perf_counter() - began)
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if connection.in_transaction:
                execute("ROLLBACK")
            for run in batch.runs:
                self._runs.pop(run.run_id, None)
            raise
        self._files.check()  # before anything is acknowledged that lies in files which nobody finds again
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
            check_guard(connection, batch.guard, unlocking=batch.while_locked)
        write_first(connection, batch)
        if batch.identity is not None:
            execute(_SQL["insert_identity"], (batch.identity,))
        if batch.environment_keys:
            _insert(connection, "insert_environment_keys", batch.environment_keys)
        if batch.keys:
            _insert(connection, "insert_keys", batch.keys)
        if batch.environments:
            _insert(connection, "insert_environments", batch.environments)
        for row in batch.changed_environments:
            values = (row.row_version, row.record, row.environment_id, row.row_version)
            if execute(_SQL["update_environment"], values).rowcount != 1:
                raise Conflict("The environment was changed by somebody else at the same moment, or is gone.")
        for flow in batch.flows:
            if not write_flow(connection, flow):
                raise Conflict("The flow was changed by somebody else at the same moment.")
        if batch.versions:
            _insert(connection, "insert_versions", batch.versions)
        if batch.runs:
            self._write_runs(connection, batch.runs)
        if batch.pages:
            known, number_of = self._runs.get, self._number
            pages = [
                (known(run) or number_of(connection, run), seq, link, record) for run, seq, link, record in batch.pages
            ]
            _insert(connection, "insert_pages", pages)
        for update in batch.run_updates:
            number = self._number(connection, update.run_id)
            if execute(_SQL["update_run"], (*update[1:], number, update.head_version - 1)).rowcount != 1:
                raise RunNotOwned([update.run_id])
        if batch.snapshots:
            rows = [(self._number(connection, row.run_id), row.seq, row.record) for row in batch.snapshots.values()]
            _insert(connection, "put_snapshots", rows)
        write_values(connection, batch)
        for trigger in batch.triggers:
            _write_trigger(connection, trigger)
        numbers = [add_to_inbox(connection, row) for row in batch.inbox]
        numbers += [add_message(connection, row) for row in batch.messages]
        for item in batch.consumed:
            consume(connection, item)
        for flow_id, item in batch.consumed_messages:
            consume_message(connection, flow_id, item)
        for message in batch.resealed_messages:
            reseal_message(connection, *message)
        for moved in batch.resealed_items:
            reseal_item(connection, *moved)
        write_waits(connection, batch)
        write_sealed(connection, batch)
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

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        return await self._reading(_pages, run_id, from_seq, limit, most_bytes)

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None:
        return await self._reading(_snapshot, run_id)


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
