"""Commits through one connection that comes back: each once, whatever becomes of the connection.

A commit carries its writer's name and a number, which the database keeps with the answer. Whoever lost the connection
repeats the commit under the same number: the database then says what it answered, or does it now. One that was given up
while its outcome was unknown is settled before anything else is written: it is there, or it never will be.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from ...errors import StorageError, StoreClosed, StoreUnreachable
from ...port import Batch
from .batches import common, is_common, write
from .connection import UNKNOWN_WRITER, Connection, Target, connect, mapped
from .lease import Role
from .patience import Patience
from .statements import SQL

T = TypeVar("T")

_REMEMBERED = 16


class Writer:
    """The one connection of a backend that writes; one commit at a time."""

    def __init__(self, target: Target, connection: Connection) -> None:
        self._target = target
        self._connection: Connection | None = connection
        self._name = os.urandom(16)
        self._known = False
        self._number = 0
        self._turn = asyncio.Lock()
        self._doubt: tuple[Batch, int] | None = None
        self._settled: deque[tuple[Batch, list[int]]] = deque(maxlen=_REMEMBERED)
        self._closed = False

    async def commit(self, batch: Batch, role: Role | None) -> list[int]:
        """See `port.Transactions.commit`. Whoever is cancelled while waiting cancels nothing."""
        task = asyncio.ensure_future(self._commit(batch, role))
        task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _commit(self, batch: Batch, role: Role | None) -> list[int]:
        async with self._turn:
            if self._closed:
                raise StoreClosed(f"The store {self._target.place} is closed.")
            for late, numbers in self._settled:
                if late is batch:
                    return numbers
            if self._doubt is None or self._doubt[0] is not batch:
                await self._settle()
                self._number += 1
            number = self._number

            async def attempt(connection: Connection) -> list[int]:
                return await self._attempt(connection, batch, number, role)

            try:
                numbers = await self._persist(attempt, in_doubt=lambda: self._doubts(batch, number))
            except StoreUnreachable:
                raise
            except Exception:
                self._doubt = None
                raise
            self._doubt = None
            return numbers

    def _doubts(self, batch: Batch, number: int) -> None:
        self._doubt = (batch, number)

    async def _settle(self) -> None:
        """Finds out what became of a commit that was given up, and makes sure that nothing will."""
        if self._doubt is None:
            return
        batch, number = self._doubt

        async def ask(connection: Connection) -> list[int] | None:
            entry = (*self._entry(number, None), None, None)
            answer: list[int] | None = await connection.fetchval(SQL["enter"], *entry, False)
            return answer

        numbers = await self._persist(ask)
        if numbers is not None:
            self._settled.append((batch, numbers))
        self._doubt = None

    async def _attempt(self, connection: Connection, batch: Batch, number: int, role: Role | None) -> list[int]:
        guard = batch.guard
        epochs = (None, None) if guard is None else guard
        entry = (*self._entry(number, role), *epochs)
        numbers: list[int]
        if is_common(batch):
            numbers = await connection.fetchval(SQL["commit_batch"], *entry, *common(batch))
            return numbers
        async with connection.transaction():
            known: list[int] | None = await connection.fetchval(SQL["enter"], *entry, batch.while_locked)
            if known is not None:
                return known
            numbers = await write(connection, batch, role.worker if role is not None else None)
            await connection.execute(SQL["leave"], self._name, numbers)
        return numbers

    def _entry(self, number: int, role: Role | None) -> tuple[bytes, int, bytes | None, int | None]:
        worker, epoch = (None, None) if role is None else role
        return self._name, number, worker, epoch

    # --- the connection

    async def _persist(
        self, work: Callable[[Connection], Awaitable[T]], *, in_doubt: Callable[[], None] = lambda: None
    ) -> T:
        """Does it, again and again while the connection gets lost on the way. Raises StoreUnreachable in the end."""
        patience = Patience()
        while True:
            try:
                connection = await self._connected()
                in_doubt()  # from here on the server may have done it
                with mapped(self._target):
                    try:
                        return await work(connection)
                    except asyncpg.PostgresError as error:
                        if error.sqlstate != UNKNOWN_WRITER:
                            raise
                        self._known = False
            except StoreUnreachable:
                self._drop()
                if not await patience.left():
                    raise

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._drop()
            self._connection = await connect(self._target)
        if not self._known:
            with mapped(self._target):
                await self._connection.execute(SQL["register_writer"], self._name)
            self._known = True
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self, last: Callable[[Connection], Awaitable[object]]) -> None:
        """Closes behind all commits. `last` is done with the connection, if there still is one."""
        async with self._turn:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is None or connection.is_closed():
                return
            try:
                with mapped(self._target):
                    await last(connection)
                    if self._known:
                        await connection.execute(SQL["forget_writers"], self._name)
                    await connection.close(timeout=5)
            except StorageError:  # its lease ends by itself; or the schema was removed
                pass
            finally:
                connection.terminate()  # nothing where it is closed; it may have been cancelled

    def abandon(self) -> None:
        """Drops the connection, whatever goes on. Nothing where it is closed."""
        self._closed = True
        self._drop()


def _seen(task: asyncio.Task[list[int]]) -> None:
    """So that an error is not reported as lost when nobody waits for the commit any more."""
    if not task.cancelled():
        task.exception()
