"""Lost connections, restarts of the server, and an executor that was taken for dead: nothing acknowledged is lost, and
nothing is written twice.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

import pytest
from cutting_proxy import CuttingProxy, cutting_proxy
from postgres_server import PostgresServer
from sealflow.storage import Batch, ExecutorLost, StoreUnreachable
from sealflow.storage.port import FlowRow, InboxChanges, KeyChanges, RunChanges
from sealflow.storage.testing.rows import ALL, first_batch, inbox_row, key_row, page_row, run_row

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend, patience  # noqa: E402


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
async def backend(proxy: CuttingProxy, postgres: PostgresServer, schema: str) -> AsyncIterator[PostgresBackend]:
    url = postgres.url.replace(str(postgres.port), str(proxy.port))
    backend = await PostgresBackend.open(url, schema)
    await backend.commit(first_batch())
    yield backend
    await backend.close()


def _common() -> Batch:
    run = os.urandom(16)
    return Batch(
        keys=KeyChanges(inserts=[key_row(run)]),
        runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1)]),
        inbox=InboxChanges(inserts=[inbox_row()]),
    )


def _rare() -> Batch:
    batch = _common()
    batch.flows.upserts.append(FlowRow(os.urandom(16), os.urandom(16), 1, 1, 1, 5, 5, b"record"))
    return batch


@pytest.mark.parametrize("make", [_common, _rare])
async def test_a_commit_is_written_once_wherever_the_connection_breaks(
    backend: PostgresBackend, proxy: CuttingProxy, make: type[Batch]
) -> None:
    await backend.commit(make())  # so that all statements are prepared
    answers = 0
    while True:
        before, cuts = len(await backend.inbox.waiting(100)), proxy.cuts
        proxy.answers = answers
        numbers = await backend.commit(make())
        proxy.answers = None
        items = await backend.inbox.waiting(100)
        assert len(items) == before + 1
        assert [items[-1].number] == numbers
        if proxy.cuts == cuts:  # the commit has no more answers than these
            break
        answers += 1
    assert answers >= (1 if make is _common else 5)
    assert len(await backend.runs.unfinished()) == len(await backend.inbox.waiting(100))


async def test_a_commit_that_was_given_up_is_settled_first(
    backend: PostgresBackend, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0)
    there, lost, other = _common(), _common(), _common()
    await backend.commit(_common())  # so that the statement is prepared
    proxy.answers = 0  # the server has it, its answer is withheld
    with pytest.raises(StoreUnreachable):
        await backend.commit(there)
    (number,) = await backend.commit(other)
    assert (await backend.commit(there))[0] < number

    proxy.cut()
    proxy.refusing = True
    with pytest.raises(StoreUnreachable):
        await backend.commit(lost)
    with pytest.raises(StoreUnreachable):
        await backend.commit(lost)
    proxy.refusing = False
    (again,) = await backend.commit(lost)
    assert [item.row for item in await backend.inbox.waiting(100)][1:] == [
        *there.inbox.inserts,
        *other.inbox.inserts,
        *lost.inbox.inserts,
    ]
    assert (await backend.inbox.waiting(100))[-1].number == again


async def test_reading_goes_on_after_a_lost_connection(backend: PostgresBackend, proxy: CuttingProxy) -> None:
    assert await backend.inbox.waiting(10) == []
    proxy.answers = 0
    assert await backend.inbox.waiting(10) == []
    assert proxy.cuts == 1


async def test_the_server_restarts_under_load(postgres: PostgresServer, schema: str) -> None:
    backend = await PostgresBackend.open(postgres.url, schema)
    await backend.commit(first_batch())
    runs = [os.urandom(16) for _ in range(8)]
    await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run) for run in runs])))
    acknowledged = dict.fromkeys(runs, 0)
    down = asyncio.Event()

    async def write(run: bytes) -> None:
        while not down.is_set() or acknowledged[run] < 30:
            await backend.commit(Batch(runs=RunChanges(pages=[page_row(run, acknowledged[run] + 1)])))
            acknowledged[run] += 1

    writing = [asyncio.ensure_future(write(run)) for run in runs]
    for how in ("immediate", "fast"):
        while min(acknowledged.values()) < 5:
            await asyncio.sleep(0)
        await asyncio.to_thread(postgres.halt, how)
        await asyncio.to_thread(postgres.start)
    down.set()
    await asyncio.gather(*writing)
    for run in runs:
        assert [page.seq for page in await backend.runs.pages(run, 1, ALL, ALL)] == list(
            range(1, acknowledged[run] + 1)
        )
    await backend.close()


# --- the executor


async def _expire(postgres: PostgresServer, schema: str) -> None:
    other = await asyncpg.connect(postgres.url)
    await other.execute(f"UPDATE \"{schema}\".executor SET expires = clock_timestamp() - interval '1 s'")
    await other.close()


async def test_a_stale_executor_writes_nothing_more(postgres: PostgresServer, schema: str) -> None:
    stale, other = [await PostgresBackend.open(postgres.url, schema) for _ in range(2)]
    await stale.commit(first_batch())
    assert await stale.workers.try_become_executor()
    await stale.commit(_common())
    await other.commit(_common())  # who is not the executor may write too: items, deployments
    assert not await other.workers.try_become_executor()
    await _expire(postgres, schema)
    await stale.commit(_common())  # nobody has taken over
    assert await other.workers.executor_pid() is None
    assert await other.workers.try_become_executor()
    for batch in (_common(), _rare()):
        with pytest.raises(ExecutorLost):
            await stale.commit(batch)
    await other.commit(_common())
    assert len(await other.runs.unfinished()) == 4
    await stale.close()
    assert await other.workers.executor_pid() == os.getpid()  # which is not given up by who has lost it
    await other.close()


async def test_a_heartbeat_keeps_the_lease_and_tells_when_it_is_lost(
    postgres: PostgresServer, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = await PostgresBackend.open(postgres.url, schema, lease_seconds=0.06)
    assert await backend.workers.try_become_executor()
    other = await asyncpg.connect(postgres.url)

    async def until() -> object:
        return await other.fetchval(f'SELECT expires FROM "{schema}".executor')

    first = await until()
    while await until() == first:
        await asyncio.sleep(0)
    await other.execute(f"UPDATE \"{schema}\".executor SET worker = '\\x01', epoch = epoch + 1")
    heartbeat = backend._lease._heartbeat
    assert heartbeat is not None
    await heartbeat
    assert "taken over" in caplog.text
    await other.close()
    await backend.close()


async def test_a_thread_of_its_own_renews_the_lease_of_a_busy_loop(postgres: PostgresServer, schema: str) -> None:
    now = [0.0]
    backend = await PostgresBackend.open(postgres.url, schema, lease_seconds=600)
    assert await backend.workers.try_become_executor()
    other = await asyncpg.connect(postgres.url)

    async def until() -> object:
        return await other.fetchval(f'SELECT expires FROM "{schema}".executor')

    async def renew() -> None:
        observer = backend.observer()
        observer._now = lambda: now[0]
        await observer.keep_lease()
        await observer.keep_lease()  # not yet again
        await observer.close()

    def while_busy() -> None:
        thread = threading.Thread(target=lambda: asyncio.run(renew()))
        thread.start()
        thread.join()

    first = await until()
    while_busy()
    second = await until()
    assert second > first  # type: ignore[operator]
    assert not backend.workers.executor_lost
    await other.execute(f"UPDATE \"{schema}\".executor SET worker = '\\x01', epoch = epoch + 1")
    while_busy()
    assert backend.workers.executor_lost
    await other.close()
    await backend.close()


@pytest.mark.parametrize("where", ["stop", "leave"])
async def test_a_close_that_is_cancelled_leaves_no_connection_open(
    postgres: PostgresServer, schema: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the end of an event loop does it, when whoever closed the store was cancelled before."""
    backend = await PostgresBackend.open(postgres.url, schema)
    connection = backend._writer._connection
    assert connection is not None
    reached = asyncio.Event()

    async def stuck(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(backend._lease, where, stuck)
    closing = asyncio.ensure_future(backend.close())
    await reached.wait()
    assert backend._ended is not None
    backend._ended.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert connection.is_closed()
