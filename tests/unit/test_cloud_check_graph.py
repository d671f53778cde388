"""Rules about the graph, types, options and control: each with a definition that breaks it, and its place."""

from __future__ import annotations

from typing import Any

import pytest
from checking import REQUEST, problems
from sealflow.engine.cloud import check, read_object

COMPOSE = {"type": "Compose", "inputs": 1}


def found(actions: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    return [(problem.code, problem.severity, problem.at) for problem in problems(actions, **more)]


def after(*names: str, **more: Any) -> dict[str, Any]:
    return {**COMPOSE, "runAfter": {name: ["Succeeded"] for name in names}, **more}


def box(kind: str, actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    needed = {
        "If": {"expression": "@true"},
        "Until": {"expression": "@true"},
        "Foreach": {"foreach": "@createArray(1)"},
    }
    return {"type": kind, "actions": actions, **needed.get(kind, {}), **more}


def test_a_sound_flow_has_no_problem() -> None:
    assert found({"A": COMPOSE, "B": after("A"), "C": after("a", "B")}) == []


def test_an_unknown_predecessor() -> None:
    (problem,) = problems({"Compose_one": COMPOSE, "B": after("Compose_on")})
    assert (problem.code, problem.severity, problem.at) == (
        "UnknownPredecessor",
        "error",
        "/actions/B/runAfter/Compose_on",
    )
    assert problem.hint == "Did you mean 'Compose_one'?"


def test_a_predecessor_in_another_container_or_the_trigger() -> None:
    assert found({"S": box("Scope", {"A": COMPOSE}), "B": after("A")}) == [
        ("UnknownPredecessor", "error", "/actions/B/runAfter/A")
    ]
    assert found({"B": after("manual")}) == [("UnknownPredecessor", "error", "/actions/B/runAfter/manual")]


def test_a_cycle_is_named_once() -> None:
    actions = {"Start": COMPOSE, "A": after("C", "Start"), "B": after("A"), "C": after("B"), "End": after("C")}
    (problem,) = problems(actions)
    assert (problem.code, problem.severity, problem.at) == ("RunAfterCycle", "error", "/actions/A/runAfter")
    assert "'A' after 'C' after 'B' after 'A'" in problem.message


def test_two_cycles_and_an_action_after_itself() -> None:
    actions = {"A": after("A"), "S": box("Scope", {"B": after("C"), "C": after("B")})}
    assert found(actions) == [
        ("RunAfterCycle", "error", "/actions/A/runAfter"),
        ("RunAfterCycle", "error", "/actions/S/actions/B/runAfter"),
    ]


def test_a_chain_of_thousands_is_no_cycle() -> None:
    actions = {f"A{index}": after(f"A{index + 1}") for index in range(3000)}
    actions["A3000"] = COMPOSE
    assert [code for code, _, _ in found(actions)] == ["TooManyActions"]


def test_a_status_that_no_action_ends_with() -> None:
    actions = {"A": COMPOSE, "B": {**COMPOSE, "runAfter": {"A": ["Running"]}}}
    assert found(actions) == [("StatusNeverOccurs", "warning", "/actions/B/runAfter/A")]


def test_an_unknown_status_is_an_error() -> None:
    actions = {"A": COMPOSE, "B": {**COMPOSE, "runAfter": {"A": ["Succeded"]}}}
    assert found(actions) == [("UnknownStatus", "error", "/actions/B/runAfter/A/0")]


def test_names_that_differ_only_in_case() -> None:
    elsewhere = {"S": box("Scope", {"A": COMPOSE}), "a": COMPOSE}
    assert found(elsewhere) == [("DuplicateName", "warning", "/actions/a")]
    used = {**elsewhere, "B": {"type": "Compose", "inputs": "@outputs('A')", "runAfter": {"a": ["Succeeded"]}}}
    assert found(used) == [("DuplicateName", "error", "/actions/a")]
    assert found({"A b": COMPOSE, "a_B": COMPOSE}) == [("DuplicateName", "error", "/actions/a_B")]


def test_limits_of_the_hosts_are_warnings() -> None:
    deep: dict[str, Any] = {"A": COMPOSE}
    for index in range(9):
        deep = {f"S{index}": box("Scope", deep)}
    assert [problem[:2] for problem in found(deep)] == [("NestingTooDeep", "warning")]
    assert found({"x" * 81: COMPOSE}) == [("NameTooLong", "warning", f"/actions/{'x' * 81}")]
    for name in ("A?", "A/B", "50%", "A.", "A\tB"):
        assert [problem[:2] for problem in found({name: COMPOSE})] == [("InvalidName", "warning")]
    assert found({"Größe: 'a', [b] (c) | d.e": COMPOSE}) == []
    assert found({f"A{index}": COMPOSE for index in range(501)}) == [("TooManyActions", "warning", "/actions")]


def test_an_unknown_type_is_told_from_one_that_is_not_built() -> None:
    (unknown,) = problems({"A": {"type": "Compos", "inputs": 1}})
    assert (unknown.code, unknown.severity, unknown.at) == ("UnknownActionType", "error", "/actions/A/type")
    assert unknown.hint == "Did you mean 'Compose'?"
    assert found({"A": {"type": "chunktext", "inputs": {}}}) == [("UnsupportedAction", "error", "/actions/A/type")]


def test_what_is_inside_of_something_unbuilt_is_not_judged() -> None:
    agent = {"type": "Agent", "tools": {"T": {"actions": {"A": {"type": "Nonsense"}}}}, "limit": {"count": 5}}
    assert found({"Agent": agent}) == [("UnsupportedAction", "error", "/actions/Agent/type")]


@pytest.mark.parametrize(
    ("action", "at"),
    [
        ({"type": "Expression", "kind": "AddToTimes", "inputs": {}}, "/actions/A/kind"),
        ({"type": "Expression", "inputs": {}}, "/actions/A"),
    ],
)
def test_an_unknown_kind(action: dict[str, Any], at: str) -> None:
    assert found({"A": action}) == [("UnknownActionKind", "error", at)]


def test_an_unknown_kind_of_what_is_the_same_in_every_kind() -> None:
    answer = {"type": "Response", "kind": "Fax", "inputs": {"statusCode": 200}}
    assert found({"A": answer}) == [("UnknownActionKind", "warning", "/actions/A/kind")]
    request = {"R": {"type": "Request", "kind": "Fax"}}
    assert found({"A": COMPOSE}, triggers=request) == [("UnknownTriggerKind", "warning", "/triggers/R/kind")]


def test_triggers_are_known_and_those_that_fire_by_themselves_need_a_worker() -> None:
    recurrence = {"T": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}}}
    assert found({"A": COMPOSE}, triggers=recurrence) == [("NeedsWorker", "info", "/triggers/T/type")]
    assert found({"A": COMPOSE}, triggers={"T": {"type": "Reqest"}}) == [
        ("UnknownTriggerType", "error", "/triggers/T/type")
    ]


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ({"limit": {"timeout": "soon"}, **box("Scope", {})}, ("InvalidLimit", "error", "/actions/A/limit/timeout")),
        ({"limit": {"count": 5}, **box("Foreach", {})}, ("InvalidLimit", "warning", "/actions/A/limit/count")),
        ({"limit": 5, **COMPOSE}, ("InvalidLimit", "error", "/actions/A/limit")),
        ({"correlation": {"a": 1}, **COMPOSE}, ("NotYetSupported", "warning", "/actions/A/correlation")),
        ({"operationOptions": "DisableAsync", **COMPOSE}, ("UnknownOption", "error", "/actions/A/operationOptions")),
        ({"operationOptions": "Xyzzy", **COMPOSE}, ("UnknownOption", "warning", "/actions/A/operationOptions")),
        (
            {"operationOptions": "DisableAutomaticDecompression", **COMPOSE},
            ("NotYetSupported", "warning", "/actions/A/operationOptions"),
        ),
        ({"operationOptions": ["Sequential"], **COMPOSE}, ("InvalidOption", "error", "/actions/A/operationOptions")),
        ({"runtimeConfiguration": [], **COMPOSE}, ("InvalidOption", "error", "/actions/A/runtimeConfiguration")),
    ],
)
def test_options_that_are_not_built_or_not_known(action: dict[str, Any], problem: tuple[str, str, str]) -> None:
    assert found({"A": action}) == [problem]


