"""The rows that administrators' acts lead to: the state of keys, policies, the audit, connections, operations.

The writing half of one commit, called in the connection's thread and inside its transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from ...errors import Conflict, EnvironmentLocked, StaleKeys
from ...format.purposes import Kind
from ...rows import Batch, FlowRow, Guard, KeyStateRow
from .queries import named_queries

_SQL = named_queries()


def check_guard(connection: sqlite3.Connection, guard: Guard, *, unlocking: bool) -> None:
    """Raises EnvironmentLocked, or StaleKeys for a writer that has not seen the latest change of keys. Only who writes
    the state itself may write while it is locked.
    """
    row = connection.execute(_SQL["key_state"]).fetchone()
    epoch, lock_epoch = (row[0], row[1]) if row is not None else (0, 0)
    if lock_epoch % 2 and not unlocking:
        raise EnvironmentLocked("The environment is locked.")
    if lock_epoch != guard.lock_epoch:
        raise StaleKeys("The environment was locked and unlocked in the meantime.")
    if guard.epoch is not None and epoch != guard.epoch:
        raise StaleKeys("The environment's keys or policy were changed in the meantime.")


def write_first(connection: sqlite3.Connection, batch: Batch) -> None:
    """What has to be there before new scope keys are."""
    if batch.key_state is not None:
        _write_key_state(connection, batch.key_state)
    execute = connection.execute
    for run_id in batch.dropped_pages:
        execute(_SQL["delete_waiting_pages"], (run_id,))
        execute(_SQL["delete_waiting_chunks"], (run_id,))
    for key in batch.replaced_environment_keys:
        _one(execute(_SQL["replace_environment_key"], (*key[2:], key.domain, key.version)), "environment key")
    for trigger in batch.replaced_triggers:  # the same batch may hold the next version of such a row
        values = (trigger.record, trigger.flow_id, trigger.row_version)
        _one(execute(_SQL["replace_trigger"], values), "trigger")


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Everything else."""
    execute = connection.execute
    values: tuple[Any, ...]
    for key in batch.rewrapped_keys:
        place = (key.scope, key.kind, key.generation, key.kid)
        _one(execute(_SQL["rewrap_key"], (key.domain, key.key_version, key.wrapped, *place)), "scope key")
    for kind, scope, generation in batch.dropped_generations:
        execute(_SQL["drop_generations"], (scope, kind, generation))
    for version in batch.replaced_versions:
        _one(execute(_SQL["replace_version"], (version.record, version.flow_id, version.number)), "version")
    for page in batch.replaced_pages:
        _one(execute(_SQL["replace_page"], (page.link, page.record, page.run_id, page.seq)), "page")
    for run_id in batch.exchanged_pages:
        execute(_SQL["delete_read_pages"], (run_id,))
        execute(_SQL["show_waiting_pages"], (run_id,))
        execute(_SQL["delete_read_chunks"], (run_id,))
        execute(_SQL["show_waiting_chunks"], (run_id,))
    for run_id in batch.removed_snapshots:
        execute(_SQL["delete_snapshot"], (run_id,))
    for run_id, domain in batch.run_domains:
        _one(execute(_SQL["set_run_domain"], (domain, run_id)), "run")
    for retired in batch.retired_environment_keys:
        _one(execute(_SQL["retire_environment_key"], retired), "environment key")
    for policy in batch.policies:
        values = (policy.name_index, policy.row_version, policy.record)
        _write_versioned(connection, "policy", policy, (*values, policy.policy_id, policy.row_version))
    for policy_id in batch.removed_policies:
        execute(_SQL["delete_policy"], (policy_id,))
        execute(_SQL["delete_scope_keys"], (policy_id, Kind.POLICY))
    for assignment in batch.assignments:
        _write_versioned(
            connection, "assignment", assignment, (*assignment[1:], assignment.environment_id, assignment.row_version)
        )
    for act in batch.audit:
        execute(f"{_SQL['insert_audit']} (?, ?, ?, ?)", act)
    for each in batch.connections:
        values = (each.name_index, each.domain, each.row_version, each.updated_ms, each.record)
        _write_versioned(connection, "connection", each, (*values, each.connection_id, each.row_version))
    for connection_id in batch.removed_connections:
        execute(_SQL["delete_connection"], (connection_id,))
        execute(_SQL["delete_scope_keys"], (connection_id, Kind.CONNECTION))
    for said in batch.ledger:
        execute(f"{_SQL['insert_ledger']} (?, ?, ?, ?)", said)
    for retention in batch.retentions:
        _write_versioned(connection, "retention", retention, (*retention[1:], retention.flow_id, retention.row_version))
    for backup in batch.backups:
        execute(_SQL["insert_backup"], backup)
    for operation in batch.operations:
        values = (operation.row_version, operation.ended_ms, operation.record)
        _write_versioned(connection, "operation", operation, (*values, operation.operation_id, operation.row_version))


def write_flow(connection: sqlite3.Connection, row: FlowRow) -> bool:
    """A new flow, or the next version of a row that is there; False where it is not the next one, or was shredded."""
    if row.row_version == 1:
        return connection.execute(_SQL["insert_flow"], row).rowcount == 1
    values = (row.name_index, row.domain, row.version, row.row_version, row.updated_ms, row.record)
    return connection.execute(_SQL["update_flow"], (*values, row.flow_id, row.row_version)).rowcount == 1


def _write_key_state(connection: sqlite3.Connection, row: KeyStateRow) -> None:
    epoch, lock_epoch, _ = row
    values: tuple[Any, ...] = (*row, epoch - 1, lock_epoch, epoch, lock_epoch - 1)
    if connection.execute(_SQL["update_key_state"], values).rowcount == 1:
        return
    if epoch + lock_epoch != 1 or connection.execute(_SQL["key_state"]).fetchone() is not None:
        raise Conflict("The environment's keys or policy were changed by somebody else at the same moment.")
    connection.execute(_SQL["insert_key_state"], row)


def _write_versioned(connection: sqlite3.Connection, what: str, row: Any, changed: tuple[Any, ...]) -> None:
    """A new row, or the next version of one that is there."""
    if row.row_version == 1:
        connection.execute(_SQL[f"insert_{what}"], row)
    else:
        _one(connection.execute(_SQL[f"update_{what}"], changed), what)


def _one(cursor: sqlite3.Cursor, what: str) -> None:
    if cursor.rowcount != 1:
        raise Conflict(f"A row ({what}) was changed by somebody else at the same moment.")
