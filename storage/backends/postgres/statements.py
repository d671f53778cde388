"""The named queries, and statements that several stores share, inside the transaction of their caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import Conflict
from ...format.purposes import Kind
from ..sql_files import named_queries
from .connection import Connection
from .schema import HERE

SQL = named_queries(HERE)


async def all_at_once(connection: Connection, name: str, rows: Sequence[Any], *others: Any) -> None:
    """Run one statement for all rows, each of which has to change one. Raises Conflict."""
    if rows:
        changed(await connection.execute(SQL[name], rows, *others), len(rows), name.replace("_", " "))


async def each(connection: Connection, name: str, rows: Iterable[Sequence[Any]], *, counted: bool = False) -> None:
    """Run one statement a row. If `counted`, each has to change one: raises Conflict."""
    for row in rows:
        answer = await connection.execute(SQL[name], *row)
        if counted:
            changed(answer, 1, name.replace("_", " "))


async def each_id(connection: Connection, name: str, values: Iterable[bytes]) -> None:
    """Run one statement for each of these ids."""
    for value in values:
        await connection.execute(SQL[name], value)


async def remove_keys(connection: Connection, scope: bytes, *kinds: Kind) -> None:
    """Remove the keys of a scope."""
    for kind in kinds:
        await connection.execute(SQL["delete_scope_keys"], scope, int(kind))


def changed(answer: str, rows: int, what: str) -> None:
    """Raises Conflict unless the answer of the server ("UPDATE 3", "INSERT 0 3") names so many rows."""
    if int(answer.rpartition(" ")[2]) != rows:
        raise Conflict(f"A row ({what}) was changed by somebody else at the same moment.")
