"""Literal values as rules look at them: what is an expression is not judged, what is literal is."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from .arm.deployment import is_template_string

_EXAMPLES: Final[Mapping[str, str]] = {
    "string": '"text"',
    "securestring": '"text"',
    "int": "1",
    "float": "1.5",
    "number": "1.5",
    "bool": "true",
    "boolean": "true",
    "array": "[]",
    "object": "{}",
    "secureobject": "{}",
}


def is_dynamic(value: Any) -> bool:
    """Whether a value is only known later: an expression, or a template string that is still unresolved."""
    if not isinstance(value, str):
        return False
    return (value.startswith("@") and not value.startswith("@@")) or is_template_string(value)


def is_computed(value: Any) -> bool:
    """Whether a value is only known later, as a whole or, being a template with `@{…}`, in parts."""
    return is_dynamic(value) or (isinstance(value, str) and "@{" in value)


def is_instant(value: Any) -> bool:
    """Whether a literal is a text that the hosts read as a time."""
    if not isinstance(value, str):
        return False
    from ..expressions.dotnet.cultures import INVARIANT
    from ..expressions.dotnet.date_parse import parse_moment
    from ..expressions.dotnet.faults import FormatError

    try:
        parse_moment(value, INVARIANT)
    except FormatError:
        return False
    return True


def integer(value: Any) -> int | None:
    """An integer, also one written as text, as the hosts read it; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) <= 18 and value.strip().lstrip("+-").isdecimal():
        try:
            return int(value)
        except ValueError:
            return None
    return None


def shown(value: Any) -> str:
    """A short value as a message quotes it; of a long or structured one only what it is."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value[:40]}'"
        case int() | float():
            return repr(value)[:40] if abs(value) < 1e40 else "a number"
        case list():
            return "an array"
        case dict():
            return "an object"
    return "a number"


def fits(value: Any, kind: str) -> bool:
    """Whether a literal is of a parameter's or a variable's type, given lower-case; any value is of an unknown type."""
    match kind:
        case "string" | "securestring":
            return isinstance(value, str)
        case "int" | "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool" | "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object" | "secureobject":
            return isinstance(value, dict)
    return True


def parameter_option(name: str, kind: str = "string") -> str:
    """How a command is given a value for a parameter, with one of its type (lower-case): as a shell takes it."""
    return "--parameter " + shlex.quote(f"{name}={_EXAMPLES.get(kind, _EXAMPLES['string'])}")
