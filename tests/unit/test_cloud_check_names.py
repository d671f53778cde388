"""Rules about expressions, variables, inputs, triggers, parameters and secrets: each with what breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from checking import REQUEST, problems
from sealflow.engine.cloud import check, read_object

COMPOSE = {"type": "Compose", "inputs": 1}


def found(actions: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    return [(problem.code, problem.severity, problem.at) for problem in problems(actions, **more)]


def codes(actions: dict[str, Any], **more: Any) -> list[str]:
    return [problem.code for problem in problems(actions, **more)]


def compose(inputs: Any, *after: str) -> dict[str, Any]:
    return {"type": "Compose", "inputs": inputs, "runAfter": {name: ["Succeeded"] for name in after}}


def loop(actions: dict[str, Any], *after: str, over: Any = "@createArray(1)") -> dict[str, Any]:
    return {"type": "Foreach", "foreach": over, "actions": actions, "runAfter": {name: ["Succeeded"] for name in after}}


def initialize(name: str, kind: str, *value: Any) -> dict[str, Any]:
    entry = {"name": name, "type": kind, **({"value": value[0]} if value else {})}
    return {"type": "InitializeVariable", "inputs": {"variables": [entry]}}


def change(kind: str, name: str, value: Any, *after: str) -> dict[str, Any]:
    return {"type": kind, "inputs": {"name": name, "value": value}, "runAfter": {each: ["Succeeded"] for each in after}}


# --- expressions


def test_a_syntax_error_has_its_position() -> None:
    (problem,) = problems({"A": compose({"x": ["a", "@concat('a'"]})})
    assert (problem.code, problem.severity, problem.at) == ("InvalidExpression", "error", "/actions/A/inputs/x/1")
    assert "position" in problem.message


def test_an_expression_has_a_longest_length() -> None:
    assert codes({"A": compose("@concat('" + "x" * 8192 + "')")}) == ["InvalidExpression"]


def test_an_unknown_function_and_its_nearest_name() -> None:
    (problem,) = problems({"A": compose("text @{concatt('a', 'b')}")})
    assert (problem.code, problem.at) == ("UnknownFunction", "/actions/A/inputs")
    assert problem.hint is not None
    assert "concat" in problem.hint


@pytest.mark.parametrize(
    "expression", ["@outputs()", "@outputs('A', 'B')", "@if(true, 1)", "@toLower()", "@item(1)", "@and()"]
)
def test_the_number_of_arguments(expression: str) -> None:
    assert codes({"B": compose(expression)}) == ["WrongArgumentCount"]


def test_property_names_hold_expressions_too() -> None:
    assert found({"A": compose({"@{nope()}": 1})}) == [("UnknownFunction", "error", "/actions/A/inputs/@{nope()}")]


def test_schemas_and_designer_data_hold_none() -> None:
    schema = {"type": "object", "properties": {"@odata.id": {"type": "string"}}}
    parse_json = {"type": "ParseJson", "inputs": {"content": "@triggerBody()", "schema": schema}}
    triggers = {"manual": {"type": "Request", "inputs": {"schema": schema}}}
    note = {**COMPOSE, "description": "@nothing", "metadata": {"@x": "@y"}}
    assert codes({"A": parse_json, "B": note}, triggers=triggers) == []


def test_an_unknown_action_with_the_nearest_name() -> None:
    (problem,) = problems({"Get_items": COMPOSE, "B": compose("@body('Get_item')", "Get_items")})
    assert (problem.code, problem.severity, problem.at) == ("UnknownAction", "error", "/actions/B/inputs")
    assert problem.hint == "Did you mean 'Get_items'?"


def test_names_of_actions_are_compared_loosely() -> None:
    assert codes({"Get items": COMPOSE, "B": compose("@body('get_ITEMS')", "Get items")}) == []


def test_the_trigger_is_no_action() -> None:
    (problem,) = problems({"B": compose("@outputs('manual')")})
    assert problem.code == "UnknownAction"
    assert problem.hint is not None
    assert "triggerOutputs()" in problem.hint


def test_references_along_run_after_are_sound() -> None:
    inner = {"C": compose("@outputs('A')"), "D": compose("@concat(outputs('C'), outputs('B'))", "C")}
    scope = {"type": "Scope", "actions": inner, "runAfter": {"B": ["Failed", "Succeeded"]}}
    actions = {"A": COMPOSE, "B": compose("@outputs('A')", "A"), "S": scope, "E": compose("@outputs('D')", "S")}
    assert codes(actions) == []


def test_references_that_may_not_have_run() -> None:
    assert found({"A": COMPOSE, "B": compose("@outputs('A')")}) == [("NotReachable", "error", "/actions/B/inputs")]
    assert codes({"A": compose("@outputs('B')"), "B": compose(1, "A")}) == ["NotReachable"]
    assert codes({"A": compose("@outputs('A')")}) == ["NotReachable"]
    assert codes({"S": {"type": "Scope", "actions": {"A": compose("@result('S')")}}}) == ["NotReachable"]
    branches = {
        "type": "If",
        "expression": "@equals(outputs('Y'), 1)",
        "actions": {"Y": COMPOSE},
        "else": {"actions": {"N": compose("@outputs('Y')")}},
    }
    assert codes({"I": branches}) == ["NotReachable", "NotReachable"]


def test_one_fault_in_the_graph_is_one_problem() -> None:
    assert codes({"A": COMPOSE, "B": compose("@outputs('A')", "Nowhere")}) == ["UnknownPredecessor"]
    circle = {
        "A": COMPOSE,
        "B": compose("@outputs('A')", "C"),
        "C": compose(1, "B"),
        "D": compose("@outputs('A')", "C"),
    }
    assert codes(circle) == ["RunAfterCycle"]


@pytest.mark.parametrize("step", [1, -1])
def test_references_along_a_chain_of_thousands_in_any_order(step: int) -> None:
    chain = {f"A{index}": compose(f"@outputs('A{index // 2}')", f"A{index - 1}") for index in range(1, 3000)}
    actions = dict(list({"A0": COMPOSE, **chain}.items())[::step])
    assert codes(actions) == ["TooManyActions"]
    actions["A2"] = COMPOSE  # now only A3 names an action from before the break, A1
    assert codes(actions).count("NotReachable") == 1


def test_diamonds_are_no_cycles() -> None:
    actions = {
        "A": COMPOSE,
        "B": compose(1, "A"),
        "C": compose(1, "B", "A"),
        "D": compose("@outputs('A')", "C", "B", "A"),
    }
    assert codes(actions) == []


def test_the_condition_of_an_until_sees_its_actions() -> None:
    until = {"type": "Until", "expression": "@equals(outputs('A'), iterationIndexes('U'))", "actions": {"A": COMPOSE}}
    assert codes({"U": until}) == []


def test_outputs_of_the_workflow_see_every_action() -> None:
    outputs = {"x": {"type": "Int", "value": "@outputs('A')"}, "y": {"type": "Int", "value": "@outputs('B')"}}
    assert found({"A": COMPOSE}, outputs=outputs) == [("UnknownAction", "error", "/outputs/y/value")]


def test_a_trigger_sees_no_action_and_no_variable() -> None:
    triggers = {"manual": {"type": "Request", "conditions": [{"expression": "@equals(outputs('A'), variables('v'))"}]}}
    at = "/triggers/manual/conditions/0/expression"
    actions = {"V": initialize("v", "string"), "A": COMPOSE}
    assert found(actions, triggers=triggers) == [("NotReachable", "error", at), ("VariableNotReachable", "error", at)]


def test_into_two_loops_from_outside() -> None:
    inner = loop({"A": COMPOSE})
    assert codes({"L": loop({"M": inner, "B": compose("@outputs('A')", "M")}), "C": compose("@body('B')", "L")}) == []
    assert codes({"L": loop({"M": inner}), "C": compose("@outputs('A')", "L")}) == ["InsideLoops"]


def test_result_needs_a_container() -> None:
    assert codes({"S": loop({}), "A": compose("@result('S')", "S")}) == []
    assert codes({"B": COMPOSE, "A": compose("@result('B')", "B")}) == ["UnknownAction"]


def test_items_belong_to_their_loop() -> None:
    assert codes({"L": loop({"A": compose("@items('L')")})}) == []
    assert codes({"L": loop({"A": compose("@item()")})}) == []
    assert codes({"L": loop({}), "A": compose("@items('L')", "L")}) == ["OutsideLoop"]
    assert codes({"L": loop({}, over="@items('L')")}) == ["OutsideLoop"]
    assert codes({"L": loop({"A": compose("@items('M')")})}) == ["UnknownLoop"]
    assert codes({"A": compose("@item()")}) == ["OutsideLoop"]
    assert codes({"A": compose("@iterationIndexes('U')")}) == ["UnknownLoop"]


def test_item_in_data_operations() -> None:
    query = {"type": "Query", "inputs": {"from": "@triggerBody()", "where": "@equals(item(), 1)"}}
    select = {"type": "Select", "inputs": {"from": "@triggerBody()", "select": {"a": "@item()"}}}
    table = {
        "type": "Table",
        "inputs": {"from": "@triggerBody()", "format": "CSV", "columns": [{"header": "a", "value": "@item()"}]},
    }
    assert codes({"Q": query, "S": select, "T": table}) == []
    query["inputs"] = {"from": "@item()", "where": "@true"}
    assert found({"Q": query}) == [("OutsideLoop", "error", "/actions/Q/inputs/from")]


def test_parameters_are_declared_where_the_dialect_wants_it() -> None:
    actions = {"A": compose("@concat(parameters('known'), parameters('knowm'), parameters('$connections'))")}
    declared = {"Known": {"type": "String"}}
    (problem,) = problems(actions, parameters={**declared, "$authentication": {"type": "SecureObject"}})
    assert (problem.code, problem.severity, problem.hint) == ("UnknownParameter", "error", "Did you mean 'Known'?")
    (problem,) = problems(actions, parameters=declared)
    assert (problem.code, problem.severity) == ("UnknownParameter", "warning")


def test_parameters_that_the_file_gives_a_value() -> None:
    document = {
        "definition": {"triggers": REQUEST, "actions": {"A": compose("@parameters('n')")}},
        "parameters": {"n": {"value": 1}},
    }
    assert check(read_object(document)) == []


# --- variables


def test_variables_used_well() -> None:
    actions = {
        "V": initialize("v", "String", "a"),
        "S": change("SetVariable", "V", "@concat('x', outputs('C'))", "C"),
        "C": compose("@variables('v')", "V"),
        "T": change("AppendToStringVariable", "v", 5, "S"),
    }
    assert codes(actions) == []


def test_a_variable_that_is_nowhere() -> None:
    actions = {
        "V": initialize("total", "integer"),
        "A": compose("@variables('totl')", "V"),
        "S": change("SetVariable", "x", 1),
    }
    first, second = problems(actions)
    assert (first.code, first.at, first.hint) == ("UnknownVariable", "/actions/A/inputs", "Did you mean 'total'?")
    assert (second.code, second.at) == ("UnknownVariable", "/actions/S/inputs/name")


def test_a_variable_before_it_is_there() -> None:
    actions = {"V": initialize("v", "integer"), "A": compose("@variables('v')"), "S": change("SetVariable", "v", 1)}
    assert found(actions) == [
        ("VariableNotReachable", "error", "/actions/A/inputs"),
        ("VariableNotReachable", "error", "/actions/S/inputs/name"),
    ]


def test_variables_are_initialised_once_and_at_the_top() -> None:
    scope = {"type": "Scope", "actions": {"V": initialize("v", "integer")}}
    assert found({"S": scope}) == [("VariableNotAtTopLevel", "error", "/actions/S/actions/V")]
    twice = {"V": initialize("v", "integer"), "W": initialize("V", "string")}
    assert found(twice) == [("DuplicateVariable", "error", "/actions/W/inputs/variables/0/name")]


@pytest.mark.parametrize(
    ("inputs", "at"),
    [
        ({}, ""),
        ({"variables": []}, ""),
        ({"variables": [{"type": "string"}]}, "/variables/0"),
        ({"variables": [{"name": "v"}]}, "/variables/0"),
        ({"variables": [{"name": "v", "type": "text"}]}, "/variables/0/type"),
    ],
)
def test_the_shape_of_an_initialisation(inputs: Any, at: str) -> None:
    assert found({"V": {"type": "InitializeVariable", "inputs": inputs}}) == [
        ("InvalidVariable", "error", f"/actions/V/inputs{at}")
    ]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", "a", 5),
        ("Integer", 5, "5"),
        ("integer", "@int('5')", 5.5),
        ("float", 5, "x"),
        ("boolean", True, "true"),
        ("array", [], {}),
        ("object", {}, "@{json('{}')}"),
    ],
)
def test_the_first_value_has_the_type(kind: str, good: Any, bad: Any) -> None:
    assert codes({"V": initialize("v", kind, good)}) == []
    assert found({"V": initialize("v", kind, bad)}) == [
        ("VariableTypeMismatch", "error", "/actions/V/inputs/variables/0/value")
    ]


@pytest.mark.parametrize(
    ("kind", "action", "value", "at"),
    [
        ("string", "IncrementVariable", 1, "name"),
        ("integer", "AppendToArrayVariable", 1, "name"),
        ("array", "AppendToStringVariable", "x", "name"),
        ("integer", "IncrementVariable", "1", "value"),
        ("array", "SetVariable", "x", "value"),
    ],
)
def test_a_change_that_does_not_fit(kind: str, action: str, value: Any, at: str) -> None:
    actions = {"V": initialize("v", kind), "C": change(action, "v", value, "V")}
    assert found(actions) == [("VariableTypeMismatch", "error", f"/actions/C/inputs/{at}")]


def test_a_variable_is_not_set_from_itself() -> None:
    actions = {"V": initialize("v", "integer"), "S": change("SetVariable", "v", "@add(variables('V'), 1)", "V")}
    assert found(actions) == [("SelfReference", "error", "/actions/S/inputs/value")]


# --- inputs


@pytest.mark.parametrize(
    ("action", "at"),
    [
        ({"type": "Compose"}, ""),
        ({"type": "ParseJson", "inputs": {}}, "/inputs"),
        ({"type": "Query", "inputs": {"from": []}}, "/inputs"),
        ({"type": "Http", "inputs": {"method": "GET"}}, "/inputs"),
        ({"type": "Http"}, ""),
        ({"type": "Http", "inputs": "x"}, "/inputs"),
        ({"type": "Expression", "kind": "AddToTime", "inputs": {"baseTime": "x", "interval": 1}}, "/inputs"),
        ({"type": "Table", "inputs": {"from": [], "format": "XML"}}, "/inputs/format"),
        ({"type": "Response", "inputs": {"statusCode": 302}}, "/inputs/statusCode"),
        ({"type": "Response", "inputs": {"statusCode": "abc"}}, "/inputs/statusCode"),
        ({"type": "Terminate", "inputs": {"runStatus": "Done"}}, "/inputs/runStatus"),
        ({"type": "Wait", "inputs": {}}, "/inputs"),
        ({"type": "Wait", "inputs": {"interval": {"count": 0, "unit": "Hour"}}}, "/inputs/interval/count"),
        ({"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hours"}}}, "/inputs/interval/unit"),
        ({"type": "Wait", "inputs": {"until": {}}}, "/inputs/until"),
        ({"type": "Workflow", "inputs": {"host": {}}}, "/inputs/host"),
    ],
)
def test_inputs_that_cannot_be_right(action: dict[str, Any], at: str) -> None:
    assert found({"A": action}) == [("InvalidInputs", "error", f"/actions/A{at}")]


@pytest.mark.parametrize(
    "action",
    [
        {"type": "Response", "inputs": {"statusCode": "200"}},
        {"type": "Response", "inputs": {"statusCode": "@triggerBody()"}},
        {"type": "Wait", "inputs": {"interval": {"count": "@int('5')", "unit": "second"}}},
        {"type": "Wait", "inputs": {"until": {"timestamp": "2026-01-01T00:00:00Z"}}},
        {"type": "Http", "inputs": "@triggerBody()"},
        {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "x"}}}},
        {"type": "Expression", "kind": "CurrentTime", "inputs": {}},
        {"type": "Terminate", "inputs": {"runStatus": "Failed", "runError": {"code": "1"}}},
    ],
)
def test_inputs_that_are_right(action: dict[str, Any]) -> None:
    assert codes({"A": action}) == []


@pytest.mark.parametrize(
    ("policy", "at", "severity"),
    [
        (
            {
                "type": "Exponential",
                "count": 4,
                "interval": "PT7S",
                "minimumInterval": "PT5S",
                "maximumInterval": "PT1H",
            },
            None,
            "",
        ),
        ({"type": "none"}, None, ""),
        ({"count": 4}, None, ""),
        ("x", "", "error"),
        ({"type": "sometimes"}, "/type", "error"),
        ({"type": "fixed", "count": 4}, "", "error"),
        ({"type": "fixed", "count": 0, "interval": "PT10S"}, "/count", "error"),
        ({"type": "fixed", "count": 91, "interval": "PT10S"}, "/count", "warning"),
        ({"type": "fixed", "count": 4, "interval": "10"}, "/interval", "error"),
        ({"type": "fixed", "count": 4, "interval": "PT1S"}, "/interval", "warning"),
    ],
)
def test_retry_policies(policy: Any, at: str | None, severity: str) -> None:
    action = {"type": "Http", "inputs": {"method": "GET", "uri": "https://example.com", "retryPolicy": policy}}
    expected = [] if at is None else [("InvalidRetryPolicy", severity, f"/actions/A/inputs/retryPolicy{at}")]
    assert found({"A": action}) == expected


# --- triggers and parameters


@pytest.mark.parametrize(
    ("recurrence", "at"),
    [
        (None, ""),
        ({"interval": 1}, "/recurrence"),
        ({"frequency": "Fortnight", "interval": 1}, "/recurrence/frequency"),
        ({"frequency": "Day", "interval": 0}, "/recurrence/interval"),
        ({"frequency": "Day", "interval": 501}, "/recurrence/interval"),
    ],
)
def test_recurrences(recurrence: Any, at: str) -> None:
    triggers = {"T": {"type": "Recurrence", "recurrence": recurrence}}
    assert [
        (code, where) for code, severity, where in found({"A": COMPOSE}, triggers=triggers) if severity != "info"
    ] == [("InvalidRecurrence", f"/triggers/T{at}")]


def test_the_number_of_triggers() -> None:
    assert found({"A": COMPOSE}, triggers={}) == [("NoTrigger", "info", "/triggers")]
    assert found({"A": COMPOSE}, triggers={**REQUEST, "other": {"type": "Request"}}) == [
        ("SeveralTriggers", "warning", "/triggers")
    ]


def test_split_on_and_concurrency_of_a_trigger() -> None:
    trigger = {"type": "Request", "splitOn": "value"}
    assert found({"A": COMPOSE}, triggers={"T": trigger}) == [("InvalidSplitOn", "error", "/triggers/T/splitOn")]
    response = {"type": "Response", "inputs": {"statusCode": 200}}
    trigger = {"type": "Request", "splitOn": "@triggerBody()"}
    assert found({"R": response}, triggers={"T": trigger}) == [("InvalidResponse", "warning", "/triggers/T/splitOn")]
    runs = {"runtimeConfiguration": {"concurrency": {"runs": 101}}, "operationOptions": "SingleInstance"}
    at = "/triggers/T/runtimeConfiguration/concurrency"
    assert found({"A": COMPOSE}, triggers={"T": {"type": "Request", **runs}}) == [
        ("InvalidConcurrency", "error", f"{at}/runs"),
        ("InvalidConcurrency", "error", f"{at}/runs"),
    ]
    waiting = {"runtimeConfiguration": {"concurrency": {"runs": "@int('2')", "maximumWaitingRuns": 0}}}
    assert found({"A": COMPOSE}, triggers={"T": {"type": "Request", **waiting}}) == [
        ("NotYetSupported", "warning", f"{at}/runs"),
        ("InvalidConcurrency", "error", f"{at}/maximumWaitingRuns"),
    ]
    assert codes({"A": COMPOSE}, triggers={"T": {"type": "Request", "correlation": {"x": 1}}}) == ["InvalidCorrelation"]


@pytest.mark.parametrize(
    ("kind", "default", "at"),
    [
        ("String", "x", None),
        ("int", 5, None),
        ("Float", 5, None),
        ("Bool", "@appsetting('x')", None),
        ("Object", None, None),
        ("boolean", True, "type"),
        ("Int", "5", "defaultValue"),
        ("Bool", "false", "defaultValue"),
        ("Array", {}, "defaultValue"),
    ],
)
def test_types_of_parameters(kind: str, default: Any, at: str | None) -> None:
    expected = [] if at is None else [("InvalidParameter", "error", f"/parameters/p/{at}")]
    assert found({"A": COMPOSE}, parameters={"p": {"type": kind, "defaultValue": default}}) == expected


def test_parameters_of_one_name() -> None:
    parameters = {"p": {"type": "Int"}, "P": {"type": "Int"}}
    assert found({"A": COMPOSE}, parameters=parameters) == [("DuplicateName", "error", "/parameters/P")]


# --- secrets


@pytest.mark.parametrize(
    ("inputs", "at"),
    [
        ({"authentication": {"type": "Basic", "username": "u", "password": "hunter2"}}, "authentication/password"),
        ({"authentication": {"type": "ActiveDirectoryOAuth", "secret": "hunter2"}}, "authentication/secret"),
        ({"headers": {"Authorization": "Bearer hunter2"}}, "headers/Authorization"),
        ({"queries": {"sig": "hunter2"}}, "queries/sig"),
        ({"uri": "https://example.com/x?api-version=1&sig=hunter2hunter2"}, "uri"),
    ],
)
def test_secrets_are_told_and_never_repeated(inputs: dict[str, Any], at: str) -> None:
    action = {"type": "Http", "inputs": {"method": "GET", "uri": "https://example.com", **inputs}}
    (problem,) = (each for each in problems({"A": action}) if each.code != "NotYetSupported")
    assert (problem.code, problem.severity, problem.at) == ("SecretInClear", "warning", f"/actions/A/inputs/{at}")
    assert "hunter2" not in repr(problem)


def test_secrets_from_elsewhere_are_none() -> None:
    inputs = {
        "method": "GET",
        "uri": "https://example.com?sig=@{parameters('key')}",
        "authentication": {"type": "Basic", "username": "u", "password": "@parameters('key')"},
        "headers": {"Authorization": "Bearer @{parameters('key')}", "Accept": "text/plain"},
    }
    call = {"type": "Http", "inputs": inputs, "runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}
    assert codes({"A": call}, parameters={"key": {"type": "SecureString"}}) == []


def test_a_secure_parameter_with_a_value() -> None:
    parameters = {"key": {"type": "SecureString", "defaultValue": "hunter2"}}
    assert found({"A": COMPOSE}, parameters=parameters) == [
        ("SecretInClear", "warning", "/parameters/key/defaultValue")
    ]
    assert "hunter2" not in repr(
        problems({"A": COMPOSE}, parameters={"key": {"type": "SecureObject", "defaultValue": "hunter2"}})
    )
