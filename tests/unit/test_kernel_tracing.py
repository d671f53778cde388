"""Traces: what an action's expressions evaluated, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_driver import SUCCEEDED, Driver, compose, failing, ok
from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.kernel.cloud.history.tracing import MOST, Tracing
from sealflow.engine.kernel.cloud.plan.plan import Plan
from sealflow.engine.kernel.contract import status
from sealflow.engine.kernel.contract.large_values import NeedValues
from sealflow.engine.kernel.contract.records import DONE, SCHEDULED
from sealflow.engine.runtime.observe.bundles import read_plaintext

BUNDLES = sorted((Path(__file__).parents[1] / "replay" / "bundles").glob("*.json"))


def traced(run: Driver, name: str, it: tuple[int, ...] | None = None, *, room: int | None = None) -> Tracing:
    """The trace of an action; with `room`, large values are let go and supplied on the way."""
    tracing = Tracing(parse(run.definition), name.lower(), it)
    for record in run.records:
        try:
            tracing.take(record)
        except NeedValues:
            assert room is not None
            missing = tracing.state.need
            kernel.supply(tracing.state, {large.at: run.records[large.seq][large.field] for large in missing})
            tracing.take(record)
        if room is not None:
            kernel.relieve(tracing.state, room)
    return tracing


def shown(run: Driver, name: str, it: tuple[int, ...] | None = None) -> list[dict[str, Any]]:
    return traced(run, name, it).to_json()


def values(found: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(each["pointer"], each.get("value")) for each in found if each["evaluated"]]


def test_every_part_is_shown_with_its_place() -> None:
    flow = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "integer", "value": 2}]}},
        "c": compose({"a": "@add(variables('v'), 1)", "b": ["x@{toUpper('y')}", "plain"]}, "v"),
    }
    assert shown(Driver(flow).run(), "c") == [
        {
            "pointer": "/inputs/a",
            "text": "@add(variables('v'), 1)",
            "evaluated": True,
            "value": 3,
            "parts": [
                {"expression": "variables('v')", "value": 2},
                {"expression": "add(variables('v'), 1)", "value": 3},
            ],
        },
        {
            "pointer": "/inputs/b/0",
            "text": "x@{toUpper('y')}",
            "evaluated": True,
            "value": "xY",
            "parts": [{"expression": "toUpper('y')", "value": "Y"}],
        },
    ]


def test_the_moment_counts_not_the_end() -> None:
    """A variable has the value that it had when the action was decided, `guid()` the draw that it had."""
    flow = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "integer", "value": 0}]}},
        "c": compose(["@guid()", "@variables('v')", "@guid()", "@utcNow()"], "v"),
        "more": {
            "type": "IncrementVariable", "inputs": {"name": "v", "value": 5}, "runAfter": {"c": SUCCEEDED},
        },
    }  # fmt: skip
    run = Driver(flow).run()
    assert [value for _, value in values(shown(run, "c"))] == run.outputs("/c")


def test_an_error_stands_where_it_arose() -> None:
    run = Driver({"c": compose({"x": "@concat('a', string(div(1, int('0'))))", "y": "@toUpper('never')"})}).run()
    first, never = shown(run, "c")
    error = run.entry("/c").error
    assert first["error"] == error
    assert first["parts"] == [
        {"expression": "int('0')", "value": 0},
        {"expression": "div(1, int('0'))", "error": error},
    ]
    assert never == {"pointer": "/inputs/y", "text": "@toUpper('never')", "evaluated": False, "parts": []}


def test_a_condition_in_object_form() -> None:
    condition = {"and": [{"equals": ["@length('abc')", 3]}, {"not": {"contains": ["@string('b')", "z"]}}]}
    run = Driver({"i": {"type": "If", "expression": condition, "actions": {"c": compose(1)}}}).run()
    assert values(shown(run, "i")) == [
        ("/expression/and", True),
        ("/expression/and/0/equals", True),
        ("/expression/and/0/equals/0", 3),
        ("/expression/and/1/not", True),
        ("/expression/and/1/not/contains", False),
        ("/expression/and/1/not/contains/0", "b"),
    ]


def test_iterations_and_their_actions() -> None:
    loop = {"type": "Foreach", "foreach": "@createArray(5, 6)", "actions": {"c": compose("@mul(item(), 2)")}}
    run = Driver({"l": loop}).run()
    assert values(shown(run, "l")) == [("/foreach", [5, 6])]
    assert values(shown(run, "c", (1,))) == [("/inputs", 12)]


def test_an_until_is_checked_after_each_iteration() -> None:
    until = {
        "type": "Until",
        "expression": "@equals(iterationIndexes('u'), 2)",
        "limit": {"count": "@add(2, 3)"},
        "actions": {"c": compose("@iterationIndexes('u')")},
    }
    found = shown(Driver({"u": until}).run(), "u")
    assert [(each["pointer"], each.get("iteration"), each["value"]) for each in found] == [
        ("/limit/count", None, 5),
        ("/expression", 0, False),
        ("/expression", 1, False),
        ("/expression", 2, True),
    ]


def test_what_is_evaluated_for_each_element_is_cut_off() -> None:
    select = {"type": "Select", "inputs": {"from": "@range(0, 150)", "select": "@mul(item(), 2)"}}
    tracing = traced(Driver({"s": select}).run(), "s")
    found = values(tracing.to_json())
    assert found[:3] == [("/inputs/from", list(range(150))), ("/inputs/select", 0), ("/inputs/select", 2)]
    assert (len(found), tracing.left_out) == (1 + MOST, 50)


def test_an_error_behind_many_elements_is_kept() -> None:
    where = "@greater(div(10, sub(120, item())), 0)"
    run = Driver({"q": {"type": "Query", "inputs": {"from": "@range(0, 150)", "where": where}}}).run()
    tracing = traced(run, "q")
    assert tracing.to_json()[-1]["error"] == run.entry("/q").error
    assert tracing.left_out == 20


def test_calls_limits_conditions_and_tracked_properties() -> None:
    call = {
        "type": "Http",
        "inputs": {
            "method": "GET",
            "uri": "@concat('http://', 'x')",
            "retryPolicy": {"type": "fixed", "count": "@add(0, 1)", "interval": "PT5S"},
        },
        "limit": {"timeout": "@concat('PT', '1H')"},
        "trackedProperties": {"code": "@action()['outputs']['statusCode']"},
        "conditions": [{"expression": "@not(equals(1, 2))"}],
    }
    answers = [failing(500), ok({"statusCode": 200, "headers": {}, "body": None})]
    run = Driver({"h": call}, answer=lambda command, number: answers[number - 1]).run()
    assert run.entry("/h").attempts == 2
    assert values(shown(run, "h")) == [
        ("/conditions/0/expression", True),
        ("/inputs/uri", "http://x"),
        ("/limit/timeout", "PT1H"),
        ("/inputs/retryPolicy/count", 1),
        ("/trackedProperties/code", 200),
    ]


def test_a_container_with_a_limit() -> None:
    scope = {"type": "Scope", "limit": {"timeout": "@concat('PT', '1H')"}, "actions": {"c": compose(1)}}
    assert values(shown(Driver({"s": scope}).run(), "s")) == [("/limit/timeout", "PT1H")]


def test_an_action_that_did_not_start_has_evaluated_nothing() -> None:
    run = Driver({"f": compose("@int('x')"), "c": compose("@toUpper('a')", "f")}).run()
    assert shown(run, "c") == [{"pointer": "/inputs", "text": "@toUpper('a')", "evaluated": False, "parts": []}]
    assert traced(run, "c").entry.status == status.SKIPPED  # type: ignore[union-attr]


def test_values_that_are_not_in_memory_are_asked_for() -> None:
    flow = {
        "big": compose("@{join(range(0, 9000), '-')}"),
        "other": compose("@{join(range(1, 9000), '-')}", "big"),
        "c": compose(["@length(outputs('big'))", "@length(outputs('other'))"], "other"),
    }
    run = Driver(flow).run()
    tracing = traced(run, "c", room=0)
    assert [value for _, value in values(tracing.to_json())] == run.outputs("/c")


# ---- secured


def hidden(run: Driver, name: str, canary: str) -> list[dict[str, Any]]:
    found = shown(run, name)
    assert canary not in repr(found)
    return found


SECURE = {"secureData": {"properties": ["outputs"]}}


def test_secured_values_stay_hidden() -> None:
    secret = {**compose("@concat('can', 'ary')"), "runtimeConfiguration": SECURE}
    flow = {"s": secret, "reader": compose("@toUpper(outputs('s'))", "s"), "next": compose("@outputs('reader')")}
    run = Driver({**flow, "next": compose("@length(outputs('reader'))", "reader")}).run()
    assert hidden(run, "s", "canary")[0]["secured"] is True
    reader = hidden(run, "reader", "CANARY")
    assert [part.get("secured") for part in reader[0]["parts"]] == [True, True]
    assert shown(run, "next")[0]["value"] == 6  # one step, and no further


def test_secure_parameters_and_authentication_stay_hidden() -> None:
    authentication = {"type": "Basic", "username": "u", "password": "@concat('can', 'ary')"}
    call = {"type": "Http", "inputs": {"method": "GET", "uri": "http://x", "authentication": authentication}}
    flow = {
        "h": call,
        "c": compose("@concat('x', parameters('p'))", "h"),
        "record": compose("@string(actions('h')['inputs'])", "c"),
        "status": compose("@actions('h')['status']", "c"),
    }
    run = Driver(flow, declared={"p": {"type": "securestring"}}, parameters={"p": "canary"}).run()
    assert [each["secured"] for each in hidden(run, "h", "canary")] == [True]
    assert hidden(run, "c", "canary")[0]["secured"] is True
    assert hidden(run, "record", "canary")[0]["secured"] is True
    status = hidden(run, "status", "canary")[0]
    assert status["value"] == "Succeeded"
    assert status["parts"][0] == {"expression": "actions('h')", "secured": True}


def test_a_condition_on_a_secret_tells_nothing() -> None:
    condition = {"equals": [{"concat": ["@parameters('p')", "x"]}, "y"]}
    run = Driver(
        {"i": {"type": "If", "expression": condition, "actions": {}}},
        declared={"p": {"type": "securestring"}},
        parameters={"p": "canary"},
    ).run()
    assert all(each["secured"] for each in hidden(run, "i", "canary"))


# ---- recorded histories


def decided() -> Iterator[tuple[Path, int]]:
    for path in BUNDLES:
        bundle = read_plaintext(path.read_bytes())
        if not isinstance(bundle.plan, Plan):
            continue  # scripts have no traces
        for node in bundle.plan.nodes:
            if any(record[1] in (DONE, SCHEDULED) and record[2] == node.index for record in bundle.records):
                yield path, node.index


@pytest.mark.parametrize(("path", "index"), list(decided()), ids=lambda part: getattr(part, "stem", part))
def test_recorded_histories_can_be_traced(path: Path, index: int) -> None:
    """What is evaluated again is what was recorded: of a Compose that is one expression, the value itself."""
    bundle = read_plaintext(path.read_bytes())
    node = bundle.plan.nodes[index]
    for recorded in [each for each in bundle.records if each[1] in (DONE, SCHEDULED) and each[2] == index]:
        tracing = Tracing(bundle.plan.definition, node.key, recorded[3])
        for record in bundle.records:
            tracing.take(record)
        evaluated = [each for each in tracing.evaluations if each.error is None]
        if recorded[1] == DONE and node.type == "compose" and recorded[4] == status.SUCCEEDED:
            whole = [each.value for each in evaluated if each.pointer == "/inputs"]
            assert whole in ([], [recorded[7]])
        assert all(each.pointer for each in tracing.evaluations)
        texts = [each for each in tracing.to_json() if "@" in each["text"]]
        assert {each["pointer"] for each in texts} >= {each.pointer for each in evaluated if "@" in each.text}
