"""What is secured is hidden, and one step on: through loops, data operations, parameters, ends and responses."""

from __future__ import annotations

from typing import Any

import pytest
from actions import SUCCEEDED, compose
from kernel_driver import Driver
from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.errors import ExpressionError

CANARY = "hunter2"
OUTPUTS = {"runtimeConfiguration": {"secureData": {"properties": ["outputs"]}}}
INPUTS = {"runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}
TRIGGER = {"type": "Request", "kind": "Http", **OUTPUTS}
CALL = {"type": "Http", "inputs": {"method": "GET", "uri": "http://x"}, **OUTPUTS}
READ = "@body('call')"
STATIC = {"runtimeConfiguration": {"staticResult": {"name": "s", "staticResultOptions": "Enabled"}}}


def after(name: str, *statuses: str) -> dict[str, Any]:
    return {"runAfter": {name: list(statuses) or SUCCEEDED}}


def variable(kind: str, name: str, value: Any) -> dict[str, Any]:
    return {"type": "InitializeVariable", "inputs": {"variables": [{"name": name, "type": kind, "value": value}]}}


def run_of(actions: dict[str, Any], **given: Any) -> Driver:
    body = given.pop("body", CANARY)
    return Driver(
        actions, answer=lambda c, n: (1, "OK", {"statusCode": 200, "headers": {}, "body": body}, None), **given
    )


def shown(run: Driver) -> dict[str, dict[str, Any]]:
    return {entry.path: entry.to_json(run.history.secured) for entry in run.history.entries}


SPREADS: dict[str, dict[str, Any]] = {
    "items of a loop": {
        "L": {
            "type": "Foreach",
            "foreach": "@createArray(body('call'))",
            "actions": {
                "c": compose("@item()"),
                "sw": {"type": "Switch", "expression": "@items('L')", "cases": {}},
                "bad": compose("@int(item())"),
            },
        }
    },
    "an inner loop": {
        "L": {
            "type": "Foreach",
            "foreach": "@createArray(body('call'))",
            "actions": {
                "M": {"type": "Foreach", "foreach": "@createArray(items('L'))", "actions": {"c": compose("@item()")}}
            },
        }
    },
    "Select": {"o": {"type": "Select", "inputs": {"from": "@createArray(body('call'))", "select": "@item()"}}},
    "Query": {"o": {"type": "Query", "inputs": {"from": "@createArray(body('call'))", "where": "@equals(1, 1)"}}},
    "Join": {"o": {"type": "Join", "inputs": {"from": "@createArray(body('call'))", "joinWith": ","}}},
    "Table": {"o": {"type": "Table", "inputs": {"from": "@createArray(json(concat('{\"a\":\"', body('call'), '\"}')))",
                                                "format": "CSV"}}},
    "a variable": {"set": {"type": "SetVariable", "inputs": {"name": "v", "value": READ}}},
    "a record": {"o": {**compose("@actions('call')")}},
    "a computed name": {"o": {**compose("@body(concat('ca', 'll'))")}},
    "a static result": {"o": {"type": "Http", "inputs": {"method": "GET", "uri": "http://y"}, **STATIC}},
    "a wait": {"w": {"type": "Wait", "inputs": {"until": {"timestamp": READ}}}},
    "an Until": {"u": {"type": "Until", "expression": "@equals(int(body('call')), 1)", "actions": {}}},
}  # fmt: skip


@pytest.mark.parametrize("actions", SPREADS.values(), ids=SPREADS)
def test_whoever_reads_a_secured_value_shows_none_of_it(actions: dict[str, Any]) -> None:
    started = {
        name: action if "runAfter" in action else {**action, **after("call")} for name, action in actions.items()
    }
    flow = {"i": variable("string", "v", ""), "call": {**CALL, **after("i")}, **started}
    run = run_of(flow, staticResults={"s": {"status": "Succeeded", "outputs": {"body": READ}}}).run()
    history = shown(run)
    assert CANARY not in str(history)
    assert CANARY.upper() not in str(history)
    for name in started:
        assert "inputs" in history[f"/{name}"]["secured"]


def test_the_items_of_a_secured_trigger_are_secured() -> None:
    loop = {"type": "Foreach", "foreach": "@triggerBody()?['v']", "actions": {"c": compose("@item()")}}
    run = Driver({"L": loop}, trigger=TRIGGER).run(body={"v": [CANARY]})
    assert shown(run)["/L[0]/c"]["secured"] == ["inputs", "outputs"]
    assert run.outputs("/L[0]/c") == CANARY


def test_the_reader_of_secured_inputs_is_hidden_too() -> None:
    history = shown(run_of({"a": {**compose(CANARY), **INPUTS}, "b": {**compose("@outputs('a')"), **after("a")}}).run())
    assert CANARY not in str(history)


def test_it_goes_one_step_and_no_further() -> None:
    flow = {
        "call": CALL,
        "a": {**compose(READ), **after("call")},
        "b": {**compose("@outputs('a')"), **after("a")},
        "c": {**compose("@actions('a')"), **after("a")},
        "set": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "string", "value": READ}]},
                **after("call")},
        "d": {**compose("@variables('v')"), **after("set")},
    }  # fmt: skip
    history = shown(run_of(flow).run())
    assert [history[path].get("secured") for path in ("/a", "/set")] == [["inputs", "outputs"], ["inputs"]]
    assert (history["/b"]["outputs"], history["/d"]["outputs"]) == (CANARY, CANARY)
    assert history["/c"]["outputs"]["outputs"] == CANARY


