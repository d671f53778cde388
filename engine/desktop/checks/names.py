"""Names: variables, subflows and labels that do not exist, labels that a GOTO cannot reach.

Variables belong to the whole flow, so the order in which they are set is not looked at. Source: what the designer
accepts and refuses when scripts are pasted into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..catalog import enum_values, lookup
from ..syntax.problem import Problems
from ..syntax.tree import (
    CallSubflow,
    Element,
    Expression,
    ForEach,
    Goto,
    Index,
    Label,
    LastError,
    LoopFrom,
    Name,
    Place,
    Property,
    Script,
    Set,
    Statement,
)
from .rules import Rules
from .similar_names import Nearest
from .walk import Visit, actions_of, expressions_of, nodes, rules_of


@dataclass(frozen=True, slots=True)
class Names:
    """What exists, in lower case by the spelling it was first met in."""

    variables: dict[str, str]

    def is_variable(self, name: str) -> bool:
        return name.lower() in self.variables


def names_of(script: Script, active: Sequence[Visit], rules: Rules) -> Names:
    """Everything that a script sets, is given or declares. Disabled rows set nothing."""
    found: dict[str, str] = {}
    for declared in (*script.inputs, *script.outputs):
        found.setdefault(declared.name.lower(), declared.name)
    for name in (*rules.given, *script.sensitive):
        found.setdefault(name.lower(), name)
    for visit in active:
        for name in _assigned(visit.statement):
            found.setdefault(name.lower(), name)
    return Names(found)


def _assigned(statement: Statement) -> Iterator[str]:
    if isinstance(statement, Set) and isinstance(statement.target, Name):
        yield statement.target.name
    elif isinstance(statement, ForEach | LoopFrom):
        if statement.variable:
            yield statement.variable
    elif isinstance(statement, LastError):
        yield statement.variable
    for rule in rules_of(statement):
        if isinstance(rule.target, Name):
            yield rule.target.name
    for action in actions_of(statement):
        for _, variable in action.outputs:
            yield variable
        spec = lookup(action.id)
        if spec is not None and any(argument.in_place for argument in spec.arguments or ()):
            for name, value in action.arguments:
                argument = spec.argument(name)
                if argument is not None and argument.in_place and isinstance(value, Name):
                    yield value.name


def check_names(script: Script, active: Sequence[Visit], names: Names, nearest: Nearest, problems: Problems) -> None:
    unknown: dict[str, list[Place]] = {}
    spelled: dict[str, str] = {}
    for visit in active:
        excused = _excused(visit.statement, names)
        for expression in expressions_of(visit.statement):
            for node in _read(expression):
                if isinstance(node, Name) and not names.is_variable(node.name) and node.place not in excused:
                    unknown.setdefault(node.name.lower(), []).append(node.place)
                    spelled.setdefault(node.name.lower(), node.name)
    for key, places in unknown.items():
        name = spelled[key]
        near = nearest(key, names.variables, 0.8)
        more = f" It is used in {len(places)} places." if len(places) > 1 else ""
        hint = f"Is it '{near}'?" if near else "Set it, or declare it as an @INPUT."
        problems.error("UnknownVariable", places[0], f"The variable '{name}' is set nowhere.{more}", hint)
    _check_calls(script, active, nearest, problems)
    _check_labels(active, problems)


def _read(expression: Expression) -> Iterator[Expression]:
    for node in nodes(expression):
        if not isinstance(node, Element):
            yield node


def _excused(statement: Statement, names: Names) -> set[Place]:
    """Bare words that are no variables: enumerations without their type, and the fields of an extraction."""
    found: set[Place] = set()
    for action in actions_of(statement):
        spec = lookup(action.id)
        for name, value in action.arguments:
            if name.lower() == "extractionparameters":
                found.update(node.place for node in nodes(value))
            elif isinstance(value, Name) and spec is not None and not names.is_variable(value.name):
                argument = spec.argument(name)
                values, _ = enum_values(argument.type) if argument is not None else ((), False)
                if value.name.lower() in (each.lower() for each in values):
                    found.add(value.place)
    return found


def _check_calls(script: Script, active: Sequence[Visit], nearest: Nearest, problems: Problems) -> None:
    known = {key: subflow.name for key, subflow in script.subflows.items()}
    met = {"main"}
    for visit in active:
        called = [(visit.statement.name, visit.statement.place)] if isinstance(visit.statement, CallSubflow) else []
        called += [(rule.name, rule.place) for rule in rules_of(visit.statement) if rule.kind == "call"]
        for name, place in called:
            if name.lower() in known or name.lower() in met:
                continue
            met.add(name.lower())
            near = nearest(name, known, 0.7)
            otherwise = "A text copied from the designer holds one subflow; put the others behind it with FUNCTION."
            problems.error(
                "UnknownSubflow",
                place,
                f"There is no subflow '{name}'.",
                f"Is it '{near}'?" if near else otherwise,
            )


def _check_labels(active: Sequence[Visit], problems: Problems) -> None:
    labels: dict[tuple[str, str], Visit] = {}
    for visit in active:
        if isinstance(visit.statement, Label):
            key = (visit.subflow.lower(), visit.statement.name.lower())
            if key in labels:
                problems.error(
                    "DuplicateLabel",
                    visit.statement.place,
                    f"There is another label '{visit.statement.name}' in this subflow.",
                    "Rename one of them.",
                )
            labels.setdefault(key, visit)
    for visit in active:
        jumps = [(visit.statement.name, visit.statement.place)] if isinstance(visit.statement, Goto) else []
        jumps += [(rule.name, rule.place) for rule in rules_of(visit.statement) if rule.kind == "goto"]
        for name, place in jumps:
            target = labels.get((visit.subflow.lower(), name.lower()))
            if target is None:
                elsewhere = next((each for (_, label), each in labels.items() if label == name.lower()), None)
                problems.error(
                    "UnknownLabel",
                    place,
                    f"There is no label '{name}' in the subflow '{visit.subflow}'.",
                    f"There is one in '{elsewhere.subflow}', but GOTO stays in its subflow."
                    if elsewhere is not None
                    else f"Write LABEL {name} where to go on.",
                )
            elif target.around != visit.around[: len(target.around)]:
                problems.error(
                    "LabelOutOfScope",
                    place,
                    f"The label '{name}' stands in a loop or block that GOTO would enter from outside.",
                    "Move the label out of it, or the GOTO into it.",
                )


def root(expression: Expression) -> Name | None:
    """The variable that a chain of properties and indexes begins with."""
    while isinstance(expression, Property | Index):
        expression = expression.target
    return expression if isinstance(expression, Name) else None
