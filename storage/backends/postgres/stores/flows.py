"""Writes flows."""

from __future__ import annotations

from ....errors import Conflict
from ....format.purposes import Kind
from ....port import FlowChanges
from ..connection import Connection
from ..statements import SQL, all_at_once, each, each_id, remove_keys


async def before(connection: Connection, changes: FlowChanges) -> None:
    """Write flows and versions, before their runs and triggers."""
    await each(connection, "flows_next", changes.upserts, counted=True)
    if changes.versions:
        await connection.execute(SQL["versions_new"], changes.versions)


async def after(connection: Connection, changes: FlowChanges) -> None:
    """Write resealed versions and retentions."""
    await all_at_once(connection, "replaced_versions", changes.replaced_versions)
    await each(connection, "retentions_next", changes.retentions, counted=True)


async def finish(connection: Connection, changes: FlowChanges) -> None:
    """Remove flows, after their runs. Raises Conflict for a flow that still has runs, or is gone."""
    for flow_id in changes.removed:
        for name in ("delete_versions", "delete_trigger", "delete_messages", "delete_retention"):
            await each_id(connection, name, [flow_id])
        if await connection.execute(SQL["delete_flow"], flow_id) != "DELETE 1":
            raise Conflict("The flow still has runs, or is gone.")
        await remove_keys(connection, flow_id, Kind.FLOW, Kind.TRIGGER, Kind.RETENTION)