def http(**more: Any) -> dict[str, Any]:
    return {"type": "Http", "inputs": {"method": "GET", "uri": "https://example.com", **more.pop("inputs", {})}, **more}


def test_options_that_are_built_pass() -> None:
    runtime = {"secureData": {"properties": ["inputs"]}, "contentTransfer": {"transferMode": "Chunked"}}
    action = http(
        limit={"timeout": "PT1M"},
        operationOptions="DisableAsyncPattern, SuppressWorkflowHeaders",
        runtimeConfiguration=runtime,
        inputs={"retryPolicy": {"type": "fixed", "count": 3, "interval": "PT20S"}},
    )
    assert found({"A": action}) == []
    connector = {
        "type": "OpenApiConnection",
        "inputs": {"host": {"operationId": "x"}},
        "runtimeConfiguration": {"paginationPolicy": {"minimumItemCount": 5000}},
    }
    assert found({"A": connector}) == []
    options = {"paginationPolicy": {"minimumItemCount": 5}, "requestOptions": {"timeout": "PT5S"}}
    assert found({"A": http(runtimeConfiguration=options)}) == []
    compose = {"type": "Compose", "inputs": 1, "runtimeConfiguration": options}
    assert {problem[:2] for problem in found({"A": compose})} == {("UnknownProperty", "warning")}


