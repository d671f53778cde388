"""Rules over lists and tables: what "Filter list", "Filter data table" and "Join data tables" are given as a table.

A row is a rule. Its columns are told by their names: one with `column` (or `property`), with `operator` or `operation`,
with `value`, and one with `logical`, `rule` or `and` that says And or Or; where the names tell nothing, by their
places. How the designer names them is not published, so this is decided here, as is that And binds closer than Or.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...datatypes import DataTable, Datum
from ...errors import error_name
from ..expressions.conversions import to_text
from ..expressions.errors import ARGUMENT, TYPE, ActionError, LogicError
from ..expressions.functions import is_empty
from ..expressions.operators import equal, order
from .port import Given

NO_COLUMN: Final = error_name("Column not found")
BAD_INDEX: Final = error_name("Invalid index")

_SIGNS: Final = {
    "=": "equals",
    "<>": "notequals",
    "!=": "notequals",
    ">": "greaterthan",
    ">=": "greaterthanorequal",
    "<": "lessthan",
    "<=": "lessthanorequal",
}
# The spellings of the designer, of the enumeration and of the signs come down to one.
_SPELLINGS: Final = {
    "equal": "equals",
    "equalto": "equals",
    "isequalto": "equals",
    "notequal": "notequals",
    "notequalto": "notequals",
    "isnotequalto": "notequals",
    "doesnotequal": "notequals",
    "isgreaterthan": "greaterthan",
    "greaterthanorequalto": "greaterthanorequal",
    "islessthan": "lessthan",
    "lessthanorequalto": "lessthanorequal",
    "notcontains": "doesnotcontain",
    "beginswith": "startswith",
    "doesnotbeginwith": "doesnotstartwith",
    "notstartswith": "doesnotstartwith",
    "notendswith": "doesnotendwith",
    "empty": "isempty",
    "isblank": "isempty",
    "notempty": "isnotempty",
    "isnotblank": "isnotempty",
}

_ORDERED: Final[dict[str, Callable[[int], bool]]] = {
    "greaterthan": lambda sign: sign > 0,
    "greaterthanorequal": lambda sign: sign >= 0,
    "lessthan": lambda sign: sign < 0,
    "lessthanorequal": lambda sign: sign <= 0,
}
_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": lambda text, part: part in text,
    "doesnotcontain": lambda text, part: part not in text,
    "startswith": str.startswith,
    "doesnotstartwith": lambda text, part: not text.startswith(part),
    "endswith": str.endswith,
    "doesnotendwith": lambda text, part: not text.endswith(part),
}
_ALL: Final = frozenset({"equals", "notequals", "isempty", "isnotempty", *_ORDERED, *_TEXTS})


def operator_of(value: Datum, given: Given) -> str:
    """An operator in its one spelling. Raises ActionError for one that is none."""
    text = to_text(value, given.culture).strip()
    word = "".join(sign for sign in text.rsplit(".", 1)[-1].casefold() if sign.isalpha())
    found = _SIGNS.get(text) or _SPELLINGS.get(word, word)
    if found not in _ALL:
        raise ActionError(ARGUMENT, f"'{text}' is no operator of a rule.")
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `column` is blank for the items of a list, `alternative` whether Or stands before it."""

    column: Datum
    operator: str
    value: Datum
    alternative: bool


def rules_of(given: Given, name: str = "FilterParameters") -> list[Rule]:
    """The rules in an argument. Raises ActionError."""
    table = given.table(name)
    width = len(table.columns)
    logical = place_of(table, ("logical", "rule", "and"), 3)
    operator = place_of(table, ("operator", "operation"), 1 if width > 2 else 0, but=logical)
    value = place_of(table, ("value",), operator + 1)
    column = place_of(table, ("column", "property"), 0 if operator > 0 else -1)
    if operator >= width:
        raise ActionError(ARGUMENT, f"The argument '{name}' needs a column for the operators of its rules.")
    rules = []
    for row in table.rows:
        word = to_text(row[logical], given.culture).strip().casefold() if 0 <= logical < width else "and"
        rules.append(
            Rule(
                row[column] if column >= 0 else None,
                operator_of(row[operator], given),
                row[value] if value < width else None,
                word.rsplit(".", 1)[-1] in ("or", "isor"),
            )
        )
    return rules


def place_of(table: DataTable, words: tuple[str, ...], default: int, but: int = -1) -> int:
    """The first column, `but` that one, with one of these words in its name, or `default`."""
    for word in words:
        for place, name in enumerate(table.columns):
            if word in name.casefold() and place != but:
                return place
    return default


def kept(given: Given, rules: list[Rule], values: list[Any], *, ignore_case: bool) -> bool:
    """Whether what the rules look at, one value for each, meets them. Raises ActionError TypeMismatchError."""
    met, group = False, True
    for rule, value in zip(rules, values, strict=True):
        if rule.alternative:
            met, group = met or group, True
        group = group and _meets(given, rule, value, ignore_case)
    return met or group


def _meets(given: Given, rule: Rule, value: Datum, ignore_case: bool) -> bool:
    wanted, operator = rule.value, rule.operator
    if operator in ("isempty", "isnotempty"):
        return is_empty(value) is (operator == "isempty")
    if operator in _TEXTS:
        text, part = to_text(value, given.culture), to_text(wanted, given.culture)
        return _TEXTS[operator](text.casefold(), part.casefold()) if ignore_case else _TEXTS[operator](text, part)
    if ignore_case and isinstance(value, str) and isinstance(wanted, str):
        value, wanted = value.casefold(), wanted.casefold()
    if operator in ("equals", "notequals"):
        return equal(value, wanted, given.culture) is (operator == "equals")
    if is_empty(value) or is_empty(wanted):
        return False  # what is blank is neither more nor less than anything
    try:
        return _ORDERED[operator](order(value, wanted, given.culture))
    except LogicError as error:
        raise ActionError(TYPE, error.message) from None


def column_place(given: Given, table: DataTable, value: Datum) -> int:
    """The column of a rule: its name, or its place from 0. Raises ActionError by its documented names."""
    text = to_text(value, given.culture)
    place = table.column(text)
    if place >= 0:
        return place
    if not text.strip().lstrip("-").isdecimal():
        raise ActionError(NO_COLUMN, f"There is no column '{text}'.")
    place = int(text)
    if not 0 <= place < len(table.columns):
        raise ActionError(BAD_INDEX, f"There is no column {place}: the table has {len(table.columns)}.")
    return place
