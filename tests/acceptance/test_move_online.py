"""An environment moves while its worker has runs in flight: the worker lets go, nothing is taken in meanwhile that
would be lost, and the runs go on at the new place where they stood.
"""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sealflow
from postgres_server import PostgresServer, shared_server
from revocable import NAME, Revocable, revocable
from sealflow.storage import (
    Conflict,
    EnvironmentInfo,
    EnvironmentLocked,
    IntegrityError,
    NotPermitted,
    StoreBusy,
    move_environment,
    verify_environment,
)
from sealflow.storage.administration.administration import Actor
from sealflow.storage.maintenance import relocation as moving

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

S = ["Succeeded"]
REQUEST = {"method": "POST", "uri": "https://example.org/", "body": "@listCallbackUrl()"}
FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "first": {"type": "Compose", "inputs": "@triggerBody()"},
        "hook": {"type": "HttpWebhook", "inputs": {"subscribe": REQUEST}, "runAfter": {"first": S}},
        "call": {"type": "Http", "inputs": {"method": "GET", "uri": "https://example.org/slow"}},
        "last": {"type": "Compose", "inputs": "@body('hook')", "runAfter": {"hook": S, "call": S}},
    },
}


class Service:
    """Takes subscriptions at once; the slow call is answered when it is told to."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.keys: list[str] = []
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def __call__(self, call: sealflow.Call) -> sealflow.ConnectorResponse:
        inputs: Any = call.inputs
        if inputs["uri"].endswith("slow"):
            self.keys.append(call.key)
            await self.answer.wait()
            return sealflow.ConnectorResponse(200, {}, "slow")
        self.urls.append(inputs["body"])
        self.asked.set()
        return sealflow.ConnectorResponse(202, {}, None)


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


async def begun(world: Revocable, service: Service) -> Any:
    """A run that waits for its callback, and for a call; the inbox has its key."""
    (run,) = await world.env.start(await world.env.deploy("f", FLOW), {"n": 7})
    async for entry in run.follow():
        if entry.code == "Subscribed":
            break
    await world.env._executor.take_inbox()  # type: ignore[union-attr]
    return run


async def test_the_worker_goes_on_at_the_new_place(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        refusals = 0

        async def meanwhile() -> None:
            """The worker looks, and drops everything; whoever wants something then is told so."""
            nonlocal refusals
            await world.look()
            await world.refused(world.env.deploy("other", FLOW))
            with pytest.raises(EnvironmentLocked):
                await world.env.callback(service.urls[0], body="too early")
            refusals += 1

        leases: list[int] = []
        places = world.engine.store.places
        remove = places.remove

        async def removed(info: EnvironmentInfo) -> None:
            leases.append(sum(task.get_name() == "sealflow lease" for task in asyncio.all_tasks()))
            await remove(info)

        monkeypatch.setattr(places, "remove", removed)
        for url in (postgres.url, None):
            moved = await move_environment(world.admin, NAME, url, pause=meanwhile)
            assert (moved.environment.database, moved.in_flight, moved.left) == (url, 1, None)
            await world.look()
            await world.back()
            assert (await run.snapshot()).status == "Running"
        assert refusals >= 2
        assert leases[-1] == 0  # the move does not renew its lease in a store that is gone
        await world.env.deploy("other", FLOW)
        assert (await world.env.callback(service.urls[0], body="now")).status == 200
        service.answer.set()
        assert (await run.result()).status == "Succeeded"
        shown = {action["name"]: action["outputs"] for action in (await run.result()).actions}
        assert (shown["first"], shown["last"]) == ({"n": 7}, "now")
        assert len(service.urls) == 1
        assert len(set(service.keys)) == 1
        assert (await verify_environment(world.engine.store, NAME)).findings == []
        acts = [(act.kind, act.status) async for act in world.admin.audit.acts() if act.kind == moving.MOVE]
        assert acts == [(moving.MOVE, "Running"), (moving.MOVE, "Succeeded")] * 2


async def test_a_worker_that_does_not_let_go(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_LOOKS", 3)
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        with pytest.raises(StoreBusy):
            await move_environment(world.admin, NAME, postgres.url, pause=_nothing)
        await world.look()
        await world.back()
        assert (await run.snapshot()).status == "Running"  # where it was
        assert (await world.engine.store.environment(NAME)).other is None


async def test_what_does_not_verify_stays(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is not what it should be never counts, and nothing of it is left."""
    async with revocable(tmp_path) as world:
        await world.env.deploy("f", FLOW)

        numbers = count()

        async def other(*_: object) -> dict[str, object]:
            return {"messages": next(numbers)}

        monkeypatch.setattr(moving, "_counts", other)
        with pytest.raises(IntegrityError, match="something else than the environment: messages"):
            await move_environment(world.admin, NAME, postgres.url, pause=world.look)
        info = await world.engine.store.environment(NAME)
        assert (info.database, info.other) == (None, None)
        await world.look()
        await world.back()
        assert [each.name for each in await world.env.flows()] == ["f"]
        connection = await asyncpg.connect(postgres.url)
        try:
            found = await connection.fetch("SELECT 1 FROM pg_namespace WHERE nspname = $1", f"sealflow_{info.id.hex()}")
        finally:
            await connection.close()
        assert found == []


async def test_who_may_not(tmp_path: Path, postgres: PostgresServer) -> None:
    async with revocable(tmp_path) as world:
        for actor in (Actor("eve", key_administrator=False), Actor("eve", environment_administrator=False)):
            with pytest.raises(NotPermitted):
                await move_environment(world.engine.administration(actor), NAME, postgres.url)
        await world.lock()
        with pytest.raises(EnvironmentLocked):
            await move_environment(world.admin, NAME, postgres.url)


async def test_something_waits_that_came_while_it_was_locked(tmp_path: Path, postgres: PostgresServer) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        await begun(world, service)
        await world.lock()
        assert (await world.env.callback(service.urls[0], body="kept")).status == 202
        await world.admin.unlock(NAME)
        with pytest.raises(Conflict, match="inbox"):
            await move_environment(world.admin, NAME, postgres.url, pause=world.look)


async def _nothing() -> None:
    """Nobody looks."""
