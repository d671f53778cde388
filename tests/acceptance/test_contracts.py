"""What scripts rely on: the JSON of commands, their exit codes, versions, simulation, two processes at once."""

from __future__ import annotations

import json
import socket
import subprocess
from datetime import datetime
from typing import Any

import pytest
from actions import after, compose, each, http, respond, terminate, variable, wait
from processes import PATIENCE, Ended, Place, until_line

RUN = ["run", "flow", "version", "environment", "status", "code", "error", "response", "actions"]
ACTION = ["path", "name", "type", "status", "code", "inputs", "outputs", "error", "start", "end", "attempts"]
LATER = "01ffffff-ffff-7fff-bfff-ffffffffffff"


def outputs(result: Any) -> dict[str, Any]:
    return {action["path"]: action["outputs"] for action in result["actions"]}


# ---- run


def test_a_run_ends_with_one_line_of_this_shape(place: Place) -> None:
    flow = place.flow(
        "an order.v2",
        {
            "Names/with~signs": compose("@triggerBody()?['n']"),
            "Scope": {
                "type": "Scope",
                "runAfter": after("Names/with~signs"),
                "actions": {"Loop": each("@createArray(1, 2)", {"In_loop": compose("@items('Loop')")})},
            },
            "Response": respond({"n": "@outputs('Names/with~signs')"}, "Scope", status=201),
        },
    )
    ended = place.whole("run", flow, "--input", '{"n":7}', "--environment", "Test", "--json").expect(0)
    result = ended.json
    assert list(result) == RUN
    assert len(result["run"]) == 36
    assert [result[name] for name in RUN[1:7]] == ["an order.v2", 1, "Test", "Succeeded", None, None]
    assert list(result["response"]) == ["statusCode", "headers", "body"]
    assert (result["response"]["statusCode"], result["response"]["body"]) == (201, {"n": 7})
    assert [action["path"] for action in result["actions"]] == [
        "/Names~1with~0signs",
        "/Scope",
        "/Scope/Loop",
        "/Scope/Loop[0]/In_loop",
        "/Scope/Loop[1]/In_loop",
        "/Response",
    ]
    for action in result["actions"]:
        assert list(action) == ACTION
        assert action["attempts"] == 1
        assert isinstance(action["attempts"], int)
        assert (action["status"], action["error"]) == ("Succeeded", None)
        assert datetime.fromisoformat(action["start"]) <= datetime.fromisoformat(action["end"])
    first = result["actions"][0]
    assert (first["name"], first["type"], first["outputs"]) == ("Names/with~signs", "Compose", 7)
    assert place("runs", "show", "latest", "-e", "test", "--json").expect(0).json == result
    assert place("runs", "follow", "latest", "-e", "Test", "--json").expect(0).json == result


def test_what_did_not_happen_is_null(place: Place) -> None:
    flow = place.flow("f", {"A": compose("@int('x')"), "B": compose(1, "A")})
    result = place("run", flow, "--json").expect(1).json
    assert (result["status"], result["response"]) == ("Failed", None)
    assert list(result["error"]) == ["code", "message"]
    failed, skipped = result["actions"]
    assert (failed["status"], failed["code"], failed["outputs"]) == ("Failed", "InvalidTemplate", None)
    assert list(failed["error"]) == ["code", "message"]
    assert (skipped["status"], skipped["inputs"], skipped["outputs"]) == ("Skipped", None, None)
    assert skipped["attempts"] in (0, 1)


@pytest.mark.parametrize(
    ("status", "code"), [("Succeeded", 0), ("Failed", 1), ("Cancelled", 1)], ids=["succeeded", "failed", "cancelled"]
)
def test_the_exit_code_tells_how_the_flow_ended(place: Place, status: str, code: int) -> None:
    error = {"code": "Why", "message": "So."} if status == "Failed" else {}
    ended = place("run", place.flow("f", {"End": terminate(status, **error)}), "--json").expect(code)
    assert ended.json["status"] == status
    assert ended.json["code"] == ("Why" if error else ended.json["code"])
    assert ended.json["error"] == (error or ended.json["error"])


def test_a_lapsed_timeout_of_an_action_is_no_124(place: Place) -> None:
    listening = socket.create_server(("127.0.0.1", 0))  # takes connections, and never answers
    slow = {**http(f"http://127.0.0.1:{listening.getsockname()[1]}/"), "limit": {"timeout": "PT0.2S"}}
    with listening:
        ended = place("run", place.flow("f", {"Slow": slow}), "--json").expect(1)
    (action,) = ended.json["actions"]
    assert (action["status"], action["code"]) == ("TimedOut", "ActionTimedOut")