@pytest.mark.parametrize(
    ("runtime", "at", "problem"),
    [
        ({"clouds": {"count": 5}}, "clouds", ("UnknownProperty", "warning")),
        ({"concurrency": {"repetitions": 5}}, "concurrency", ("InvalidConcurrency", "warning")),
        (
            {"staticResult": {"name": "x", "staticResultOptions": "Enabled"}},
            "staticResult/name",
            ("UnknownStaticResult", "error"),
        ),
        ({"staticResult": {}}, "staticResult", ("InvalidStaticResult", "error")),
    ],
)
def test_runtime_configuration(runtime: dict[str, Any], at: str, problem: tuple[str, str]) -> None:
    assert found({"A": http(runtimeConfiguration=runtime)}) == [(*problem, f"/actions/A/runtimeConfiguration/{at}")]


def test_a_static_result_that_is_off_or_defined() -> None:
    action = http(runtimeConfiguration={"staticResult": {"name": "x", "staticResultOptions": "Disabled"}})
    assert [problem[:2] for problem in found({"A": action})] == [("UnknownStaticResult", "warning")]
    assert found({"A": action}, staticResults={"x": {"status": "Succeeded"}}) == []


@pytest.mark.parametrize("loop", ["Foreach", "Until"])
def test_terminate_and_response_do_not_stand_in_loops(loop: str) -> None:
    inner = {
        "T": {"type": "Terminate", "inputs": {"runStatus": "Succeeded"}},
        "R": {"type": "Response", "inputs": {"statusCode": 200}},
    }
    assert found({"L": box(loop, {"S": box("Scope", inner)})}) == [
        ("InvalidTerminate", "error", "/actions/L/actions/S/actions/T"),
        ("InvalidResponse", "error", "/actions/L/actions/S/actions/R"),
    ]


def test_a_response_without_a_caller() -> None:
    recurrence = {"T": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}}}
    answers = found({"R": {"type": "Response", "inputs": {"statusCode": 200}}}, triggers=recurrence)
    assert ("InvalidResponse", "warning", "/actions/R") in answers


