"""Conversions between types: string, int, decimal, bool, json, array, createArray and base64.

Locale-dependent conversions (float, isInt, isFloat) are in `numbers_format`, data URIs and URI components in `uri`,
xml in `xml`. Source throughout: "Logic Apps, expression functions reference: conversion functions".
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from decimal import Decimal
from typing import Any

from ...errors import ExpressionError
from ...values import (
    Value,
    content_bytes,
    content_text,
    decode_base64,
    from_json,
    is_content,
    make_content,
    to_text,
)
from ..table import Family
from . import decimals
from .arguments import bounded, bounded_length, fault, mismatch, text
from .json_faults import why_no_json

FAMILY = Family("conversion", "Logic Apps, expression functions reference: conversion functions")

# What double.Parse of .NET reads: white space, a leading sign, thousands separators, a decimal point, an exponent.
_INTEGER_TEXT = re.compile(r"\s*[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*\Z", re.ASCII)


@FAMILY.function("string", 1)
def string(value: Value) -> str:
    """The value as text: null empty, booleans `True` and `False`, content decoded, objects and arrays compact JSON."""
    return bounded(to_text(value), "string")


def _no_number(value: Value, fn: str) -> ExpressionError:
    shown = to_text(value)
    return ExpressionError(
        f"The template language function '{fn}' was invoked with a parameter that is not valid. "
        f"Could not parse {shown[:80]} as {fn}.",
        hint=f"Please see https://aka.ms/logicexpressions#{fn} for usage details.",
    )


@FAMILY.function("int", 1)
def int_(value: Value) -> int:
    """The integer that a number or a text represents.

    A fraction is an error. Texts are read as floats, as the host does: digits beyond a float's
    precision are not exact.
    """
    if type(value) is int:
        return value
    if isinstance(value, str):
        stripped = value.strip()
        # Up to 15 digits a float is exact, so the way through it can be spared.
        if stripped.isascii() and stripped.isdigit() and len(stripped) <= 15:
            return int(stripped)
        if len(value) > 400 or not _INTEGER_TEXT.match(value):
            raise _no_number(value, "int")
        value = float(value.replace(",", ""))
    if isinstance(value, (float, Decimal)) and -(2.0**63) <= value < 2.0**63 and value == int(value):
        return int(value)
    raise _no_number(value, "int")


@FAMILY.function("decimal", 1)
def decimal(value: Value) -> Decimal:
    """The decimal (128-bit) of a number or a text; the decimal places of a text are kept, exponents are an error."""
    if isinstance(value, str):
        result = decimals.from_text(value, "decimal")
        if result is not None:
            return result
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return decimals.from_number(value, "decimal")
    raise _no_number(value, "decimal")


@FAMILY.function("bool", 1)
def bool_(value: Value) -> bool:
    """True for numbers except 0 and the text `true`. False for 0, the text `false` and an empty text. Else an error."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float, Decimal)):
        return value != 0
    if isinstance(value, str):
        match value.strip().lower():
            case "true":
                return True
            case "false" | "":
                return False
    raise _no_number(value, "bool")


@FAMILY.function("json", 1)
def json(value: Value) -> Value:
    """The value that a JSON text represents, or the JSON of an XML document; other content is read as JSON text."""
    if isinstance(value, str):
        source = value
    elif is_content(value):
        if "xml" in str(value["$content-type"]).lower():
            from .xml import xml_to_json

            return xml_to_json(value)
        source = content_text(value)
    else:
        raise mismatch("json", 0, "a string or an XML", value)
    try:
        return from_json(source.removeprefix("\ufeff"))
    except ValueError as error:
        raise ExpressionError(
            "The template language function 'json' parameter is not valid. "
            f"The provided value '{source[:120]}{'...' if len(source) > 120 else ''}' cannot be parsed: "
            f"{why_no_json(error)}.",
            hint="Please see https://aka.ms/logicexpressions#json for usage details.",
        ) from None


@FAMILY.function("array", 1)
def array(value: Value) -> list[Any]:
    """An array with this one item."""
    return [value]


@FAMILY.function("createArray", 1, None)
def create_array(*values: Value) -> list[Any]:
    """An array with these items."""
    return list(values)


def data_of(value: Value, fn: str) -> bytes:
    """The bytes that a value stands for: of content its own, of anything else its text in UTF-8. null is an error."""
    if value is None:
        raise mismatch(fn, 0, "a string", value)
    if is_content(value):
        return content_bytes(value)
    return to_text(value).encode("utf-8", "replace")


@FAMILY.function("base64", 1, aliases=("encodeBase64",))
def base64(value: Value) -> str:
    """The base64 of a text in UTF-8, or of the bytes of a content object."""
    data = value.encode("utf-8", "replace") if type(value) is str else data_of(value, "base64")
    bounded_length(len(data) * 4 // 3, "base64")
    return b2a_base64(data, newline=False).decode("ascii")


def decoded(value: str, fn: str) -> bytes:
    """The bytes of a base64 text. Raises ExpressionError in the words of the function."""
    try:
        return decode_base64(value)
    except ExpressionError as error:
        raise fault(fn, f"was invoked with a parameter that is not valid. {error.message}") from None


@FAMILY.function("base64ToString", 1, aliases=("decodeBase64",))
def base64_to_string(value: Value) -> str:
    """The text that a base64 text holds, read as UTF-8."""
    return decoded(text(value, "base64ToString"), "base64ToString").decode("utf-8", "replace")


@FAMILY.function("base64ToBinary", 1)
def base64_to_binary(value: Value) -> dict[str, Any]:
    """The content object of the bytes that a base64 text holds."""
    source = text(value, "base64ToBinary")
    decoded(source, "base64ToBinary")
    return {"$content-type": "application/octet-stream", "$content": source}


@FAMILY.function("binary", 1)
def binary(value: Value) -> dict[str, Any]:
    """The content object of a value's text in UTF-8, or of another content object's bytes. null is an error."""
    return make_content("application/octet-stream", data_of(value, "binary"))
