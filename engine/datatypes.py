"""The data types of desktop flows, and how they are stored.

A variable of a desktop flow holds one of: None (blank), a bool, a number (an int, or a Decimal; never a float), a text,
a datetime without a zone, a list, a DataTable, a DataRow, a CustomObject (a dict by property name), or an Item: a file,
a folder, an error, an e-mail, a workbook that is open... Values are never changed in place: whoever changes one makes a
new one.

In records, and on their way to connectors and back, they are JSON values: `stored` and `restored`. `plain` is what
callers from outside are given. Nothing here evaluates or converts by the language's rules: that is `desktop`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from .errors import SealflowError
from .values import HIGHEST_INTEGER, LOWEST_INTEGER, Value

TAG: Final = "$type"
"""The name that marks a JSON object as one of these types."""


@dataclass(frozen=True, slots=True)
class DataTable:
    """Columns with names (compared without regard to case) and rows of as many values."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Datum, ...], ...] = ()

    def column(self, name: str) -> int:
        """The place of a column, -1 where there is none of that name."""
        return _column(self.columns, name)


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row, with the names of its table's columns."""

    columns: tuple[str, ...] = ()
    values: tuple[Datum, ...] = ()

    def column(self, name: str) -> int:
        """The place of a column, -1 where there is none of that name."""
        return _column(self.columns, name)


@dataclass(frozen=True, slots=True)
class Item:
    """Something with properties: a File, Folder, Error, XmlNode, MailMessage, ExcelInstance, Browser...

    `kind` is the name of its data type, `text` what it is where a text is wanted, `properties` what was known of it
    when it was made, by name as documented (looked up without regard to case: `get`). `handle` names a live thing that
    only the process that made it has (a browser, a workbook, a connection); "" for everything else.
    """

    kind: str
    text: str
    properties: Mapping[str, Datum] = field(default_factory=dict)
    handle: str = ""

    def get(self, name: str) -> Datum:
        """A property; raises KeyError where there is none of that name."""
        if name in self.properties:
            return self.properties[name]
        wanted = name.casefold()
        for known, value in self.properties.items():
            if known.casefold() == wanted:
                return value
        raise KeyError(name)


Datum: TypeAlias = (
    "bool | int | Decimal | str | datetime | list[Any] | dict[str, Any] | DataTable | DataRow | Item | None"
)
"""The value of a variable; members of lists, dicts, tables and items are Datum again."""


class NotADatum(SealflowError):
    """A JSON value that is not the stored form of any data type."""

    code = "NotADatum"


def stored(value: Datum) -> Value:
    """The JSON value that is written. Integers beyond 64 bits become decimals."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is Decimal:
        return value  # type: ignore[return-value]
    if isinstance(value, int):
        return value if LOWEST_INTEGER <= value <= HIGHEST_INTEGER else Decimal(value)
    if isinstance(value, list):
        return [stored(member) for member in value]
    if isinstance(value, dict):
        members = {name: stored(member) for name, member in value.items()}
        return {TAG: "CustomObject", "members": members} if TAG in value else members
    if isinstance(value, datetime):
        return {TAG: "Datetime", "at": value.isoformat()}
    if isinstance(value, DataTable):
        return {TAG: "DataTable", "columns": list(value.columns), "rows": [_stored_all(row) for row in value.rows]}
    if isinstance(value, DataRow):
        return {TAG: "DataRow", "columns": list(value.columns), "values": _stored_all(value.values)}
    if isinstance(value, Item):
        properties = {name: stored(member) for name, member in value.properties.items()}
        return {TAG: value.kind, "text": value.text, "properties": properties, "handle": value.handle}
    raise TypeError(f"{kind.__name__} is no data type of a desktop flow")


def restored(value: Value) -> Datum:
    """The value that was stored. Floats, which others may have put there, become decimals. Raises NotADatum."""
    if isinstance(value, float):
        return from_float(value)
    if isinstance(value, list):
        return [restored(member) for member in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(TAG)
    if kind is None:
        return {name: restored(member) for name, member in value.items()}
    try:
        return _tagged(str(kind), value)
    except (KeyError, TypeError, ValueError) as error:
        raise NotADatum(f"This is not a stored {kind}.") from error


def _tagged(kind: str, value: dict[str, Any]) -> Datum:
    if kind == "CustomObject":
        return {name: restored(member) for name, member in value["members"].items()}
    if kind == "Datetime":
        return datetime.fromisoformat(value["at"])
    if kind == "DataTable":
        return DataTable(tuple(value["columns"]), tuple(_restored_all(row) for row in value["rows"]))
    if kind == "DataRow":
        return DataRow(tuple(value["columns"]), _restored_all(value["values"]))
    properties = {name: restored(member) for name, member in value["properties"].items()}
    return Item(kind, value["text"], properties, value.get("handle", ""))


def plain(value: Datum) -> Value:
    """What a caller from outside is given: datetimes as ISO 8601 text, tables as lists of objects, items by their text.

    Whole decimals become integers where they fit.
    """
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value() and abs(value) <= HIGHEST_INTEGER
        return int(value) if whole else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, DataTable):
        return [dict(zip(value.columns, map(plain, row), strict=True)) for row in value.rows]
    if isinstance(value, DataRow):
        return dict(zip(value.columns, map(plain, value.values), strict=True))
    if isinstance(value, Item):
        return value.text
    return stored(value)


def from_float(value: float) -> Decimal:
    """The decimal of a float's shortest digits. Raises NotADatum for NaN and the infinities."""
    result = Decimal(repr(value))
    if not result.is_finite():
        raise NotADatum(f"{value} is no number of a desktop flow.")
    return result


def _column(columns: tuple[str, ...], name: str) -> int:
    wanted = name.casefold()
    for place, column in enumerate(columns):
        if column.casefold() == wanted:
            return place
    return -1


def _stored_all(values: Iterable[Datum]) -> list[Value]:
    return [stored(value) for value in values]


def _restored_all(values: Iterable[Value]) -> tuple[Datum, ...]:
    return tuple(restored(value) for value in values)
