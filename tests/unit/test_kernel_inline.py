"""Scripts, maps and schemas in the kernel: what their calls carry, and that it is the same after a crash."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SUCCEEDED, Answer, Driver, compose, ok
from sealflow.engine import kernel
from sealflow.engine.cloud.syntax.script import dependencies
from sealflow.engine.kernel.cloud.history.secured import Secured
from sealflow.engine.kernel.contract import records as event


def script(code: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"type": "JavaScriptCode", "inputs": {"code": code, **more}, "runAfter": dict.fromkeys(after, SUCCEEDED)}


def returning(value: Any) -> Any:
    return lambda command, number: ok({"body": value})


def context(run: Driver) -> Any:
    (_, _, inputs), *_ = run.calls
    return inputs["workflowContext"]


def test_a_script_gets_the_records_that_its_code_names_and_no_others() -> None:
    code = "return workflowContext.actions.Read.outputs.n + workflowContext.actions['Odd name'].status"
    actions = {
        "Read": compose({"n": 1}),
        "Odd name": compose(2, "Read"),
        "Other": compose("secret", "Odd name"),
        "Script": script(code, "Other"),
        "After": compose("@body('Script')", "Script"),
    }
    run = Driver(actions, answer=returning([7])).run({"who": "me"})
    given = context(run)
    assert list(given["actions"]) == ["Read", "Odd name"]
    assert given["actions"]["Read"]["outputs"] == {"n": 1}
    assert given["actions"]["Read"]["status"] == "Succeeded"
    assert given["trigger"] is None
    assert given["workflow"] == {"name": "test"}
    assert run.outputs("/After") == [7]


def test_what_the_code_does_not_read_of_a_record_is_not_recorded_again() -> None:
    code = "return [workflowContext.actions.A.status, workflowContext.actions.B.inputs, workflowContext.actions.C]"
    actions = {"A": compose(1), "B": compose(2), "C": compose(3), "S": script(code, "A", "B", "C")}
    given = context(Driver(actions).run())["actions"]
    assert not {"inputs", "outputs"} & given["A"].keys()
    assert "inputs" in given["B"]
    assert "outputs" not in given["B"]
    assert {"inputs", "outputs"} <= given["C"].keys()


def test_the_trigger_comes_where_it_is_named_or_asked_for() -> None:
    named = Driver({"S": script("return workflowContext.trigger.outputs.body")}).run({"n": 1})
    asked = Driver({"S": script("return 1", explicitDependencies={"includeTrigger": True})}).run({"n": 1})
    for run in (named, asked):
        assert context(run)["trigger"]["outputs"]["body"] == {"n": 1}


def test_explicit_dependencies_come_whole() -> None:
    actions = {"A": compose(1), "S": script("return go()", "A", explicitDependencies={"actions": ["A"]})}
    assert context(Driver(actions).run())["actions"]["A"]["outputs"] == 1


def test_the_code_is_neither_evaluated_nor_recorded_but_called_with() -> None:
    code = "return `@{nothing()}` + '@x'"
    run = Driver({"S": script(code)}).start()
    assert run.records[1][1] == event.SCHEDULED
    assert code not in repr(run.records)
    operation = run.plan.by_key["s"].operation
    assert operation is not None
    assert (operation.kind, operation.connector, operation.fixed) == ("inline", "inline-code", {"code": code})


def test_a_call_that_a_crash_interrupted_carries_the_same_again() -> None:
    actions = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "n", "type": "integer", "value": 1}]}},
        "c": compose("@variables('n')", "v"),
        "S": script("return workflowContext.actions.c.outputs", "c"),
    }
    run = Driver(actions).start()
    folded = kernel.State(run.plan)
    for record in run.records:
        kernel.apply(run.plan, folded, record)
    [before], [after] = kernel.pending(run.state), kernel.pending(folded)
    assert isinstance(before, kernel.Invoke)
    assert isinstance(after, kernel.Invoke)
    assert after.inputs == before.inputs
    assert after.inputs["workflowContext"]["actions"]["c"]["outputs"] == 1
    assert (after.key, after.attempt) == (before.key, 1)


def test_a_failed_script_is_not_tried_again() -> None:
    error = {"code": "InlineCodeScriptRuntimeFailure", "message": "no"}
    failed: Answer = (2, "InlineCodeScriptRuntimeFailure", None, error)
    run = Driver({"S": script("throw 1")}, answer=lambda command, number: failed).run()
    assert (len(run.calls), run.status, run.entry("/S").code) == (1, "Failed", "InlineCodeScriptRuntimeFailure")


def test_a_script_in_a_loop_sees_its_own_iteration() -> None:
    inner = {"c": compose("@item()"), "S": script("return workflowContext.actions.c.outputs", "c")}
    actions = {"L": {"type": "Foreach", "foreach": [5, 6], "actions": inner}}
    run = Driver(actions).run()
    assert [inputs["workflowContext"]["actions"]["c"]["outputs"] for _, _, inputs in run.calls] == [5, 6]


def test_an_action_that_is_not_there_fails_the_script() -> None:
    run = Driver({"S": script("return workflowContext.actions.Nope.outputs")}).run()
    assert (run.status, run.entry("/S").error["code"]) == ("Failed", "InvalidTemplate")


def test_the_inputs_of_a_map_are_evaluated_and_its_limit_is_kept() -> None:
    action = {
        "type": "Xslt",
        "inputs": {"content": "@triggerBody()", "map": {"name": "@concat('a', 'b')"}},
        "limit": {"timeout": "PT5S"},
    }
    run = Driver({"X": action}, answer=lambda command, number: None).run("<a/>")
    assert run.calls == [("/X", 1, {"content": "<a/>", "map": {"name": "ab"}})]
    assert run.plan.by_key["x"].prepare is not None


@pytest.mark.parametrize("kind", ["Xslt", "Liquid", "XmlValidation", "XmlParse"])
def test_a_content_of_null_fails_the_action(kind: str) -> None:
    action = {"type": kind, "inputs": {"content": "@triggerBody()?['none']", "map": {"name": "m"}}}
    run = Driver({"X": action}).run({})
    assert run.calls == []
    assert run.entry("/X").error["code"] == "InvalidTemplate"


@pytest.mark.parametrize(
    ("code", "actions", "trigger"),
    [
        ("workflowContext.actions.A.outputs.body", {"A": {"outputs"}}, False),
        ("workflowContext . actions\n.A.body + workflowContext.actions.A.outputs", {"A": {"body", "outputs"}}, False),
        ('workflowContext.actions["My.Action"].outputs', {"My.Action": {"outputs"}}, False),
        ("workflowContext.actions?.A?.outputs", {"A": {"outputs"}}, False),
        ("f(workflowContext.actions.A); workflowContext.actions.A.status", {"A": None}, False),
        ("workflowContext['trigger'].outputs", {}, True),
        ("const c = workflowContext; c.actions.A", {}, False),
        ("myworkflowContext.actions.A", {}, False),
    ],
)
def test_what_is_found_in_code(code: str, actions: dict[str, Any], trigger: bool) -> None:
    found = dependencies({"code": code})
    assert {name: None if members is None else set(members) for name, members in found.actions.items()} == actions
    assert found.trigger is trigger


@pytest.mark.parametrize(
    "inputs", [None, "text", {"code": 1}, {"explicitDependencies": []}, {"explicitDependencies": {"actions": "A"}}]
)
def test_inputs_of_another_shape_have_no_dependencies(inputs: Any) -> None:
    found = dependencies(inputs)
    assert (dict(found.actions), found.trigger) == ({}, False)


def test_a_script_that_reads_secured_outputs_has_its_inputs_hidden() -> None:
    secured = {"runtimeConfiguration": {"secureData": {"properties": ["outputs"]}}}
    actions = {
        "A": {**compose("planted"), **secured},
        "S": script("return workflowContext.actions.A.outputs", "A"),
        "T": script("return workflowContext.actions.S.status", "S"),
    }
    run = Driver(actions)
    hidden = Secured(run.plan.definition)
    shown = {name: hidden.hide({"inputs": {}}, run.plan.by_key[name]) for name in ("s", "t")}
    assert shown["s"] == {"inputs": None, "outputs": None, "secured": ["inputs", "outputs"]}
    assert shown["t"] == {"inputs": {}}  # one step, and no further


def test_a_script_does_not_see_how_a_call_authenticated_itself() -> None:
    inputs = {"method": "GET", "uri": "http://x", "authentication": {"type": "Raw", "value": "planted"}}
    actions = {"H": {"type": "Http", "inputs": inputs}, "S": script("return workflowContext.actions.H.inputs", "H")}
    run = Driver(actions).run()
    (_, _, given) = run.calls[1]
    assert given["workflowContext"]["actions"]["H"]["inputs"] == {"method": "GET", "uri": "http://x"}
