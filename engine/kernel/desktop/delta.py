"""What a record keeps of a variable's new value: the value, or what changed of it, so that a loop which adds to a list

costs its items and not its lists. `kept` makes it, `taken` undoes it. What is the same is told by value, never by
identity alone: a run that was brought back has other objects, and must record the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import is_
from typing import Any, Final

from ...datatypes import TAG, DataRow, DataTable, Datum, Item, restored, stored
from ...desktop.expressions.culture import Culture
from ...desktop.expressions.errors import LARGE, LogicError
from ...desktop.expressions.properties import replaced
from ...values import LONGEST_TEXT, MOST_ITEMS, Value

SPLICE: Final = "$splice"
"""{"at", "drop", "items"}: items of the list, or rows of the table, that was there before."""
SAME: Final = "$same"
"""{"as"}: the value of another variable."""
PART: Final = "$part"
"""{"path", "value"}: one part of the value that was there before."""

PLAIN: Final = frozenset({int, str, bool, Decimal, type(None)})
"""Types whose values are stored as they are."""

DEEPEST: Final = 100
"""Levels of values in values: a store refuses more than twice that."""

_FEW: Final = 8
"""Items up to which a list is simply stored."""


def storable(value: Datum) -> Value:
    """The stored form of a value. Raises LogicError for one that is too large: shared parts count as often as they

    are written, and a list that holds itself twice doubles each time.
    """
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise LogicError(LARGE, f"A text of more than {LONGEST_TEXT} characters is too long for a variable.")
        return value
    if value.__class__ in PLAIN:
        return stored(value)
    left = MOST_ITEMS
    level: list[Datum] = [value]
    for _ in range(DEEPEST):
        inside: list[Datum] = []
        for each in level:
            members = _members(each)
            left -= len(members)
            if left < 0:
                raise LogicError(LARGE, f"A value of more than {MOST_ITEMS} parts is too large for a variable.")
            inside += [member for member in members if member.__class__ not in PLAIN]
        if not inside:
            break
        level = inside
    else:
        raise LogicError(LARGE, f"A value nested more than {DEEPEST} levels deep is too large for a variable.")
    return stored(value)


def _members(value: Datum) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, DataTable):
        return [cell for row in value.rows for cell in row]
    if isinstance(value, DataRow):
        return value.values
    return list(value.properties.values()) if isinstance(value, Item) else ()


def kept(value: Datum, before: Datum) -> Value:
    """What is recorded where a variable changes from `before` to `value`."""
    if isinstance(value, list) and isinstance(before, list) and len(value) > _FEW:
        splice = _splice(before, value)
        if splice is not None:
            at, drop, items = splice
            return {TAG: SPLICE, "at": at, "drop": drop, "items": [storable(item) for item in items]}
    if isinstance(value, DataTable) and isinstance(before, DataTable) and len(value.rows) > _FEW:
        splice = _splice(before.rows, value.rows) if value.columns == before.columns else None
        if splice is not None:
            at, drop, items = splice
            return {TAG: SPLICE, "at": at, "drop": drop, "items": [[storable(cell) for cell in row] for row in items]}
    return storable(value)


def same_as(name: str) -> Value:
    """What is recorded where a variable takes the value of the variable `name`."""
    return {TAG: SAME, "as": name}


def part(path: Sequence[Datum], value: Datum) -> Value:
    """What is recorded where a part of a variable changes."""
    return {TAG: PART, "path": [storable(key) for key in path], "value": storable(value)}


def taken(record: Value, before: Datum, culture: Culture, variables: Any) -> Datum:
    """The value that `kept` was given; `variables(name)` gives the present value of another variable."""
    if record.__class__ in PLAIN:
        return record  # type: ignore[return-value]
    if isinstance(record, dict):
        kind = record.get(TAG)
        if kind == SPLICE:
            return _spliced(record, before)
        if kind == SAME:
            return variables(record["as"])  # type: ignore[no-any-return]
        if kind == PART:
            path = [restored(key) for key in record["path"]]
            return replaced(before, path, restored(record["value"]), culture)
    return restored(record)


def weight(record: Value) -> int:
    """About how many bytes a recorded value takes: large texts and long lists count, the rest hardly does."""
    if isinstance(record, str):
        return len(record)
    if isinstance(record, list):
        return 16 * len(record) + sum(len(item) for item in record[:1_000] if isinstance(item, str))
    if isinstance(record, dict):
        return 32 * len(record) + sum(weight(member) for member in record.values())
    return 16


def _spliced(record: dict[str, Any], before: Datum) -> Datum:
    at, end = record["at"], record["at"] + record["drop"]
    if isinstance(before, DataTable):
        rows = tuple(tuple(restored(cell) for cell in row) for row in record["items"])
        return DataTable(before.columns, before.rows[:at] + rows + before.rows[end:])
    items = [restored(item) for item in record["items"]]
    old = before if isinstance(before, list) else []
    return old[:at] + items + old[end:]


def _splice(before: Sequence[Any], after: Sequence[Any]) -> tuple[int, int, Sequence[Any]] | None:
    """How `after` comes of `before` by one replacement, None where that is not short."""
    shorter = min(len(before), len(after))
    head = _alike(before, after, shorter)
    tail = _alike(before[::-1], after[::-1], shorter - head) if head < shorter else 0
    new = after[head : len(after) - tail]
    if len(new) > len(after) // 2:
        return None
    return head, len(before) - head - tail, new


def _alike(left: Sequence[Any], right: Sequence[Any], most: int) -> int:
    """How many first members are the same.

    A changed list shares most of its items with the one before: these are found by halves, in C.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if all(map(is_, left[low:middle], right[low:middle])):
            low = middle
        else:
            high = middle - 1
    while low < most and _same(left[low], right[low]):
        low += 1
    return low


def _same(left: Any, right: Any) -> bool:
    """Whether two values are the same in type and all they hold."""
    if left is right:
        return True
    if left.__class__ is not right.__class__:
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(_same(left[name], right[name]) for name in left)
    if isinstance(left, DataTable):
        return left.columns == right.columns and _same(left.rows, right.rows)
    if isinstance(left, DataRow):
        return left.columns == right.columns and _same(left.values, right.values)
    if isinstance(left, Item):
        return _same(
            (left.kind, left.text, left.handle, dict(left.properties)),
            (right.kind, right.text, right.handle, dict(right.properties)),
        )
    return bool(left == right)
