"""Desktop flows that wait for a machine of their group, where the one executor is the machine: order and limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from desktop_callers import GREETING, calling, deploy, first_of
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.desktop.machine_groups import changed, group_for, groups_of, without
from sealflow.engine.runtime.desktop.targets import connection_names

START = 17_000_000_000_000_000
WAITING = "WAIT 20\n"
"""Shorter than what leaves memory."""


@asynccontextmanager
async def opened(
    tmp_path: Path,
    clock: sealflow.VirtualClock | None = None,
    *,
    resume: bool = True,
    concurrency: int | None = None,
    **group: Any,
) -> AsyncIterator[Any]:
    """An environment with one machine group."""
    clock = clock if clock is not None else sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock, resume=resume, concurrency=concurrency) as engine:
        if not await engine.environments():
            await engine.create_environment("default")
            await engine.administration().allow("default", lambda kept: changed(kept, "Robots", **group))
        yield await engine.environment()


async def states(env: Any) -> list[str]:
    return [f"{each.flow} {each.state} {each.priority}" for each in await env.machines.runs()]


async def until(env: Any, expected: list[str]) -> None:
    async with asyncio.timeout(120):
        while await states(env) != expected:
            await asyncio.sleep(0)


async def call_of(run: Any) -> dict[str, Any]:
    """What became of the call; the caller itself may have answered too late for whoever asked it."""
    found: dict[str, Any] = next(each for each in (await run.result()).actions if each["name"] == "Call")
    return found


async def test_the_store_tells_nothing_of_groups(tmp_path: Path) -> None:
    async with opened(tmp_path, connections=["canary"], machines=["canary too"]) as env:
        assert env.machines.names() == ["Robots"]
    stored = b"".join(each.read_bytes() for each in sorted((tmp_path / "home").rglob("*.db*")))
    assert b"canary" not in stored
    assert b"Robots" not in stored


async def test_a_call_goes_through_the_queue_and_answers(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await deploy(env, tmp_path, "greet", GREETING)
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "greet", "item/Who": "Ada"})))
        result = await run.result()
        assert result.response["body"]["greeting"] == "Hello Ada"
        child = await first_of(env, "greet")
        report = await child.report()
        assert (report.status, await states(env)) == ("Succeeded", [])
        called = {"runMode": "unattended", "machineGroup": "Robots", "priority": "Normal"}
        assert report.head()["desktop"] == (await child.result()).to_json()["desktop"] == called
        assert "desktop" not in result.to_json()
        summary = next(each for each in await env.runs(flow="greet"))
        assert summary.parent == run.id


async def test_inputs_may_be_large(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await deploy(env, tmp_path, "greet", GREETING)
        flow = await env.deploy("caller", calling({"uiFlowId": "greet", "item/Who": "@{triggerBody()}"}))
        (run,) = await env.start(flow, "x" * 1_000_000)
        assert len((await run.result()).response["body"]["greeting"]) == 1_000_006


async def test_one_session_takes_what_is_more_important_then_what_waits_longer(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock) as env:
        for name in ("a", "b", "c", "d"):
            await deploy(env, tmp_path, name, WAITING)
        runs = []
        for name, priority in (("a", "Normal"), ("b", "Normal"), ("c", "High"), ("d", "normal")):
            caller = calling({"uiFlowId": name, "runPriority": priority})
            runs += await env.start(await env.deploy(f"calls_{name}", caller))
            await first_of(env, name)
        waiting = ["c NextToRun High", "b Queued Normal", "d Queued Normal"]
        await until(env, ["a Running Normal", *waiting])
        assert {each.status for each in await env.runs(flow="b")} == {"Waiting"}
        begun: list[str] = []
        while found := await states(env):
            begun += [state for state in found if "Running" in state and state not in begun]
            clock.advance(20 * SECOND)
            await asyncio.sleep(0)
        assert begun == ["a Running Normal", "c Running High", "b Running Normal", "d Running Normal"]
        assert [(await call_of(run))["status"] for run in runs] == ["Succeeded"] * 4


async def test_a_machine_has_as_many_sessions_as_its_group_says(tmp_path: Path) -> None:
    async with opened(tmp_path, sessions=2) as env:
        await deploy(env, tmp_path, "a", WAITING)
        flow = await env.deploy("caller", calling({"uiFlowId": "a"}))
        for _ in range(3):
            await env.start(flow)
        await until(env, ["a Running Normal"] * 2 + ["a NextToRun Normal"])


async def test_a_full_group_goes_on_when_a_session_is_free_whatever_the_other_groups_have(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock, resume=True) as engine:
        await engine.create_environment("default")
        acts = engine.administration()
        await acts.allow("default", lambda kept: changed(kept, "Robots"))
        await acts.allow("default", lambda kept: changed(kept, "Idle", connections=["other"]))
        env = await engine.environment()
        await deploy(env, tmp_path, "a", WAITING)
        flow = await env.deploy("caller", calling({"uiFlowId": "a"}))
        (first,), (second,) = await env.start(flow), await env.start(flow)
        await until(env, ["a Running Normal", "a NextToRun Normal"])
        async with asyncio.timeout(120):
            while await states(env):
                clock.advance(20 * SECOND)
                await asyncio.sleep(0)
        assert [(await call_of(run))["status"] for run in (first, second)] == ["Succeeded"] * 2


async def test_one_that_cannot_be_brought_back_takes_no_session_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock) as env:
        await deploy(env, tmp_path, "a", "SET x TO 1\n")
        flow = await env.deploy("caller", calling({"uiFlowId": "a"}))
        executor = await env._execute()
        resume, failed = executor.resume, list[bytes]()

        async def resumed(run_id: bytes, **given: Any) -> Any:
            if not failed or (run_id in failed[:1] and len(failed) < 3):
                failed.append(run_id)
                raise OSError
            return await resume(run_id, **given)

        monkeypatch.setattr(executor, "resume", resumed)
        (first,), (second,) = await env.start(flow), await env.start(flow)
        done = {run.id: asyncio.ensure_future(run.result()) for run in (first, second)}
        async with asyncio.timeout(120):
            await asyncio.wait(done.values(), return_when=asyncio.FIRST_COMPLETED)
            assert len(failed) == 1
            while not all(each.done() for each in done.values()):
                clock.advance(SECOND)
                await asyncio.sleep(0)
        assert len(failed) == 3
        assert [run["status"] for run in [await call_of(first), await call_of(second)]] == ["Succeeded"] * 2


async def test_a_run_that_sleeps_leaves_its_session_to_the_next_and_comes_back(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock) as env:
        await deploy(env, tmp_path, "sleeps", "WAIT 3600\n")
        await deploy(env, tmp_path, "short", "SET x TO 1\n")
        (sleeper,) = await env.start(await env.deploy("first", calling({"uiFlowId": "sleeps"})))
        await first_of(env, "sleeps")
        (other,) = await env.start(await env.deploy("second", calling({"uiFlowId": "short"})))
        assert (await other.result()).status == "Succeeded"
        assert await states(env) == ["sleeps Running Normal"]
        async with asyncio.timeout(120):
            while env._executor.live:
                await asyncio.sleep(0)
        clock.advance(3600 * SECOND)
        assert (await call_of(sleeper))["status"] == "Succeeded"


async def test_runs_that_sleep_wake_although_what_a_queue_gave_left_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, concurrency=1) as env:

        async def waits(seconds: int) -> Any:
            wait = {"type": "Wait", "inputs": {"interval": {"count": seconds, "unit": "Second"}}}
            return await env.start(await env.deploy(f"waits {seconds}", {**calling({}), "actions": {"W": wait}}))

        await waits(3600)
        executor = await env._execute()
        async with asyncio.timeout(20):
            while executor.live:
                await asyncio.sleep(0)

            async def take() -> bool:
                return bool(await waits(20))

            with monkeypatch.context() as patched:
                patched.setattr(executor.queue, "take", take)
                executor.claims._more = True
                await executor.claims.look()
            assert len(executor.live) == 1
            while executor.live:
                clock.advance(20 * SECOND)
                await asyncio.sleep(0)
            while len(await env.runs(status="Succeeded")) < 2:
                clock.advance(3600 * SECOND)
                await asyncio.sleep(0)


@pytest.mark.parametrize("sessions", [1, 2])
async def test_one_that_sleeps_while_another_desktop_flow_goes_on_wakes_when_that_has_ended(
    tmp_path: Path, sessions: int
) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, sessions=sessions) as env:
        await deploy(env, tmp_path, "inner", "WAIT 3600\n")
        await deploy(env, tmp_path, "outer", "External.RunFlow FlowId: $'''inner'''\n")
        await env.start(await env.deploy("caller", calling({"uiFlowId": "outer"})))
        executor = await env._execute()
        async with asyncio.timeout(20):
            while executor.live or len(await env.runs()) < 3:
                await asyncio.sleep(0)
            clock.advance(3600 * SECOND)
            while await states(env):
                await asyncio.sleep(0)
        assert [each.status for each in await env.runs(flow="outer")] == ["Succeeded"]


async def test_cancelling_the_caller_takes_the_run_out_of_the_queue(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await deploy(env, tmp_path, "a", WAITING)
        flow = await env.deploy("caller", calling({"uiFlowId": "a"}))
        (first,), (second,) = await env.start(flow), await env.start(flow)
        await until(env, ["a Running Normal", "a NextToRun Normal"])
        waits = next(each for each in await env.machines.runs() if each.state == "NextToRun")
        assert await (first if waits.parent == first.id else second).cancel()
        result = await (await env.run(waits.run)).result()
        assert (result.status, result.actions) == ("Cancelled", [])
        assert await states(env) == ["a Running Normal"]


async def test_a_run_that_waits_too_long_times_out_and_the_caller_goes_on(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, minutes=5) as env:
        await deploy(env, tmp_path, "long", "LOOP WHILE (1) = (1)\n    WAIT 20\nEND\n")
        await deploy(env, tmp_path, "short", "SET x TO 1\n")
        await env.start(await env.deploy("first", calling({"uiFlowId": "long"})))
        await until(env, ["long Running Normal"])
        (run,) = await env.start(await env.deploy("second", calling({"uiFlowId": "short"})))
        await until(env, ["long Running Normal", "short NextToRun Normal"])
        clock.advance(301 * SECOND)
        call = await call_of(run)
        error = call["error"]
        assert (call["status"], error["code"]) == ("Failed", "QueueTimeout")
        assert error["message"] == "No machine of the group 'Robots' has taken the run within 5 minutes."
        (child,) = await env.runs(flow="short")
        assert child.status == "TimedOut"


async def test_what_waits_is_there_after_a_restart_and_keeps_its_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await deploy(env, tmp_path, "a", WAITING)
        await deploy(env, tmp_path, "b", "SET x TO 1\n")
        (run,) = await env.start(await env.deploy("first", calling({"uiFlowId": "a"})))
        await until(env, ["a Running Normal"])
        (other,) = await env.start(await env.deploy("second", calling({"uiFlowId": "b", "runPriority": "High"})))
        await until(env, ["a Running Normal", "b NextToRun High"])
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock) as env:
        await env._execute()
        await until(env, ["a Running Normal", "b NextToRun High"])
        while await states(env):
            clock.advance(20 * SECOND)
            await asyncio.sleep(0)
        assert (await call_of(await env.run(run.id)))["status"] == "Succeeded"
        assert (await call_of(await env.run(other.id)))["status"] == "Succeeded"


async def test_a_process_that_takes_nothing_by_itself_takes_what_it_has_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path, resume=False) as env:
        await deploy(env, tmp_path, "greet", GREETING)
        flow = await env.deploy("caller", calling({"uiFlowId": "greet", "item/Who": "Ada"}))
        runs = [each for _ in range(3) for each in await env.start(flow)]
        assert [(await run.result()).response["body"]["greeting"] for run in runs] == ["Hello Ada"] * 3


async def test_a_desktop_flow_that_a_machine_calls_needs_no_session_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await deploy(env, tmp_path, "inner", "SET x TO 1\n")
        await deploy(env, tmp_path, "outer", "External.RunFlow FlowId: $'''inner'''\n")
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "outer"})))
        assert (await run.result()).response["body"]["error"] is None
        (inner,) = await env.runs(flow="inner")
        assert inner.status == "Succeeded"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({"runPriority": "Urgent"}, "InvalidPriority"), ({"timeout": "soon"}, "InvalidTimeout")],
)
async def test_what_a_call_says_wrong_fails_its_action(tmp_path: Path, parameters: dict[str, Any], code: str) -> None:
    async with opened(tmp_path) as env:
        await deploy(env, tmp_path, "a", "SET x TO 1\n")
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "a", **parameters})))
        assert (await run.result()).response["body"]["error"]["code"] == code
        assert await env.runs(flow="a") == []


async def test_a_call_of_another_connection_runs_where_it_is_made(tmp_path: Path) -> None:
    async with opened(tmp_path, connections=["finance"]) as env:
        await deploy(env, tmp_path, "a", WAITING)
        flow = await env.deploy("caller", calling({"uiFlowId": "a"}))
        for _ in range(2):
            await env.start(flow)
        async with asyncio.timeout(120):
            while [each.status for each in await env.runs(flow="a")] != ["Running"] * 2:
                await asyncio.sleep(0)
        assert await states(env) == []


def test_a_connection_is_known_by_what_the_action_says_of_it() -> None:
    power_automate = {"connectionName": "shared_uiflow_1", "connectionReferenceName": "crd_ref", "operationId": "x"}
    assert connection_names(power_automate) == ("shared_uiflow_1", "crd_ref")
    logic_apps = {"connection": {"name": "/subscriptions/1/providers/Microsoft.Web/connections/uiflow-2"}}
    assert connection_names(logic_apps) == ("uiflow-2",)
    assert connection_names(None) == ()


async def test_a_connection_of_the_environment_names_a_machine(tmp_path: Path) -> None:
    properties = {"properties": {"connectionParameters": {"machine": {"type": "string"}}}}
    async with opened(tmp_path, machines=["PC-7"]) as env:
        for name, machine in (("shared_uiflow", "pc-7"), ("other", "pc-8")):
            await env.connections.create(name, properties, {"machine": machine}, connector="shared_uiflow")
        await deploy(env, tmp_path, "a", WAITING)
        await env.start(await env.deploy("caller", calling({"uiFlowId": "a"})))
        await until(env, ["a Running Normal"])
        caller = calling({"uiFlowId": "a"})
        caller["actions"]["Call"]["inputs"]["host"]["connectionName"] = "other"
        await env.start(await env.deploy("elsewhere", caller))
        async with asyncio.timeout(120):
            while len(await env.runs(flow="a")) < 2:
                await asyncio.sleep(0)
        assert await states(env) == ["a Running Normal"]


def test_groups_are_found_by_what_a_call_names() -> None:
    kept = changed({}, "All")
    kept = changed(kept, "Finance", connections=["shared_uiflow_1"], machines=["PC-7"], sessions=2, minutes=30)
    everything, finance = groups_of(kept)
    assert (finance.sessions, finance.minutes, finance.id != everything.id) == (2, 30, True)
    assert group_for(groups_of(kept), ["SHARED_UIFLOW_1"]) == finance
    assert group_for(groups_of(kept), ["x", "pc-7"]) == finance
    assert group_for(groups_of(kept), ["finance"]) == finance
    assert group_for(groups_of(kept), ["shared_uiflow"]) == everything
    assert group_for([finance], ["shared_uiflow"]) is None
    kept = changed(kept, "FINANCE", minutes=0)
    assert (groups_of(kept)[1].minutes, groups_of(kept)[1].name, groups_of(kept)[1].id) == (None, "Finance", finance.id)
    assert [each.name for each in groups_of(without(kept, "all"))] == ["Finance"]
    assert without(without(kept, "all"), "finance") == {}


@pytest.mark.parametrize("said", [{"sessions": 0}, {"minutes": -1}, {"minutes": 10**6}, {"connections": ["c"]}])
def test_what_no_group_can_be(said: dict[str, Any]) -> None:
    kept = changed({}, "Other", connections=["C"])
    with pytest.raises(sealflow.SealflowError) as refused:
        changed(kept, "Robots", **said)
    assert refused.value.code == "InvalidSetting"
