"""Limits on containers: what lapses, what it catches, what goes on afterwards; all of it folded and replayed."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SECOND, START, SUCCEEDED, Driver, compose, ok
from sealflow.engine import kernel
from sealflow.engine.kernel.contract import records as event

TIMED_OUT = ["TimedOut"]
CALL = {"type": "Http", "inputs": {"method": "GET", "uri": "http://x", "retryPolicy": {"type": "none"}}}
ANSWERED = ok({"statusCode": 200, "headers": {}, "body": 7})


def wait(seconds: int, *after: str) -> dict[str, Any]:
    inputs = {"interval": {"count": seconds, "unit": "Second"}}
    return {"type": "Wait", "inputs": inputs, "runAfter": dict.fromkeys(after, SUCCEEDED)}


def scope(timeout: str, actions: dict[str, Any], *after: str, **more: Any) -> dict[str, Any]:
    run_after = dict.fromkeys(after, SUCCEEDED)
    return {"type": "Scope", "limit": {"timeout": timeout}, "actions": actions, "runAfter": run_after, **more}


def kinds(run: Driver) -> list[str]:
    return [event.KIND_NAMES[record[1]] for record in run.records]


def test_a_scope_that_ends_in_time_leaves_no_limit() -> None:
    run = Driver({"s": scope("PT1H", {"c": compose(1)}), "after": compose(2, "s")}).run()
    assert run.status == "Succeeded"
    assert kinds(run) == ["Start", "Limit", "Done", "Done", "Done"]
    assert run.records[1][4] == START + 3600 * SECOND
    assert run.state.limits == {}


def test_a_scope_without_limit_needs_no_record() -> None:
    run = Driver({"s": {"type": "Scope", "actions": {"c": compose(1)}}}).run()
    assert kinds(run) == ["Start", "Done"]


def test_a_lapse_cancels_what_runs_and_skips_the_rest() -> None:
    inside = {
        "done": compose("kept"),
        "call": {**CALL, "runAfter": {"done": SUCCEEDED}},
        "delay": wait(600),
        "later": compose(2, "call"),
        "deep": {"type": "Scope", "actions": {"deeper": compose(3)}, "runAfter": {"call": SUCCEEDED}},
    }
    flow = {
        "s": scope("PT10S", inside),
        "normal": compose("no", "s"),
        "late": compose("@outputs('done')", "s", on=TIMED_OUT),
    }
    run = Driver(flow, answer=lambda command, number: None).run()
    assert run.statuses == {
        "/s": "TimedOut",
        "/s/done": "Succeeded",
        "/s/call": "Cancelled",
        "/s/delay": "Cancelled",
        "/s/later": "Skipped",
        "/s/deep": "Skipped",
        "/s/deep/deeper": "Skipped",
        "/normal": "Skipped",
        "/late": "Succeeded",
    }
    assert run.outputs("/late") == "kept"
    assert run.entry("/s").code == "ActionTimedOut"
    assert run.entry("/s").error == {"code": "ActionTimedOut", "message": "'s' did not finish within its limit."}
    assert run.entry("/s/call").code == "Cancelled"
    assert run.entry("/s/later").error["code"] == "ActionTimedOut"
    assert run.abandoned == ["/s/delay", "/s/call"]
    assert run.now == START + 10 * SECOND
    assert run.status == "Failed"  # the skipped action passes the question on to the scope


def test_an_unhandled_lapse_fails_the_run() -> None:
    run = Driver({"s": scope("PT10S", {"w": wait(60)})}).run()
    assert run.status == "Failed"


def test_results_after_a_lapse_are_ignored() -> None:
    run = Driver({"s": scope("PT10S", {"call": CALL}), "end": wait(60)}, answer=lambda command, number: None).start()
    call = run.plan.by_key["call"].index
    run.feed(event.deadline(run.plan.by_key["s"].index, None, 1, run.now + 10 * SECOND))
    before = len(run.records)
    run.feed(event.result(call, None, 1, run.now, 1, "OK", None, None))
    run.feed(event.deadline(run.plan.by_key["s"].index, None, 1, run.now + 11 * SECOND))
    assert len(run.records) == before
    assert run.run().statuses["/s/call"] == "Cancelled"


def test_the_records_of_what_was_caught_can_be_read() -> None:
    inside = {"a": compose(1), "call": {**CALL, "runAfter": {"a": SUCCEEDED}}, "never": compose(2, "call")}
    flow = {"s": scope("PT10S", inside), "tell": compose("@result('s')", "s", on=TIMED_OUT)}
    run = Driver(flow, answer=lambda command, number: None).run()
    told = {record["name"]: record for record in run.outputs("/tell")}
    assert {name: record["status"] for name, record in told.items()} == {
        "a": "Succeeded",
        "call": "Cancelled",
        "never": "Skipped",
    }
    assert told["call"]["inputs"] == {"method": "GET", "uri": "http://x"}
    assert told["never"]["error"]["code"] == "ActionTimedOut"


@pytest.mark.parametrize(
    "container",
    [
        {
            "type": "If",
            "expression": "@equals(1,1)",
            "actions": {"w": wait(60)},
            "else": {"actions": {"o": compose(1)}},
        },
        {
            "type": "If",
            "expression": "@equals(1,2)",
            "actions": {"o": compose(1)},
            "else": {"actions": {"w": wait(60)}},
        },
        {
            "type": "Switch",
            "expression": "a",
            "cases": {"c": {"case": "a", "actions": {"w": wait(60), "o": compose(1)}}},
        },
        {"type": "Foreach", "foreach": "@range(0,3)", "actions": {"w": wait(60), "o": compose(1, "w")}},
    ],
)
def test_every_container_has_a_limit(container: Any) -> None:
    flow = {"x": {**container, "limit": {"timeout": "@concat('PT', '5S')"}}, "late": compose(1, "x", on=TIMED_OUT)}
    run = Driver(flow).run()
    assert run.statuses["/x"] == "TimedOut"
    assert run.statuses["/late"] == "Succeeded"
    assert "Cancelled" in run.statuses.values()
    assert run.now == START + 5 * SECOND
    assert all(entry.end is not None for entry in run.history.entries)


def test_a_limit_that_is_no_duration_fails_the_container() -> None:
    run = Driver({"s": scope("@triggerBody()", {"c": compose(1)})}).run("soon")
    assert run.statuses == {"/s": "Failed", "/s/c": "Skipped"}
    assert run.entry("/s").code == "InvalidTemplate"
    assert "soon" in run.entry("/s").error["message"]


def test_the_limit_is_pinned_when_the_container_starts() -> None:
    variables = [{"name": "n", "type": "string", "value": "PT20S"}]
    flow = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": variables}},
        "s": scope("@variables('n')", {"set": set_variable("PT1S"), "w": wait(10, "set")}, "v"),
    }
    run = Driver(flow).run()
    assert run.status == "Succeeded"


def set_variable(value: Any) -> dict[str, Any]:
    return {"type": "SetVariable", "inputs": {"name": "n", "value": value}}


def test_an_inner_limit_lapses_and_the_outer_goes_on() -> None:
    inner = scope("PT5S", {"w": wait(60)})
    flow = {"o": scope("PT30S", {"i": inner, "after": compose(1, "i", on=TIMED_OUT)})}
    run = Driver(flow).run()
    assert run.statuses == {"/o": "Succeeded", "/o/i": "TimedOut", "/o/i/w": "Cancelled", "/o/after": "Succeeded"}


def test_an_outer_limit_takes_inner_ones_with_it() -> None:
    flow = {"o": scope("PT5S", {"i": scope("PT30S", {"w": wait(60)})}), "late": wait(60)}
    run = Driver(flow).run()
    assert run.statuses == {"/o": "TimedOut", "/o/i": "Cancelled", "/o/i/w": "Cancelled", "/late": "Succeeded"}
    assert [kind for kind in kinds(run) if kind == "Deadline"] == ["Deadline"]


def test_each_iteration_has_its_own_limit() -> None:
    body = {"s": scope("PT@{item()}S", {"w": wait(10)})}
    loop = {
        "type": "Foreach",
        "foreach": [5, 20, 7, 30],
        "actions": body,
        "runtimeConfiguration": {"concurrency": {"repetitions": 4}},
    }
    run = Driver({"l": loop}).run()
    assert [run.statuses[f"/l[{number}]/s"] for number in range(4)] == [
        "TimedOut",
        "Succeeded",
        "TimedOut",
        "Succeeded",
    ]
    assert run.status == "Failed"


def test_a_foreach_that_lapses_tells_what_its_iterations_did() -> None:
    loop = {
        "type": "Foreach",
        "foreach": "@range(0,5)",
        "limit": {"timeout": "PT25S"},
        "actions": {"c": compose("@item()"), "w": wait(10, "c")},
    }
    flow = {
        "l": loop,
        "list": compose("@outputs('c')", "l", on=TIMED_OUT),
        "records": compose("@result('l')", "l", on=TIMED_OUT),
    }
    run = Driver(flow, dialect="power-automate").run()
    assert run.statuses["/l"] == "TimedOut"
    assert run.outputs("/list") == [0, 1, 2]
    waits = next(each for each in run.outputs("/records") if each["name"] == "w")
    assert [record["status"] for record in waits["outputs"]] == ["Succeeded", "Succeeded", "Cancelled"]


def test_an_until_inside_is_cancelled_with_its_last_iteration() -> None:
    loop = {
        "type": "Until",
        "expression": "@equals(1,2)",
        "limit": {"count": 100, "timeout": "PT1H"},
        "actions": {"c": compose("@iterationIndexes('u')"), "w": wait(10, "c")},
    }
    flow = {"s": scope("PT25S", {"u": loop}), "last": compose("@outputs('c')", "s", on=TIMED_OUT)}
    run = Driver(flow).run()
    assert run.statuses["/s/u"] == "Cancelled"
    assert run.statuses["/s/u[2]/w"] == "Cancelled"
    assert run.outputs("/last") == 2


def test_an_endless_loop_of_one_turn_meets_its_limit() -> None:
    loop = {
        "type": "Until",
        "expression": "@equals(1,2)",
        "limit": {"count": 5000, "timeout": "PT1H"},
        "actions": {"c": compose(1)},
    }
    run = Driver({"s": scope("PT1S", {"u": loop})}).start()
    run.feed(event.deadline(run.plan.by_key["s"].index, None, 1, run.now + SECOND))
    run.verify()
    assert run.statuses["/s"] == "TimedOut"
    assert run.state.end is not None
    assert not kernel.needs_tick(run.state)


def test_a_container_whose_turn_ended_between_limit_and_start() -> None:
    before = {f"c{number}": compose(number, *([f"c{number - 1}"] if number else [])) for number in range(255)}
    flow = {
        **before,
        "s": scope("PT1S", {"c": compose(1), "d": {"type": "Scope", "actions": {"e": compose(1)}}}, "c254"),
    }
    run = Driver(flow).start()
    assert kinds(run)[-1] == "Limit"
    run.feed(event.deadline(run.plan.by_key["s"].index, None, 1, run.now + SECOND))
    run.verify()
    ended = {path: status for path, status in run.statuses.items() if path.startswith("/s")}
    assert ended == {"/s": "TimedOut", "/s/c": "Skipped", "/s/d": "Skipped", "/s/d/e": "Skipped"}


def test_after_a_crash_the_host_is_asked_to_wake_again() -> None:
    run = Driver({"s": scope("PT10S", {"call": CALL})}, answer=lambda command, number: None).start()
    folded = kernel.State(run.plan)
    for record in run.records:
        kernel.apply(run.plan, folded, record)
    restored = kernel.restore(run.plan, kernel.dump(folded))
    assert restored is not None
    for state in (folded, restored):
        expire, invoke = kernel.pending(state)
        assert isinstance(expire, kernel.Expire)
        assert (expire.path, expire.due) == ("/s", START + 10 * SECOND)
        assert isinstance(invoke, kernel.Invoke)


def test_terminate_and_cancel_end_limits_too() -> None:
    run = Driver({"s": scope("PT10S", {"call": CALL})}, answer=lambda command, number: None).start()
    run.feed(event.stop(run.now, 5, "Cancelled", "no more"))
    run.verify()
    assert kernel.pending(run.state) == []
    assert run.state.limits == {}
    assert run.statuses == {"/s": "Cancelled", "/s/call": "Cancelled"}


def test_a_static_result_inside_is_evaluated_as_ever() -> None:
    run = Driver(
        {"s": scope("PT10S", {"call": CALL, "c": compose("@body('call')", "call")})}, answer=lambda c, n: ANSWERED
    )
    assert run.run().outputs("/s/c") == 7
