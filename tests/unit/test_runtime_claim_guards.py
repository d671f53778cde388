"""Which runs an executor brings into memory: all that are ready, those that somebody here drives, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import compose, wait
from revocable import PROBE, revocable
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.observe import run as run_module
from sealflow.engine.runtime.runs import claims
from sealflow.storage.keys.health import Answer

START = 17_000_000_000_000_000
HOUR = 3600 * SECOND


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = sealflow.VirtualClock(START)

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[Environment]:
        home, keys = self.folder / "home", self.folder / "k" / "k.json"
        async with sealflow.open(home, keystore=keys, clock=self.clock, **options) as engine:
            yield await engine.environment("env")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


async def test_all_that_is_ready_is_brought_back_at_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_BATCH", 2)
    async with world.open() as env:
        executor = await env._execute()
        assert executor is not None
        await env.deploy("short", flow(w=wait(20)))
        for _ in range(5):
            await env.start("short")
        await until(lambda: len(executor.live) == 5)
    async with world.open() as env:
        again = await env._execute()
        assert again is not None
        assert len(again.live) == 5  # without another look


async def test_a_run_that_is_only_followed_stays_asleep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "POLL", 0.0)
    monkeypatch.setattr(run_module, "TAKE_OVER", 1)
    async with world.open() as env:
        executor = await env._execute()
        assert executor is not None
        await env.deploy("f", flow(w=wait(3600), c=compose(1, "w")))
        (run,) = await env.start("f")
        await until(lambda: not executor.live)
        looks, resumed = 0, []
        take_inbox, resume = executor.take_inbox, executor.resume

        async def look() -> None:
            nonlocal looks
            looks += 1
            await take_inbox()

        async def bring(run_id: bytes, *arguments: Any, **options: Any) -> Any:
            resumed.append(run_id)
            return await resume(run_id, *arguments, **options)

        monkeypatch.setattr(executor, "take_inbox", look)
        monkeypatch.setattr(executor, "resume", bring)

        async def follow() -> list[str]:
            return [entry.path async for entry in (await env.run(run.id)).follow()]

        following = asyncio.ensure_future(follow())
        await until(lambda: looks > 5)
        assert resumed == []
        world.clock.advance(HOUR)
        assert (await following)[-1] == "/c"
        assert len(resumed) == 1


async def test_who_follows_a_run_drives_it_where_its_process_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "POLL", 0.0)
    monkeypatch.setattr(run_module, "TAKE_OVER", 1)
    async with world.open(resume=False) as env:
        async with world.open() as worker:
            executor = await worker._execute()
            assert executor is not None
            await worker.deploy("f", flow(w=wait(20), c=compose(1, "w")))
            (run,) = await env.start("f")
            await executor.take_inbox()
            await until(lambda: len(executor.live) == 1)
        world.clock.advance(HOUR)
        async with asyncio.timeout(60):
            assert [entry.path async for entry in run.follow()][-1] == "/c"


async def test_a_late_answer_does_not_open_what_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard's thread asked for the key before an administrator locked the environment, and is answered after it."""
    async with revocable(tmp_path) as world:
        await world.lock()
        watch, attempts = world.env._watch, 0
        attempt = watch._opening.attempt

        async def counted() -> Any:
            nonlocal attempts
            attempts += 1
            return await attempt()

        monkeypatch.setattr(watch._opening, "attempt", counted)
        watch.judged(Answer.GIVEN, world.clock.now())
        await world.after(2 * PROBE)
        assert attempts == 0
        await world.look()
        assert attempts == 1
