"""An action whose expressions know where they stand: for a trace, which tells the place of everything it shows.

A `Placed` is a string like any other that carries its JSON pointer within the action. Whoever compiles it can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from ...expressions import find_expressions
from .definition import Action
from .expression_sites import fields
from .pointer import join

_CONDITIONS: Final = frozenset({"expression", "conditions"})
"""Properties whose members may be operators: their names are evaluated too."""
_WHERE: Final = "where"
_DEEPEST: Final = 200
"""Levels that are followed, those which can be compiled."""


class Placed(str):
    """A string of an action with its JSON pointer (RFC 6901) there."""

    __slots__ = ("pointer",)

    pointer: str

    @classmethod
    def at(cls, text: str, pointer: str) -> Placed:
        placed = cls(text)
        placed.pointer = pointer
        return placed


def placed(action: Action) -> Action:
    """The same action, its strings with expressions in them and its operators being `Placed`."""
    evaluated = {name for name, _, _, _ in fields(action.raw, action.type, "")}
    raw = {
        name: _placed(value, join("", name), name in _CONDITIONS, 0) if name in evaluated else value
        for name, value in action.raw.items()
    }
    given = raw.get("inputs")
    if action.type == "query" and isinstance(given, dict) and _WHERE in given:
        raw["inputs"] = {**given, _WHERE: _placed(given[_WHERE], join("", "inputs", _WHERE), True, 0)}
    conditions = tuple(each["expression"] for each in raw.get("conditions") or () if "expression" in each)
    return replace(action, raw=raw, inputs=raw.get("inputs"), conditions=conditions)


def expressions(action: Action) -> Iterator[tuple[str, str]]:
    """Where the action has expressions and the string each stands in, in the order of the document."""
    seen: set[str] = set()
    for _, _, pointer, value in fields(action.raw, action.type, ""):
        for found in find_expressions(value, pointer):
            if found.pointer not in seen:
                seen.add(found.pointer)
                yield found.pointer, found.text


def _placed(value: Any, pointer: str, operators: bool, depth: int) -> Any:
    if depth > _DEEPEST:
        return value
    if isinstance(value, str):
        return Placed.at(value, pointer) if "@" in value else value
    if isinstance(value, list):
        return [_placed(item, join(pointer, index), operators, depth + 1) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {
            Placed.at(name, join(pointer, name)) if operators or "@" in name else name: _placed(
                member, join(pointer, name), operators, depth + 1
            )
            for name, member in value.items()
        }
    return value
