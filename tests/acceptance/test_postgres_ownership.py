"""Runs that pass from one worker to another in PostgreSQL: whoever gives a run away has written all of it, and whatever
it still would write is refused for that run alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cli_session import compose
from postgres_server import PostgresServer, shared_server
from sealflow.engine.runtime.environment import executor as executor_module
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.runs.claims import RunElsewhereError
from sealflow.storage import ExecutorLost, TamperedHistory, verify_environment
from sealflow.storage.stores.runs import journal

pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from fleet import Fleet, flow, http

RUNS = 4


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    monkeypatch.setattr(journal, "HEAD_SECONDS", 3600.0)  # the test says when heads are due
    monkeypatch.setattr(executor_module, "CALLS_SECONDS", 0.05)
    async with AsyncExitStack() as stack:
        yield Fleet(tmp_path, postgres, stack)


async def _under_way(fleet: Fleet, owner: Environment, calls: int = 2 * RUNS) -> list[Any]:
    """Runs of this worker whose last head is behind their history, while each waits for the answer of a call."""
    runs = [(await owner.start("f"))[0] for _ in range(RUNS)]

    async def called() -> bool:
        return sum(fleet.service.calls.values()) >= calls

    await fleet.until(called)
    behind: Any = owner._vault._journal._behind
    assert len(behind) == RUNS
    return runs


async def _ended_well(fleet: Fleet, env: Environment, runs: list[Any]) -> None:
    for run in runs:
        result = await (await env.run(run.id)).result()
        assert result.status == "Succeeded"
        assert [each["status"] for each in result.actions] == ["Succeeded"] * 3
    verified = await verify_environment(fleet.engines[0].store, "prod")
    assert verified.findings == []


DEFINITION = flow(
    {"a": http("https://example.org/quick"), "c": http("https://example.org/x", "a"), "d": compose(1, "c")}
)


async def _rotate(fleet: Fleet, env: Environment) -> None:
    await fleet.engines[0].administration("ann").rotate("prod", data_keys=True)
    operation = await env.keys.pick_up()
    assert operation is not None
    assert (await env.keys.follow(operation)).status == "Succeeded"


async def _migrate_full(fleet: Fleet, env: Environment) -> None:
    operation = await env.keys.begin_migration(full=True)
    fleet.service.gate.set()  # it ends with the last run
    assert (await env.keys.follow(operation)).status == "Succeeded"


@pytest.mark.parametrize("work", [_rotate, _migrate_full])
@pytest.mark.parametrize("workers", [2, 3])
async def test_key_work_takes_runs_from_workers_that_still_owe_them_a_head(
    fleet: Fleet, work: Callable[[Fleet, Environment], Awaitable[None]], workers: int
) -> None:
    envs = [await fleet.join() for _ in range(workers)]
    await envs[0].deploy("f", DEFINITION)
    runs = await _under_way(fleet, envs[1])
    await work(fleet, envs[0])
    fleet.service.gate.set()
    for run in runs:
        await (await envs[0].run(run.id)).result()
    for env in envs:  # what the timer would do a second later
        env._vault._journal.seal_heads()
        await env._vault.flush()
    await _ended_well(fleet, envs[0], runs)


async def test_key_work_repeats_no_call_that_is_answered_in_time(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "CALLS_SECONDS", 60.0)
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", DEFINITION)
    runs = await _under_way(fleet, second)
    owner = await second._execute()
    assert owner is not None
    work = asyncio.ensure_future(_rotate(fleet, first))

    async def waits() -> bool:
        return owner.parting

    await fleet.until(waits)
    fleet.service.gate.set()
    await work
    await _ended_well(fleet, first, runs)
    assert len(fleet.service.keys) == len(set(fleet.service.keys)) == 2 * RUNS


async def test_a_run_that_another_worker_has_fails_alone(fleet: Fleet) -> None:
    """The rest of its batch is written, and whoever waits for the run follows it to the other worker."""
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", DEFINITION)
    runs = await _under_way(fleet, second)
    taken = bytes.fromhex(runs[0].id.replace("-", ""))
    backend: Any = second._vault._backend
    owner = await second._execute()
    assert owner is not None
    owner.claims.taking = False
    await backend.claims.release([taken])  # as if a defect gave it away unnoticed
    assert await first._vault.workers.claim_run(taken) == 2
    fleet.service.gate.set()
    for run in runs[1:]:
        assert (await run.result()).status == "Succeeded"
    executor = await first._execute()
    assert executor is not None
    await executor.resume(taken)
    assert (await runs[0].result()).status == "Succeeded"
    await _ended_well(fleet, first, runs)


async def test_a_run_that_another_worker_ends_while_it_is_read_is_no_tampering(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", DEFINITION)
    runs = await _under_way(fleet, second)
    taken = bytes.fromhex(runs[0].id.replace("-", ""))
    reader, owner = await first._execute(), await second._execute()
    assert reader is not None
    assert owner is not None
    reader.claims.taking = owner.claims.taking = False
    await second._vault._backend.claims.release([taken])
    backend: Any = first._vault._backend
    real = backend.runs.pages

    async def late(*given: Any) -> Any:
        monkeypatch.setattr(backend.runs, "pages", real)
        await backend.claims.release([taken])  # as after a stop that was longer than its lease
        owner.claims.taking = True
        fleet.service.gate.set()
        await runs[0].result()
        return await real(*given)

    monkeypatch.setattr(backend.runs, "pages", late)
    with pytest.raises(RunElsewhereError):
        await reader.resume(taken)
    assert backend.runs.pages == real
    await _ended_well(fleet, first, runs)


async def test_a_worker_that_ends_has_written_what_it_gives_back(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", DEFINITION)
    runs = await _under_way(fleet, second)
    await fleet.engines[1].close()
    rows = [await first._vault._backend.runs.get(bytes.fromhex(run.id.replace("-", ""))) for run in runs]
    assert all(row is not None and row.head_version > 1 for row in rows)
    fleet.service.gate.set()
    await _ended_well(fleet, first, runs)


async def test_a_run_that_falls_asleep_gives_its_head_with_the_release(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    fleet.service.gate.set()
    pause = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"a": ["Succeeded"]}}
    await first.deploy(
        "f", flow({"a": http("https://example.org/quick"), "w": pause, "c": http("https://example.org/x", "w")})
    )
    (run,) = await second.start("f")
    run_id = bytes.fromhex(run.id.replace("-", ""))

    async def asleep() -> bool:
        return (await second.runs())[0].status == "Waiting"

    await fleet.until(asleep)
    assert await first._vault.workers.claim_run(run_id) >= 2
    second._vault._journal.seal_heads()
    await second._vault.flush()
    log = await first._vault.open_run(run_id)  # head and pages fit
    log.close()
    await first._vault.workers.release([run_id])
    fleet.clock.advance(3_600 * 10_000_000)
    await _ended_well(fleet, first, [run])


async def test_a_taken_over_worker_writes_no_heads(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", DEFINITION)
    runs = await _under_way(fleet, second)
    await fleet.kill(second)
    fleet.service.gate.set()
    stale = second._vault
    await fleet.until(lambda: _lost(stale))
    await _ended_well(fleet, first, runs)


async def test_key_work_of_a_taken_over_worker_is_no_tampering(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", DEFINITION)
    executor = await first._execute()
    assert executor is not None
    await fleet.kill(first)
    await fleet.until(lambda: _leads(second))
    backend: Any = first._vault._backend
    backend._lease._until = 0.0  # as after a stop that was longer than the lease

    async def migrate() -> None:
        raise TamperedHistory("what another worker writes", run="", seq=0)

    monkeypatch.setattr(first._vault, "migrate", migrate)
    executor.key_work.begin()
    with pytest.raises(ExecutorLost):
        await executor.key_work.settled(60)
    assert "a migration stopped: ExecutorLost" in caplog.messages


async def _leads(env: Environment) -> bool:
    return await env._vault.workers.lead()


async def _lost(vault: Any) -> bool:
    return bool(vault.executor_lost)
