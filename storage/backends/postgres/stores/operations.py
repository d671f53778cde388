"""Writes administrative operations and the ledger."""

from __future__ import annotations

from ....port import OperationChanges
from ..connection import Connection
from ..statements import each


async def after(connection: Connection, changes: OperationChanges) -> None:
    """Write operations and append to the ledger."""
    await each(connection, "operations_next", changes.upserts, counted=True)
    await each(connection, "ledger_new", changes.ledger)
