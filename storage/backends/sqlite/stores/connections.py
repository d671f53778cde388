"""Writes connections."""

from __future__ import annotations

import sqlite3

from ....format.purposes import Kind
from ....port import ConnectionChanges
from ..statements import SQL, remove_keys, write_versioned


def write(connection: sqlite3.Connection, changes: ConnectionChanges) -> None:
    """Write and remove connections."""
    for row in changes.upserts:
        values = (row.name_index, row.domain, row.row_version, row.updated_ms, row.record)
        write_versioned(connection, "connection", row, (*values, row.connection_id, row.row_version))
    for connection_id in changes.removed:
        connection.execute(SQL["delete_connection"], (connection_id,))
        remove_keys(connection, connection_id, Kind.CONNECTION)
