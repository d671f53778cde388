"""Desktop flows that wait leave memory, unless they have something open that lives in this process only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sealflow
from desktop_callers import calling, deploy, first_of
from sealflow.connectors.desktop import Settings
from sealflow.connectors.desktop.folders import Allowed
from sealflow.engine.kernel.contract.timing import SECOND

START = 17_000_000_000_000_000
WAITS = """@INPUT Secret : { 'Description': '', 'FriendlyName': 'Secret', 'Type': 'String' }
@OUTPUT Said : { 'Description': '', 'FriendlyName': 'Said', 'Type': 'String' }
@SENSITIVE: [Secret]
SET Rows TO [1, 2, 3]
WAIT 3600
SET Said TO $'''%Rows.Count% %Secret%'''
"""
OPEN = """Excel.LaunchExcel.LaunchUnderExistingProcess Visible: False UseMachineLocale: False Instance=> Book
WAIT 3600
Excel.CloseExcel.Close Instance: Book
"""


async def until(so: Any) -> None:
    async with asyncio.timeout(120):
        while not so():
            await asyncio.sleep(0)


def live(env: Any) -> list[str]:
    return sorted(run.flow for run in env._executor.live.values())


def everything_in(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


async def test_a_wait_leaves_memory_and_goes_on_with_its_variables(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env: Any = await engine.environment()
        flow = await deploy(env, tmp_path, "waits", WAITS)
        (run,) = await env.start(flow, {"Secret": "canary"})
        await until(lambda: not live(env))
        assert [each.status for each in await env.runs()] == ["Waiting"]
        assert len(env._executor.performer.sessions) == 0
        clock.advance(3600 * SECOND)
        await until(lambda: live(env) == ["waits"])
        result = await run.result()
        assert (result.status, result.outputs["Said"]) == ("Succeeded", "3 canary")
    assert b"canary" not in everything_in(tmp_path)


async def test_it_sleeps_through_a_restart(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START)) as engine:
        env: Any = await engine.environment()
        (run,) = await env.start(await deploy(env, tmp_path, "waits", WAITS), {"Secret": "x"})
        await until(lambda: not live(env))
    clock = sealflow.VirtualClock(START + 10 * SECOND)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env = await engine.environment()
        await env._execute()
        assert live(env) == []
        clock.advance(3590 * SECOND)
        assert (await (await env.run(run.id)).result()).outputs == {"Said": "3 x"}


async def test_what_has_a_workbook_open_stays(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    desktop = Settings(folders=(Allowed(tmp_path),))
    async with sealflow.open(tmp_path / "home", clock=clock, desktop=desktop) as engine:
        env: Any = await engine.environment()
        (run,) = await env.start(await deploy(env, tmp_path, "open", OPEN))
        state = next(iter(env._executor.live.values())).state
        await until(lambda: any(entry.due for entry in state.open.values()))
        for _ in range(200):
            await asyncio.sleep(0)
        assert live(env) == ["open"]
        assert len(env._executor.performer.sessions) == 1
        clock.advance(3600 * SECOND)
        assert (await run.result()).status == "Succeeded"


async def test_whoever_calls_a_flow_that_sleeps_sleeps_too(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env: Any = await engine.environment()
        await deploy(env, tmp_path, "inner", "WAIT 3600\n")
        await deploy(env, tmp_path, "outer", "External.RunFlow FlowId: $'''inner'''\n")
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "outer"})))
        inner = await first_of(env, "inner")
        await until(lambda: not live(env))
        clock.advance(3600 * SECOND)
        assert (await inner.result()).status == "Succeeded"
        call = next(each for each in (await run.result()).actions if each["name"] == "Call")
        assert call["status"] == "Succeeded"
