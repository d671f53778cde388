"""ARM templates: functions, parameters, copy loops, nested templates, and what stays open."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import child, template, workflow
from sealflow.engine.cloud import check
from sealflow.engine.cloud.arm.deployment import Deployment
from sealflow.engine.cloud.arm.strings import Resolver
from sealflow.engine.cloud.arm.template import workflows_of
from sealflow.engine.cloud.report.problem import Problem
from sealflow.engine.errors import DefinitionError
from sealflow.engine.importers.packages import open_package

TEMPLATE: dict[str, Any] = {
    "parameters": {
        "Name": {"type": "string", "defaultValue": "Orders"},
        "count": {"type": "int", "defaultValue": 3},
        "open": {"type": "string"},
        "list": {"type": "array", "defaultValue": ["a", "b", "[parameters('name')]"]},
    },
    "variables": {
        "settings": {"Inner": {"list": [1, 2]}},
        "circle": "[variables('circle')]",
        "copy": [{"name": "numbered", "count": 3, "input": "[concat('n', copyIndex('numbered', 1))]"}],
        "wrapped": {
            "x": 1,
            "copy": [{"name": "squares", "count": 3, "input": "[mul(copyIndex('squares'), copyIndex('squares'))]"}],
        },
    },
}
AZURE = Deployment({"open": "given"}, "s-1", "rg", "westeurope", "t-1", "d")


def resolved(text: str, deployment: Deployment = AZURE) -> tuple[Any, list[Problem]]:
    problems: list[Problem] = []
    given = {name.lower(): value for name, value in deployment.parameters.items()}
    return Resolver(TEMPLATE, deployment, given).value(text, "/x", problems), problems


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("parameters('name')", "Orders"),
        ("parameters('OPEN')", "given"),
        ("parameters('list')[2]", "Orders"),
        ("variables('Settings').inner.LIST[1]", 2),
        ("variables('numbered')", ["n1", "n2", "n3"]),
        ("variables('wrapped')", {"x": 1, "squares": [0, 1, 4]}),
        # texts
        ("concat('a', 1, true())", "a1True"),
        ("concat(createArray(1), createArray('x'))", [1, "x"]),
        ("format('{0}-{1:N0}|{2,3}|{2,-3}|{{}}', 'a', 1234567, 'z')", "a-1,234,567|  z|z  |{}"),
        ("toLower('AB')", "ab"),
        ("toUpper('ab')", "AB"),
        ("trim('  a ')", "a"),
        ("replace('a-b-c', '-', '+')", "a+b+c"),
        ("split('a,b;c', ',')", ["a", "b;c"]),
        ("split('a,b;c', createArray(',', ';'))", ["a", "b", "c"]),
        ("join(createArray('a', 1), '/')", "a/1"),
        ("substring('abcdef', 1, 3)", "bcd"),
        ("substring('abc', 1)", "bc"),
        ("padLeft('7', 3, '0')", "007"),
        ("startsWith('Abc', 'aB')", True),
        ("endsWith('Abc', 'BC')", True),
        ("indexOf('abcABC', 'C')", 2),
        ("lastIndexOf('abcABC', 'c')", 5),
        ("string(createObject('a', 1))", '{"a":1}'),
        ("base64('one')", "b25l"),
        ("base64ToString('b25l')", "one"),
        ("base64ToJson('eyJhIjoxfQ==').a", 1),
        ("dataUriToString('data:;base64,b25l')", "one"),
        ("uriComponent('a b/c')", "a%20b%2Fc"),
        ("uriComponentToString('a%20b')", "a b"),
        ("uri('http://contoso.com/a/', 'b')", "http://contoso.com/a/b"),
        # numbers
        ("int('12')", 12),
        ("add(2, mul(3, 4))", 14),
        ("div(-7, 2)", -3),
        ("mod(-7, 2)", -1),
        ("sub(1, 5)", -4),
        ("min(createArray(3, 1))", 1),
        ("max(3, 1)", 3),
        # logic
        ("bool('TRUE')", True),
        ("if(equals(1, 1), 'yes', reference('x'))", "yes"),
        ("and(equals(1, 2), reference('x'))", False),
        ("or(true(), reference('x'))", True),
        ("not(false())", True),
        ("coalesce(null(), json('null'), 'x')", "x"),
        ("equals(createArray(1), createArray(1))", True),
        ("equals('a', 'A')", False),
        ("equals(true(), 1)", False),
        ("less('a', 'b')", True),
        ("greaterOrEquals(2, 2)", True),
        # arrays and objects
        ("array('x')", ["x"]),
        ("array(createArray(1))", [1]),
        ("createObject('a', createArray(), 'b', null())", {"a": [], "b": None}),
        ("contains(createObject('Key', 1), 'key')", True),
        ("contains(createArray(1, 'b'), 'b')", True),
        ("contains('abc', 'B')", False),
        ("empty('')", True),
        ("empty(createArray(1))", False),
        ("length('abc')", 3),
        ("length(createObject('a', 1))", 1),
        ("first('abc')", "a"),
        ("first('')", ""),
        ("last(createArray(1, 2))", 2),
        ("take(createArray(1, 2, 3), 2)", [1, 2]),
        ("skip('abc', 1)", "bc"),
        ("range(2, 3)", [2, 3, 4]),
        ("flatten(createArray(createArray(1), createArray(2, 3)))", [1, 2, 3]),
        ("union(createArray(1, 2), createArray(2, 3))", [1, 2, 3]),
        (
            'union(json(\'{"a":{"x":1},"b":1}\'), json(\'{"A":{"y":2},"b":2}\'))',
            {"a": {"x": 1, "y": 2}, "b": 2},
        ),
        ("intersection(createArray(1, 2, 3), createArray(3, 2))", [2, 3]),
        ("items(createObject('b', 1, 'a', 2))[0]", {"key": "a", "value": 2}),
        ("json('[1, 2]')", [1, 2]),
        # names
        ("guid('a', 'b')", "eb4c9aac-6ef1-5a8f-9c3d-2f0ac2dd19ff"),
        ("uniqueString('test')", "rbgf3xv4ufgzg"),
        ("uniqueString('hello', 'world')", "a7wkljktk6wne"),
        ("subscription().subscriptionId", "s-1"),
        ("resourceGroup().location", "westeurope"),
        ("tenant().tenantId", "t-1"),
        ("deployment().name", "d"),
        (
            "resourceId('Microsoft.Web/connections', 'sql')",
            "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Web/connections/sql",
        ),
        (
            "resourceId('s-2', 'other', 'A.B/c/d', 'one', 'two')",
            "/subscriptions/s-2/resourceGroups/other/providers/A.B/c/one/d/two",
        ),
        ("subscriptionResourceId('A.B/c', 'x')", "/subscriptions/s-1/providers/A.B/c/x"),
        ("tenantResourceId('A.B/c', 'x')", "/providers/A.B/c/x"),
        ("extensionResourceId('/subscriptions/s-1', 'A.B/c', 'x')", "/subscriptions/s-1/providers/A.B/c/x"),
    ],
)
def test_functions(expression: str, value: Any) -> None:
    if "guid(" in expression:
        import uuid

        value = str(uuid.uuid5(uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830"), "a-b"))
    found, problems = resolved(f"[{expression}]")
    assert problems == []
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["plain", "[", "[]", "[1, 2", "a [parameters('x')]"])
def test_what_is_no_expression_stays(text: str) -> None:
    assert resolved(text) == (text, [])


def test_a_doubled_bracket_is_a_plain_one() -> None:
    assert resolved("[[parameters('x')]") == ("[parameters('x')]", [])


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("parameters('missing')", "no parameter 'missing'"),
        ("variables('circle')", "refers to itself"),
        ("listKeys('x', '2020')", "not known before deployment"),
        ("utcNow()", "not known before deployment"),
        ("newGuid()", "not known before deployment"),
        ("copyIndex()", "outside of its copy loop"),
        ("first(createArray())", "the array is empty"),
        ("div(1, 0)", "cannot be called like this"),
        ("add('1', 2)", "cannot be called like this"),
        ("not('x')", "cannot be called like this"),
        ("if('x', 1, 2)", "no boolean"),
        ("range(0, 1000000)", "at most"),
        ("padLeft('x', 999999999)", "too long"),
        ("format('{0:Q}', 5)", "not known"),
        ("json('{')", "no JSON"),
        ("json('1e999')", "no JSON"),
        ("mul(9223372036854775807, 2)", "too large"),
        ("createObject('a')", "cannot be called like this"),
        ("parameters('name').x", "there is no 'x'"),
        ("concat('a'", "ends at position"),
    ],
)
def test_what_has_no_value_stays_and_is_told(expression: str, reason: str) -> None:
    found, [problem] = resolved(f"[{expression}]")
    assert found == f"[{expression}]"
    assert (problem.code, problem.severity, problem.at) == ("ArmUnresolved", "warning", "/x")
    assert reason in problem.message


def test_a_parameter_without_a_value() -> None:
    _, [problem] = resolved("[parameters('open')]", Deployment())
    assert "none was given" in problem.message
    assert problem.hint is not None
    assert "--parameter" in problem.hint


def test_properties_are_named_by_expressions_and_made_by_copy() -> None:
    problems: list[Problem] = []
    value = {
        "[concat('a', 1)]": 1,
        "copy": [
            {
                "name": "all",
                "count": "[length(parameters('list'))]",
                "input": {"n": "[parameters('list')[copyIndex('all')]]"},
            }
        ],
    }
    found = Resolver(TEMPLATE, AZURE, {}).value(value, "", problems)
    assert problems == []
    assert found == {"a1": 1, "all": [{"n": "a"}, {"n": "b"}, {"n": "Orders"}]}


def test_a_property_named_copy_that_is_no_loop_stays() -> None:
    value = {"copy": [{"type": "Compose"}], "other": {"copy": "x"}}
    assert Resolver(TEMPLATE, AZURE, {}).value(value, "", []) == value


def test_expressions_cannot_multiply_without_end() -> None:
    nested: dict[str, Any] = {"v0": ["x"] * 10}
    for index in range(1, 60):
        nested[f"v{index}"] = f"[createArray(variables('v{index - 1}'), variables('v{index - 1}'))]"
    problems: list[Problem] = []
    Resolver({"variables": nested}, AZURE, {}).value("[variables('v59')]", "", problems)
    assert [problem.code for problem in problems] == ["ArmUnresolved"]
    large = {"variables": {"text": "x" * 1_000_000}}
    problems = []
    Resolver(large, AZURE, {}).value(["[variables('text')]"] * 100, "", problems)
    assert 0 < len(problems) < 100


# ---- templates


def opened(text: str, **deployment: Any) -> Any:
    return open_package({"azuredeploy.json": text.encode()}, name="azuredeploy", deployment=Deployment(**deployment))


def test_several_workflows_each_with_its_values() -> None:
    definition = child("parameters('rate')", rate={"type": "Float", "defaultValue": 1.0})
    text = template(
        {"type": "Microsoft.Web/connections", "name": "x"},
        workflow(
            "[concat(parameters('prefix'), '-one')]", definition, parameters={"rate": {"value": "[parameters('r')]"}}
        ),
        workflow("two", definition, condition="[equals(parameters('prefix'), 'x')]"),
        workflow("off", definition, condition="[not(true())]"),
        workflow("[concat('many-', copyIndex(1))]", definition, copy={"name": "loop", "count": 2}),
        parameters={"prefix": {"type": "string"}, "r": {"type": "int", "defaultValue": 2}},
    )
    package = opened(text, parameters={"PREFIX": "x", "rate": 7.5})
    assert package.kind == "arm"
    assert [flow.name for flow in package.flows] == ["x-one", "two", "many-1", "many-2"]
    assert [flow.pointer for flow in package.flows] == [
        f"/resources/{index}/properties/definition" for index in (1, 2, 4, 4)
    ]
    assert all(flow.parameters == {"rate": 7.5} for flow in package.flows)  # not a template's, so the workflows'
    assert [problem.code for problem in package.problems] == ["WorkflowNotDeployed"]
    assert opened(text, parameters={"prefix": "x"}).flows[0].parameters == {"rate": 2}
    assert [problem for flow in package.flows for problem in check(flow) if problem.severity == "error"] == []


def test_nested_templates_see_what_their_scope_says() -> None:
    inner = json.loads(
        template(
            workflow("[parameters('p')]", child()),
            parameters={"p": {"type": "string", "defaultValue": "inner default"}},
        )
    )
    passed = {"p": {"value": "[concat(parameters('p'), '!')]"}}

    def nested(**properties: Any) -> str:
        resource = {"type": "Microsoft.Resources/deployments", "properties": {"template": inner, **properties}}
        return template(resource, parameters={"p": {"type": "string", "defaultValue": "outer"}})

    assert opened(nested()).flows[0].name == "outer"
    within = {"expressionEvaluationOptions": {"scope": "Inner"}}
    assert opened(nested(**within)).flows[0].name == "inner default"
    found = opened(nested(**within, parameters=passed)).flows[0]
    assert found.name == "outer!"
    assert found.pointer == "/resources/0/properties/template/resources/0/properties/definition"


def test_a_linked_template_is_not_followed_and_that_is_told() -> None:
    link = {"type": "Microsoft.Resources/deployments", "properties": {"templateLink": {"uri": "https://x"}}}
    with pytest.raises(DefinitionError, match="linked template"):
        opened(template(link))
    [problem] = opened(template(link, workflow("a", child()))).problems
    assert (problem.code, problem.at) == ("LinkedTemplate", "azuredeploy.json#/resources/0/properties/templateLink")


def test_what_the_deployment_gives_stands_as_placeholders_and_is_told() -> None:
    definition = {**child(), "outputs": {"id": {"type": "String", "value": "[uniqueString(resourceGroup().id)]"}}}
    text = template(workflow("a", definition))
    [problem] = opened(text).problems
    assert (problem.code, problem.severity) == ("ArmPlaceholder", "info")
    assert problem.at == "azuredeploy.json#/resources/0/properties/definition"
    assert "{resourceGroup}, {subscription}" in problem.message
    assert opened(text, subscription="s", resource_group="g").problems == ()


def test_a_workflow_parameter_without_a_value_is_left_out_not_guessed() -> None:
    definition = child("parameters('rate')", rate={"type": "Float", "defaultValue": 3.0})
    text = template(workflow("a", definition, parameters={"rate": {"value": "[listKeys('x').rate]"}}))
    [flow] = opened(text).flows
    assert flow.parameters == {}
    assert [problem.at for problem in flow.problems] == ["/resources/0/properties/parameters/rate/value"]


def test_the_parameter_file_beside_a_template() -> None:
    text = template(
        workflow("[parameters('n')]", child()), parameters={"n": {"type": "string"}, "s": {"type": "securestring"}}
    )
    values = {"parameters": {"n": {"value": "from the file"}, "s": {"reference": {"keyVault": {}}}}}
    files = {"main.json": text.encode(), "main.parameters.json": json.dumps(values).encode()}
    package = open_package(files)
    assert [flow.name for flow in package.flows] == ["from the file"]
    assert [(problem.code, problem.at) for problem in package.problems] == [
        ("ParameterWithoutValue", "main.parameters.json#/parameters/s")
    ]


def test_unknown_parameters_are_refused() -> None:
    text = template(workflow("a", child()), parameters={"prefix": {"type": "string"}})
    with pytest.raises(DefinitionError, match="'prefx'") as caught:
        opened(text, parameters={"prefx": 1})
    assert caught.value.code == "UnknownParameter"
    assert caught.value.hint is not None
    assert "prefix" in caught.value.hint


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(
        ["", "[concat('a', 1)]", "[parameters('p')]", "[variables('v')]", "[[x]", "[range(0, 3)]", "[x("]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "copy", "count", "input", "properties", "definition", "condition", "[parameters('p')]"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(_json, _json, _json)
@settings(max_examples=150, deadline=None)
def test_no_template_raises(resource: Any, value: Any, variable: Any) -> None:
    resources = [resource, {**(resource if isinstance(resource, dict) else {}), "type": "Microsoft.Logic/workflows"}]
    document = {
        "resources": resources,
        "parameters": {"p": {"defaultValue": value}},
        "variables": {"v": variable, "copy": value},
    }
    workflows_of(document, Deployment())


def test_what_went_into_a_hash_is_told_for_each_workflow() -> None:
    """The variable is evaluated once, for both."""
    flow = {"triggers": {}, "actions": {"A": {"type": "Compose", "inputs": "[variables('v')]"}}}
    document = json.loads(template(workflow("a", flow), workflow("b", flow)))
    document["variables"] = {"v": "[uniqueString(resourceGroup().id)]"}
    first, second = workflows_of(document, Deployment()).workflows
    assert first.placeholders == second.placeholders != ()
    assert first.properties["definition"] == second.properties["definition"]
