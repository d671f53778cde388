"""The suite for commits."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import asyncio
import os

from ..errors import Conflict, EnvironmentLocked, StaleKeys, StoreClosed
from ..format.purposes import Kind
from ..port import (
    Batch,
    ControlChanges,
    EnvironmentRow,
    FlowChanges,
    FlowRow,
    Guard,
    InboxChanges,
    KeyChanges,
    KeyStateRow,
    MessageChanges,
    RunChanges,
    RunUpdate,
    SnapshotRow,
    TriggerChanges,
    VersionRow,
)
from .rows import (
    ALL,
    ENVIRONMENT_KEY,
    IDENTITY,
    OpenBackend,
    inbox_row,
    initialised,
    key_row,
    message_row,
    opened,
    page_row,
    refused,
    run_row,
    state,
    trigger_row,
)


class TransactionConformance:
    """The promises of `port.Transactions`, and of a backend as a whole."""

    async def test_a_new_store_is_empty(self, open_backend: OpenBackend) -> None:
        async with opened(open_backend) as backend:
            assert await backend.identity() is None
            assert await backend.keys.environment_keys() == []
            assert await backend.control.environments() == []
            assert await backend.flows.all() == []
            assert await backend.runs.unfinished() == []
            assert await backend.inbox.waiting(10) == []
            assert await backend.triggers.all() == await backend.triggers.due(ALL, 10) == []
            assert await backend.triggers.get(b"f" * 16) is None
            assert await backend.messages.waiting(b"f" * 16, None, 10, 0) == []
            assert await backend.messages.partitions(b"f" * 16) == []
            assert (
                await backend.consistency.orphaned_keys(Kind.TRIGGER)
                == await backend.consistency.orphaned_keys(Kind.MESSAGE)
                == []
            )
            assert await backend.runs.get(b"r" * 16) is None
            assert await backend.runs.pages(b"r" * 16, 1, 10, ALL) == []
            assert await backend.runs.snapshot(b"r" * 16) is None
            assert await backend.flows.find(flow_id=b"f" * 16) is None
            assert await backend.flows.find(name_indexes=[b"f" * 16]) is None
            assert await backend.flows.version(b"f" * 16, 1) is None
            assert await backend.control.environment(b"e" * 16) is None
            assert await backend.keys.newest(1, [b"r" * 16]) == []
            assert await backend.keys.newest(1, []) == []

    async def test_a_new_store_has_none_of_it(self, open_backend: OpenBackend) -> None:
        async with opened(open_backend) as backend:
            assert await backend.keys.state() is None
            assert await backend.control.policies() == []
            assert await backend.control.assignments() == []
            assert await backend.control.audit(0, 10) == []
            assert await backend.control.last_audit() is None
            assert await backend.control.policy(b"n" * 16) is None
            assert await backend.connections.all() == []
            assert await backend.operations.all() == []
            assert await backend.connections.find([b"n" * 16]) is await backend.connections.find([]) is None
            assert await backend.keys.counts() == []
            assert await backend.runs.counts() == []
            assert await backend.keys.wrapped_by(1, None, 10) == []
            assert await backend.consistency.mixed_scopes(Kind.RUN) == []
            assert await backend.keys.generations(Kind.RUN, b"r" * 16) == []
            assert await backend.messages.get(b"m" * 16) is None
            assert await backend.inbox.get(b"i" * 16) is None

    async def test_the_identity_is_given_once(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.identity() == IDENTITY
            assert await backend.keys.environment_keys() == [ENVIRONMENT_KEY]
            await refused(backend.commit(Batch(identity=b"J" * 16)), Conflict)
            assert await backend.identity() == IDENTITY

    async def test_an_empty_batch_is_a_commit(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.commit(Batch()) == []

    async def test_rows_survive_closing(self, open_backend: OpenBackend) -> None:
        run, flow = os.urandom(16), os.urandom(16)
        batch = Batch(
            keys=KeyChanges(inserts=[key_row(run), key_row(flow, kind=2)]),
            control=ControlChanges(environments=[EnvironmentRow(b"e" * 16, b"n" * 16, 1, 5, b"record")]),
            flows=FlowChanges(
                upserts=[FlowRow(flow, b"n" * 16, 1, 1, 1, 5, 5, b"record")],
                versions=[VersionRow(flow, 1, 5, b"record")],
            ),
            runs=RunChanges(
                inserts=[run_row(run)],
                pages=[page_row(run, 1), page_row(run, 3)],
                snapshots={run: SnapshotRow(run, 4, b"state")},
            ),
            inbox=InboxChanges(inserts=[inbox_row()]),
            triggers=TriggerChanges(upserts=[trigger_row(flow, 7)]),
            messages=MessageChanges(inserts=[message_row(flow, dedupe=b"d" * 16)]),
        )
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(batch)
        async with opened(open_backend) as backend:
            assert await backend.keys.newest(1, [run, flow]) == [batch.keys.inserts[0]]
            assert await backend.keys.newest(2, [run, flow]) == [batch.keys.inserts[1]]
            assert await backend.control.environments() == batch.control.environments
            assert await backend.control.environment(b"n" * 16) == batch.control.environments[0]
            assert await backend.flows.all() == batch.flows.upserts
            assert (
                await backend.flows.find(flow_id=flow)
                == await backend.flows.find(name_indexes=[b"x" * 16, b"n" * 16])
                == batch.flows.upserts[0]
            )
            assert await backend.flows.version(flow, 1) == batch.flows.versions[0]
            assert await backend.flows.version(flow, 2) is None
            assert await backend.runs.get(run) == batch.runs.inserts[0]
            assert await backend.runs.pages(run, 1, 10, ALL) == batch.runs.pages
            assert await backend.runs.snapshot(run) == batch.runs.snapshots[run]
            assert [(item.number, item.row) for item in await backend.inbox.waiting(10)] == [
                (numbers[0], batch.inbox.inserts[0])
            ]
            assert await backend.triggers.get(flow) == batch.triggers.upserts[0]
            stored = await backend.messages.waiting(flow, None, 10, 0)
            assert [(message.number, message.row) for message in stored] == [(numbers[1], batch.messages.inserts[0])]

    async def test_a_batch_is_all_or_nothing(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[key_row(run)]),
                    runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1)]),
                )
            )
            failing = Batch(
                keys=KeyChanges(inserts=[key_row(other)]),
                runs=RunChanges(
                    inserts=[run_row(other)],
                    pages=[page_row(other, 1), page_row(run, 2), page_row(run, 1)],
                    updates=[RunUpdate(run, 2, 9, 2, b"head", 2, b"summary")],
                ),
                inbox=InboxChanges(inserts=[inbox_row()]),
                triggers=TriggerChanges(upserts=[trigger_row(b"f" * 16)]),
                messages=MessageChanges(inserts=[message_row(b"f" * 16)]),
            )
            await refused(backend.commit(failing), Conflict)
            assert await backend.runs.get(other) is None
            assert await backend.keys.newest(1, [other]) == []
            assert [page.seq for page in await backend.runs.pages(run, 1, 10, ALL)] == [1]
            row = await backend.runs.get(run)
            assert row is not None
            assert row.status == 1
            assert await backend.inbox.waiting(10) == []
            assert await backend.triggers.all() == []
            assert await backend.messages.waiting(b"f" * 16, None, 10, 0) == []
            del failing.runs.pages[-1]
            await backend.commit(failing)
            assert [page.seq for page in await backend.runs.pages(run, 1, 10, ALL)] == [1, 2]
            assert [page.seq for page in await backend.runs.pages(other, 1, 10, ALL)] == [1]

    async def test_the_same_row_twice_is_a_conflict(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            batch = Batch(
                keys=KeyChanges(inserts=[key_row(run)]),
                runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1)]),
            )
            await backend.commit(batch)
            await refused(backend.commit(Batch(runs=RunChanges(inserts=[run_row(run)]))), Conflict)
            await refused(backend.commit(Batch(keys=KeyChanges(inserts=[key_row(run)]))), Conflict)
            await refused(backend.commit(Batch(runs=RunChanges(pages=[page_row(run, 1)]))), Conflict)
            environment = EnvironmentRow(b"e" * 16, b"n" * 16, 1, 5, b"record")
            await backend.commit(Batch(control=ControlChanges(environments=[environment])))
            await refused(
                backend.commit(
                    Batch(control=ControlChanges(environments=[environment._replace(environment_id=b"x" * 16)]))
                ),
                Conflict,
            )

    async def test_writers_at_once(self, open_backend: OpenBackend) -> None:
        """Two openings of the same store, as of two processes: short writes of both succeed."""
        async with initialised(open_backend) as one, opened(open_backend) as two:
            runs = [os.urandom(16) for _ in range(20)]
            await asyncio.gather(
                *(
                    backend.commit(
                        Batch(
                            keys=KeyChanges(inserts=[key_row(run)]),
                            runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1)]),
                        )
                    )
                    for run, backend in zip(runs, [one, two] * 10, strict=True)
                )
            )
            assert sorted(await two.runs.unfinished()) == sorted(runs)
            for run in runs:
                assert len(await one.runs.pages(run, 1, 10, ALL)) == 1

    async def test_a_closed_backend_refuses(self, open_backend: OpenBackend) -> None:
        backend = await open_backend()
        await backend.close()
        await backend.close()
        await refused(backend.identity(), StoreClosed)
        await refused(backend.commit(Batch()), StoreClosed)

    async def test_a_guard_holds_or_refuses_the_whole_batch(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)

        def guarded(guard: Guard) -> Batch:
            return Batch(guard=guard, keys=KeyChanges(inserts=[key_row(run)]), runs=RunChanges(inserts=[run_row(run)]))

        async with initialised(open_backend) as backend:
            for wrong in (Guard(1), Guard(0, 1), Guard(2)):
                await refused(backend.commit(guarded(wrong)), StaleKeys)
            await state(backend, 1)
            await refused(backend.commit(guarded(Guard(0, 0))), StaleKeys)
            await state(backend, 1, 1)
            for locked in (Guard(0), Guard(0, 1), Guard(1), Guard(1, 1)):
                await refused(backend.commit(guarded(locked)), EnvironmentLocked)
            await refused(
                backend.commit(Batch(guard=Guard(0, 1), keys=KeyChanges(state=KeyStateRow(1, 2, b"")))),
                StaleKeys,
                Conflict,
            )
            await backend.commit(Batch(guard=Guard(1, 1), keys=KeyChanges(state=KeyStateRow(1, 2, b""))))
            await refused(backend.commit(guarded(Guard(0))), StaleKeys)
            assert await backend.runs.get(run) is None
            assert await backend.keys.newest(Kind.RUN, [run]) == []
            await backend.commit(guarded(Guard(2)))
            await backend.commit(Batch(guard=Guard(2, 1)))

    async def test_rows_are_sealed_anew(self, open_backend: OpenBackend) -> None:
        run, other, flow = os.urandom(16), os.urandom(16), os.urandom(16)
        version, trigger = VersionRow(flow, 1, 5, b"one"), trigger_row(flow, 7)
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(
                    runs=RunChanges(
                        inserts=[run_row(run), run_row(other)],
                        pages=[page_row(run, 1), page_row(run, 2), page_row(other, 1)],
                        snapshots={run: SnapshotRow(run, 1, b""), other: SnapshotRow(other, 1, b"")},
                    ),
                    triggers=TriggerChanges(upserts=[trigger]),
                )
            )
            anew = [page_row(run, 1), page_row(run, 2)]
            sealed = trigger._replace(record=b"anew")
            await backend.commit(
                Batch(
                    runs=RunChanges(replaced_pages=anew, removed_snapshots=[run], domains=[(run, 2)]),
                    triggers=TriggerChanges(replaced=[sealed]),
                )
            )
            assert await backend.runs.pages(run, 1, 10, ALL) == anew
            assert await backend.triggers.get(flow) == sealed
            following = sealed._replace(row_version=2, record=b"next")
            await backend.commit(
                Batch(triggers=TriggerChanges(replaced=[sealed._replace(record=b"again")], upserts=[following]))
            )
            assert await backend.triggers.get(flow) == following
            assert await backend.runs.snapshot(run) is None
            assert await backend.runs.snapshot(other) is not None
            assert sorted(await backend.runs.counts()) == [(1, 1), (2, 1)]
            moved = await backend.runs.get(run)
            assert moved is not None
            assert moved.domain == 2
            for missing in (
                Batch(runs=RunChanges(replaced_pages=[page_row(run, 3)])),
                Batch(triggers=TriggerChanges(replaced=[sealed])),
                Batch(flows=FlowChanges(replaced_versions=[version])),
                Batch(runs=RunChanges(domains=[(os.urandom(16), 2)])),
            ):
                missing.runs.replaced_pages.append(page_row(other, 1))
                await refused(backend.commit(missing), Conflict)
            assert await backend.runs.pages(other, 1, 10, ALL) != [missing.runs.replaced_pages[-1]]
