"""Writes administrative operations and the ledger."""

from __future__ import annotations

import sqlite3

from ....port import OperationChanges
from ..statements import SQL, write_versioned


def write(connection: sqlite3.Connection, changes: OperationChanges) -> None:
    """Write operations and append to the ledger."""
    for entry in changes.ledger:
        connection.execute(f"{SQL['insert_ledger']} (?, ?, ?, ?)", entry)
    for row in changes.upserts:
        values = (row.row_version, row.ended_ms, row.record)
        write_versioned(connection, "operation", row, (*values, row.operation_id, row.row_version))
