"""JSON as desktop flows read and write it: objects become custom objects, numbers stay decimals.

Only the text form; the actions that convert are in `actions/`. Source: desktop flows, "Variables actions", Convert JSON
to custom object.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ...datatypes import DataRow, DataTable, Datum, Item
from .culture import Culture
from .errors import TYPE, ActionError, LogicError
from .numbers import Number, plain_text
from .numbers import read as read_number

UNREADABLE: Final = "ErrorParsingTheJSONError"
_DEEPEST: Final = 200


def read(text: str) -> Datum:
    """The value of a JSON text. Raises ActionError where it is none, or nested more than 200 levels deep."""
    try:
        value: Datum = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ActionError(UNREADABLE, f"The text is not valid JSON{where}.") from None
    if _depth(value) > _DEEPEST:
        raise ActionError(UNREADABLE, f"The JSON is nested more than {_DEEPEST} levels deep.")
    return value


def write(value: Datum, culture: Culture) -> str:
    """A value as JSON, without blanks. Raises LogicError where it is nested too deeply."""
    return _write(value, culture, 0)


def _write(value: Datum, culture: Culture, depth: int) -> str:
    if depth > _DEEPEST:
        raise LogicError(TYPE, f"The value is nested more than {_DEEPEST} levels deep.")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | Decimal):
        return plain_text(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return json.dumps(value.isoformat())
    if isinstance(value, list):
        return "[" + ",".join(_write(member, culture, depth + 1) for member in value) + "]"
    if isinstance(value, dict):
        return _object(value, culture, depth)
    if isinstance(value, DataRow):
        return _object(dict(zip(value.columns, value.values, strict=True)), culture, depth)
    if isinstance(value, DataTable):
        rows: list[Any] = [dict(zip(value.columns, row, strict=True)) for row in value.rows]
        return _write(rows, culture, depth)
    if isinstance(value, Item):
        return _object(dict(value.properties), culture, depth) if value.properties else json.dumps(value.text)
    raise LogicError(TYPE, f"A {type(value).__name__} has no JSON form.")


def _object(members: dict[str, Any], culture: Culture, depth: int) -> str:
    written = (
        json.dumps(name, ensure_ascii=False) + ":" + _write(member, culture, depth + 1)
        for name, member in members.items()
    )
    return "{" + ",".join(written) + "}"


def _number(text: str) -> Number:
    found = read_number(text)
    if found is None:
        raise ValueError("a number out of range")
    return found


def _refuse(name: str) -> Number:
    raise ValueError(f"{name} is no JSON")


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo:
        each, depth = todo.pop()
        deepest = max(deepest, depth)
        members = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        todo += [(member, depth + 1) for member in members]
    return deepest
