"""The suites for triggers and messages."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..format.purposes import Kind
from ..port import (
    Batch,
    KeyChanges,
    MessageChanges,
    PartitionRow,
    RunChanges,
    TriggerChanges,
)
from .rows import (
    OpenBackend,
    initialised,
    key_row,
    message_row,
    refused,
    run_row,
    trigger_row,
)


class TriggerConformance:
    """The promises of `port.TriggerStore` and `TriggerChanges`."""

    async def test_a_trigger_is_replaced_by_its_next_row_only(self, open_backend: OpenBackend) -> None:
        run, first = os.urandom(16), trigger_row(b"f" * 16, 7)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(triggers=TriggerChanges(upserts=[first])))
            second, third = (first._replace(due_ms=due, row_version=version) for version, due in ((2, None), (3, 9)))
            await backend.commit(Batch(triggers=TriggerChanges(upserts=[second])))
            assert await backend.triggers.get(first.flow_id) == second
            for stale in (first, second, second._replace(row_version=4), trigger_row(b"g" * 16, row_version=2)):
                await refused(
                    backend.commit(
                        Batch(runs=RunChanges(inserts=[run_row(run)]), triggers=TriggerChanges(upserts=[stale]))
                    ),
                    Conflict,
                )
            assert await backend.runs.get(run) is None
            await backend.commit(Batch(triggers=TriggerChanges(upserts=[third, third._replace(row_version=4)])))
            assert await backend.triggers.all() == [third._replace(row_version=4)]

    async def test_due_triggers(self, open_backend: OpenBackend) -> None:
        rows = [trigger_row(os.urandom(16), due) for due in (None, 30, 10, 20, None, 0)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(triggers=TriggerChanges(upserts=rows)))
            assert await backend.triggers.due(20, 10) == [rows[5], rows[2], rows[3]]
            assert await backend.triggers.due(20, 2) == [rows[5], rows[2]]
            assert await backend.triggers.all() == [rows[5], rows[2], rows[3], rows[1], rows[0], rows[4]]


class MessageConformance:
    """The promises of `port.MessageStore` and `MessageChanges`."""

    async def test_messages(self, open_backend: OpenBackend) -> None:
        flow, other = b"f" * 16, b"g" * 16
        one, two = b"1" * 16, b"2" * 16
        rows = [
            message_row(flow, partition=two, size=3, created_ms=7),
            message_row(flow, partition=one, size=5, created_ms=9),
            message_row(other, partition=one),
            message_row(flow, partition=one, size=6, created_ms=8),
        ]
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(messages=MessageChanges(inserts=rows)))

            async def listed(indexes: list[bytes] | None, limit: int = 10, after: int = 0) -> list[int]:
                stored = await backend.messages.waiting(flow, indexes, limit, after)
                assert [message.number for message in stored] == [numbers[rows.index(each.row)] for each in stored]
                return [rows.index(message.row) for message in stored]

            assert numbers == sorted(set(numbers))
            assert await listed(None) == await listed([one, two]) == [0, 1, 3]
            assert await listed([one]) == [1, 3]
            assert await listed([]) == await listed([b"3" * 16]) == []
            assert await listed(None, 2) == [0, 1]
            assert await listed(None, after=numbers[0]) == [1, 3]
            assert await backend.messages.partitions(flow) == [
                PartitionRow(two, 1, 3, 7, numbers[0]),
                PartitionRow(one, 2, 11, 8, numbers[1]),
            ]

    async def test_a_message_is_added_once_to_a_flow(self, open_backend: OpenBackend) -> None:
        flow, other = b"f" * 16, b"g" * 16
        row = message_row(flow, dedupe=b"d" * 16)
        again, elsewhere = message_row(flow, dedupe=b"d" * 16), message_row(other, dedupe=b"d" * 16)
        async with initialised(open_backend) as backend:
            (number,) = await backend.commit(Batch(messages=MessageChanges(inserts=[row])))
            keys = [key_row(each.message_id, kind=Kind.MESSAGE) for each in (again, elsewhere)]
            numbers = await backend.commit(
                Batch(keys=KeyChanges(inserts=keys), messages=MessageChanges(inserts=[again, elsewhere]))
            )
            assert numbers[0] == number != numbers[1]
            assert await backend.keys.newest(Kind.MESSAGE, [again.message_id, elsewhere.message_id]) == keys[1:]
            await backend.commit(Batch(messages=MessageChanges(consumed=[(flow, number)])))
            (later,) = await backend.commit(Batch(messages=MessageChanges(inserts=[again])))
            assert later > numbers[1]

    async def test_consuming_a_message_takes_its_key_and_nothing_else(self, open_backend: OpenBackend) -> None:
        flow, rows = b"f" * 16, [message_row(b"f" * 16) for _ in range(2)]
        keys = [key_row(row.message_id, kind=Kind.MESSAGE) for row in rows]
        run_key = key_row(rows[0].message_id, kind=Kind.RUN)
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(
                Batch(keys=KeyChanges(inserts=[*keys, run_key]), messages=MessageChanges(inserts=rows))
            )
            await backend.commit(Batch(messages=MessageChanges(consumed=[(b"g" * 16, numbers[0]), (flow, 12345)])))
            assert len(await backend.messages.waiting(flow, None, 10, 0)) == 2
            await backend.commit(Batch(messages=MessageChanges(consumed=[(flow, numbers[0])])))
            assert [message.number for message in await backend.messages.waiting(flow, None, 10, 0)] == numbers[1:]
            assert await backend.keys.newest(Kind.MESSAGE, [row.message_id for row in rows]) == keys[1:]
            assert await backend.keys.newest(Kind.RUN, [rows[0].message_id]) == [run_key]

    async def test_messages_are_found_by_other_indexes(self, open_backend: OpenBackend) -> None:
        flow = os.urandom(16)
        waiting, again = message_row(flow, dedupe=b"old"), message_row(flow, dedupe=b"new")
        keys = [key_row(row.message_id, kind=Kind.MESSAGE) for row in (waiting, again)]
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(
                Batch(keys=KeyChanges(inserts=keys), messages=MessageChanges(inserts=[waiting, again]))
            )
            assert await backend.messages.get(waiting.message_id) == waiting
            moved = (flow, waiting.message_id, b"q" * 16, b"new", b"sealed")
            gone = (flow, os.urandom(16), b"q", None, b"sealed")
            await refused(backend.commit(Batch(messages=MessageChanges(resealed=[moved, gone]))), Conflict)
            for _ in range(2):  # the second time it has these indexes already
                await backend.commit(Batch(messages=MessageChanges(resealed=[moved])))
            ((number, row),) = await backend.messages.waiting(flow, [b"q" * 16], 10, 0)
            assert (number, row) == (
                numbers[0],
                waiting._replace(partition_index=b"q" * 16, dedupe=b"new", record=b"sealed"),
            )
            assert await backend.messages.get(again.message_id) is None
            assert await backend.keys.newest(Kind.MESSAGE, [waiting.message_id, again.message_id]) == keys[:1]
