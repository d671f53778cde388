"""Data operations and variables, with the documented examples where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kernel_driver import SUCCEEDED, Driver, compose
from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.errors import DefinitionError, ExpressionError
from sealflow.engine.expressions import ContextScope, compile_condition

DOCUMENTED = Path(__file__).resolve().parents[2] / ".." / "shared" / "conformance" / "actions-documented.json"


def documented() -> list[object]:
    if not DOCUMENTED.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="the shared conformance cases are not here"))]
    cases = json.loads(DOCUMENTED.read_text())
    return [pytest.param(case, id=case["source"][:40]) for case in cases]


@pytest.mark.parametrize("case", documented())
def test_documented_examples(case: Any) -> None:
    if "condition" in case:
        scope = ContextScope()
        assert compile_condition(case["condition"], scope).evaluate({}) == case["expected"]
        return
    if "trigger" in case:
        plan = kernel.build(parse({"triggers": {"t": {"type": "Request", **case["trigger"]}}, "actions": {}}))
        records = kernel.fire(plan, case["payload"], at=0, pins={"parameters": {}})
        assert [{"body": record["outputs"]["body"]} for record in records] == case["runs_trigger_outputs"]
        return
    variables = [
        {"name": name, "type": _type(value), "value": value}
        for name, value in case.get("context", {}).get("variables", {}).items()
    ]
    actions = {"it": dict[str, Any](case["action"])}
    if variables:
        actions["vars"] = {"type": "InitializeVariable", "inputs": {"variables": variables}}
        actions["it"]["runAfter"] = {"vars": SUCCEEDED}
    outputs = Driver(actions).run().outputs("/it")
    if "outputs" in case:
        assert outputs == case["outputs"]
    elif "body_lines" in case:
        assert outputs["body"].splitlines() == case["body_lines"]
    else:
        assert outputs["body"] == case["body"]


def _type(value: object) -> str:
    return {str: "string", int: "integer", list: "array", dict: "object", bool: "boolean", float: "float"}[type(value)]


def test_csv_quotes_what_needs_it_and_html_escapes() -> None:
    rows = [{"a": 'x,"y"', "b": "<1>"}, {"b": None, "c": True}]
    csv = Driver({"t": {"type": "Table", "inputs": {"from": "@triggerBody()", "format": "csv"}}}).run(rows)
    assert csv.outputs("/t")["body"] == 'a,b,c\r\n"x,""y""",<1>,\r\n,,True\r\n'
    html = Driver({"t": {"type": "Table", "inputs": {"from": "@triggerBody()", "format": "HTML"}}}).run(rows)
    assert "<td>&lt;1&gt;</td>" in html.outputs("/t")["body"]


def test_a_query_needs_booleans_and_an_array() -> None:
    query = {"type": "Query", "inputs": {"from": "@triggerBody()", "where": "@item()"}}
    assert Driver({"q": query}).run(["x"]).statuses == {"/q": "Failed"}
    assert Driver({"q": query}).run("x").statuses == {"/q": "Failed"}
    assert Driver({"q": query}).run([True, False, True]).outputs("/q") == {"body": [True, True]}


def test_item_of_a_data_operation_inside_of_a_loop_is_its_element() -> None:
    select = {"type": "Select", "inputs": {"from": "@item()", "select": {"v": "@item()", "n": "@length(items('l'))"}}}
    run = Driver({"l": {"type": "Foreach", "foreach": "@triggerBody()", "actions": {"s": select}}}).run([[1, 2], [3]])
    assert run.outputs("/l[0]/s")["body"] == [{"v": 1, "n": 2}, {"v": 2, "n": 2}]


SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ('{"a": 1}', "Succeeded"),
        ({"a": 1}, "Succeeded"),
        ('{"a": "x"}', "Failed"),
        ("{}", "Failed"),
        ("{", "Failed"),
        (None, "Failed"),
    ],
)
def test_parse_json_with_a_schema(content: Any, status: Any) -> None:
    run = Driver({"p": {"type": "ParseJson", "inputs": {"content": "@triggerBody()", "schema": SCHEMA}}}).run(content)
    assert run.statuses == {"/p": status}


def test_parse_json_says_where_the_content_does_not_fit() -> None:
    run = Driver({"p": {"type": "ParseJson", "inputs": {"content": {"a": "x"}, "schema": SCHEMA}}}).run()
    assert run.entry("/p").code == "ValidationFailed"
    assert "at /a" in run.entry("/p").error["message"]
    assert run.outputs("/p") == {"body": {"a": "x"}}


