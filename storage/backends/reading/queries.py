"""What the shared stores ask of a database: named queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from .columns import all_checked, checked

Row = TypeVar("Row", bound=NamedTuple)


class Queries(Protocol):
    """Runs the named queries of one backend."""

    async def fetch(self, name: str, *parameters: Any) -> list[Any]:
        """Return the rows of a named query. A parameter that is a list stands for any of its values."""
        ...

    async def filtered(self, conditions: Sequence[tuple[str, Any]], limit: int) -> list[Any]:
        """Return rows of the query `runs`, newest first, that meet all of these named conditions."""
        ...


class Reads:
    """The base of the stores: reads whole rows through named queries."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def _one(self, kind: type[Row], name: str, *parameters: Any) -> Row | None:
        rows = await self._queries.fetch(name, *parameters)
        return checked(kind, rows[0]) if rows else None

    async def _each(self, kind: type[Row], name: str, *parameters: Any) -> list[Row]:
        return all_checked(kind, await self._queries.fetch(name, *parameters))
