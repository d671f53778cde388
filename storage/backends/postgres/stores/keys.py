"""Writes environment keys and the key state. New scope keys are among the common rows."""

from __future__ import annotations

from ....port import KeyChanges
from ..connection import Connection
from ..statements import SQL, all_at_once, changed, each


async def before(connection: Connection, changes: KeyChanges) -> None:
    """What scope keys need."""
    if changes.state is not None:
        changed(await connection.execute(SQL["set_key_state"], *changes.state), 1, "the state of keys")
    await all_at_once(connection, "replaced_environment_keys", changes.replaced)
    if changes.environment_keys:
        await connection.execute(SQL["environment_keys_new"], changes.environment_keys)


async def after(connection: Connection, changes: KeyChanges) -> None:
    """Wrap scope keys anew."""
    await all_at_once(connection, "rewrapped_keys", changes.rewrapped)
    await each(connection, "dropped_generations", changes.dropped_generations)


async def finish(connection: Connection, changes: KeyChanges) -> None:
    """Retire environment keys, after all that they wrapped."""
    await each(connection, "retired_environment_keys", changes.retired, counted=True)
