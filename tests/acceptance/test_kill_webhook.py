"""kill -9 at any commit of a run that waits: its callback is not lost, and no request has a second key."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import sealflow
from callers import CLOUD, Witness
from processes import Forked, Place

ANSWER = {"decision": "approve"}


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness(one_by_one=False) as witness:
        yield witness


def begin(place: Place, witness: Witness, **more: Any) -> Forked:
    service = f"service={json.dumps(witness.url)}"
    flow = str(CLOUD / "approval_webhook.json")
    return place.start("run", flow, "--input", '{"purpose": "A"}', "--parameter", service, **more)


def call_back(place: Place, *, code: int = 0) -> None:
    place("runs", "callback", "latest", "--body", json.dumps(ANSWER)).expect(code)


def check_the_end(place: Place, witness: Witness) -> None:
    result = place("runs", "show", "latest", "--json").expect(0).json
    assert result["status"] == "Succeeded"
    waited, outcome = (action for action in result["actions"] if action["status"] == "Succeeded")
    assert waited["outputs"]["body"] == ANSWER
    assert outcome["outputs"] == {"purpose": "A", **ANSWER}
    # Whatever was repeated carried the key that it had carried before.
    assert len(set(witness.calls)) == 2
    assert place("runs", "callback", "latest").code == 3
    assert asyncio.run(differences(place)) == []


async def differences(place: Place) -> list[Any]:
    async with sealflow.open(place.home, keystore=place.keystore, create=False, resume=False) as engine:
        latest = await (await engine.environment(create=False)).run("latest")
        return list((await sealflow.replay(await latest.export(plaintext=True))).differences)


@pytest.mark.parametrize(("number", "moment"), [(1, "after"), (2, "before"), (2, "after")])
def test_killed_while_it_subscribes(place: Place, witness: Witness, number: int, moment: str) -> None:
    """The callback comes while nobody executes the run, whether or not its subscription was answered."""
    assert begin(place, witness, prepare=[["die_at_commit", number, moment]]).wait().killed
    call_back(place)
    call_back(place, code=1)
    place("runs", "resume", "latest", "--json").expect(0)
    check_the_end(place, witness)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_it_takes_its_callback_in(place: Place, witness: Witness, moment: str) -> None:
    waiting = begin(place, witness)
    waiting.until("waits for its callback")
    os.kill(waiting.pid, signal.SIGINT)
    waiting.wait().expect(130)
    call_back(place)
    killed = 0
    while True:  # each of these lives for one commit: of the callback, of what comes of leaving, of the end
        resumed = place(
            "runs", "resume", "latest", "--json", prepare=[["die_at_commit", 1 + (moment == "before"), moment]]
        )
        if not resumed.killed:
            break
        killed += 1
        call_back(place, code=3 if is_over(place) else 1)
    resumed.expect(0)
    assert killed >= 1
    check_the_end(place, witness)


def is_over(place: Place) -> bool:
    """Whether no action waits for a callback any more."""
    return not place("runs", "show", "latest", "--full", "--json").expect(0).json["callbacks"]
