"""Rules about variables: where they are initialised, with what, and by what they are changed.

Source: Logic Apps, "Create and use variables": initialise at the top level, once, before any use; types; and the hosts'
refusal of a variable that is set from itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..catalog import VARIABLES
from ..literal import fits, is_dynamic
from ..outline import Outline, Place
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.pointer import join

TYPES = {
    "string": "String",
    "integer": "Integer",
    "float": "Float",
    "boolean": "Boolean",
    "array": "Array",
    "object": "Object",
}

MAXIMUM_VARIABLES = 250

# What each action can change.
_CHANGED: dict[str, frozenset[str]] = {
    "incrementvariable": frozenset({"integer", "float"}),
    "decrementvariable": frozenset({"integer", "float"}),
    "appendtostringvariable": frozenset({"string"}),
    "appendtoarrayvariable": frozenset({"array"}),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable by the action that initialises it; `type` is lower-case."""

    name: str
    type: str
    place: Place
    pointer: str


def variables_of(outline: Outline) -> dict[str, Variable]:
    """The variables of a definition by lower-case name; the first of a name counts."""
    found: dict[str, Variable] = {}
    for variable in _declared(outline):
        found.setdefault(variable.name.lower(), variable)
    return found


def _declared(outline: Outline) -> Iterator[Variable]:
    for place in outline.places:
        if place.action.type != "initializevariable":
            continue
        listed = place.action.inputs.get("variables") if isinstance(place.action.inputs, dict) else None
        for index, entry in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                kind = entry.get("type")
                at = join(place.action.pointer, "inputs", "variables", index)
                yield Variable(entry["name"], kind.lower() if isinstance(kind, str) else "", place, at)


def check_variables(outline: Outline, problems: Problems, variables: dict[str, Variable]) -> None:
    """All rules of this file; uses of a variable inside expressions are checked with the expressions."""
    for place in outline.places:
        if not place.built:
            continue
        if place.action.type == "initializevariable":
            _initialize(place, problems)
        elif place.action.type in VARIABLES:
            _change(place, outline, problems, variables)
    if len(variables) > MAXIMUM_VARIABLES:
        message = f"{len(variables)} variables are more than the {MAXIMUM_VARIABLES} that the hosts accept."
        problems.warning("TooManyVariables", join(outline.definition.pointer, "actions"), message)
    seen: dict[str, Variable] = {}
    for variable in _declared(outline):
        first = seen.setdefault(variable.name.lower(), variable)
        if first is not variable:
            problems.error(
                "DuplicateVariable",
                join(variable.pointer, "name"),
                f"The variable '{variable.name}' is already initialised by '{first.place.action.name}'.",
                "Use SetVariable to change it.",
            )


def _initialize(place: Place, problems: Problems) -> None:
    action = place.action
    if place.parent is not None:
        problems.error(
            "VariableNotAtTopLevel",
            action.pointer,
            f"'{action.name}' initialises a variable inside '{place.parent.action.name}'.",
            "Initialise variables at the top level and set them inside.",
        )
    at = join(action.pointer, "inputs")
    listed = action.inputs.get("variables") if isinstance(action.inputs, dict) else None
    if not isinstance(listed, list) or not listed:
        problems.error("InvalidVariable", at, f"'{action.name}' must list the 'variables' it initialises.")
        return
    for index, entry in enumerate(listed):
        here = join(at, "variables", index)
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
            problems.error("InvalidVariable", here, f"A variable of '{action.name}' needs a 'name'.")
            continue
        kind = entry.get("type")
        if not isinstance(kind, str) or kind.lower() not in TYPES:
            problems.error(
                "InvalidVariable",
                join(here, "type") if "type" in entry else here,
                f"The variable '{entry['name']}' has no known type.",
                f"Types are {', '.join(TYPES.values())}.",
            )
        elif entry.get("value") is not None and not _fits(entry["value"], kind.lower()):
            problems.error(
                "VariableTypeMismatch",
                join(here, "value"),
                f"The first value of '{entry['name']}' is {_named(entry['value'])}, not of type {TYPES[kind.lower()]}.",
            )


def _change(place: Place, outline: Outline, problems: Problems, variables: dict[str, Variable]) -> None:
    action = place.action
    at = join(action.pointer, "inputs")
    name = action.inputs.get("name") if isinstance(action.inputs, dict) else None
    if not isinstance(name, str) or not name:
        problems.error("InvalidInputs", at, f"'{action.name}' must name the variable it changes.")
        return
    if name.startswith("@"):
        problems.error(
            "InvalidInputs", join(at, "name"), f"'{action.name}' must name its variable, not compute the name."
        )
        return
    variable = variables.get(name.lower())
    if variable is None:
        other = nearest(name, (each.name for each in variables.values()))
        problems.error(
            "UnknownVariable",
            join(at, "name"),
            f"'{action.name}' changes the variable '{name}', which is not initialised anywhere.",
            f"Did you mean '{other}'?" if other else "Add an InitializeVariable action at the top level.",
        )
        return
    if not outline.has_run(variable.place, place):
        problems.error(
            "VariableNotReachable",
            join(at, "name"),
            f"'{action.name}' may run before '{variable.place.action.name}' has initialised the variable '{name}'.",
            "Let it run after that action, directly or through others.",
        )
    if variable.type in TYPES:
        _change_type(place, variable, problems)


def _change_type(place: Place, variable: Variable, problems: Problems) -> None:
    action = place.action
    at = join(action.pointer, "inputs")
    allowed = _CHANGED.get(action.type)
    if allowed is not None and variable.type not in allowed:
        problems.error(
            "VariableTypeMismatch",
            join(at, "name"),
            f"{VARIABLES[action.type]} '{action.name}' cannot change '{variable.name}' of type {TYPES[variable.type]}.",
        )
        return
    value = action.inputs.get("value") if isinstance(action.inputs, dict) else None
    wanted = variable.type if allowed is None or "integer" in allowed else ""
    if wanted and value is not None and not _fits(value, wanted):
        problems.error(
            "VariableTypeMismatch",
            join(at, "value"),
            f"'{action.name}' gives {_named(value)} to '{variable.name}' of type {TYPES[variable.type]}.",
        )


def _fits(value: Any, kind: str) -> bool:
    """Whether a value as written may become one of the type: an expression may, a template is always text."""
    if is_dynamic(value) and not value.startswith("@{"):
        return True
    return fits(value, kind)


def _named(value: Any) -> str:
    match value:
        case bool():
            return "a boolean"
        case str():
            return "text"
        case list():
            return "an array"
        case dict():
            return "an object"
        case int():
            return "an integer"
    return "a float"
