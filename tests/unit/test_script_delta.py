"""What records keep of changed variables: as little as says it, and always the same."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.datatypes import DataRow, DataTable, Datum, Item
from sealflow.engine.desktop.expressions.culture import INVARIANT
from sealflow.engine.kernel.desktop.delta import kept, part, same_as, taken, weight

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=2), st.just(Decimal("1.5")))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=1), SCALARS, max_size=2))
LISTS = st.lists(VALUES, max_size=30)


def undone(record: Any, before: Datum) -> Datum:
    return taken(record, before, INVARIANT, {}.__getitem__)


@settings(deadline=None)
@given(LISTS, LISTS, st.integers(0, 30), st.integers(0, 30))
def test_whatever_is_kept_gives_the_value_back(before: list[Any], new: list[Any], at: int, end: int) -> None:
    after = before[:at] + new[:3] + before[max(at, end) :]
    found = undone(kept(after, before), before)
    assert repr(found) == repr(after)


@settings(deadline=None)
@given(LISTS, LISTS, st.integers(0, 30))
def test_what_is_kept_does_not_depend_on_which_objects_there_are(before: list[Any], new: list[Any], at: int) -> None:
    after = before[:at] + new[:2] + before[at:]
    assert kept(after, before) == kept(copy.deepcopy(after), copy.deepcopy(before))


def test_adding_to_a_long_list_keeps_the_item_only() -> None:
    before: list[Any] = list(range(1000, 2000))
    record = kept([*before, "new"], before)
    assert record == {"$type": "$splice", "at": 1000, "drop": 0, "items": ["new"]}
    assert weight(record) < 500


def test_a_number_is_not_taken_for_a_boolean() -> None:
    before: list[Any] = [1, [1], {"a": 1}, DataRow(("A",), (1,)), Item("File", "1", {"x": 1}), *range(10)]
    after: list[Any] = [True, [True], {"a": True}, DataRow(("A",), (True,)), Item("File", "1", {"x": True}), *range(10)]
    assert undone(kept(after, before), before) == after
    assert repr(undone(kept(after, before), before)) == repr(after)


def test_rows_of_a_table_are_spliced_too() -> None:
    before = DataTable(("A", "B"), tuple((n, str(n)) for n in range(100)))
    after = DataTable(("A", "B"), (*before.rows[:50], (0, "x"), *before.rows[51:]))
    record = kept(after, before)
    assert isinstance(record, dict)
    assert (record["at"], record["drop"], record["items"]) == (50, 1, [[0, "x"]])
    assert undone(record, before) == after
    other = DataTable(("A", "C"), before.rows)
    assert undone(kept(other, before), before) == other


def test_a_part_and_another_variables_value() -> None:
    before: Datum = {"k": [1, {"z": 2}]}
    assert undone(part(["k", 1, "z"], 9), before) == {"k": [1, {"z": 9}]}
    assert before == {"k": [1, {"z": 2}]}
    values: dict[str, Datum] = {"other": [1, 2]}
    assert taken(same_as("other"), None, INVARIANT, values.__getitem__) is values["other"]


def test_an_object_that_looks_like_one_of_these_records_is_itself() -> None:
    value: Datum = {"$type": "$same", "as": "x"}
    assert undone(kept(value, None), None) == value
