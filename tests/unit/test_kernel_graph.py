"""runAfter, skips, and what decides the status of a run, a scope, a branch."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SUCCEEDED, Driver, compose, fail
from sealflow.engine import kernel


def scope(actions: dict[str, Any], *after: str, on: list[str] | None = None) -> dict[str, Any]:
    return {"type": "Scope", "actions": actions, "runAfter": dict[str, Any].fromkeys(after, on or SUCCEEDED)}


def test_actions_without_run_after_start_together_in_document_order() -> None:
    run = Driver({"b": compose(1), "a": compose(2)}).run()
    assert [entry.path for entry in run.history.entries] == ["/b", "/a"]
    assert run.status == "Succeeded"


def test_every_predecessor_has_to_have_ended_in_one_of_its_statuses() -> None:
    run = Driver(
        {
            "a": compose(1),
            "b": fail(),
            "both": {"type": "Compose", "inputs": 1, "runAfter": {"a": SUCCEEDED, "b": ["FAILED", "TimedOut"]}},
            "neither": {"type": "Compose", "inputs": 1, "runAfter": {"a": SUCCEEDED, "b": SUCCEEDED}},
        }
    ).run()
    assert run.statuses["/both"] == "Succeeded"
    assert run.statuses["/neither"] == "Skipped"
    assert run.entry("/neither").code == "ActionSkipped"
    assert run.entry("/neither").error == {
        "code": "ActionConditionFailed",
        "message": "'neither' was skipped: 'b' ended as Failed, expected was Succeeded.",
    }


def test_every_unmet_predecessor_is_told_with_what_was_expected() -> None:
    after = {"a": ["Failed", "TimedOut"], "b": SUCCEEDED, "c": ["Aborted"]}
    flow = {"a": compose(1), "b": fail(), "c": compose(1), "d": {**compose(2), "runAfter": after}}
    assert Driver(flow).run().entry("/d").error["message"] == (
        "'d' was skipped: 'a' ended as Succeeded, expected was Failed, TimedOut; "
        "'b' ended as Failed, expected was Succeeded; 'c' ended as Succeeded, expected was Aborted."
    )


SKIPS = {
    "bad": fail(),
    "s": {"type": "Scope", "actions": {"in": compose(1)}, "runAfter": {"bad": SUCCEEDED}},
    "if": {"type": "If", "expression": "@int('x')", "actions": {"branch": compose(1)}},
    "seen": compose(
        ["@actions('s')['error']['code']", "@actions('in')['error']['code']", "@actions('branch')['error']['code']"],
        "s", "if", on=["Skipped", "Failed"],
    ),
}  # fmt: skip


def test_what_is_in_a_container_that_did_not_start_depends_on_it() -> None:
    run = Driver(SKIPS).run()
    assert run.outputs("/seen") == ["ActionConditionFailed", "ActionDependencyFailed", "ActionDependencyFailed"]
    assert run.entry("/s/in").error["message"] == (
        "'in' was skipped: the container around it was skipped, or failed before it started."
    )


def test_a_run_of_the_first_revision_keeps_its_codes() -> None:
    run = Driver(SKIPS, pins={"revision": 1}).run()
    assert run.outputs("/seen") == ["ActionDependencyFailed"] * 3
    assert run.entry("/s").error["message"] == (
        "'s' was skipped: its run-after conditions were not met by the actions before it."
    )
    assert kernel.replay(run.records, run.plan).difference is None


def test_a_snapshot_keeps_the_revision() -> None:
    run = Driver(SKIPS, pins={"revision": 1}).run()
    dumped = kernel.dump(run.state)
    restored = kernel.restore(run.plan, dumped)
    assert restored is not None
    assert (dumped["revision"], restored.revision) == (1, 1)
    assert kernel.restore(run.plan, {**dumped, "revision": 99}) is None


def test_skips_cascade_and_can_be_run_after() -> None:
    run = Driver(
        {
            "a": fail(),
            "b": compose(1, "a"),
            "c": compose(1, "b"),
            "d": compose("reached", "c", on=["Skipped"]),
        }
    ).run()
    assert run.statuses == {"/a": "Failed", "/b": "Skipped", "/c": "Skipped", "/d": "Succeeded"}
    assert run.status == "Succeeded"


def test_a_handled_failure_leaves_the_run_succeeded() -> None:
    run = Driver({"a": fail(), "handler": compose(1, "a", on=["Failed"])}).run()
    assert run.status == "Succeeded"


def test_a_failure_followed_only_by_success_handlers_fails_the_run() -> None:
    run = Driver({"a": fail(), "next": compose(1, "a"), "other": compose(1)}).run()
    assert run.status == "Failed"
    assert run.end.code == "ActionFailed"
    assert run.end.error["message"] == "An action failed. No dependent actions succeeded."


def test_a_skipped_leaf_is_judged_by_what_came_before_it() -> None:
    # a fails and is handled by h; the success branch s is skipped behind a, so the run still fails.
    run = Driver({"a": fail(), "h": compose(1, "a", on=["Failed"]), "s": compose(1, "a")}).run()
    assert run.status == "Failed"


def test_a_skipped_leaf_behind_a_success_does_not_fail() -> None:
    run = Driver({"a": compose(1), "on_error": compose(1, "a", on=["Failed"])}).run()
    assert run.statuses["/on_error"] == "Skipped"
    assert run.status == "Succeeded"


def test_a_scope_is_failed_by_its_leaves_not_by_a_handled_failure() -> None:
    handled = Driver({"s": scope({"a": fail(), "h": compose(1, "a", on=["Failed"])})}).run()
    assert handled.statuses["/s"] == "Succeeded"
    assert handled.entry("/s").code == "NotSpecified"
    unhandled = Driver({"s": scope({"a": fail(), "n": compose(1, "a")})}).run()
    assert unhandled.statuses["/s"] == "Failed"
    assert unhandled.entry("/s").code == "ActionFailed"


def test_try_catch_with_scopes() -> None:
    run = Driver(
        {
            "try": scope({"work": fail()}),
            "catch": scope({"note": compose("@result('try')[0]['error']['code']")}, "try", on=["Failed"]),
            "finally": compose("@result('try')[0]['status']", "catch", on=["Succeeded", "Skipped"]),
        }
    ).run()
    assert run.status == "Succeeded"
    assert run.outputs("/catch/note") == "InvalidTemplate"
    assert run.outputs("/finally") == "Failed"


def test_a_skipped_scope_skips_what_is_inside_of_it() -> None:
    run = Driver({"a": fail(), "s": scope({"x": compose(1), "y": scope({"z": compose(1)})}, "a")}).run()
    assert run.statuses == {"/a": "Failed", "/s": "Skipped", "/s/x": "Skipped", "/s/y": "Skipped", "/s/y/z": "Skipped"}


@pytest.mark.parametrize(("value", "taken", "other"), [(True, "/i/yes", "/i/no"), (False, "/i/no", "/i/yes")])
def test_a_condition_succeeds_whatever_its_boolean(value: Any, taken: Any, other: Any) -> None:
    run = Driver(
        {
            "i": {
                "type": "If",
                "expression": {"and": [{"equals": ["@triggerBody()", True]}]},
                "actions": {"yes": compose(1)},
                "else": {"actions": {"no": compose(2)}},
            }
        }
    ).run(value)
    assert run.statuses["/i"] == "Succeeded"
    assert run.entry("/i").inputs == {"expressionResult": value}
    assert run.statuses[taken] == "Succeeded"
    assert run.statuses[other] == "Skipped"
    assert run.entry(other).error["code"] == "ActionBranchingConditionNotSatisfied"


def test_a_condition_that_is_no_boolean_fails() -> None:
    run = Driver({"i": {"type": "If", "expression": "@string('x')", "actions": {"a": compose(1)}}}).run()
    assert run.statuses["/i"] == "Failed"


def test_an_if_fails_when_its_branch_fails() -> None:
    run = Driver({"i": {"type": "If", "expression": "@equals(1,1)", "actions": {"a": fail()}}}).run()
    assert run.statuses["/i"] == "Failed"
    assert run.status == "Failed"


def switch(value: object, **more: object) -> dict[str, Any]:
    return {
        "type": "Switch",
        "expression": value,
        "cases": {
            "one": {"case": "a", "actions": {"one_": compose(1)}},
            "two": {"case": 2, "actions": {"two_": compose(2)}},
        },
        **more,
    }


@pytest.mark.parametrize(
    ("value", "taken"), [("a", "/s/one_"), ("@int('2')", "/s/two_"), ("A", "/s/other"), ("2", "/s/other")]
)
def test_a_switch_takes_the_equal_case_or_the_default(value: Any, taken: Any) -> None:
    run = Driver({"s": switch(value, default={"actions": {"other": compose(3)}})}).run()
    taken_paths = [path for path, status in run.statuses.items() if status == "Succeeded"]
    assert taken_paths == ["/s", taken]


def test_a_switch_without_a_fitting_case_succeeds() -> None:
    run = Driver({"s": switch("zzz")}).run()
    assert run.statuses == {"/s": "Succeeded", "/s/one_": "Skipped", "/s/two_": "Skipped"}


def test_terminate_cancels_what_runs_and_skips_the_rest() -> None:
    run = Driver(
        {
            "call": {"type": "Http", "inputs": {"method": "GET", "uri": "http://x"}},
            "after": compose(1, "call"),
            "end": {
                "type": "Terminate",
                "inputs": {"runStatus": "Failed", "runError": {"code": "E1", "message": "why @{1}"}},
            },
        }
    ).run()
    assert run.status == "Failed"
    assert run.end.error == {"code": "E1", "message": "why 1"}
    assert run.statuses == {"/call": "Cancelled", "/end": "Succeeded", "/after": "Skipped"}
    assert run.entry("/after").code == "Terminated"


@pytest.mark.parametrize("name", ["Succeeded", "Cancelled", "failed"])
def test_terminate_decides_the_status_of_the_run(name: Any) -> None:
    run = Driver({"end": {"type": "Terminate", "inputs": {"runStatus": name}}}).run()
    assert run.status == name.capitalize()


def test_a_terminate_with_an_unknown_status_fails() -> None:
    run = Driver({"end": {"type": "Terminate", "inputs": {"runStatus": "Paused"}}}).run()
    assert run.statuses == {"/end": "Failed"}


def test_names_compare_without_case_and_spaces_are_underscores() -> None:
    run = Driver(
        {
            "Get it": compose("v"),
            "b": {"type": "compose", "inputs": "@OUTPUTS('get_IT')", "runAfter": {"GET IT": ["SUCCEEDED"]}},
        }
    ).run()
    assert run.outputs("/b") == "v"


def test_paths_are_escaped_as_json_pointers() -> None:
    run = Driver({"a/b~c": compose(1)}).run()
    assert list(run.statuses) == ["/a~1b~0c"]


def test_an_empty_flow_succeeds() -> None:
    assert Driver({}).run().status == "Succeeded"


def test_twelve_hundred_skips_are_ordinary() -> None:
    actions = {"a0": fail()}
    for number in range(1, 1200):
        actions[f"a{number}"] = compose(1, f"a{number - 1}")
    run = Driver(actions).run()
    assert run.status == "Failed"
    assert sum(status == "Skipped" for status in run.statuses.values()) == 1199
    assert len(run.records) == 2


def test_deeply_nested_scopes_do_not_recurse() -> None:
    actions = {"x": compose(1)}
    for number in range(30):
        actions = {f"s{number}": scope(actions)}
    assert Driver(actions).run().status == "Succeeded"


def test_a_turn_ends_after_its_steps_and_asks_for_a_tick() -> None:
    actions = {f"a{number}": compose(number) for number in range(600)}
    run = Driver(actions).run()
    assert run.turns == 3
    assert run.status == "Succeeded"


def test_inside_of_a_container_that_cannot_be_evaluated_everything_is_skipped() -> None:
    run = Driver({"i": {"type": "If", "expression": "@int('x')", "actions": {"a": compose(1)}}}).run()
    assert run.statuses == {"/i": "Failed", "/i/a": "Skipped"}


def test_names_may_hold_brackets() -> None:
    run = Driver({"l": {"type": "Foreach", "foreach": "@range(0,1)", "actions": {"a[]": compose(1)}}}).run()
    assert "/l[0]/a[]" in run.statuses


def test_many_successors_are_linked_in_linear_time() -> None:
    actions = {"a": compose(1)}
    for number in range(3000):
        actions[f"b{number}"] = compose(number, "a")
    run = Driver(actions).run()
    assert len(run.plan.by_key["a"].successors) == 3000
    assert run.status == "Succeeded"