def test_what_reads_nothing_secured_is_shown() -> None:
    flow = {
        "call": CALL,
        "post": {"type": "Http", "inputs": {"method": "POST", "uri": "http://y", "body": READ}, **after("call")},
        "answer": {**compose("@body('post')"), **after("post")},
        "status": {**compose("@actions('call')['status']"), **after("call")},
        "other": {**compose("@parameters('plain')"), **after("call")},
    }
    run = run_of(flow, body="x", declared={"plain": {"type": "String", "defaultValue": "p"}}).run()
    history = shown(run)
    assert history["/post"]["secured"] == ["inputs"]  # what a call answers is not made of its inputs
    assert [history[path]["outputs"] for path in ("/answer", "/status", "/other")] == ["x", "Succeeded", "p"]


# ---- parameters and credentials


def test_secure_parameters_are_hidden_where_they_are_read() -> None:
    password = {"type": "Basic", "username": "u", "password": "@parameters('PW')"}
    flow = {
        "a": compose("@parameters('pw')"),
        "h": {"type": "Http", "inputs": {"method": "GET", "uri": "http://x", "authentication": password}},
        "r": {**compose("@actions('h')['inputs']"), **after("h")},
        "o": {**compose("@outputs('h')"), **after("h")},
    }
    run = run_of(flow, body="x", declared={"pw": {"type": "SecureString"}}, parameters={"pw": CANARY}).run()
    history = shown(run)
    assert CANARY not in str(history)
    assert history["/h"]["inputs"]["authentication"] == {"type": "Basic"}
    assert history["/o"]["outputs"]["body"] == "x"


def test_the_message_about_a_credential_is_hidden() -> None:
    authentication = {"type": "Raw", "value": "@int(parameters('pw'))"}
    call = {"type": "Http", "inputs": {"method": "GET", "uri": "http://x", "authentication": authentication}}
    run = run_of({"h": call}, declared={"pw": {"type": "SecureString"}}, parameters={"pw": CANARY}).run()
    entry = run.entry("/h")
    assert CANARY in str(entry.error)
    assert CANARY not in str((entry.shown_error, shown(run)))
    assert entry.shown_error is not None
    assert entry.shown_error["code"] == "InvalidTemplate"


def test_what_the_hosts_fill_in_hides_nothing() -> None:
    declared = {"$connections": {"type": "SecureObject", "defaultValue": {"x": {"connectionId": "id"}}}}
    run = run_of({"a": compose("@parameters('$connections')['x']['connectionId']")}, declared=declared).run()
    assert shown(run)["/a"]["outputs"] == "id"


# ---- the end of a run


@pytest.mark.parametrize("secret", [READ, "plain"])
def test_what_a_terminate_says_is_hidden_where_it_is_secured(secret: str) -> None:
    stop = {"type": "Terminate", "inputs": {"runStatus": "Failed", "runError": {"code": secret, "message": secret}}}
    run = run_of({"call": CALL, "t": {**stop, **after("call")}}).run()
    end = run.state.end
    assert end is not None
    code, error = run.history.secured.end(end.code, end.error)
    assert CANARY not in str((code, error))
    assert (code == "plain") == (secret == "plain")


@pytest.mark.parametrize("secret", [READ, "plain"])
def test_a_response_is_hidden_where_it_is_secured(secret: str) -> None:
    answer = {"type": "Response", "inputs": {"statusCode": 201, "headers": {"X": secret}, "body": secret}}
    run = run_of({"call": CALL, "r": {**answer, **after("call")}}).run()
    response = run.history.secured.response(run.state.response)
    assert response is not None
    assert response["statusCode"] == 201
    assert response["body"] == (None if secret == READ else "plain")
    assert CANARY not in str(response)
    assert run.state.response is not None
    assert run.state.response["body"] in (CANARY, "plain")  # the caller gets it


# ---- what revision 3 changed


@pytest.mark.parametrize(
    ("fixed", "code"),
    [
        ({"status": "Skipped"}, "ActionSkipped"),
        ({"status": "TimedOut"}, "ActionTimedOut"),
        ({"status": "TimedOut", "code": "Mine"}, "Mine"),
        ({"status": "Failed"}, "ActionFailed"),
    ],
)
def test_a_static_result_without_a_code_has_that_of_its_status(fixed: dict[str, Any], code: str) -> None:
    flow = {
        "h": {"type": "Http", "inputs": {"method": "GET", "uri": "http://x"}, **STATIC},
        "next": {**compose(1), **after("h", fixed["status"])},
        "never": {**compose(1), **after("h")},
    }
    run = Driver(flow, staticResults={"s": fixed}).run()
    assert run.entry("/h").code == code
    assert (run.statuses["/next"], run.statuses["/never"]) == ("Succeeded", "Skipped")


