"""The suite for verification."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

from ..format.purposes import Kind
from ..port import (
    Batch,
    FlowChanges,
    FlowRow,
    KeyChanges,
    MessageChanges,
    TriggerChanges,
)
from .rows import (
    OpenBackend,
    initialised,
    key_row,
    message_row,
    trigger_row,
)


class ConsistencyConformance:
    """The promises of `port.ConsistencyStore`."""

    async def test_scopes_of_flows_and_environments(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.consistency.flow_scopes() == await backend.consistency.environment_scopes() == []
            rows = [key_row(bytes([kind]) * 16, kind=kind) for kind in range(1, 7)]
            await backend.commit(Batch(keys=KeyChanges(inserts=[*rows, key_row(b"\2" * 16, kind=2, generation=2)])))
            assert await backend.consistency.flow_scopes() == [b"\2" * 16]
            assert await backend.consistency.environment_scopes() == [b"\4" * 16]

    async def test_keys_without_a_row(self, open_backend: OpenBackend) -> None:
        flow = FlowRow(b"f" * 16, b"n" * 16, 1, 1, 1, 5, 5, b"one")
        message, moved = message_row(flow.flow_id), message_row(b"nowhere")
        scopes = [(Kind.TRIGGER, flow.flow_id), (Kind.TRIGGER, b"g" * 16), (Kind.MESSAGE, message.message_id)]
        scopes += [(Kind.MESSAGE, moved.message_id), (Kind.RUN, b"r" * 16)]
        keys = [key_row(scope, kind=kind) for kind, scope in scopes]
        async with initialised(open_backend) as backend:
            triggers = [trigger_row(flow.flow_id)]
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=keys),
                    flows=FlowChanges(upserts=[flow]),
                    triggers=TriggerChanges(upserts=triggers),
                    messages=MessageChanges(inserts=[message, moved]),
                )
            )
            assert await backend.consistency.orphaned_keys(Kind.TRIGGER) == [b"g" * 16]
            assert await backend.consistency.orphaned_keys(Kind.MESSAGE) == [moved.message_id]
