"""For any flow and order of answers: folding the records gives the state that deciding left, and a replay agrees."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_driver import SECOND, Driver, failing, ok
from sealflow.engine import kernel
from sealflow.engine.kernel.contract import records as event

STATUSES = st.lists(
    st.sampled_from(["Succeeded", "FAILED", "Skipped", "TimedOut"]), min_size=1, max_size=3, unique=True
)
LEAVES = st.sampled_from(
    [
        {"type": "Compose", "inputs": "@concat('a', string(variables('n')), guid())"},
        {"type": "Compose", "inputs": "@int('x')"},
        {"type": "Http", "inputs": {"method": "GET", "uri": "http://x/@{variables('n')}"}},
        {
            "type": "Http",
            "inputs": {"method": "GET", "uri": "http://x", "retryPolicy": {"type": "none"}},
            "limit": {"timeout": "PT1M"},
        },
        {"type": "IncrementVariable", "inputs": {"name": "n"}},
        {"type": "AppendToArrayVariable", "inputs": {"name": "a", "value": "@utcNow()"}},
        {"type": "Wait", "inputs": {"interval": {"count": 3, "unit": "Second"}}},
        {"type": "Query", "inputs": {"from": "@variables('a')", "where": "@equals(1,1)"}},
        {"type": "Response", "inputs": {"statusCode": 200, "body": "@variables('n')"}},
        {"type": "Compose", "inputs": "@result('top')"},
    ]
)


@st.composite
def bodies(draw: Any, depth: int = 0) -> dict[str, Any]:
    actions: dict[str, Any] = {}
    for number in range(draw(st.integers(0 if depth else 1, 4))):
        name = f"n{number}"
        if depth < 3 and draw(st.integers(0, 2)) == 0:
            action = draw(containers(depth))
        else:
            action = dict(draw(LEAVES))
        before = list(actions)
        if before and draw(st.booleans()):
            chosen = draw(st.lists(st.sampled_from(before), min_size=1, max_size=2, unique=True))
            action["runAfter"] = {each: draw(STATUSES) for each in chosen}
        actions[name] = action
    return actions


@st.composite
def containers(draw: Any, depth: int) -> dict[str, Any]:
    body = draw(bodies(depth + 1))
    kind = draw(st.sampled_from(["Scope", "If", "Switch", "Foreach", "Until"]))
    made: dict[str, Any] = draw(container(kind, body, depth))
    if kind != "Until" and draw(st.integers(0, 3)) == 0:
        made["limit"] = {"timeout": draw(st.sampled_from(["PT1S", "PT5S", "@concat('PT', '20S')", "soon"]))}
    return made


@st.composite
def container(draw: Any, kind: str, body: dict[str, Any], depth: int) -> dict[str, Any]:
    if kind == "Scope":
        return {"type": "Scope", "actions": body}
    if kind == "If":
        return {
            "type": "If",
            "expression": "@greater(variables('n'),1)",
            "actions": body,
            "else": {"actions": draw(bodies(depth + 1))},
        }
    if kind == "Switch":
        cases = {"a": {"case": 1, "actions": body}, "b": {"case": 2, "actions": draw(bodies(depth + 1))}}
        return {"type": "Switch", "expression": "@variables('n')", "cases": cases}
    if kind == "Foreach":
        return {
            "type": "Foreach",
            "foreach": "@range(0,3)",
            "actions": body,
            "runtimeConfiguration": {"concurrency": {"repetitions": 2}},
        }
    return {
        "type": "Until",
        "expression": "@greater(variables('n'),5)",
        "limit": {"count": 3, "timeout": "PT1H"},
        "actions": body,
    }


def unique(body: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Names are unique in a flow: siblings are n0, n1, …, so the path makes them so."""
    renamed = {}
    for name, action in body.items():
        own = f"{prefix}{name}"
        action = dict(action)
        if "runAfter" in action:
            action["runAfter"] = {f"{prefix}{before}": statuses for before, statuses in action["runAfter"].items()}
        if "actions" in action:
            action["actions"] = unique(action["actions"], own)
        if "else" in action:
            action["else"] = {"actions": unique(action["else"]["actions"], own + "e")}
        if "cases" in action:
            action["cases"] = {
                label: {**case, "actions": unique(case["actions"], own + label)}
                for label, case in action["cases"].items()
            }
        renamed[own] = action
    return renamed


def flow(body: dict[str, Any]) -> dict[str, Any]:
    body = unique(body, "")
    variables = [{"name": "n", "type": "integer", "value": 0}, {"name": "a", "type": "array", "value": []}]
    return {
        "vars": {"type": "InitializeVariable", "inputs": {"variables": variables}},
        "top": {"type": "Scope", "actions": body, "runAfter": {"vars": ["Succeeded"]}},
        "end": {
            "type": "Compose",
            "inputs": "@actions('top')",
            "runAfter": {"top": ["Succeeded", "Failed", "Skipped"]},
        },
    }


@settings(max_examples=120, deadline=None)
@given(bodies(), st.integers(0, 2**32), st.booleans())
def test_deciding_folding_snapshots_and_replay_agree(body: Any, seed: Any, cancels: Any) -> None:
    chance = random.Random(seed)
    run = Driver(
        flow(body), answer=lambda command, number: failing(500) if chance.random() < 0.3 else ok(), check=False
    )
    run.start()
    steps = 0
    cancel_at = chance.randrange(30) if cancels else None
    while True:
        if run._queue and chance.random() < 0.5:
            run._queue.append(run._queue.pop(chance.randrange(len(run._queue))))
        if cancel_at is not None and steps == cancel_at:
            run.feed(event.stop(run.now, 5, "Cancelled", "test"))
        if not run.step():
            break
        steps += 1
        if chance.random() < 0.1:
            # A crash here: the folded run has the same commands under way and the same next turn.
            folded = kernel.State(run.plan)
            for record in run.records:
                kernel.apply(run.plan, folded, record)
            assert kernel.dump(folded) == kernel.dump(run.state)
            assert {repr(c) for c in kernel.pending(folded)} == {repr(c) for c in kernel.pending(run.state)}
            assert kernel.needs_tick(folded) == kernel.needs_tick(run.state)
    assert run.state.end is not None
    run.verify()
    assert all(entry.end is not None for entry in run.history.entries)
    assert len({entry.path for entry in run.history.entries}) == len(run.history.entries)
    assert run.now - 17_000_000_000_000_000 < 10**6 * SECOND


@settings(max_examples=60, deadline=None)
@given(bodies(), st.integers(0, 2**32))
def test_a_restored_snapshot_goes_on_like_the_original(body: Any, seed: Any) -> None:
    chance = random.Random(seed)
    run = Driver(flow(body), check=False).start()
    for _ in range(chance.randrange(12)):
        run.step()
    other = Driver(flow(body), check=False)
    restored = kernel.restore(other.plan, kernel.dump(run.state), other.history)
    assert restored is not None
    other.state, other.now, other.records = restored, run.now, list(run.records)
    run._queue = []
    other.take(kernel.pending(restored))
    run.take(kernel.pending(run.state))
    run.run()
    other.run()
    assert other.records == run.records
