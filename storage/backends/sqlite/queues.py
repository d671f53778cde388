"""The two queues of a store, as SQLite has them: the executor's inbox and the messages of batch triggers.

All run inside the transaction of their caller.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from ...errors import Conflict
from ...format.purposes import Kind
from ...rows import InboxRow, MessageRow
from .queries import named_queries

_SQL = named_queries()


def add_to_inbox(connection: sqlite3.Connection, row: InboxRow) -> int:
    """Adds a request and returns its number, or that of the waiting one with the same `dedupe`."""
    there = _waiting(connection, "inbox_by_dedupe", row.dedupe)
    if there is not None:
        connection.execute(_SQL["delete_scope_keys"], (row.item_id, Kind.INBOX))
        return there
    return _insert(connection, "insert_inbox", row)


def add_message(connection: sqlite3.Connection, row: MessageRow) -> int:
    """Adds a message and returns its number, or that of the waiting one of its flow with the same `dedupe`."""
    there = _waiting(connection, "message_by_dedupe", row.flow_id, row.dedupe)
    if there is not None:
        connection.execute(_SQL["delete_scope_keys"], (row.message_id, Kind.MESSAGE))
        return there
    return _insert(connection, "insert_message", row)


def consume(connection: sqlite3.Connection, number: int) -> None:
    """Removes a request and its key. One that is gone is no error."""
    connection.execute(_SQL["delete_item_keys"], (number, Kind.INBOX))
    connection.execute(_SQL["delete_inbox"], (number,))


def consume_message(connection: sqlite3.Connection, flow_id: bytes, number: int) -> None:
    """Removes a flow's message and its key. One that is gone is no error."""
    connection.execute(_SQL["delete_message_keys"], (number, flow_id, Kind.MESSAGE))
    connection.execute(_SQL["delete_message"], (number, flow_id))


def reseal_message(
    connection: sqlite3.Connection,
    flow_id: bytes,
    message_id: bytes,
    partition_index: bytes,
    dedupe: bytes | None,
    record: bytes,
) -> None:
    """Lets a message be found by other indexes, sealed by another key. Another that was added under this `dedupe` goes.
    Raises Conflict for one that is gone.
    """
    for (there,) in connection.execute(_SQL["other_message"], (flow_id, dedupe, message_id)).fetchall():
        consume_message(connection, flow_id, there)
    _one(connection.execute(_SQL["reseal_message"], (partition_index, dedupe, record, message_id)), "message")


def reseal_item(connection: sqlite3.Connection, item_id: bytes, dedupe: bytes | None, record: bytes) -> None:
    """The same for a request in the inbox."""
    for (there,) in connection.execute(_SQL["other_item"], (dedupe, item_id)).fetchall():
        consume(connection, there)
    _one(connection.execute(_SQL["reseal_item"], (dedupe, record, item_id)), "request")


def _one(cursor: sqlite3.Cursor, what: str) -> None:
    if cursor.rowcount != 1:
        raise Conflict(f"A row ({what}) was changed by somebody else at the same moment.")


def _waiting(connection: sqlite3.Connection, name: str, *key: bytes | None) -> int | None:
    """The number of the row with this key, whose last part is its `dedupe`."""
    found = None if key[-1] is None else connection.execute(_SQL[name], key).fetchone()
    return None if found is None else int(found[0])


def _insert(connection: sqlite3.Connection, name: str, row: tuple[Any, ...]) -> int:
    number = connection.execute(_SQL[name], row).lastrowid
    if number is None:  # an INSERT that succeeded always has one
        raise Conflict("A row was not added to its queue.")
    return number
