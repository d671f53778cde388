"""Expressions made into closures: `compile_expression(tree, scope)` gives what takes the variables and gives a value.

Compiled once for a version of a flow and shared by its runs; the closures keep nothing. They raise LogicError where an
expression has no value, and nothing else. Integers take a short way, since loops count with them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from ...datatypes import DataRow, DataTable, Datum, Item
from ...errors import DefinitionError
from ..syntax import tree as syntax
from . import operators
from .conversions import to_boolean, to_list, to_text
from .culture import INVARIANT
from .errors import UNREADABLE, LogicError
from .functions import FUNCTIONS
from .numbers import HIGHEST, fitted
from .properties import get_item, get_property, get_slice
from .scope import Scope, Slots

Evaluate: TypeAlias = Callable[[Slots], Datum]
Truth: TypeAlias = Callable[[Slots], bool]


def compile_expression(tree: syntax.Expression, scope: Scope) -> Evaluate:
    """The closure of an expression. Raises DefinitionError, with line and column, for what can never have a value."""
    return _COMPILERS[type(tree)](tree, scope)


def compile_truth(tree: syntax.Expression, scope: Scope) -> Truth:
    """The closure of a condition: True or False, whatever the expression gives."""
    work = compile_expression(tree, scope)
    if isinstance(tree, syntax.Binary) and (tree.operator in operators.RELATIONS or tree.operator in _LOGIC):
        return work  # type: ignore[return-value]  # relations give booleans as they are

    def truth(slots: Slots) -> bool:
        value = work(slots)
        return value if value is True or value is False else to_boolean(value, slots[0])

    return truth


def names_in(tree: syntax.Expression | None) -> frozenset[str]:
    """The variables that an expression reads, in lower case."""
    if tree is None:
        return frozenset()
    return frozenset(each.name.lower() for each in _walk(tree) if isinstance(each, syntax.Name))


def _walk(tree: syntax.Expression) -> Iterator[syntax.Expression]:
    todo: list[Any] = [tree]
    while todo:
        each = todo.pop()
        yield each
        todo += _children(each)


def _children(tree: Any) -> list[Any]:
    match tree:
        case syntax.Text():
            return [part for part in tree.parts if not isinstance(part, str)]
        case syntax.Property():
            return [tree.target]
        case syntax.Index():
            return [tree.target, tree.index]
        case syntax.Slice():
            return [each for each in (tree.target, tree.start, tree.stop) if each is not None]
        case syntax.ListLiteral():
            return list(tree.items)
        case syntax.TableLiteral():
            return [*(tree.header or ()), *tree.rows]
        case syntax.ObjectLiteral():
            return [value for _, value in tree.pairs]
        case syntax.Function():
            return list(tree.arguments)
        case syntax.Unary():
            return [tree.operand]
        case syntax.Binary():
            return [tree.left, tree.right]
    return []


# --- leaves


def _constant(tree: syntax.Constant, scope: Scope) -> Evaluate:
    value = fitted(tree.value) if isinstance(tree.value, Decimal) else tree.value
    return lambda slots: value


def _name(tree: syntax.Name, scope: Scope) -> Evaluate:
    return operator.itemgetter(scope.place(tree.name))


def _text(tree: syntax.Text, scope: Scope) -> Evaluate:
    parts: list[Any] = [part if isinstance(part, str) else compile_expression(part, scope) for part in tree.parts]
    if not parts:
        return lambda slots: ""

    def text(slots: Slots) -> str:
        culture = slots[0]
        return "".join([part if part.__class__ is str else to_text(part(slots), culture) for part in parts])

    return text


def _enum(tree: syntax.EnumValue, scope: Scope) -> Evaluate:
    value = tree.value
    return lambda slots: value


def _datetime(tree: syntax.DatetimeLiteral, scope: Scope) -> Evaluate:
    value = INVARIANT.read_moment(tree.text)
    if value is None:
        raise DefinitionError(
            f"'{tree.text}' is no datetime.",
            at=str(tree.place),
            code="InvalidDatetime",
            hint='A datetime is written as d"2024-01-31 10:00:00".',
        )
    found: datetime = value
    return lambda slots: found


def _element(tree: syntax.Element, scope: Scope) -> Evaluate:
    item = Item("UIElement", " > ".join(tree.path), {"Repository": tree.repository, "Path": list(tree.path)})
    return lambda slots: item


def _protected(tree: syntax.Protected, scope: Scope) -> Evaluate:
    def unreadable(slots: Slots) -> Datum:
        raise LogicError(UNREADABLE, "This text was protected on the machine where it was typed in.")

    return unreadable


# --- parts of values


def _property(tree: syntax.Property, scope: Scope) -> Evaluate:
    target, name = compile_expression(tree.target, scope), tree.name
    return lambda slots: get_property(target(slots), name)


def _index(tree: syntax.Index, scope: Scope) -> Evaluate:
    target, index = compile_expression(tree.target, scope), compile_expression(tree.index, scope)
    return lambda slots: get_item(target(slots), index(slots), slots[0])


def _slice(tree: syntax.Slice, scope: Scope) -> Evaluate:
    target = compile_expression(tree.target, scope)
    start = compile_expression(tree.start, scope) if tree.start is not None else _blank
    stop = compile_expression(tree.stop, scope) if tree.stop is not None else _blank
    return lambda slots: get_slice(target(slots), start(slots), stop(slots), slots[0])


def _blank(slots: Slots) -> Datum:
    return None


# --- literals


def _list(tree: syntax.ListLiteral, scope: Scope) -> Evaluate:
    items = [compile_expression(item, scope) for item in tree.items]
    return lambda slots: [item(slots) for item in items]


def _table(tree: syntax.TableLiteral, scope: Scope) -> Evaluate:
    header = [compile_expression(each, scope) for each in tree.header] if tree.header is not None else None
    rows = [compile_expression(row, scope) for row in tree.rows]

    def table(slots: Slots) -> DataTable:
        values = [row(slots) for row in rows]
        if header is not None:
            columns = tuple(to_text(each(slots), slots[0]) for each in header)
        elif values and isinstance(values[0], DataRow | DataTable):
            columns = values[0].columns
        else:
            columns = operators.numbered_columns(len(to_list(values[0])) if values else 0)
        made = DataTable(columns)
        for value in values:
            grown = operators.plus(made, value if isinstance(value, DataTable) else to_list(value), slots[0])
            assert isinstance(grown, DataTable)  # noqa: S101
            made = grown
        return made

    return table


def _object(tree: syntax.ObjectLiteral, scope: Scope) -> Evaluate:
    pairs = [(name, compile_expression(value, scope)) for name, value in tree.pairs]
    return lambda slots: {name: value(slots) for name, value in pairs}


# --- operators and functions


def _function(tree: syntax.Function, scope: Scope) -> Evaluate:
    known = FUNCTIONS.get(tree.name.lower())
    if known is None:
        raise DefinitionError(f"There is no function '{tree.name}'.", at=str(tree.place), code="UnknownFunction")
    if not known.least <= len(tree.arguments) <= known.most:
        raise DefinitionError(
            f"'{tree.name}' takes {known.takes} arguments, not {len(tree.arguments)}.",
            at=str(tree.place),
            code="WrongArgumentCount",
        )
    arguments = [compile_expression(argument, scope) for argument in tree.arguments]
    work = known.work
    return lambda slots: work([argument(slots) for argument in arguments], slots[0])


def _unary(tree: syntax.Unary, scope: Scope) -> Evaluate:
    if tree.operator == "NOT":
        truth = compile_truth(tree.operand, scope)
        return lambda slots: not truth(slots)
    work = compile_expression(tree.operand, scope)
    if tree.operator == "-":
        return lambda slots: operators.negated(work(slots), slots[0])
    return lambda slots: operators.positive(work(slots), slots[0])


def _binary(tree: syntax.Binary, scope: Scope) -> Evaluate:
    symbol = tree.operator if tree.operator in _LOGIC else tree.operator.lower()
    if symbol in _LOGIC:
        return _LOGIC[symbol](compile_truth(tree.left, scope), compile_truth(tree.right, scope))
    left, right = compile_expression(tree.left, scope), compile_expression(tree.right, scope)
    if symbol in operators.RELATIONS:
        return _relation(symbol, left, right)
    return _arithmetic(symbol, left, right)


_QUICK: Final[dict[str, Callable[[Any, Any], Any]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _arithmetic(symbol: str, left: Evaluate, right: Evaluate) -> Evaluate:
    work = operators.ARITHMETIC[symbol]
    quick = _QUICK.get(symbol)
    if quick is None:
        return lambda slots: work(left(slots), right(slots), slots[0])

    def arithmetic(slots: Slots) -> Datum:
        a, b = left(slots), right(slots)
        if a.__class__ is int and b.__class__ is int:
            result: int = quick(a, b)
            if -HIGHEST <= result <= HIGHEST:
                return result
        return work(a, b, slots[0])

    return arithmetic


_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _relation(symbol: str, left: Evaluate, right: Evaluate) -> Evaluate:
    work, quick = operators.RELATIONS[symbol], _COMPARE[symbol]

    def relation(slots: Slots) -> Datum:
        a, b = left(slots), right(slots)
        if a.__class__ is int and b.__class__ is int:
            return quick(a, b)
        return work(a, b, slots[0])

    return relation


def _and(left: Truth, right: Truth) -> Evaluate:
    return lambda slots: left(slots) and right(slots)


def _or(left: Truth, right: Truth) -> Evaluate:
    return lambda slots: left(slots) or right(slots)


def _xor(left: Truth, right: Truth) -> Evaluate:
    return lambda slots: left(slots) != right(slots)


_LOGIC: Final[dict[str, Callable[[Truth, Truth], Evaluate]]] = {"AND": _and, "OR": _or, "XOR": _xor}


_COMPILERS: Final[dict[type, Callable[[Any, Scope], Evaluate]]] = {
    syntax.Constant: _constant,
    syntax.Text: _text,
    syntax.Name: _name,
    syntax.Property: _property,
    syntax.Index: _index,
    syntax.Slice: _slice,
    syntax.ListLiteral: _list,
    syntax.TableLiteral: _table,
    syntax.ObjectLiteral: _object,
    syntax.Function: _function,
    syntax.Unary: _unary,
    syntax.Binary: _binary,
    syntax.EnumValue: _enum,
    syntax.DatetimeLiteral: _datetime,
    syntax.Element: _element,
    syntax.Protected: _protected,
}


# --- what is assigned


def compile_target(tree: syntax.Expression, scope: Scope) -> tuple[int, str, list[Evaluate]]:
    """Where SET assigns: the variable's place, its name in lower case, and the path inside of its value, outside in.

    Raises DefinitionError for anything but a variable or a part of one.
    """
    path: list[Evaluate] = []
    while True:
        match tree:
            case syntax.Name():
                path.reverse()
                return scope.place(tree.name), tree.name.lower(), path
            case syntax.Property():
                path.append(_constant(syntax.Constant(tree.name, tree.place), scope))
                tree = tree.target
            case syntax.Index():
                path.append(compile_expression(tree.index, scope))
                tree = tree.target
            case _:
                raise DefinitionError(
                    "Only a variable, or a part of one, can be assigned to.", at=str(tree.place), code="NotAVariable"
                )
