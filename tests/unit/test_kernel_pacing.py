"""A turn that pauses decides what one that does not pause decides, wherever it pauses."""

from __future__ import annotations

import threading
from math import inf
from typing import Any

import pytest
from kernel_driver import START
from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.effort import CURRENT, Budget, Costly, spend
from sealflow.engine.kernel.cloud.pacing import ELEMENTS
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.runtime.runs.turn_pace import SLICE, TurnPace
from worst_flows import WORST, definition

PINS = {"seed": b"\x07" * 32, "parameters": {}, "workflow": {"name": "test"}, "run": "run", "revision": kernel.REVISION}


class Counting:
    """A pace that pauses at every question but the first of a turn, and counts the pauses."""

    def __init__(self, spending: float = inf) -> None:
        self.budget = Budget()
        self.share = spending
        self.due: float | None = None
        self.rows = 1
        self.pauses = 0

    def __call__(self) -> bool:
        if self.due is None:
            self.due = 0
            return False
        self.pauses += 1
        return True


def decided(flow: dict[str, Any], pace: Counting | None) -> tuple[list[Any], int]:
    """All records of a run without calls, and how often an action was too much for its turn."""
    plan = kernel.build(parse(flow))
    state = kernel.State(plan)
    records: list[Any] = []
    heavy, moment = 0, START
    record = event.start(moment, {"outputs": {"body": None}}, PINS)
    while True:
        state.pace = pace if not state.heavy else None
        heavy += state.heavy
        state.heavy = False
        made, _ = kernel.decide(plan, state, record)
        records += made
        if kernel.unfinished(state):
            assert not state.need
            record = event.resume()
        elif kernel.needs_tick(state):
            moment += 1
            record = event.tick(moment)
        else:
            assert state.end is not None
            return records, heavy


@pytest.mark.parametrize("name", WORST)
def test_pauses_change_nothing(name: str) -> None:
    flow = definition(name, 0.01)
    expected, _ = decided(flow, None)
    pace = Counting()
    records, heavy = decided(flow, pace)
    assert records == expected
    assert heavy == 0
    if name in ("select", "query", "table", "arrays", "foreach", "schema"):
        assert pace.pauses >= 3


@pytest.mark.parametrize("name", ["xpath", "json", "texts", "arrays", "schema"])
def test_an_action_that_is_too_much_for_a_turn_is_left_for_elsewhere(name: str) -> None:
    flow = definition(name, 0.02)
    records, heavy = decided(flow, Counting(10_000))
    assert records == decided(flow, None)[0]
    assert heavy


def test_an_element_is_evaluated_once_and_draws_its_own_chance() -> None:
    shape = {"one": "@guid()", "two": "@rand(0,1000000000)"}
    inputs = {"from": f"@range(0,{3 * ELEMENTS})", "select": shape}
    flow = {
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {"select": {"type": "Select", "inputs": inputs}},
    }
    pace = Counting()
    records, _ = decided(flow, pace)
    assert pace.pauses == 1
    assert records == decided(flow, None)[0]
    body = records[-1][7]["body"]
    assert len({each["one"] for each in body}) == 3 * ELEMENTS


def test_what_an_evaluation_may_spend() -> None:
    budget = Budget(100)
    spend(1e12)  # nobody counts
    CURRENT.budget = budget
    try:
        spend(60)
        with pytest.raises(Costly):
            spend(60)
        spend(40)
        assert budget.left == 0
    finally:
        CURRENT.budget = None


def test_a_turn_reads_the_clock_with_its_first_question() -> None:
    now = [0.0]
    pace = TurnPace(lambda: now[0])
    pace.due = None
    assert not pace()
    now[0] = SLICE / 2
    assert not pace()
    now[0] = SLICE
    assert pace()
    pace.due = None
    assert not pace()


def test_a_budget_is_for_its_own_thread() -> None:
    found: list[bool] = []
    budget = TurnPace().budget
    thread = threading.Thread(target=lambda: found.append(budget.applies()))
    thread.start()
    thread.join()
    assert found == [False]
    assert budget.applies()
