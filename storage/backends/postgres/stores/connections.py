"""Writes connections."""

from __future__ import annotations

from ....format.purposes import Kind
from ....port import ConnectionChanges
from ..connection import Connection
from ..statements import SQL, each, remove_keys


async def after(connection: Connection, changes: ConnectionChanges) -> None:
    """Write and remove connections."""
    await each(connection, "connections_next", changes.upserts, counted=True)
    for connection_id in changes.removed:
        await connection.execute(SQL["removed_connections"], connection_id)
        await remove_keys(connection, connection_id, Kind.CONNECTION)
