"""Statements that several stores share, inside the transaction of their caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from ...errors import Conflict, StoreCorrupt
from ...format.purposes import Kind
from .queries import named_queries

SQL = named_queries()

_ROWS_A_STATEMENT = 128


def insert_all(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert many rows a statement: each statement takes the interpreter's lock back once, and a busy event loop makes
    that slow.
    """
    row = "(" + ",".join("?" * len(rows[0])) + ")"
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        part = rows[start : start + _ROWS_A_STATEMENT]
        sql = f"{SQL[name]} {row}{(',' + row) * (len(part) - 1)}"
        if connection.execute(sql, tuple(chain.from_iterable(part))).rowcount != len(part):
            raise StoreCorrupt("The database did not store what it was given.")


def write_versioned(connection: sqlite3.Connection, what: str, row: Any, changed: tuple[Any, ...]) -> None:
    """Insert a new row, or write the next version of one that exists. Raises Conflict."""
    if row.row_version == 1:
        connection.execute(SQL[f"insert_{what}"], row)
    else:
        changed_one(connection.execute(SQL[f"update_{what}"], changed), what)


def changed_one(cursor: sqlite3.Cursor, what: str) -> None:
    """Raises Conflict unless the statement changed one row."""
    if cursor.rowcount != 1:
        raise Conflict(f"A row ({what}) was changed by somebody else at the same moment.")


def removed_one(cursor: sqlite3.Cursor, what: str) -> None:
    """Raises Conflict unless the statement removed one row."""
    if cursor.rowcount != 1:
        raise Conflict(f"{what} was removed by somebody else at the same moment.")


def remove_keys(connection: sqlite3.Connection, scope: bytes, *kinds: Kind) -> None:
    """Remove the keys of a scope."""
    for kind in kinds:
        connection.execute(SQL["delete_scope_keys"], (scope, kind))


def each(connection: sqlite3.Connection, name: str, values: Iterable[bytes]) -> None:
    """Run a statement once for each of these ids."""
    for value in values:
        connection.execute(SQL[name], (value,))
