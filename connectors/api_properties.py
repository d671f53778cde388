"""What a connector's `apiProperties.json` says of its connections: parameter sets, what each parameter needs, and the
class that decides whose key seals a connection.

The format is that of custom connectors in Power Platform: `properties.connectionParameters` is one set,
`properties.connectionParameterSets.values` are several to choose from. Nothing here sees a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from ..engine.errors import SealflowError

_OAUTH: Final = "oauthsetting"
_SECURED: Final = frozenset({"securestring", "secureobject", _OAUTH})


@dataclass(frozen=True, slots=True)
class ConnectionParameter:
    """One parameter. `secured`: its value is a secret. `required`: a connection cannot be made without it, which is
    never so of an OAuth setting, since its token comes from signing in. `allowed` is empty where any value is.
    """

    name: str
    type: str
    required: bool
    secured: bool
    allowed: tuple[str, ...] = ()
    default: str | None = None

    @property
    def oauth(self) -> bool:
        return self.type.lower() == _OAUTH


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """The parameters of one way to connect. `name` is None for a connector that has only one."""

    name: str | None
    parameters: tuple[ConnectionParameter, ...]

    @property
    def oauth(self) -> bool:
        """The class of a connection made with it: a parameter has the type `oauthSetting`, in any case."""
        return any(each.oauth for each in self.parameters)

    def parameter(self, name: str) -> ConnectionParameter:
        """A parameter by name. Raises SealflowError, code `UnknownParameter`."""
        for each in self.parameters:
            if each.name == name:
                return each
        known = [each.name for each in self.parameters]
        raise SealflowError(
            f"The connection has no parameter '{name}'.", code="UnknownParameter", hint=_nearest(name, known)
        )

    def completed(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values of a connection: those that were given, and the defaults.

        Raises SealflowError where they cannot make a connection: `UnknownParameter`, `MissingParameter`,
        `InvalidParameter` (not among the allowed ones). No message repeats a value that is a secret.
        """
        for name, value in values.items():
            found = self.parameter(name)
            if found.allowed and value not in found.allowed:
                shown = "Its value" if found.secured else f"'{value}'"
                raise SealflowError(
                    f"{shown} is not allowed for the parameter '{name}'.",
                    code="InvalidParameter",
                    hint=f"It takes {', '.join(found.allowed)}.",
                )
        defaults = {each.name: each.default for each in self.parameters if each.default is not None}
        missing = [each for each in self.parameters if each.required and each.name not in {**defaults, **values}]
        if missing:
            names = ", ".join(f"'{each.name}'" for each in missing)
            form = "@FILE" if missing[0].secured else "VALUE"
            raise SealflowError(
                f"The connection needs a value for {names}.",
                code="MissingParameter",
                hint=f"Give it with --value {missing[0].name}={form}",
            )
        return {**defaults, **values}


@dataclass(frozen=True, slots=True)
class ApiProperties:
    """The parameter sets of a connector; at least one, which may be empty."""

    sets: tuple[ParameterSet, ...]

    def choose(self, name: str | None) -> ParameterSet:
        """The set of that name, in any case; the only one where none is named. Raises SealflowError, code
        `UnknownParameterSet`.
        """
        known = [each.name for each in self.sets if each.name is not None]
        if name is None and len(self.sets) == 1:
            return self.sets[0]
        if name is None:
            raise SealflowError(
                "The connector can be connected to in several ways.",
                code="UnknownParameterSet",
                hint=f"Choose one with --set: {', '.join(known)}",
            )
        for each in self.sets:
            if each.name is not None and each.name.lower() == name.lower():
                return each
        hint = _nearest(name, known) if known else "It has only one; leave --set out."
        raise SealflowError(f"The connector has no parameter set '{name}'.", code="UnknownParameterSet", hint=hint)


def read_api_properties(document: Mapping[str, Any]) -> ApiProperties:
    """The parameter sets of an `apiProperties.json`. Raises SealflowError, code `InvalidApiProperties`.

    Where a connector has both forms, its sets count: `connectionParameters` is then for clients that know no sets.
    """
    properties = document.get("properties")
    if not isinstance(properties, Mapping):
        raise _invalid("There is no object 'properties'.")
    several = properties.get("connectionParameterSets")
    if several is None:
        return ApiProperties((_set(None, properties.get("connectionParameters")),))
    values = several.get("values") if isinstance(several, Mapping) else None
    if not isinstance(values, list) or not values:
        raise _invalid("'connectionParameterSets.values' is no list of parameter sets.")
    sets = []
    for each in values:
        if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
            raise _invalid("A parameter set has no name.")
        sets.append(_set(each["name"], each.get("parameters")))
    return ApiProperties(tuple(sets))


def _set(name: str | None, parameters: object) -> ParameterSet:
    if parameters is None:
        return ParameterSet(name, ())
    if not isinstance(parameters, Mapping):
        raise _invalid("The parameters of a connection are no object.")
    return ParameterSet(name, tuple(_parameter(key, value) for key, value in parameters.items()))


def _parameter(name: str, value: object) -> ConnectionParameter:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(kind, str):
        raise _invalid(f"The connection parameter '{name}' has no type.")
    display = value.get("uiDefinition")
    constraints = display.get("constraints") if isinstance(display, Mapping) else None
    if not isinstance(constraints, Mapping):
        constraints = {}
    secured = kind.lower() in _SECURED or _says(constraints, "clearText", False)
    required = (
        _says(constraints, "required", True) and kind.lower() != _OAUTH and not _says(constraints, "hidden", True)
    )
    default = value.get("defaultValue")
    return ConnectionParameter(
        name, kind, required, secured, _allowed(constraints.get("allowedValues")),
        None if default is None else str(default),
    )  # fmt: skip


def _says(constraints: Mapping[str, Any], name: str, wanted: bool) -> bool:
    """Whether a constraint has a truth value; real definitions write it as a text or as a boolean."""
    return str(constraints.get(name)).lower() == str(wanted).lower()


def _allowed(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        return ()
    return tuple(str(each["value"] if isinstance(each, Mapping) and "value" in each else each) for each in values)


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name.lower(), [each.lower() for each in known], n=1)
    if near:
        return f"Did you mean '{next(each for each in known if each.lower() == near[0])}'?"
    return f"It has {', '.join(known)}." if known else "It has none."


def _invalid(message: str) -> SealflowError:
    return SealflowError(
        message, code="InvalidApiProperties", hint="Give the apiProperties.json of a custom connector."
    )