def test_124_is_the_commands_own_timeout_and_the_run_is_kept(place: Place) -> None:
    flow = place.flow("f", {"First": compose("@guid()"), "Pause": wait(1, "Hour", "First")})
    ended = place("run", flow, "--timeout", "0.5", "--json", prepare=[["lapse_at_pause"]]).expect(124)
    assert ended.error["code"] == "WaitTimedOut"
    (kept,) = place("runs", "list", "--json").json
    assert kept["run"] in ended.error["hint"]
    before = place("runs", "show", kept["run"], "--json").expect(0).json
    assert [action["status"] for action in before["actions"]] == ["Succeeded", "Running"]
    resumed = place("runs", "resume", kept["run"], "--json", prepare=[["later", 7200]]).expect(0).json
    assert resumed["actions"][0] == before["actions"][0]


def test_split_on_gives_a_line_for_each_run(place: Place) -> None:
    trigger = {"manual": {"type": "Request", "kind": "Http", "splitOn": "@triggerBody()?['value']"}}
    flow = place.write("split.json", {"triggers": trigger, "actions": {"Echo": compose("@triggerBody()")}})
    ended = place("run", flow, "--input", '{"value":[{"n":1},{"n":2},{"n":3}]}', "--json").expect(0)
    assert [list(line) for line in ended.lines] == [RUN] * 3
    assert [outputs(line)["/Echo"] for line in ended.lines] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert len({line["run"] for line in ended.lines}) == 3
    assert {line["run"] for line in place("runs", "list", "--json").json} == {line["run"] for line in ended.lines}
    assert place("run", flow, "--input", '{"value":[]}', "--json").expect(0).json["run"] is None


def test_a_false_trigger_condition_starts_nothing(place: Place) -> None:
    condition = [{"expression": "@equals(triggerBody()?['go'], true)"}]
    trigger = {"manual": {"type": "Request", "kind": "Http", "conditions": condition}}
    flow = place.write("c.json", {"triggers": trigger, "actions": {"A": compose(1)}})
    result = place("run", flow, "--input", '{"go":false}', "--json").expect(0).json
    assert list(result) == RUN
    assert (result["run"], result["status"], result["actions"]) == (None, "Skipped", [])
    assert place("runs", "list", "--json").json == []
    assert place("run", flow, "--input", '{"go":true}', "--json").expect(0).json["status"] == "Succeeded"


PARAMETERS = {
    "text": {"type": "String"},
    "number": {"type": "Int", "defaultValue": 1},
    "real": {"type": "Float", "defaultValue": 1.5},
    "flag": {"type": "Bool", "defaultValue": False},
    "list": {"type": "Array", "defaultValue": []},
    "map": {"type": "Object", "defaultValue": {}},
    "choice": {"type": "String", "defaultValue": "a", "allowedValues": ["a", "b"]},
}


def test_parameters_are_json_and_have_types(place: Place) -> None:
    flow = place.flow("f", {"All": compose("@parameters('text')")}, parameters=PARAMETERS)
    given = {"text": "x=y", "number": 5, "real": 2.5, "flag": True, "list": [1], "map": {"a": None}, "choice": "b"}
    arguments = [part for name, value in given.items() for part in ("--parameter", f"{name}={json.dumps(value)}")]
    assert outputs(place("run", flow, *arguments, "--json").expect(0).json) == {"/All": "x=y"}


@pytest.mark.parametrize(
    "wrong",
    [
        'number="5x"', "number=true", "number=[1]", "number=1.5", 'real="x"', 'flag="x"', "list={}", "map=[]",
        'map="x"', "text=5", "text=null", "text=word", "text", "=1", "unknown=1",
        'choice="c"',
    ],
)  # fmt: skip
def test_a_parameter_of_the_wrong_type_is_invalid(place: Place, wrong: str) -> None:
    flow = place.flow("f", {"All": compose("@parameters('text')")}, parameters=PARAMETERS)
    good = [] if wrong.startswith("text") else ["--parameter", 'text="x"']
    error = place("run", flow, "--parameter", wrong, *good, "--json").expect(2).error
    name = wrong.partition("=")[0]
    assert name in error["message"] + (error["hint"] or "")
    if place.home.exists():
        assert place("runs", "list", "--json").json == []


def test_a_missing_parameter_is_named(place: Place) -> None:
    flow = place.flow("f", {"All": compose("@parameters('text')")}, parameters=PARAMETERS)
    assert "'text'" in place("run", flow, "--json").expect(2).error["message"]


