"""The form of the cases in tests/scenarios/robin, and how one is run: by the machine alone, with a world that answers.

    == name: What it shows.
    rule robin_spec §4 [R]
    input {"Name": "x"}                     by external name; every input is declared in the script
    culture de-DE                           another culture than en-US
    answer File.ReadTextFromFile {"Contents": "x"}
    answer File.ReadTextFromFile fails FileNotFoundError: no such file
    answer File.ReadTextFromFile hangs      until its deadline
    script
        SET n TO 1
    expect
        run Succeeded                       or: run Failed Code: message
        n = 1                               a variable, as callers are given it
        text n = "1"                        a variable as a text
        output Total = 3
        rows 1 2 3 Sub:1                    the rows of the log, in order
        row 3 Failed DivisionByZeroError    the last row of that index
        calls File.ReadTextFromFile {"File": "a.txt"}    every call, in order
        seconds 5                           how long it took
        message "..."                       the message of the run's error
    refused UnknownLabel                    in place of `expect`: it does not build

Answers to an operation are given in turn; the last one is given again and again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from sealflow.engine.datatypes import plain
from sealflow.engine.desktop.expressions.conversions import to_text
from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel import Invoke, Sleep
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.commands import Command
from sealflow.engine.kernel.contract.records import Record, from_stored
from sealflow.engine.kernel.contract.status import FAILED, NAMES, SUCCEEDED
from sealflow.engine.kernel.desktop import decide as script
from sealflow.engine.kernel.desktop import snapshot as script_snapshot
from sealflow.engine.kernel.desktop.build import build_script
from sealflow.engine.kernel.desktop.history import ScriptHistory
from sealflow.engine.kernel.desktop.interface import outputs_of, start_value
from sealflow.engine.kernel.desktop.plan import ScriptPlan
from sealflow.engine.kernel.desktop.state import ScriptState
from sealflow.storage.format.codec import pack, unpack

FOLDER = Path(__file__).resolve().parents[1] / "scenarios" / "robin"
START = 17_000_000_000_000_000
SECOND = 10_000_000
SEED = bytes(range(32))
_ROW = re.compile(r"(?:(\w+):)?(\d+)")


@dataclass
class RobinCase:
    """One case as it is written."""

    name: str
    title: str
    rule: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    culture: str = "en-US"
    answers: dict[str, list[str]] = field(default_factory=dict)
    script: str = ""
    lines: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    refused: str = ""

    def plan(self) -> ScriptPlan:
        reading = parse(self.script, kind="solution")
        faults = [problem for problem in reading.problems if problem.severity == "error"]
        if faults:
            raise DefinitionError(faults[0].message, code=faults[0].code, at=str(faults[0].at))
        return build_script(reading.script)


def robin_cases() -> list[RobinCase]:
    """All of them, in the order of files and of what stands in them."""
    return [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path.read_text("utf-8"))]


def read_cases(text: str) -> list[RobinCase]:
    """The cases of one file."""
    found: list[RobinCase] = []
    block: list[str] | None = None
    for line in text.split("\n"):
        if line.startswith("== "):
            name, _, title = line[3:].partition(": ")
            found.append(RobinCase(name, title))
            block = None
        elif line.startswith("    ") or not line.strip():
            if block is not None:
                block.append(line[4:])
        elif not line.startswith("#"):
            block = _take(found[-1], line)
    for case in found:
        case.script = "\n".join(case.lines)
        case.expected = [line for line in case.expected if line.strip()]
    return found


def _take(case: RobinCase, line: str) -> list[str] | None:
    word, _, rest = line.partition(" ")
    if word == "rule":
        case.rule = rest
    elif word == "input":
        case.inputs = json.loads(rest)
    elif word == "culture":
        case.culture = rest
    elif word == "answer":
        operation, _, answer = rest.partition(" ")
        case.answers.setdefault(operation.lower(), []).append(answer)
    elif word == "refused":
        case.refused = rest
    elif word == "script":
        return case.lines
    elif word == "expect":
        return case.expected
    else:
        raise ValueError(f"{case.name}: {line}")
    return None


class World:
    """Answers the calls of a run, and lets its time pass."""

    def __init__(self, case: RobinCase) -> None:
        self.case = case
        self.given: dict[str, int] = {}
        self.calls: list[str] = []

    def event(self, state: ScriptState, commands: list[Command]) -> Record | None:
        """What happens next to a run whose last turn asked for this."""
        if state.end is not None:
            return None
        if script.unfinished(state):
            return event.resume()
        if script.needs_tick(state):
            return event.tick(state.now)
        (command,) = commands
        if isinstance(command, Sleep):
            return event.timer(command.node.index, command.it, command.attempt, command.due)
        assert isinstance(command, Invoke)
        return self._answer(state, command)

    def _answer(self, state: ScriptState, command: Invoke) -> Record:
        name = command.operation.name.lower()
        self.calls.append(f"{command.operation.name} {json.dumps(command.inputs, default=str)}")
        answers = self.case.answers.get(name)
        assert answers, f"nothing answers {command.operation.name}"
        place = self.given.get(name, 0)
        self.given[name] = place + 1
        answer = answers[min(place, len(answers) - 1)]
        at = (command.node.index, command.it, command.attempt)
        if answer == "hangs":
            assert command.deadline is not None
            return event.deadline(*at, max(command.deadline, state.now))
        if answer.startswith("fails "):
            code, _, message = answer[6:].partition(": ")
            return event.result(*at, state.now, FAILED, code, None, {"code": code, "message": message})
        body = json.loads(answer, parse_float=Decimal)
        outputs = {"statusCode": 200, "headers": {}, "body": body}
        return event.result(*at, state.now, SUCCEEDED, "OK", outputs, None)


@dataclass
class Ran:
    """A run that has come to its end, or to the most events that a case may have."""

    records: list[Record]
    state: ScriptState
    history: ScriptHistory
    calls: list[str]
    resumed: bool = False


MOST_EVENTS = 3_000


def perform(case: RobinCase, plan: ScriptPlan) -> Ran:
    """Run a case to its end."""
    history = ScriptHistory(plan)
    state = ScriptState(plan, history)
    pins = {"seed": SEED, "revision": script.SCRIPT_REVISION, "culture": case.culture}
    start = event.start(START, start_value(plan, case.inputs, case.culture), pins)
    world = World(case)
    records: list[Record] = []
    _go_on(plan, state, world, start, records)
    return Ran(records, state, history, world.calls)


def _go_on(plan: ScriptPlan, state: ScriptState, world: World, first: Record | None, records: list[Record]) -> None:
    happens = first
    for _ in range(MOST_EVENTS):
        if happens is None:
            return
        made, commands = script.decide(plan, state, happens)
        records += made
        happens = world.event(state, commands)
    raise AssertionError("the case does not end")


def killed_after(case: RobinCase, plan: ScriptPlan, records: list[Record], count: int) -> Ran:
    """The run once more: its first records are folded as they are stored, a snapshot is taken, and it goes on."""
    folded = ScriptState(plan)
    world = World(case)
    history = ScriptHistory(plan)
    watched = ScriptState(plan, history)
    stored = [from_stored(unpack(pack(record))) for record in records[:count]]
    for record in stored:
        script.apply(plan, folded, record)
        script.apply(plan, watched, record)
        if record[1] in (event.RESULT, event.DEADLINE):
            _count(world, plan, record)
    state = script_snapshot.restore(plan, unpack(pack(script_snapshot.dump(folded))))
    assert state is not None
    assert script_snapshot.dump(state) == script_snapshot.dump(watched)
    state.watch = history
    again = list(stored)
    _go_on(plan, state, world, world.event(state, script.pending(state)), again)
    return Ran(again, state, history, world.calls, resumed=True)


def _count(world: World, plan: ScriptPlan, record: Record) -> None:
    operation = plan.nodes[record[2]].operation
    if operation is not None:
        name = operation.name.lower()
        world.given[name] = world.given.get(name, 0) + 1


def unmet(case: RobinCase, ran: Ran) -> list[str]:
    """The expectations that a run does not meet, each with what was found instead."""
    return [
        f"{line}   (found: {found})" for line in case.expected if (found := _found(line.strip(), ran, case)) is not None
    ]


def _found(line: str, ran: Ran, case: RobinCase) -> Any:
    """None where the expectation is met, else what is the case."""
    state = ran.state
    word, _, rest = line.partition(" ")
    end = state.end
    found: str | None
    if rest.startswith("= "):
        word = ""
    if word == "run":
        found = f"{NAMES[end.status] if end else 'Running'} {(end.code if end else '') or ''}".strip()
    elif word == "message":
        found, rest = (end.error or {}).get("message") if end else None, json.loads(rest)
    elif word == "rows":
        entries = [entry.node for entry in ran.history.entries]
        found = " ".join(str(n.row) if n.subflow == "Main" else f"{n.subflow}:{n.row}" for n in entries)
    elif word == "row":
        return _row(rest, ran)
    elif word == "calls":
        expected = rest.strip()
        found = "; ".join(ran.calls)
        if ran.resumed:  # those before the kill were made by another process
            return None
        rest = expected
    elif word == "seconds":
        found, rest = str((state.now - START) / SECOND), str(float(rest))
    elif word == "output":
        name, _, value = rest.partition(" = ")
        found, rest = _plain(outputs_of(state)[name]), _plain(json.loads(value, parse_float=Decimal))
    elif word == "text":
        name, _, value = rest.partition(" = ")
        found, rest = to_text(_variable(state, name), state.slots[0]), json.loads(value)
    else:
        name, _, value = line.partition(" = ")
        found, rest = _plain(plain(_variable(state, name))), _plain(json.loads(value, parse_float=Decimal))
    return None if found == rest else found


def _variable(state: ScriptState, name: str) -> Any:
    return state.slots[state.plan.scope.places[name.lower()]]


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _row(rest: str, ran: Ran) -> Any:
    where, status, *more = rest.split(" ", 2)
    match = _ROW.fullmatch(where)
    assert match is not None
    subflow = match[1] or "Main"
    entries = [e for e in ran.history.entries if e.node.row == int(match[2]) and e.node.subflow == subflow]
    if not entries:
        return "no such row"
    entry = entries[-1]
    shown = f"{NAMES[entry.status]}"
    text = (
        entry.error["code"]
        if entry.error
        else " ".join(f"{name}={value['value']}" for name, value in (entry.inputs | entry.outputs).items())
    )
    if shown != status or (more and more[0] != text):
        return f"{shown} {text}"
    return None
