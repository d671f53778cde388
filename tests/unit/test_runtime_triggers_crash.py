"""Triggers when things go wrong: killed at any commit, a store that is full, a second process, many flows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.errors import Denied
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.storage import StoreFull
from trigger_world import HOUR, HOURLY, MINUTE, START, World, opened, recurring


class _Commits:
    """Takes the place of a backend's commit: from the `fatal`th on nothing comes back, as when the process dies.

    `written` says whether that one reached the disk.
    """

    def __init__(self, world: World, fatal: int, *, written: bool) -> None:
        backend: Any = world.env._vault._backend
        self._commit = backend.commit
        self._left = fatal
        self._written = written
        self.died = asyncio.Event()
        backend.commit = self

    async def __call__(self, batch: Any) -> Any:
        self._left -= 1
        if self._left > 0:
            return await self._commit(batch)
        if self._left == 0 and self._written:
            await self._commit(batch)
        self.died.set()
        return await asyncio.Event().wait()


async def die(world: World) -> None:
    """What is left of a process that was killed: nothing of it goes on, and its locks are free."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await world.env._vault._backend.close()
    world.engine._environments.clear()
    await world.engine.close()


async def opened_without_end(folder: Path, at: int) -> World:
    clock = sealflow.VirtualClock(at)
    engine = sealflow.open(folder / "home", keystore=folder / "k" / "k.json", clock=clock)
    await engine.__aenter__()
    return World(await engine.environment("env"), clock, engine)


HOURS = (START + HOUR, START + 2 * HOUR)


async def fire_until_it_dies(folder: Path, fatal: int, *, written: bool) -> int:
    """Two hours of a worker, or what a fatal commit leaves of them; when it ended."""
    world = await opened_without_end(folder, START)
    commits = _Commits(world, fatal, written=written)
    watching = asyncio.ensure_future(world.watch())
    await world.until(lambda: commits.died.is_set() or watching.done())
    for number, hour in enumerate(HOURS, 1):
        if not commits.died.is_set():
            await world.asleep()
            world.clock.advance_to(hour)
        await world.until(lambda number=number: commits.died.is_set() or len(world.fired) == number)  # type: ignore[misc]
    await die(world)
    return world.clock.now()


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("kind", ["Recurrence", "SlidingWindow"])
async def test_an_occurrence_is_neither_lost_nor_doubled_wherever_the_process_dies(
    tmp_path: Path, kind: str, written: bool
) -> None:
    for fatal in range(1, 5):
        folder = tmp_path / f"{fatal}"
        async with opened(folder) as world:
            await world.env.deploy("f", recurring(HOURLY, type=kind))
        ended = await fire_until_it_dies(folder, fatal, written=written)
        async with opened(folder, ended + 5 * SECOND) as world:
            await world.watch()
            await world.asleep()
            for hour in HOURS:
                if hour > ended:
                    await world.pass_to(hour, len(world.fired) + 1)
            assert await world.times() == ["13:00", "14:00"], fatal


async def test_a_commit_that_fails_is_made_up_for_however_late(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.watch()
        await world.asleep()
        backend: Any = world.env._vault._backend
        commit, refused = backend.commit, []

        async def full(batch: Any) -> Any:
            refused.append(len(batch.triggers.upserts))
            raise StoreFull("The disk is full.")

        backend.commit = full
        world.clock.advance_to(START + HOUR)
        await world.until(lambda: 1 in refused)
        await world.asleep()
        assert world.fired == []
        assert await world.env.runs() == []
        backend.commit = commit
        await world.pass_to(START + HOUR + 20 * MINUTE, 1)
        assert await world.times() == ["13:00"]


async def test_a_second_process_asks_the_worker(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.watch()
        async with opened(tmp_path) as other:
            with pytest.raises(Denied) as refused:
                await other.watch()
            assert refused.value.code == "ExecutedElsewhere"
            await other.env.deploy("f", recurring(HOURLY))
            executor = world.env._executor
            assert executor is not None
            await executor.take_inbox()
            assert (await other.env.trigger("f")).next_ms == (START + HOUR) // 10_000
            await other.env.disable("f")
            with pytest.raises(Denied, match="is disabled"):
                await other.env.start("f")
            with pytest.raises(Denied, match="is disabled"):
                await world.env.start("f")
            await other.env.enable("f")
            await world.pass_to(START + HOUR, 1)
            assert len(await other.env.runs()) == 1


async def test_whoever_asked_takes_over_from_a_worker_that_ended(tmp_path: Path) -> None:
    async with opened(tmp_path) as other:
        async with opened(tmp_path) as world:
            await world.watch()
            await other.env.deploy("f", recurring(HOURLY))
            executor = world.env._executor
            assert executor is not None
            assert executor.polling._task is not None
            executor.polling._task.cancel()
            asking = asyncio.ensure_future(other.env.disable("f"))
            await asyncio.sleep(0)
        await asking
        assert [flow.enabled for flow in await other.env.flows()] == [False]


async def test_many_flows_share_one_timer_and_few_commits(tmp_path: Path) -> None:
    many = 150
    async with opened(tmp_path) as world:
        for number in range(many):
            await world.env.deploy(f"f{number}", recurring(HOURLY))
        await world.watch()
        await world.asleep()
        before = world.env._vault.commits
        await world.pass_to(START + HOUR, many)
        assert world.fired == [("Succeeded", "OK")] * many
        assert world.env._vault.commits - before < many // 2
        assert world.clock.next_due == START + 2 * HOUR
