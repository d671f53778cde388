"""Calls that are under way when their environment is locked: they go on, and are neither lost nor made again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from postgres_server import shared_server
from revocable import NAME, HandClock, Revocable, change, database, revocable
from sealflow.connectors import ConnectorResponse
from sealflow.engine.runtime.environment.executor import Executor
from sealflow.storage import move_environment
from sealflow.storage.stores.inbox import sealed_items

S = ["Succeeded"]
CALL = {"type": "Http", "inputs": {"method": "POST", "uri": "https://example.org/", "body": "@item()"}}
EACH = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "each": {"type": "Foreach", "foreach": [0, 1, 2], "actions": {"call": CALL}},
        "last": {"type": "Compose", "inputs": "done", "runAfter": {"each": S}},
    },
}
CANARY = "canary-7743"


class Service:
    """Answers the calls of the three iterations when it is told to, each for itself."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.all = asyncio.Event()
        self.answers = [asyncio.Event() for _ in range(3)]

    async def __call__(self, call: sealflow.Call) -> ConnectorResponse:
        inputs: Any = call.inputs
        number = int(inputs["body"])
        self.made.append(number)
        if len(self.made) == 3:
            self.all.set()
        await self.answers[number].wait()
        return ConnectorResponse(200, {}, f"{CANARY} {number}")


async def begun(world: Revocable, service: Service) -> Any:
    """A run that waits for three calls, in an environment whose inbox has its key."""
    (run,) = await world.env.start(await world.env.deploy("f", EACH))
    await service.all.wait()
    await world.env._executor.take_inbox()  # type: ignore[union-attr]
    return run


async def kept(world: Revocable, items: int) -> None:
    """Return when so many items are in the locked environment's inbox."""
    async with asyncio.timeout(60):
        while change(world, "SELECT count(*) FROM sealed_inbox") != [(items,)]:
            await asyncio.sleep(0.01)


async def answers(run: Any) -> list[Any]:
    result = await run.result()
    assert result.status == "Succeeded"
    bodies = [each["outputs"]["body"] for each in result.actions if each["name"] == "call"]
    assert len(bodies) == 3  # each is recorded once
    return sorted(bodies)


ALL = [f"{CANARY} {number}" for number in range(3)]


async def test_answers_that_come_while_locked_are_kept_unread_and_taken_afterwards(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.lock()
        for answer in service.answers:
            answer.set()
        await kept(world, 3)
        for file in database(world).parent.iterdir():
            assert CANARY.encode() not in file.read_bytes()
        await world.unlock()
        assert await answers(run) == ALL
        assert sorted(service.made) == [0, 1, 2]
        assert change(world, "SELECT count(*) FROM sealed_inbox") == [(0,)]


async def test_a_call_that_is_still_under_way_after_the_lock_is_waited_for(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.lock()
        service.answers[1].set()
        await kept(world, 1)
        await world.unlock()
        await world.lock()  # and once more
        service.answers[0].set()
        await kept(world, 1)
        await world.unlock()
        service.answers[2].set()
        assert await answers(run) == ALL
        assert sorted(service.made) == [0, 1, 2]


async def test_a_run_that_meets_the_lock_first_lets_its_calls_go_on(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.admin.lock(NAME)  # nobody has looked yet
        service.answers[0].set()
        with pytest.raises(sealflow.storage.EnvironmentLocked):
            await run.result()
        await world.look()
        service.answers[1].set()
        await kept(world, 1)
        await world.unlock()
        service.answers[2].set()
        assert await answers(run) == ALL
        assert sorted(service.made) == [0, 0, 1, 2]  # the write of the first answer was refused


async def test_what_is_not_kept_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.lock()
        monkeypatch.setattr(sealed_items, "MOST_ITEMS", 1)
        for answer in service.answers:
            answer.set()
        tasks = list(world.env._access._underway._tasks)
        await asyncio.gather(*tasks)
        await world.unlock()
        assert await answers(run) == ALL
        assert len(service.made) == 5  # one of three was kept


async def test_answers_that_come_during_a_move_are_not_lost(tmp_path: Path) -> None:
    """While its inbox is closed for a move, the environment takes nothing in: the process waits with the answers."""
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)

        def progress(what: str, done: int) -> None:
            if what == "copy":
                for answer in service.answers:
                    answer.set()

        await move_environment(world.admin, NAME, shared_server().url, progress=progress, pause=world.look)
        await world.look()
        await world.back()
        assert await answers(run) == ALL
        assert sorted(service.made) == [0, 1, 2]


async def test_another_process_takes_the_answers_and_makes_the_other_calls(tmp_path: Path) -> None:
    """As after a crash while the environment was locked: calls end with their process, what was kept does not."""
    service, later = Service(), Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.lock()
        service.answers[0].set()
        service.answers[2].set()
        await kept(world, 2)
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
        engine.connectors.register("http", later)
        engine.boot_clock = HandClock()
        await engine.administration("maria").unlock(NAME)
        later.answers[1].set()
        env = await engine.environment(NAME)
        again = await env.run(run.id)
        await again.resume()
        assert await answers(again) == ALL
        assert later.made == [1]


async def test_an_answer_is_recorded_once_when_its_commit_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is locked again in the middle of the drain: item and record stay together."""
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.lock()
        for answer in service.answers:
            answer.set()
        await kept(world, 3)
        await world.admin.unlock(NAME)
        taken = Executor.take_answer

        async def locks(self: Any, run_id: bytes, value: Any) -> None:
            monkeypatch.setattr(Executor, "take_answer", taken)
            await taken(self, run_id, value)
            await world.admin.lock(NAME)

        monkeypatch.setattr(Executor, "take_answer", locks)
        await world.look()
        await world.back()
        with pytest.raises(sealflow.storage.EnvironmentLocked):
            await run.result()
        await world.look()
        await world.unlock()
        assert await answers(run) == ALL
        assert sorted(service.made) == [0, 1, 2]
