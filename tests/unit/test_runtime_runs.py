"""Runs through the embedded engine: started, followed, resumed, cancelled - on a real store, with a jumping clock."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.errors import NotFound, SealflowError
from sealflow.storage import NotStorable

S = ["Succeeded"]
START = 17_000_000_000_000_000


def definition(actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions, **more}


def call(operation: str = "Do", *after: str, **parameters: Any) -> dict[str, Any]:
    host = {"apiId": "/providers/Microsoft.PowerApps/apis/shared_test", "connectionName": "c", "operationId": operation}
    inputs = {"host": host, "parameters": parameters}
    return {"type": "OpenApiConnection", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


def wait(hours: int, *after: str) -> dict[str, Any]:
    inputs = {"interval": {"count": hours, "unit": "Hour"}}
    return {"type": "Wait", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


class World:
    """The outside: what was called, with which key; `answer` may block, fail or return."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, call: Any) -> Any:
        self.calls.append((call.path, call.key, call.inputs["parameters"]))
        if self.gate is not None:
            await self.gate.wait()
        return {"echo": call.inputs["parameters"]}


@asynccontextmanager
async def opened(folder: Path, world: World | None = None, **options: Any) -> AsyncIterator[Any]:
    clock = options.pop("clock", None) or sealflow.VirtualClock(START, jumps=True)
    async with sealflow.open(folder / "home", keystore=folder / "keys" / "k.json", clock=clock, **options) as engine:
        if world is not None:
            engine.connectors.register("test", world)
        yield engine, await engine.environment("env")


async def test_a_flow_is_deployed_started_and_read_back(tmp_path: Any) -> None:
    async with opened(tmp_path) as (engine, env):
        assert engine.notice is not None
        flow = await env.deploy("f", definition({"c": {"type": "Compose", "inputs": "@triggerBody()"}}))
        assert (flow.name, flow.version, flow.created) == ("f", 1, True)
        assert not (await env.deploy("f", definition({"c": {"type": "Compose", "inputs": "@triggerBody()"}}))).created
        changed = await env.deploy("F", definition({"c": {"type": "Compose", "inputs": 2}}))
        assert changed.version == 2
        (old,) = await env.start(flow, {"a": 1})
        (new,) = await env.start("f")
        assert (await old.result()).actions[0]["outputs"] == {"a": 1}
        assert (await new.result()).actions[0]["outputs"] == 2
        assert [run.flow for run in await env.runs()] == ["f", "f"]
        assert (await env.flow("f")).versions == 2
        assert (await env.flow("f", 1)).definition["actions"]["c"]["inputs"] == "@triggerBody()"
    async with opened(tmp_path) as (engine, env):
        assert engine.notice is None
        assert [flow.name for flow in await env.flows()] == ["f"]
        assert (await (await env.run("latest")).result()).version == 2


async def test_what_is_not_there(tmp_path: Any) -> None:
    async with opened(tmp_path) as (engine, env):
        for missing in (
            env.flow("x"),
            env.start("x"),
            env.run("latest"),
            env.run("0" * 32),
            env.run("zz"),
            engine.environment("q", create=False),
        ):
            with pytest.raises(NotFound):
                await missing
        with pytest.raises(SealflowError, match="already"):
            await engine.create_environment("ENV")


async def test_records_are_durable_before_the_call_goes_out(tmp_path: Any) -> None:
    world = World()
    async with opened(tmp_path, world) as (_, env):
        seen: list[int] = []

        async def look(call: Any) -> Any:
            run = await env.run("latest")
            seen.append(len((await run.snapshot()).actions))
            return {}

        env._connectors.register("test", look)
        await env.deploy(
            "f", definition({"a": {"type": "Compose", "inputs": 1}, "b": call("x", "a"), "c": call("y", "b")})
        )
        (run,) = await env.start("f")
        assert (await run.result()).status == "Succeeded"
        # What was decided before each call, its own Scheduled record included, could be read from the store.
        assert seen == [2, 3]


async def test_pure_actions_share_one_commit(tmp_path: Any) -> None:
    async with opened(tmp_path) as (_, env):
        actions = {"a0": {"type": "Compose", "inputs": 0}}
        for number in range(1, 100):
            actions[f"a{number}"] = {"type": "Compose", "inputs": number, "runAfter": {f"a{number - 1}": S}}
        await env.deploy("f", definition(actions))
        before = env._vault.commits
        (run,) = await env.start("f")
        await run.result()
        assert env._vault.commits - before <= 2


