"""What `value.Name` gives, for every data type; and what `value[index]` and `value[a:b]` give and replace.

Source: desktop flows, "Datatype properties", with the probes of lists and custom objects. Values of type Item carry
theirs with them. Everything raises LogicError: MISSING for a property or a column that is not there, RANGE beyond the
end. Nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ...datatypes import DataRow, DataTable, Datum, Item
from .conversions import kind_of, to_integer, to_text
from .culture import Culture
from .errors import MISSING, RANGE, TYPE, LogicError

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TEXT: Final[dict[str, Callable[[Any], Datum]]] = {
    "length": lambda text: _units(text),
    "isempty": lambda text: not text,
    "toupper": lambda text: text.upper(),
    "tolower": lambda text: text.lower(),
    "trimmed": lambda text: text.strip(),
}
_DATETIME: Final[dict[str, Callable[[Any], Datum]]] = {
    "year": lambda at: at.year,
    "month": lambda at: at.month,
    "day": lambda at: at.day,
    "dayofweek": lambda at: _DAYS[at.weekday()],
    "dayofyear": lambda at: at.timetuple().tm_yday,
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "second": lambda at: at.second,
}
_LIST: Final[dict[str, Callable[[Any], Datum]]] = {"count": len}
_TABLE: Final[dict[str, Callable[[Any], Datum]]] = {
    "rowscount": lambda table: len(table.rows),
    "columns": lambda table: list(table.columns),
    "isempty": lambda table: not table.rows,
    "columnheadersrow": lambda table: DataRow(table.columns, table.columns),
}
_ROW: Final[dict[str, Callable[[Any], Datum]]] = {
    "columnscount": lambda row: len(row.columns),
    "columnsnames": lambda row: list(row.columns),
}
_BY_TYPE: Final[dict[type, dict[str, Callable[[Any], Datum]]]] = {
    str: _TEXT,
    datetime: _DATETIME,
    list: _LIST,
    DataTable: _TABLE,
    DataRow: _ROW,
}


def _units(text: str) -> int:
    """Characters as .NET counts them: those beyond 16 bits are two."""
    return len(text) + sum(letter > "\uffff" for letter in text) if not text.isascii() else len(text)


def get_property(value: Datum, name: str) -> Datum:
    """`value.name`; `name` in any case."""
    known = _BY_TYPE.get(type(value))
    if known is not None:
        work = known.get(name.lower())
        if work is not None:
            result: Datum = work(value)
            return result
    elif isinstance(value, dict):
        member: Datum = value[_key(value, name)]
        return member
    elif isinstance(value, Item):
        try:
            return value.get(name)
        except KeyError:
            if name.lower() == "isempty":
                return not value.text
    raise LogicError(MISSING, f"There is no property '{name}' of {kind_of(value)}.")


def _key(value: dict[str, Any], name: str) -> str:
    """A custom object's own spelling of a property's name."""
    if name in value:
        return name
    wanted = name.casefold()
    for known in value:
        if known.casefold() == wanted:
            return known
    raise LogicError(MISSING, f"The custom object has no property '{name}'.")


def get_item(value: Datum, index: Datum, culture: Culture) -> Datum:
    """`value[index]`: of a list by place, of a table a row, of a row by place or column, of an object by name."""
    if isinstance(value, list):
        item: Datum = value[_place(index, len(value), culture)]
        return item
    if isinstance(value, DataTable):
        return DataRow(value.columns, value.rows[_place(index, len(value.rows), culture)])
    if isinstance(value, DataRow):
        return value.values[_column(value.columns, index, culture)]
    if isinstance(value, dict):
        member: Datum = value[_key(value, to_text(index, culture))]
        return member
    if isinstance(value, Item):
        return get_property(value, to_text(index, culture))
    raise LogicError(TYPE, f"There are no items in {kind_of(value)}.")


def get_slice(value: Datum, start: Datum, stop: Datum, culture: Culture) -> Datum:
    """`value[start:stop]`: the items from `start` up to, but without, `stop`; None is the end. Of lists and tables."""
    if isinstance(value, list):
        low, high = _bounds(start, stop, len(value), culture)
        return value[low:high]
    if isinstance(value, DataTable):
        low, high = _bounds(start, stop, len(value.rows), culture)
        return DataTable(value.columns, value.rows[low:high])
    raise LogicError(TYPE, f"There are no items in {kind_of(value)}.")


def _bounds(start: Datum, stop: Datum, length: int, culture: Culture) -> tuple[int, int]:
    bounds = []
    for given, default in ((start, 0), (stop, length)):
        place = default if given is None else to_integer(given, culture)
        if place < 0:
            place += length
        if not 0 <= place <= length:
            raise LogicError(RANGE, f"The index {given} is out of range: there are {length} items.")
        bounds.append(place)
    return bounds[0], bounds[1]


def _place(index: Datum, length: int, culture: Culture) -> int:
    place = index if type(index) is int else to_integer(index, culture)
    if -length <= place < length:
        return place
    raise LogicError(RANGE, f"The index {place} is out of range: there are {length} items.")


def _column(columns: Sequence[str], index: Datum, culture: Culture) -> int:
    """A column by its name, or by its place."""
    if isinstance(index, int | Decimal):
        return _place(index, len(columns), culture)
    name = to_text(index, culture)
    wanted = name.casefold()
    for place, column in enumerate(columns):
        if column.casefold() == wanted:
            return place
    if name.strip().lstrip("-").isdecimal():
        return _place(index, len(columns), culture)
    raise LogicError(MISSING, f"There is no column '{name}'.")


def replaced(value: Datum, path: Sequence[Datum], new: Datum, culture: Culture) -> Datum:
    """`value` with what stands at `path` (indexes and names, from the outside in) exchanged for `new`: a new value.

    A property that a custom object does not have yet is added; nothing else is.
    """
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        place = _place(key, len(value), culture)
        changed = list(value)
        changed[place] = replaced(value[place], rest, new, culture)
        return changed
    if isinstance(value, DataTable):
        place = _place(key, len(value.rows), culture)
        row = replaced(DataRow(value.columns, value.rows[place]), rest, new, culture)
        if not isinstance(row, DataRow) or len(row.values) != len(value.columns):
            raise LogicError(TYPE, "A row of a data table can only be exchanged for another row of as many values.")
        rows = list(value.rows)
        rows[place] = row.values
        return DataTable(value.columns, tuple(rows))
    if isinstance(value, DataRow):
        place = _column(value.columns, key, culture)
        values = list(value.values)
        values[place] = replaced(values[place], rest, new, culture)
        return DataRow(value.columns, tuple(values))
    if isinstance(value, dict):
        return _with_member(value, to_text(key, culture), rest, new, culture)
    raise LogicError(TYPE, f"Nothing can be assigned inside of {kind_of(value)}.")


def _with_member(
    value: dict[str, Any], name: str, rest: Sequence[Datum], new: Datum, culture: Culture
) -> dict[str, Any]:
    try:
        key = _key(value, name)
    except LogicError:
        if rest:
            raise
        return {**value, name: new}
    return {**value, key: replaced(value[key], rest, new, culture)}
