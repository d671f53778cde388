"""The suite that every backend passes. Shipped, so that an author of a backend can run it too.

Subclass `BackendConformance` in a pytest module (with pytest-asyncio in auto mode) and give it a fixture
`open_backend`: an async function that opens the same, at first empty, store each time it is called. The suite closes
what it opens.
"""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..errors import Conflict, RecordNotFound, StorageError, StoreClosed
from ..format.purposes import Kind
from ..port import Backend
from ..rows import (
    Batch,
    EnvironmentKeyRow,
    EnvironmentRow,
    FlowRow,
    InboxRow,
    KeyRow,
    MessageRow,
    PageRow,
    RunRow,
    RunUpdate,
    SnapshotRow,
    TriggerRow,
    VersionRow,
)

OpenBackend = Callable[[], Awaitable[Backend]]

IDENTITY = b"I" * 16
ALL = 1 << 40
ENVIRONMENT_KEY = EnvironmentKeyRow(1, 1, b"kek", b"kid", b"wrapped", 0, b"mac", None, 5)


def first_batch() -> Batch:
    """What the first commit to a new store carries."""
    return Batch(identity=IDENTITY, environment_keys=[ENVIRONMENT_KEY])


def key_row(scope: bytes, *, kind: int = 1, generation: int = 1) -> KeyRow:
    return KeyRow(kind, scope, generation, 1, 1, os.urandom(32), os.urandom(60))


def run_row(run_id: bytes, *, flow_id: bytes = b"F" * 16, status: int = 1, parent: bytes | None = None) -> RunRow:
    return RunRow(run_id, flow_id, 1, 1, status, 5, None, parent, 1, os.urandom(80), 1, os.urandom(70))


def page_row(run_id: bytes, seq: int, size: int = 100) -> PageRow:
    return PageRow(run_id, seq, os.urandom(32), os.urandom(size))


def inbox_row(*, dedupe: bytes | None = None) -> InboxRow:
    return InboxRow(os.urandom(16), 1, None, dedupe, 5, os.urandom(80))


def trigger_row(flow_id: bytes, due_ms: int | None = None, row_version: int = 1) -> TriggerRow:
    return TriggerRow(flow_id, due_ms, row_version, os.urandom(80))


def message_row(
    flow_id: bytes, *, partition: bytes = b"p" * 16, dedupe: bytes | None = None, size: int = 10, created_ms: int = 5
) -> MessageRow:
    return MessageRow(os.urandom(16), flow_id, partition, dedupe, size, created_ms, os.urandom(80))


@asynccontextmanager
async def opened(open_backend: OpenBackend) -> AsyncIterator[Backend]:
    """A backend that is closed at the end."""
    backend = await open_backend()
    try:
        yield backend
    finally:
        await backend.close()


@asynccontextmanager
async def initialised(open_backend: OpenBackend) -> AsyncIterator[Backend]:
    """A backend of a store that has its identity and environment key."""
    async with opened(open_backend) as backend:
        await backend.commit(first_batch())
        yield backend


async def refused(awaitable: Awaitable[object], *errors: type[StorageError]) -> None:
    """Asserts that the call raises one of these."""
    try:
        await awaitable
    except errors:
        return
    raise AssertionError(f"expected one of {', '.join(error.__name__ for error in errors)}")


