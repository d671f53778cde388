"""What is evaluated before an action starts: `conditions` of the schema of 2015, and computed repetitions of loops."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SUCCEEDED, Driver, compose, fail
from sealflow.engine.cloud import Source, check, parse
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel.contract import records as event


def conditional(value: Any, *conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "conditions": list(conditions), **more}


def problems(actions: dict[str, Any]) -> list[tuple[str, str]]:
    definition = {"triggers": {"manual": {"type": "Manual"}}, "actions": actions}
    source = Source(kind="definition", name="old", definition=definition, pointer="", dialect="logic-apps")
    return [(problem.code, problem.at) for problem in check(source) if problem.severity == "error"]


def test_depends_on_is_run_after_with_success() -> None:
    flow = {
        "b": conditional("@outputs('a')", {"dependsOn": "A"}),
        "a": compose(1),
        "no": conditional(3, {"dependsOn": "bad"}),
        "bad": fail(),
    }
    run = Driver(flow).run()
    assert run.statuses == {"/a": "Succeeded", "/bad": "Failed", "/b": "Succeeded", "/no": "Skipped"}
    assert run.outputs("/b") == 1


def test_a_false_condition_skips_with_the_documented_code() -> None:
    flow = {
        "a": compose(1),
        "b": conditional(2, {"dependsOn": "a"}, {"expression": "@equals(outputs('a'), 2)"}),
        "c": compose("@actions('b')?['status']", "b", on=["Skipped"]),
    }
    run = Driver(flow).run()
    entry = run.entry("/b")
    assert (run.statuses["/b"], entry.code, entry.error["code"]) == (
        "Skipped",
        "ActionSkipped",
        "ActionConditionFailed",
    )
    assert run.outputs("/c") == "Skipped"
    assert [record[1] for record in run.records] == [event.START, event.DONE, event.DONE, event.DONE]


def test_all_conditions_must_be_true() -> None:
    true, false = {"expression": "@equals(1,1)"}, {"expression": {"equals": [1, 2]}}
    run = Driver({"both": conditional(1, true, true), "one": conditional(1, true, false)}).run()
    assert run.statuses == {"/both": "Succeeded", "/one": "Skipped"}


def test_a_condition_that_cannot_be_evaluated_fails_the_action() -> None:
    run = Driver({"a": conditional(1, {"expression": "@int('x')"})}).run()
    assert run.statuses == {"/a": "Failed"}


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    "action",
    [
        {"type": "Scope", "actions": {"in": compose(1)}},
        {"type": "Scope", "actions": {"in": compose(1)}, "limit": {"timeout": "PT1H"}},
        {"type": "Foreach", "foreach": [1], "actions": {"in": compose(1)}},
        {"type": "If", "expression": "@equals(1,1)", "actions": {"in": compose(1)}},
        {"type": "Until", "expression": "@equals(1,1)", "actions": {"in": compose(1)}},
        {"type": "Http", "inputs": {"method": "GET", "uri": "http://x"}},
        {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}},
        {"type": "Response", "inputs": {"body": 1}},
    ],
)
def test_every_type_may_have_conditions(action: Any, holds: bool) -> None:
    conditions = [{"expression": "@triggerBody()"}]
    run = Driver({"x": {**action, "conditions": conditions}, "after": compose(1, "x")}).run(holds)
    assert run.statuses["/x"] == ("Succeeded" if holds else "Skipped")
    assert run.statuses["/after"] == run.statuses["/x"]
    assert bool(run.calls or run.sleeps or run.responses) == (holds and action["type"] in ("Http", "Wait", "Response"))


def test_what_is_checked() -> None:
    assert problems({"a": compose(1), "b": conditional(1, {"dependsOn": "a"}, {"expression": "@equals(1,1)"})}) == []
    assert problems({"b": conditional(1, {"dependsOn": "nobody"})}) == [
        ("UnknownPredecessor", "/actions/b/conditions/0/dependsOn")
    ]
    assert problems({"b": conditional(1, {"expression": "plain"})}) == [
        ("InvalidCondition", "/actions/b/conditions/0/expression")
    ]
    circle = {"a": conditional(1, {"dependsOn": "b"}), "b": conditional(1, {"dependsOn": "a"})}
    assert problems(circle) == [("RunAfterCycle", "/actions/a/conditions")]


@pytest.mark.parametrize("conditions", ["@true", [{"depends": "a"}], [1]])
def test_conditions_of_another_shape_are_refused(conditions: Any) -> None:
    with pytest.raises(DefinitionError, match="condition"):
        parse({"triggers": {}, "actions": {"b": {"type": "Compose", "inputs": 1, "conditions": conditions}}})


# ---- computed repetitions


def loop(repetitions: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "Foreach",
        "foreach": "@range(0,6)",
        "actions": {"w": {"type": "Wait", "inputs": {"interval": {"count": 10, "unit": "Second"}}}},
        "runtimeConfiguration": {"concurrency": {"repetitions": repetitions}},
        **more,
    }


def started_at_once(run: Driver) -> int:
    return len(run.state.open)


@pytest.mark.parametrize("given", [3, "3", 3.0])
def test_repetitions_are_evaluated_when_the_loop_starts(given: Any) -> None:
    run = Driver({"l": loop("@triggerBody()")}).start(given)
    assert started_at_once(run) == 3
    assert run.records[1][6] == {"repetitions": 3}
    assert run.run().status == "Succeeded"


@pytest.mark.parametrize("given", [0, 51, "many", None, 2.5, True])
def test_repetitions_out_of_range_fail_the_loop(given: Any) -> None:
    run = Driver({"l": loop("@triggerBody()")}).run(given)
    assert run.statuses["/l"] == "Failed"
    assert "from 1 to 50" in run.entry("/l").error["message"]


def test_a_loop_in_a_loop_stays_sequential() -> None:
    outer = {"type": "Foreach", "foreach": [1], "actions": {"l": loop("@triggerBody()")}}
    run = Driver({"o": outer}).start(6)
    assert started_at_once(run) == 1


def test_a_number_that_is_written_out_needs_no_record() -> None:
    run = Driver({"l": loop(2)}).start()
    assert started_at_once(run) == 2
    assert run.records[1][6] is None


def test_computed_repetitions_are_accepted_by_check() -> None:
    assert problems({"l": loop("@add(1,1)")}) == []
    assert problems({"l": loop(51)}) == [
        ("InvalidConcurrency", "/actions/l/runtimeConfiguration/concurrency/repetitions")
    ]


def test_run_after_and_depends_on_may_name_the_same_action() -> None:
    flow = {"a": compose(1), "b": conditional(2, {"dependsOn": "a"}, runAfter={"a": SUCCEEDED})}
    assert Driver(flow).run().statuses == {"/a": "Succeeded", "/b": "Succeeded"}
