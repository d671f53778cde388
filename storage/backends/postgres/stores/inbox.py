"""Requests as workers share them, those of a locked environment, and tokens of callbacks. New requests are among the
common rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import AlreadyAnswered, Conflict
from ....port import CallbackChanges, InboxChanges, InboxKeyRow, InboxRow, SealedInboxChanges, StoredInboxRow
from ...reading.inbox import InboxReads
from ..connection import Connection
from ..readers import Readers
from ..statements import SQL, each, each_id
from .workers import PostgresWorkers


class PostgresInbox(InboxReads):
    """See `port.InboxStore`."""

    def __init__(self, readers: Readers, workers: PostgresWorkers) -> None:
        super().__init__(readers)
        self._readers = readers
        self._workers = workers

    async def for_worker(self, limit: int, after: int = 0, without: Sequence[bytes] = ()) -> list[StoredInboxRow]:
        parameters = (after, limit, self._workers.role().worker, self._workers.leads, list(without))
        rows = await self._readers.select(SQL["inbox_of_worker"], parameters)
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in rows]


async def after(connection: Connection, changes: InboxChanges) -> None:
    """Reseal requests."""
    for item_id, dedupe, record in changes.resealed:
        await connection.execute(SQL["other_item"], dedupe, item_id)
        await each(connection, "resealed_items", [(item_id, dedupe, record)], counted=True)


async def after_sealed(connection: Connection, changes: SealedInboxChanges) -> None:
    """Write items first: a commit that exchanges the key has consumed all of them."""
    await each(connection, "drained", changes.drained)
    await each(connection, "sealed_items_new", changes.inserts, counted=True)
    if changes.key is not None or changes.closed:
        await _exchange(connection, changes.key)


async def after_callbacks(connection: Connection, changes: CallbackChanges) -> None:
    """Write tokens. Raises AlreadyAnswered."""
    await each(connection, "expected_tokens", changes.expected)
    for token_hash in changes.claimed:
        if await connection.execute(SQL["claim_token"], token_hash) != "UPDATE 1":
            raise AlreadyAnswered("The callback was accepted before, or nobody waits for it.")
    await each_id(connection, "reopened_tokens", changes.reopened)
    await each_id(connection, "forgotten_tokens", changes.forgotten)


async def _exchange(connection: Connection, row: InboxKeyRow | None) -> None:
    await connection.execute(SQL["delete_inbox_keys"])
    if await connection.fetchval(SQL["some_sealed_item"]) is not None:
        raise Conflict("There are items that only the earlier key opens.")
    await connection.execute(SQL["delete_inbox_scope_keys"], b"" if row is None else row.key_id)
    if row is not None:
        await connection.execute(SQL["insert_inbox_key"], *row)
