"""The connections that read, with the queries of the shared stores. Lost connections are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from ...errors import StoreClosed, StoreUnreachable
from .connection import Target, mapped
from .patience import Patience
from .statements import SQL

_READERS = 3
_IDLE_SECONDS = 60.0


class Readers:
    """A few connections that read one schema."""

    def __init__(self, target: Target, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.target = target
        self.pool = pool
        self.closed = False

    @classmethod
    async def open(cls, target: Target) -> Readers:
        """Make the pool. It connects when it is first used."""
        pool = await asyncpg.create_pool(
            min_size=0,
            max_size=_READERS,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            reset=_nothing,
            **target.options(),
        )
        return cls(target, pool)

    def check_open(self) -> None:
        """Raises StoreClosed."""
        if self.closed:
            raise StoreClosed(f"The store {self.target.place} is closed.")

    async def select(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """Return the rows of a query."""
        patience = Patience()
        while True:
            self.check_open()
            try:
                with mapped(self.target):
                    async with self.pool.acquire() as connection:
                        return await connection.fetch(sql, *parameters)
            except StoreUnreachable:
                if not await patience.left():
                    raise

    async def value(self, sql: str, *parameters: Any) -> Any:
        """Return the first value of a query, or None."""
        rows = await self.select(sql, parameters)
        return rows[0][0] if rows else None

    async def fetch(self, name: str, *parameters: Any) -> list[Any]:
        """See `reading.queries.Queries`."""
        return await self.select(SQL[name], parameters)

    async def filtered(self, conditions: Sequence[tuple[str, Any]], limit: int) -> list[Any]:
        """See `reading.queries.Queries`."""
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
        return await self.select(sql, values)


async def _nothing(connection: object) -> None:
    """A reader leaves nothing behind in its connection: to clean it would cost a round trip for each read."""
