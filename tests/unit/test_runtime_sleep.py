"""Runs that wait leave memory and come back: by time, an event, a child; and a start brings back what is ready."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import compose, wait
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.runs.live_run import LiveRun
from sealflow.engine.runtime.workers.retry_backoff import Retries
from sealflow.storage import StoreBusy

START = 17_000_000_000_000_000
HOUR = 3600 * SECOND
S = ["Succeeded"]


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


def hook(**more: Any) -> dict[str, Any]:
    request = {"method": "POST", "uri": "https://example.org/hooks", "body": {"url": "@listCallbackUrl()"}}
    return {"type": "HttpWebhook", "inputs": {"subscribe": request}, **more}


async def _service(call: sealflow.Call) -> Any:
    return sealflow.ConnectorResponse(200, {}, None)


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = sealflow.VirtualClock(START)

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[Environment]:
        home, keys = self.folder / "home", self.folder / "k" / "k.json"
        async with sealflow.open(home, keystore=keys, clock=self.clock, **options) as engine:
            engine.connectors.register("http", _service)
            env = await engine.environment("env")
            await env._execute()
            yield env


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def live(env: Environment) -> dict[bytes, LiveRun]:
    executor = env._executor
    assert executor is not None
    return executor.live


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


async def statuses(env: Environment, expected: set[str]) -> None:
    async with asyncio.timeout(60):
        while {run.status for run in await env.runs(limit=100)} != expected:
            await asyncio.sleep(0.001)


def objects(kind: type) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


async def test_sleeping_runs_are_in_no_memory(world: World) -> None:
    async with world.open() as env:
        await env.deploy("f", flow(w=wait(3600), c=compose(1, "w")))
        before = objects(LiveRun)
        for _ in range(50):
            await env.start("f")
        await until(lambda: not live(env))
        assert objects(LiveRun) <= before + 1  # the last one may still be named by what has put it aside
        executor = env._executor
        assert executor is not None
        assert len(executor._expiry) <= 300  # tidied up: not one for each run that ever was
        assert (executor.admission._flows, executor.claims._told) == ({}, {})
        await statuses(env, {"Waiting"})
        world.clock.advance(HOUR)
        await statuses(env, {"Succeeded"})


async def test_a_short_wait_and_a_run_that_somebody_waits_for_stay(world: World) -> None:
    async with world.open() as env:
        await env.deploy("short", flow(w=wait(29)))
        await env.deploy("long", flow(w=wait(3600)))
        await env.start("short")
        (run,) = await env.start("long")
        waiting = asyncio.ensure_future(run.wait())
        await statuses(env, {"Running", "Waiting"})
        await until(lambda: len(live(env)) == 2)
        await env._vault.flush()
        assert len(live(env)) == 2
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(lambda: len(live(env)) == 1)  # nobody waits for it any more
        ended = asyncio.ensure_future(run.result())  # it is brought back
        await until(lambda: len(live(env)) == 2)
        world.clock.advance(HOUR)
        assert (await ended).status == "Succeeded"


async def test_a_callback_wakes_a_run_and_a_wrong_one_does_not_keep_it(world: World) -> None:
    async with world.open() as env:
        await env.deploy("f", flow(h=hook(), c=compose("@body('h')", "h")))
        (run,) = await env.start("f")
        await until(lambda: not live(env))
        (url,) = (await run.callbacks()).values()
        assert (await env.callback(url[:-32] + "0" * 32)).status == 404
        await until(lambda: not live(env))
        assert (await env.callback(url, body=7)).status == 200
        assert (await run.result()).actions[-1]["outputs"] == 7


async def test_the_limit_of_a_webhook_wakes_it(world: World) -> None:
    async with world.open() as env:
        await env.deploy("f", flow(h=hook(limit={"timeout": "PT2H"})))
        (run,) = await env.start("f")
        await until(lambda: not live(env))
        world.clock.advance(2 * HOUR)
        result = await run.result()
        assert (result.status, result.actions[0]["status"]) == ("Failed", "TimedOut")


async def test_a_cancel_wakes_it(world: World) -> None:
    async with world.open() as env:
        await env.deploy("f", flow(w=wait(3600)))
        (run,) = await env.start("f")
        await until(lambda: not live(env))
        assert await run.cancel()
        assert (await run.result()).status == "Cancelled"


async def test_a_parent_sleeps_while_its_child_does(world: World) -> None:
    async with world.open() as env:
        answer = {"type": "Response", "inputs": {"statusCode": 200, "body": "late"}, "runAfter": {"w": S}}
        await env.deploy("child", flow(w=wait(3600), r=answer, w2=wait(3600, "r")))
        nested = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "child"}}}}
        await env.deploy("parent", flow(n=nested, c=compose("@body('n')", "n")))
        (run,) = await env.start("parent")
        await until(lambda: not live(env))
        await statuses(env, {"Waiting"})
        world.clock.advance(HOUR)
        async with asyncio.timeout(60):  # nobody asks for it: the child's answer wakes it
            while (await run.snapshot()).status != "Succeeded":
                await asyncio.sleep(0.001)
        assert (await run.snapshot()).actions[-1]["outputs"] == "late"
        await until(lambda: not live(env))
        assert {run.flow: run.status for run in await env.runs()} == {"parent": "Succeeded", "child": "Waiting"}


async def test_an_answer_is_not_lost_when_the_parents_process_ends(world: World) -> None:
    answer = {"type": "Response", "inputs": {"statusCode": 200, "body": "late"}, "runAfter": {"w": S}}
    nested = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "child"}}}}
    async with world.open() as env:
        await env.deploy("child", flow(w=wait(3600), r=answer))
        await env.deploy("parent", flow(n=nested, c=compose("@body('n')", "n")))
        await env.start("parent")
        await until(lambda: not live(env))
    world.clock.advance(HOUR)
    async with world.open(concurrency=1) as env:
        await statuses(env, {"Succeeded"})


async def test_a_start_brings_back_what_is_ready_and_leaves_what_sleeps(world: World) -> None:
    async with world.open() as env:
        await env.deploy("long", flow(w=wait(3600)))
        await env.deploy("short", flow(w=wait(20), c=compose(1, "w")))
        for _ in range(5):
            await env.start("long")
            await env.start("short")
        await until(lambda: len(live(env)) == 5)
    async with world.open() as env:
        assert {run.flow for run in live(env).values()} == {"short"}
        assert len(live(env)) == 5
        world.clock.advance(HOUR)
        await statuses(env, {"Succeeded"})


async def test_what_is_ready_is_brought_back_a_few_at_a_time(world: World) -> None:
    async with world.open() as env:
        await env.deploy("short", flow(w=wait(20), c=compose(1, "w")))
        for _ in range(9):
            await env.start("short")
        await until(lambda: len(live(env)) == 9)
    async with world.open(concurrency=2) as env:
        most = len(live(env))
        assert most == 2
        world.clock.advance(HOUR)
        async with asyncio.timeout(60):
            while {run.status for run in await env.runs(limit=100)} != {"Succeeded"}:
                most = max(most, len(live(env)))
                await asyncio.sleep(0)
        assert most == 2


async def test_a_sleeping_run_counts_where_the_trigger_limits_runs(world: World) -> None:
    limited = flow(w=wait(3600), c=compose(1, "w"))
    limited["triggers"]["manual"]["runtimeConfiguration"] = {"concurrency": {"runs": 1}}
    async with world.open() as env:
        await env.deploy("f", limited)
        await env.start("f")
        await until(lambda: not live(env))
        await env.start("f")  # held
        assert len(live(env)) == 1
    async with world.open() as env:
        await until(lambda: [run.held for run in live(env).values()] == [True])
        world.clock.advance(HOUR)
        await statuses(env, {"Succeeded", "Waiting"})
        await until(lambda: not live(env))
        world.clock.advance(HOUR)
        await statuses(env, {"Succeeded"})


async def test_without_resume_nothing_leaves_memory(world: World) -> None:
    async with world.open(resume=False) as env:
        await env.deploy("f", flow(w=wait(3600)))
        await env.start("f")
        await statuses(env, {"Waiting"})
        await env._vault.flush()
        assert len(live(env)) == 1


async def test_a_run_that_goes_on_is_shown_as_one(world: World) -> None:
    async with world.open() as env:
        await env.deploy("f", flow(w=wait(3600), v=wait(20, "w")))
        await env.start("f")
        await until(lambda: not live(env))
        world.clock.advance(HOUR)
        await statuses(env, {"Running"})


async def test_who_calls_back_after_the_longest_duration_is_told_so(world: World) -> None:
    async with world.open() as env:
        await env.deploy("f", flow(h=hook()))
        (run,) = await env.start("f")
        await until(lambda: not live(env))
        (url,) = (await run.callbacks()).values()
        world.clock.advance(91 * 24 * HOUR)
        assert (await env.callback(url)).status == 410
        assert not await run.cancel()
        assert (await run.result()).status == "TimedOut"


async def test_a_run_that_cannot_be_brought_back_is_tried_again_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is busy for a moment must not keep it until the process is started again."""
    async with world.open() as env:
        await env.deploy("f", flow(w=wait(3600), c=compose(1, "w")))
        await env.start("f")
        await until(lambda: not live(env))
        vault, attempts = env._vault, 0
        real = vault.open_run

        async def busy(*arguments: Any, **named: Any) -> Any:
            nonlocal attempts
            attempts += 1
            if attempts < 4:
                raise StoreBusy("The store is in use.")
            return await real(*arguments, **named)

        monkeypatch.setattr(vault, "open_run", busy)
        world.clock.advance(HOUR)
        for failed, seconds in ((1, 1), (2, 2), (3, 4)):
            await until(lambda failed=failed: attempts == failed)  # type: ignore[misc]
            executor = env._executor
            assert executor is not None
            await until(lambda turn=executor.claims._turn: not turn.locked())  # type: ignore[misc]
            await vault.flush()
            assert {run.status for run in await env.runs()} == {"Waiting"}
            world.clock.advance(seconds * SECOND - 1)
            for _ in range(50):
                await asyncio.sleep(0)
            assert attempts == failed
            world.clock.advance(1)
        await statuses(env, {"Succeeded"})
        assert executor is not None
        assert executor.claims._retries._failed == {}
    assert "cannot be resumed: StoreBusy" in caplog.text


async def test_what_never_comes_back_is_tried_ever_less_often() -> None:
    retries = Retries()
    pauses = [retries.after(b"run") // SECOND for _ in range(20)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == HOUR // SECOND
    assert retries.after(b"other") == SECOND
    retries.over(b"run")
    assert retries.after(b"run") == SECOND