async def test_runs_share_commits(tmp_path: Any) -> None:
    world = World()
    async with opened(tmp_path, world) as (_, env):
        actions = {"c0": call("x")}
        for number in range(1, 5):
            actions[f"c{number}"] = call("x", f"c{number - 1}")
        flow = await env.deploy("f", definition(actions))
        before = env._vault.commits
        runs = [(await env.start(flow))[0] for _ in range(40)]
        await asyncio.gather(*(run.result() for run in runs))
        assert len(world.calls) == 200
        assert env._vault.commits - before < 100


async def test_a_run_goes_on_after_a_restart_and_repeats_only_the_call_under_way(tmp_path: Any) -> None:
    world = World()
    actions = {"a": call("one", n=1), "b": call("two", "a", n="@body('a')['echo']['n']"), "c": call("three", "b", n=3)}
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        run_id = run.id
        while len(world.calls) < 2:
            world.gate = asyncio.Event() if world.calls else None
            await asyncio.sleep(0)
    first = list(world.calls)
    world.gate = None
    async with opened(tmp_path, world, resume=False) as (_, env):
        run = await env.run(run_id)
        assert (await run.snapshot()).status == "Running"
        assert await run.resume()
        result = await run.result()
        assert result.status == "Succeeded"
        assert not await run.resume()
    again = world.calls[len(first) :]
    assert [path for path, _, _ in first] == ["/a", "/b"]
    assert [path for path, _, _ in again] == ["/b", "/c"]
    assert again[0] == first[1]


async def test_unfinished_runs_resume_with_the_executor(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition({"a": call("x")}))
        for _ in range(3):
            await env.start("f")
        while len(world.calls) < 3:
            await asyncio.sleep(0)
    world.gate = None
    async with opened(tmp_path, world) as (_, env):
        runs = await env.resume_unfinished()
        for summary in await env.runs():
            assert (await (await env.run(summary.id)).result()).status == "Succeeded"
    assert len(world.calls) == 6
    assert len({key for _, key, _ in world.calls}) == 3
    assert len(runs) <= 3