def test_a_schema_does_not_fetch_anything() -> None:
    schema = {"$ref": "http://127.0.0.1:9/never.json"}
    run = Driver({"p": {"type": "ParseJson", "inputs": {"content": {}, "schema": schema}}}).run()
    assert run.statuses == {"/p": "Failed"}


@pytest.mark.parametrize(
    ("kind", "inputs", "body"),
    [
        (
            "AddToTime",
            {"baseTime": "2020-01-01T00:00:00Z", "interval": 1, "timeUnit": "Day"},
            "2020-01-02T00:00:00.0000000Z",
        ),
        ("IndexOf", {"text": "hello", "searchText": "l"}, 2),
        ("Substring", {"text": "hello", "startIndex": 1, "length": 3}, "ell"),
        ("FormatNumber", {"number": 1234.5, "format": "N2", "locale": "en-US"}, "1,234.50"),
        ("CurrentTime", {}, "2023-11-14T22:13:20.0000000Z"),
        ("GetPastTime", {"interval": 1, "timeUnit": "Hour"}, "2023-11-14T21:13:20.0000000Z"),
    ],
)
def test_expression_kinds(kind: Any, inputs: Any, body: Any) -> None:
    run = Driver({"e": {"type": "Expression", "kind": kind, "inputs": inputs}}).run()
    assert run.outputs("/e") == {"body": body}


def test_a_static_result_stands_in_for_the_action() -> None:
    action = {
        "type": "Http",
        "inputs": {"method": "GET", "uri": "http://x"},
        "runtimeConfiguration": {"staticResult": {"name": "r0", "staticResultOptions": "Enabled"}},
    }
    results = {"r0": {"status": "Succeeded", "outputs": {"statusCode": "OK", "body": 5}}}
    run = Driver({"c": action}, staticResults=results).run()
    assert run.calls == []
    assert run.outputs("/c") == {"statusCode": "OK", "body": 5}
    failed = {"r0": {"status": "Failed", "error": {"code": "X", "message": "m"}}}
    assert Driver({"c": action}, staticResults=failed).run().entry("/c").error == {"code": "X", "message": "m"}


# ---- variables


def init(kind: str, value: object = None) -> dict[str, Any]:
    return {"type": "InitializeVariable", "inputs": {"variables": [{"name": "V", "type": kind, "value": value}]}}


def change(action: str, value: object, after: str = "i", name: str = "v") -> dict[str, Any]:
    return {"type": action, "inputs": {"name": name, "value": value}, "runAfter": {after: SUCCEEDED}}


@pytest.mark.parametrize(
    ("kind", "start", "action", "value", "after"),
    [
        ("Integer", 5, "IncrementVariable", 2, 7),
        ("integer", 5, "DecrementVariable", 2, 3),
        ("float", 1, "IncrementVariable", 0.5, 1.5),
        ("string", "a", "AppendToStringVariable", 1, "a1"),
        ("string", None, "AppendToStringVariable", {"a": True}, '{"a":true}'),
        ("array", [1], "AppendToArrayVariable", {"x": 1}, [1, {"x": 1}]),
        ("array", None, "AppendToArrayVariable", None, [None]),
        ("boolean", True, "SetVariable", False, False),
        ("object", {}, "SetVariable", {"a": 1}, {"a": 1}),
    ],
)
def test_changes(kind: Any, start: Any, action: Any, value: Any, after: Any) -> None:
    run = Driver({"i": init(kind, start), "c": change(action, value), "r": compose("@variables('V')", "c")}).run()
    assert run.outputs("/r") == after


@pytest.mark.parametrize(
    ("kind", "start", "action", "value"),
    [
        ("integer", 1, "SetVariable", "x"),
        ("string", "a", "SetVariable", 1),
        ("boolean", True, "SetVariable", "True"),
        ("string", "a", "IncrementVariable", 1),
        ("integer", 1, "IncrementVariable", 0.5),
        ("string", "a", "AppendToArrayVariable", 1),
        ("integer", 2**63 - 1, "IncrementVariable", 1),
        ("array", [], "SetVariable", {}),
    ],
)
def test_a_value_that_does_not_fit_fails(kind: Any, start: Any, action: Any, value: Any) -> None:
    run = Driver({"i": init(kind, start), "c": change(action, value)}).run()
    assert run.statuses["/c"] == "Failed"
    assert run.entry("/c").code == "InvalidVariableOperation"


