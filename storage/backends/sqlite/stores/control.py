"""Writes the control store."""

from __future__ import annotations

import sqlite3

from ....errors import Conflict
from ....format.purposes import Kind
from ....port import ControlChanges
from ..statements import SQL, insert_all, remove_keys, removed_one, write_versioned


def write(connection: sqlite3.Connection, changes: ControlChanges) -> None:
    """Everything but removed environments."""
    execute = connection.execute
    if changes.environments:
        insert_all(connection, "insert_environments", changes.environments)
    for row in changes.changed_environments:
        values = (row.row_version, row.record, row.environment_id, row.row_version)
        if execute(SQL["update_environment"], values).rowcount != 1:
            raise Conflict("The environment was changed by somebody else at the same moment, or is gone.")
    for policy in changes.policies:
        updated = (policy.name_index, policy.row_version, policy.record, policy.policy_id, policy.row_version)
        write_versioned(connection, "policy", policy, updated)
    for policy_id in changes.removed_policies:
        execute(SQL["delete_policy"], (policy_id,))
        remove_keys(connection, policy_id, Kind.POLICY)
    for assignment in changes.assignments:
        write_versioned(
            connection, "assignment", assignment, (*assignment[1:], assignment.environment_id, assignment.row_version)
        )
    for event in changes.audit:
        execute(f"{SQL['insert_audit']} (?, ?, ?, ?)", event)


def finish(connection: sqlite3.Connection, changes: ControlChanges) -> None:
    """Remove environments."""
    for environment in changes.removed_environments:
        removed_one(connection.execute(SQL["delete_environment"], (environment,)), "The environment")
        remove_keys(connection, environment, Kind.ENVIRONMENT)
