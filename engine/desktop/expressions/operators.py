"""The operators of expressions: what `+`, `=`, `<` and their like make of two values.

Values of one type are taken as they are; of two types the documented conversions apply. Each raises LogicError where
there is no result. Whatever depends on the culture is handed it.

Source: desktop flows, "Variable manipulation": `+` joins where a side is text; "Variable data types": a row or a table
is added to a table by `+`. Comparing across types is decided here: by value (a number with the text that spells it, a
boolean with 'true'), and where that is impossible the values are simply not equal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from ...datatypes import DataRow, DataTable, Datum, Item
from . import numbers
from .conversions import kind_of, to_boolean, to_number, to_text
from .culture import Culture
from .errors import TYPE, LogicError
from .numbers import Number

Operator: TypeAlias = Callable[[Datum, Datum, Culture], Datum]


def is_number(value: object) -> bool:
    """Whether a value is a number; True and False are none."""
    return type(value) is int or type(value) is Decimal


def plus(left: Datum, right: Datum, culture: Culture) -> Datum:
    """Adds numbers; joins texts where one side is a text; appends rows to a table."""
    if isinstance(left, str) or isinstance(right, str):
        return to_text(left, culture) + to_text(right, culture)
    if is_number(left) and is_number(right):
        return numbers.add(left, right)  # type: ignore[arg-type]
    if isinstance(left, DataTable):
        return _appended(left, right)
    raise LogicError(TYPE, f"'+' cannot add {kind_of(right)} to {kind_of(left)}.")


def _appended(table: DataTable, more: Datum) -> DataTable:
    if isinstance(more, DataTable):
        rows = more.rows
    elif isinstance(more, DataRow):
        rows = (more.values,)
    elif isinstance(more, list):
        rows = (tuple(more),)
    else:
        raise LogicError(TYPE, f"'+' cannot add {kind_of(more)} to a data table.")
    if not table.columns and not table.rows:
        width = len(rows[0]) if rows else 0
        columns = more.columns if isinstance(more, DataTable | DataRow) else numbered_columns(width)
        return DataTable(tuple(columns), rows)
    for row in rows:
        if len(row) != len(table.columns):
            raise LogicError(TYPE, f"A row of {len(row)} values does not fit a table of {len(table.columns)} columns.")
    return DataTable(table.columns, table.rows + rows)


def numbered_columns(count: int) -> tuple[str, ...]:
    """The names of columns that have none: Column1, Column2..."""
    return tuple(f"Column{number}" for number in range(1, count + 1))


def _arithmetic(symbol: str, work: Callable[[Number, Number], Number]) -> Operator:
    def operator(left: Datum, right: Datum, culture: Culture) -> Datum:
        return work(_operand(symbol, left, culture), _operand(symbol, right, culture))

    return operator


def _operand(symbol: str, value: Datum, culture: Culture) -> Number:
    """A number, or a text that spells one."""
    if is_number(value):
        return value  # type: ignore[return-value]
    if isinstance(value, str):
        return to_number(value, culture)
    raise LogicError(TYPE, f"'{symbol}' needs numbers, and this is {kind_of(value)}.")


minus: Final = _arithmetic("-", numbers.subtract)
times: Final = _arithmetic("*", numbers.multiply)
divided: Final = _arithmetic("/", numbers.divide)
modulo: Final = _arithmetic("mod", numbers.remainder)


def negated(value: Datum, culture: Culture) -> Datum:
    """`-x`."""
    return numbers.subtract(0, _operand("-", value, culture))


def positive(value: Datum, culture: Culture) -> Datum:
    """`+x`."""
    return _operand("+", value, culture)


def equal(left: Datum, right: Datum, culture: Culture) -> bool:
    """Whether two values are the same. Texts: to the letter. Blank equals blank and the empty text."""
    if left is None or right is None:
        return (left is None or left == "") and (right is None or right == "")
    if isinstance(left, bool) or isinstance(right, bool):
        return _as_boolean(left, culture) == _as_boolean(right, culture) is not None
    if isinstance(left, Item) or isinstance(right, Item):
        return _same_item(left, right, culture)
    if is_number(left) and is_number(right):
        return left == right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, str) or isinstance(right, str):
        return _equals_text(left, right, culture)
    return _same_inside(left, right, culture)


def _as_boolean(value: Datum, culture: Culture) -> bool | None:
    try:
        return to_boolean(value, culture)
    except LogicError:
        return None


def _same_item(left: Datum, right: Datum, culture: Culture) -> bool:
    if isinstance(left, Item) and isinstance(right, Item):
        return left.kind == right.kind and left.text == right.text and left.handle == right.handle
    return to_text(left, culture) == to_text(right, culture)


def _equals_text(left: Datum, right: Datum, culture: Culture) -> bool:
    text, other = (left, right) if isinstance(left, str) else (right, left)
    assert isinstance(text, str)  # noqa: S101
    if is_number(other):
        return culture.read_number(text) == other
    if isinstance(other, datetime):
        return culture.read_moment(text) == other
    return text == to_text(other, culture)


def _same_inside(left: Datum, right: Datum, culture: Culture) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b, culture) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name], culture) for name in left)
    if isinstance(left, DataRow) and isinstance(right, DataRow):
        return _same_inside(list(left.values), list(right.values), culture)
    if isinstance(left, DataTable) and isinstance(right, DataTable):
        rows: list[Any] = [list(row) for row in left.rows]
        return left.columns == right.columns and _same_inside(rows, [list(row) for row in right.rows], culture)
    return left == right


def order(left: Datum, right: Datum, culture: Culture) -> int:
    """-1, 0 or 1 as `left` comes before, with or after `right`. Raises LogicError where neither does.

    Texts are ordered without regard to case first, and by it where nothing else differs.
    """
    if is_number(left) and is_number(right):
        return _sign(left, right)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return _sign(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _sign((left.casefold(), left.swapcase()), (right.casefold(), right.swapcase()))
    if isinstance(left, str) or isinstance(right, str):
        text, other = (left, right) if isinstance(left, str) else (right, left)
        read: Any = None
        if is_number(other):
            read = culture.read_number(str(text))
        elif isinstance(other, datetime):
            read = culture.read_moment(str(text))
        if read is not None:
            return _sign(read, other) if text is left else _sign(other, read)
    raise LogicError(TYPE, f"There is no order between {kind_of(left)} and {kind_of(right)}.")


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _relation(test: Callable[[int], bool]) -> Operator:
    def operator(left: Datum, right: Datum, culture: Culture) -> bool:
        return test(order(left, right, culture))

    return operator


def _unequal(left: Datum, right: Datum, culture: Culture) -> bool:
    return not equal(left, right, culture)


RELATIONS: Final[dict[str, Operator]] = {
    "=": equal,
    "<>": _unequal,
    "<": _relation(lambda sign: sign < 0),
    ">": _relation(lambda sign: sign > 0),
    "<=": _relation(lambda sign: sign <= 0),
    ">=": _relation(lambda sign: sign >= 0),
}

ARITHMETIC: Final[dict[str, Operator]] = {"+": plus, "-": minus, "*": times, "/": divided, "mod": modulo}
