"""Expressions: whatever they are made of has a value or an error of logic, and the short ways agree with the long.

What each operator and property means is shown by the cases in tests/scenarios/robin.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.datatypes import DataRow, DataTable, Datum, Item, restored, stored
from sealflow.engine.desktop.expressions import operators
from sealflow.engine.desktop.expressions.compile import compile_expression, compile_truth, names_in
from sealflow.engine.desktop.expressions.conversions import to_text
from sealflow.engine.desktop.expressions.culture import culture_of
from sealflow.engine.desktop.expressions.errors import LogicError
from sealflow.engine.desktop.expressions.scope import Scope
from sealflow.engine.desktop.syntax import tree as syntax
from sealflow.engine.errors import DefinitionError
from sealflow.storage.format.codec import pack, unpack

HERE = syntax.Place(1, 1)
VALUES: dict[str, Datum] = {
    "n": 3,
    "d": Decimal("2.5"),
    "s": "text",
    "five": "5",
    "b": True,
    "blank": None,
    "at": datetime(2026, 1, 2, 3, 4, 5),
    "l": [1, "a", [2]],
    "o": {"Key": 1, "In": {"x": "y"}},
    "t": DataTable(("A", "B"), ((1, "x"), (2, "y"))),
    "r": DataRow(("A", "B"), (1, "x")),
    "f": Item("File", "C:\\a.txt", {"Name": "a.txt", "Size": 5}),
}
SCOPE = Scope()
SLOTS: list[Any] = SCOPE.fresh(culture_of("en-US"))
for _name, _value in VALUES.items():
    assert SCOPE.place(_name) == len(SLOTS)
    SLOTS.append(_value)

LEAVES = st.one_of(
    st.sampled_from(sorted(VALUES)).map(lambda name: syntax.Name(name, HERE)),
    st.one_of(st.integers(-3, 3), st.sampled_from(["", "A", "true", "1.5", None, True, Decimal("0.1")])).map(
        lambda value: syntax.Constant(value, HERE)
    ),
)
SYMBOLS = st.sampled_from(["+", "-", "*", "/", "mod", "=", "<>", "<", ">", "<=", ">=", "AND", "OR", "XOR"])
NAMES = st.sampled_from(
    ["Length", "count", "RowsCount", "Columns", "Year", "isEmpty", "Key", "Name", "ColumnsCount", "No"]
)
FUNCTIONS = st.sampled_from(["Contains", "StartsWith", "NotEndsWith"])


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda op, a, b: syntax.Binary(op, a, b, HERE), SYMBOLS, inner, inner),
        st.builds(lambda op, a: syntax.Unary(op, a, HERE), st.sampled_from(["NOT", "-", "+"]), inner),
        st.builds(lambda a, b: syntax.Index(a, b, HERE), inner, inner),
        st.builds(lambda a, b, c: syntax.Slice(a, b, c, HERE), inner, st.none() | inner, st.none() | inner),
        st.builds(lambda a, name: syntax.Property(a, name, HERE), inner, NAMES),
        st.builds(lambda *items: syntax.ListLiteral(items, HERE), inner, inner),
        st.builds(lambda *rows: syntax.TableLiteral(None, rows, HERE), inner, inner),
        st.builds(lambda a: syntax.ObjectLiteral((("k", a),), HERE), inner),
        st.builds(lambda a, b: syntax.Text(("<", a, "|", b, ">"), HERE), inner, inner),
        st.builds(lambda name, *three: syntax.Function(name, three, HERE), FUNCTIONS, inner, inner, inner),
        st.builds(lambda a: syntax.Function("IsEmpty", (a,), HERE), inner),
    )


@settings(deadline=None)
@given(st.recursive(LEAVES, _grown, max_leaves=6))
def test_an_expression_has_a_value_that_can_be_stored_or_an_error_of_logic(tree: Any) -> None:
    work, truth = compile_expression(tree, SCOPE), compile_truth(tree, SCOPE)
    assert names_in(tree) <= VALUES.keys()
    try:
        value = work(SLOTS)
    except LogicError:
        return
    assert restored(unpack(pack(stored(value)))) == value
    assert isinstance(to_text(value, SLOTS[0]), str)
    assert [SLOTS[SCOPE.places[name]] for name in VALUES] == list(VALUES.values())
    with suppress(LogicError):
        assert truth(SLOTS) in (True, False)


def outcome_of(work: Callable[[], Datum]) -> object:
    try:
        return work()
    except LogicError as error:
        return error.code


@settings(deadline=None)
@given(st.integers(-(10**29), 10**29), st.integers(-(10**29), 10**29), SYMBOLS)
def test_integers_take_a_short_way_to_the_same_result(left: int, right: int, symbol: str) -> None:
    if symbol in ("AND", "OR", "XOR"):
        return
    tree = syntax.Binary(symbol, syntax.Name("n", HERE), syntax.Name("d", HERE), HERE)  # type: ignore[arg-type]
    slots = [*SLOTS]
    slots[SCOPE.places["n"]], slots[SCOPE.places["d"]] = left, right
    long = (operators.ARITHMETIC | operators.RELATIONS)[symbol]
    outcomes = [
        outcome_of(lambda: compile_expression(tree, SCOPE)(slots)),
        outcome_of(lambda: long(left, right, slots[0])),
    ]
    assert outcomes[0] == outcomes[1]
    assert type(outcomes[0]) is type(outcomes[1])


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        (syntax.DatetimeLiteral("tomorrow", HERE), "InvalidDatetime"),
        (syntax.Function("Nothing", (), HERE), "UnknownFunction"),
        (syntax.Function("IsEmpty", (), HERE), "WrongArgumentCount"),
    ],
)
def test_what_can_never_have_a_value_is_refused_with_its_place(tree: syntax.Expression, code: str) -> None:
    with pytest.raises(DefinitionError) as error:
        compile_expression(tree, SCOPE)
    assert (error.value.code, error.value.at) == (code, "1:1")


def test_a_protected_text_is_not_read_and_an_element_is_named() -> None:
    with pytest.raises(LogicError) as error:
        compile_expression(syntax.Protected("AQAA", HERE), SCOPE)(SLOTS)
    assert error.value.code == "ProtectedTextError"
    item = compile_expression(syntax.Element("appmask", ("Page", "Button"), HERE), SCOPE)(SLOTS)
    assert isinstance(item, Item)
    assert (item.kind, item.text, item.get("path")) == ("UIElement", "Page > Button", ["Page", "Button"])


def test_files_compare_by_their_path_and_items_by_what_they_name() -> None:
    culture = culture_of("en-US")
    assert operators.equal(VALUES["f"], "C:\\a.txt", culture)
    assert not operators.equal(VALUES["f"], Item("Folder", "C:\\a.txt"), culture)
    assert not operators.equal(VALUES["t"], VALUES["r"], culture)
    assert operators.equal(VALUES["t"], DataTable(("A", "B"), ((1, "x"), (2, "y"))), culture)
