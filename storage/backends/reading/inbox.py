"""Reads requests, what arrived while the environment was locked, and tokens of callbacks."""

from __future__ import annotations

from ...port import InboxKeyRow, InboxRow, SealedItemRow, SealedSize, StoredInboxRow
from .columns import identifier
from .queries import Reads


class InboxReads(Reads):
    """See `port.InboxStore`; what a worker handles is each backend's own."""

    async def waiting(self, limit: int, after: int = 0) -> list[StoredInboxRow]:
        rows = await self._queries.fetch("inbox", after, limit)
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in rows]

    async def of_run(self, run_id: bytes) -> list[StoredInboxRow]:
        rows = await self._queries.fetch("inbox_of", run_id)
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in rows]

    async def get(self, item_id: bytes) -> InboxRow | None:
        return await self._one(InboxRow, "inbox_item", item_id)


class SealedInboxReads(Reads):
    """See `port.SealedInboxStore`."""

    async def key(self) -> InboxKeyRow | None:
        return await self._one(InboxKeyRow, "inbox_key")

    async def items(self, limit: int) -> list[SealedItemRow]:
        return [SealedItemRow(*row) for row in await self._queries.fetch("sealed_items", limit)]

    async def size(self) -> SealedSize:
        return SealedSize(*(await self._queries.fetch("sealed_size"))[0])


class CallbackReads(Reads):
    """See `port.CallbackStore`."""

    async def scope(self, token_hash: bytes) -> bytes | None:
        rows = await self._queries.fetch("callback_scope", token_hash)
        return identifier(rows[0][0]) if rows else None
