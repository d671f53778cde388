"""The SQLite backend: one transaction for each batch, and a store for each noun of the port.

A commit is one trip to the writer's thread, or none where the disk is quick (see `pace`). The backend does not know
what the bytes mean. The integer row numbers of runs never leave it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ...port import Batch
from ..reading.columns import identifier
from ..reading.connections import ConnectionReads
from ..reading.consistency import ConsistencyReads
from ..reading.control import ControlReads
from ..reading.flows import FlowReads
from ..reading.inbox import CallbackReads, SealedInboxReads
from ..reading.keys import KeyReads
from ..reading.operations import OperationReads
from ..reading.runs import ValueReads
from ..reading.triggers import MessageReads, TriggerReads
from .checkpoint import settle
from .connection import BUSY_SECONDS, mapped
from .database import Database
from .identity import StoreFiles
from .observer import SQLiteObserver
from .pace import Pace
from .statements import SQL
from .stores import backups, claims, connections, control, flows, inbox, keys, messages, operations, triggers, values
from .stores.backups import SQLiteBackups
from .stores.claims import SQLiteClaims
from .stores.inbox import SQLiteInbox
from .stores.runs import SQLiteRuns
from .stores.workers import SQLiteWorkers


class SQLiteBackend:
    """A store in one SQLite file (WAL, synchronous=FULL), with `executor.lock` beside it. See `port.Backend`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.path = database.path
        self.keys = KeyReads(database)
        self.control = ControlReads(database)
        self.flows = FlowReads(database)
        self.connections = ConnectionReads(database)
        self.operations = OperationReads(database)
        self.runs = SQLiteRuns(database)
        self.values = ValueReads(database)
        self.triggers = TriggerReads(database)
        self.messages = MessageReads(database)
        self.inbox = SQLiteInbox(database)
        self.sealed_inbox = SealedInboxReads(database)
        self.callbacks = CallbackReads(database)
        self.claims = SQLiteClaims(database)
        self.workers = SQLiteWorkers(database, self.claims.forget)
        self.consistency = ConsistencyReads(database)
        self.backups = SQLiteBackups(database, self.runs.replaced)
        # Keys come first, then what they seal. What exists is exchanged and removed after all that is added: runs
        # before their flows.
        self._steps: tuple[tuple[str, Callable[[sqlite3.Connection, Any], list[int] | None]], ...] = (
            ("keys", keys.write),
            ("control", control.write),
            ("flows", flows.write),
            ("runs", self.runs.write),
            ("values", values.write),
            ("triggers", triggers.write),
            ("inbox", inbox.write),
            ("messages", messages.write),
            ("claims", claims.write),
            ("sealed_inbox", inbox.write_sealed),
            ("callbacks", inbox.write_callbacks),
            ("connections", connections.write),
            ("operations", operations.write),
            ("backups", backups.write),
            ("keys", keys.finish),
            ("runs", self.runs.finish),
            ("flows", flows.finish),
            ("control", control.finish),
            ("backups", backups.finish),
        )
        self._pace = Pace()
        self._files = StoreFiles(self.path)
        self._ended: asyncio.Future[None] | None = None
        _open.add(self)

    @classmethod
    async def open(cls, path: Path) -> SQLiteBackend:
        """Open the file; create it if needed.

        Raises StoreNotWritable, StoreFull, StoreBusy, StoreCorrupt, StoreTooNew.
        """
        return cls(await Database.open(path))

    async def close(self) -> None:
        """Close the store once all commits in progress are durable. To cancel this call does not stop it."""
        if self._ended is None:
            if self.database.closed:  # a fork's copy
                return
            self.database.closed = True
            self._ended = asyncio.ensure_future(self.database.close(self._close_writer))
        await asyncio.shield(self._ended)

    def _close_writer(self, connection: sqlite3.Connection) -> None:
        # In the writer's thread, behind all commits: the executor's role is given up when nothing can be written any
        # more, even if the event loop has ended by then.
        try:
            connection.close()
        finally:
            self.workers.leave()

    def observer(self) -> SQLiteObserver:
        """Return an observer for another thread."""
        return SQLiteObserver(self.path)

    async def identity(self) -> bytes | None:
        """Return the id of the store."""
        rows = await self.database.fetch("identity")
        return identifier(rows[0][0]) if rows else None

    async def settle(self) -> bool:
        """Empty the write-ahead log. Return False while a reader is in the way."""
        return await self.database.in_writer(settle)

    async def commit(self, batch: Batch) -> list[int]:
        database = self.database
        if database.given == database.done and not database.closed and self._pace.in_loop(batch):
            with mapped(self.path):
                numbers = self._commit_here(database.writer._conn, batch)
            if numbers is not None:
                return numbers
        return await database.in_writer(self._commit, batch)

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
            self.runs.failed(batch.runs)
            raise
        self._files.check()  # before anything is acknowledged that lies in files which nobody finds again
        self.runs.committed(batch.runs)
        return numbers

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> list[int]:
        if batch.guard is not None:
            keys.check_guard(connection, batch.guard, while_locked=batch.while_locked)
        if batch.identity is not None:
            connection.execute(SQL["insert_identity"], (batch.identity,))
        numbers: list[int] = []
        parts = dict(batch.parts())
        for name, write in self._steps:
            if name in parts and (added := write(connection, parts[name])):
                numbers += added
        return numbers


_open: WeakSet[SQLiteBackend] = WeakSet()


def _after_fork() -> None:
    # A fork has neither the threads nor the locks, and whoever would wait for them there would wait for ever.
    for backend in list(_open):
        backend.database.closed = True


os.register_at_fork(after_in_child=_after_fork)
