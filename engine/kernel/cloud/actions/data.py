"""Data operations: Compose, ParseJson, Query, Select, Join, Table and the Expression kinds.

Each is evaluated in one go.

Outputs are `{"body": …}`, except those of Compose, which are its inputs themselves.
Source: Logic Apps, "Schema reference for trigger and action types", the section of each action.
"""

from __future__ import annotations

import csv
import html
from collections.abc import Callable
from math import inf
from typing import Any, Final, NamedTuple

from ....cloud import Action
from ....effort import spend
from ....errors import ExpressionError
from ....expressions import FUNCTIONS, Compiled, compile_condition, compile_value
from ....expressions.costs import counted
from ....values import Value, to_text, type_name, weigh
from ...contract.status import FAILED, SUCCEEDED
from ..pacing import each
from ..plan.names import ActionScope, ElementScope
from ..plan.plan import Node, Outcome, Work
from ..state import Frame
from .json_schema import Validator


class _Lines(list[str]):
    """What the csv writer writes to."""

    write = list.append


def compose(node: Node, action: Action, scope: ActionScope) -> Work:
    evaluate = compile_value(action.inputs, scope).evaluate
    return lambda frame: (SUCCEEDED, "OK", None, evaluate(frame), None)


def parse_json(node: Node, action: Action, scope: ActionScope) -> Work:
    """A text is read as JSON; what is JSON already stays.

    With a schema, a body that does not fit fails the action but is kept.
    """
    content = _input(action, "content", scope).evaluate
    schema = _input(action, "schema", scope)
    validator = Validator(schema.evaluate, schema.constant) if _has(action, "schema") else None
    parse = counted(FUNCTIONS["json"])

    def work(frame: Frame) -> Outcome:
        given = content(frame)
        if given is None:
            raise ExpressionError(f"The 'content' of '{node.name}' is null; it must be JSON or a JSON text.")
        body = parse(given) if isinstance(given, str) or (isinstance(given, dict) and "$content" in given) else given
        inputs = None if body is given else {"content": given}
        if validator is not None:
            _spend_on(body)
            fault = validator.fault(frame, body)
            if fault is not None:
                return (
                    FAILED,
                    "ValidationFailed",
                    inputs,
                    {"body": body},
                    {"code": "ValidationFailed", "message": fault},
                )
        return SUCCEEDED, "OK", inputs, {"body": body}, None

    return work


def query(node: Node, action: Action, scope: ActionScope) -> Work:
    """Keep the elements for which `where` is true."""
    source = _source(node, action, scope)
    where = compile_condition(_raw(action, "where"), _inner(scope)).evaluate

    def work(frame: Frame) -> Outcome:
        def step(element: Any, kept: list[Any], _: Any) -> None:
            if where(frame):
                kept.append(element)

        items, kept, _ = each(frame, source, step)
        return SUCCEEDED, "OK", {"from": items}, {"body": kept}, None

    return work


def select(node: Node, action: Action, scope: ActionScope) -> Work:
    """Map every element to an object or a single value."""
    source = _source(node, action, scope)
    shape = compile_value(_raw(action, "select"), _inner(scope)).evaluate

    def work(frame: Frame) -> Outcome:
        def step(_: Any, mapped: list[Any], __: Any) -> None:
            mapped.append(shape(frame))

        items, mapped, _ = each(frame, source, step)
        return SUCCEEDED, "OK", {"from": items}, {"body": mapped}, None

    return work


def join(node: Node, action: Action, scope: ActionScope) -> Work:
    source = _source(node, action, scope)
    separator = _input(action, "joinWith", scope).evaluate
    implementation = counted(FUNCTIONS["join"])

    def work(frame: Frame) -> Outcome:
        items = source(frame)
        between = separator(frame)
        if not isinstance(between, str):
            raise ExpressionError(f"The 'joinWith' of '{node.name}' must be a string, not {type_name(between)}.")
        return SUCCEEDED, "OK", {"from": items, "joinWith": between}, {"body": implementation(items, between)}, None

    return work


def table(node: Node, action: Action, scope: ActionScope) -> Work:
    """A CSV or HTML table. Without `columns` the properties of all elements are the columns, in the order of their
    appearance.
    """
    source = _source(node, action, scope)
    layout = _input(action, "format", scope).evaluate
    inner = _inner(scope)
    given = _raw(action, "columns")
    columns = None
    if given is not None:
        if not isinstance(given, list) or not all(isinstance(column, dict) for column in given):
            raise ExpressionError(
                f"The 'columns' of '{node.name}' must be a list of objects with 'header' and 'value'."
            )
        columns = [
            (
                compile_value(column.get("header", ""), scope).evaluate,
                compile_value(column.get("value"), inner).evaluate,
            )
            for column in given
        ]

    def work(frame: Frame) -> Outcome:
        def begin(items: list[Any]) -> _Layout:
            style = layout(frame)
            form = _FORMS.get(style.lower()) if isinstance(style, str) else None
            if form is None:
                raise ExpressionError(f"The 'format' of '{node.name}' must be CSV or HTML, not '{to_text(style)}'.")
            if columns is None:
                return _Layout(style, form, _automatic(node, items))
            return _Layout(style, form, [to_text(name(frame)) for name, _ in columns])

        def step(element: Any, rows: list[str], laid_out: _Layout) -> None:
            if columns is None:
                cells = [to_text(element.get(name)) for name in laid_out.header]
            else:
                cells = [to_text(value(frame)) for _, value in columns]
            rows.append(laid_out.form.row(cells))

        items, rows, laid_out = each(frame, source, step, begin)
        body = laid_out.form.whole(laid_out.header, rows)
        return SUCCEEDED, "OK", {"from": items, "format": laid_out.style}, {"body": body}, None

    return work