class BackendConformance:
    """The promises of `port.Backend`."""

    async def test_a_new_store_is_empty(self, open_backend: OpenBackend) -> None:
        async with opened(open_backend) as backend:
            assert await backend.identity() is None
            assert await backend.environment_keys() == []
            assert await backend.environments() == []
            assert await backend.flows() == []
            assert await backend.unfinished() == []
            assert await backend.inbox(10) == []
            assert await backend.triggers() == await backend.due_triggers(ALL, 10) == []
            assert await backend.trigger(b"f" * 16) is None
            assert await backend.messages(b"f" * 16, None, 10, 0) == []
            assert await backend.partitions(b"f" * 16) == []
            assert await backend.orphaned_keys(Kind.TRIGGER) == await backend.orphaned_keys(Kind.MESSAGE) == []
            assert await backend.run(b"r" * 16) is None
            assert await backend.pages(b"r" * 16, 1, 10, ALL) == []
            assert await backend.snapshot(b"r" * 16) is None
            assert await backend.flow(flow_id=b"f" * 16) is None
            assert await backend.flow(name_indexes=[b"f" * 16]) is None
            assert await backend.version(b"f" * 16, 1) is None
            assert await backend.environment(b"e" * 16) is None
            assert await backend.keys(1, [b"r" * 16]) == []
            assert await backend.keys(1, []) == []

    async def test_the_identity_is_given_once(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.identity() == IDENTITY
            assert await backend.environment_keys() == [ENVIRONMENT_KEY]
            await refused(backend.commit(Batch(identity=b"J" * 16)), Conflict)
            assert await backend.identity() == IDENTITY

    async def test_an_empty_batch_is_a_commit(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.commit(Batch()) == []

    async def test_rows_survive_closing(self, open_backend: OpenBackend) -> None:
        run, flow = os.urandom(16), os.urandom(16)
        batch = Batch(
            keys=[key_row(run), key_row(flow, kind=2)],
            environments=[EnvironmentRow(b"e" * 16, b"n" * 16, 1, 5, b"record")],
            flows=[FlowRow(flow, b"n" * 16, 1, 1, 1, 5, 5, b"record")],
            versions=[VersionRow(flow, 1, 5, b"record")],
            runs=[run_row(run)],
            pages=[page_row(run, 1), page_row(run, 3)],
            snapshots={run: SnapshotRow(run, 4, b"state")},
            inbox=[inbox_row()],
            triggers=[trigger_row(flow, 7)],
            messages=[message_row(flow, dedupe=b"d" * 16)],
        )
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(batch)
        async with opened(open_backend) as backend:
            assert await backend.keys(1, [run, flow]) == [batch.keys[0]]
            assert await backend.keys(2, [run, flow]) == [batch.keys[1]]
            assert await backend.environments() == batch.environments
            assert await backend.environment(b"n" * 16) == batch.environments[0]
            assert await backend.flows() == batch.flows
            assert (
                await backend.flow(flow_id=flow)
                == await backend.flow(name_indexes=[b"x" * 16, b"n" * 16])
                == batch.flows[0]
            )
            assert await backend.version(flow, 1) == batch.versions[0]
            assert await backend.version(flow, 2) is None
            assert await backend.run(run) == batch.runs[0]
            assert await backend.pages(run, 1, 10, ALL) == batch.pages
            assert await backend.snapshot(run) == batch.snapshots[run]
            assert [(item.number, item.row) for item in await backend.inbox(10)] == [(numbers[0], batch.inbox[0])]
            assert await backend.trigger(flow) == batch.triggers[0]
            stored = await backend.messages(flow, None, 10, 0)
            assert [(message.number, message.row) for message in stored] == [(numbers[1], batch.messages[0])]

    async def test_a_batch_is_all_or_nothing(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=[key_row(run)], runs=[run_row(run)], pages=[page_row(run, 1)]))
            failing = Batch(
                keys=[key_row(other)],
                runs=[run_row(other)],
                pages=[page_row(other, 1), page_row(run, 2), page_row(run, 1)],  # the last is there already
                run_updates=[RunUpdate(run, 2, 9, 2, b"head", 2, b"summary")],
                inbox=[inbox_row()],
                triggers=[trigger_row(b"f" * 16)],
                messages=[message_row(b"f" * 16)],
            )
            await refused(backend.commit(failing), Conflict)
            assert await backend.run(other) is None
            assert await backend.keys(1, [other]) == []
            assert [page.seq for page in await backend.pages(run, 1, 10, ALL)] == [1]
            row = await backend.run(run)
            assert row is not None
            assert row.status == 1
            assert await backend.inbox(10) == []
            assert await backend.triggers() == []
            assert await backend.messages(b"f" * 16, None, 10, 0) == []
            del failing.pages[-1]
            await backend.commit(failing)
            assert [page.seq for page in await backend.pages(run, 1, 10, ALL)] == [1, 2]
            assert [page.seq for page in await backend.pages(other, 1, 10, ALL)] == [1]

    async def test_nothing_is_written_for_a_run_that_is_not_there(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            await refused(backend.commit(Batch(pages=[page_row(b"r" * 16, 1)])), RecordNotFound)
            update = RunUpdate(b"r" * 16, 2, 9, 2, b"head", 1, None)
            await refused(backend.commit(Batch(run_updates=[update])), RecordNotFound)
            await refused(backend.commit(Batch(snapshots={b"r" * 16: SnapshotRow(b"r" * 16, 1, b"")})), RecordNotFound)

    async def test_the_same_row_twice_is_a_conflict(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            batch = Batch(keys=[key_row(run)], runs=[run_row(run)], pages=[page_row(run, 1)])
            await backend.commit(batch)
            await refused(backend.commit(Batch(runs=[run_row(run)])), Conflict)
            await refused(backend.commit(Batch(keys=[key_row(run)])), Conflict)
            await refused(backend.commit(Batch(pages=[page_row(run, 1)])), Conflict)
            environment = EnvironmentRow(b"e" * 16, b"n" * 16, 1, 5, b"record")
            await backend.commit(Batch(environments=[environment]))
            await refused(
                backend.commit(Batch(environments=[environment._replace(environment_id=b"x" * 16)])), Conflict
            )

    async def test_an_environment_is_changed_in_step_with_its_version(self, open_backend: OpenBackend) -> None:
        first = EnvironmentRow(b"e" * 16, b"n" * 16, 1, 5, b"record")
        other = EnvironmentRow(b"o" * 16, b"m" * 16, 1, 6, b"other")
        async with initialised(open_backend) as backend:
            await refused(backend.commit(Batch(changed_environments=[first._replace(row_version=2)])), Conflict)
            await backend.commit(Batch(environments=[first, other]))
            second = first._replace(row_version=2, record=b"second")
            await backend.commit(Batch(changed_environments=[second]))
            assert await backend.environment(first.name_index) == second
            # Whoever read the first version as well comes too late, and nothing else of the batch is kept.
            late = Batch(changed_environments=[other._replace(row_version=2), second._replace(record=b"late")])
            await refused(backend.commit(late), Conflict)
            assert await backend.environments() == [second, other]
            skipped = second._replace(row_version=4)
            await refused(backend.commit(Batch(changed_environments=[skipped])), Conflict)
            assert await backend.environment(first.name_index) == second

    async def test_the_newest_generation_of_a_key_counts(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            rows = [key_row(run, generation=generation) for generation in (1, 3, 2)]
            await backend.commit(Batch(keys=rows))
            assert await backend.keys(1, [run]) == [rows[1]]

    async def test_scopes_of_flows_and_environments(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.flow_scopes() == await backend.environment_scopes() == []
            rows = [key_row(bytes([kind]) * 16, kind=kind) for kind in range(1, 7)]
            await backend.commit(Batch(keys=[*rows, key_row(b"\2" * 16, kind=2, generation=2)]))
            assert await backend.flow_scopes() == [b"\2" * 16]
            assert await backend.environment_scopes() == [b"\4" * 16]

    async def test_keys_of_many_scopes(self, open_backend: OpenBackend) -> None:
        rows = [key_row(os.urandom(16)) for _ in range(1500)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=rows))
            found = await backend.keys(1, [row.scope for row in rows])
            assert sorted(found) == sorted(rows)

    async def test_a_flow_is_replaced_by_its_next_row_only(self, open_backend: OpenBackend) -> None:
        flow = FlowRow(b"f" * 16, b"n" * 16, 1, 1, 1, 5, 5, b"one")
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(flows=[flow]))
            second = flow._replace(version=2, row_version=2, updated_ms=6, record=b"two")
            await backend.commit(Batch(flows=[second]))
            assert await backend.flows() == [second]
            for stale in (flow, second, second._replace(row_version=4)):
                await refused(backend.commit(Batch(flows=[stale])), Conflict)
            await refused(backend.commit(Batch(flows=[flow._replace(flow_id=b"g" * 16)])), Conflict)
            assert await backend.flows() == [second]

    async def test_runs_change(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            row = run_row(run)
            await backend.commit(Batch(runs=[row]))
            await backend.commit(Batch(run_updates=[RunUpdate(run, 1, None, 2, b"head 2", 1, None)]))
            assert await backend.run(run) == row._replace(head_version=2, head=b"head 2")
            await backend.commit(Batch(run_updates=[RunUpdate(run, 3, 9, 3, b"head 3", 2, b"summary 2")]))
            assert await backend.run(run) == row._replace(
                status=3, ended_ms=9, head_version=3, head=b"head 3", summary_version=2, summary=b"summary 2"
            )
            assert await backend.unfinished() == []

    async def test_runs_are_listed_newest_first(self, open_backend: OpenBackend) -> None:
        flows, parents = (b"f" * 16, b"g" * 16), (None, b"p" * 16)
        rows = [
            run_row(os.urandom(16), flow_id=flows[n % 2], status=n % 3, parent=parents[n % 5 == 0]) for n in range(20)
        ]

        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=rows[:12]))
            await backend.commit(Batch(runs=rows[12:]))

            async def listed(
                flow_id: bytes | None = None,
                statuses: list[int] | None = None,
                parent: bytes | None = None,
                limit: int = 100,
                before: bytes | None = None,
            ) -> list[int]:
                found = await backend.runs(
                    flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before
                )
                return [rows.index(row) for row in found]

            newest = list(range(19, -1, -1))
            assert await listed() == newest
            assert await listed(limit=3) == [19, 18, 17]
            assert await listed(limit=3, before=rows[17].run_id) == [16, 15, 14]
            assert await listed(flow_id=flows[1]) == [n for n in newest if n % 2]
            assert await listed(statuses=[0, 2]) == [n for n in newest if n % 3 != 1]
            assert await listed(statuses=[]) == []
            assert await listed(parent=b"p" * 16) == [15, 10, 5, 0]
            assert await listed(flow_id=flows[1], statuses=[0], parent=b"p" * 16) == [15]
            assert await backend.unfinished() == [row.run_id for row in rows]

    async def test_pages_come_in_order(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        mine = [page_row(run, seq) for seq in range(1, 600, 2)]
        theirs = [page_row(other, seq) for seq in range(1, 600, 2)]
        mixed = [page for pair in zip(mine, theirs, strict=True) for page in pair]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=[run_row(run), run_row(other)], pages=mixed[:101]))
            await backend.commit(Batch(pages=mixed[101:]))
            assert await backend.pages(run, 1, 1000, ALL) == mine
            assert await backend.pages(run, 4, 2, ALL) == mine[2:4]
            assert await backend.pages(run, 600, 10, ALL) == []

    async def test_pages_are_read_up_to_a_number_of_bytes(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        pages = [page_row(run, seq, 1000) for seq in range(1, 8)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=[run_row(run)], pages=pages))
            assert await backend.pages(run, 1, 10, 2500) == pages[:3]
            assert await backend.pages(run, 4, 10, 1) == pages[3:4]

    async def test_large_and_empty_records(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        pages = [page_row(run, 1, 20_000_000), page_row(run, 2, 0)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=[run_row(run)], pages=pages))
            assert await backend.pages(run, 1, 10, ALL) == pages

    async def test_a_snapshot_replaces_the_one_before(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=[run_row(run)], snapshots={run: SnapshotRow(run, 1, b"one")}))
            await backend.commit(Batch(snapshots={run: SnapshotRow(run, 2, b"two")}))
            assert await backend.snapshot(run) == SnapshotRow(run, 2, b"two")

    async def test_keys_without_a_row(self, open_backend: OpenBackend) -> None:
        flow = FlowRow(b"f" * 16, b"n" * 16, 1, 1, 1, 5, 5, b"one")
        message, moved = message_row(flow.flow_id), message_row(b"nowhere")
        scopes = [(Kind.TRIGGER, flow.flow_id), (Kind.TRIGGER, b"g" * 16), (Kind.MESSAGE, message.message_id)]
        scopes += [(Kind.MESSAGE, moved.message_id), (Kind.RUN, b"r" * 16)]
        keys = [key_row(scope, kind=kind) for kind, scope in scopes]
        async with initialised(open_backend) as backend:
            triggers = [trigger_row(flow.flow_id)]
            await backend.commit(Batch(keys=keys, flows=[flow], triggers=triggers, messages=[message, moved]))
            assert await backend.orphaned_keys(Kind.TRIGGER) == [b"g" * 16]
            assert await backend.orphaned_keys(Kind.MESSAGE) == [moved.message_id]

    async def test_writers_at_once(self, open_backend: OpenBackend) -> None:
        """Two openings of the same store, as of two processes: short writes of both succeed."""
        async with initialised(open_backend) as one, opened(open_backend) as two:
            runs = [os.urandom(16) for _ in range(20)]
            await asyncio.gather(
                *(
                    backend.commit(Batch(keys=[key_row(run)], runs=[run_row(run)], pages=[page_row(run, 1)]))
                    for run, backend in zip(runs, [one, two] * 10, strict=True)
                )
            )
            assert sorted(await two.unfinished()) == sorted(runs)
            for run in runs:
                assert len(await one.pages(run, 1, 10, ALL)) == 1

    async def test_one_executor(self, open_backend: OpenBackend) -> None:
        async with opened(open_backend) as two:
            async with opened(open_backend) as one:
                assert await one.executor_pid() is None
                assert await one.try_become_executor()
                assert await one.try_become_executor()
                assert not await two.try_become_executor()
                assert await two.executor_pid() == os.getpid()
            assert await two.executor_pid() is None
            assert await two.try_become_executor()

    async def test_a_closed_backend_refuses(self, open_backend: OpenBackend) -> None:
        backend = await open_backend()
        await backend.close()
        await backend.close()
        await refused(backend.identity(), StoreClosed)
        await refused(backend.commit(Batch()), StoreClosed)
