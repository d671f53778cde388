"""Values: the host's rules for text, JSON text, equality, order and property access."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import ExpressionError
from sealflow.engine.values import (
    compare,
    content_bytes,
    decode_base64,
    digest,
    equal,
    float_text,
    from_json,
    get,
    identity,
    is_content,
    make_content,
    same,
    to_json,
    to_text,
    type_name,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "True"),
        (False, "False"),
        (5, "5"),
        (5.0, "5"),
        (0.5, "0.5"),
        (-0.0, "-0"),
        (1e15, "1E+15"),
        (1e14, "100000000000000"),
        (1234567890123456.0, "1234567890123456"),
        (12345678901234567000.0, "1.2345678901234567E+19"),
        (0.0001, "0.0001"),
        (0.00001, "1E-05"),
        (1.5e-7, "1.5E-07"),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
        (Decimal("5.00"), "5.00"),
        ([1, 2.0, None, True], "[1,2.0,null,true]"),
        ({"a": "ä\n"}, '{"a":"ä\\n"}'),
        ({"a": Decimal("5")}, '{"a":5.0}'),
        ({"a": 1e16}, '{"a":1E+16}'),
        ({"a": "\u2028"}, '{"a":"\\u2028"}'),
        (make_content("text/plain", b"hi"), "hi"),
    ],
)
def test_text(value: Any, text: str) -> None:
    assert to_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None, max_examples=200)
def test_a_float_reads_back(value: float) -> None:
    assert float(float_text(value)) == value


@given(json_values)
@settings(deadline=None, max_examples=100)
def test_json_text_reads_back(value: Any) -> None:
    assert from_json(to_json(value)) == value
    assert json.loads(to_json(value)) == value


@given(json_values, json_values)
@settings(deadline=None, max_examples=100)
def test_identity_and_digest_follow_sameness(left: Any, right: Any) -> None:
    assert same(left, left)
    assert identity(left) == identity(json.loads(json.dumps(left)))
    assert same(left, right) == (identity(left) == identity(right))
    if isinstance(left, dict):
        assert digest(left) == digest(dict(reversed(list(left.items()))))


def test_large_integers_of_json_become_floats() -> None:
    assert from_json("9223372036854775807") == 2**63 - 1
    assert isinstance(from_json("9223372036854775808"), float)
    assert isinstance(from_json("9" * 5000), float)


def test_no_lone_surrogates_come_out_of_json() -> None:
    assert from_json('"\\ud83d\\ude00"') == "😀"
    assert from_json('["\\ud83d", {"\\ud83d": 1}]') == ["\ufffd", {"\ufffd": 1}]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1.0, True),
        (1, "1", False),
        (True, "true", True),
        (False, "TRUE", False),
        (True, 1, True),
        (True, 0, False),
        (None, "", True),
        (None, 0, False),
        ("a", "A", False),
        ([1, {"a": 2}], [1.0, {"a": 2}], True),
        ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (Decimal("0.1"), 0.1, True),
        ([1], {"a": 1}, False),
    ],
)
def test_equality(left: Any, right: Any, expected: bool) -> None:
    assert equal(left, right) is expected
    assert equal(right, left) is expected


def test_order() -> None:
    assert compare("a", "B") == 1
    assert compare("\uffff", "😀") == 1  # by UTF-16 code unit
    assert compare(1, 2.5) == -1
    assert compare(1, "1") is None
    assert compare(True, 1) is None


def test_property_access() -> None:
    value = {"AaA": 1, "aAa": 2, "a/b": 3, "x": {"y": [10, {"z": 4}]}}
    assert get(value, "aAa") == 2
    assert get(value, "AAA") == 1
    assert get(value, "a/b") == 3
    assert get(value, "x/y/1/z") == 4
    assert get(value, "x/nope/z", True) is None
    assert get(None, "a", True) is None
    assert get([1, 2], 5, True) is None
    wrong: list[tuple[Any, Any]] = [
        (None, "a"),
        ({}, "a"),
        ([1], 1),
        ([1], -1),
        ([1], "a"),
        ("abc", 0),
        (5, "a"),
        ({}, 0),
        ([1], True),
    ]
    for target, key in wrong:
        with pytest.raises(ExpressionError):
            get(target, key)
    for target, key in wrong[4:8]:
        with pytest.raises(ExpressionError):
            get(target, key, True)


def test_content() -> None:
    content = make_content("image/png", b"\x89PNG")
    assert is_content(content)
    assert content_bytes(content) == b"\x89PNG"
    assert decode_base64("aGVs\r\nbG8 =") == b"hello"
    for text in ("a", "aa", "$#[<", "aGVsbG8", "=aGV"):
        with pytest.raises(ExpressionError):
            decode_base64(text)


def test_type_names() -> None:
    values: list[Any] = [None, True, 1, 1.0, Decimal(1), "", [], {}]
    assert [type_name(value) for value in values] == [
        "Null",
        "Boolean",
        "Integer",
        "Float",
        "Decimal",
        "String",
        "Array",
        "Object",
    ]