def _automatic(node: Node, items: list[Any]) -> list[str]:
    spend(len(items) * _HEADER)
    header: dict[str, None] = {}
    for item in items:
        if not isinstance(item, dict):
            raise ExpressionError(
                f"The elements of 'from' of '{node.name}' must be objects, one is {type_name(item)}.",
                hint="Give 'columns' with a header and a value each.",
            )
        header.update(dict.fromkeys(item))
    return list(header)


_HEADER: Final = 500
"""Nanoseconds for the names of one element."""


class _Form(NamedTuple):
    """How a table is written: one row, and the whole of it."""

    row: Callable[[list[str]], str]
    whole: Callable[[list[str], list[str]], str]


class _Layout(NamedTuple):
    """What is decided of a table before its rows."""

    style: Any
    form: _Form
    header: list[str]


def _csv_row(cells: list[str]) -> str:
    lines = _Lines()
    csv.writer(lines, lineterminator="\r\n").writerow(cells)
    return lines[0]


def _csv(header: list[str], rows: list[str]) -> str:
    return "".join([_csv_row(header), *rows] if any(header) else rows)


def _html_row(cells: list[str]) -> str:
    return "<tr>" + "".join([f"<td>{html.escape(cell)}</td>" for cell in cells]) + "</tr>"


def _html(header: list[str], rows: list[str]) -> str:
    head = "<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in header) + "</tr>" if any(header) else ""
    return "".join([f"<table><thead>{head}</thead><tbody>", *rows, "</tbody></table>"])


_FORMS: Final = {"csv": _Form(_csv_row, _csv), "html": _Form(_html_row, _html)}

# The Expression kinds: the function each one is, and its inputs in the order of the function's arguments.
_EXPRESSIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "addtotime": ("addToTime", ("baseTime", "interval", "timeUnit")),
    "subtractfromtime": ("subtractFromTime", ("baseTime", "interval", "timeUnit")),
    "getfuturetime": ("getFutureTime", ("interval", "timeUnit")),
    "getpasttime": ("getPastTime", ("interval", "timeUnit")),
    "currenttime": ("utcNow", ()),
    "converttimezone": ("convertTimeZone", ("baseTime", "sourceTimeZone", "destinationTimeZone", "formatString")),
    "formatnumber": ("formatNumber", ("number", "format", "locale")),
    "indexof": ("indexOf", ("text", "searchText")),
    "substring": ("substring", ("text", "startIndex", "length")),
}


def expression(node: Node, action: Action, scope: ActionScope) -> Work:
    """The "Date Time", "Number functions" and "Text functions" actions: one function of the language each."""
    if action.kind not in _EXPRESSIONS:
        raise ExpressionError(f"'{action.kind}' is not a known kind of Expression action.")
    name, arguments = _EXPRESSIONS[action.kind]
    function = FUNCTIONS[name]
    implementation = counted(function)
    evaluate = compile_value(action.inputs if action.inputs is not None else {}, scope).evaluate

    def work(frame: Frame) -> Outcome:
        inputs = evaluate(frame)
        values = [inputs.get(argument) for argument in arguments] if isinstance(inputs, dict) else []
        while values and values[-1] is None:
            values.pop()
        function.check_count(len(values))
        if function.clock:
            values.insert(0, frame.state.time_text)
        return SUCCEEDED, "OK", inputs, {"body": implementation(*values)}, None

    return work


def _spend_on(value: Any) -> None:
    """What looking through a value costs."""
    try:
        weigh(value)
    except ExpressionError:  # it is too large for other things
        spend(inf)


def _has(action: Action, name: str) -> bool:
    return isinstance(action.inputs, dict) and action.inputs.get(name) is not None


def _raw(action: Action, name: str) -> Value:
    return action.inputs.get(name) if isinstance(action.inputs, dict) else None


def _input(action: Action, name: str, scope: ActionScope) -> Compiled:
    return compile_value(_raw(action, name), scope)


def _inner(scope: ActionScope) -> ElementScope:
    return ElementScope(scope.plan, scope.node)


def _source(node: Node, action: Action, scope: ActionScope) -> Any:
    evaluate = _input(action, "from", scope).evaluate

    def items(frame: Frame) -> list[Any]:
        value = evaluate(frame)
        if not isinstance(value, list):
            raise ExpressionError(
                f"The 'from' of '{node.name}' must be an array, not {type_name(value)}.",
                hint="Check what the expression in 'from' gives.",
            )
        return value

    return items
