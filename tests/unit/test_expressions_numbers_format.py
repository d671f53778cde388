"""Numbers and their texts: .NET's numeric patterns in several cultures, and reading them back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions.dotnet.cultures import culture
from sealflow.engine.expressions.dotnet.faults import FormatError
from sealflow.engine.expressions.dotnet.number_format import format_number
from sealflow.engine.expressions.dotnet.number_parse import parse_float
from sealflow.engine.expressions.functions import numbers_format

FUNCTIONS = {function.name: function.implementation for function in numbers_format.FAMILY.functions}


@pytest.mark.parametrize(
    ("number", "pattern", "expected"),
    [
        (17.35, "C2", "$17.35"),
        (1234.5, "C0", "$1,235"),
        (-1234.5, "c", "-$1,234.50"),
        (42, "D5", "00042"),
        (-42, "d5", "-00042"),
        (1234.5678, "E2", "1.23E+003"),
        (1234.5678, "e", "1.234568e+003"),
        (0, "E", "0.000000E+000"),
        (-0.000123, "E1", "-1.2E-004"),
        (9.999, "E1", "1.0E+001"),
        (1234.5678, "F1", "1234.6"),
        (2.5, "F0", "3"),
        (0.125, "F2", "0.13"),
        (Decimal("2.675"), "F2", "2.68"),
        (1e20, "G", "1E+20"),
        (0.00001234, "G", "1.234E-05"),
        (0.0001234, "g", "0.0001234"),
        (123456.789, "G4", "1.235E+05"),
        (123.456, "G4", "123.5"),
        (0.1, "G17", "0.10000000000000001"),
        (1234, "G", "1234"),
        (12345, "G3", "1.23E+04"),
        (Decimal("1.50"), "G", "1.50"),
        (5.0, "", "5"),
        (1234.5678, "N", "1,234.57"),
        (-1234567.891, "N1", "-1,234,567.9"),
        (0.256, "P1", "25.6%"),
        (1, "P", "100.00%"),
        (0.1, "R", "0.1"),
        (255, "X", "FF"),
        (255, "x4", "00ff"),
        (-1, "X", "FFFFFFFFFFFFFFFF"),
        (-(2**40), "X", "FFFFFF0000000000"),
        (5, "B8", "00000101"),
        (float("nan"), "C", "NaN"),
        (float("-inf"), "0.00", "-∞"),
    ],
)
def test_standard_patterns(number: int | float | Decimal, pattern: str, expected: str) -> None:
    assert FUNCTIONS["formatNumber"](number, pattern) == expected


@pytest.mark.parametrize(
    ("number", "pattern", "expected"),
    [
        (1234567890, "0,0.00", "1,234,567,890.00"),
        (1234.5678, "#,##0.##", "1,234.57"),
        (0, "#,##0.##", "0"),
        (0, "#", ""),
        (1234567, "#,##0,", "1,235"),
        (1234567890, "#,##0,,", "1,235"),
        (1234567890, "#,##0,,.0M", "1,234.6M"),
        (0.123, "0.0%", "12.3%"),
        (0.0123, "0.0‰", "12.3‰"),
        (-5, "0;(0)", "(5)"),
        (0, "0;(0);zero", "zero"),
        (0.001, "0.00;(0.00);zero", "zero"),
        (5, "0' units'", "5 units"),
        (5, "'a;b'0", "a;b5"),
        (86000, "0.###E+0", "8.6E+4"),
        (86000, "0.###E+000", "8.6E+004"),
        (86000, "0.###E-000", "8.6E004"),
        (0.000086, "0.0e0", "8.6e-5"),
        (1234567890, "(###) ###-####", "(123) 456-7890"),
        (123456789, "#-##-##", "12345-67-89"),
        (123, "00000", "00123"),
        (1.2, "0.00", "1.20"),
        (12.3, ".00", "12.30"),
        (0.456, ".##", ".46"),
        (1.5, "000.0##", "001.5"),
        (1000000, "0,0", "1,000,000"),
        (5, "0,0", "05"),
        (12, "#,#", "12"),
        (1234, "\\##\\#", "#1234#"),
        (-5, "abc", "-abc"),
        (-0.001, "0.00", "-0.00"),
        (Decimal("-0.001"), "0.00", "0.00"),
        (12345678901234567890.0, "0", "12345678901234600000"),
        (2**62, "#,0", "4,611,686,018,427,387,904"),
    ],
)
def test_custom_patterns(number: int | float | Decimal, pattern: str, expected: str) -> None:
    assert FUNCTIONS["formatNumber"](number, pattern) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en-US", ("$1,234,567.89", "1,234,567.89", "-25.6%", "1,234,567.89")),
        ("en-GB", ("£1,234,567.89", "1,234,567.89", "-25.6%", "1,234,567.89")),
        ("de-DE", ("1.234.567,89 €", "1.234.567,89", "-25,6 %", "1.234.567,89")),
        ("fr-FR", ("1_234_567,89 €", "1_234_567,89", "-25,6 %", "1_234_567,89")),
        ("ja-JP", ("￥1,234,567.89", "1,234,567.89", "-25.6%", "1,234,567.89")),
        ("is-is", ("1.234.567,89 kr", "1.234.567,89", "-25,6%", "1.234.567,89")),
        ("hi-IN", ("₹12,34,567.89", "12,34,567.89", "-25.6%", "12,34,567.89")),
        ("nl-NL", ("€ 1.234.567,89", "1.234.567,89", "-25,6%", "1.234.567,89")),
        ("pt-BR", ("R$ 1.234.567,89", "1.234.567,89", "-25,6%", "1.234.567,89")),
        ("tr-TR", ("₺1.234.567,89", "1.234.567,89", "-%25,6", "1.234.567,89")),
        ("", ("¤1,234,567.89", "1,234,567.89", "-25.6 %", "1,234,567.89")),
    ],
)
def test_cultures(locale: str, expected: tuple[str, ...]) -> None:
    write = FUNCTIONS["formatNumber"]
    found = tuple(
        write(number, pattern, locale)
        for number, pattern in ((1234567.891, "C2"), (1234567.891, "N2"), (-0.256, "P1"), (1234567.891, "#,##0.00"))
    )
    assert tuple(text.replace("\u202f", "_") for text in found) == expected


@pytest.mark.parametrize(
    ("number", "pattern", "locale"),
    [(5, "Q", None), (5.5, "D", None), (5.5, "X", None), (5, "C999999999", None), (5, "C", "xx"), ("5", "C", None)],
)
def test_refused(number: Any, pattern: str, locale: str | None) -> None:
    with pytest.raises(ExpressionError, match="formatNumber"):
        FUNCTIONS["formatNumber"](number, pattern, locale)


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("10.000,333", "de-DE", 10000.333),
        ("1234567,8+", None, 12345678.0),
        ("12345,6,78,-", None, -12345678.0),
        ("-12,345,678,", None, -12345678.0),
        (".12345678", None, 0.12345678),
        ("  200- ", None, -200.0),
        ("1.", None, 1.0),
        ("1e3", None, 1000.0),
        ("1.7e+350", None, float("inf")),
        ("Infinity", "", float("inf")),
        ("-∞", "en-US", float("-inf")),
        ("1\u202f234,5", "fr-FR", 1234.5),
        ("1 234,5", "fr-FR", 1234.5),
        ("−5", "sv-SE", -5.0),
    ],
)
def test_float(text: str, locale: str | None, expected: float) -> None:
    assert FUNCTIONS["float"](text, locale) == expected


def test_float_of_numbers_and_not_a_number() -> None:
    assert FUNCTIONS["float"](5) == 5.0
    assert type(FUNCTIONS["float"](5)) is float
    assert FUNCTIONS["float"](Decimal("1.5")) == 1.5
    assert FUNCTIONS["float"]("nan") != FUNCTIONS["float"]("nan")


@pytest.mark.parametrize(
    "value", ["Infinity", "inf", "", " ", "1,5e", ",1", "--1", "-1-", "1.2.3", "0x10", "(5)", "$5"]
)
def test_no_float(value: str) -> None:
    with pytest.raises(ExpressionError, match="float"):
        FUNCTIONS["float"](value)


@pytest.mark.parametrize("value", [None, True, [], {}, {"$content-type": "text/plain", "$content": "MQ=="}])
def test_float_of_other_types(value: Any) -> None:
    with pytest.raises(ExpressionError, match="float"):
        FUNCTIONS["float"](value)


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("10.000,00", "de-DE", True),
        ("10.000,00", None, False),
        ("400,000", "en-gb", True),
        ("111.222.333", None, False),
        ("NaN", "en-gb", True),
        ("Infinity", None, True),
        ("infINITY", "", True),
        ("Infinity", "en-US", False),
        ("inf", None, False),
        ("", None, False),
    ],
)
def test_is_float(text: str, locale: str | None, expected: bool) -> None:
    assert FUNCTIONS["isFloat"](text, locale) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", True),
        (" -10 ", True),
        ("+0007", True),
        ("9223372036854775807", True),
        ("-9223372036854775808", True),
        ("9223372036854775808", False),
        ("10.0", False),
        ("1,000", False),
        ("1e3", False),
        ("", False),
        ("-", False),
        ("١", False),
    ],
)
def test_is_int(text: str, expected: bool) -> None:
    assert FUNCTIONS["isInt"](text) is expected


@pytest.mark.parametrize("name", ["isInt", "isFloat"])
@pytest.mark.parametrize("value", [None, 3.14, 3, True, []])
def test_questions_about_anything_but_a_text(name: str, value: Any) -> None:
    with pytest.raises(ExpressionError, match=name):
        FUNCTIONS[name](value)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["en-US", "de-DE", "fr-FR", "sv-SE", "de-CH", ""])
)
def test_general_and_round_trip_texts_read_back(number: float, locale: str) -> None:
    known = culture(locale)
    assert parse_float(format_number(number, "R", known), known) == number
    assert parse_float(format_number(number, "G", known), known) == number


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["N0", "#,##0", "0,0.##", "#,#0.0#;-#,#0.0#"]))
def test_grouped_integers_read_back(number: int, pattern: str) -> None:
    known = culture("en-IN")
    assert parse_float(format_number(number, pattern, known), known) == float(number)


@settings(max_examples=400, deadline=None)
@given(
    st.integers(-(2**63), 2**63 - 1) | st.floats() | st.decimals(allow_nan=False, allow_infinity=False, places=4),
    st.text(max_size=12) | st.text("0#.,%‰Ee+-;\\'\"ab", max_size=12),
)
def test_any_pattern_writes_or_is_an_error(number: int | float | Decimal, pattern: str) -> None:
    try:
        format_number(number, pattern, culture("hi-IN"))
    except FormatError:
        pass
