"""Files that hold a cloud flow: wrappers, exports, templates, and text that is no JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sealflow.engine.cloud import read, read_object, report
from sealflow.engine.errors import DefinitionError

DEFINITION: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"A": {"type": "Compose", "inputs": 1}},
}


def template(definition: Any, **more: Any) -> dict[str, Any]:
    workflow = {
        "type": "Microsoft.Logic/workflows",
        "name": "[parameters('name')]",
        "properties": {
            "definition": definition,
            "parameters": {"$connections": {"value": {"sql": {"connectionId": "x"}}}},
        },
    }
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "parameters": {"name": {"type": "string", "defaultValue": "orders"}},
        "resources": [{"type": "Microsoft.Web/connections"}, workflow],
        **more,
    }


def test_a_bare_definition() -> None:
    source = read(json.dumps(DEFINITION), name="flow")
    assert (source.kind, source.name, source.pointer, source.dialect) == ("definition", "flow", "", "auto")
    assert source.definition == DEFINITION


def test_a_wrapped_definition_with_values_for_its_parameters() -> None:
    document = {
        "definition": DEFINITION,
        "parameters": {"$connections": {"value": {"sql": {"id": "x"}}}, "n": {"value": 3}},
    }
    source = read_object(document)
    assert (source.kind, source.pointer) == ("definition", "/definition")
    assert source.parameters["n"] == 3
    assert source.connections == {"sql": {"id": "x"}}


def test_a_workflow_json_of_standard() -> None:
    source = read_object({"definition": DEFINITION, "kind": "Stateful"})
    assert (source.kind, source.dialect, source.pointer) == ("standard", "logic-apps", "/definition")


def test_a_power_automate_export() -> None:
    properties = {
        "displayName": "My flow",
        "definition": DEFINITION,
        "connectionReferences": {"shared_sql": {"id": "y"}},
    }
    source = read_object({"name": "guid", "type": "Microsoft.Flow/flows", "properties": properties})
    assert (source.kind, source.name, source.dialect) == ("power-automate", "My flow", "power-automate")
    assert source.pointer == "/properties/definition"
    assert source.connections == {"shared_sql": {"id": "y"}}


def test_a_flow_of_a_solution_has_the_name_of_its_file() -> None:
    source = read_object(
        {"properties": {"definition": DEFINITION, "connectionReferences": {}}, "schemaVersion": "1.0.0.0"}, name="f"
    )
    assert (source.kind, source.name) == ("power-automate", "f")


def test_what_the_management_interface_of_logic_apps_returns() -> None:
    source = read_object({"name": "la", "type": "Microsoft.Logic/workflows", "properties": {"definition": DEFINITION}})
    assert (source.kind, source.name, source.dialect) == ("definition", "la", "logic-apps")


def test_a_template_is_resolved() -> None:
    definition = {
        **DEFINITION,
        "actions": {
            "A": {
                "type": "Compose",
                "inputs": {
                    "text": "[concat(variables('greeting'), ' ', toUpper(parameters('name')))]",
                    "escaped": "[[not an expression]",
                    "id": "[resourceId('Microsoft.Web/connections', 'sql')]",
                    "format": "[format('{0}-{{{1}}}', 'a', 5)]",
                    "object": "[variables('settings').list[1]]",
                    "plain": "[1, 2",
                    "choice": "[if(equals(parameters('name'), 'orders'), 'yes', reference('x'))]",
                },
            }
        },
    }
    variables = {"greeting": "Hello", "settings": {"list": [1, "[variables('greeting')]"]}}
    source = read_object(template(definition, variables=variables))
    assert (source.kind, source.name, source.pointer) == ("arm", "orders", "/resources/1/properties/definition")
    assert source.problems == ()
    assert source.connections == {"sql": {"connectionId": "x"}}
    assert source.definition["actions"]["A"]["inputs"] == {
        "text": "Hello ORDERS",
        "escaped": "[not an expression]",
        "id": "/subscriptions/{subscription}/resourceGroups/{resourceGroup}/providers/Microsoft.Web/connections/sql",
        "format": "a-{5}",
        "object": "Hello",
        "plain": "[1, 2",
        "choice": "yes",
    }


@pytest.mark.parametrize(
    "text",
    [
        "[parameters('missing')]",
        "[parameters('bare')]",
        "[reference('x').id]",
        "[variables('circle')]",
        "[concat('a']",
        "[json('{')]",
        "[format('{7}', 1)]",
        "[variables('list')[9]]",
        "[resourceId('x')]",
    ],
)
def test_what_a_template_leaves_open_stays_and_is_told(text: str) -> None:
    definition = {**DEFINITION, "actions": {"A": {"type": "Compose", "inputs": text}}}
    parameters = {"name": {"type": "string", "defaultValue": "x"}, "bare": {"type": "string"}}
    variables = {"circle": "[variables('circle')]", "list": []}
    source = read_object(template(definition, variables=variables, parameters=parameters))
    assert source.definition["actions"]["A"]["inputs"] == text
    (problem,) = source.problems
    assert (problem.code, problem.severity) == ("ArmUnresolved", "warning")
    assert problem.at == "/resources/1/properties/definition/actions/A/inputs"


def test_template_expressions_cannot_grow_without_end() -> None:
    variables = {"v0": "x" * 1000}
    for index in range(1, 40):
        previous = f"variables('v{index - 1}')"
        variables[f"v{index}"] = f"[concat({previous}, {previous})]"
    definition = {**DEFINITION, "actions": {"A": {"type": "Compose", "inputs": "[variables('v39')]"}}}
    assert [problem.code for problem in read_object(template(definition, variables=variables)).problems] == [
        "ArmUnresolved"
    ]


def test_a_template_in_a_template() -> None:
    outer = {
        "resources": [{"type": "Microsoft.Resources/deployments", "properties": {"template": template(DEFINITION)}}]
    }
    assert read_object(outer).pointer == "/resources/0/properties/template/resources/1/properties/definition"


def test_of_several_workflows_the_first_is_taken_and_it_is_said() -> None:
    document = template(DEFINITION)
    document["resources"].append(document["resources"][1])
    assert [problem.code for problem in read_object(document).problems] == ["SeveralWorkflows"]


@pytest.mark.parametrize(
    ("document", "at"),
    [
        ([], ""),
        ({}, ""),
        ({"definition": 5}, "/definition"),
        ({"properties": {"definition": []}}, "/properties/definition"),
        ({"resources": []}, "/resources"),
        ({"resources": [{"type": "Microsoft.Logic/workflows"}]}, "/resources/0"),
        (
            {"resources": [{"type": "Microsoft.Logic/workflows", "properties": {}}]},
            "/resources/0/properties/definition",
        ),
    ],
)
def test_a_file_without_a_flow(document: Any, at: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_object(document)
    assert (caught.value.code, caught.value.at) == ("NoDefinition", at)


@pytest.mark.parametrize(
    ("text", "at", "code"),
    [
        ("", "1:1", "InvalidJson"),
        ('{\n  "actions": {,}\n}', "2:15", "InvalidJson"),
        ('{"a": "NaN",\n "b": NaN}', "2:7", "InvalidJson"),
        ('{"a": 1e999}', "1:7", "InvalidJson"),
        ('{"a": ' + "9" * 5000 + "}", "1:7", "InvalidJson"),
        (b'{"a": "\xff"}', "1:1", "InvalidJson"),
        ("[" * 100_000, "1:1", "TooDeep"),
        ("[" * 500 + "]" * 500, "1:1", "TooDeep"),
    ],
)
def test_text_that_is_no_json_has_line_and_column(text: str | bytes, at: str, code: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read(text)
    assert (caught.value.at, caught.value.code) == (at, code)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_byte_order_marks_and_wide_encodings(encoding: str) -> None:
    assert read(json.dumps(DEFINITION).encode(encoding)).definition == DEFINITION
    assert read("\ufeff" + json.dumps(DEFINITION)).definition == DEFINITION


def test_comments_and_last_commas_are_read_as_the_hosts_read_them() -> None:
    text = """{ // where it starts
      "triggers": {}, /* nothing
      here */
      "actions": {"A": {"type": "Compose", "inputs": ["// no comment, ]", 1, ], }, },
    }"""
    assert read(text).definition["actions"] == {"A": {"type": "Compose", "inputs": ["// no comment, ]", 1]}}
    with pytest.raises(DefinitionError) as caught:
        read(text.replace("1, ]", "1 2]"))
    assert (caught.value.code, caught.value.at) == ("InvalidJson", "4:77")


@pytest.mark.parametrize(
    "text", ["{,}", '{"actions": {},,}', '{"actions": [,]}', '{"actions": {} /* open', '{"actions // x']
)
def test_commas_and_comments_elsewhere_are_faults(text: str) -> None:
    with pytest.raises(DefinitionError, match="no JSON"):
        read(text)


def test_a_property_that_stands_twice() -> None:
    text = '{"actions": {"A/B": {"type": "Compose", "inputs": 1}, "A/B": {"type": "Compose", "inputs": 2}}}'
    (problem,) = read(text).problems
    assert (problem.code, problem.severity, problem.at) == ("DuplicateProperty", "error", "/actions/A~1B")


def test_the_report_of_a_file() -> None:
    found = report(json.dumps({"definition": DEFINITION, "kind": "Stateful"}), "x/workflow.json")
    assert found == {"file": "x/workflow.json", "ok": True, "kind": "cloud/standard", "actions": 1, "problems": []}


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (DEFINITION, "cloud/logic-apps"),
        ({**DEFINITION, "parameters": {"$authentication": {"type": "SecureObject"}}}, "cloud/power-automate"),
        ({"properties": {"definition": DEFINITION}}, "cloud/power-automate"),
        (template(DEFINITION), "cloud/arm"),
    ],
)
def test_the_kind_in_the_report(document: Any, kind: str) -> None:
    assert report(json.dumps(document), "f")["kind"] == kind


def test_the_report_of_a_file_that_cannot_be_read() -> None:
    found = report("{", "f")
    assert (found["ok"], found["kind"], found["actions"]) == (False, "unknown", 0)
    assert [(problem["code"], problem["at"]) for problem in found["problems"]] == [("InvalidJson", "1:2")]
