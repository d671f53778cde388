"""Pure actions that choose among rows and items: filter a list, filter a table, join two tables.

Source: desktop flows, "Variables actions". What a rule is stands in `table_rules`.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from typing import Any, Final

from ...datatypes import DataTable, Datum
from ..expressions.conversions import to_text
from ..expressions.errors import ARGUMENT, ActionError
from ..expressions.operators import equal
from .column_names import unique
from .port import Given, Outputs, PureAction, table_of
from .table_rules import column_place, kept, operator_of, place_of, rules_of

_MOST: Final = 1_000_000
"""Rows that a join may make."""


def _filter_list(given: Given) -> Outputs:
    rules, ignore = rules_of(given), given.boolean("IgnoreCase", False)
    items = given.items("ListToFilter")
    return {"FilteredList": [item for item in items if kept(given, rules, [item] * len(rules), ignore_case=ignore)]}


def _filter_table(given: Given) -> Outputs:
    table, rules, ignore = given.table("DataTable"), rules_of(given), not given.boolean("MatchCase", True)
    places = [column_place(given, table, rule.column) for rule in rules]
    rows = tuple(row for row in table.rows if kept(given, rules, [row[place] for place in places], ignore_case=ignore))
    return {"FilteredDataTable": DataTable(table.columns, rows)}


def _join(given: Given) -> Outputs:
    """The rows of both tables side by side; of a table that has no such row, blanks.

    Names that both tables have get a number in the second.
    """
    first, second = given.table("FirstDataTable"), given.table("SecondDataTable")
    how = given.choice("JoinOperation", "Inner", among=("Inner", "Left", "Full"))
    pairs = _pairs(given, first, second)
    places: dict[Hashable, list[int]] = {}
    for place, row in enumerate(second.rows):
        places.setdefault(_key(given, [row[right] for _, right in pairs]), []).append(place)
    rows: list[tuple[Any, ...]] = []
    met: set[int] = set()
    for row in first.rows:
        # The key only says which rows may be equal.
        found = [
            place
            for place in places.get(_key(given, [row[left] for left, _ in pairs]), ())
            if all(equal(row[left], second.rows[place][right], given.culture) for left, right in pairs)
        ]
        met.update(found)
        rows += [row + second.rows[place] for place in found]
        if not found and how != "inner":
            rows.append(row + (None,) * len(second.columns))
        if len(rows) > _MOST:
            raise ActionError(ARGUMENT, f"The joined table would have more than {_MOST:,} rows.")
    if how == "full":
        blanks = (None,) * len(first.columns)
        rows += [blanks + row for place, row in enumerate(second.rows) if place not in met]
    return {"JoinedDataTable": DataTable(unique(first.columns + second.columns), tuple(rows))}


def _pairs(given: Given, first: DataTable, second: DataTable) -> list[tuple[int, int]]:
    """The columns that have to be equal, of the first and of the second table."""
    rules = given.table("JoinParameters")
    width = len(rules.columns)
    if width < 2:
        raise ActionError(ARGUMENT, "The argument 'JoinParameters' needs a column for each of the two tables.")
    left, right = place_of(rules, ("first",), 0), place_of(rules, ("second",), width - 1)
    operator = place_of(rules, ("operat",), -1)
    pairs = []
    for row in rules.rows:
        if operator >= 0 and operator_of(row[operator], given) != "equals":
            raise ActionError(ARGUMENT, "Tables are joined by columns that are equal, by no other operator.")
        pairs.append((column_place(given, first, row[left]), column_place(given, second, row[right])))
    if not pairs:
        raise ActionError(ARGUMENT, "There is no rule by which to join.")
    return pairs


def _key(given: Given, values: list[Datum]) -> tuple[Hashable, ...]:
    """The same for all that are equal."""
    return tuple(_one_key(given, value) for value in values)


def _one_key(given: Given, value: Datum) -> Hashable:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return value
    text = to_text(value, given.culture)
    if isinstance(value, str):
        number = given.culture.read_number(text)
        if number is not None:
            return number
        moment = given.culture.read_moment(text)
        if moment is not None:
            return moment
    elif value is not None:
        return given.culture.read_moment(text) or text.casefold()
    return text.casefold()


ACTIONS: Final = table_of(
    (
        PureAction("Variables.FilterList", _filter_list),
        PureAction("Variables.FilterDataTable", _filter_table),
        PureAction("Variables.JoinDataTable", _join),
    )
)