def test_outputs_of_a_set_variable() -> None:
    run = Driver({"i": init("integer", 1), "c": change("SetVariable", 4), "r": compose("@body('c')", "c")}).run()
    assert run.outputs("/r") == {"name": "V", "value": 4}


def test_a_value_that_was_read_does_not_change_afterwards() -> None:
    run = Driver(
        {
            "i": init("array", [1]),
            "before": compose("@variables('v')", "i"),
            "c": change("AppendToArrayVariable", 2, "before"),
            "middle": compose("@variables('v')", "c"),
            "d": change("AppendToArrayVariable", 3, "middle"),
            "after": compose("@variables('v')", "d"),
        }
    ).run()
    assert [run.outputs(f"/{name}") for name in ("before", "middle", "after")] == [[1], [1, 2], [1, 2, 3]]


def test_several_variables_at_once_and_an_unknown_one() -> None:
    given = [{"name": "a", "type": "string", "value": "x"}, {"name": "b", "type": "array"}]
    run = Driver(
        {
            "i": {"type": "InitializeVariable", "inputs": {"variables": given}},
            "r": compose("@{variables('a')}@{variables('B')}", "i"),
            "u": compose("@variables('zz')", "i"),
        }
    ).run()
    assert run.outputs("/r") == "x"
    assert run.statuses["/u"] == "Failed"


# ---- triggers and parameters


def plan(trigger: dict[str, Any], **more: Any) -> kernel.Plan:
    return kernel.build(parse({"triggers": {"t": trigger}, "actions": {}, **more}))


def test_trigger_conditions() -> None:
    conditions = [
        {"expression": "@greater(triggerBody()?['n'],2)"},
        {"expression": "@equals(trigger().outputs.body.n,3)"},
    ]
    it = plan({"type": "Request", "conditions": conditions})
    assert kernel.fire(it, {"n": 3}, at=0, pins={}) != []
    assert kernel.fire(it, {"n": 4}, at=0, pins={}) == []


def test_split_on_needs_an_array() -> None:
    it = plan({"type": "Request", "splitOn": "@triggerBody()?['value']"})
    assert len(kernel.fire(it, {"value": [1, 2, 3]}, at=0, pins={})) == 3
    with pytest.raises(ExpressionError):
        kernel.fire(it, {"value": 1}, at=0, pins={})
    assert len(kernel.fire(it, None, at=0, pins={}, given=False)) == 1


def test_a_request_can_have_to_fit_its_schema() -> None:
    trigger = {"type": "Request", "inputs": {"schema": SCHEMA}, "operationOptions": "EnableSchemaValidation"}
    it = plan(trigger)
    assert kernel.fire(it, {"a": 1}, at=0, pins={})
    with pytest.raises(ExpressionError, match="at /a") as caught:
        kernel.fire(it, {"a": "x"}, at=0, pins={})
    assert caught.value.code == "TriggerInputSchemaMismatch"
    assert kernel.fire(plan({"type": "Request", "inputs": {"schema": SCHEMA}}), {"a": "x"}, at=0, pins={})


PARAMETERS = {
    "N": {"type": "Int", "defaultValue": 3},
    "S": {"type": "String"},
    "$connections": {"type": "Object", "defaultValue": {}},
}


def test_parameters_are_typed_and_found_without_case() -> None:
    it = plan({"type": "Request"}, parameters=PARAMETERS).definition
    assert kernel.resolve(it, {"s": "x"})["n"] == 3
    assert kernel.resolve(it, {}, simulate=True)["s"] == ""
    for given, code in (
        ({}, "MissingParameter"),
        ({"S": 1}, "InvalidParameterType"),
        ({"S": "", "Q": 1}, "UnknownParameter"),
    ):
        with pytest.raises(DefinitionError) as caught:
            kernel.resolve(it, given)
        assert caught.value.code == code
        assert caught.value.at.startswith("/parameters")


