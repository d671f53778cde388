"""The PostgreSQL backend: one connection that writes, a few that read, and a store for each noun of the port.

The backend does not know what the bytes mean. Lost connections are replaced (see `commits` and `readers`), so a restart
of the server is a pause.
"""

from __future__ import annotations

import asyncio
import os
from weakref import WeakSet

from ...errors import ExecutorLost
from ...port import Batch
from ..database_url import checked_url
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
from .commits import Writer
from .connection import WORK_SECONDS, Connection, Target, connect, mapped
from .lease import LEASE_SECONDS, Lease
from .observer import PostgresObserver
from .readers import Readers
from .schema import prepare
from .schema_check import check_schema
from .statements import SQL
from .stores.backups import PostgresBackups
from .stores.claims import PostgresClaims
from .stores.inbox import PostgresInbox
from .stores.runs import PostgresRuns
from .stores.workers import PostgresWorkers


class PostgresBackend:
    """A store in one schema of a PostgreSQL database. See `port.Backend`."""

    def __init__(self, target: Target, connection: Connection, readers: Readers, lease_seconds: float) -> None:
        self._target = target
        self._writer = Writer(target, connection)
        self._readers = readers
        self._lease = Lease(readers.value, lease_seconds)
        self.keys = KeyReads(readers)
        self.control = ControlReads(readers)
        self.backups = PostgresBackups(readers)
        self.flows = FlowReads(readers)
        self.connections = ConnectionReads(readers)
        self.operations = OperationReads(readers)
        self.runs = PostgresRuns(readers)
        self.values = ValueReads(readers)
        self.triggers = TriggerReads(readers)
        self.messages = MessageReads(readers)
        self.workers = PostgresWorkers(readers, self._lease)
        self.claims = PostgresClaims(readers, self.workers)
        self.inbox = PostgresInbox(readers, self.workers)
        self.sealed_inbox = SealedInboxReads(readers)
        self.callbacks = CallbackReads(readers)
        self.consistency = ConsistencyReads(readers)
        self._ended: asyncio.Future[None] | None = None
        _open.add(self)

    @classmethod
    async def open(
        cls, url: str, schema: str, *, create: bool = True, lease_seconds: float = LEASE_SECONDS
    ) -> PostgresBackend:
        """Open the schema. Create it if it does not exist and `create` is true.

        Raises InvalidDatabaseUrl (also for a URL with a password), DatabaseRefused, StoreUnreachable, StoreNotWritable,
        StoreCorrupt, StoreTooNew, RecordNotFound (no such schema).
        """
        target = Target(checked_url(url), schema)
        connection = await connect(target)
        try:
            with mapped(target):
                await prepare(connection, target, create=create)
                await check_schema(connection, target)
                readers = await Readers.open(target)
        except BaseException:
            connection.terminate()
            raise
        return cls(target, connection, readers, lease_seconds)

    async def close(self) -> None:
        """Close the store once all commits in progress are durable. To cancel this call does not stop it."""
        if self._ended is None:
            if self._readers.closed:  # a fork's copy
                return
            self._readers.closed = True
            self._ended = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ended)

    async def _end(self) -> None:
        try:
            await self.claims.stop()
            await self._lease.stop()
            await self._writer.close(self._leave)
        finally:
            self._writer.abandon()  # the end of the event loop cancels this too
            try:
                await asyncio.wait_for(self._readers.pool.close(), 5)
            except TimeoutError:
                self._readers.pool.terminate()

    async def _leave(self, connection: Connection) -> None:
        await self._lease.leave(connection)
        if self._lease.shared:
            await connection.execute(SQL["hint"], self._target.schema)  # its runs are there for others

    async def drop(self) -> None:
        """Remove the schema with everything in it. No other process may use it."""
        self._readers.check_open()
        with mapped(self._target):
            async with self._readers.pool.acquire() as connection:
                await connection.execute(f'DROP SCHEMA "{self._target.schema}" CASCADE', timeout=WORK_SECONDS)

    def observer(self) -> PostgresObserver:
        """Return an observer for another thread."""
        return PostgresObserver(self._target, self._lease)

    async def identity(self) -> bytes | None:
        """Return the id of the store."""
        rows = await self._readers.fetch("identity")
        return identifier(rows[0][0]) if rows else None

    async def commit(self, batch: Batch) -> list[int]:
        """See `port.Transactions`."""
        self._readers.check_open()
        try:
            return await self._writer.commit(batch, self._lease.role)
        except ExecutorLost:
            self._lease.lose()
            raise

    async def settle(self) -> bool:
        """Return False: the server's vacuum and the recycling of its log remove what was deleted."""
        return False


_open: WeakSet[PostgresBackend] = WeakSet()


def _after_fork() -> None:
    # A fork shares the sockets with its parent, and would break into its conversation with the server.
    for backend in list(_open):
        backend._readers.closed = True


os.register_at_fork(after_in_child=_after_fork)