def test_the_same_content_is_the_same_version(place: Place) -> None:
    def version(name: str, value: Any, **more: Any) -> int:
        return int(place("run", place.flow(name, {"A": compose(value)}, **more), "--json").expect(0).json["version"])

    assert [version("f", 1), version("f", 1), version("f", 2), version("f", 2), version("g", 1)] == [1, 1, 2, 2, 1]
    text = (place.work / "f.json").read_text()
    place.write("f.json", json.dumps(json.loads(text), indent=3))  # the same, written otherwise
    assert place("run", "f.json", "--json").expect(0).json["version"] == 2
    assert [flow["version"] for flow in place("flow", "list", "--json").json] == [2, 1]
    deployed = place("flow", "deploy", "f.json", "--json").expect(0).json
    assert (deployed["version"], deployed["created"]) == (2, False)
    assert place("flow", "show", "f", "--version", "1", "--json").json["definition"]["actions"]["A"]["inputs"] == 1


# ---- simulation


def simulated(place: Place, actions: dict[str, Any], mocks: Any = None) -> Any:
    more = [] if mocks is None else ["--mocks", place.write("mocks.json", mocks)]
    ended = place("run", place.flow("f", actions), "--simulate", *more, "--json")
    assert ended.code in (0, 1)
    return ended.expect(ended.code).json


def test_without_a_mock_a_call_is_answered_with_nothing(place: Place) -> None:
    connector = {
        "type": "OpenApiConnection",
        "inputs": {"host": {"connectionName": "x", "operationId": "Send", "apiId": "/apis/shared_office365"}},
        "runAfter": {},
    }
    webhook = {**connector, "type": "OpenApiConnectionWebhook"}
    static = {
        **http("http://x/"),
        "runtimeConfiguration": {"staticResult": {"name": "S", "staticResultOptions": "Enabled"}},
    }
    flow = place.flow(
        "f",
        {"Call": http("http://nowhere.invalid/"), "Send": connector, "Hook": webhook, "Static": static},
        staticResults={"S": {"status": "Succeeded", "outputs": {"statusCode": 204, "headers": {"a": "b"}}}},
    )
    result = place("run", flow, "--simulate", "--json").expect(0).json
    nothing = {"statusCode": 200, "headers": {}, "body": {}}
    found = outputs(result)
    assert (found["/Call"], found["/Send"], found["/Hook"]) == (nothing, nothing, nothing)
    assert (found["/Static"]["statusCode"], found["/Static"]["headers"]) == (204, {"a": "b"})


def test_a_list_of_mocks_is_one_for_each_iteration_or_attempt(place: Place) -> None:
    def body(value: Any, status: int = 200) -> dict[str, Any]:
        return {"outputs": {"statusCode": status, "headers": {}, "body": value}}

    retry = {"retryPolicy": {"type": "fixed", "interval": "PT1H", "count": 3}}
    loop = {**each("@range(0, 3)", {"Get": http("http://x/")}), "operationOptions": "Sequential"}
    actions = {
        "Loop": loop,
        "Again": http("http://x/", **retry),
        "Said": http("http://x/"),
        "Then": {**compose(1), "runAfter": after("Said", on=["Failed"])},
    }
    mocks = {
        "Get": [body("a"), body("b"), body("c")],
        "Again": [body(1, 503), body(2, 503), body(3)],
        "Said": {"status": "Failed", "outputs": {"statusCode": 404}},
    }
    result = simulated(place, actions, mocks)
    assert result["status"] == "Succeeded"
    found = {action["path"]: action for action in result["actions"]}
    assert [found[f"/Loop[{number}]/Get"]["outputs"]["body"] for number in range(3)] == ["a", "b", "c"]
    assert (found["/Again"]["attempts"], found["/Again"]["outputs"]["body"]) == (3, 3)
    assert seconds(found["/Again"]) == 7200
    assert (found["/Said"]["status"], found["/Then"]["status"]) == ("Failed", "Succeeded")


def test_a_simulation_runs_on_a_virtual_clock(place: Place) -> None:
    until = {
        "type": "Until",
        "expression": "@greaterOrEquals(variables('n'), 3)",
        "limit": {"count": 60, "timeout": "P9D"},
        "actions": {
            "Pause": wait(1, "Day"),
            "More": {
                "type": "IncrementVariable",
                "inputs": {"name": "n", "value": 1},
                "runAfter": after("Pause"),
            },
        },
        "runAfter": after("Declare", "Sleep"),
    }
    actions = {
        "Declare": variable("n", "integer", 0),
        "Before": compose("@utcNow()"),
        "Sleep": wait(2, "Week", "Before"),
        "After": compose("@utcNow()", "Sleep"),
        "Until": until,
    }
    result = simulated(place, actions)
    found = {action["path"]: action for action in result["actions"]}
    slept = instant(found["/After"]["outputs"]) - instant(found["/Before"]["outputs"])
    assert slept.days == 14
    assert seconds(found["/Sleep"]) == 14 * 86_400
    assert seconds(found["/Until"]) == 3 * 86_400


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def seconds(action: dict[str, Any]) -> float:
    return (instant(action["end"]) - instant(action["start"])).total_seconds()