async def test_a_call_that_must_not_be_repeated_fails_as_interrupted(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    actions = {
        "a": call("x"),
        "h": {"type": "Compose", "inputs": "@actions('a')['error']['code']", "runAfter": {"a": ["Failed"]}},
    }
    async with opened(tmp_path) as (engine, env):
        engine.connectors.register("test", world, recovery="never")
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        while not world.calls:
            await asyncio.sleep(0)
    async with opened(tmp_path) as (engine, env):
        engine.connectors.register("test", world, recovery="never")
        resumed = await env.run(run.id)
        await resumed.resume()
        result = await resumed.result()
    assert result.status == "Succeeded"
    assert result.actions[1]["outputs"] == "ActionInterrupted"
    assert len(world.calls) == 1


async def test_a_long_delay_is_marked_as_waiting_and_leaves_a_snapshot(tmp_path: Any) -> None:
    clock = sealflow.VirtualClock(START)
    big = "x" * 40_000
    actions = {
        "c": {"type": "Compose", "inputs": big},
        "w": wait(5, "c"),
        "l": {"type": "Compose", "inputs": "@length(outputs('c'))", "runAfter": {"w": S}},
    }
    async with opened(tmp_path, clock=clock) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        await _marked_as_waiting(env)
    clock = sealflow.VirtualClock(START + 10_000_000)
    async with opened(tmp_path, clock=clock) as (_, env):
        live = await (await env._execute()).resume(bytes.fromhex(run.id.replace("-", "")))
        # The snapshot holds the large output by reference; it is loaded when it is needed.
        assert type(live.state.root.out[0]).__name__ == "Large"
        clock.advance(6 * 3600 * 10_000_000)
        result = await (await env.run(run.id)).result()
        assert result.status == "Succeeded"
        assert result.actions[2]["outputs"] == 40_000
        assert (await sealflow.replay(await (await env.run(run.id)).export(plaintext=True))).differences == []


async def test_cancel(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition({"a": call("x"), "b": call("y", "a")}))
        (run,) = await env.start("f")
        while not world.calls:
            await asyncio.sleep(0)
        assert await run.cancel("enough")
        result = await run.result()
        assert (result.status, result.error["message"]) == ("Cancelled", "enough")
        assert [action["status"] for action in result.actions] == ["Cancelled", "Skipped"]
        assert not await run.cancel()


async def test_a_deadline_gives_the_call_up(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition({"a": {**call("x"), "limit": {"timeout": "PT1M"}}}))
        (run,) = await env.start("f")
        result = await run.result()
        assert result.actions[0]["status"] == "TimedOut"
        assert result.status == "Failed"


@pytest.mark.parametrize("simulate", [None, True])
async def test_a_delay_has_a_limit_too(tmp_path: Any, simulate: bool | None) -> None:
    actions = {
        "w": {**wait(5), "limit": {"timeout": "PT1H"}},
        "t": {"type": "Compose", "inputs": "@utcNow()", "runAfter": {"w": ["TimedOut"]}},
    }
    async with opened(tmp_path) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f", simulate=simulate)
        result = await run.result()
        assert [action["status"] for action in result.actions] == ["TimedOut", "Succeeded"]
        assert result.actions[1]["outputs"] == "2023-11-14T23:13:20.0000000Z"


async def test_the_response_is_there_before_the_run_ends(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    actions = {"r": {"type": "Response", "inputs": {"statusCode": 201, "body": "hi"}}, "a": call("x", "r")}
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        response = await run.response()
        assert response["statusCode"] == 201
        assert (await run.snapshot()).status == "Running"
        world.gate.set()
        assert (await run.result()).status == "Succeeded"


async def test_a_flow_whose_response_never_runs_answers_502(tmp_path: Any) -> None:
    actions = {
        "f": {"type": "Compose", "inputs": "@int('x')"},
        "r": {"type": "Response", "inputs": {"statusCode": 200}, "runAfter": {"f": S}},
    }
    async with opened(tmp_path) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        assert (await run.response())["statusCode"] == 502


# ---- child flows

CHILD = definition(
    {
        "a": call("child", n="@triggerBody()['n']"),
        "r": {"type": "Response", "inputs": {"statusCode": 200, "body": "@body('a')"}, "runAfter": {"a": S}},
    }
)
PARENT = definition(
    {
        "go": {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "/x/workflows/child"}}, "body": {"n": 7}}},
        "after": {"type": "Compose", "inputs": "@body('go')?['echo/n']", "runAfter": {"go": S}},
    }
)


async def test_a_child_flow_answers_its_parent(tmp_path: Any) -> None:
    world = World()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("child", CHILD)
        await env.deploy("parent", PARENT)
        (run,) = await env.start("parent")
        result = await run.result()
        assert result.actions[1]["outputs"] == 7
        child, parent = sorted(await env.runs(), key=lambda each: each.flow)
        assert child.parent == parent.id
        assert (await env.run("latest")).id == parent.id


async def test_a_child_is_found_again_after_a_restart(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("child", CHILD)
        await env.deploy("parent", PARENT)
        (run,) = await env.start("parent")
        while not world.calls:
            await asyncio.sleep(0)
    world.gate = None
    async with opened(tmp_path, world, resume=False) as (_, env):
        resumed = await env.run(run.id)
        await resumed.resume()
        assert (await resumed.result()).status == "Succeeded"
        assert len(await env.runs()) == 2
    assert len({key for _, key, _ in world.calls}) == 1


async def test_a_child_that_is_missing_or_cannot_answer(tmp_path: Any) -> None:
    async with opened(tmp_path) as (_, env):
        await env.deploy("parent", PARENT)
        (run,) = await env.start("parent")
        assert (await run.result()).actions[0]["code"] == "WorkflowNotFound"
        await env.deploy("child", definition({"a": {"type": "Compose", "inputs": 1}}))
        (run,) = await env.start("parent")
        assert (await run.result()).actions[0]["code"] == "NestedWorkflowDoesNotContainResponseAction"


async def test_flows_call_one_another_to_a_limit(tmp_path: Any) -> None:
    again = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "round"}}, "body": {"n": 1}}}
    last = {"type": "Response", "inputs": {"statusCode": 200}, "runAfter": {"again": ["Succeeded"]}}
    async with opened(tmp_path) as (_, env):
        await env.deploy("round", definition({"again": again, "last": last}))
        (run,) = await env.start("round", {})
        assert (await run.result()).actions[0]["code"] == "NestedWorkflowsTooDeep"
        runs = await env.runs(limit=200)
    assert len(runs) == 51  # each level once
    assert {each.status for each in runs} == {"Failed"}


