"""Writes flows."""

from __future__ import annotations

import sqlite3

from ....errors import Conflict
from ....format.purposes import Kind
from ....port import FlowChanges, FlowRow
from ..statements import SQL, changed_one, insert_all, remove_keys, write_versioned


def write(connection: sqlite3.Connection, changes: FlowChanges) -> None:
    """Everything but removed flows."""
    for flow in changes.upserts:
        if not _write_flow(connection, flow):
            raise Conflict("The flow was changed by somebody else at the same moment.")
    if changes.versions:
        insert_all(connection, "insert_versions", changes.versions)
    for version in changes.replaced_versions:
        values = (version.record, version.flow_id, version.number)
        changed_one(connection.execute(SQL["replace_version"], values), "version")
    for retention in changes.retentions:
        write_versioned(connection, "retention", retention, (*retention[1:], retention.flow_id, retention.row_version))


def finish(connection: sqlite3.Connection, changes: FlowChanges) -> None:
    """Remove flows, after their runs. Raises Conflict for a flow that still has runs, or is gone."""
    execute = connection.execute
    for flow_id in changes.removed:
        execute(SQL["delete_versions"], (flow_id,))
        execute(SQL["delete_trigger"], (flow_id,))
        execute(SQL["delete_keys_of_messages"], (Kind.MESSAGE, flow_id))
        execute(SQL["delete_messages"], (flow_id,))
        execute(SQL["delete_retention"], (flow_id,))
        if execute(SQL["delete_flow"], (flow_id,)).rowcount != 1:
            raise Conflict("The flow still has runs, or is gone.")
        remove_keys(connection, flow_id, Kind.FLOW, Kind.TRIGGER, Kind.RETENTION)


def _write_flow(connection: sqlite3.Connection, row: FlowRow) -> bool:
    """A new flow, or the next version of a row that is there; False where it is not the next one, or was shredded."""
    if row.row_version == 1:
        return connection.execute(SQL["insert_flow"], row).rowcount == 1
    values = (row.name_index, row.domain, row.version, row.row_version, row.updated_ms, row.record)
    return connection.execute(SQL["update_flow"], (*values, row.flow_id, row.row_version)).rowcount == 1