def test_an_earlier_revision_keeps_its_codes_of_static_results() -> None:
    flow = {"h": {"type": "Http", "inputs": {"method": "GET", "uri": "http://x"}, **STATIC}}
    run = Driver(flow, staticResults={"s": {"status": "TimedOut"}}, pins={"revision": 2}).run()
    assert run.entry("/h").code == "ActionFailed"


@pytest.mark.parametrize(("revision", "status"), [(kernel.REVISION, "Failed"), (2, "Succeeded")])
def test_a_wait_of_less_than_nothing_fails(revision: int, status: str) -> None:
    wait = {"type": "Wait", "inputs": {"interval": {"count": "@sub(0, 5)", "unit": "Second"}}}
    run = Driver({"w": wait}, pins={"revision": revision}).run()
    assert run.statuses["/w"] == status


@pytest.mark.parametrize(
    ("content", "schema", "words"),
    [
        ("{", {}, "a name in double quotes is missing at line 1, column 2"),
        ("nonsense", {}, "a value is missing at line 1, column 1"),
        ("1 2", {}, "something follows the value at line 1, column 3"),
        ('{"a": "x"}', {"properties": {"a": {"type": "integer"}}}, "at /a: expected is integer, found String"),
        ("{}", {"required": ["a"]}, "the property 'a' is missing"),
        ('"abc"', {"maxLength": 1}, "the text has more than 1 characters"),
        ("{}", {"properties": 3}, "The 'schema' is not valid: expected is object, found Integer at /properties."),
        ("{}", {"$ref": "http://x/y"}, "such references are not followed"),
    ],
)
def test_messages_about_json_are_in_words_of_their_own(content: str, schema: Any, words: str) -> None:
    run = Driver({"p": {"type": "ParseJson", "inputs": {"content": content, "schema": schema}}}).run()
    error = run.entry("/p").error
    assert error is not None
    assert words in error["message"]
    assert "Failed validating" not in error["message"]


@pytest.mark.parametrize(("revision", "differs"), [(kernel.REVISION, True), (2, False)])
def test_earlier_revisions_replay_whatever_their_messages_said(revision: int, differs: bool) -> None:
    run = Driver({"c": compose("@json('{')")}, pins={"revision": revision}).run()
    records = [
        (*record[:-1], {**record[-1], "message": "Expecting property name"}) if record[1] == 4 else record
        for record in run.records
    ]
    assert (kernel.replay(records, run.plan).difference is not None) == differs
    other = [(*record[:-1], {**record[-1], "code": "X"}) if record[1] == 4 else record for record in run.records]
    assert kernel.replay(other, run.plan).difference is not None


SECURE_TRIGGER = {"runtimeConfiguration": {"secureData": {"properties": ["outputs"]}}}
SCHEMA = {"schema": {"type": "object", "properties": {"n": {}}, "additionalProperties": False}}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"conditions": [{"expression": "@greater(int(triggerBody()?['n']), 1)"}]}, "InvalidTemplate"),
        ({"splitOn": "@json(triggerBody()?['n'])"}, "InvalidTemplate"),
        ({"inputs": SCHEMA, "operationOptions": "EnableSchemaValidation"}, "TriggerInputSchemaMismatch"),
    ],
)
def test_a_fault_of_a_trigger_quotes_nothing_that_is_secured(more: dict[str, Any], code: str) -> None:
    def fault(secured: dict[str, Any]) -> ExpressionError:
        trigger = {"type": "Request", "kind": "Http", **more, **secured}
        plan = kernel.build(parse({"triggers": {"manual": trigger}, "actions": {}}))
        with pytest.raises(ExpressionError) as caught:
            kernel.fire(
                plan, {"n": "hunter2", "hunter2": 1}, at=0, pins={"parameters": {}, "workflow": {}, "seed": b""}
            )
        return caught.value

    assert "hunter2" in str(vars(fault({}))) + fault({}).message
    hidden = fault(SECURE_TRIGGER)
    assert hidden.code == code
    assert "hunter2" not in str(vars(hidden)) + hidden.message
    assert hidden.__cause__ is None
    assert "secured" in hidden.message


def test_a_condition_that_reads_a_secure_parameter_is_told_without_it() -> None:
    condition = {"expression": "@equals(int(parameters('p')), 1)"}
    definition = {
        "parameters": {"p": {"type": "SecureString"}},
        "triggers": {"manual": {"type": "Request", "kind": "Http", "conditions": [condition]}},
        "actions": {},
    }
    pins = {"parameters": {"p": "hunter2"}, "workflow": {}, "seed": b""}
    with pytest.raises(ExpressionError) as caught:
        kernel.fire(kernel.build(parse(definition)), None, at=0, pins=pins)
    assert "hunter2" not in str(vars(caught.value)) + caught.value.message
