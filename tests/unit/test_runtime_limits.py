"""Limits of containers and of whole runs as the runtime keeps them: what is given up, what survives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.errors import SealflowError
from sealflow.engine.kernel.contract.timing import iso
from sealflow.engine.runtime.runs.expiry import Expiry

START = 17_000_000_000_000_000
SECOND = 10_000_000
DAY = 86_400 * SECOND
S = ["Succeeded"]
HOST = {"apiId": "/providers/Microsoft.PowerApps/apis/shared_test", "connectionName": "c", "operationId": "Do"}
CALL = {"type": "OpenApiConnection", "inputs": {"host": HOST, "parameters": {}}}


def definition(actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions, **more}


def compose(value: Any, *after: str, on: list[str] | None = None) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "runAfter": dict.fromkeys(after, on or S)}


def wait(count: int, unit: str, *after: str) -> dict[str, Any]:
    inputs = {"interval": {"count": count, "unit": unit}}
    return {"type": "Wait", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


class Blocked:
    """A connector that answers when it is told to, and knows which calls were given up."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.given_up = asyncio.Event()
        self.calls = 0

    async def __call__(self, call: Any) -> Any:
        self.calls += 1
        self.called.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return {"ok": True}


@asynccontextmanager
async def opened(folder: Path, clock: Any, world: Any = None, **options: Any) -> AsyncIterator[Any]:
    async with sealflow.open(folder / "home", keystore=folder / "k.json", clock=clock, **options) as engine:
        if world is not None:
            engine.connectors.register("test", world)
        yield await engine.environment("env")


def limited(timeout: str, actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "s": {"type": "Scope", "limit": {"timeout": timeout}, "actions": actions},
        "late": compose("@actions('s')['code']", "s", on=["TimedOut"]),
    }


def statuses(result: Any) -> dict[str, str]:
    return {action["path"]: action["status"] for action in result.actions}


async def test_a_lapse_gives_the_calls_inside_up(tmp_path: Any) -> None:
    world, clock = Blocked(), sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, world) as env:
        await env.deploy("f", definition(limited("PT30S", {"c": CALL, "w": wait(1, "Hour")})))
        (run,) = await env.start("f")
        await world.called.wait()
        while clock.next_due != START + 30 * SECOND:
            await asyncio.sleep(0)
        clock.advance(30 * SECOND)
        await world.given_up.wait()
        result = await run.result()
        assert statuses(result) == {"/s": "TimedOut", "/s/c": "Cancelled", "/s/w": "Cancelled", "/late": "Succeeded"}
        assert result.actions[-1]["outputs"] == "ActionTimedOut"
        assert result.status == "Succeeded"


async def test_a_container_that_ends_in_time_leaves_no_timer(tmp_path: Any) -> None:
    world, clock = Blocked(), sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, world) as env:
        await env.deploy(
            "f", definition({**limited("PT30S", {"c": compose(1)}), "call": {**CALL, "runAfter": {"s": S}}})
        )
        (run,) = await env.start("f")
        await world.called.wait()
        assert run._live._timers.lapsing == set()
        assert clock.next_due is None
        world.gate.set()
        assert statuses(await run.result()) == {
            "/s": "Succeeded",
            "/s/c": "Succeeded",
            "/late": "Skipped",
            "/call": "Succeeded",
        }
        assert len(run._live._tasks) == 0


async def test_a_limit_goes_on_after_a_restart(tmp_path: Any) -> None:
    world, clock = Blocked(), sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, world) as env:
        await env.deploy("f", definition(limited("PT30S", {"c": CALL})))
        (run,) = await env.start("f")
        await world.called.wait()
    later = sealflow.VirtualClock(START + 40 * SECOND)
    async with opened(tmp_path, later, Blocked()) as env:
        result = await (await env.run(run.id)).result()
        assert statuses(result) == {"/s": "TimedOut", "/s/c": "Cancelled", "/late": "Succeeded"}


async def test_a_simulation_meets_limits_in_its_own_time(tmp_path: Any) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock) as env:
        flow = {
            **limited("PT1H", {"w": wait(2, "Hour")}),
            "in_time": {"type": "Scope", "limit": {"timeout": "PT3H"}, "actions": {"w2": wait(1, "Hour")}},
            "end": wait(5, "Hour"),
        }
        await env.deploy("f", definition(flow))
        (run,) = await env.start("f", simulate=True)
        result = await run.result()
        assert statuses(result)["/s"] == "TimedOut"
        assert statuses(result)["/in_time"] == "Succeeded"
        end = next(action for action in result.actions if action["path"] == "/end")
        assert (end["status"], end["end"][11:16]) == ("Succeeded", iso(START + 5 * 3600 * SECOND)[11:16])


# ---- how long a run may last


async def test_a_run_that_outlives_its_limit_is_timed_out(tmp_path: Any) -> None:
    world, clock = Blocked(), sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, world) as env:
        await env.deploy("f", definition({"c": CALL, "after": compose(1, "c")}), dialect="power-automate")
        (run,) = await env.start("f")
        await world.called.wait()
        clock.advance(30 * DAY - 1)
        env._executor.expire()
        assert (await run.snapshot()).status == "Running"
        clock.advance(1)
        env._executor.expire()
        result = await run.result()
        assert (result.status, result.code) == ("TimedOut", "RunDurationExceeded")
        assert "30 days" in result.error["message"]
        assert statuses(result) == {"/c": "Cancelled", "/after": "Skipped"}
        await world.given_up.wait()


