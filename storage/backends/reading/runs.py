"""Reads runs and their large values."""

from __future__ import annotations

from collections.abc import Sequence

from ...port import ChunkRow, LargeValueRow, RunRow
from .columns import checked, identifier, of_run
from .queries import Reads


class RunReads(Reads):
    """See `port.RunStore`; pages and snapshots are each backend's own."""

    async def get(self, run_id: bytes) -> RunRow | None:
        rows = await self._queries.fetch("run", run_id)
        return checked(RunRow, rows[0], of_run(run_id)) if rows else None

    async def find(
        self,
        *,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[RunRow]:
        wanted = {
            "runs_where_flow": flow_id,
            "runs_where_status": None if statuses is None else list(statuses),
            "runs_where_parent": parent,
            "runs_where_before": before,
        }
        conditions = [(name, value) for name, value in wanted.items() if value is not None]
        rows = await self._queries.filtered(conditions, limit)
        return [checked(RunRow, row, of_run(identifier(row[0]))) for row in rows]

    async def needed(self, run_ids: Sequence[bytes]) -> list[bytes]:
        return [run_id for run_id in run_ids if await self._queries.fetch("needed_run", run_id)]

    async def ids(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return [(number, identifier(run_id)) for number, run_id in await self._queries.fetch("run_ids", after, limit)]

    async def counts(self) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in await self._queries.fetch("run_counts")]

    async def sizes(self, flow_id: bytes) -> dict[bytes, int]:
        return {identifier(run_id): size for run_id, size in await self._queries.fetch("run_sizes", flow_id)}

    async def unfinished(self) -> list[bytes]:
        return [identifier(run_id) for (run_id,) in await self._queries.fetch("unfinished")]

    async def unfinished_of(self, flow_id: bytes) -> list[bytes]:
        return [identifier(run_id) for (run_id,) in await self._queries.fetch("unfinished_of_flow", flow_id)]


class ValueReads(Reads):
    """See `port.ValueStore`."""

    async def chunks(self, value_id: bytes, after: int, limit: int) -> list[ChunkRow]:
        return await self._each(ChunkRow, "chunks", value_id, after, limit)

    async def of_run(self, run_id: bytes) -> list[LargeValueRow]:
        return await self._each(LargeValueRow, "large_values", run_id)

    async def unsettled(self, before_ms: int, limit: int) -> list[LargeValueRow]:
        return await self._each(LargeValueRow, "unsettled_values", before_ms, limit)