@pytest.mark.parametrize(
    ("concurrency", "options", "told"),
    [
        ({"repetitions": 1}, "", []),
        ({"repetitions": 50}, "", []),
        ({"repetitions": "7"}, "", []),
        ({"repetitions": "@int('7')"}, "", []),
        ({"repetitions": 0}, "", ["InvalidConcurrency"]),
        ({"repetitions": 51}, "", ["InvalidConcurrency"]),
        ({"repetitions": "many"}, "", ["InvalidConcurrency"]),
        ({"repetitions": 5}, "Sequential", ["InvalidConcurrency"]),
        ([], "", ["InvalidConcurrency"]),
    ],
)
def test_concurrency_of_a_foreach(concurrency: Any, options: str, told: list[str]) -> None:
    loop = box("Foreach", {}, runtimeConfiguration={"concurrency": concurrency}, operationOptions=options)
    assert [code for code, _, _ in found({"L": loop})] == told


@pytest.mark.parametrize(
    ("limit", "at"),
    [
        ({}, None),
        ({"count": 5000, "timeout": "PT1H"}, None),
        ({"count": 0}, "count"),
        ({"count": 5001}, "count"),
        ({"count": "x"}, "count"),
        ({"timeout": "1 hour"}, "timeout"),
        ({"timeout": "PT0S"}, "timeout"),
    ],
)
def test_limits_of_an_until(limit: dict[str, Any], at: str | None) -> None:
    expected = [] if at is None else [("InvalidLimit", "error", f"/actions/U/limit/{at}")]
    assert found({"U": box("Until", {}, limit=limit)}) == expected


def test_what_a_foreach_walks() -> None:
    assert found({"L": {"type": "Foreach"}}) == [("InvalidLoop", "error", "/actions/L")]
    assert found({"L": {"type": "Foreach", "foreach": "abc"}}) == [("InvalidLoop", "error", "/actions/L/foreach")]
    assert found({"L": {"type": "Foreach", "foreach": [1, 2]}}) == []


def switch(*values: Any) -> dict[str, Any]:
    cases = {f"Case {index}": {"case": value, "actions": {}} for index, value in enumerate(values)}
    return {"type": "Switch", "expression": "@1", "cases": cases}


def test_cases_of_a_switch() -> None:
    assert found({"S": switch("a", "b", 1, "1")}) == []
    assert found({"S": switch("a", "b", "a")}) == [("InvalidSwitch", "error", "/actions/S/cases/Case 2/case")]
    assert found({"S": switch("@guid()")}) == [("InvalidSwitch", "error", "/actions/S/cases/Case 0/case")]
    assert found({"S": switch(*range(26))}) == [("TooManyCases", "warning", "/actions/S/cases")]
    assert found({"S": {"type": "Switch", "cases": {}}}) == [("InvalidSwitch", "error", "/actions/S")]


@pytest.mark.parametrize(
    "expression",
    [
        "@equals(1, 1)",
        True,
        {"and": [{"equals": ["@variables", 1]}, {"not": {"contains": ["abc", "b"]}}, "@true"]},
        {"not": [{"equals": [1, 1]}]},
        {"lENgth": ["a"]},
        {"not": {"EQUALS": [1, 1]}},
    ],
)
def test_conditions_that_can_be_read(expression: Any) -> None:
    codes = [code for code, _, _ in found({"A": box("If", {}, expression=expression)})]
    assert [code for code in codes if code != "InvalidExpression"] == []


