"""Writes large values and their chunks."""

from __future__ import annotations

from ....port import ValueChanges
from ..connection import Connection
from ..statements import each, each_id


async def after(connection: Connection, changes: ValueChanges) -> None:
    """Write and remove values. Raises Conflict if one is to be settled, and is gone."""
    await each(connection, "large_values_new", changes.inserts)
    await each(connection, "chunks_new", changes.chunks)
    await each(connection, "settled_values", [(value,) for value in changes.settled], counted=True)
    await each_id(connection, "delete_unsettled_chunks", changes.dropped)
    await each_id(connection, "dropped_values", changes.dropped)
