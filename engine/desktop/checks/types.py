"""Properties that no value of a variable can have, where its data type is plain from everything that sets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ..catalog import lookup
from ..syntax.problem import Problems
from ..syntax.tree import (
    Constant,
    DatetimeLiteral,
    Expression,
    ForEach,
    LastError,
    ListLiteral,
    LoopFrom,
    Name,
    ObjectLiteral,
    Property,
    Script,
    Set,
    Statement,
    TableLiteral,
    Text,
)
from .walk import Visit, actions_of, expressions_of, nodes, rules_of

PROPERTIES: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset(("length", "isempty", "toupper", "tolower", "trimmed")),
    "list": frozenset(("count",)),
    "data table": frozenset(("rowscount", "columns", "isempty", "columnheadersrow")),
    "datetime": frozenset(("year", "month", "day", "dayofweek", "dayofyear", "hour", "minute", "second")),
    "number": frozenset(),
}
"""In lower case. Custom objects and items are not here: they have what they were made with."""

_OUTPUTS: Final = {
    "string": "text",
    "text": "text",
    "list": "list",
    "datatable": "data table",
    "datetime": "datetime",
    "decimal": "number",
    "int32": "number",
    "number": "number",
}


def check_types(script: Script, active: Sequence[Visit], problems: Problems) -> None:
    types = _types(script, active)
    for visit in active:
        for expression in expressions_of(visit.statement):
            for node in nodes(expression):
                if not (isinstance(node, Property) and isinstance(node.target, Name)):
                    continue
                kind = types.get(node.target.name.lower(), "")
                if kind in PROPERTIES and node.name.lower() not in PROPERTIES[kind]:
                    known = sorted(PROPERTIES[kind])
                    problems.error(
                        "NoSuchProperty",
                        node.place,
                        f"The variable '{node.target.name}' is a {kind} and has no property '{node.name}'.",
                        f"It has {', '.join(known)}." if known else "Numbers have none.",
                    )


def _types(script: Script, active: Sequence[Visit]) -> dict[str, str]:
    """The data type of each variable of which everything that sets it says the same; else it is "" or missing."""
    found: dict[str, str] = {declared.name.lower(): "" for declared in script.inputs}
    for visit in active:
        for name, kind in _set(visit.statement):
            key = name.lower()
            found[key] = kind if found.get(key, kind) == kind else ""
    return found


def _set(statement: Statement) -> Iterator[tuple[str, str]]:
    if isinstance(statement, Set):
        if isinstance(statement.target, Name):
            yield statement.target.name, _type(statement.value)
    elif isinstance(statement, ForEach):
        yield statement.variable, ""
    elif isinstance(statement, LoopFrom):
        if statement.variable:
            yield statement.variable, "number"
    elif isinstance(statement, LastError):
        yield statement.variable, ""
    for rule in rules_of(statement):
        if isinstance(rule.target, Name) and rule.value is not None:
            yield rule.target.name, _type(rule.value)
    for action in actions_of(statement):
        spec = lookup(action.id)
        for name, variable in action.outputs:
            output = spec.output(name) if spec is not None else None
            kind = output.type.partition("<")[0].lower() if output is not None else ""
            yield variable, _OUTPUTS.get(kind, "")


def _type(value: Expression) -> str:
    if isinstance(value, Constant):
        if isinstance(value.value, str):
            return "text"
        return "" if isinstance(value.value, bool) or value.value is None else "number"
    if isinstance(value, Text):
        # One expression alone keeps its value's type in places; what is more is a text.
        return "text" if len(value.parts) > 1 else ""
    if isinstance(value, ListLiteral):
        return "list"
    if isinstance(value, TableLiteral):
        return "data table"
    if isinstance(value, DatetimeLiteral):
        return "datetime"
    if isinstance(value, ObjectLiteral):
        return "object"
    return ""