# ---- check and eval


def test_check_writes_a_line_for_each_file(place: Place) -> None:
    power = {"properties": {"definition": {"triggers": {}, "actions": {"A": compose("@nope()")}}}}
    files = [
        place.flow("good", {"A": compose(1), "B": compose(2, "A")}),
        place.write("export.json", power),
        place.write("text.json", "{\n  nothing}"),
        "missing.json",
    ]
    ended = place("check", *files, "--json").expect(2)
    for line in ended.lines:
        assert list(line) == ["file", "ok", "kind", "actions", "problems"]
        for problem in line["problems"]:
            assert list(problem)[:4] == ["code", "severity", "at", "message"]
            assert problem["severity"] in ("error", "warning", "info")
    good, export, text, missing = ended.lines
    assert [line["file"] for line in ended.lines] == files
    assert [line["ok"] for line in ended.lines] == [True, False, False, False]
    assert (good["actions"], good["problems"], export["actions"]) == (2, [], 1)
    assert [problem["at"] for problem in export["problems"] if problem["severity"] == "error"] == [
        "/properties/definition/actions/A/inputs"
    ]
    assert text["problems"][0]["at"] == "2:3"
    assert missing["problems"][0]["code"] == "NotFound"
    assert place("check", files[0], "--json").expect(0).lines == [good]
    assert not place.home.exists()


CONTEXT = {
    "variables": {"v": 1},
    "parameters": {"p": "x"},
    "trigger": {"outputs": {"body": {"t": 2}, "headers": {"h": "H"}}},
    "actions": {"Get": {"status": "Succeeded", "inputs": {"i": 3}, "outputs": {"body": {"o": 4}}}},
    "item": {"a": 5},
    "items": {"Loop": 6},
    "iterationIndexes": {"Until": 7},
    "now": "2026-02-03T04:05:06Z",
}
EVALUATED: list[tuple[str, Any]] = [
    ("@variables('v')", 1),
    ("@parameters('p')", "x"),
    ("@triggerBody()?['t']", 2),
    ("@triggerOutputs()['headers']['h']", "H"),
    ("@body('Get')['o']", 4),
    ("@actions('Get')['status']", "Succeeded"),
    ("@item()['a']", 5),
    ("@items('Loop')", 6),
    ("@iterationIndexes('Until')", 7),
    ("@utcNow('yyyy-MM-dd HH:mm')", "2026-02-03 04:05"),
    ("v is @{variables('v')}", "v is 1"),
    ("@@home", "@home"),
    ("add(1, 2)", 3),
    ("@null", None),
]


def test_eval_in_a_context(place: Place) -> None:
    place.write("context.json", CONTEXT)
    ended = place.whole("eval", "@variables('v')", "--context", "context.json", "--json").expect(0)
    assert ended.out == '{"value":1}\n'
    error = place("eval", "@nope()", "--json").expect(2).json
    assert list(error) == ["error"]
    assert list(error["error"])[:2] == ["code", "message"]
    assert not place.home.exists()


def test_eval_batch_answers_each_line_in_order(place: Place) -> None:
    lines = [json.dumps({"expression": expression, "context": CONTEXT}) for expression, _ in EVALUATED]
    lines.insert(3, "{no json")
    lines.insert(5, json.dumps({"expression": "@int('x')"}))
    lines.append(json.dumps({"expression": "@variables('other')"}))
    ended = place("eval", "--batch", place.write("batch.jsonl", "\n".join(lines) + "\n")).expect(0)
    assert len(ended.lines) == len(lines)
    errors = [ended.lines.index(answer) for answer in ended.lines if "error" in answer]
    assert errors == [3, 5, len(lines) - 1]
    for number in errors:
        assert list(ended.lines[number]["error"])[:2] == ["code", "message"]
    assert [answer["value"] for answer in ended.lines if "value" in answer] == [value for _, value in EVALUATED]
    assert place("eval", "--batch", "-", stdin="\n".join(lines)).out == ended.out


# ---- bundles and replay


