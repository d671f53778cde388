"""What shredding removes, row by row. All but `settle` runs inside the transaction of its caller.

The connection has `secure_delete` on: what goes is overwritten. The write-ahead log keeps it until a checkpoint, see
`settle`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ...errors import Conflict
from ...format.purposes import Kind
from ...rows import Batch
from .queries import named_queries

_SQL = named_queries()


def remove(connection: sqlite3.Connection, batch: Batch) -> None:
    """Removes what the batch names, runs first. Raises Conflict for what may not go now, or is not there."""
    for run_id in batch.removed_runs:
        _remove_run(connection, run_id)
    for flow_id in batch.removed_flows:
        _remove_flow(connection, flow_id)
    for environment in batch.removed_environments:
        _gone(connection.execute(_SQL["delete_environment"], (environment,)), "The environment")
        _remove_keys(connection, environment, (Kind.ENVIRONMENT,))
    for backup in batch.removed_backups:
        _gone(connection.execute(_SQL["delete_backup"], (backup,)), "The backup's entry")
        _remove_keys(connection, backup, (Kind.BACKUP,))


def settle(connection: sqlite3.Connection) -> bool:
    """Empties the write-ahead log into the database; False where a reader, or another writer, is in the way.

    With a reader open this reports busy and raises nothing (https://sqlite.org/pragma.html#pragma_wal_checkpoint).
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")  # who waits here keeps every commit waiting
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(before)}")
    return bool(busy == 0)


def _remove_run(connection: sqlite3.Connection, run_id: bytes) -> None:
    execute = connection.execute
    if execute(_SQL["needed_run"], (run_id,)).fetchone() is not None:
        raise Conflict(f"The run {run_id.hex()} has not ended, or the run that started it has not.")
    execute(_SQL["delete_snapshot"], (run_id,))
    execute(_SQL["delete_pages"], (run_id,))
    execute(_SQL["delete_chunks"], (run_id,))
    execute(_SQL["delete_large_values"], (run_id,))
    _gone(execute(_SQL["delete_run"], (run_id,)), "The run")
    _remove_keys(connection, run_id, (Kind.RUN,))


def _remove_flow(connection: sqlite3.Connection, flow_id: bytes) -> None:
    execute = connection.execute
    execute(_SQL["delete_versions"], (flow_id,))
    execute(_SQL["delete_trigger"], (flow_id,))
    execute(_SQL["delete_keys_of_messages"], (Kind.MESSAGE, flow_id))
    execute(_SQL["delete_messages"], (flow_id,))
    execute(_SQL["delete_retention"], (flow_id,))
    if execute(_SQL["delete_flow"], (flow_id,)).rowcount != 1:
        raise Conflict("The flow still has runs, or is gone.")
    _remove_keys(connection, flow_id, (Kind.FLOW, Kind.TRIGGER, Kind.RETENTION))


def _remove_keys(connection: sqlite3.Connection, scope: bytes, kinds: Iterable[Kind]) -> None:
    for kind in kinds:
        connection.execute(_SQL["delete_scope_keys"], (scope, kind))


def _gone(cursor: sqlite3.Cursor, what: str) -> None:
    if cursor.rowcount != 1:
        raise Conflict(f"{what} was removed by somebody else at the same moment.")
