"""Writes resealed triggers, and what becomes of messages. New rows are among the common rows."""

from __future__ import annotations

from ....port import MessageChanges, TriggerChanges
from ..connection import Connection
from ..statements import SQL, all_at_once, each


async def before(connection: Connection, changes: TriggerChanges) -> None:
    """Write resealed triggers: the same batch may hold the next version of such a row."""
    await all_at_once(connection, "replaced_triggers", changes.replaced)


async def after_messages(connection: Connection, changes: MessageChanges) -> None:
    """Consume and reseal messages."""
    await each(connection, "consumed_messages", changes.consumed)
    for flow_id, message_id, partition, dedupe, record in changes.resealed:
        await connection.execute(SQL["other_message"], flow_id, dedupe, message_id)
        await each(connection, "resealed_messages", [(message_id, partition, dedupe, record)], counted=True)
