"""The shared conformance cases: every one gives its value or its error, or is listed here with the reason why not."""

from __future__ import annotations

import json
from base64 import b64decode
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions import evaluate_text

SHARED = Path(__file__).resolve().parents[3] / "shared" / "conformance"

# Where the sources contradict each other, this engine follows the document: equals(true, 1) is true (a peer says
# false), a null equals an empty text, startsWith and indexOf ignore case (a peer does not). The document's example of
# uriScheme, http for an https URI, is a slip. None of the shared cases depends on the peers' reading: none is listed.
# id -> why this engine deviates on purpose.
DEVIATIONS: dict[str, str] = {}

TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "float": (float, Decimal),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


def cases(name: str) -> list[Any]:
    path = SHARED / name
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"{name} is not beside this checkout"))]
    data = json.loads(path.read_text(encoding="utf-8"))
    entries = data["cases"] if isinstance(data, dict) else data
    return [pytest.param(case, id=str(case.get("id", f"{name[12:-5]}-{n:03}"))) for n, case in enumerate(entries, 1)]


def context_of(case: dict[str, Any]) -> dict[str, Any]:
    context = dict(case.get("context") or {})
    if "outputs" in context:
        context["actions"] = {name: {"outputs": value} for name, value in context.pop("outputs").items()}
    if "triggerOutputs" in context:
        context["trigger"] = {"outputs": context.pop("triggerOutputs")}
    return context


def plain(value: Any) -> Any:
    """A value as JSON compares it: decimals as floats."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def check(case: dict[str, Any], text: str, template: bool) -> None:
    if case.get("id") in DEVIATIONS:
        pytest.skip(DEVIATIONS[case["id"]])
    context = context_of(case)
    if not case.get("ok", True):
        with pytest.raises(ExpressionError):
            evaluate_text(text, context, template=template)
        return
    value: Any = evaluate_text(text, context, template=template)
    if case.get("compare") == "xml":
        assert isinstance(value, dict)
        actual = ElementTree.canonicalize(b64decode(value["$content"]))
        assert actual == ElementTree.canonicalize(case["expected"])
        return
    expected = case.get("expected")
    assert plain(value) == expected
    assert isinstance(value, bool) == isinstance(expected, bool)
    if kind := case.get("expected_type"):
        assert isinstance(value, TYPES[kind])


@pytest.mark.parametrize("case", cases("expressions-documented.json"))
def test_documented(case: dict[str, Any]) -> None:
    check(case, case["expression"], bool(case.get("template")))


@pytest.mark.parametrize("case", cases("expressions-edge.json"))
def test_edge(case: dict[str, Any]) -> None:
    check(case, case["expr"], True)


@pytest.mark.parametrize("case", cases("expressions-pamu.json"))
def test_pamu(case: dict[str, Any]) -> None:
    check(case, case["expr"], True)
