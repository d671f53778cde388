"""Definitions become records: shapes, names, branches, dialects, and the pointer of every fault."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.engine.cloud import Action, key_of, parse, parse_leniently
from sealflow.engine.errors import DefinitionError


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


def only(definition: dict[str, Any]) -> Action:
    (action,) = parse(definition).actions
    return action


def test_an_action_keeps_its_name_and_is_compared_by_its_key() -> None:
    action = only(flow(**{"Send a Mail": {"type": "OpenApiConnection", "kind": "Custom", "inputs": {"a": 1}}}))
    assert (action.name, action.key) == ("Send a Mail", "send_a_mail") == ("Send a Mail", key_of("Send a Mail"))
    assert (action.type, action.kind) == ("openapiconnection", "custom")
    assert action.inputs == {"a": 1}
    assert action.pointer == "/actions/Send a Mail"
    assert action.run_after == ()


def test_names_are_escaped_in_pointers() -> None:
    assert only(flow(**{"a/b~c": {"type": "Compose"}})).pointer == "/actions/a~1b~0c"


def test_run_after_statuses_have_one_spelling() -> None:
    definition = flow(A={"type": "Compose"}, B={"type": "Compose", "runAfter": {"A": ["SUCCEEDED", "timedout"]}})
    (after,) = parse(definition).actions[1].run_after
    assert (after.name, after.key, after.statuses) == ("A", "a", frozenset({"Succeeded", "TimedOut"}))


def test_an_if_always_has_two_branches() -> None:
    action = only(flow(Test={"type": "If", "expression": "@true", "actions": {"Yes": {"type": "Compose"}}}))
    assert [(branch.label, len(branch.actions)) for branch in action.branches] == [("actions", 1), ("else", 0)]
    assert [branch.pointer for branch in action.branches] == ["/actions/Test/actions", "/actions/Test/else/actions"]


def test_a_switch_has_its_cases_and_then_the_default() -> None:
    cases = {"Two words": {"case": 2, "actions": {"A": {"type": "Compose"}}}, "default": {"case": "x", "actions": {}}}
    action = only(flow(Pick={"type": "Switch", "expression": "@1", "cases": cases}))
    assert [(branch.label, branch.case) for branch in action.branches] == [
        ("Two words", 2),
        ("default", "x"),
        ("default", None),
    ]
    assert action.branches[0].actions[0].pointer == "/actions/Pick/cases/Two words/actions/A"
    assert action.branches[-1].pointer == "/actions/Pick/default/actions"


@pytest.mark.parametrize("kind", ["Scope", "Foreach", "Until"])
def test_other_containers_have_one_branch(kind: str) -> None:
    action = only(flow(Box={"type": kind, "actions": {"A": {"type": "Compose"}, "B": {"type": "Compose"}}}))
    assert [(branch.label, [inner.name for inner in branch.actions]) for branch in action.branches] == [
        ("actions", ["A", "B"])
    ]
    assert only(flow(Box={"type": kind})).branches[0].actions == ()


def test_all_actions_walks_containers_before_what_they_hold() -> None:
    leaf = {"type": "Compose"}
    yes = {"B": {"type": "Scope", "actions": {"C": leaf}}}
    definition = flow(A={"type": "If", "expression": "@true", "actions": yes, "else": {"actions": {"D": leaf}}}, E=leaf)
    assert [action.name for action in parse(definition).all_actions()] == ["A", "B", "C", "D", "E"]


def test_a_trigger_has_its_recurrence_conditions_and_split() -> None:
    trigger = {
        "type": "ApiConnection",
        "recurrence": {"frequency": "Minute", "interval": 3},
        "splitOn": "@triggerBody()?['value']",
        "conditions": [{"expression": "@equals(1, 1)"}, {"expression": {"not": {"equals": ["@1", 2]}}}],
        "operationOptions": "SingleInstance, EnableSchemaValidation",
    }
    (found,) = parse({"triggers": {"When it rains": trigger}, "actions": {}}).triggers
    assert (found.key, found.type, found.pointer) == ("when_it_rains", "apiconnection", "/triggers/When it rains")
    assert found.recurrence == {"frequency": "Minute", "interval": 3}
    assert found.split_on == "@triggerBody()?['value']"
    assert found.conditions == ("@equals(1, 1)", {"not": {"equals": ["@1", 2]}})
    assert found.options == {"singleinstance", "enableschemavalidation"}


def test_a_parameter_tells_a_null_default_from_none() -> None:
    definition = {
        "actions": {},
        "parameters": {"Name": {"type": "String", "defaultValue": None}, "Count": {"type": "Int"}},
    }
    first, second = parse(definition).parameters
    assert (first.key, first.type, first.has_default) == ("name", "string", True)
    assert (second.key, second.type, second.has_default) == ("count", "int", False)


def test_the_pointer_of_the_definition_is_in_every_pointer() -> None:
    definition = parse(
        flow(A={"type": "Scope", "actions": {"B": {"type": "Compose"}}}), pointer="/properties/definition"
    )
    assert [action.pointer for action in definition.all_actions()] == [
        "/properties/definition/actions/A",
        "/properties/definition/actions/A/actions/B",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"actions": {"A": {"type": "OpenApiConnection"}}},
        {"actions": {"S": {"type": "Scope", "actions": {"A": {"type": "openapiconnectionwebhook"}}}}},
        {"actions": {"A": {"type": "Workflow", "inputs": {"host": {"workflowReferenceName": "x"}}}}},
        {"actions": {"A": {"type": "Compose", "metadata": {"operationMetadataId": "x"}}}},
        {"parameters": {"$authentication": {"type": "SecureObject"}}},
        {"triggers": {"manual": {"type": "Request", "kind": "Button"}}},
        {"triggers": {"manual": {"type": "request", "kind": "powerappv2"}}},
    ],
)
def test_power_automate_is_recognised(change: dict[str, Any]) -> None:
    assert parse({**flow(), **change}).dialect == "power-automate"


def test_everything_else_is_logic_apps_unless_told() -> None:
    definition = flow(A={"type": "ApiConnection"})
    assert parse(definition).dialect == "logic-apps"
    assert parse(definition, dialect="power-automate").dialect == "power-automate"


@pytest.mark.parametrize(
    ("definition", "at", "code"),
    [
        ([], "", "InvalidDefinition"),
        ({}, "", "InvalidDefinition"),
        ({"actions": []}, "/actions", "InvalidDefinition"),
        ({"actions": {"A": "x"}}, "/actions/A", "InvalidDefinition"),
        ({"actions": {"A": {}}}, "/actions/A", "MissingType"),
        ({"actions": {"A": {"type": 5}}}, "/actions/A/type", "MissingType"),
        ({"actions": {"A": {"type": "Compose", "kind": 5}}}, "/actions/A/kind", "InvalidDefinition"),
        ({"actions": {"A": {"type": "Compose", "runAfter": []}}}, "/actions/A/runAfter", "InvalidDefinition"),
        ({"actions": {"A": {"type": "Compose", "runAfter": {"B": []}}}}, "/actions/A/runAfter/B", "InvalidRunAfter"),
        (
            {"actions": {"A": {"type": "Compose", "runAfter": {"B": ["Done"]}}}},
            "/actions/A/runAfter/B/0",
            "UnknownStatus",
        ),
        ({"actions": {"A": {"type": "Scope", "actions": []}}}, "/actions/A/actions", "InvalidDefinition"),
        ({"actions": {"A": {"type": "If", "else": []}}}, "/actions/A/else", "InvalidDefinition"),
        ({"actions": {"A": {"type": "Switch", "cases": []}}}, "/actions/A/cases", "InvalidDefinition"),
        ({"actions": {"A": {"type": "Switch", "cases": {"C": []}}}}, "/actions/A/cases/C", "InvalidDefinition"),
        ({"actions": {"A": {"type": "Switch", "cases": {"C": {}}}}}, "/actions/A/cases/C", "InvalidSwitch"),
        ({"triggers": {"T": 1}}, "/triggers/T", "InvalidDefinition"),
        ({"triggers": {"T": {"type": "Request", "splitOn": []}}}, "/triggers/T/splitOn", "InvalidDefinition"),
        ({"triggers": {"T": {"type": "Request", "conditions": {}}}}, "/triggers/T/conditions", "InvalidDefinition"),
        ({"triggers": {"T": {"type": "Request", "conditions": [1]}}}, "/triggers/T/conditions/0", "InvalidDefinition"),
        ({"actions": {}, "parameters": {"P": 1}}, "/parameters/P", "InvalidDefinition"),
        ({"actions": {}, "parameters": {"P": {}}}, "/parameters/P", "MissingType"),
    ],
)
def test_every_fault_has_its_place_and_code(definition: Any, at: str, code: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(definition, pointer="/here")
    assert (caught.value.at, caught.value.code) == (f"/here{at}", code)


def test_lenient_reading_finds_all_faults_and_keeps_the_rest() -> None:
    parsed = parse_leniently(
        {"actions": {"A": 1, "B": {"type": "Compose", "runAfter": {"A": ["X", "Failed"]}}, "C": {}}}
    )
    assert [fault.at for fault in parsed.faults] == ["/actions/A", "/actions/B/runAfter/A/0", "/actions/C"]
    assert [action.name for action in parsed.definition.actions] == ["B", "C"]
    assert parsed.definition.actions[0].run_after[0].statuses == {"Failed"}


def test_containers_without_end_are_refused() -> None:
    inner: dict[str, Any] = {"type": "Compose"}
    for _ in range(60):
        inner = {"type": "Scope", "actions": {"A": inner}}
    with pytest.raises(DefinitionError) as caught:
        parse(flow(A=inner))
    assert caught.value.code == "NestingTooDeep"


def test_null_stands_for_absent() -> None:
    action = only(flow(A={"type": "If", "expression": "@true", "runAfter": None, "actions": None, "else": None}))
    assert [branch.actions for branch in action.branches] == [(), ()]
