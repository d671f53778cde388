"""Functions by family: the rules that the shared cases do not reach."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions import CONTEXT_FUNCTIONS, FUNCTIONS, Family, FunctionTable, evaluate_text
from sealflow.engine.expressions.functions import _FAMILIES
from sealflow.engine.expressions.table import LateFamily

# The 125 documented functions ("Reference guide to expression functions"), apart from what a scope provides.
DOCUMENTED = [
    "action",
    "actions",
    "add",
    "addDays",
    "addHours",
    "addMinutes",
    "addProperty",
    "addSeconds",
    "addToTime",
    "and",
    "array",
    "base64",
    "base64ToBinary",
    "base64ToString",
    "binary",
    "body",
    "bool",
    "chunk",
    "coalesce",
    "concat",
    "contains",
    "convertFromUtc",
    "convertTimeZone",
    "convertToUtc",
    "createArray",
    "dataUri",
    "dataUriToBinary",
    "dataUriToString",
    "dateDifference",
    "dayOfMonth",
    "dayOfWeek",
    "dayOfYear",
    "decimal",
    "decodeBase64",
    "decodeDataUri",
    "decodeUriComponent",
    "div",
    "empty",
    "encodeUriComponent",
    "endsWith",
    "equals",
    "first",
    "float",
    "formatDateTime",
    "formDataMultiValues",
    "formDataValue",
    "formatNumber",
    "getFutureTime",
    "getPastTime",
    "greater",
    "greaterOrEquals",
    "guid",
    "if",
    "indexOf",
    "int",
    "intersection",
    "isFloat",
    "isInt",
    "item",
    "items",
    "iterationIndexes",
    "join",
    "json",
    "last",
    "lastIndexOf",
    "length",
    "less",
    "lessOrEquals",
    "listCallbackUrl",
    "max",
    "min",
    "mod",
    "mul",
    "multipartBody",
    "not",
    "nthIndexOf",
    "or",
    "outputs",
    "parameters",
    "parseDateTime",
    "rand",
    "range",
    "removeProperty",
    "replace",
    "result",
    "reverse",
    "setProperty",
    "skip",
    "slice",
    "sort",
    "split",
    "startOfDay",
    "startOfHour",
    "startOfMonth",
    "startsWith",
    "string",
    "sub",
    "substring",
    "subtractFromTime",
    "take",
    "ticks",
    "toLower",
    "toUpper",
    "trigger",
    "triggerBody",
    "triggerFormDataMultiValues",
    "triggerFormDataValue",
    "triggerMultipartBody",
    "triggerOutputs",
    "trim",
    "union",
    "uriComponent",
    "uriComponentToBinary",
    "uriComponentToString",
    "uriHost",
    "uriPath",
    "uriPathAndQuery",
    "uriPort",
    "uriQuery",
    "uriScheme",
    "utcNow",
    "variables",
    "workflow",
    "xml",
    "xpath",
]


def run(text: str, **variables: Any) -> Any:
    return evaluate_text(text, {"variables": variables, "now": "2026-01-02T03:04:05.0000000Z"})


def fails(text: str, **variables: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        run(text, **variables)
    return caught.value


def test_every_documented_function_is_there() -> None:
    for name in DOCUMENTED:
        function = FUNCTIONS.get(name) or CONTEXT_FUNCTIONS[name.lower()]
        assert function.name == name
    for legacy in [
        "actionOutputs",
        "actionBody",
        "encodeBase64",
        "encodeDataUri",
        "appsetting",
        "triggers",
        "agentParameters",
    ]:
        assert legacy.lower() in (*FUNCTIONS, *CONTEXT_FUNCTIONS)


def test_every_function_states_its_rule() -> None:
    assert [function.name for function in FUNCTIONS.values() if not function.implementation.__doc__] == []


@given(
    st.sampled_from(sorted(set(FUNCTIONS) - {"xpath"})),
    st.lists(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.integers(-5, 5)
        | st.floats()
        | st.text(max_size=8)
        | st.sampled_from(["2026-01-02", "Day", "o", "UTC", "en-US", "data:,x", "https://a.b/c", "<a/>", "{}", "N2"])
        | st.decimals(-10, 10, allow_nan=False)
        | st.lists(st.integers(0, 3) | st.text(max_size=2), max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$content", "$content-type"]), st.text(max_size=4), max_size=3),
        max_size=4,
    ),
)
@settings(deadline=None, max_examples=400)
def test_any_arguments_give_a_value_or_an_expression_error(name: str, values: list[Any]) -> None:
    arguments = ", ".join(f"variables('v{n}')" for n in range(len(values)))
    with suppress(ExpressionError):
        run(f"{name}({arguments})", **{f"v{n}": value for n, value in enumerate(values)})


def test_a_table_finds_names_whatever_their_case_and_knows_the_nearest() -> None:
    family = Family("x")

    @family.function("toLower", 1, aliases=("lower",))
    def to_lower(value: str) -> str:
        """Lower case."""
        return value.lower()

    table = FunctionTable([family])
    assert table["TOLOWER"].implementation is to_lower
    assert sorted(table) == ["lower", "tolower"]
    assert table.nearest("tolowr") == "toLower"
    assert table.nearest("zzz") is None
    with pytest.raises(ValueError, match="toLower is defined twice"):
        FunctionTable([family, family])


def test_a_family_that_is_loaded_late_has_the_functions_it_is_known_by() -> None:
    late = [family for family in _FAMILIES if isinstance(family, LateFamily)]
    assert late
    for family in late:
        assert sorted(family.names) == sorted(family.load().names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("length('a😀')", 3),
        ("first('😀')", "\ufffd"),
        ("substring('a😀b', 1, 2)", "😀"),
        ("take('a😀', 1)", "a"),
        ("skip('a😀', 1)", "😀"),
        ("indexOf('😀b', 'B')", 2),
        ("lastIndexOf('😀bb', 'b')", 3),
        ("chunk('a😀', 3)", ["a😀"]),
        ("slice('a😀b', -1)", "b"),
        ("last('a😀')", "\ufffd"),
    ],
)
def test_texts_are_counted_in_utf16(text: str, expected: Any) -> None:
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("startsWith('Hello', 'hEL')", True),
        ("endsWith('Hello', 'LLO')", True),
        ("indexOf('Hello', 'L')", 2),
        ("lastIndexOf('Hello', 'L')", 3),
        ("indexOf('', '')", 0),
        ("indexOf('', 'a')", -1),
        ("lastIndexOf('', '')", 0),
        ("contains('Hello', 'hel')", False),
        ("replace('Hello', 'l', 'L')", "HeLLo"),
        ("toUpper('straße')", "STRAßE"),
        ("toLower('ΑΣ')", "ας".replace("ς", "σ")),
        ("toLower('İ')", "İ"),
        ("trim('\u00a0\u2003x\u3000')", "x"),
        ("trim('\u001cx')", "\u001cx"),
        ("nthIndexOf('abcabc', 'b', -1)", 4),
        ("nthIndexOf('abcabc', 'b', -2)", 1),
        ("nthIndexOf('abcabc', 'b', 3)", -1),
        ("nthIndexOf('aaa', 'aa', 2)", 1),
        ("substring('abc', 3)", ""),
        ("concat('a', null, true, 1.0, createArray(1.0))", "aTrue1[1.0]"),
    ],
)
def test_strings(text: str, expected: Any) -> None:
    assert run(text) == expected


def test_string_errors() -> None:
    for text in (
        "nthIndexOf('a', 'a', 0)",
        "substring('abc', 1, null)",
        "slice('abc', null)",
        "toLower(null)",
        "trim(5)",
        "split('a', 1)",
        "replace('a', '', 'b')",
    ):
        assert fails(text).message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contains(createArray(1, 'a'), 1.0)", True),
        ("contains(createArray(1, 'a'), true)", False),
        ("contains(json('{\"A\":1}'), 'a')", False),
        ("union(createArray(1, true, 1.0, '1', null), createArray(null))", [1, True, "1", None]),
        ('intersection(json(\'{"a":1,"b":[2]}\'), json(\'{"a":2,"b":[2]}\'))', {"b": [2]}),
        ("sort(createArray('b', 'A', null, 'a'))", [None, "A", "a", "b"]),
        ("sort(createArray(true, false))", [False, True]),
        ("sort(createArray(2, 1.5, 1))", [1, 1.5, 2]),
        ("skip(createArray(1, 2), 5)", []),
        ("empty(null)", True),
        ("min(createArray(3, 1, 2))", 1),
        ("max(1, 2.5)", 2.5),
        ("join(createArray(1, null, true), ', ')", "1, , True"),
        ("chunk(createArray(1, 2, 3), 2)", [[1, 2], [3]]),
        ("range(5, 0)", []),
    ],
)
def test_collections(text: str, expected: Any) -> None:
    value = run(text)
    assert value == expected
    assert [type(item) for item in value] == [type(item) for item in expected] if isinstance(expected, list) else True


def test_collection_errors() -> None:
    for text in (
        "sort(createArray(1, 'a'))",
        "sort('abc')",
        "skip(createArray(1), -1)",
        "chunk(createArray(1), 0)",
        "union(createArray(1), json('{}'))",
        "contains(null, 'a')",
        "contains(5, 5)",
        "first(null)",
        "min()",
        "min(createArray())",
        "max('a')",
        "range(0, -1)",
        "reverse('abc')",
    ):
        assert fails(text).message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add(1, 2)", 3),
        ("add(1, 2.0)", 3.0),
        ("sub(1, decimal('0.10'))", Decimal("0.90")),
        ("mul(decimal('1.5'), 2)", Decimal("3.0")),
        ("div(decimal('10'), 4)", Decimal("2.5")),
        ("div(decimal('1'), 3)", Decimal("0.3333333333333333333333333333")),
        ("div(-7, 2)", -3),
        ("div(7, 2.0)", 3.5),
        ("div(1.0, 0)", float("inf")),
        ("mod(-7, 3)", -1),
        ("mod(7.5, 2)", 1.5),
        ("mod(7, -3)", 1),
        ("add(decimal(0.1), 0.2)", Decimal("0.3")),
        ("decimal('1.23456789012345678901234567890123')", Decimal("1.2345678901234567890123456789")),
        ("decimal(' 1,234.50- ')", Decimal("-1234.50")),
        ("equals(decimal('0.1'), 0.1)", True),
        ("greater(decimal('2'), 1.5)", True),
    ],
)
def test_arithmetic(text: str, expected: Any) -> None:
    value = run(text)
    assert value == expected
    assert type(value) is type(expected)
    if isinstance(expected, Decimal):
        assert str(value) == str(expected)


def test_arithmetic_errors() -> None:
    for text in (
        "add(9223372036854775807, 1)",
        "sub(-9223372036854775808, 1)",
        "mul(9223372036854775807, 2)",
        "div(-9223372036854775808, -1)",
        "div(1, 0)",
        "mod(1, 0)",
        "div(decimal('1'), 0)",
        "add('1', 2)",
        "add(true, 1)",
        "mul(decimal('79228162514264337593543950335'), 2)",
        "decimal('1e5')",
        "decimal('- 1')",
        "decimal('-1-')",
        "decimal(true)",
        "greater(1, 'a')",
        "less(null, 1)",
        "greater(true, false)",
    ):
        assert fails(text).message


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
@settings(deadline=None, max_examples=100)
def test_division_and_remainder_belong_together(left: int, right: int) -> None:
    if right in (0, -1):
        return
    quotient, remainder = (
        run("div(variables('a'), variables('b'))", a=left, b=right),
        run("mod(variables('a'), variables('b'))", a=left, b=right),
    )
    assert quotient * right + remainder == left
    assert abs(remainder) < abs(right)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int(' 12 ')", 12),
        ("int('1.0')", 1),
        ("int('1e3')", 1000),
        ("int(2.0)", 2),
        ("int(decimal('3.00'))", 3),
        ("bool('TRUE')", True),
        ("bool(' false ')", False),
        ("bool(0.5)", True),
        ('string(json(\'{"a": 1.0, "b": null}\'))', '{"a":1.0,"b":null}'),
        ("json('[1, 2.50, true]')", [1, 2.5, True]),
        ("json('null')", None),
        ("json(base64ToBinary(base64('{\"a\":1}')))", {"a": 1}),
        ("base64(binary('hi'))", "aGk="),
        ("base64(5)", "NQ=="),
        ("decodeBase64('aGk=')", "hi"),
        ("string(binary('ä'))", "ä"),
        ("concat(base64ToBinary('aGk='), '!')", "hi!"),
        ("array('x')", ["x"]),
        ("dataUri('hi')", "data:text/plain;charset=utf-8;base64,aGk="),
        ("dataUri(binary('hi'))", "data:application/octet-stream;base64,aGk="),
        ("dataUriToString('data:,a%20b')", "a b"),
        ("decodeDataUri('data:text/plain;base64,aGk=')", {"$content-type": "text/plain", "$content": "aGk="}),
        ("uriComponent('a b/ä-_.~!*''()')", "a%20b%2F%C3%A4-_.~%21%2A%27%28%29"),
        ("decodeUriComponent('a+b%20%C3%A4%zz%E4')", "a+b ä%zz%E4"),
        ("string(uriComponentToBinary('a%20b'))", "a b"),
        ("uriHost('HTTPS://User:p@EXAMPLE.com:8443/a')", "example.com"),
        ("uriPort('https://example.com')", 443),
        ("uriPort('http://[::1]:81/x')", 81),
        ("uriScheme('HTTPS://example.com')", "https"),
        ("uriPath('https://example.com')", "/"),
        ("uriPath('https://example.com/a/../b/./c d#f')", "/b/c%20d"),
        ("uriQuery('https://example.com/?a=b c#f')", "?a=b%20c"),
        ("uriQuery('https://example.com')", ""),
        ("uriPathAndQuery('https://example.com/a?b=1')", "/a?b=1"),
        ("addProperty(json('{}'), 'a', null)", {"a": None}),
        ("removeProperty(json('{\"a\":1}'), 'b')", {"a": 1}),
        ("string(setProperty(json('{\"A\":1,\"b\":2}'), 'a', 3))", '{"b":2,"A":3}'),
        ("length(guid('N'))", 32),
        ("length(guid('P'))", 38),
        ("length(guid('X'))", 68),
        ("rand(5, 5)", 5),
    ],
)
def test_conversions(text: str, expected: Any) -> None:
    value = run(text)
    assert value == expected
    assert type(value) is type(expected)


def test_conversion_errors() -> None:
    for text in (
        "int('1.5')",
        "int(1.5)",
        "int('')",
        "int(null)",
        "int(true)",
        "int('NaN')",
        "bool('yes')",
        "bool(null)",
        "json('{a:1}')",
        "json('')",
        "json(null)",
        "json(createArray(1))",
        "json('[NaN]')",
        "base64ToString('a')",
        "base64(null)",
        "binary(null)",
        "uriHost('example.com/a')",
        "uriPort('https://example.com:99999')",
        "uriComponent(createArray(5))",
        "dataUriToString('text')",
        "dataUriToString('data:x')",
        "addProperty(json('{\"A\":1}'), 'a', 2)",
        "setProperty('x', 'a', 2)",
        "guid('Z')",
        "rand(2, 1)",
    ):
        assert fails(text).message


@given(st.integers(0, 2**63 - 1), st.integers(1, 1000))
@settings(deadline=None, max_examples=50)
def test_rand_stays_within_its_range(low: int, width: int) -> None:
    low -= 2**62
    assert low <= run("rand(variables('a'), variables('b'))", a=low, b=low + width) < low + width
