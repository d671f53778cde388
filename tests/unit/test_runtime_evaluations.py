"""What is too much for a turn is evaluated in a process without keys, and nothing else changes by that."""

from __future__ import annotations

import asyncio
import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sealflow
from kernel_driver import START
from revocable import revocable
from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.effort import Budget
from sealflow.engine.kernel.cloud import external_evaluation as elsewhere
from sealflow.engine.kernel.cloud.pacing import OneRow
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.desktop.interface import start_value
from sealflow.engine.kernel.machines import machine_of
from sealflow.engine.runtime.flows.scripts import script_plan
from sealflow.engine.runtime.runs import turn_pace as pace
from sealflow.engine.runtime.workers import evaluations
from sealflow.engine.runtime.workers.evaluations import Evaluations
from sealflow.engine.runtime.workers.evaluator import Elsewhere, Reader, Writer
from sealflow.storage import EnvironmentLocked
from worst_flows import WORST, definition

PINS = {"seed": b"\x07" * 32, "parameters": {}, "workflow": {"name": "test"}, "run": "run", "revision": kernel.REVISION}
TEXT = "the quick brown fox"


class Nothing:
    """A pace that grants nothing: whatever is counted goes elsewhere."""

    def __init__(self) -> None:
        self.budget = Budget(0)
        self.share = 0.0
        self.due: float | None = None
        self.rows = 1

    def __call__(self) -> bool:
        return False


def plan_of(flow: dict[str, Any]) -> kernel.Plan:
    parsed = parse(flow)
    plan = kernel.build(parsed)
    plan.document = flow, parsed.dialect, ""
    return plan


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


HEAVY = flow(
    text={"type": "Compose", "inputs": f"@join(range(0,3000),'{TEXT}')"},
    heavy={"type": "Compose", "inputs": "@length(toUpper(outputs('text')))", "runAfter": {"text": ["Succeeded"]}},
)


async def decided(flow: dict[str, Any], elsewhere_too: Evaluations | None) -> list[Any]:
    """All records of a run without calls."""
    plan = plan_of(flow)
    state = kernel.State(plan)
    records: list[Any] = []
    record = event.start(START, {"outputs": {"body": None}}, PINS)
    while True:
        state.pace = Nothing() if elsewhere_too is not None and not state.heavy else None
        state.heavy = False
        made, _ = kernel.decide(plan, state, record)
        records += made
        if state.heavy and elsewhere_too is not None:
            given = await elsewhere_too.evaluate(plan, state)
            assert given is not None
            assert not isinstance(given, elsewhere.Missing)
            state.given, state.heavy = given, False
        if state.end is not None:
            return records
        record = event.resume() if kernel.unfinished(state) else event.tick(state.now + 1)


async def test_an_evaluation_elsewhere_gives_the_same_records() -> None:
    apart = Evaluations()
    for name in WORST:
        small = definition(name, 0.03)
        assert await decided(small, apart) == await decided(small, None)
    assert apart.made >= 10
    apart.close()


async def test_a_run_goes_through_a_process_where_it_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "ESTIMATE", 1e-6)
    async with sealflow.open(tmp_path) as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("f", HEAVY))
        result = await run.result()
        assert result.actions[-1]["outputs"] == 2999 * len(TEXT) + len("".join(map(str, range(3000))))
        assert env._executor is not None
        assert env._executor.evaluations.made >= 1
        assert (await sealflow.replay(await run.export(plaintext=True))).differences == []


async def test_an_action_that_takes_too_long_fails_and_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "ESTIMATE", 1e-6)
    monkeypatch.setattr(evaluations, "_START", "import sys; sys.stdin.buffer.read() if {path} else 0")
    async with sealflow.open(tmp_path) as engine:
        env = await engine.environment()
        deployed = await env.deploy("f", HEAVY)
        executor = await env._access.execute()
        assert executor is not None
        executor.evaluations.seconds = 0
        (run,) = await env.start(deployed)
        result = await run.result()
        assert result.status == "Failed"
        assert result.actions[0]["error"]["code"] == "EvaluationTimeLimit"
        assert (await sealflow.replay(await run.export(plaintext=True))).differences == []


async def test_a_process_that_crashes_fails_its_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "ESTIMATE", 1e-6)
    monkeypatch.setattr(evaluations, "_START", "import os; os.abort() if {path} else 0")
    async with sealflow.open(tmp_path) as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("f", HEAVY))
        result = await run.result()
        assert result.actions[0]["error"]["code"] == "EvaluationCrashed"
        assert (await sealflow.replay(await run.export(plaintext=True))).differences == []


