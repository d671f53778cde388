"""Writes the control store."""

from __future__ import annotations

from ....format.purposes import Kind
from ....port import ControlChanges
from ..connection import Connection
from ..statements import SQL, changed, each, remove_keys


async def before(connection: Connection, changes: ControlChanges) -> None:
    """Write environments."""
    await each(connection, "environments_new", changes.environments)
    rows = [(row.environment_id, row.row_version, row.record) for row in changes.changed_environments]
    await each(connection, "environments_changed", rows, counted=True)


async def after(connection: Connection, changes: ControlChanges) -> None:
    """Write policies, assignments and the audit."""
    await each(connection, "policies_next", changes.policies, counted=True)
    await each(connection, "assignments_next", changes.assignments, counted=True)
    await each(connection, "audit_new", changes.audit)
    for policy in changes.removed_policies:
        await connection.execute(SQL["removed_policies"], policy)
        await remove_keys(connection, policy, Kind.POLICY)


async def finish(connection: Connection, changes: ControlChanges) -> None:
    """Remove environments."""
    for environment in changes.removed_environments:
        changed(await connection.execute(SQL["delete_environment"], environment), 1, "the environment")
        await remove_keys(connection, environment, Kind.ENVIRONMENT)
