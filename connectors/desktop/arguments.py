"""The arguments of one action, read as the types it wants.

The kernel has already converted what the catalogue declares; here is only what an action needs to be sure. A missing
argument gives the default; without one it is the fault `ArgumentMissingError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ...engine.datatypes import DataRow, DataTable, Datum, Item
from ...engine.values import decimal_text
from .fault import Fault

_MISSING: Final = object()


class Arguments:
    """By name, without regard to case. `action` is the id of the action, for messages."""

    def __init__(self, values: Mapping[str, Datum], action: str) -> None:
        self._values = {name.casefold(): value for name, value in values.items()}
        self.action = action

    @property
    def selector(self) -> str:
        """The last part of the action's id where it has three: `Exists` of `File.IfFile.Exists`, else ""."""
        parts = self.action.split(".")
        return parts[2] if len(parts) > 2 else ""

    def __contains__(self, name: str) -> bool:
        """Whether the argument is given, and not blank."""
        return self._values.get(name.casefold()) is not None

    def named(self, *names: str) -> str:
        """The first of these names that is given, else the first: for arguments whose name is not published."""
        return next((name for name in names if name in self), names[0])

    def get(self, name: str, default: Any = _MISSING) -> Datum:
        """The value as it is."""
        value = self._values.get(name.casefold())
        if value is not None:
            return value
        if default is _MISSING:
            raise Fault("ArgumentMissingError", f"{self.action} needs the argument '{name}'.")
        return default  # type: ignore[no-any-return]

    def text(self, name: str, default: Any = _MISSING) -> str:
        """As text; numbers in plain digits, items by their text."""
        value = self.get(name, default)
        return value if value is None or isinstance(value, str) else self._as_text(name, value)  # type: ignore[return-value]

    def _as_text(self, name: str, value: Datum) -> str:
        if isinstance(value, bool):
            return "True" if value else "False"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, Decimal):
            return decimal_text(value)
        if isinstance(value, Item):
            return value.text
        if isinstance(value, datetime):
            return value.isoformat(sep=" ")
        raise self._wrong(name, "a text", value)

    def number(self, name: str, default: Any = _MISSING) -> Decimal:
        """As a decimal."""
        value = self.get(name, default)
        if isinstance(value, bool):
            raise self._wrong(name, "a number", value)
        if isinstance(value, (int, Decimal)):
            return Decimal(value)
        if isinstance(value, str):
            try:
                found = Decimal(value.strip())
            except InvalidOperation:
                raise self._wrong(name, "a number", value) from None
            if found.is_finite():
                return found
        raise self._wrong(name, "a number", value)

    def integer(self, name: str, default: Any = _MISSING) -> int:
        """As a whole number."""
        value = self.number(name, default)
        if value != value.to_integral_value():
            raise self._wrong(name, "a whole number", value)
        return int(value)

    def boolean(self, name: str, default: Any = _MISSING) -> bool:
        """As True or False; the texts are taken too."""
        value = self.get(name, default)
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().casefold() in ("true", "false"):
            return value.strip().casefold() == "true"
        raise self._wrong(name, "True or False", value)

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        """One of an enumeration's values, lower-case: `overwrite` of `File.IfExists.Overwrite`."""
        value = self.text(name, default)
        found = value.rsplit(".", 1)[-1].casefold()
        if found not in (option.casefold() for option in options):
            raise self._wrong(name, f"one of {', '.join(options)}", value)
        return found

    def datetime(self, name: str, default: Any = _MISSING) -> datetime:
        """As a datetime; ISO 8601 texts are taken too."""
        value = self.get(name, default)
        if isinstance(value, datetime):
            return value
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).replace(tzinfo=None)
            except ValueError:
                pass
        raise self._wrong(name, "a datetime", value)

    def list(self, name: str, default: Any = _MISSING) -> list[Datum]:
        """As a list: what is none is a list of itself."""
        value = self.get(name, default)
        if isinstance(value, list):
            return value
        if isinstance(value, DataRow):
            return list(value.values)
        return [value]

    def table(self, name: str) -> DataTable:
        """As a data table; a row is a table of itself."""
        value = self.get(name)
        if isinstance(value, DataTable):
            return value
        if isinstance(value, DataRow):
            return DataTable(value.columns, (value.values,))
        raise self._wrong(name, "a data table", value)

    def item(self, name: str, kind: str) -> Item:
        """As an item of this kind, such as an ExcelInstance."""
        value = self.get(name)
        if isinstance(value, Item) and value.kind == kind:
            return value
        raise self._wrong(name, f"of the type {kind}", value)

    def _wrong(self, name: str, wanted: str, value: Datum) -> Fault:
        # The value itself may be a secret: only its type is told.
        kind = value.kind if isinstance(value, Item) else type(value).__name__
        return Fault("ArgumentTypeError", f"{self.action}: the argument '{name}' must be {wanted}; it is a {kind}.")