async def test_a_flow_that_ends_its_recursion_is_fine(tmp_path: Any) -> None:
    again = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "down"}}, "body": "@sub(triggerBody(), 1)"}}
    more = {"type": "If", "expression": "@greater(triggerBody(), 0)", "actions": {"again": again}}
    last = {"type": "Response", "inputs": {"statusCode": 200}, "runAfter": {"more": ["Succeeded"]}}
    async with opened(tmp_path) as (_, env):
        await env.deploy("down", definition({"more": more, "last": last}))
        (run,) = await env.start("down", 10)
        assert await run.wait() == "Succeeded"
        assert len(await env.runs()) == 11


@pytest.mark.parametrize(("name", "code"), [("manual", "OK"), ("MANUAL", "OK"), ("other", "TriggerNotFound")])
async def test_a_child_is_called_by_the_name_of_its_trigger(tmp_path: Any, name: str, code: str) -> None:
    host = {"workflow": {"id": "child"}, "triggerName": name}
    async with opened(tmp_path, World()) as (_, env):
        await env.deploy("child", CHILD)
        await env.deploy("parent", definition({"go": {"type": "Workflow", "inputs": {"host": host, "body": {"n": 7}}}}))
        (run,) = await env.start("parent")
        assert (await run.result()).actions[0]["code"] == code


async def test_a_child_that_fails_before_it_answers_is_a_bad_gateway(tmp_path: Any) -> None:
    child = definition(
        {
            "f": {"type": "Compose", "inputs": "@int('x')"},
            "r": {"type": "Response", "inputs": {"statusCode": 200}, "runAfter": {"f": S}},
        }
    )
    async with opened(tmp_path) as (_, env):
        await env.deploy("child", child)
        await env.deploy("parent", PARENT)
        (run,) = await env.start("parent")
        result = await run.result()
        assert result.actions[0]["code"] == "BadGateway"
        assert result.actions[0]["error"]["code"] == "NoResponse"


# ---- triggers, simulation


async def test_split_on_starts_a_run_for_each_element(tmp_path: Any) -> None:
    trigger = {
        "type": "Request",
        "splitOn": "@triggerBody()?['value']",
        "conditions": [{"expression": {"not": {"equals": ["@triggerBody()", "no"]}}}],
    }
    flow = {"triggers": {"t": trigger}, "actions": {"c": {"type": "Compose", "inputs": "@triggerBody()"}}}
    async with opened(tmp_path) as (_, env):
        await env.deploy("f", flow)
        assert await env.start("f", {"value": ["no"]}) == []
        runs = await env.start("f", {"value": ["a", "no", "b"]})
        assert [(await run.result()).actions[0]["outputs"] for run in runs] == ["a", "b"]


async def test_a_simulation_needs_no_outside_and_passes_delays_at_once(tmp_path: Any) -> None:
    actions = {
        "a": {
            **call("x"),
            "inputs": {**call("x")["inputs"], "retryPolicy": {"type": "fixed", "count": 2, "interval": "PT1H"}},
        },
        "w": wait(48, "a"),
        "t": {"type": "Compose", "inputs": "@utcNow()", "runAfter": {"w": S}},
    }
    mocks = {
        "A": [
            {"status": "Failed", "outputs": {"statusCode": 500}},
            {"status": "Succeeded", "outputs": {"statusCode": 200, "body": 1}},
        ]
    }
    async with opened(tmp_path, clock=sealflow.VirtualClock(START)) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f", simulate=mocks)
        result = await run.result()
        assert result.actions[0]["attempts"] == 2
        assert result.actions[2]["outputs"] == "2023-11-16T23:13:20.0000000Z"
        with pytest.raises(sealflow.DefinitionError, match="'zz'"):
            await env.start("f", simulate={"zz": {}})