async def test_the_limit_of_logic_apps_is_longer_and_an_environment_may_set_its_own(tmp_path: Any) -> None:
    world, clock = Blocked(), sealflow.VirtualClock(START)
    for name, options, days in (("a", {}, 90), ("b", {"run_duration": timedelta(days=2)}, 2)):
        async with opened(tmp_path / name, clock, world, **options) as env:
            await env.deploy("f", definition({"c": CALL}), dialect="logic-apps")
            (run,) = await env.start("f")
            await world.called.wait()
            clock.advance(days * DAY - 1)
            env._executor.expire()
            assert (await run.snapshot()).status == "Running"
            clock.advance(1)
            env._executor.expire()
            assert (await run.result()).status == "TimedOut"


async def test_what_happens_later_than_the_limit_does_not_count(tmp_path: Any) -> None:
    async with opened(tmp_path, sealflow.VirtualClock(START, jumps=True)) as env:
        await env.deploy("f", definition({"w": wait(40, "Day"), "c": compose(1, "w")}), dialect="power-automate")
        for simulate in (False, True):
            (run,) = await env.start("f", simulate=simulate)
            result = await run.result()
            assert (result.status, result.code) == ("TimedOut", "RunDurationExceeded")
            assert statuses(result) == {"/w": "Cancelled", "/c": "Skipped"}


async def test_the_limit_counts_from_the_start_across_restarts(tmp_path: Any) -> None:
    world = Blocked()
    async with opened(tmp_path, sealflow.VirtualClock(START), world) as env:
        await env.deploy("f", definition({"w": wait(40, "Day"), "c": CALL}), dialect="power-automate")
        (run,) = await env.start("f")
        await world.called.wait()
    later = sealflow.VirtualClock(START + 29 * DAY)
    async with opened(tmp_path, later, Blocked()) as env:
        run = await env.run(run.id)
        await run.resume()
        env._executor.expire()
        assert (await run.snapshot()).status == "Running"
        later.advance(DAY)
        env._executor.expire()
        assert (await run.result()).code == "RunDurationExceeded"


async def test_a_duration_must_be_longer_than_nothing(tmp_path: Any) -> None:
    with pytest.raises(SealflowError, match="longer than nothing"):
        async with opened(tmp_path, sealflow.VirtualClock(START), run_duration=timedelta(0)):
            pass


def test_runs_that_have_ended_do_not_pile_up() -> None:
    expiry = Expiry()
    for number in range(10_000):
        expiry.add(number.to_bytes(4, "big"), number, {b"live"})
    assert len(expiry) <= 257
    assert expiry.take(20_000)[-1] == (9_999).to_bytes(4, "big")


# ---- sleeping


async def test_a_run_with_a_distant_limit_can_sleep(tmp_path: Any) -> None:
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock) as env:
        await env.deploy("f", definition(limited("PT10H", {"w": wait(9, "Hour")})))
        (run,) = await env.start("f")
        while (await env.runs())[0].status != "Waiting":
            await asyncio.sleep(0)
    later = sealflow.VirtualClock(START + 10 * 3600 * SECOND, jumps=True)
    async with opened(tmp_path, later) as env:
        assert statuses(await (await env.run(run.id)).result())["/s"] == "TimedOut"


# ---- the caller, and the id it is found by


def respond(body: Any, *after: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "Response",
        "kind": "Http",
        "inputs": {"statusCode": 200, "body": body},
        "runAfter": dict.fromkeys(after, S),
        **more,
    }


async def test_a_caller_gives_up_after_two_minutes_and_the_run_goes_on(tmp_path: Any) -> None:
    world, clock = Blocked(), sealflow.VirtualClock(START)
    async with opened(tmp_path, clock, world) as env:
        await env.deploy("f", definition({"c": CALL, "r": respond(1, "c")}))
        (run,) = await env.start("f")
        answer = asyncio.ensure_future(run.response())
        await world.called.wait()
        while clock.next_due is None:
            await asyncio.sleep(0)
        clock.advance(120 * SECOND)
        assert (await answer)["statusCode"] == 504
        world.gate.set()
        result = await run.result()
        assert statuses(result) == {"/c": "Succeeded", "/r": "Failed"}
        assert result.actions[1]["code"] == "ActionResponseTimedOut"
        assert result.response is not None
        assert result.response["statusCode"] == 504


async def test_replies_of_flows_that_do_not_keep_the_caller_waiting(tmp_path: Any) -> None:
    world = Blocked()
    async with opened(tmp_path, sealflow.VirtualClock(START), world) as env:
        await env.deploy("none", definition({"c": CALL}))
        await env.deploy("later", definition({"c": CALL, "r": respond(7, "c", operationOptions="Asynchronous")}))
        (none,), (later,) = await env.start("none"), await env.start("later")
        assert (await none.response())["statusCode"] == 202
        accepted = await later.response()
        assert (accepted["statusCode"], accepted["headers"]["Location"]) == (202, f"/runs/{later.id}/response")
        assert (await later.response(polled=True))["statusCode"] == 202
        world.gate.set()
        await later.result()
        assert (await later.response(polled=True))["body"] == 7
        assert (await (await env.run(later.id)).response(polled=True))["body"] == 7


async def test_the_client_tracking_id_goes_to_child_flows(tmp_path: Any) -> None:
    async with opened(tmp_path, sealflow.VirtualClock(START)) as env:
        child = definition({"r": respond("@trigger()['clientTrackingId']")})
        await env.deploy("child", child)
        call = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "child"}}, "body": {}}}
        await env.deploy("parent", definition({"w": call, "c": compose("@body('w')", "w")}))
        (run,) = await env.start("parent", {}, headers={"x-ms-client-tracking-id": "order-7"})
        result = await run.result()
        assert (result.tracking, result.actions[-1]["outputs"]) == ("order-7", "order-7")
        (plain,) = await env.start("parent", {})
        assert (await plain.result()).tracking == plain.id
