"""Writes large values and their chunks."""

from __future__ import annotations

import sqlite3

from ....errors import Conflict
from ....port import ValueChanges
from ..statements import SQL


def write(connection: sqlite3.Connection, changes: ValueChanges) -> None:
    """Write and remove values. Raises Conflict if one is to be settled, and is gone."""
    execute = connection.execute
    for value in changes.inserts:
        execute(f"{SQL['insert_large_values']} (?, ?, ?, ?)", value)
    for chunk in changes.chunks:
        row = execute(SQL["value_number"], (chunk.value_id,)).fetchone()
        if row is not None:
            execute(f"{SQL['insert_chunks']} (?, ?, ?)", (row[0], chunk.number, chunk.record))
    for value_id in changes.settled:
        if execute(SQL["settle_value"], (value_id,)).rowcount != 1:
            raise Conflict("A large value was removed by somebody else at the same moment.")
    for value_id in changes.dropped:
        execute(SQL["delete_unsettled_chunks"], (value_id,))
        execute(SQL["delete_unsettled_value"], (value_id,))
