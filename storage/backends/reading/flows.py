"""Reads flows."""

from __future__ import annotations

from collections.abc import Sequence

from ...port import FlowRow, RetentionRow, VersionRow
from .queries import Reads


class FlowReads(Reads):
    """See `port.FlowStore`."""

    async def all(self) -> list[FlowRow]:
        return await self._each(FlowRow, "flows")

    async def find(self, *, flow_id: bytes | None = None, name_indexes: Sequence[bytes] = ()) -> FlowRow | None:
        if flow_id is not None:
            return await self._one(FlowRow, "flow_by_id", flow_id)
        return await self._one(FlowRow, "flow_by_name", list(name_indexes))

    async def version(self, flow_id: bytes, number: int) -> VersionRow | None:
        return await self._one(VersionRow, "version", flow_id, number)

    async def version_numbers(self, flow_id: bytes) -> list[int]:
        return [number for (number,) in await self._queries.fetch("version_numbers", flow_id)]

    async def retentions(self) -> list[RetentionRow]:
        return await self._each(RetentionRow, "retentions")
