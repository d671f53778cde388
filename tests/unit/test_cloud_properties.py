"""Whatever the JSON, a file is answered with problems, never with an exception."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.cloud import check, parse_leniently, read_object, report
from sealflow.engine.errors import DefinitionError
from thorough import LONG

WORDS = (
    "type", "kind", "inputs", "actions", "triggers", "runAfter", "else", "cases", "default", "case", "expression",
    "foreach", "limit", "count", "timeout", "variables", "name", "value", "parameters", "defaultValue",
    "runtimeConfiguration", "concurrency", "repetitions", "retryPolicy", "interval", "recurrence", "frequency",
    "conditions", "splitOn", "host", "operationOptions", "staticResult", "staticResults", "outputs", "definition",
    "properties", "resources", "A", "B", "authentication", "headers", "until", "timestamp", "and", "not",
    "equals", "trackedProperties", "correlation",
)  # fmt: skip
TEXTS = (
    "Compose", "If", "Switch", "Foreach", "Until", "Scope", "InitializeVariable", "SetVariable", "Http",
    "Response", "Wait", "Terminate", "Table", "Workflow", "Expression", "Agent", "Request", "Recurrence",
    "Succeeded", "PT1H", "fixed", "Day", "@outputs('A')", "@items('A')", "@item()", "@variables('A')",
    "@parameters('A')", "@{concat(", "@", "@@", "[concat('a')]", "[[a]", "[parameters('A')]",
    "Microsoft.Logic/workflows", "Microsoft.Resources/deployments", "A", "B", "", "@result('B')",
)  # fmt: skip

names = st.sampled_from(WORDS) | st.text(max_size=5)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS) | st.text(max_size=8)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5), max_leaves=40
)

FLOW: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http", "conditions": [{"expression": "@equals(1, 1)"}]}},
    "parameters": {"p": {"type": "String", "defaultValue": "x"}},
    "actions": {
        "V": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "integer", "value": 1}]}},
        "L": {
            "type": "Foreach",
            "foreach": "@triggerBody()",
            "runAfter": {"V": ["Succeeded"]},
            "runtimeConfiguration": {"concurrency": {"repetitions": 5}},
            "actions": {
                "C": {
                    "type": "If",
                    "expression": {
                        "and": [{"equals": ["@items('L')", 1]}, {"not": {"equals": ["@variables('v')", 2]}}]
                    },
                    "actions": {"H": {"type": "Http", "inputs": {"method": "GET", "uri": "@{parameters('p')}"}}},
                    "else": {"actions": {"W": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}}}},
                },
                "S": {
                    "type": "Switch",
                    "expression": "@item()",
                    "runAfter": {"C": ["Succeeded", "Failed"]},
                    "cases": {"one": {"case": 1, "actions": {"A": {"type": "Compose", "inputs": {"a": ["@item()"]}}}}},
                    "default": {"actions": {}},
                },
            },
        },
        "U": {
            "type": "Until",
            "expression": "@greater(variables('v'), 5)",
            "limit": {"count": 5, "timeout": "PT1H"},
            "runAfter": {"L": ["Succeeded"]},
            "actions": {"I": {"type": "IncrementVariable", "inputs": {"name": "v", "value": 1}}},
        },
        "R": {
            "type": "Response",
            "inputs": {"statusCode": 200, "body": "@result('L')"},
            "runAfter": {"U": ["Succeeded"]},
        },
    },
}


def test_the_flow_that_is_changed_below_is_sound() -> None:
    assert check(read_object(FLOW)) == []


@settings(deadline=None, max_examples=2000 if LONG else 120)
@given(values)
def test_any_json_is_answered(value: Any) -> None:
    try:
        source = read_object(value)
    except DefinitionError:
        return
    check(source)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(names, values, max_size=6))
def test_any_object_as_a_definition_is_answered(value: dict[str, Any]) -> None:
    definition = {"triggers": {}, "actions": value}
    parse_leniently(definition)
    check(read_object(definition))
    check(read_object({"resources": [{"type": "Microsoft.Logic/workflows", "properties": {"definition": definition}}]}))


@settings(deadline=None, max_examples=2000 if LONG else 120)
@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_text_is_answered(text: str | bytes) -> None:
    assert report(text, "f")["file"] == "f"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON value, itself first."""
    found = [path]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


PLACES = [path for path in places(FLOW) if path]


@settings(deadline=None, max_examples=2000 if LONG else 160)
@given(st.sampled_from(PLACES), st.none() | values, st.booleans())
def test_a_flow_with_one_thing_changed_is_answered_inside_of_the_file(
    path: tuple[Any, ...], value: Any, drop: bool
) -> None:
    flow = copy.deepcopy(FLOW)
    owner: Any = flow
    for key in path[:-1]:
        owner = owner[key]
    if drop:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    for problem in check(read_object({"definition": flow})):
        assert problem.at.startswith("/definition")
        json.dumps(problem.to_json())


def respelled(value: Any, rename: dict[str, str]) -> Any:
    """The flow with its actions under other names, where they are defined and where they run after one another."""
    if isinstance(value, dict):
        return {rename.get(name, name): respelled(inner, rename) for name, inner in value.items()}
    return [respelled(inner, rename) for inner in value] if isinstance(value, list) else value


def test_the_case_of_names_does_not_matter() -> None:
    changed = respelled(FLOW, {name: name.lower() for name in "VLCHWSUIRA"})
    assert "l" in changed["actions"]
    assert check(read_object(changed)) == []
