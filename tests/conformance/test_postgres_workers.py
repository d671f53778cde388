"""Several workers on one schema: whose a run is, who takes over, and what one that was taken for dead may still do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from postgres_server import PostgresServer
from sealflow.storage import Batch, ExecutorLost, RunNotOwned
from sealflow.storage.port import (
    FOR_EVENTS,
    ClaimChanges,
    FlowChanges,
    FlowRow,
    InboxChanges,
    KeyChanges,
    OperationChanges,
    OperationRow,
    RunChanges,
    RunUpdate,
    SnapshotRow,
    WaitRow,
)
from sealflow.storage.testing.rows import first_batch, inbox_row, key_row, page_row, run_row

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend  # noqa: E402

Join = Callable[[], Awaitable[PostgresBackend]]
FLOW = b"F" * 16


@pytest.fixture
async def join(postgres: PostgresServer, schema: str) -> AsyncIterator[Join]:
    """Opens another worker; the first one leads."""
    opened: list[PostgresBackend] = []

    async def join() -> PostgresBackend:
        backend = await PostgresBackend.open(postgres.url, schema)
        opened.append(backend)
        if len(opened) == 1:
            await backend.commit(first_batch())
        assert await backend.workers.join()
        return backend

    yield join
    for backend in opened:
        await backend.close()


@pytest.fixture
async def expire(postgres: PostgresServer, schema: str) -> AsyncIterator[Callable[[PostgresBackend], Awaitable[None]]]:
    """As if a worker had not been heard of for a while."""
    other = await asyncpg.connect(postgres.url)

    async def expire(backend: PostgresBackend) -> None:
        assert backend._lease.role is not None
        sql = f"UPDATE \"{schema}\".workers SET expires = clock_timestamp() - interval '1 s' WHERE worker = $1"
        assert await other.execute(sql, backend._lease.role.worker) == "UPDATE 1"

    yield expire
    await other.close()


def _runs(count: int) -> tuple[list[bytes], Batch]:
    runs = [os.urandom(16) for _ in range(count)]
    return runs, Batch(
        keys=KeyChanges(inserts=[key_row(run) for run in runs]),
        runs=RunChanges(inserts=[run_row(run) for run in runs]),
    )


async def _left_behind(join: Join, count: int) -> list[bytes]:
    """Runs of a worker that has ended in an orderly way."""
    runs, batch = _runs(count)
    backend = await join()
    await backend.commit(batch)
    await backend.close()
    return runs


async def test_each_run_is_claimed_by_one(join: Join) -> None:
    runs = await _left_behind(join, 60)
    workers = [await join() for _ in range(3)]
    claimed: list[bytes] = []

    async def claim(worker: PostgresBackend) -> None:
        while found := await worker.claims.claim(4, 0):
            claimed.extend(found)

    await asyncio.gather(*(claim(worker) for worker in workers))
    assert sorted(claimed) == sorted(runs)
    assert [worker.workers.leads for worker in workers] == [True, False, False]


async def test_a_run_belongs_to_the_worker_that_makes_it(join: Join) -> None:
    one, two = await join(), await join()
    (run,), batch = _runs(1)
    await one.commit(batch)
    assert await two.claims.claim(10, 0) == []
    assert not await two.claims.claim_run(run)
    assert await one.claims.claim_run(run)
    for foreign in (
        Batch(owned={run: 1}, runs=RunChanges(pages=[page_row(run, 1)])),
        Batch(owned={run: 1}, runs=RunChanges(updates=[RunUpdate(run, 1, None, 2, b"h", 1, None)])),
        Batch(owned={run: 1}, runs=RunChanges(snapshots={run: SnapshotRow(run, 1, b"s")})),
        Batch(
            owned={run: 1},
            runs=RunChanges(pages=[page_row(run, 1)]),
            flows=FlowChanges(upserts=[FlowRow(os.urandom(16), os.urandom(16), 1, 1, 1, 5, 5, b"r")]),
        ),
    ):
        with pytest.raises(RunNotOwned) as refused:
            await two.commit(foreign)
        assert refused.value.runs == {run}
    await two.commit(Batch(claims=ClaimChanges(waits=[WaitRow(run, 7, True)])))  # nothing of it: the run is the other's
    assert await two.claims.claim(10, 9) == []
    await one.commit(Batch(owned={run: 1}, runs=RunChanges(pages=[page_row(run, 1)])))
    await one.claims.release([run])
    assert await two.claims.claim(10, 0) == [run]
    assert await two.claims.claim_run(run) == 2
    ended = RunUpdate(run, 2, 9, 2, b"h", 1, None)
    await two.commit(Batch(owned={run: 2}, runs=RunChanges(pages=[page_row(run, 2)], updates=[ended])))
    await one.commit(
        Batch(runs=RunChanges(updates=[RunUpdate(run, 2, 9, 3, b"h", 1, None)]))
    )  # sealed anew: it has ended


async def test_an_earlier_owner_writes_nothing_of_a_run(join: Join) -> None:
    """Whoever gave a run away is refused in the statement: while another worker owns the run, when that has ended it,
    and when the first one owns it again under a later epoch. The other runs of its batch are named by nobody.
    """
    one, two = await join(), await join()
    (run, other), batch = _runs(2)
    await one.commit(batch)
    await one.claims.release([run])
    late = (
        Batch(owned={run: 1, other: 1}, runs=RunChanges(pages=[page_row(run, 1), page_row(other, 1)])),
        Batch(owned={run: 1}, runs=RunChanges(updates=[RunUpdate(run, 1, None, 2, b"late", 1, None)])),
        Batch(owned={run: 1}, runs=RunChanges(snapshots={run: SnapshotRow(run, 1, b"late")})),
    )

    async def refused() -> None:
        for each in late:
            with pytest.raises(RunNotOwned) as refusal:
                await one.commit(each)
            assert refusal.value.runs == {run}

    await refused()  # nobody owns it
    assert await two.claims.claim_run(run) == 2
    await refused()
    await two.claims.release([run])
    assert await one.claims.claim_run(run) == 3
    await refused()  # it owns the run again, and this is of an earlier time
    assert await one.claims.claim_run(run) == 3
    update = RunUpdate(run, 2, 9, 2, b"h", 1, None)
    await one.commit(Batch(owned={run: 3}, runs=RunChanges(pages=[page_row(run, 1)], updates=[update])))
    for each in late[:2]:
        with pytest.raises(RunNotOwned):
            await one.commit(each)
    row = await two.runs.get(run)
    assert row is not None
    assert (row.head, row.head_version) == (b"h", 2)
    assert await two.runs.pages(other, 1, 10, 1 << 20) == []


async def test_what_is_told_reaches_the_worker_that_has_the_run(join: Join) -> None:
    one, two = await join(), await join()
    (mine, asleep), batch = _runs(2)
    await one.commit(batch)
    await one.commit(Batch(claims=ClaimChanges(waits=[WaitRow(asleep, FOR_EVENTS, True)])))
    await two.commit(Batch(claims=ClaimChanges(wakes=[mine, asleep])))
    assert await two.claims.signalled() == []
    assert await one.claims.signalled() == [mine]
    assert await one.claims.signalled() == []
    assert await two.claims.claim(10, 0) == [asleep]


async def test_items_reach_the_worker_that_has_the_run(join: Join) -> None:
    lead, other, third = await join(), await join(), await join()
    (of_lead, of_other, of_nobody), batch = _runs(3)
    await lead.commit(
        Batch(keys=KeyChanges(inserts=batch.keys.inserts[:1]), runs=RunChanges(inserts=batch.runs.inserts[:1]))
    )
    await other.commit(
        Batch(keys=KeyChanges(inserts=batch.keys.inserts[1:]), runs=RunChanges(inserts=batch.runs.inserts[1:]))
    )
    await other.claims.release([of_nobody])
    items = [inbox_row()._replace(run_id=each) for each in (of_lead, of_other, of_nobody, b"n" * 16, None)]
    await third.commit(Batch(inbox=InboxChanges(inserts=items)))

    async def seen(worker: PostgresBackend, without: list[bytes]) -> list[bytes | None]:
        return [item.row.run_id for item in await worker.inbox.for_worker(10, 0, without)]

    assert await seen(lead, [FLOW]) == [of_lead, of_nobody, b"n" * 16, None]
    assert await seen(other, []) == [of_other, of_nobody]
    assert await seen(other, [FLOW]) == [of_other]
    assert await seen(third, []) == [of_nobody]
    assert len(await third.inbox.waiting(10)) == len(items)


async def test_some_flows_are_left_to_others(join: Join) -> None:
    runs = await _left_behind(join, 2)
    worker = await join()
    assert await worker.claims.claim(10, 0, [FLOW]) == []
    assert await worker.claims.claim(10, 0, [b"G" * 16]) == runs


async def test_a_dead_worker_is_taken_over(join: Join, expire: Callable[[PostgresBackend], Awaitable[None]]) -> None:
    stale, other, third = await join(), await join(), await join()
    runs, batch = _runs(5)
    await stale.commit(batch)
    await expire(stale)
    await stale.commit(
        Batch(owned={runs[0]: 1}, runs=RunChanges(pages=[page_row(runs[0], 1)]))
    )  # nobody has taken over yet
    assert await other.claims.claim(3, 0) == runs[:3]
    assert await third.claims.claim(3, 0) == runs[3:]
    assert (other.workers.leads, third.workers.leads) == (True, False)
    for late in (
        Batch(runs=RunChanges(pages=[page_row(runs[0], 2)])),
        Batch(inbox=InboxChanges(inserts=[inbox_row()])),
    ):
        with pytest.raises(ExecutorLost):
            await stale.commit(late)
    assert stale.workers.executor_lost
    assert not stale.workers.leads
    with pytest.raises(ExecutorLost):
        await stale.claims.claim(1, 0)
    assert not await stale.workers.join()
    await other.commit(Batch(owned={runs[0]: 2}, runs=RunChanges(pages=[page_row(runs[0], 2)])))
    await stale.close()
    assert await third.claims.claim(3, 0) == []  # what it had is not given up a second time


async def test_a_stale_worker_learns_of_it_by_asking(
    join: Join, expire: Callable[[PostgresBackend], Awaitable[None]]
) -> None:
    for ask in ("claim", "claim_run"):
        stale, other = await join(), await join()
        await expire(stale)
        await other.claims.claim(1, 0)
        with pytest.raises(ExecutorLost):
            await (stale.claims.claim(1, 0) if ask == "claim" else stale.claims.claim_run(b"r" * 16))
        assert stale.workers.executor_lost
        await other.close()


async def test_the_lead_goes_over(join: Join, expire: Callable[[PostgresBackend], Awaitable[None]]) -> None:
    workers = [await join() for _ in range(4)]
    await workers[0].close()
    await asyncio.gather(*(worker.claims.claim(1, 0) for worker in workers[1:]))
    assert sum(worker.workers.leads for worker in workers[1:]) == 1
    lead = next(worker for worker in workers[1:] if worker.workers.leads)
    await expire(lead)
    others = [worker for worker in workers[1:] if worker is not lead]
    await asyncio.gather(*(worker.claims.claim(1, 0) for worker in others))
    assert sum(worker.workers.leads for worker in others) == 1


async def test_while_keys_are_migrated_the_lead_alone_claims(join: Join) -> None:
    runs = await _left_behind(join, 2)
    lead, other = await join(), await join()
    begun = OperationRow(b"O" * 16, 1, 5, None, b"record")
    await lead.commit(Batch(operations=OperationChanges(upserts=[begun])))
    assert await other.claims.claim(10, 0) == []
    assert not await other.claims.claim_run(runs[0])
    assert await lead.claims.claim(1, 0) == runs[:1]
    await lead.commit(Batch(operations=OperationChanges(upserts=[begun._replace(row_version=2, ended_ms=9)])))
    assert await other.claims.claim(10, 0) == runs[1:]


async def test_hints_arrive(join: Join) -> None:
    one, two = await join(), await join()
    told = asyncio.Event()
    one.claims.on_hint(told.set)
    await told.wait()  # that it listens
    told.clear()
    await two.claims.hint()
    await told.wait()
    told.clear()
    await two.close()  # what it had is there for others
    await told.wait()


async def test_a_worker_of_an_earlier_version_is_not_shared_with(
    postgres: PostgresServer, schema: str, join: Join
) -> None:
    """It takes the one row that it knows, and is refused while there are workers."""
    first = await join()
    old = await asyncpg.connect(postgres.url, server_settings={"search_path": schema})
    take = (
        "UPDATE executor SET worker = $1, epoch = epoch + 1, pid = 1, expires = clock_timestamp() + interval '15 s'"
        " WHERE worker IS NULL OR worker = $1 OR expires < clock_timestamp() RETURNING epoch"
    )
    assert await old.fetchval(take, b"w" * 16) is None
    await first.close()
    alone = await PostgresBackend.open(postgres.url, schema)
    assert await alone.workers.try_become_executor()
    await alone.close()
    assert await old.fetchval(take, b"w" * 16) is not None
    late = await PostgresBackend.open(postgres.url, schema)
    assert not await late.workers.join()
    await late.close()
    await old.close()
