"""Reports of runs: counted while they are read, with actions given one by one, in the memory of a few of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.kernel import Entry, History
from sealflow.engine.runtime.observe import report as reports
from sealflow.engine.runtime.observe.report import AmbiguousActionError, RunReport

S = ["Succeeded"]
KEPT = 8

ITEM: dict[str, Any] = {
    "Look": {"type": "Compose", "inputs": "@div(12, item())"},
    "Inside": {
        "type": "Scope",
        "runAfter": {"Look": S},
        "actions": {"Twice": {"type": "Compose", "inputs": "@mul(2, outputs('Look'))"}},
    },
}
LOOP: dict[str, Any] = {"type": "Foreach", "foreach": "@range(0, 20)", "actions": ITEM}
DEFINITION: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "First": {"type": "Compose", "inputs": "one"},
        "Loop": {**LOOP, "runAfter": {"First": S}},
        "Beside": {"type": "Wait", "inputs": {"interval": {"count": 20, "unit": "Second"}}},
        "Last": {"type": "Compose", "inputs": "@length(result('Loop'))", "runAfter": {"Loop": ["Failed"]}},
    },
}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a history keeps is so little that these runs are long."""
    rooms = ("kernel.cloud.history.history", "runtime.observe.report", "runtime.environment.environment")
    for module in (*rooms, "runtime.observe.run"):
        monkeypatch.setattr(f"sealflow.engine.{module}.KEPT", KEPT)


@pytest.fixture
async def env(tmp_path: Path) -> AsyncIterator[sealflow.Environment]:
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys.json") as engine:
        yield await engine.environment()


async def told(report: RunReport, offset: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
    return [action async for action in report.actions(offset, limit)]


async def finished(env: sealflow.Environment) -> sealflow.Run:
    await env.deploy("f", DEFINITION, dialect="logic-apps")
    (run,) = await env.start("f", simulate=True)
    await run.wait()
    return run


async def test_actions_one_by_one_are_those_of_the_whole_result(env: sealflow.Environment) -> None:
    run = await finished(env)
    whole = (await run.snapshot()).to_json()
    report = await run.report()
    assert report.head() == {name: value for name, value in whole.items() if name != "actions"}
    assert len(whole["actions"]) == report.total == 4 + 3 * 20
    assert await told(report) == whole["actions"]
    assert await told(report, 10, 7) == whole["actions"][10:17]
    assert await told(report, 60) == whole["actions"][60:]
    assert await told(report, 200, 5) == []


async def test_a_run_is_counted(env: sealflow.Environment) -> None:
    report = await (await finished(env)).report()
    # 12 / 0 fails, and with it the loop; the Scope after it and what is in that are skipped.
    assert report.counts == {"Succeeded": 60, "Failed": 2, "Skipped": 2}
    assert [(each.path, each.code) for each in report.failures] == [("/Loop[0]/Look", "InvalidTemplate")]
    assert (report.failed, report.failures_known) == (1, True)
    assert report.failed_paths == ("/Loop[0]/Look", "/Loop")
    assert report.begun is not None
    assert report.ended is not None
    assert report.begun < report.ended


async def test_a_run_that_goes_on_is_told_as_it_stands(env: sealflow.Environment) -> None:
    await env.deploy("f", DEFINITION, dialect="logic-apps")
    (run,) = await env.start("f")
    async for entry in run.follow():
        if entry.path == "/Last" and entry.end is not None:
            break
    report = await run.report()
    assert (report.status, report.counts["Running"]) == ("Running", 1)
    actions = await told(report)
    assert actions == (await run.snapshot()).actions
    assert [action["path"] for action in actions if action["end"] is None] == ["/Beside"]
    await run.cancel()
    await run.wait()
    assert (await run.report()).counts["Cancelled"] == 1
    assert (await told(report))[-1]["path"] == actions[-1]["path"]


async def test_few_actions_are_in_memory(env: sealflow.Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by what a history holds: of a run of 64 actions those that others had to wait for."""
    run = await finished(env)
    made: list[History] = []
    report_of = reports.report_of

    def seen(state: Any, history: History, *given: Any, **more: Any) -> RunReport:
        made.append(history)
        return report_of(state, history, *given, **more)

    monkeypatch.setattr(reports, "report_of", seen)
    await run.report()
    (first,) = made
    assert not first.complete
    assert first.entries == []
    assert {"/Beside", "/Loop"} <= {entry.path for entry in first.long.values()}
    assert not [entry for entry in first.long.values() if entry.node.name == "Twice"]


async def test_what_is_told_while_a_run_goes_on_is_counted_too(env: sealflow.Environment) -> None:
    await env.deploy("f", DEFINITION, dialect="logic-apps")
    seen: list[Entry] = []
    (run,) = await env.start("f", simulate=True, on_change=seen.append)
    await run.wait()
    report = await run.report()
    assert report.total == len({entry.number for entry in seen}) == 64
    assert all(entry.outputs is not None for entry in seen if entry.node.name == "Twice" and entry.status == 1)
    assert await told(report) == (await run.snapshot()).actions


async def test_a_follower_has_the_report_without_another_look(env: sealflow.Environment) -> None:
    first = await finished(env)
    run = await env.run(first.id)
    outputs = [entry.outputs async for entry in run.follow() if entry.node.name == "Twice" and entry.end is not None]
    assert len([value for value in outputs if value is not None]) >= 19
    report = await run.report()
    assert report.counts == (await first.report()).counts
    assert await told(report) == (await first.snapshot()).actions


async def test_one_action_is_found_by_path_or_by_name(env: sealflow.Environment) -> None:
    run = await finished(env)
    whole = {action["path"]: action for action in (await run.snapshot()).actions}
    assert await run.action("/loop[3]/inside/TWICE") == whole["/Loop[3]/Inside/Twice"]
    assert await run.action("Loop[12]/Look") == whole["/Loop[12]/Look"]
    assert await run.action("last") == whole["/Last"]
    assert await run.action("Beside") == whole["/Beside"]
    with pytest.raises(AmbiguousActionError, match=r"More than 5 actions are called 'Look': /Loop\[0\]/Look, "):
        await run.action("Look")
    for wanted in ("/Loop[99]/Look", "/Loop[3]", "Nobody", "/Look"):
        with pytest.raises(sealflow.NotFound, match="There is no action"):
            await run.action(wanted)


async def test_a_path_is_read_no_further_than_its_action(
    env: sealflow.Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = {**LOOP, "foreach": "@range(1, 2000)"}
    await env.deploy("f", {**DEFINITION, "actions": {"Loop": long, "Only": {"type": "Compose", "inputs": 1}}})
    (run,) = await env.start("f", simulate=True)
    await run.wait()
    pages = 0
    fold = reports.fold

    async def counted(*given: Any) -> AsyncIterator[Any]:
        nonlocal pages
        async for state in fold(*given):
            pages += 1
            yield state

    monkeypatch.setattr(reports, "fold", counted)
    assert (await run.action("/Loop[1]/Look"))["outputs"] == 6
    assert pages == 1
    assert (await run.action("/Loop[1999]/Look"))["outputs"] == 0
    assert pages > 2
    assert (await asyncio.gather(run.action("Only"), run.action("/only")))[0]["path"] == "/Only"