async def test_a_simulated_parent_simulates_its_child(tmp_path: Any) -> None:
    async with opened(tmp_path) as (_, env):
        await env.deploy("parent", PARENT)
        (run,) = await env.start("parent", simulate=True)
        assert (await run.result()).status == "Succeeded"
        await env.deploy("child", CHILD)
        (run,) = await env.start("parent", simulate=True)
        result = await run.result()
        assert result.status == "Succeeded"
        assert len(await env.runs(flow="child")) == 1


async def test_follow_gives_each_change(tmp_path: Any) -> None:
    world = World()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition({"a": call("x"), "b": {"type": "Compose", "inputs": 1, "runAfter": {"a": S}}}))
        (run,) = await env.start("f")
        seen = [(entry.path, entry.status) async for entry in run.follow()]
        assert seen[-1] == ("/b", 1)
        assert ("/a", 1) in seen


async def test_two_stores_open_at_once_the_second_asks_the_first(tmp_path: Any) -> None:
    world = World()
    async with opened(tmp_path, world, clock=sealflow.SystemClock()) as (_, env):
        await env.deploy("f", definition({"a": call("x", n="@triggerBody()")}))
        assert await env._execute() is not None
        async with opened(tmp_path, clock=sealflow.SystemClock()) as (_, other):
            assert await other._execute() is None
            (run,) = await other.start("f", 5)
            result = await run.result(timeout=60)
            assert result.actions[0]["inputs"]["parameters"] == {"n": 5}
            world.gate = asyncio.Event()
            (run,) = await other.start("f", 6)
            while len(world.calls) < 2:
                await asyncio.sleep(0.01)
            assert await run.cancel("from outside")
            assert (await run.result(timeout=60)).status == "Cancelled"


# ---- bundles


