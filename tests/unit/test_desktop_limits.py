"""How long desktop flows may last: what they say themselves, and what calls say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from desktop_callers import calling, deploy, first_of
from sealflow.engine.importers.desktop import DesktopFlow
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.desktop.machine_groups import changed
from sealflow.engine.runtime.flows.desktop_packages import source_in
from sealflow.engine.runtime.flows.script_files import ScriptSource
from sealflow.engine.runtime.runs.desktop_limits import seconds

START = 17_000_000_000_000_000
ENDLESS = "LOOP WHILE (1) = (1)\n    WAIT 5\nEND\n"
HANDLES = f"BLOCK 'All'\nON BLOCK ERROR all\n    SET x TO 1\nEND\n{ENDLESS}END\n"


async def until_over(clock: sealflow.VirtualClock, run: Any) -> Any:
    """The run's result, as time goes by."""
    ended = asyncio.ensure_future(run.result())
    while not ended.done():
        clock.advance(5 * SECOND)
        await asyncio.sleep(0.001)
    return ended.result()


async def test_a_flow_that_has_lasted_too_long_ends_as_timed_out(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env = await engine.environment()
        flow = await env.deploy("endless", ScriptSource("endless", HANDLES, timeout=60))
        (run,) = await env.start(flow)
        result = await until_over(clock, run)
        assert (result.status, result.code) == ("TimedOut", "DesktopFlowTimedOut")
        assert "60 seconds" in result.error["message"]


async def test_the_limit_goes_on_after_a_restart(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("endless", ScriptSource("endless", ENDLESS, timeout=60)))
    clock = sealflow.VirtualClock(START + 59 * SECOND)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        again = await (await engine.environment()).run(run.id)
        result = await until_over(clock, again)
        assert (result.status, result.code) == ("TimedOut", "DesktopFlowTimedOut")


@pytest.mark.parametrize(("asked", "own", "expected"), [(30, None, 30), ("30", 600, 30), (600, 30, 30), (None, 30, 30)])
async def test_a_call_ends_with_its_own_limit_or_the_flows(
    tmp_path: Path, asked: object, own: int | None, expected: int
) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env = await engine.environment()
        await env.deploy("endless", ScriptSource("endless", ENDLESS, timeout=own))
        parameters = {"uiFlowId": "endless"} | ({} if asked is None else {"timeout": asked})
        (run,) = await env.start(await env.deploy("caller", calling(parameters)))
        child = await first_of(env, "endless")
        ended = await until_over(clock, child)
        assert (ended.status, ended.code) == ("TimedOut", "DesktopFlowTimedOut")
        assert f"{expected} seconds" in ended.error["message"]
        call = next(each for each in (await run.result()).actions if each["name"] == "Call")
        assert (call["status"], call["code"]) == ("Failed", "DesktopFlowTimedOut")


async def test_what_a_run_has_waited_for_a_machine_does_not_count(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        await engine.create_environment("default")
        await engine.administration().allow("default", lambda kept: changed(kept, "Robots"))
        env = await engine.environment()
        await env.deploy("first", ScriptSource("first", ENDLESS, timeout=100))
        await deploy(env, tmp_path, "second", "WAIT 20\n")
        await env.start(await env.deploy("calls_first", calling({"uiFlowId": "first"})))
        await first_of(env, "first")
        await env.start(await env.deploy("calls_second", calling({"uiFlowId": "second", "timeout": 60})))
        second = await first_of(env, "second")
        assert (await until_over(clock, await first_of(env, "first"))).status == "TimedOut"
        live: Any = env._executor
        async with asyncio.timeout(120):
            while not any(run.flow == "second" and run.state.open for run in live.live.values()):
                await asyncio.sleep(0)
        clock.advance(20 * SECOND)
        assert (await second.result()).status == "Succeeded"


@pytest.mark.parametrize("given", [0, -1, 86_401, "x", True, 1.5])
def test_what_is_no_limit(given: object) -> None:
    with pytest.raises(sealflow.SealflowError) as refused:
        seconds(given)
    assert refused.value.code == "InvalidTimeout"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [({"flowTimeout": 90}, 90), ({"flowTimeout": "90"}, 90), ({"flowTimeout": 0}, None), ({"flowTimeout": "x"}, None)],
)
async def test_a_flow_of_a_solution_brings_its_limit(
    tmp_path: Path, metadata: dict[str, Any], expected: int | None
) -> None:
    source = source_in(DesktopFlow("flow", "1", "x", ENDLESS, metadata=metadata))
    assert source.timeout == expected
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("flow", source))
        live: Any = env._executor
        state = live.live[bytes.fromhex(run.id.replace("-", ""))].state
        assert state.pins.get("timeout") == expected
        assert await run.cancel()
