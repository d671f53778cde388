"""The functions of expressions: StartsWith, Contains, IsEmpty and their like.

Source: desktop flows, "Variable manipulation" and "Conditionals actions": a third argument True ignores case; IsEmpty
takes lists too. Names have no case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ...datatypes import DataRow, DataTable, Datum, Item
from .conversions import to_boolean, to_text
from .culture import Culture
from .operators import equal


class FunctionFacts(NamedTuple):
    """A function: how many arguments it takes, and what it does with them."""

    least: int
    most: int
    work: Callable[[list[Datum], Culture], bool]

    @property
    def takes(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} or {self.most}"


def is_empty(value: Datum) -> bool:
    """Blank, the empty text, and lists, tables, rows, objects and items without anything in them."""
    if isinstance(value, list | dict | str):
        return not value
    if isinstance(value, DataTable):
        return not value.rows
    if isinstance(value, DataRow):
        return not value.values
    if isinstance(value, Item):
        return not value.text
    return value is None


def _texts(arguments: list[Datum], culture: Culture) -> tuple[str, str]:
    whole, part = to_text(arguments[0], culture), to_text(arguments[1], culture)
    if len(arguments) > 2 and to_boolean(arguments[2], culture):
        return whole.casefold(), part.casefold()
    return whole, part


def _starts(arguments: list[Datum], culture: Culture) -> bool:
    whole, part = _texts(arguments, culture)
    return whole.startswith(part)


def _ends(arguments: list[Datum], culture: Culture) -> bool:
    whole, part = _texts(arguments, culture)
    return whole.endswith(part)


def _contains(arguments: list[Datum], culture: Culture) -> bool:
    """Of a text a part, of a list an item."""
    if isinstance(arguments[0], list):
        ignore = len(arguments) > 2 and to_boolean(arguments[2], culture)
        return any(_same(item, arguments[1], culture, ignore) for item in arguments[0])
    whole, part = _texts(arguments, culture)
    return part in whole


def _same(left: Datum, right: Datum, culture: Culture, ignore_case: bool) -> bool:
    if ignore_case and isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return equal(left, right, culture)


def _empty(arguments: list[Datum], culture: Culture) -> bool:
    return is_empty(arguments[0])


def _is_blank(arguments: list[Datum], culture: Culture) -> bool:
    return arguments[0] is None


def _not(work: Callable[[list[Datum], Culture], bool]) -> Callable[[list[Datum], Culture], bool]:
    return lambda arguments, culture: not work(arguments, culture)


FUNCTIONS: Final[dict[str, FunctionFacts]] = {
    "startswith": FunctionFacts(2, 3, _starts),
    "notstartswith": FunctionFacts(2, 3, _not(_starts)),
    "endswith": FunctionFacts(2, 3, _ends),
    "notendswith": FunctionFacts(2, 3, _not(_ends)),
    "contains": FunctionFacts(2, 3, _contains),
    "notcontains": FunctionFacts(2, 3, _not(_contains)),
    "isempty": FunctionFacts(1, 1, _empty),
    "isnotempty": FunctionFacts(1, 1, _not(_empty)),
    "isblank": FunctionFacts(1, 1, _is_blank),
    "isnotblank": FunctionFacts(1, 1, _not(_is_blank)),
}
