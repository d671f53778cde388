"""Rows that wait in a queue, each added once: requests and messages. Inside the transaction of the caller."""

from __future__ import annotations

import sqlite3
from typing import Any

from ...errors import Conflict
from .statements import SQL


def waiting(connection: sqlite3.Connection, name: str, *key: bytes | None) -> int | None:
    """Return the number of the row with this key, whose last part is its `dedupe`."""
    found = None if key[-1] is None else connection.execute(SQL[name], key).fetchone()
    return None if found is None else int(found[0])


def insert(connection: sqlite3.Connection, name: str, row: tuple[Any, ...]) -> int:
    """Insert a row and return its number."""
    number = connection.execute(SQL[name], row).lastrowid
    if number is None:  # an INSERT that succeeded always has one
        raise Conflict("A row was not added to its queue.")
    return number
