"""The values of a definition's parameters when a run starts.

Source: workflow definition language, parameters: their types. `$connections` and `$authentication` are the host's to
fill in: a flow gets references that name the connection and hold no secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ....cloud import Definition, Parameter, picked_connections
from ....cloud.literal import parameter_option
from ....errors import DefinitionError
from ....values import to_json, type_name

_EMPTY: Final[dict[str, Any]] = {
    "string": "",
    "securestring": "",
    "int": 0,
    "float": 0.0,
    "bool": False,
    "array": [],
    "object": {},
    "secureobject": {},
}
_INJECTED: Final = frozenset({"$connections", "$authentication"})


def resolve(
    definition: Definition,
    given: Mapping[str, Any],
    *,
    simulate: bool = False,
    connections: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Values by lower-case name: the given one, else the default.

    In a simulation a missing value is an empty one of its type.

    `connections` are the definition's `connection_names`, where they are known already. Raises DefinitionError:
    UnknownParameter, MissingParameter, InvalidParameterType, ValueNotAllowed.
    """
    declared = {parameter.key: parameter for parameter in definition.parameters}
    wanted = {name.lower(): (name, value) for name, value in given.items()}
    for key, (name, _) in wanted.items():
        if key not in declared:
            near = difflib.get_close_matches(name, [each.name for each in definition.parameters], n=1)
            raise DefinitionError(
                f"The flow has no parameter '{name}'.",
                code="UnknownParameter",
                at=definition.pointer + "/parameters",
                hint=f"Did you mean '{near[0]}'?"
                if near
                else "Its parameters are listed under 'parameters' in the definition.",
            )
    values: dict[str, Any] = {}
    for key, parameter in declared.items():
        if key in wanted:
            values[key] = _checked(parameter, wanted[key][1])
        elif parameter.has_default:
            values[key] = parameter.default
        elif key in _INJECTED:
            values[key] = {}
        elif simulate:
            values[key] = _EMPTY.get(parameter.type)
        else:
            raise DefinitionError(
                f"The parameter '{parameter.name}' has no default and no value was given.",
                code="MissingParameter",
                at=parameter.pointer,
                hint=f"Give one, e.g. {parameter_option(parameter.name, parameter.type)}",
            )
    values["$authentication"] = values.get("$authentication") or {}
    names = connections if connections is not None else connection_names(definition)
    values["$connections"] = _connections(names, values.get("$connections"))
    return values


def _checked(parameter: Parameter, value: Any) -> Any:
    kind = parameter.type
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "string": isinstance(value, str),
        "securestring": isinstance(value, str),
        "int": number and isinstance(value, int),
        "float": number,
        "bool": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "secureobject": isinstance(value, dict),
    }.get(kind, True)
    if not fits:
        raise DefinitionError(
            f"The parameter '{parameter.name}' is of type {kind} and cannot take a value of type {type_name(value)}.",
            code="InvalidParameterType",
            at=parameter.pointer,
            hint="A value is JSON: strings stand in double quotes.",
        )
    allowed = parameter.allowed
    if allowed is not None and not any(type(each) is type(value) and each == value for each in allowed):
        raise DefinitionError(
            f"The parameter '{parameter.name}' must have one of the values that its definition allows.",
            code="ValueNotAllowed",
            at=parameter.pointer,
            hint=f"Allowed are {', '.join(map(to_json, allowed[:20]))}.",
        )
    return float(value) if kind == "float" else value


def _connections(names: Iterable[str], given: Any) -> dict[str, Any]:
    """`$connections` with an entry for each connection that the definition names."""
    connections = dict(given) if isinstance(given, dict) else {}
    if set(connections) == {"value"} and isinstance(connections["value"], dict):
        connections = dict(connections["value"])  # as ARM templates nest it
    for name in names:
        connections.setdefault(
            name,
            {"connectionId": f"/connections/{name}", "connectionName": name, "id": f"/managedApis/{name}"},
        )
    return connections


def connection_names(definition: Definition) -> tuple[str, ...]:
    """The connections that a definition names as `parameters('$connections')['name']`."""
    found: dict[str, None] = {}
    todo: list[Any] = [definition.raw]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            found.update(dict.fromkeys(picked_connections(each)))
        elif isinstance(each, dict):
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)
    return tuple(found)
