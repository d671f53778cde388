"""Expression bombs: each ends in an error before the work is done, because something is counted first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions import evaluate_text
from sealflow.engine.values import LONGEST_TEXT, MOST_ITEMS, equal, from_json, to_json, weigh

LONG = "a" * 20_000
MIB = "a" * 1_048_576


def nested(form: str, times: int, inner: str) -> str:
    for _ in range(times):
        inner = form.replace("X", inner)
    return inner


def deep(levels: int, around: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = around(value)
    return value


def shared(levels: int) -> Any:
    """A small value that stands for 2 ** levels parts: every list holds the next one twice."""
    return deep(levels, lambda part: [part, part])


# The variables are made when they are needed: they are large.
BOMBS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "replace": ("@replace(variables('a'), 'a', variables('a'))", lambda: {"a": LONG}),
    "concat": (f"@{nested('concat(X, X)', 7, 'variables(' + chr(39) + 'a' + chr(39) + ')')}", lambda: {"a": MIB}),
    "template": ("@{variables('a')}" * 101, lambda: {"a": MIB}),
    "join delimiter": ("@join(split(variables('b'), ','), variables('a'))", lambda: {"a": LONG, "b": "," * 10_000}),
    "join items": ("@join(variables('a'), '')", lambda: {"a": [MIB] * 101}),
    "join mixed items": ("@join(variables('a'), '')", lambda: {"a": [MIB] * 101 + [1]}),
    "string of shared texts": ("@string(variables('a'))", lambda: {"a": [MIB] * 101}),
    "string of shared lists": ("@string(variables('a'))", lambda: {"a": shared(40)}),
    "concat of shared lists": ("@concat(variables('a'), '')", lambda: {"a": shared(40)}),
    "base64 of shared lists": ("@base64(variables('a'))", lambda: {"a": shared(40)}),
    "equals of shared lists": ("@equals(variables('a'), variables('b'))", lambda: {"a": shared(40), "b": shared(40)}),
    "union of shared lists": ("@union(createArray(variables('a')), createArray(1))", lambda: {"a": shared(40)}),
    "intersection of shared lists": ("@intersection(variables('a'), variables('a'))", lambda: {"a": shared(40)}),
    "contains of shared lists": (
        "@contains(createArray(variables('a')), variables('b'))",
        lambda: {"a": 1, "b": shared(40)},
    ),
    "split": ("@split(variables('a'), 'a')", lambda: {"a": "a" * 2_000_001}),
    "chunk": ("@chunk(variables('a'), 1)", lambda: {"a": "a" * 2_000_001}),
    "range": ("@range(0, 100001)", dict),
    "ranges": (f"@concat({','.join(['range(0, 1)'] * 51)})", dict),
    "union": (f"@union({','.join(['variables(' + chr(39) + 'a' + chr(39) + ')'] * 21)})", lambda: {"a": [0] * 100_000}),
    "base64": ("@base64(variables('a'))", lambda: {"a": MIB * 76}),
    "dataUri": ("@dataUri(variables('a'))", lambda: {"a": MIB * 76}),
    "uriComponent": ("@uriComponent(variables('a'))", lambda: {"a": "€" * 12_000_000}),
    "encodeXmlValue": ("@encodeXmlValue(variables('a'))", lambda: {"a": '"' * 20_000_000}),
    "encodeXmlName": ("@encodeXmlName(variables('a'))", lambda: {"a": " " * 100_001}),
    "deep JSON": ("@json(variables('a'))", lambda: {"a": "[" * 100_000}),
    "wide JSON": ("@json(variables('a'))", lambda: {"a": "[" + "[]," * 2_600_000 + "[]]"}),
    "deep value as text": ("@string(variables('a'))", lambda: {"a": deep(50_000, lambda part: [part])}),
    "deep XML": ("@xml(variables('a'))", lambda: {"a": "<a>" * 10_000 + "</a>" * 10_000}),
    "wide XML": ("@xml(variables('a'))", lambda: {"a": "<a>" + "<b/>" * 250_001 + "</a>"}),
    "deep JSON to XML": ("@xml(variables('a'))", lambda: {"a": deep(10_000, lambda part: {"a": part})}),
    "wide JSON to XML": ("@xml(variables('a'))", lambda: {"a": {"r": {"b": [0] * 250_001}}}),
    "entities": (
        "@json(xml(variables('a')))",
        lambda: {"a": '<!DOCTYPE l [<!ENTITY a "b"><!ENTITY b "&a;&a;">]><l>&b;</l>'},
    ),
    "nested XPath": (
        "@xpath(xml(variables('a')), 'count(//*[count(//*[count(//*)>0])>0])')",
        lambda: {"a": "<a>" + "<b/>" * 3_000 + "</a>"},
    ),
    "chained XPath": (
        "@xpath(xml(variables('a')), '//*/following::*/following::*')",
        lambda: {"a": "<a>" + "<b/>" * 3_000 + "</a>"},
    ),
    "long XPath": ("@xpath(xml('<a/>'), variables('a'))", lambda: {"a": "|".join(["//a"] * 5_000)}),
    "date format": ("@formatDateTime('2024-01-01', variables('a'))", lambda: {"a": "'" + LONG + "'"}),
    "date parsing format": ("@parseDateTime('2024-01-01', 'en-US', variables('a'))", lambda: {"a": "y" * 20_000}),
    "span format": ("@formatTimeSpan('1', variables('a'))", lambda: {"a": "\\x" * 20_000}),
    "date text": ("@addDays(variables('a'), 1)", lambda: {"a": "1 " * 20_000}),
    "number precision": ("@formatNumber(1.5, 'N999999999')", dict),
    "number pattern": ("@formatNumber(1.5, variables('a'))", lambda: {"a": "0," * 20_000}),
    "number text": ("@float(variables('a'))", lambda: {"a": "1" * 20_000}),
    "integer text": ("@int(variables('a'))", lambda: {"a": "1" * 20_000}),
    "decimal text": ("@decimal(variables('a'))", lambda: {"a": "1" * 20_000}),
    "long expression": (f"@concat('{'a' * 8_192}')", dict),
    "nested calls": (f"@{nested('not(X)', 101, 'true')}", dict),
    "parentheses": ("@" + "(" * 8_000, dict),
    "links": ("@json('{}')" + "?['a']" * 1_000, dict),
    "open templates": ("@{" * 10_000, dict),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_an_error(name: str) -> None:
    text, variables = BOMBS[name]
    with pytest.raises(ExpressionError) as caught:
        evaluate_text(text, {"variables": variables()})
    assert 0 < len(caught.value.message) < 1_000, "an error does not repeat its bomb"


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("@length(concat(variables('a'), variables('a')))", {"a": MIB}),
        ("@length(uriComponentToString(variables('a')))", {"a": "%ff" * 100_000}),
        ("@length(json(variables('a')))", {"a": "[" + "1," * 100_000 + "1]"}),
        ("@equals(variables('a'), variables('a'))", {"a": shared(12)}),
        ("@length(union(variables('a'), variables('a')))", {"a": [{"n": n} for n in range(10_000)]}),
        ("@xpath(xml('<a><b/><b/></a>'), 'count(//b[//b])')", {}),
    ],
)
def test_what_is_merely_large_is_worked_on(text: str, variables: dict[str, Any]) -> None:
    evaluate_text(text, {"variables": variables})


def test_values_are_weighed_by_their_parts_and_characters() -> None:
    assert weigh([1, 1.5, "a", {"b": None}])
    assert not weigh([[1e20]])
    weigh([0] * (MOST_ITEMS - 4))
    with pytest.raises(ExpressionError):
        weigh([0] * (MOST_ITEMS + 1))
    with pytest.raises(ExpressionError):
        weigh({"a": ["b" * (LONGEST_TEXT // 2 + 1)] * 2})
    with pytest.raises(ExpressionError):
        to_json([shared(40)])
    with pytest.raises(ExpressionError):
        equal(shared(40), shared(40))
    with pytest.raises(ValueError, match="items"):
        from_json("[" + "1," * MOST_ITEMS + "1]")


@pytest.mark.parametrize("text", ["%41" * 70_000, "%c3%a9" * 70_000, "%e2%82%ac" * 50_001, "%ff%c3" * 70_000])
def test_long_runs_of_escapes_are_decoded_like_short_ones(text: str) -> None:
    short = text[: 6 * 9] if "%ff" in text or "%c3" in text else text[:54]
    one = evaluate_text("@uriComponentToString(variables('a'))", {"variables": {"a": short}})
    whole = evaluate_text("@uriComponentToString(variables('a'))", {"variables": {"a": text}})
    assert isinstance(one, str)
    assert whole == one * (len(text) // len(short)) + str(whole)[len(one) * (len(text) // len(short)) :]
    assert evaluate_text("@uriComponentToString(uriComponent(variables('a')))", {"variables": {"a": text}}) == text