async def test_a_bundle_replays_and_tells_what_a_changed_definition_does(tmp_path: Any) -> None:
    actions: dict[str, Any] = {
        "a": {"type": "Compose", "inputs": "@guid()"},
        "b": {"type": "Compose", "inputs": "@utcNow()", "runAfter": {"a": S}},
        "c": {"type": "Compose", "inputs": 1, "runAfter": {"b": S}},
    }
    async with opened(tmp_path) as (engine, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        await run.result()
        sealed, plain = await run.export(), await run.export(plaintext=True)
        assert b"Compose" not in sealed
        assert b"Compose" in plain
        for data in (sealed, plain):
            report = await sealflow.replay(data, engine=engine)
            assert (report.actions, report.differences) == (3, [])
        changed = definition({**actions, "b": {**actions["b"], "runAfter": {"a": ["Failed"]}}})
        (difference,) = (await sealflow.replay(plain, definition=changed)).differences
        assert difference["path"] == "/b"
        assert difference["kind"] == "missing"
        other = definition({"new": {"type": "Compose", "inputs": 0}, **actions, "c": {**actions["c"], "inputs": 2}})
        (difference,) = (await sealflow.replay(plain, definition=other)).differences
        assert difference["path"] == "/new"
        with pytest.raises(SealflowError, match="sealed"):
            await sealflow.replay(sealed)
        for broken in (b"", b"{", b"{}", plain[:-20], sealed[:-3], sealed[:200] + b"x" + sealed[201:]):
            with pytest.raises(SealflowError, match=r"no history bundle|not a history bundle|cannot be opened"):
                await sealflow.replay(broken, engine=engine)


# ---- when something goes wrong


async def test_a_value_that_cannot_be_stored_ends_its_run_and_no_other(tmp_path: Any) -> None:
    deep = "[" * 450 + "]" * 450
    actions = {"a": call("x"), "b": {"type": "Compose", "inputs": "@json(triggerBody())", "runAfter": {"a": S}}}
    async with opened(tmp_path, World()) as (_, env):
        await env.deploy("f", definition(actions))
        (bad,) = await env.start("f", deep)
        (good,) = await env.start("f", "[1]")
        result = await bad.result()
        assert (result.status, result.code) == ("Failed", "ValueNotStorable")
        assert (await good.result()).status == "Succeeded"
        assert (await (await env.run(bad.id)).snapshot()).code == "ValueNotStorable"


async def test_it_ends_its_run_also_where_that_had_ended_and_earlier_pages_are_still_written(tmp_path: Any) -> None:
    deep = "[" * 450 + "]" * 450
    loop = {"type": "Foreach", "foreach": "@range(0, 400)", "actions": {"c": {"type": "Compose", "inputs": 1}}}
    actions = {"a": loop, "b": {"type": "Compose", "inputs": "@json(triggerBody())", "runAfter": {"a": S}}}
    async with opened(tmp_path, World()) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f", deep)
        result = await run.result()
        assert (result.status, result.code) == ("Failed", "ValueNotStorable")


async def test_a_start_that_cannot_be_stored_starts_nothing(tmp_path: Any) -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    flow = {"triggers": {"t": {"type": "Request", "splitOn": "@triggerBody()"}}, "actions": {}}
    async with opened(tmp_path) as (_, env):
        await env.deploy("f", flow)
        with pytest.raises(NotStorable, match="nested"):
            await env.start("f", [1, deep, 2])
        assert await env.runs() == []


async def test_closing_the_engine_stops_everything_and_tells_who_waits(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    loop = {
        "type": "Until",
        "expression": "@equals(1,2)",
        "limit": {"count": 3000},
        "actions": {"n": {"type": "Compose", "inputs": 1}},
    }
    actions = {"c": call("x"), "u": {**loop, "runAfter": {"c": S}}, "h": call("late", "u")}
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        waiting = asyncio.ensure_future(run.result())
        while not world.calls:
            await asyncio.sleep(0)
        world.gate.set()
        await asyncio.sleep(0)
    with pytest.raises(SealflowError, match="closed"):
        await waiting
    assert [path for path, _, _ in world.calls] == ["/c"]
    async with opened(tmp_path, world) as (_, env):
        assert (await (await env.run(run.id)).result()).status == "Succeeded"
    assert [path for path, _, _ in world.calls][-1] == "/h"


async def test_waiting_for_a_run_of_an_earlier_process_takes_it_up(tmp_path: Any) -> None:
    world = World()
    world.gate = asyncio.Event()
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("f", definition({"a": call("x")}))
        await env.start("f")
    world.gate = None
    async with opened(tmp_path, world) as (_, env):
        assert (await (await env.run("latest")).result(timeout=60)).status == "Succeeded"


async def test_a_child_that_had_answered_answers_again_after_a_restart(tmp_path: Any) -> None:
    child = definition(
        {
            "r": {"type": "Response", "inputs": {"statusCode": 200, "body": {"echo": {"n": 5}}}},
            "a": {**call("slow"), "runAfter": {"r": S}},
        }
    )
    world = World()
    world.gate = asyncio.Event()
    parent = definition({**PARENT["actions"], "b": call("stop", "after")})
    async with opened(tmp_path, world) as (_, env):
        await env.deploy("child", child)
        await env.deploy("parent", parent)
        (run,) = await env.start("parent")
        while len(world.calls) < 2:
            await asyncio.sleep(0)
        store = env._vault
        records = [page async for page in store.read_run(run._id)]
        assert records
    async with opened(tmp_path, world, resume=False) as (_, env):
        live = await (await env._execute()).resume(
            next(each for each in await env._vault.unfinished() if each != run._id)
        )
        assert live.responded.is_set()
        world.gate.set()


async def test_a_simulation_wakes_sleepers_in_the_order_of_their_times(tmp_path: Any) -> None:
    variables = [{"name": "s", "type": "string", "value": ""}]
    actions = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": variables}},
        "w10": wait(10, "v"),
        "w5": wait(5, "v"),
        "a": {"type": "AppendToStringVariable", "inputs": {"name": "s", "value": "10;"}, "runAfter": {"w10": S}},
        "b": {"type": "AppendToStringVariable", "inputs": {"name": "s", "value": "5;"}, "runAfter": {"w5": S}},
        "c": {"type": "Compose", "inputs": "@variables('s')", "runAfter": {"a": S, "b": S}},
    }
    async with opened(tmp_path) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f", simulate=True)
        assert (await run.result()).actions[-1]["outputs"] == "5;10;"


async def test_a_delay_behind_a_call_is_marked_as_waiting_too(tmp_path: Any) -> None:
    async with opened(tmp_path, World(), clock=sealflow.VirtualClock(START)) as (_, env):
        await env.deploy("f", definition({"a": call("x"), "w": wait(5, "a")}))
        await env.start("f")
        await _marked_as_waiting(env)


async def _marked_as_waiting(env: Any) -> None:
    async with asyncio.timeout(60):
        while [each.status for each in await env.runs()] != ["Waiting"]:
            await asyncio.sleep(0.001)


async def test_a_crash_while_a_value_is_loaded_leaves_a_turn_that_goes_on(tmp_path: Any) -> None:
    clock = sealflow.VirtualClock(START)
    actions = {
        "c": {"type": "Compose", "inputs": "x" * 40_000},
        "w": wait(5, "c"),
        "first": {"type": "Compose", "inputs": 1, "runAfter": {"w": S}},
        "l": {"type": "Compose", "inputs": "@length(outputs('c'))", "runAfter": {"first": S}},
    }
    async with opened(tmp_path, clock=clock) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        while [each.status for each in await env.runs()] != ["Waiting"]:
            await asyncio.sleep(0)
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock=clock) as (_, env):
        with env._access.pins.held(run._id):  # it stays in memory
            live = await (await env._execute()).resume(run._id)
            before = live.log.seq
            clock.advance(6 * 3600 * 10_000_000)
            while not live._loading:
                await asyncio.sleep(0)
            # What was decided before the value was needed is written: the timer, and the first action.
            assert live.log.seq == before + 2
    async with opened(tmp_path, clock=clock) as (engine, env):
        resumed = await env.run(run.id)
        assert (await resumed.result()).status == "Succeeded"
        assert (await sealflow.replay(await resumed.export(), engine=engine)).differences == []


