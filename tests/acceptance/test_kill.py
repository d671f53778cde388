"""kill -9 at any moment of a run, then resume: it ends as if nothing had happened, and no finished action ran twice.

Moments: before and after each commit that writes of the run (after: durable, and nothing that waits for it has
happened), and at the arrival of each call at its service. Time passes faster in the processes of the examples that
wait; with SEALFLOW_TEST_LONG=1 it does not, every process is a whole `sealflow`, and moments of no meaning come in.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
import sealflow
from callers import CLOUD, Witness
from processes import PATIENCE, Place, Prepare
from sealflow.engine.kernel.contract import records
from thorough import LONG

VARIES = re.compile(r'(?<="Date": ")[^"]*|\d{4}-\d\d-\d\dT[\d:.]+Z|(?<=Id": ")[^"]*')
MINUTES = re.compile(r"\bPT\d+M\b")
FINAL = ("Succeeded", "Failed", "Skipped", "TimedOut", "Cancelled")


@dataclass(frozen=True)
class Example:
    """An example that is killed. `rate`: how much faster its time passes. `one_by_one`: its calls never overlap."""

    name: str
    body: dict[str, Any]
    rate: int
    one_by_one: bool = True

    def witness(self, fatal_call: int = 0) -> Witness:
        return Witness(one_by_one=self.one_by_one, fatal_call=fatal_call)

    def arguments(self, place: Place, url: str) -> list[str]:
        text = (CLOUD / f"{self.name}.json").read_text("utf-8")
        if self.clock:  # how long it takes to start processes again is not part of the flow
            text = MINUTES.sub("PT10H", text)
        body, service = json.dumps(self.body), f"service={json.dumps(url)}"
        return ["run", place.write(f"{self.name}.json", text), "--input", body, "--parameter", service, "--json"]

    @property
    def clock(self) -> Prepare:
        return [] if LONG else [["hasten", self.rate, time.time_ns() // 100]]


EXAMPLES = [
    Example("order_fanout", {"customer": "Contoso"}, 1, one_by_one=False),
    Example("until_polling", {"text": "orders"}, 60),
    Example("approval_with_retry", {"text": "A new laptop", "number": 900}, 100),
]


@dataclass(frozen=True)
class Undisturbed:
    """What a run is when nobody kills it."""

    result: Any
    calls: int
    names: int


def comparable(result: Any, url: str) -> Any:
    """A result without what no two runs share: ids, times, the port; and in no order that concurrency decides."""
    text = json.dumps(result).replace(url, "URL").replace(result["run"], "RUN")
    told = json.loads(VARIES.sub("-", text))
    told["version"] = 1
    for action in told["actions"]:
        assert (action["end"] is not None) == (action["status"] in FINAL)
        action["start"] = action["end"] = None
    told["actions"] = {action["path"]: action for action in told["actions"]}
    assert len(told["actions"]) == len(result["actions"]), "an action appears twice"
    return told


def undisturbed(place: Place, example: Example) -> Undisturbed:
    with example.witness() as witness:
        ended = place(*example.arguments(place, witness.url)).expect(0)
        assert ended.json["status"] == "Succeeded"
        return Undisturbed(comparable(ended.json, witness.url), len(witness.calls), len(set(witness.calls)))


def check_the_rest(place: Place, witness: Witness, usual: Undisturbed, *, deaths: Prepare | None = None) -> None:
    """A run was killed. What is stored of it is sound, and resuming it makes it what it would have been.

    `deaths`: resuming dies, too, as often as it has to.
    """
    while True:
        (listed,) = place("runs", "list", "--limit", "1", "--json").expect(0).json
        before, durable = asyncio.run(stored(place, listed["run"]))
        witness.lost(durable=durable)
        calls = len(witness.calls)
        if listed["end"] is not None:  # killed between its last commit and telling of it
            after = before
            break
        resumed = place("runs", "resume", listed["run"], "--json", prepare=deaths)
        if not resumed.killed:
            after = resumed.expect(0).json
            break
    found = comparable(after, witness.url)
    for path, action in found["actions"].items():
        assert action == usual.result["actions"].get(path)
    assert found == usual.result
    finished = {action["path"]: action for action in before["actions"] if action["status"] in FINAL}
    assert {action["path"]: action for action in after["actions"] if action["path"] in finished} == finished
    # Exactly the calls without a durable result were made after the death, the repeated ones with their old keys.
    assert len(witness.calls) - calls == usual.calls - durable
    assert len(set(witness.calls)) == usual.names


async def stored(place: Place, run_id: str) -> tuple[Any, int]:
    """What is stored of a run, and how many of its calls have a result. It must replay, wherever it stops."""
    async with sealflow.open(place.home, keystore=place.keystore, create=False, resume=False) as engine:
        run = await (await engine.environment(create=False)).run(run_id)
        result = (await run.snapshot()).to_json()
        bundle = await run.export(plaintext=True)
    assert (await sealflow.replay(bundle)).differences == []
    return result, Counter(record[1] for record in json.loads(bundle)["records"])[records.RESULT]


@pytest.fixture(params=EXAMPLES, ids=lambda example: example.name)
def example(request: pytest.FixtureRequest) -> Example:
    found = request.param
    assert isinstance(found, Example)
    return found


def test_killed_at_every_commit(place: Place, example: Example) -> None:
    """The sample: before the odd ones and after the even ones, so every state that can be stored is met once."""
    place.prepare = example.clock
    usual = undisturbed(place, example)
    killed = 0
    for moment in ("before", "after"):
        number = 1 if LONG or moment == "before" else 2
        while True:
            with example.witness() as witness:
                died = place(*example.arguments(place, witness.url), prepare=[["die_at_commit", number, moment]])
                if not died.killed:  # there are no more commits
                    died.expect(0)
                    break
                killed += 1
                if (number, moment) == (1, "before"):
                    nothing_is_there(place, witness)
                else:
                    check_the_rest(place, witness, usual)
            number += 1 if LONG else 2
    assert killed >= 4
    print(f"{example.name}: killed {killed} times")


def nothing_is_there(place: Place, witness: Witness) -> None:
    """Killed before its first commit, a run does not exist and has called nobody."""
    assert witness.calls == []
    (listed,) = place("runs", "list", "--limit", "1", "--json").expect(0).json
    assert listed["end"] is not None


def test_killed_at_every_call(place: Place, example: Example) -> None:
    place.prepare = example.clock
    usual = undisturbed(place, example)
    for number in range(1, usual.calls + 1, 1 if LONG else 2):
        with example.witness(number) as witness:
            process = place.start(*example.arguments(place, witness.url))
            witness.kills(process.pid)
            assert process.wait().killed
            check_the_rest(place, witness, usual)


def test_a_run_that_dies_after_each_of_its_commits_ends_all_the_same(place: Place, example: Example) -> None:
    place.prepare = example.clock
    usual = undisturbed(place, example)
    with example.witness() as witness:
        deaths = [["die_at_commit", 1, "after"]]
        assert place(*example.arguments(place, witness.url), prepare=deaths).killed
        check_the_rest(place, witness, usual, deaths=deaths)


def test_the_installed_command_is_killed_like_any_other(place: Place) -> None:
    """Without any preparation, as a user would."""
    example = EXAMPLES[0]
    usual = undisturbed(place, example)
    with example.witness(3) as witness:
        process = place.begin(*example.arguments(place, witness.url))
        witness.kills(process.pid)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
        check_the_rest(place, witness, usual)


@pytest.mark.skipif(not LONG, reason="SEALFLOW_TEST_LONG=1: moments that mean nothing, in real time")
def test_killed_at_any_time(place: Place, example: Example) -> None:
    usual = undisturbed(place, example)
    chance = random.Random(7)
    for _ in range(25):
        with example.witness() as witness:
            runs = len(place("runs", "list", "--limit", "1000", "--json").expect(0).json)
            process = place.begin(*example.arguments(place, witness.url))
            try:
                process.wait(chance.uniform(0.3, 1.0 if example.rate == 1 else 6.0))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
            if len(place("runs", "list", "--limit", "1000", "--json").expect(0).json) > runs:
                check_the_rest(place, witness, usual)
