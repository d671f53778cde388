"""Foreach and Until: order, concurrency, limits, what is read from outside."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SUCCEEDED, Driver, compose, fail, failing, ok


def foreach(actions: dict[str, Any], items: object = "@triggerBody()", *after: str, **more: object) -> dict[str, Any]:
    return {
        "type": "Foreach",
        "foreach": items,
        "actions": actions,
        "runAfter": dict[str, Any].fromkeys(after, SUCCEEDED),
        **more,
    }


def concurrency(number: int) -> dict[str, Any]:
    return {"runtimeConfiguration": {"concurrency": {"repetitions": number}}}


HTTP = {"type": "Http", "inputs": {"method": "GET", "uri": "http://x/@{item()}"}}


def test_an_empty_array_succeeds_without_iterations() -> None:
    run = Driver({"l": foreach({"a": compose(1)})}).run([])
    assert run.statuses == {"/l": "Succeeded"}


def test_something_else_than_an_array_fails() -> None:
    run = Driver({"l": foreach({"a": compose(1)})}).run({"x": 1})
    assert run.statuses == {"/l": "Failed", "/l/a": "Skipped"}
    assert "needs an array" in run.entry("/l").error["message"]


def test_every_iteration_sees_its_item() -> None:
    run = Driver({"l": foreach({"a": compose("@{item()}-@{items('L')}")})}).run([1, "b", None])
    assert [run.outputs(f"/l[{number}]/a") for number in range(3)] == ["1-1", "b-b", "-"]


def test_a_failed_iteration_fails_the_loop_but_the_others_run() -> None:
    run = Driver({"l": foreach({"a": compose("@int(item())")})}).run(["1", "x", "3"])
    assert run.statuses == {"/l": "Failed", "/l[0]/a": "Succeeded", "/l[1]/a": "Failed", "/l[2]/a": "Succeeded"}


@pytest.mark.parametrize(
    ("dialect", "more", "most"),
    [
        ("logic-apps", {}, 20),
        ("power-automate", {}, 1),
        ("logic-apps", concurrency(3), 3),
        ("power-automate", concurrency(50), 30),
        ("logic-apps", {"operationOptions": "Sequential"}, 1),
    ],
)
def test_how_many_iterations_run_at_once(dialect: Any, more: Any, most: Any) -> None:
    run = Driver({"l": foreach({"c": HTTP}, **more)}, dialect=dialect)
    run.start(list(range(30)))
    open_now = len(run.state.open)
    assert open_now == most
    run.run()
    assert run.status == "Succeeded"


def test_a_nested_loop_is_sequential() -> None:
    inner = foreach({"c": HTTP}, "@createArray(1,2,3)", **concurrency(3))
    run = Driver({"o": foreach({"i": inner}, **concurrency(2))}, dialect="logic-apps").start([1, 2])
    assert len(run.state.open) == 2
    run.run()
    assert run.statuses["/o[1]/i[2]/c"] == "Succeeded"


def test_items_of_an_outer_loop_are_read_by_name() -> None:
    inner = foreach({"c": compose("@{items('o')}@{items('i')}@{item()}")}, "@createArray('x','y')")
    run = Driver({"o": foreach({"i": inner})}).run(["a", "b"])
    assert run.outputs("/o[1]/i[0]/c") == "bxx"


def test_actions_of_the_same_iteration_are_read_directly() -> None:
    run = Driver({"l": foreach({"a": compose("@item()"), "b": compose("@add(outputs('a'),1)", "a")})}).run([1, 5])
    assert run.outputs("/l[1]/b") == 6


def test_outside_of_the_loop_its_actions_are_a_list() -> None:
    run = Driver({"l": foreach({"a": compose("@mul(item(),2)")}), "all": compose("@outputs('a')", "l")}).run([1, 2, 3])
    assert run.outputs("/all") == [2, 4, 6]


def test_bodies_from_outside_of_the_loop_are_a_list_too() -> None:
    run = Driver(
        {"l": foreach({"c": HTTP}), "all": compose("@body('c')", "l")},
        answer=lambda command, number: ok({"statusCode": 200, "body": command.inputs["uri"]}),
    ).run(["a", "b"])
    assert run.outputs("/all") == ["http://x/a", "http://x/b"]


def test_result_of_a_loop_lists_the_records_of_its_iterations() -> None:
    run = Driver({"l": foreach({"a": compose("@item()")}), "r": compose("@result('l')", "l")}).run(["x", "y"])
    (only,) = run.outputs("/r")
    assert only["name"] == "a"
    assert [record["outputs"] for record in only["outputs"]] == ["x", "y"]
    assert {record["status"] for record in only["outputs"]} == {"Succeeded"}


def test_five_thousand_iterations_with_an_empty_body() -> None:
    run = Driver({"l": foreach({})}, dialect="power-automate").run(list(range(5000)))
    assert run.status == "Succeeded"
    assert len(run.records) == 2


def test_a_long_loop_keeps_no_finished_iterations() -> None:
    run = Driver({"l": foreach({"a": compose("@item()"), "b": compose("@outputs('a')", "a")})}, check=False)
    run.start(list(range(3000)))
    most = 0
    while run.step():
        most = max(most, len({id(frame) for frame, _ in run.state.ready}))
    assert run.status == "Succeeded"
    assert most <= 20
    assert not run.state.loops


# ---- Until


def until(actions: dict[str, Any], condition: object, **more: object) -> dict[str, Any]:
    return {"type": "Until", "expression": condition, "actions": actions, **more}


def test_the_body_runs_at_least_once() -> None:
    run = Driver({"u": until({"a": compose(1)}, "@equals(1,1)")}).run()
    assert run.statuses == {"/u": "Succeeded", "/u[0]/a": "Succeeded"}


def test_it_goes_on_until_the_condition_holds() -> None:
    run = Driver(
        {
            "v": {
                "type": "InitializeVariable",
                "inputs": {"variables": [{"name": "n", "type": "integer", "value": 0}]},
            },
            "u": {
                **until({"i": {"type": "IncrementVariable", "inputs": {"name": "n"}}}, "@equals(variables('n'),4)"),
                "runAfter": {"v": SUCCEEDED},
            },
        }
    ).run()
    assert run.state.vars["n"].value == 4
    assert [path for path in run.statuses if path.endswith("/i")] == [f"/u[{number}]/i" for number in range(4)]


def test_the_condition_reads_the_iteration_that_has_just_ended() -> None:
    run = Driver({"u": until({"a": compose("@iterationIndexes('u')")}, "@equals(outputs('a'),2)")}).run()
    assert run.outputs("/u[2]/a") == 2
    assert "/u[3]/a" not in run.statuses


def test_after_the_loop_the_last_iteration_is_read() -> None:
    run = Driver(
        {
            "u": until({"a": compose("@iterationIndexes('u')")}, "@equals(outputs('a'),1)"),
            "after": compose("@outputs('a')", "u"),
        }
    ).run()
    assert run.outputs("/after") == 1


def test_the_limit_is_a_success() -> None:
    run = Driver({"u": until({"a": compose(1)}, "@equals(1,2)", limit={"count": 3, "timeout": "PT1H"})}).run()
    assert run.statuses["/u"] == "Succeeded"
    assert sum(path.startswith("/u[") for path in run.statuses) == 3


def test_the_limit_fails_with_fail_when_limits_reached() -> None:
    run = Driver(
        {"u": until({"a": compose(1)}, "@equals(1,2)", limit={"count": 3}, operationOptions="FailWhenLimitsReached")}
    ).run()
    assert run.statuses["/u"] == "Failed"


def test_the_default_limit_is_sixty() -> None:
    run = Driver({"u": until({"a": compose(1)}, "@equals(1,2)")}).run()
    assert sum(path.startswith("/u[") for path in run.statuses) == 60


def test_the_timeout_is_tested_between_iterations() -> None:
    wait = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Minute"}}}
    run = Driver({"u": until({"w": wait}, "@equals(1,2)", limit={"count": 50, "timeout": "PT150S"})}).run()
    assert sum(path.startswith("/u[") for path in run.statuses) == 3
    assert run.statuses["/u"] == "Succeeded"


def test_only_the_last_iteration_counts() -> None:
    body = {"i": {"type": "Http", "inputs": {"method": "GET", "uri": "http://x", "retryPolicy": {"type": "none"}}}}
    condition = "@equals(iterationIndexes('u'),1)"
    good = Driver({"u": until(body, condition)}, answer=lambda c, n: failing(500) if n == 1 else ok()).run()
    assert good.statuses == {"/u": "Succeeded", "/u[0]/i": "Failed", "/u[1]/i": "Succeeded"}
    bad = Driver({"u": until(body, condition)}, answer=lambda c, n: failing(500) if n == 2 else ok()).run()
    assert bad.statuses["/u"] == "Failed"


def test_a_condition_that_cannot_be_evaluated_fails_the_loop() -> None:
    run = Driver({"u": until({"a": compose(1)}, "@int('x')"), "after": compose(1, "u")}).run()
    assert run.statuses["/u"] == "Failed"
    assert run.statuses["/after"] == "Skipped"


def test_an_until_inside_of_a_foreach_and_the_other_way_round() -> None:
    inner = until({"a": compose("@{items('l')}@{iterationIndexes('u')}")}, "@equals(iterationIndexes('u'),1)")
    run = Driver({"l": foreach({"u": inner, "last": {**compose("@outputs('a')"), "runAfter": {"u": SUCCEEDED}}})}).run(
        ["x", "y"]
    )
    assert run.outputs("/l[1]/u[1]/a") == "y1"
    assert run.outputs("/l[1]/last") == "y1"
    turned = until({"l": foreach({"a": compose("@item()")})}, "@equals(length(outputs('a')),2)")
    run = Driver({"u": turned, "all": compose("@outputs('a')", "u")}).run([5, 6])
    assert run.outputs("/all") == [5, 6]


def test_a_failing_body_inside_of_a_scope_in_a_loop() -> None:
    scope = {"type": "Scope", "actions": {"f": fail(), "h": compose(1, "f", on=["Failed"])}}
    run = Driver({"l": foreach({"s": scope, "n": {**compose(2), "runAfter": {"s": SUCCEEDED}}})}).run([1])
    assert run.statuses["/l[0]/n"] == "Succeeded"
    assert run.status == "Succeeded"