async def test_the_run_of_a_client_goes_on_when_its_executor_ends(tmp_path: Any) -> None:
    """Two processes, played by two engines: the first executes, the second asks it and waits."""
    flow = definition({"a": call("x")})
    first = sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json")
    world = World()
    world.gate = asyncio.Event()
    async with opened(tmp_path, world, clock=sealflow.SystemClock(), resume=False) as (_, second):
        async with first as engine:
            engine.connectors.register("test", world)
            env = await engine.environment("env")
            await env.deploy("f", flow)
            assert await env._execute() is not None
            (run,) = await second.start("f")
            waiting = asyncio.ensure_future(run.result(timeout=60))
            while not world.calls:
                await asyncio.sleep(0.01)
        world.gate.set()
        assert (await waiting).status == "Succeeded"
    assert len({key for _, key, _ in world.calls}) == 1


async def test_values_that_json_does_not_have_survive_a_plaintext_bundle(tmp_path: Any) -> None:
    actions = {
        "d": {"type": "Compose", "inputs": "@decimal('1.10')"},
        "o": {"type": "Compose", "inputs": {"$bytes": "aGk="}},
        "e": {"type": "Compose", "inputs": {"$object": {"$decimal": "1"}}},
    }
    async with opened(tmp_path) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        await run.result()
        plain = await run.export(plaintext=True)
    assert (await sealflow.replay(plain)).differences == []


async def test_a_bundle_that_somebody_damaged_is_refused_or_differs(tmp_path: Any) -> None:
    actions = {"a": {"type": "Compose", "inputs": "@guid()"}, "w": wait(1, "a"), "c": call("x", "w")}
    async with opened(tmp_path, World()) as (_, env):
        await env.deploy("f", definition(actions))
        (run,) = await env.start("f")
        await run.result()
        plain = await run.export(plaintext=True)
    chance = random.Random(5)
    refused = 0
    for _ in range(300):
        content = json.loads(plain)
        damage(content, chance)
        try:
            await sealflow.replay(json.dumps(content).encode())
        except SealflowError:  # any other exception fails the test
            refused += 1
    assert refused > 50


def damage(content: Any, chance: random.Random) -> None:
    """Replace or remove something anywhere in a JSON value."""
    while True:
        keys: Any = list(content) if isinstance(content, dict) else range(len(content))
        key = chance.choice(list(keys))
        if isinstance(content[key], dict | list) and content[key] and chance.random() < 0.8:
            content = content[key]
            continue
        if chance.random() < 0.3:
            del content[key]
        else:
            content[key] = chance.choice([None, -1, 10**9, "x", [], {}, [1], {"a": 1}, True])
        return