async def test_a_lock_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "ESTIMATE", 1e-6)
    began = asyncio.Event()
    started = evaluations._Process._running
    loop = asyncio.get_running_loop()
    processes: list[Any] = []

    def running(process: Any) -> Any:
        processes.append(started(process))
        loop.call_soon_threadsafe(began.set)
        return processes[-1]

    async with revocable(tmp_path) as world:
        with monkeypatch.context() as patched:
            patched.setattr(evaluations, "_START", "import sys; sys.stdin.buffer.read() if {path} else 0")
            patched.setattr(evaluations._Process, "_running", running)
            (run,) = await world.env.start(await world.env.deploy("f", HEAVY))
            await began.wait()
            assert processes[0].poll() is None
            await world.lock()
            assert processes[0].wait(20) < 0
        with pytest.raises(EnvironmentLocked):
            await run.snapshot()
        await world.unlock()
        assert (await run.result()).status == "Succeeded"


def test_the_process_has_no_storage_and_no_keys() -> None:
    script = (
        "import sys, sealflow.engine.runtime.workers.evaluator;"
        "print([name for name in sys.modules if 'cryptography' in name or name.startswith('sealflow.storage')])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_what_is_missing_there_is_asked_for_here() -> None:
    plan = plan_of(HEAVY)
    state = kernel.State(plan)
    state.pace = Nothing()
    kernel.decide(plan, state, event.start(START, {"outputs": {"body": None}}, PINS))
    state.given = elsewhere.evaluate(plan, elsewhere.pack(state))  # type: ignore[assignment]
    kernel.decide(plan, state, event.resume())
    packed = elsewhere.pack(state)
    assert len(packed.values) == 1
    missing = elsewhere.evaluate(plan, packed._replace(values={}))
    assert isinstance(missing, elsewhere.Missing)
    elsewhere.ask_for(state, missing.at)
    assert [large.at for large in state.need] == list(packed.values)


def test_an_answer_holds_nothing_but_values() -> None:
    with pytest.raises(pickle.UnpicklingError):
        Reader(io.BytesIO(pickle.dumps(sys.exit)), []).load()

    class Stored:
        is_elsewhere = True
        size = 7

    stored, sent = Stored(), io.BytesIO()
    writer = Writer(sent)
    writer.dump({"a": [stored]})
    there = pickle.loads(sent.getvalue())
    assert isinstance(there["a"][0], Elsewhere)
    assert Reader(io.BytesIO(pickle.dumps(there)), writer.names).load() == {"a": [stored]}


TRIMMING = """SET Text TO $'''the quick brown fox'''
LOOP i FROM 1 TO 9
    Text.Trim Text: Text TrimOption: Text.TrimOption.Both TrimmedText=> Text
END
"""
RUNAWAY = r"""@OUTPUT Found : { 'Description': '', 'FriendlyName': 'Found', 'Type': 'Numeric' }
SET Long TO $'''aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'''
SET Found TO 0
Text.ParseText.RegexParseForFirstOccurrence Text: Long TextToFind: $'''(a+)+b''' StartingPosition: 0 Match=> Hit
SET Found TO Found + 7
"""


async def test_a_row_of_a_script_that_takes_long_is_decided_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealflow.engine.patterns._GLANCE", 1e-9)
    (tmp_path / "flow.robin").write_text(RUNAWAY)
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("f", tmp_path / "flow.robin"))
        result = await run.result()
        assert result.status == "Succeeded"
        assert env._executor is not None
        assert env._executor.evaluations.made == 1
        assert result.outputs == {"Found": 7}
        assert (await sealflow.replay(await run.export(plaintext=True))).differences == []


def test_a_script_that_pauses_before_costly_rows_decides_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealflow.engine.kernel.desktop.rows._LONG", 10)
    plan: Any = script_plan({"definition": {"script": TRIMMING, "form": "file"}})
    machine = machine_of(plan)

    def records_of(*, paced: bool) -> tuple[list[Any], int]:
        state = machine.state(plan)
        found: list[Any] = []
        heavy = 0
        pins = {"seed": b"\x07" * 32, "revision": machine.revision}
        record = event.start(START, start_value(plan, {}), pins)
        while True:
            if paced:
                state.pace = OneRow() if state.heavy else Nothing()
            heavy += state.heavy
            state.heavy = False
            found += machine.decide(plan, state, record)[0]
            if state.end is not None:
                return found, heavy
            record = event.resume() if machine.unfinished(state) else event.tick(state.now + 1)

    records, heavy = records_of(paced=True)
    assert records == records_of(paced=False)[0]
    assert heavy == 9