@pytest.mark.parametrize(
    ("expression", "at", "code"),
    [
        ("", "", "InvalidCondition"),
        (None, "", "InvalidCondition"),
        ("equals(1,1)", "/expression", "InvalidCondition"),
        (5, "/expression", "InvalidCondition"),
        ({}, "/expression", "InvalidCondition"),
        ({"equals": [1, 1], "greater": [1, 1]}, "/expression", "InvalidCondition"),
        ({"and": [{"equalz": [1, 1]}]}, "/expression/and/0/equalz", "UnknownFunction"),
        ({"or": [{"equals": [1]}]}, "/expression/or/0/equals", "WrongArgumentCount"),
        ({"or": []}, "/expression/or", "WrongArgumentCount"),
        ({"not": ["@true", "@true"]}, "/expression/not", "WrongArgumentCount"),
        ({"and": "x"}, "/expression/and", "InvalidCondition"),
    ],
)
def test_conditions_that_cannot(expression: Any, at: str, code: str) -> None:
    assert found({"A": box("If", {}, expression=expression)}) == [(code, "error", f"/actions/A{at}")]


def test_problems_stand_in_document_order_under_the_wrapper() -> None:
    actions = {
        "Z": {"type": "Nope"},
        "A": {"type": "Nope"},
        "M": box("Scope", {"C": {"type": "Nope"}, "B": {"type": "Nope"}}),
    }
    document = {"properties": {"definition": {"triggers": REQUEST, "actions": actions}, "displayName": "x"}}
    assert [problem.at.removeprefix("/properties/definition/actions") for problem in check(read_object(document))] == [
        "/Z/type",
        "/A/type",
        "/M/actions/C/type",
        "/M/actions/B/type",
    ]


def test_properties_are_read_in_any_case_and_told_as_they_are_written() -> None:
    inner = {"Type": "Compose", "INPUTS": "@outputs('Nowhere')"}
    actions = {
        "A": {"type": "If", "Expression": "@equals(triggerBody(), 1)", "Actions": {"B": inner}},
        "C": {"type": "Compose", "inputs": "@outputs('B')", "runafter": {"A": ["Succeeded"]}},
        "S": {
            "type": "Switch",
            "expression": "@triggerBody()",
            "CASES": {"x": {"Case": 1, "ACTIONS": {"D": {"Type": "X"}}}},
        },
    }
    assert found(actions) == [
        ("UnknownAction", "error", "/actions/A/Actions/B/INPUTS"),
        ("UnknownActionType", "error", "/actions/S/CASES/x/ACTIONS/D/Type"),
    ]


def test_conditions_of_a_trigger_are_conditions_too() -> None:
    conditions = [{"expression": "@equals(1, 1)"}, {"expression": {"and": [{"equalz": [1, 1]}]}}]
    triggers = {"T": {"type": "Request", "conditions": conditions}}
    assert found({"A": COMPOSE}, triggers=triggers) == [
        ("UnknownFunction", "error", "/triggers/T/conditions/1/expression/and/0/equalz")
    ]


def test_properties_that_nothing_reads() -> None:
    twice = {**COMPOSE, "runAfter": {}, "RunAfter": {"A": ["Succeeded"]}}
    assert found({"A": COMPOSE, "B": twice}) == [("MisspeltProperty", "error", "/actions/B/RunAfter")]
    (problem,) = problems({"A": {**COMPOSE, "runtimeConfigurations": {}}})
    assert (problem.code, problem.severity, problem.hint) == (
        "UnknownProperty",
        "warning",
        "Did you mean 'runtimeConfiguration'?",
    )
    assert found({"A": COMPOSE}, staticresults={}) == []
    assert found({"A": COMPOSE}, triggers={"T": {"type": "Request", "conditon": []}}) == [
        ("UnknownProperty", "warning", "/triggers/T/conditon")
    ]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ({**COMPOSE, "actions": {"B": COMPOSE}}, "actions"),
        (box("Scope", {}) | {"else": {"actions": {"B": COMPOSE}}}, "else"),
        (box("If", {}) | {"default": {"actions": {"B": COMPOSE}}}, "default"),
        ({"type": "Switch", "expression": "@1", "actions": {"B": COMPOSE}}, "actions"),
    ],
)
def test_branches_that_would_never_run(action: dict[str, Any], name: str) -> None:
    assert found({"A": action}) == [("UnexpectedBranch", "error", f"/actions/A/{name}")]
