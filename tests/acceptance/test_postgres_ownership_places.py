"""Runs of several workers in PostgreSQL while their environment moves, is reset or is put back from a backup: whoever
had them writes nothing more at the old place, and no worker writes to what has taken its place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from chaos_observer import another_database
from cli_session import compose
from postgres_server import PostgresServer, shared_server
from revocable import HandClock
from sealflow.engine.runtime.environment import executor as executor_module
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import (
    StoreBusy,
    create_backup,
    move_environment,
    reset_environment,
    restore_backup,
    verify_environment,
)
from sealflow.storage.stores.runs import journal

pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from fleet import Fleet, flow, http

DEFINITION = flow(
    {"a": http("https://example.org/quick"), "c": http("https://example.org/x", "a"), "d": compose(1, "c")}
)


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    monkeypatch.setattr(journal, "HEAD_SECONDS", 3600.0)  # the test says when heads are due
    monkeypatch.setattr(executor_module, "CALLS_SECONDS", 0.05)
    async with AsyncExitStack() as stack:
        yield Fleet(tmp_path, postgres, stack)


async def _under_way(fleet: Fleet) -> tuple[list[Environment], list[Any]]:
    """Three workers, and a run of each that waits for the answer of a call, with a head that is behind."""
    envs = [await fleet.join(boot_clock=HandClock()) for _ in range(3)]
    await envs[0].deploy("f", DEFINITION)
    runs = [(await env.start("f"))[0] for env in envs]

    async def called() -> bool:
        return sum(fleet.service.calls.values()) >= 2 * len(runs)

    await fleet.until(called)
    return envs, runs


async def _stop(fleet: Fleet, envs: list[Environment]) -> None:
    """As if their processes were stopped for longer than their leases."""
    for env in envs:
        await fleet.kill(env)


async def _go_on(fleet: Fleet, envs: list[Environment]) -> None:
    """They come back, and write what they still can: answers that arrive now, and heads that are behind."""
    fleet.service.gate.set()
    for env in envs:
        vault = env._access._opened
        if vault is not None:
            vault.vault._journal.seal_heads()

    async def nothing_left() -> bool:
        return not any(executor.live for executor in (env._executor for env in envs) if executor is not None)

    await fleet.until(nothing_left)


async def _ended_well(fleet: Fleet, env: Environment, ids: list[str]) -> None:
    for run_id in ids:
        result = await (await env.run(run_id)).result()
        assert result.status == "Succeeded"
        assert [each["status"] for each in result.actions] == ["Succeeded"] * 3
    assert (await verify_environment(fleet.engines[0].store, "prod")).findings == []


async def test_a_move_takes_runs_from_all_workers(fleet: Fleet, postgres: PostgresServer) -> None:
    envs, runs = await _under_way(fleet)

    async def meanwhile() -> None:
        for env in envs:
            await env._watch.look()

    database = await another_database(postgres.url)
    moved = await move_environment(fleet.engines[0].administration("ann"), "prod", database, pause=meanwhile)
    assert (moved.in_flight, moved.left) == (len(runs), None)
    for env in envs:
        await env._watch.look()
        if (retaking := env._watch._retaking) is not None:
            await retaking
    assert all(env._executor is not None for env in envs)
    fleet.service.gate.set()
    await _ended_well(fleet, envs[0], [run.id for run in runs])
    assert len(set(fleet.service.keys)) == 2 * len(runs)


async def test_a_move_from_workers_that_were_taken_for_dead(fleet: Fleet, postgres: PostgresServer) -> None:
    envs, runs = await _under_way(fleet)
    await _stop(fleet, envs)
    database = await another_database(postgres.url)
    moved = await move_environment(fleet.engines[0].administration("ann"), "prod", database)
    assert (moved.in_flight, moved.left) == (len(runs), None)
    calls = sum(fleet.service.calls.values())
    await _go_on(fleet, envs)
    assert sum(fleet.service.calls.values()) == calls
    await _ended_well(fleet, await fleet.join(), [run.id for run in runs])


async def _reset(fleet: Fleet, backup: Path) -> None:
    await reset_environment(fleet.engines[0].administration("ann"), "prod")


async def _restore(fleet: Fleet, backup: Path) -> None:
    await restore_backup(fleet.engines[0].administration("ann"), backup)


@pytest.mark.parametrize("act", [_reset, _restore])
async def test_what_replaces_everything_is_refused_while_a_worker_lives(
    fleet: Fleet, tmp_path: Path, act: Callable[[Fleet, Path], Awaitable[None]]
) -> None:
    envs, runs = await _under_way(fleet)
    backup = tmp_path / "backup"
    await create_backup(fleet.engines[0].administration("ann"), "prod", backup, expires_days=1)
    await _stop(fleet, envs[:2])
    with pytest.raises(StoreBusy):
        await act(fleet, backup)
    fleet.service.gate.set()
    await _ended_well(fleet, envs[2], [run.id for run in runs])


@pytest.mark.parametrize("act", [_reset, _restore])
async def test_workers_that_were_taken_for_dead_write_nothing_to_what_replaced_their_runs(
    fleet: Fleet, tmp_path: Path, act: Callable[[Fleet, Path], Awaitable[None]]
) -> None:
    envs, runs = await _under_way(fleet)
    backup = tmp_path / "backup"
    await create_backup(fleet.engines[0].administration("ann"), "prod", backup, expires_days=1)
    await _stop(fleet, envs)
    await act(fleet, backup)
    calls = sum(fleet.service.calls.values())
    await _go_on(fleet, envs)
    assert sum(fleet.service.calls.values()) == calls
    left = await fleet.join()
    if act is _reset:
        assert await left.runs() == []
        assert await left.flows() == []
    await _ended_well(fleet, left, [run.id for run in runs] if act is _restore else [])
