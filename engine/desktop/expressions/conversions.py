"""From one data type to another, as the language does by itself: in texts, in comparisons, at actions' arguments.

Every function raises LogicError (TypeMismatchError) for what has no such form. Nothing here changes a value.

Source: desktop flows, "Variable manipulation" and "Variable data types"; what these leave open is decided here and
documented in the reference of the language.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from ...datatypes import DataRow, DataTable, Datum, Item
from . import json_text
from .culture import Culture
from .errors import TYPE, LogicError, mismatch
from .numbers import Number

_KINDS: dict[type, str] = {
    type(None): "blank",
    bool: "a boolean",
    int: "a number",
    Decimal: "a number",
    str: "a text",
    datetime: "a datetime",
    list: "a list",
    dict: "a custom object",
    DataTable: "a data table",
    DataRow: "a data row",
}


def kind_of(value: Datum) -> str:
    """The type of a value in words for messages: `a number`, `a list`, `a File`."""
    if isinstance(value, Item):
        return f"a value of type {value.kind}"
    return _KINDS.get(type(value), type(value).__name__)


def to_text(value: Datum, culture: Culture) -> str:
    """A value as it appears inside of a text.

    Lists are their items one below the other, rows their values with commas between, tables their rows one below the
    other; custom objects are JSON; blank is nothing.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if value is None:
        return ""
    if kind is bool:
        return "True" if value else "False"
    if kind is int:
        return str(value)
    if isinstance(value, Decimal):
        return culture.number(value)
    if isinstance(value, datetime):
        return culture.moment(value)
    if isinstance(value, list):
        return "\r\n".join(to_text(member, culture) for member in value)
    if isinstance(value, DataRow):
        return ", ".join(to_text(member, culture) for member in value.values)
    if isinstance(value, DataTable):
        return "\r\n".join(", ".join(to_text(cell, culture) for cell in row) for row in value.rows)
    if isinstance(value, dict):
        return json_text.write(value, culture)
    if isinstance(value, Item):
        return value.text
    raise mismatch("a text", kind_of(value))


def to_number(value: Datum, culture: Culture) -> Number:
    kind = type(value)
    if kind is int or kind is Decimal:
        return value  # type: ignore[return-value]
    if isinstance(value, str):
        found = culture.read_number(value)
        if found is not None:
            return found
        raise LogicError(TYPE, f"The text {_quoted(value)} is no number.")
    raise mismatch("a number", kind_of(value))


def to_integer(value: Datum, culture: Culture) -> int:
    """A whole number; others are refused rather than rounded."""
    number = to_number(value, culture)
    if isinstance(number, int):
        return number
    raise mismatch("a whole number", f"{number}")


def to_boolean(value: Datum, culture: Culture) -> bool:
    """True and False, as texts in any case too; of numbers 0 is False and all others are True."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "false"):
            return word == "true"
        raise LogicError(TYPE, f"The text {_quoted(value)} is neither True nor False.")
    if isinstance(value, int | Decimal):
        return value != 0
    raise mismatch("True or False", kind_of(value))


def to_datetime(value: Datum, culture: Culture) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        found = culture.read_moment(value)
        if found is not None:
            return found
        raise LogicError(TYPE, f"The text {_quoted(value)} is no datetime.")
    raise mismatch("a datetime", kind_of(value))


def to_list(value: Datum) -> list[Any]:
    """A list, or the values of a row, or the rows of a table. The result may be the value itself: do not change it."""
    if isinstance(value, list):
        return value
    if isinstance(value, DataRow):
        return list(value.values)
    if isinstance(value, DataTable):
        return [DataRow(value.columns, row) for row in value.rows]
    raise mismatch("a list", kind_of(value))


def to_table(value: Datum) -> DataTable:
    """A table, or one with a single row."""
    if isinstance(value, DataTable):
        return value
    if isinstance(value, DataRow):
        return DataTable(value.columns, (value.values,))
    raise mismatch("a data table", kind_of(value))


def to_object(value: Datum, culture: Culture) -> dict[str, Any]:
    """A custom object; a text of JSON that is an object is one."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        found = json_text.read(value)
        if isinstance(found, dict):
            return found
    raise mismatch("a custom object", kind_of(value))


def _quoted(text: str) -> str:
    return f"'{text}'" if len(text) <= 40 else f"'{text[:40]}…'"
