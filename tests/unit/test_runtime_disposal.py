"""Deleting runs and flows through the engine, and the executor's upkeep by its own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from actions import compose, wait
from sealflow.engine.errors import NotFound, SealflowError
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.retention import PERIOD, Upkeep
from sealflow.storage import Retention, StoreBusy


def definition(actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "triggers": {"manual": {"type": "Request", "kind": "Button", "inputs": {}}},
        "actions": actions,
    }


async def test_runs_are_deleted_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        env = await engine.environment("a")
        await env.deploy("f", definition({"A": compose("x")}))
        runs = [(await env.start("f"))[0] for _ in range(3)]
        for run in runs:
            await run.result()
        found = await env.retention.delete_runs(runs[0].id, runs[1].id.replace("-", "")[:30])
        assert (found.runs, found.wal) == (2, "done")
        assert [each.id for each in await env.runs()] == [runs[2].id]
        with pytest.raises(NotFound):
            await env.retention.delete_runs(runs[0].id)


async def test_a_flow_is_deleted_and_nothing_of_it_starts_again(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        env = await engine.environment("a")
        await env.deploy("f", definition({"W": wait(9, "Hour")}))
        (run,) = await env.start("f")
        with pytest.raises(SealflowError) as caught:
            await env.retention.delete_flow("f")
        assert caught.value.code == "RunInFlight"
        assert (await env.trigger("f")).enabled  # as before
        with pytest.raises(SealflowError) as caught:
            await env.retention.delete_runs(run.id)
        assert caught.value.code == "RunInFlight"
        await run.cancel()
        await run.result()
        assert (await env.retention.delete_flow("F")).runs == 1
        assert await env.flows() == []
        assert await env.runs() == []
        with pytest.raises(NotFound):
            await env.start("f")
        await env.deploy("f", definition({"A": compose("new")}))
        (run,) = await env.start("f")
        assert (await run.result()).status == "Succeeded"


async def test_the_executor_applies_the_retention_when_it_starts(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        env = await engine.environment("a")
        await env.deploy("f", definition({"A": compose("x")}))
        for _ in range(3):
            (run,) = await env.start("f")
            await run.result()
        await env.retention.set_limits("f", Retention(runs=1))
        assert await env.retention.limits("F") == Retention(runs=1)
        assert len(await env.runs()) == 3
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        env = await engine.environment("a")
        await env.resume_unfinished()
        assert [each.id for each in await env.runs()] == [run.id]


class Hours:
    """A clock that is set by hand, and a vault that counts what is asked of it."""

    def __init__(self) -> None:
        self.ticks = 5 * PERIOD
        self.applied: list[int] = []
        self.swept = 0
        self.busy = False

    def now(self) -> int:
        return self.ticks

    async def apply_retention(self, now_ms: int) -> int:
        if self.busy:
            raise StoreBusy("busy")
        self.applied.append(now_ms)
        return 1

    async def sweep_values(self, older_ms: int) -> int:
        self.swept = older_ms
        return 0

    async def finish_shredding(self) -> str:
        return "done"


async def test_upkeep_is_done_once_an_hour_and_survives_a_busy_store() -> None:
    hours = Hours()
    upkeep = Upkeep(hours, hours)  # type: ignore[arg-type]
    await upkeep.look()
    hours.ticks += PERIOD - SECOND
    await upkeep.look()
    assert hours.applied == [5 * PERIOD // 10_000]
    hours.ticks += SECOND
    hours.busy = True
    await upkeep.look()
    hours.busy = False
    hours.ticks += PERIOD
    await upkeep.look()
    assert hours.swept == 3_600_000  # whatever its clock says
    assert hours.applied == [5 * PERIOD // 10_000, 7 * PERIOD // 10_000]
