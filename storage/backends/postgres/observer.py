"""Reads a PostgreSQL store's key epochs and renews its worker's lease from the event loop of another thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import asyncpg

from .connection import Connection, Target, mapped
from .lease import Lease
from .statements import SQL

_RENEWALS = 3
"""In the time of one lease."""


class PostgresObserver:
    """See `port.Observer`. It has one connection, opened by the first look and closed by `close`."""

    def __init__(self, target: Target, lease: Lease, now: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._lease = lease
        self._now = now
        self._renewed = float("-inf")
        self._connection: Connection | None = None

    async def key_epochs(self) -> tuple[int, int]:
        with mapped(self._target):
            row = await (await self._connected()).fetchrow(SQL["key_state"])
        return (row[0], row[1]) if row is not None else (0, 0)

    async def keep_lease(self) -> None:
        keep, now = self._lease.keeping(), self._now()
        if keep is None or now < self._renewed + self._lease.seconds / _RENEWALS:
            return
        sql, role, duration = keep
        began = self._lease.now()
        with mapped(self._target):
            kept = await (await self._connected()).fetchval(sql, *role, duration)
        self._renewed = now
        if kept is None:
            self._lease.lose()
        else:
            self._lease.renewed(began)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(**self._target.options())
        return self._connection
