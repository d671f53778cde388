"""What a connector may answer: JSON values and nothing else, since whatever a flow sees is stored and compared.

Values that only look unlike JSON to Python (tuples, enumerations of texts, other mappings) are turned into JSON;
anything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

from ..engine.values import Value, is_elsewhere
from .port import ConnectorError

_PLAIN = frozenset({type(None), bool, int, float, Decimal, str})
_TEXT = frozenset({str})
# What is deeper could not be read back by every part of the engine; JSON text in definitions ends there, too.
_DEEPEST = 200


def as_value(given: object, what: str) -> Value:
    """`given` as a JSON value: the same object where it is one already. `what` names it in the error.

    Raises ConnectorError `InvalidReply` with the JSON pointer of the first member that is none.
    """
    if type(given) is dict and (not given or _is_flat(given)):
        return given
    return _value(given, what, "", 0)


def _value(given: object, what: str, at: str, depth: int) -> Value:
    kind = type(given)
    if kind in _PLAIN:
        return given  # type: ignore[return-value]
    if depth > _DEEPEST:
        raise ConnectorError("InvalidReply", f"{what} is nested more than {_DEEPEST} levels deep.")
    if kind is list or kind is tuple:
        return _list(given, what, at, depth)  # type: ignore[arg-type]
    if kind is dict or isinstance(given, Mapping):
        return _object(given, what, at, depth)  # type: ignore[arg-type]
    if isinstance(given, Enum):
        return _value(given.value, what, at, depth + 1)
    for base in (int, float, str):
        if isinstance(given, base):
            return base(given)
    if is_elsewhere(given):
        return given  # type: ignore[return-value]
    raise ConnectorError(
        "InvalidReply",
        f"{what} has a {kind.__name__} at '{at or '/'}', which is not a JSON value.",
        hint="Answer with texts, numbers, booleans, null, lists and dicts; bytes are a content object.",
    )


def _list(given: list[object] | tuple[object, ...], what: str, at: str, depth: int) -> Value:
    if type(given) is list and _PLAIN.issuperset(map(type, given)):
        return given
    changed = type(given) is tuple
    members: list[Value] = []
    for place, member in enumerate(given):
        value = member if type(member) in _PLAIN else _value(member, what, f"{at}/{place}", depth + 1)
        changed = changed or value is not member
        members.append(value)  # type: ignore[arg-type]
    return members if changed else given  # type: ignore[return-value]


def _is_flat(given: dict[object, object]) -> bool:
    """Whether it holds plain values under texts, as most objects do; two passes inside of the interpreter."""
    return _TEXT.issuperset(map(type, given)) and _PLAIN.issuperset(map(type, given.values()))


def _object(given: Mapping[object, object], what: str, at: str, depth: int) -> Value:
    if type(given) is dict and _is_flat(given):
        return given
    changed = type(given) is not dict
    members: dict[str, Value] = {}
    for name, member in given.items():
        if type(name) is not str:
            raise ConnectorError(
                "InvalidReply",
                f"{what} has a name that is not a text, but {name.__class__.__name__}, at '{at or '/'}'.",
            )
        value = member
        if type(member) not in _PLAIN:
            value = _value(member, what, f"{at}/{name.replace('~', '~0').replace('/', '~1')}", depth + 1)
            changed = changed or value is not member
        members[name] = value  # type: ignore[assignment]
    return members if changed else given  # type: ignore[return-value]
