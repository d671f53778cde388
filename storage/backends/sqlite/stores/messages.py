"""Writes the messages of batch triggers."""

from __future__ import annotations

import sqlite3

from ....format.purposes import Kind
from ....port import MessageChanges, MessageRow
from ..queued_rows import insert, waiting
from ..statements import SQL, changed_one, remove_keys


def write(connection: sqlite3.Connection, changes: MessageChanges) -> list[int]:
    """Add, consume and reseal messages. Return the numbers of the added ones."""
    numbers = [_add(connection, row) for row in changes.inserts]
    for flow_id, number in changes.consumed:
        _consume(connection, flow_id, number)
    for resealed in changes.resealed:
        _reseal(connection, *resealed)
    return numbers


def _add(connection: sqlite3.Connection, row: MessageRow) -> int:
    """Returns the number of the message, or of the waiting one of its flow with the same `dedupe`."""
    number = waiting(connection, "message_by_dedupe", row.flow_id, row.dedupe)
    if number is not None:
        remove_keys(connection, row.message_id, Kind.MESSAGE)
        return number
    return insert(connection, "insert_message", row)


def _consume(connection: sqlite3.Connection, flow_id: bytes, number: int) -> None:
    connection.execute(SQL["delete_message_keys"], (number, flow_id, Kind.MESSAGE))
    connection.execute(SQL["delete_message"], (number, flow_id))


def _reseal(
    connection: sqlite3.Connection,
    flow_id: bytes,
    message_id: bytes,
    partition_index: bytes,
    dedupe: bytes | None,
    record: bytes,
) -> None:
    for (number,) in connection.execute(SQL["other_message"], (flow_id, dedupe, message_id)).fetchall():
        _consume(connection, flow_id, number)
    changed_one(connection.execute(SQL["reseal_message"], (partition_index, dedupe, record, message_id)), "message")
