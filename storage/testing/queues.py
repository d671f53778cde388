"""What every backend promises of what waits in it: requests, triggers, messages. Part of the shipped suite, see
`conformance`.
"""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..format.purposes import Kind
from ..rows import Batch, PartitionRow
from .backends import OpenBackend, inbox_row, initialised, key_row, message_row, refused, run_row, trigger_row


class QueueConformance:
    """The promises of `port.Backend` for what is taken out again."""

    async def test_the_inbox(self, open_backend: OpenBackend) -> None:
        rows = [inbox_row(dedupe=b"a" * 16), inbox_row(), inbox_row(dedupe=b"b" * 16)]
        keys = [key_row(row.item_id, kind=5) for row in rows]
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(keys=keys, inbox=rows))
            assert numbers == sorted(numbers)
            assert [(item.number, item.row) for item in await backend.inbox(2)] == list(
                zip(numbers[:2], rows[:2], strict=True)
            )
            again = inbox_row(dedupe=b"b" * 16)
            assert await backend.commit(Batch(keys=[key_row(again.item_id, kind=5)], inbox=[again])) == [numbers[2]]
            assert await backend.keys(5, [again.item_id]) == []
            await backend.commit(Batch(consumed=[numbers[0], numbers[2]]))
            await backend.commit(Batch(consumed=[numbers[2], 12345]))
            assert [item.number for item in await backend.inbox(10)] == [numbers[1]]
            assert await backend.keys(5, [row.item_id for row in rows]) == [keys[1]]
            first, second = (await backend.commit(Batch(inbox=[inbox_row() for _ in range(2)])))[:2]
            assert [item.number for item in await backend.inbox(1, after=numbers[1])] == [first]
            assert [item.number for item in await backend.inbox(10, after=first)] == [second]
            later = await backend.commit(Batch(inbox=[again]))
            assert later[0] > numbers[2]

    async def test_consuming_an_item_takes_no_other_key(self, open_backend: OpenBackend) -> None:
        """Whatever an item says it is: here its id is that of a run."""
        row = inbox_row()
        run_key = key_row(row.item_id, kind=1)
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(keys=[run_key, key_row(row.item_id, kind=5)], inbox=[row]))
            await backend.commit(Batch(consumed=numbers))
            assert await backend.keys(5, [row.item_id]) == []
            assert await backend.keys(1, [row.item_id]) == [run_key]

    async def test_a_trigger_is_replaced_by_its_next_row_only(self, open_backend: OpenBackend) -> None:
        run, first = os.urandom(16), trigger_row(b"f" * 16, 7)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(triggers=[first]))
            second, third = (first._replace(due_ms=due, row_version=version) for version, due in ((2, None), (3, 9)))
            await backend.commit(Batch(triggers=[second]))
            assert await backend.trigger(first.flow_id) == second
            for stale in (first, second, second._replace(row_version=4), trigger_row(b"g" * 16, row_version=2)):
                await refused(backend.commit(Batch(runs=[run_row(run)], triggers=[stale])), Conflict)
            assert await backend.run(run) is None
            await backend.commit(Batch(triggers=[third, third._replace(row_version=4)]))
            assert await backend.triggers() == [third._replace(row_version=4)]

    async def test_due_triggers(self, open_backend: OpenBackend) -> None:
        rows = [trigger_row(os.urandom(16), due) for due in (None, 30, 10, 20, None, 0)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(triggers=rows))
            assert await backend.due_triggers(20, 10) == [rows[5], rows[2], rows[3]]
            assert await backend.due_triggers(20, 2) == [rows[5], rows[2]]
            assert await backend.triggers() == [rows[5], rows[2], rows[3], rows[1], rows[0], rows[4]]

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
            numbers = await backend.commit(Batch(messages=rows))

            async def listed(indexes: list[bytes] | None, limit: int = 10, after: int = 0) -> list[int]:
                stored = await backend.messages(flow, indexes, limit, after)
                assert [message.number for message in stored] == [numbers[rows.index(each.row)] for each in stored]
                return [rows.index(message.row) for message in stored]

            assert numbers == sorted(set(numbers))
            assert await listed(None) == await listed([one, two]) == [0, 1, 3]
            assert await listed([one]) == [1, 3]
            assert await listed([]) == await listed([b"3" * 16]) == []
            assert await listed(None, 2) == [0, 1]
            assert await listed(None, after=numbers[0]) == [1, 3]
            assert await backend.partitions(flow) == [
                PartitionRow(two, 1, 3, 7, numbers[0]),
                PartitionRow(one, 2, 11, 8, numbers[1]),
            ]

    async def test_a_message_is_added_once_to_a_flow(self, open_backend: OpenBackend) -> None:
        flow, other = b"f" * 16, b"g" * 16
        row = message_row(flow, dedupe=b"d" * 16)
        again, elsewhere = message_row(flow, dedupe=b"d" * 16), message_row(other, dedupe=b"d" * 16)
        async with initialised(open_backend) as backend:
            (number,) = await backend.commit(Batch(messages=[row]))
            keys = [key_row(each.message_id, kind=Kind.MESSAGE) for each in (again, elsewhere)]
            numbers = await backend.commit(Batch(keys=keys, messages=[again, elsewhere]))
            assert numbers[0] == number != numbers[1]
            assert await backend.keys(Kind.MESSAGE, [again.message_id, elsewhere.message_id]) == keys[1:]
            await backend.commit(Batch(consumed_messages=[(flow, number)]))
            (later,) = await backend.commit(Batch(messages=[again]))
            assert later > numbers[1]

    async def test_consuming_a_message_takes_its_key_and_nothing_else(self, open_backend: OpenBackend) -> None:
        flow, rows = b"f" * 16, [message_row(b"f" * 16) for _ in range(2)]
        keys = [key_row(row.message_id, kind=Kind.MESSAGE) for row in rows]
        run_key = key_row(rows[0].message_id, kind=Kind.RUN)
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(keys=[*keys, run_key], messages=rows))
            await backend.commit(Batch(consumed_messages=[(b"g" * 16, numbers[0]), (flow, 12345)]))
            assert len(await backend.messages(flow, None, 10, 0)) == 2
            await backend.commit(Batch(consumed_messages=[(flow, numbers[0])]))
            assert [message.number for message in await backend.messages(flow, None, 10, 0)] == numbers[1:]
            assert await backend.keys(Kind.MESSAGE, [row.message_id for row in rows]) == keys[1:]
            assert await backend.keys(Kind.RUN, [rows[0].message_id]) == [run_key]
