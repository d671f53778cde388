"""Data operations: Compose, ParseJson, Query, Select, Join, Table and the Expression kinds.

Each is evaluated in one go.

Outputs are `{"body": …}`, except those of Compose, which are its inputs themselves.
Source: Logic Apps, "Schema reference for trigger and action types", the section of each action.
"""

from __future__ import annotations

import csv
import html
from typing import Any, Final

from ..cloud import Action
from ..errors import ExpressionError
from ..expressions import FUNCTIONS, Compiled, compile_condition, compile_value
from ..values import Value, to_text, type_name
from .jsonschema import Validator
from .names import ActionScope, ElementScope
from .plan import Node, Outcome, Work
from .state import Frame
from .status import FAILED, SUCCEEDED


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
    parse = FUNCTIONS["json"].implementation

    def work(frame: Frame) -> Outcome:
        given = content(frame)
        if given is None:
            raise ExpressionError(f"The 'content' of '{node.name}' is null; it must be JSON or a JSON text.")
        body = parse(given) if isinstance(given, str) or (isinstance(given, dict) and "$content" in given) else given
        inputs = None if body is given else {"content": given}
        if validator is not None:
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
        items = source(frame)
        state = frame.state
        kept = []
        for element in items:
            state.element = element
            if where(frame):
                kept.append(element)
        return SUCCEEDED, "OK", {"from": items}, {"body": kept}, None

    return work


def select(node: Node, action: Action, scope: ActionScope) -> Work:
    """Map every element to an object or a single value."""
    source = _source(node, action, scope)
    shape = compile_value(_raw(action, "select"), _inner(scope)).evaluate

    def work(frame: Frame) -> Outcome:
        items = source(frame)
        state = frame.state
        mapped = []
        for element in items:
            state.element = element
            mapped.append(shape(frame))
        return SUCCEEDED, "OK", {"from": items}, {"body": mapped}, None

    return work


def join(node: Node, action: Action, scope: ActionScope) -> Work:
    source = _source(node, action, scope)
    separator = _input(action, "joinWith", scope).evaluate
    implementation = FUNCTIONS["join"].implementation

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
        items = source(frame)
        style = layout(frame)
        render = _RENDER.get(style.lower()) if isinstance(style, str) else None
        if render is None:
            raise ExpressionError(f"The 'format' of '{node.name}' must be CSV or HTML, not '{to_text(style)}'.")
        if columns is None:
            header, rows = _automatic(node, items)
        else:
            header = [to_text(name(frame)) for name, _ in columns]
            rows = []
            for element in items:
                frame.state.element = element
                rows.append([to_text(value(frame)) for _, value in columns])
        return SUCCEEDED, "OK", {"from": items, "format": style}, {"body": render(header, rows)}, None

    return work


def _automatic(node: Node, items: list[Any]) -> tuple[list[str], list[list[str]]]:
    header: dict[str, None] = {}
    for item in items:
        if not isinstance(item, dict):
            raise ExpressionError(
                f"The elements of 'from' of '{node.name}' must be objects, one is {type_name(item)}.",
                hint="Give 'columns' with a header and a value each.",
            )
        header.update(dict.fromkeys(item))
    return list(header), [[to_text(item.get(name)) for name in header] for item in items]


def _csv(header: list[str], rows: list[list[str]]) -> str:
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    if any(header):
        writer.writerow(header)
    writer.writerows(rows)
    return "".join(lines)


def _html(header: list[str], rows: list[list[str]]) -> str:
    head = "<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in header) + "</tr>" if any(header) else ""
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


_RENDER: Final = {"csv": _csv, "html": _html}

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
    evaluate = compile_value(action.inputs if action.inputs is not None else {}, scope).evaluate

    def work(frame: Frame) -> Outcome:
        inputs = evaluate(frame)
        values = [inputs.get(argument) for argument in arguments] if isinstance(inputs, dict) else []
        while values and values[-1] is None:
            values.pop()
        function.check_count(len(values))
        if function.clock:
            values.insert(0, frame.state.time_text)
        return SUCCEEDED, "OK", inputs, {"body": function.implementation(*values)}, None

    return work


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
