"""Keys that are taken away while an environment is open: what is dropped, what is refused, how everything goes on."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path
from typing import Any

import pytest
import sealflow
from revocable import GRACE, NAME, PROBE, HandClock, Revocable, revocable
from sealflow.connectors import ConnectorResponse
from sealflow.engine.kernel import Plan, State
from sealflow.engine.runtime.runs.live_run import LiveRun
from sealflow.engine.runtime.workers import polling
from sealflow.storage import EnvironmentLocked, EnvironmentSuspended, StoreClosed
from sealflow.storage.format.envelope import EnvironmentKey, ScopeKey
from sealflow.storage.keys.provider_calls import CALLS
from sealflow.storage.keys.providers.file import create_key
from trigger_world import HOURLY, KEEP, START, recurring

S = ["Succeeded"]


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


CALL = {"type": "Http", "inputs": {"method": "POST", "uri": "https://example.org/", "body": "canary-4711"}}
FLOW = flow(
    first={"type": "Compose", "inputs": {"secret": "canary-4711"}},
    call={**CALL, "runAfter": {"first": S}},
    last={"type": "Compose", "inputs": "@body('call')", "runAfter": {"call": S}},
)


class Service:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.called = asyncio.Event()
        self.answer = asyncio.Event()

    async def __call__(self, call: sealflow.Call) -> ConnectorResponse:
        self.keys.append(call.key)
        self.called.set()
        await self.answer.wait()
        return ConnectorResponse(200, {}, {"answer": 42})


async def begun(world: Revocable, service: Service) -> Any:
    """A run that waits for the service."""
    (run,) = await world.env.start(await world.env.deploy("f", FLOW))
    await service.called.wait()
    service.called.clear()
    return run


async def finished(run: Any, service: Service) -> None:
    """The run is over, with what it would have without any of this; its call was made again with the same key."""
    service.answer.set()
    result = await run.result()
    assert result.status == "Succeeded"
    assert result.actions[-1]["outputs"] == {"answer": 42}
    assert [action["name"] for action in result.actions] == ["first", "call", "last"]
    assert len(set(service.keys)) == 1


async def test_a_denied_key_locks_after_it_was_denied_twice(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        waiting = asyncio.ensure_future(run.result())
        world.disable()
        await world.after(PROBE - 1)
        assert (await run.snapshot()).status == "Running"  # nobody has asked yet
        await world.after(1)
        assert (await run.snapshot()).status == "Running"  # denied once
        await world.after(2)
        await world.refused(run.snapshot())
        await world.refused(waiting)
        assert await locked(world.engine)
        acts = [(act.kind, act.actor, act.status, act.detail) async for act in world.admin.audit.acts()]
        assert ("environment lock", "sealflow", "Succeeded", {"reason": "denied"}) in acts
        world.enable()
        await world.look()
        await world.refused(run.snapshot())  # an administrator has to unlock it
        await world.unlock()
        await finished(run, service)


async def test_a_denial_that_is_withdrawn_locks_nothing(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        world.disable()
        await world.after(PROBE)
        world.enable()
        await world.after(2)
        assert await world.env.flows() == []
        assert not await locked(world.engine)


async def test_an_outage_is_bridged_then_suspends_and_heals_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        world.lose()
        await world.after(PROBE)
        await world.after(GRACE - PROBE - 1)
        assert (await run.snapshot()).status == "Running"
        await world.after(1)
        await world.refused(run.snapshot(), EnvironmentSuspended)
        await world.after(PROBE)
        await world.refused(world.env.flows(), EnvironmentSuspended)
        world.find()
        await world.after(PROBE)
        await world.back()
        await finished(run, service)
        kinds = [act.kind async for act in world.admin.audit.acts() if act.kind not in CALLS]
        assert kinds[-2:] == ["environment suspend", "environment resume"]
    assert "canary" not in caplog.text


async def test_another_key_of_that_name_is_an_alarm_without_grace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with revocable(tmp_path) as world:
        world.lose()
        create_key(world.keys, "main")
        await world.after(PROBE)
        await world.refused(world.env.flows(), EnvironmentSuspended)
        assert [each.levelno for each in caplog.records if "does not open" in each.message] == [logging.CRITICAL]
        alarm = [act async for act in world.admin.audit.acts() if act.kind not in CALLS][-1]
        assert (alarm.kind, alarm.status, alarm.detail) == ("key alarm", "Failed", {"code": "WrongKey"})
        world.keys.unlink()
        world.find()
        await world.after(PROBE)
        assert await world.env.flows() == []


async def test_an_outage_that_turns_out_to_be_a_denial_locks(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        world.lose()
        await world.after(PROBE)
        await world.after(GRACE)
        await world.refused(world.env.flows(), EnvironmentSuspended)
        world.find()
        world.disable()
        await world.after(PROBE)
        await world.refused(world.env.flows(), EnvironmentSuspended)
        await world.after(2)
        await world.refused(world.env.flows())
        world.enable()
        await world.after(PROBE)
        await world.refused(world.env.flows())
        await world.unlock()
        assert await world.env.flows() == []


async def test_every_entry_is_refused_while_locked(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        env = world.env
        run = await begun(world, service)
        answering = flow(answer={"type": "Response", "inputs": {"statusCode": 200}})
        deployed, keys, connections = await env.deploy("other", answering), env.keys, env.connections
        bundle = await run.export()
        operation = await keys.begin_migration()
        vault = env._vault
        reader = await vault.reader(run._id)
        log = env._executor.live[run._id].log  # type: ignore[union-attr]
        properties = {"properties": {"connectionParameters": {"key": {"type": "securestring"}}}}
        entries = {
            "deploy": lambda: env.deploy("f", FLOW), "flows": env.flows, "flow": lambda: env.flow("f"),
            "trigger": lambda: env.trigger("f"), "enable": lambda: env.enable("f"),
            "disable": lambda: env.disable("f"), "watch": env.watch_triggers, "fire": env.fire_due, "idle": env.idle,
            "start": lambda: env.start("f"), "start it": lambda: env.start(deployed), "run": lambda: env.run(run.id),
            "runs": env.runs, "resume": env.resume_unfinished, "bundle": lambda: env.open_bundle(bundle),
            "connect": lambda: connections.create("c", properties, {"key": "k"}, connector="desk"),
            "connections": connections.all, "connection": lambda: connections.one("c"),
            "values": lambda: connections.values("c"), "disconnect": lambda: connections.delete("c"),
            "operations": keys.operations, "migrate": keys.begin_migration,
            "follow work": lambda: keys.follow(operation), "wait": run.wait, "result": run.result,
            "response": run.response, "snapshot": run.snapshot, "callbacks": run.callbacks, "cancel": run.cancel,
            "go on": run.resume, "export": run.export, "export plain": lambda: run.export(plaintext=True),
            "trace": lambda: run.trace("first"), "follow": lambda: anext(run.follow()),
        }  # fmt: skip
        await world.lock()
        for name, entry in entries.items():
            with pytest.raises(EnvironmentLocked) as caught:
                await entry()
            assert NAME in caught.value.message, name
            assert caught.value.code == "EnvironmentLocked", name
        for work in (reader.read, vault.flows, vault.inbox, vault.unfinished, vault.reload_keys, vault.probe_keys):
            with pytest.raises(StoreClosed):
                await work()
        with pytest.raises(StoreClosed):
            log.append([[1]])
        with pytest.raises(StoreClosed):
            await log.record(1)
        await world.unlock()
        await finished(run, service)


async def test_who_follows_a_run_is_told_and_may_follow_again(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        seen, told = [], asyncio.Event()

        async def follow() -> None:
            async for entry in run.follow():
                seen.append(entry.path)
                told.set()

        following = asyncio.ensure_future(follow())
        await told.wait()
        await world.lock()
        await world.refused(following)
        await world.unlock()
        service.answer.set()
        seen.clear()
        await follow()
        assert seen[-1] == "/last"


async def test_nothing_that_opens_a_record_is_left_in_memory(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        environment = world.env._access.info.id
        assert any(each.environment == environment for each in living(ScopeKey))
        assert living(LiveRun)
        await world.lock()
        for key in living(ScopeKey):
            if key.environment == environment:
                assert type(key._aead).__name__ == "_NoCipher"
        for each in living(EnvironmentKey):
            if each.environment == environment:
                assert each._key is None
        assert not living(LiveRun)
        assert not living(Plan)
        assert not living(State)
        await world.unlock()
        await finished(run, service)


async def locked(engine: sealflow.Engine) -> bool:
    return (await engine.environment_status(NAME)).state.lock is not None


def living(kind: type[Any]) -> list[Any]:
    return [each for each in gc.get_objects() if type(each) is kind]


async def test_a_commit_after_the_lock_is_refused_and_done_again_after_it(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.admin.lock(NAME)  # nobody has looked yet
        service.answer.set()
        with pytest.raises(EnvironmentLocked):
            await run.result()
        await world.look()
        await world.unlock()
        await finished(run, service)


async def test_a_start_that_the_lock_refused_is_not_looked_for_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.admin.lock(NAME)  # nobody has looked yet
        with pytest.raises(EnvironmentLocked):
            await world.env.start("f")
        await world.look()
        await world.unlock()
        await finished(run, service)
        assert [each.id for each in await world.env.runs()] == [run.id]
    assert not [message for message in caplog.messages if "cannot be resumed" in message]


async def test_locked_and_unlocked_between_two_looks(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.admin.lock(NAME)
        await world.admin.unlock(NAME)
        await world.look()
        await world.back()
        await finished(run, service)


async def test_an_environment_without_a_policy_can_be_locked_too(tmp_path: Path) -> None:
    service = Service()
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
        engine.connectors.register("http", service)
        engine.boot_clock = clock = HandClock()
        world = Revocable(engine, await engine.environment(NAME), clock, tmp_path)
        run = await begun(world, service)
        await world.lock()
        await world.refused(run.snapshot())
        await world.after(10 * GRACE)  # there is nobody to ask
        await world.refused(world.env.flows())
        await world.unlock()
        await finished(run, service)


async def test_a_policy_that_came_meanwhile_is_watched(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        admin, other = world.admin, tmp_path / "other.json"
        create_key(other, "new")
        await admin.create_policy("second", f"file:{other}#new", probe=10, grace=0)
        await admin.apply("second", NAME)
        await world.look()
        await world.after(0)  # loads the new keys
        await world.env.deploy("f", FLOW)
        other.unlink()
        await world.after(9)
        assert len(await world.env.flows()) == 1
        await world.after(1)
        await world.refused(world.env.flows(), EnvironmentSuspended)


async def test_triggers_fire_again_after_the_lock(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with revocable(tmp_path, clock=clock) as world:
        fired: list[str] = []
        one = asyncio.Event()

        def tell(told: Any) -> None:
            fired.append(told.told["status"])
            one.set()

        await world.env.deploy("f", recurring(HOURLY, KEEP))
        await world.env.watch_triggers(fired=tell)
        await world.lock()
        clock.advance(60 * 60 * 10_000_000)
        assert fired == []
        await world.unlock()
        await one.wait()
        assert fired == ["Succeeded"]


async def test_opening_what_is_locked_denied_or_out_of_reach(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        keys = world.keys
    world.lose()

    async def opened() -> None:
        async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
            engine.boot_clock = HandClock(jumps=True)
            await engine.environment(NAME)

    await world.refused(opened(), EnvironmentSuspended)
    world.find()
    await opened()
    world.disable()
    await world.refused(opened())
    world.enable()
    await world.refused(opened())  # it was locked, and stays so
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
        assert await locked(engine)
        await engine.administration("maria").unlock(NAME)
    await opened()
    assert keys.exists()


async def test_a_key_that_is_denied_again_after_the_unlock_locks_again(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        await world.lock()
        await world.admin.unlock(NAME)
        world.disable()
        await world.look()
        await world.refused(world.env.flows())
        await world.after(2)
        assert await locked(world.engine)


async def test_an_engine_is_closed_while_locked(tmp_path: Path) -> None:
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        await begun(world, service)
        await world.lock()
    with pytest.raises(EnvironmentLocked, match="contoso is locked"):
        await world.env.flows()


async def test_a_worker_deletes_what_was_locked_for_longer_than_its_policy_allows(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        await world.admin.remove(NAME)
        await world.admin.create_policy("brief", world.admin.store.customers(_uri(world)).uri, delete_after=7)
        await world.admin.apply("brief", NAME)
        await world.look()
        await world.env.deploy("f", FLOW)
        await world.env.fire_due()  # it executes the environment from now on
        world.disable()
        await world.lock()
        await world.look()  # from now on it looks every hour whether the time is over
        store = world.engine.store
        real = store.now_ms
        store._now_ms = lambda: real() + 8 * 86_400_000
        await world.look()
        assert [each.name for each in await world.engine.environments()] == [NAME]
        world.clock.at += 3600
        await world.look()
        assert await world.engine.environments() == []
        await world.look()
        await world.after(PROBE)
        with pytest.raises(EnvironmentLocked, match="was deleted"):
            await world.env.flows()
        kinds = [(act.kind, act.actor) async for act in world.admin.audit.acts() if act.status == "Succeeded"]
        assert ("environment delete", "sealflow") in kinds


def _uri(world: Revocable) -> str:
    return f"file:{world.keys}#main"


async def test_the_inbox_of_a_closed_store_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(polling, "INBOX_PERIOD", 0)
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        await begun(world, service)
        await world.env._access.vault.drop_keys()
        for _ in range(200):
            await asyncio.sleep(0)
        assert [each.message for each in caplog.records if "inbox" in each.message] == []
