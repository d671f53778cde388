"""Writes triggers."""

from __future__ import annotations

import sqlite3

from ....errors import Conflict
from ....port import TriggerChanges, TriggerRow
from ..statements import SQL, changed_one


def write(connection: sqlite3.Connection, changes: TriggerChanges) -> None:
    """Write replaced rows first: the same batch may hold the next version of such a row."""
    for row in changes.replaced:
        values = (row.record, row.flow_id, row.row_version)
        changed_one(connection.execute(SQL["replace_trigger"], values), "trigger")
    for row in changes.upserts:
        _write_trigger(connection, row)


def _write_trigger(connection: sqlite3.Connection, row: TriggerRow) -> None:
    if row.row_version == 1:
        written = connection.execute(SQL["insert_trigger"], row).rowcount
    else:
        update = (row.due_ms, row.row_version, row.record, row.flow_id, row.row_version)
        written = connection.execute(SQL["update_trigger"], update).rowcount
    if written != 1:
        raise Conflict("A trigger was changed by somebody else at the same moment.")
