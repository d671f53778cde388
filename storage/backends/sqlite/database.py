"""The connections of a SQLite store: one that writes and one that reads, each driven by a thread of aiosqlite, so that
reads do not wait behind a long commit. No rows.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar, cast

import aiosqlite

from ...errors import StoreClosed
from .connection import connect, mapped
from .queries import named_queries

T = TypeVar("T")

_SQL = named_queries()
_LIST = re.compile(r"\{\w+\}")


class Database:
    """Runs work and named queries on the two connections of a store."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
        self.writer = writer
        self.reader = reader
        self.closed = False
        # Works of the writer's thread: each is counted by one side only. If they are equal the thread is idle.
        self.given = self.done = 0

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open the file; create it if needed. Raises the errors of storage only."""
        # Opened before aiosqlite starts its threads: when opening fails, there is no thread to be ended.
        writer, reader = await asyncio.to_thread(_connect_both, path)
        return cls(path, await _driven(writer), await _driven(reader))

    async def close(self, last: Callable[[sqlite3.Connection], None]) -> None:
        """Close both connections. `last` closes the writing one, in its thread, after all commits."""
        with mapped(self.path):
            try:
                await self.reader.close()  # first: the last one to close tidies the write-ahead log up
            finally:
                try:
                    await self.writer._execute(last, self.writer._conn)  # type: ignore[no-untyped-call]
                finally:
                    await self.writer.close()

    async def in_writer(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a function with the writing connection, in its thread, after all earlier work."""
        # aiosqlite's public calls run one statement a trip, 30 us each; a commit is a handful of statements, so it goes
        # as one function.
        if self.closed:
            raise StoreClosed(f"The store {self.path} is closed.")
        with mapped(self.path):
            self.given += 1
            result: T = await self.writer._execute(  # type: ignore[no-untyped-call]
                self._counted, work, self.writer._conn, *arguments
            )
            return result

    def _counted(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return work(*arguments)
        finally:
            self.done += 1

    async def in_reader(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a function with the reading connection, in its thread."""
        if self.closed:
            raise StoreClosed(f"The store {self.path} is closed.")
        with mapped(self.path):
            result: T = await self.reader._execute(work, self.reader._conn, *arguments)  # type: ignore[no-untyped-call]
            return result

    async def fetch(self, name: str, *parameters: Any) -> list[Any]:
        """See `reading.queries.Queries`."""
        return await self._select(_SQL[name], parameters)

    async def filtered(self, conditions: Sequence[tuple[str, Any]], limit: int) -> list[Any]:
        """See `reading.queries.Queries`."""
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
                sql = _LIST.sub(",".join("?" * len(value)), sql, count=1)
                flat += value
            else:
                flat.append(value)
        return await self.in_reader(fetch_all, sql, flat)


def fetch_all(connection: sqlite3.Connection, sql: str, parameters: Iterable[Any]) -> list[Any]:
    """Return all rows of a query."""
    return connection.execute(sql, tuple(parameters)).fetchall()


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
