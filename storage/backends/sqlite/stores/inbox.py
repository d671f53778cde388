"""Requests: those of the one worker that a SQLite store has, those of a locked environment, and tokens of callbacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ....errors import AlreadyAnswered, Conflict
from ....format.purposes import Kind
from ....port import CallbackChanges, InboxChanges, InboxKeyRow, InboxRow, SealedInboxChanges, StoredInboxRow
from ...reading.inbox import InboxReads
from ..queued_rows import insert, waiting
from ..statements import SQL, changed_one, each, remove_keys


class SQLiteInbox(InboxReads):
    """See `port.InboxStore`."""

    async def for_worker(self, limit: int, after: int = 0, without: Sequence[bytes] = ()) -> list[StoredInboxRow]:
        return await self.waiting(limit, after)


def write(connection: sqlite3.Connection, changes: InboxChanges) -> list[int]:
    """Add, consume and reseal requests. Return the numbers of the added ones."""
    numbers = [_add(connection, row) for row in changes.inserts]
    for number in changes.consumed:
        _consume(connection, number)
    for resealed in changes.resealed:
        _reseal(connection, *resealed)
    return numbers


def write_sealed(connection: sqlite3.Connection, changes: SealedInboxChanges) -> None:
    """Write items first: a commit that exchanges the key has consumed all of them."""
    execute = connection.execute
    for key_id, sequence in changes.drained:
        execute(SQL["delete_sealed_item"], (key_id, sequence))
    for item in changes.inserts:
        if execute(SQL["insert_sealed_item"], (*item, item.key_id)).rowcount != 1:
            raise Conflict("The key that the item was sealed to has been exchanged.")
    if changes.key is not None or changes.closed:
        _exchange(connection, changes.key)


def write_callbacks(connection: sqlite3.Connection, changes: CallbackChanges) -> None:
    """Write tokens."""
    execute = connection.execute
    for token in changes.expected:
        execute(SQL["insert_callback_token"], token)
    for token_hash in changes.claimed:
        if execute(SQL["claim_callback_token"], (token_hash,)).rowcount != 1:
            raise AlreadyAnswered("The callback was accepted before, or nobody waits for it.")
    each(connection, "reopen_callback_tokens", changes.reopened)
    each(connection, "delete_callback_tokens", changes.forgotten)


def _add(connection: sqlite3.Connection, row: InboxRow) -> int:
    """Returns the number of the request, or of the waiting one with the same `dedupe`."""
    number = waiting(connection, "inbox_by_dedupe", row.dedupe)
    if number is not None:
        remove_keys(connection, row.item_id, Kind.INBOX)
        return number
    return insert(connection, "insert_inbox", row)


def _consume(connection: sqlite3.Connection, number: int) -> None:
    connection.execute(SQL["delete_item_keys"], (number, Kind.INBOX))
    connection.execute(SQL["delete_inbox"], (number,))


def _reseal(connection: sqlite3.Connection, item_id: bytes, dedupe: bytes | None, record: bytes) -> None:
    for (number,) in connection.execute(SQL["other_item"], (dedupe, item_id)).fetchall():
        _consume(connection, number)
    changed_one(connection.execute(SQL["reseal_item"], (dedupe, record, item_id)), "request")


def _exchange(connection: sqlite3.Connection, row: InboxKeyRow | None) -> None:
    if connection.execute(SQL["some_sealed_item"]).fetchone() is not None:
        raise Conflict("There are items that only the earlier key opens.")
    connection.execute(SQL["delete_inbox_scope_keys"], (Kind.INBOX_KEY, b"" if row is None else row.key_id))
    connection.execute(SQL["delete_inbox_keys"])
    if row is not None:
        connection.execute(SQL["insert_inbox_key"], row)