def test_a_bundle_replays_and_another_definition_differs(place: Place) -> None:
    actions = {"A": compose(1), "B": compose("@add(outputs('A'), 1)", "A"), "C": compose("@utcNow()", "B")}
    flow = place.flow("f", actions)
    run = place("run", flow, "--json").expect(0).json["run"]
    made = place("runs", "export", run, "--out", "sealed", "--json").expect(0)
    assert made.json == {"run": run, "file": "sealed", "bytes": (place.work / "sealed").stat().st_size, "sealed": True}
    assert "NOT encrypted" not in made.err
    open_ = place("runs", "export", run, "--out", "open", "--plaintext", "--json").expect(0)
    assert open_.json["sealed"] is False
    assert "NOT encrypted" in open_.err
    assert b"utcNow" in (place.work / "open").read_bytes()
    assert b"utcNow" not in (place.work / "sealed").read_bytes()
    assert (place.work / "sealed").stat().st_mode & 0o077 == 0

    same = place("replay", "sealed", "open", "--json").expect(0).json
    assert same == {"ok": True, "runs": 2, "actions": 6, "differences": []}
    changed = place.flow("changed", {**actions, "B": {**actions["B"], "runAfter": after("A", on=["Failed"])}})
    found = place("replay", "open", "--definition", changed, "--json").expect(1).json
    assert (found["ok"], found["runs"]) == (False, 1)
    assert list(found["differences"][0]) == ["run", "path", "kind", "expected", "actual"]
    assert (found["differences"][0]["run"], found["differences"][0]["path"]) == (run, "/B")
    assert place("replay", flow, "--json").expect(2).error["code"] == "UnreadableBundle"
    assert place("replay", "missing", "--json").code in (2, 3)


# ---- not there, and not allowed


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "missing.json"],
        ["runs", "show", LATER],
        ["runs", "follow", LATER],
        ["runs", "resume", LATER],
        ["runs", "cancel", LATER],
        ["runs", "export", LATER, "--out", "x"],
        ["runs", "show", "latest", "--environment", "other"],
        ["runs", "show", "latest", "--action", "Other"],
        ["runs", "list", "--flow", "other"],
        ["flow", "show", "other"],
        ["flow", "show", "f", "--version", "9"],
        ["env", "show", "other"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_3(place: Place, arguments: list[str]) -> None:
    place("run", place.flow("f", {"A": compose(1)}), "--json").expect(0)
    error = place(*arguments, "--json").expect(3).error
    assert error["code"] == "NotFound"


def test_another_key_is_4(place: Place) -> None:
    place("run", place.flow("f", {"A": compose(1)}), "--json").expect(0)
    place.environment["SEALFLOW_KEYSTORE"] = str(place.folder / "other.json")
    assert place("runs", "list", "--json").expect(4).error["code"] == "KeyMissing"


# ---- two processes


def paused(place: Place, seconds: int) -> tuple[subprocess.Popen[str], str]:
    """A run that has come to its pause in a process that goes on; its id."""
    flow = place.flow("slow", {"First": compose("@guid()"), "Pause": wait(seconds, "Second", "First")})
    process = place.begin("run", flow)
    lines = until_line(process, "… Pause")
    return process, lines[0].rpartition(" ")[2]


def test_a_second_process_runs_lists_and_cancels_while_the_first_executes(place: Place) -> None:
    first, run = paused(place, 600)
    quick = place("run", place.flow("quick", {"A": compose("@triggerBody()")}), "--input", "5", "--json").expect(0)
    assert outputs(quick.json) == {"/A": 5}
    listed = {each["run"]: each["status"] for each in place("runs", "list", "--json").expect(0).json}
    assert listed.keys() == {run, quick.json["run"]}
    assert listed[run] in ("Running", "Waiting")  # it waits as soon as its pause is stored
    assert listed[quick.json["run"]] == "Succeeded"
    split = {"manual": {"type": "Request", "kind": "Http", "splitOn": "@triggerBody()"}}
    place.write("split.json", {"triggers": split, "actions": {"A": compose("@triggerBody()")}})
    assert len(place("run", "split.json", "--input", "[1,2]", "--json").expect(0).lines) == 2
    failing = place("run", place.flow("failing", {"End": terminate("Failed", code="C", message="M")}), "--json")
    assert failing.expect(1).json["error"] == {"code": "C", "message": "M"}
    place("flow", "deploy", "quick.json", "--name", "other", "--json").expect(0)
    assert first.poll() is None
    done = place("runs", "cancel", run, "--reason", "enough", "--json").expect(0).json
    assert done == {"run": run, "cancelled": True, "status": "Cancelled"}
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 1
    again: Ended = place("runs", "cancel", run, "--json").expect(0)
    assert again.json == {"run": run, "cancelled": False, "status": "Cancelled"}
