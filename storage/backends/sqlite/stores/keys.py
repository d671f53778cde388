"""Writes wrapped keys and the key state."""

from __future__ import annotations

import sqlite3
from typing import Any

from ....errors import Conflict, EnvironmentLocked, StaleKeys
from ....port import Guard, KeyChanges, KeyStateRow
from ..statements import SQL, changed_one, insert_all


def check_guard(connection: sqlite3.Connection, guard: Guard, *, while_locked: bool) -> None:
    """Raises EnvironmentLocked, or StaleKeys for a writer that has not seen the latest change of keys."""
    row = connection.execute(SQL["key_state"]).fetchone()
    epoch, lock_epoch = (row[0], row[1]) if row is not None else (0, 0)
    if lock_epoch % 2 and not while_locked:
        raise EnvironmentLocked("The environment is locked.")
    if lock_epoch != guard.lock_epoch:
        raise StaleKeys("The environment was locked and unlocked in the meantime.")
    if guard.epoch is not None and epoch != guard.epoch:
        raise StaleKeys("The environment's keys or policy were changed in the meantime.")


def write(connection: sqlite3.Connection, changes: KeyChanges) -> None:
    """Everything but what is retired: environment keys come before the scope keys that they wrap."""
    execute = connection.execute
    if changes.state is not None:
        _write_state(connection, changes.state)
    for row in changes.replaced:
        changed_one(execute(SQL["replace_environment_key"], (*row[2:], row.domain, row.version)), "environment key")
    if changes.environment_keys:
        insert_all(connection, "insert_environment_keys", changes.environment_keys)
    if changes.inserts:
        insert_all(connection, "insert_keys", changes.inserts)
    for key in changes.rewrapped:
        identity = (key.scope, key.kind, key.generation, key.kid)
        changed_one(execute(SQL["rewrap_key"], (key.domain, key.key_version, key.wrapped, *identity)), "scope key")
    for kind, scope, generation in changes.dropped_generations:
        execute(SQL["drop_generations"], (scope, kind, generation))


def finish(connection: sqlite3.Connection, changes: KeyChanges) -> None:
    """Retire environment keys, after all that they wrapped."""
    for retired in changes.retired:
        changed_one(connection.execute(SQL["retire_environment_key"], retired), "environment key")


def _write_state(connection: sqlite3.Connection, row: KeyStateRow) -> None:
    epoch, lock_epoch, _ = row
    values: tuple[Any, ...] = (*row, epoch - 1, lock_epoch, epoch, lock_epoch - 1)
    if connection.execute(SQL["update_key_state"], values).rowcount == 1:
        return
    if epoch + lock_epoch != 1 or connection.execute(SQL["key_state"]).fetchone() is not None:
        raise Conflict("The environment's keys or policy were changed by somebody else at the same moment.")
    connection.execute(SQL["insert_key_state"], row)
