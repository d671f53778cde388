"""The suite for flows."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

from ..errors import Conflict
from ..port import (
    Batch,
    FlowChanges,
    FlowRow,
)
from .rows import (
    OpenBackend,
    initialised,
    refused,
)


class FlowConformance:
    """The promises of `port.FlowStore` and `FlowChanges`."""

    async def test_a_flow_is_replaced_by_its_next_row_only(self, open_backend: OpenBackend) -> None:
        flow = FlowRow(b"f" * 16, b"n" * 16, 1, 1, 1, 5, 5, b"one")
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(flows=FlowChanges(upserts=[flow])))
            second = flow._replace(version=2, row_version=2, updated_ms=6, record=b"two")
            await backend.commit(Batch(flows=FlowChanges(upserts=[second])))
            assert await backend.flows.all() == [second]
            for stale in (flow, second, second._replace(row_version=4)):
                await refused(backend.commit(Batch(flows=FlowChanges(upserts=[stale]))), Conflict)
            await refused(
                backend.commit(Batch(flows=FlowChanges(upserts=[flow._replace(flow_id=b"g" * 16)]))), Conflict
            )
            assert await backend.flows.all() == [second]
