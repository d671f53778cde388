"""Reads triggers and the messages of batch triggers."""

from __future__ import annotations

from collections.abc import Sequence

from ...port import MessageRow, PartitionRow, StoredMessageRow, TriggerRow
from .columns import checked
from .queries import Reads


class TriggerReads(Reads):
    """See `port.TriggerStore`."""

    async def get(self, flow_id: bytes) -> TriggerRow | None:
        return await self._one(TriggerRow, "trigger", flow_id)

    async def all(self) -> list[TriggerRow]:
        return await self._each(TriggerRow, "triggers")

    async def due(self, by_ms: int, limit: int) -> list[TriggerRow]:
        return await self._each(TriggerRow, "due_triggers", by_ms, limit)


class MessageReads(Reads):
    """See `port.MessageStore`."""

    async def waiting(
        self, flow_id: bytes, partition_indexes: Sequence[bytes] | None, limit: int, after: int
    ) -> list[StoredMessageRow]:
        if partition_indexes is None:
            rows = await self._queries.fetch("messages", flow_id, after, limit)
        else:
            rows = await self._queries.fetch("messages_of_partition", flow_id, after, list(partition_indexes), limit)
        return [StoredMessageRow(row[0], checked(MessageRow, row[1:])) for row in rows]

    async def get(self, message_id: bytes) -> MessageRow | None:
        return await self._one(MessageRow, "message", message_id)

    async def partitions(self, flow_id: bytes) -> list[PartitionRow]:
        return await self._each(PartitionRow, "message_counts", flow_id)
