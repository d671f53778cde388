"""Rules about what is never reached, and about Responses of which more than one can answer."""

from __future__ import annotations

from typing import Any

import pytest
from checking import problems
from sealflow.engine.cloud import check, read_object


def compose(**after: str | list[str]) -> dict[str, Any]:
    return {"type": "Compose", "inputs": 1, "runAfter": listed(after)}


def respond(**after: str | list[str]) -> dict[str, Any]:
    return {"type": "Response", "inputs": {"statusCode": 200}, "runAfter": listed(after)}


def listed(after: dict[str, str | list[str]]) -> dict[str, list[str]]:
    return {name: [given] if isinstance(given, str) else given for name, given in after.items()}


def told(code: str, actions: dict[str, Any], **more: Any) -> list[str]:
    return [problem.at for problem in problems(actions, **more) if problem.code == code]


ONE_AFTER = {"A": compose(), "B": compose(A="Succeeded")}


@pytest.mark.parametrize(
    "after",
    [
        {"A": "Failed", "B": "Succeeded"},  # B runs only where A succeeds
        {"A": ["Failed", "TimedOut"], "B": ["Failed", "Succeeded"]},
        {"A": "Skipped"},  # A waits for nothing
        {"A": "Skipped", "B": "Failed"},
    ],
)
def test_statuses_that_cannot_occur_together(after: dict[str, Any]) -> None:
    assert told("NeverRuns", {**ONE_AFTER, "X": compose(**after)}) == ["/actions/X/runAfter"]


@pytest.mark.parametrize(
    "after",
    [
        {"A": "Failed", "B": "Skipped"},
        {"A": "Failed", "B": ["Succeeded", "Skipped"]},
        {"A": "Succeeded", "B": "Failed"},
        {"A": "FAILED"},
        {"A": ["Succeeded", "Failed", "Skipped", "TimedOut"], "B": ["Succeeded", "Failed", "Skipped", "TimedOut"]},
        {"B": "Skipped"},
        {"B": "TimedOut"},
    ],
)
def test_statuses_that_can(after: dict[str, Any]) -> None:
    assert told("NeverRuns", {**ONE_AFTER, "X": compose(**after)}) == []


def test_what_waits_for_an_action_that_never_runs_is_not_told_again() -> None:
    actions = {
        **ONE_AFTER,
        "X": compose(A="Failed", B="Succeeded"),
        "Y": compose(X="Succeeded"),
        "Z": compose(Y="Failed"),
    }
    assert told("NeverRuns", actions) == ["/actions/X/runAfter"]


def test_a_response_may_be_skipped_though_it_waits_for_nothing() -> None:
    assert told("NeverRuns", {"R": respond(), "X": compose(R="Skipped")}) == []


def test_nothing_runs_after_a_terminate() -> None:
    end = {"type": "Terminate", "inputs": {"runStatus": "Succeeded"}}
    (problem,) = problems({"End": end, "X": compose(End="Succeeded")})
    assert (problem.code, problem.severity, problem.at) == ("NeverRuns", "warning", "/actions/X/runAfter")
    assert "'End' ends the run" in problem.message
    late = {**end, "runAfter": {"A": ["Failed"]}}
    assert told("NeverRuns", {"A": compose(), "End": late, "X": compose(End="Skipped")}) == []


def test_a_cycle_is_not_taken_for_more_than_it_is() -> None:
    codes = {problem.code for problem in problems({"A": compose(B="Succeeded"), "B": compose(A="Failed")})}
    assert codes == {"RunAfterCycle"}


def test_a_chain_of_thousands_with_its_end() -> None:
    actions: dict[str, Any] = {"A0": compose()}
    actions |= {f"A{index}": compose(**{f"A{index - 1}": "Succeeded"}) for index in range(1, 3000)}
    actions["X"] = compose(A0="Failed", A2999="Succeeded")
    assert told("NeverRuns", actions) == ["/actions/X/runAfter"]


def test_responses_that_exclude_each_other() -> None:
    well_and_not = {"A": compose(), "Yes": respond(A="Succeeded"), "No": respond(A=["Failed", "TimedOut"])}
    assert told("SeveralResponses", well_and_not) == []
    assert told("SeveralResponses", {"R": respond(), "Again": respond(R=["Failed", "TimedOut"])}) == []
    branches = {"type": "If", "expression": "@true", "actions": {"Y": respond()}, "else": {"actions": {"N": respond()}}}
    assert told("SeveralResponses", {"I": branches}) == []


def test_responses_that_do_not() -> None:
    assert told("SeveralResponses", {"R": respond(), "S": respond()}) == ["/actions/S"]
    assert told("SeveralResponses", {"R": respond(), "S": respond(R="Succeeded")}) == ["/actions/S"]
    beside = {"A": compose(), "R": respond(A="Succeeded"), "S": respond(A=["Succeeded", "Failed"])}
    assert told("SeveralResponses", beside) == ["/actions/S"]


def notes(actions: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    definition = {"triggers": {"manual": {"type": "Request"}}, "actions": actions, **more}
    return [(problem.code, problem.severity, problem.at) for problem in check(read_object(definition))]


@pytest.mark.parametrize("expression", ["@true", True, "@equals(1, add(0, 1))", {"and": [{"equals": ["a", "a"]}]}])
def test_a_condition_that_names_nothing(expression: Any) -> None:
    condition = {"type": "If", "expression": expression, "actions": {}}
    assert notes({"I": condition}) == [("ConstantCondition", "info", "/actions/I/expression")]


@pytest.mark.parametrize(
    "expression",
    [
        "@equals(triggerBody(), 1)",
        "@less(rand(0, 9), 5)",
        "@empty(utcNow())",
        {"or": [{"equals": ["@parameters('p')", 1]}]},
    ],
)
def test_a_condition_that_names_something(expression: Any) -> None:
    parameters = {"p": {"type": "Int", "defaultValue": 1}}
    found = notes({"I": {"type": "If", "expression": expression, "actions": {}}}, parameters=parameters)
    assert [code for code, _, _ in found if code != "UnusedParameter"] == []


def test_what_is_declared_and_never_used() -> None:
    first = {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "integer"}]}}
    parameters = {"p": {"type": "String", "defaultValue": "a"}, "$connections": {"type": "Object", "defaultValue": {}}}
    assert notes({"V": first}, parameters=parameters) == [
        ("UnusedVariable", "info", "/actions/V/inputs/variables/0/name"),
        ("UnusedParameter", "info", "/parameters/p"),
    ]
    after = {"runAfter": {"V": ["Succeeded"]}}
    use = {"type": "Compose", "inputs": "@concat(variables('V'), parameters('P'))", **after}
    assert notes({"V": first, "C": use}, parameters=parameters) == []
    computed = {"type": "Compose", "inputs": "@variables(concat('v'))", **after}
    assert notes({"V": first, "C": computed}) == []
    increment = {"type": "IncrementVariable", "inputs": {"name": "V", "value": 1}, **after}
    assert notes({"V": first, "I": increment}) == []
