"""Functions between numbers and their texts in a locale: formatNumber, isInt, isFloat and float.

Patterns and styles are `..dotnet`. Without a locale the culture is en-US, as the host's is, but the invariant one for
`isFloat` (Logic Apps, expression functions reference: isFloat).
"""

from __future__ import annotations

from decimal import Decimal

from ...values import Value
from ..dotnet.cultures import INVARIANT, Culture, culture
from ..dotnet.faults import FormatError
from ..dotnet.number_format import format_number
from ..dotnet.number_parse import is_integer, parse_float
from ..table import Family
from .arguments import bounded, fault, number, text, wrong

FAMILY = Family("numbers_format", "Logic Apps, expression functions reference: string functions")

DEFAULT_LOCALE = "en-US"


def _locale(value: Value, fn: str, n: int) -> Culture:
    if value is None:
        return culture(DEFAULT_LOCALE)
    try:
        return culture(text(value, fn, n))
    except FormatError as error:
        raise fault(fn, f"expects a locale: {error}.") from None


@FAMILY.function("formatNumber", 2, 3)
def format_number_(value: Value, format_: Value, locale: Value = None) -> str:
    """The number by a .NET standard or custom pattern."""
    fn = "formatNumber"
    given = number(value, fn, 1)
    pattern = text(format_, fn, 2)
    used = _locale(locale, fn, 3)
    try:
        return bounded(format_number(given, pattern, used), fn)
    except FormatError as error:
        raise fault(fn, f"was given the format '{pattern[:100]}', which is not valid: {error}.") from None


@FAMILY.function("isInt", 1)
def is_int(value: Value) -> bool:
    """Whether a text is an integer of 64 bits. Anything but a text is an error."""
    if type(value) is not str:
        wrong("isInt", 1, "a string", value)
    return is_integer(value)


@FAMILY.function("isFloat", 1, 2)
def is_float(value: Value, locale: Value = None) -> bool:
    """Whether a text is a floating-point number in a locale. Anything but a text is an error."""
    if type(value) is not str:
        wrong("isFloat", 1, "a string", value)
    used = INVARIANT if locale is None else _locale(locale, "isFloat", 2)
    try:
        parse_float(value, used)
    except FormatError:
        return False
    return True


@FAMILY.function("float", 1, 2, source="Logic Apps, expression functions reference: conversion functions")
def float_(value: Value, locale: Value = None) -> float:
    """The floating-point number of a text or number; one too large for a double is infinite."""
    if type(value) is float:
        return value
    if type(value) is int or type(value) is Decimal:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if type(value) is not str:
        wrong("float", 1, "a string or a number", value)
    used = _locale(locale, "float", 2)
    try:
        return parse_float(value, used)
    except FormatError as error:
        raise fault("float", f"was not able to read a number: {error}.") from None
