"""The rows of what a locked environment takes in; written inside the transaction of their caller."""

from __future__ import annotations

import sqlite3

from ...errors import AlreadyAnswered, Conflict
from ...format.purposes import Kind
from ...rows import Batch, InboxKeyRow
from .queries import named_queries

_SQL = named_queries()


def write_sealed(connection: sqlite3.Connection, batch: Batch) -> None:
    """Items first: whoever exchanges the key in the same commit has consumed all of them."""
    execute = connection.execute
    for key_id, sequence in batch.drained:
        execute(_SQL["delete_sealed_item"], (key_id, sequence))
    for item in batch.sealed_items:
        if execute(_SQL["insert_sealed_item"], (*item, item.key_id)).rowcount != 1:
            raise Conflict("The key that the item was sealed to has been exchanged.")
    if batch.inbox_key is not None or batch.closed_inbox:
        _exchange(connection, batch.inbox_key)
    for token in batch.expected_tokens:
        execute(_SQL["insert_callback_token"], token)
    for token_hash in batch.claimed_tokens:
        if execute(_SQL["claim_callback_token"], (token_hash,)).rowcount != 1:
            raise AlreadyAnswered("The callback was accepted before, or nobody waits for it.")
    for scope in batch.reopened_tokens:
        execute(_SQL["reopen_callback_tokens"], (scope,))
    for scope in batch.forgotten_tokens:
        execute(_SQL["delete_callback_tokens"], (scope,))


def _exchange(connection: sqlite3.Connection, row: InboxKeyRow | None) -> None:
    if connection.execute(_SQL["some_sealed_item"]).fetchone() is not None:
        raise Conflict("There are items that only the earlier key opens.")
    connection.execute(_SQL["delete_inbox_scope_keys"], (Kind.INBOX_KEY, b"" if row is None else row.key_id))
    connection.execute(_SQL["delete_inbox_keys"])
    if row is not None:
        connection.execute(_SQL["insert_inbox_key"], row)
