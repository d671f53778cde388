"""Context functions: every one over a JSON context."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions import CONTEXT_FUNCTIONS, evaluate_text

FORM = {
    "$content-type": "application/x-www-form-urlencoded",
    "$content": b64encode(b"a=1&b=x%20y+z&a=2").decode(),
}
MULTIPART = {
    "$content-type": "multipart/form-data; boundary=----b",
    "$content": b64encode(
        b'------b\r\nContent-Disposition: form-data; name="f"\r\n\r\nv1\r\n'
        b'------b\r\nContent-Disposition: form-data; name="g"\r\nContent-Type: image/png\r\n\r\n\x89P\r\n------b--\r\n'
    ).decode(),
}
CONTEXT: dict[str, Any] = {
    "variables": {"Count": 3},
    "parameters": {"$connections": {"x": 1}, "Name (schema_name)": "env"},
    "agentParameters": {"city": "Delft"},
    "trigger": {"name": "manual", "outputs": {"body": FORM, "queries": {"q": "1"}}},
    "actions": {
        "Get_item": {"status": "Succeeded", "inputs": {"uri": "u"}, "outputs": {"body": {"id": 5}}},
        "Form": {
            "outputs": {"body": {"$formdata": [{"key": "k", "value": "v"}], "$content-type": "x", "$content": ""}}
        },
        "Parts": {"outputs": {"body": {"$multipart": [{"headers": {}, "body": "first"}, {"body": {"a": 1}}]}}},
        "Raw": {"outputs": {"body": MULTIPART}},
    },
    "item": {"n": 1},
    "items": {"For_each": {"n": 2}},
    "iterationIndexes": {"Until": 4},
    "workflow": {"name": "w", "run": {"name": "r"}, "tags": {"environmentName": "e"}},
    "results": {"Scope": [{"name": "A", "status": "Failed"}]},
    "action": {"outputs": {"body": {"z": 9}}},
    "appSettings": {"KEY": "value"},
    "callbackUrl": "https://example.invalid/callback",
    "now": "2026-01-02T03:04:05.0000000Z",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("actions('get item').outputs.body.id", 5),
        ("actions('Get_item')?['status']", "Succeeded"),
        ("action()?['outputs']?['body']?['z']", 9),
        ("outputs('Get item')?['body/id']", 5),
        ("actionOutputs('Get_item')['body']['id']", 5),
        ("body('Get_Item')['id']", 5),
        ("actionBody('Get_item')?['id']", 5),
        ("body(concat('Get_', 'item'))['id']", 5),
        ("body(variables('name'))?['id']", 5),
        ("trigger()['name']", "manual"),
        ("triggers().name", "manual"),
        ("triggerOutputs()['queries']['q']", "1"),
        ("triggerBody()?['$content-type']", "application/x-www-form-urlencoded"),
        ("variables('count')", 3),
        ("parameters('$connections')['x']", 1),
        ("parameters('Name (schema_name)')", "env"),
        ("agentParameters('city')", "Delft"),
        ("item()?['n']", 1),
        ("items('For each')?['n']", 2),
        ("iterationIndexes('Until')", 4),
        ("workflow()['run']['name']", "r"),
        ("workflow()?['tags/environmentName']", "e"),
        ("result('Scope')[0]['status']", "Failed"),
        ("appsetting('KEY')", "value"),
        ("listCallbackUrl()", "https://example.invalid/callback"),
        ("formDataValue('Form', 'k')", "v"),
        ("formDataValue('Form', 'none')", None),
        ("formDataMultiValues('Form', 'k')", ["v"]),
        ("formDataValue('Raw', 'f')", "v1"),
        ("multipartBody('Parts', 0)", "first"),
        ("multipartBody('Parts', 1)", {"a": 1}),
        ("multipartBody('Raw', 0)", "v1"),
        ("multipartBody('Raw', 1)?['$content-type']", "image/png"),
        ("base64(multipartBody('Raw', 1))", "iVA="),
        ("triggerFormDataMultiValues('a')", ["1", "2"]),
        ("triggerFormDataValue('b')", "x y z"),
        ("utcNow()", "2026-01-02T03:04:05.0000000Z"),
    ],
)
def test_context_function(text: str, expected: Any) -> None:
    context = {**CONTEXT, "variables": {**CONTEXT["variables"], "name": "Get_item"}}
    assert evaluate_text(text, context) == expected


@pytest.mark.parametrize(
    "text",
    [
        "variables('nope')",
        "outputs('nope')",
        "body(1)",
        "body(variables('Count'))",
        "variables()",
        "item(1)",
        "triggerFormDataValue('a')",
        "triggerMultipartBody(0)",
        "multipartBody('Parts', 2)",
        "formDataValue('Get_item', 'k')",
    ],
)
def test_context_function_errors(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate_text(text, CONTEXT)


def test_a_missing_part_of_the_context_says_so() -> None:
    for text in ("item()", "utcNow()", "workflow()", "listCallbackUrl()", "action()"):
        with pytest.raises(ExpressionError) as caught:
            evaluate_text(text, {})
        assert "context" in caught.value.message


def test_chance_is_the_same_every_time() -> None:
    text = "createArray(guid(), guid(), rand(0, 1000000))"
    first = evaluate_text(text, {})
    assert first == evaluate_text(text, {})
    assert isinstance(first, list)
    assert first[0] != first[1]


def test_names_of_the_documented_context_functions() -> None:
    documented = (
        "action actions body formDataMultiValues formDataValue item items iterationIndexes listCallbackUrl "
        "multipartBody outputs parameters result trigger triggerBody triggerFormDataMultiValues triggerFormDataValue "
        "triggerMultipartBody triggerOutputs variables workflow"
    )
    assert {name.lower() for name in documented.split()} <= set(CONTEXT_FUNCTIONS)


@pytest.mark.parametrize(
    "context",
    [{"variables": [1]}, {"items": 5}, {"iterationIndexes": 5}, {"parameters": 5}, {"actions": "x"}, {"now": 5}, []],
)
def test_a_context_of_another_shape_is_refused(context: Any) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate_text("@variables('a')", context)
    assert caught.value.code == "InvalidContext"