def test_a_parameter_may_have_only_allowed_values() -> None:
    allowed = {"c": {"type": "String", "defaultValue": "a", "allowedValues": ["a", "b"]}}
    it = plan({"type": "Request"}, parameters=allowed).definition
    assert kernel.resolve(it, {"c": "b"})["c"] == "b"
    with pytest.raises(DefinitionError, match="allows") as caught:
        kernel.resolve(it, {"c": "x"})
    assert caught.value.code == "ValueNotAllowed"


def test_connections_are_filled_in() -> None:
    actions = {"a": compose("@parameters('$connections')['office365']['connectionId']")}
    run = Driver(actions, parameters=None, pins={})
    run.pins["parameters"] = kernel.resolve(run.plan.definition, {})
    assert run.run().outputs("/a") == "/connections/office365"


# ---- secured values


def test_secured_values_are_hidden_from_all_who_read_them_but_not_from_expressions() -> None:
    secret = {**compose("hush"), "runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}
    call = {
        "type": "Http",
        "inputs": {"method": "GET", "uri": "http://x", "authentication": {"type": "Basic", "password": "p"}},
        "runtimeConfiguration": {"secureData": {"properties": ["inputs", "outputs"]}},
    }
    run = Driver(
        {
            "secret": secret,
            "call": call,
            "uses": compose("@body('call')", "call"),
            "next": compose("@outputs('uses')", "uses"),
        },
        answer=lambda c, n: (1, "OK", {"statusCode": 200, "body": "hush too"}, None),
    ).run()
    secured = kernel.Secured(run.plan.definition)
    shown = {entry.path: entry.to_json(secured) for entry in run.history.entries}
    assert shown["/call"]["inputs"] is None
    assert shown["/call"]["outputs"] is None
    assert shown["/call"]["secured"] == ["inputs", "outputs"]
    assert shown["/uses"]["outputs"] is None
    assert shown["/next"]["outputs"] == "hush too"  # one step, and no further
    assert run.outputs("/uses") == "hush too"


@pytest.mark.parametrize(
    ("actions", "leak"),
    [
        (
            {"a": {**compose("@int('hunter2')"), "runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}},
            "/a",
        ),
        ({"a": {**compose("hunter2"), "runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}}, "/a"),
    ],
)
def test_neither_messages_nor_echoes_tell_a_secured_value(actions: Any, leak: str) -> None:
    run = Driver(actions).run()
    shown = [entry.to_json(kernel.Secured(run.plan.definition)) for entry in run.history.entries if entry.path == leak]
    assert "hunter2" not in str(shown)


def test_what_uses_a_secured_value_is_hidden_whatever_its_type() -> None:
    call = {
        "type": "Http",
        "inputs": {"method": "GET", "uri": "http://x"},
        "runtimeConfiguration": {"secureData": {"properties": ["outputs"]}},
    }
    actions = {
        "i": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "string", "value": ""}]}},
        "s": {"type": "Scope", "actions": {"c": call}, "runAfter": {"i": SUCCEEDED}},
        "set": {"type": "SetVariable", "inputs": {"name": "v", "value": "@body('c')"}, "runAfter": {"s": SUCCEEDED}},
        "sw": {"type": "Switch", "expression": "@body('c')", "cases": {}, "runAfter": {"s": SUCCEEDED}},
        "r": compose("@result('s')", "s"),
    }
    run = Driver(actions, answer=lambda c, n: (1, "OK", {"statusCode": 200, "body": "hunter2"}, None)).run()
    secured = kernel.Secured(run.plan.definition)
    assert "hunter2" not in str([entry.to_json(secured) for entry in run.history.entries])


def test_only_a_request_has_a_caller() -> None:
    answer = {"r": {"type": "Response", "inputs": {"statusCode": 200}}}
    assert kernel.waits_for_response(plan({"type": "Request"}, actions=answer))
    assert not kernel.waits_for_response(plan({"type": "Recurrence"}, actions=answer))


@pytest.mark.parametrize(
    "inputs",
    [
        {"host": {"api": "text", "connection": "x"}},
        {"host": "x", "serviceProviderConfiguration": "y", "function": 5, "pathTemplate": []},
        "nothing",
        None,
    ],
)
def test_calls_of_any_shape_can_be_built(inputs: Any) -> None:
    for kind in (
        "OpenApiConnection",
        "ApiConnection",
        "ServiceProvider",
        "Function",
        "ApiManagement",
        "Http",
        "Workflow",
    ):
        Driver({"c": {"type": kind, "inputs": inputs}}).run()
