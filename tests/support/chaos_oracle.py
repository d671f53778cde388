"""What must hold after any number of deaths, checked against what the outside saw and what the store holds.

Everything here is plain data: what was told (lines of the file that outlives the processes), what was seen of
unfinished runs after each death, and every run at the end. The answer is a list of sentences; an empty one is a pass.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from chaos_flows import KINDS, Expected, children_of, decision_of
from sealflow.engine.kernel.contract import records

FINAL: Final = frozenset({"Succeeded", "Failed", "Skipped", "TimedOut", "Cancelled"})
CAUSED: Final = frozenset({records.RESULT, records.CALLBACK, records.DONE})
"""Records that end an action or one attempt of it; a second one of the same would be a repetition."""

EVERY: Final = timedelta(minutes=1)
"""The interval of the recurrence."""
ZERO: Final = timedelta()
GRACE: Final = timedelta(minutes=1)
"""So late an occurrence fires, in the time of the flows."""


@dataclass(frozen=True)
class Seen:
    """A run as it stands in the store. `stored` are its records, `differences` what a replay of them finds."""

    run: str
    flow: str
    status: str
    actions: list[dict[str, Any]]
    stored: list[list[Any]] = field(default_factory=list)
    differences: list[Any] = field(default_factory=list)

    @property
    def number(self) -> Any:
        """Whose run it is: what its trigger gave, None as long as that is not recorded."""
        return self._kept("n")

    @property
    def fired(self) -> Any:
        """When the trigger of a run of `tick` fired."""
        return self._kept("fired")

    def _kept(self, name: str) -> Any:
        first = self.actions[0] if self.actions else {}
        outputs = first.get("outputs") if first.get("path") == "/id" else None
        return outputs.get(name) if isinstance(outputs, dict) else None


@dataclass
class Memory:
    """What was told and seen while the harness ran. `finished`: what had ended for good, and how much was told then."""

    told: list[dict[str, Any]] = field(default_factory=list)
    finished: dict[tuple[Any, str], int] = field(default_factory=dict)

    def look(self, runs: Iterable[Seen]) -> None:
        """Remember which actions have ended for good by now."""
        for run in runs:
            if run.number is None:
                continue
            for action in run.actions:
                if action["status"] in FINAL:
                    self.finished.setdefault((run.number, action["path"]), len(self.told))

    @property
    def effects(self) -> list[dict[str, Any]]:
        return [line for line in self.told if line["what"] == "effect"]

    def acks(self, act: str) -> list[dict[str, Any]]:
        return [line for line in self.told if line["what"] == "ack" and line["act"] == act]


def problems(memory: Memory, runs: list[Seen], *, grace: timedelta | None = GRACE) -> list[str]:
    """Everything that does not hold. An occurrence that is at most `grace` late fires; None where the clock jumps."""
    return [
        *_acknowledged(memory, runs),
        *_numbers(runs),
        *(lost_occurrences(runs, grace) if grace is not None else ()),
        *(problem for run in runs for problem in _run(run)),
        *_effects(memory, runs),
        *_repeated(memory),
        *late_calls(memory),
        *_altered(memory),
    ]


def _acknowledged(memory: Memory, runs: list[Seen]) -> Iterable[str]:
    by_id = {run.run: run for run in runs}
    for line in memory.acks("start"):
        run = by_id.get(line["run"])
        if run is None:
            yield f"the run {line['run']} of {line['flow']} was acknowledged and is gone"
        elif (run.flow, run.number) != (line["flow"], line["number"]):
            yield f"the run {line['run']} is one of {run.flow} {run.number}, not of {line['flow']} {line['number']}"
    for line in memory.acks("callback"):
        if line["status"] not in (200, 202, 410):
            yield f"a callback was answered with {line['status']}"
    for line in memory.acks("cancel"):
        if line["run"] not in by_id or by_id[line["run"]].status != "Cancelled":
            yield f"the run {line['run']} was cancelled and is not"


def _numbers(runs: list[Seen]) -> Iterable[str]:
    """One run for each number: no start, no firing and no call of a child flow counts twice."""
    counted = Counter(run.number for run in runs)
    for number, count in counted.items():
        if count > 1:
            yield f"{count} runs have the number {number}"
    for run in runs:
        if run.flow == "parent" and run.status == "Succeeded":
            for child in children_of(run.number):
                if child not in counted:
                    yield f"the parent {run.number} has no child {child}"


def lost_occurrences(runs: list[Seen], grace: timedelta) -> list[str]:
    """Gaps in the recurrence whose last occurrence was at most `grace` late when the next one fired. An earlier one is
    missed where nobody executed for longer than that, as on a machine with too much to do.
    """
    return [
        f"the recurrence fired at {one:%H:%M:%S} and at {fired:%H:%M:%S} for {other:%H:%M:%S}"
        for one, other, fired in _gaps(runs)
        if fired - (other - EVERY) <= grace
    ]


def missed_occurrences(runs: list[Seen]) -> int:
    """How many have not fired, between the first and the last that have."""
    return sum(round((other - one) / EVERY) - 1 for one, other, _ in _gaps(runs))


def _gaps(runs: list[Seen]) -> Iterable[tuple[datetime, datetime, datetime]]:
    """The occurrences before and after each gap, and when the latter fired."""
    times = sorted(
        (datetime.fromisoformat(run.number), datetime.fromisoformat(run.fired))
        for run in runs
        if run.flow == "tick" and run.number is not None
    )
    return ((one, other, fired) for (one, _), (other, fired) in pairwise(times) if other - one not in (ZERO, EVERY))


def _run(run: Seen) -> Iterable[str]:
    where = f"{run.flow} {run.number} ({run.run})"
    if run.number is None:
        yield f"{where} has not begun"
        return
    expected = KINDS[run.flow].expected(run.number)
    if run.status != expected.status:
        yield f"{where} ended as {run.status}, not {expected.status}"
    paths = Counter(action["path"] for action in run.actions)
    for path, count in paths.items():
        if count > 1:
            yield f"{where} has {path} {count} times"
    for action in run.actions:
        yield from _action(where, action, expected)
    if missing := expected.actions.keys() - paths.keys():
        yield f"{where} lacks {', '.join(sorted(missing))}"
    for problem in run.differences:
        yield f"{where} replays differently: {problem}"
    ended = Counter(_ended(record) for record in run.stored if record[1] in CAUSED)
    for record, count in ended.items():
        if count > 1:
            yield f"{where} has {count} records {records.KIND_NAMES[record[0]]} of {record[1:]}"


def _action(where: str, action: dict[str, Any], expected: Expected) -> Iterable[str]:
    path, status = action["path"], action["status"]
    wanted = expected.actions.get(path)
    if path in expected.once and status == "Failed":
        if action["code"] != "ActionInterrupted":
            yield f"{where} has {path} failed with {action['code']}"
    elif status != wanted:
        yield f"{where} has {path} {status}, not {wanted}"
    outputs, told = action["outputs"], expected.outputs.get(path)
    if isinstance(told, dict):
        outputs = {name: (outputs or {}).get(name) for name in told}
    if path in expected.outputs and outputs != told:
        yield f"{where} has {path} giving {outputs}, not {told}"


def _ended(record: list[Any]) -> tuple[Any, ...]:
    """Which action, and which attempt of it where it has several, a record ends."""
    kind, node, it = record[1], record[2], tuple(record[3] or ())
    return (kind, node, it) if kind == records.DONE else (kind, node, it, record[4])


def _effects(memory: Memory, runs: list[Seen]) -> Iterable[str]:
    """Each effect at least once; and distinct once, by its key."""
    expected = {run.number: KINDS[run.flow].expected(run.number) for run in runs if run.number is not None}
    attempts: dict[tuple[Any, str], set[int]] = defaultdict(set)
    keys: dict[tuple[Any, str], set[str]] = defaultdict(set)
    owners: dict[str, set[tuple[Any, str]]] = defaultdict(set)
    inputs: dict[str, set[str]] = defaultdict(set)
    arrived: Counter[tuple[Any, str]] = Counter()
    for effect in memory.effects:
        named = (effect["inputs"]["n"], effect["path"])
        arrived[named] += 1
        attempts[named].add(effect["attempt"])
        keys[named].add(effect["key"])
        owners[effect["key"]].add(named)
        inputs[effect["key"]].add(json.dumps(effect["inputs"], sort_keys=True))
    for number, each in expected.items():
        for path, count in each.effects.items():
            found = attempts.get((number, path), set())
            if path in each.once:
                if arrived[number, path] > 1:
                    yield f"{path} of {number} may arrive once and came {arrived[number, path]} times"
            elif found != set(range(1, count + 1)):
                yield f"{path} of {number} has the attempts {sorted(found)}, not {count}"
    for number, path in attempts:
        if number not in expected or path not in expected[number].effects:
            yield f"{path} of {number} reached the outside and is in no history"
    yield from (f"{path} of {n} has {len(found)} keys" for (n, path), found in keys.items() if len(found) > 1)
    yield from (f"a key belongs to {sorted(map(str, found))}" for found in owners.values() if len(found) > 1)
    yield from (f"the calls under a key sent {sorted(found)}" for found in inputs.values() if len(found) > 1)
    for effect in memory.effects:
        if effect["path"] == "/told" and effect["inputs"]["decision"] != decision_of(effect["inputs"]["n"])["decision"]:
            yield f"the callback of {effect['inputs']['n']} said {effect['inputs']['decision']}"


def _altered(memory: Memory) -> Iterable[str]:
    """Nobody alters anything here: no work on keys or places may say so."""
    for line in memory.told:
        if line["what"] == "refused" and line["code"] == "IntegrityError":
            yield f"a {line['act']} was refused: {line['message']}"


def late_calls(memory: Memory) -> list[str]:
    """Calls of those that were taken for dead: of an action that had ended for good; and from the stop until it learns
    of it, of one that another process has called since.
    """
    found = []
    stopped: dict[int, dict[str, int]] = {}  # by life, while it may not know: the keys that others have called since
    had: dict[int, set[Any]] = defaultdict(set)  # by life: the runs that it has called for; others it may claim later
    lost: set[int] = set()
    for index, line in enumerate(memory.told):
        life = line.get("life", 0)
        if line["what"] == "lost":
            lost.add(life)
            if line.get("stopped"):
                stopped[life] = {}
            else:
                stopped.pop(life, None)
        elif line["what"] == "reopened":
            stopped.pop(life, None)
        elif line["what"] == "effect":
            named = (line["inputs"]["n"], line["path"])
            if life in lost and index >= memory.finished.get(named, len(memory.told)):
                found.append(f"{named[1]} of {named[0]} had ended and was called by {life}, which was taken for dead")
            elif line["key"] in stopped.get(life, {}) and named[0] in had[life]:
                other = stopped[life][line["key"]]
                found.append(f"{named[1]} of {named[0]} was called late by {life}: {other} has taken the run over")
            if life not in stopped:
                had[life].add(named[0])
            for other, keys in stopped.items():
                if other != life:
                    keys[line["key"]] = life
    return found


def _repeated(memory: Memory) -> Iterable[str]:
    """No call of an action whose end was durable; no attempt after a later one; none twice in one life.

    Who was taken for dead knows that later than others: what it does until then is done twice, with the same keys.
    """
    lost = {line["life"] for line in memory.told if line["what"] == "lost"}
    latest: dict[str, int] = {}
    lives: set[tuple[str, int, int]] = set()
    for index, line in enumerate(memory.told):
        if line["what"] != "effect" or line["life"] in lost:
            continue
        named = (line["inputs"]["n"], line["path"])
        if index >= memory.finished.get(named, len(memory.told)):
            yield f"{named[1]} of {named[0]} was finished and was called again"
        if line["attempt"] < latest.get(line["key"], 0):
            yield f"{named[1]} of {named[0]} went back from attempt {latest[line['key']]} to {line['attempt']}"
        latest[line["key"]] = line["attempt"]
        life = (line["key"], line["attempt"], line["life"])
        if life in lives:
            yield f"{named[1]} of {named[0]} was called twice in one life"
        lives.add(life)
