"""Rules about properties that nothing reads: misspelt, misplaced or unknown ones would else be ignored in silence.

A name in another case is read like the usual one, so it is reported only where both are there and one is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalog import ACTIONS, CONTAINERS
from ..outline import Outline
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import Action
from ..syntax.pointer import join
from ..syntax.spelling import ACTION, DEFINITION, TRIGGER

# The containers that each kind of branch belongs to.
_BRANCHES = {
    "actions": frozenset(CONTAINERS) - {"switch"},
    "else": frozenset({"if"}),
    "cases": frozenset({"switch"}),
    "default": frozenset({"switch"}),
}


def check_properties(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    definition = outline.definition
    _unknown(definition.raw, DEFINITION, definition.pointer, "the definition", problems)
    for trigger in definition.triggers:
        _unknown(trigger.raw, TRIGGER, trigger.pointer, f"trigger '{trigger.name}'", problems)
    for place in outline.places:
        if place.built:
            _unknown(place.action.raw, ACTION, place.action.pointer, f"action '{place.action.name}'", problems)
            _branches(place.action, problems)


def _unknown(raw: Mapping[str, Any], spelled: Mapping[str, str], at: str, what: str, problems: Problems) -> None:
    for name in raw:
        right = spelled.get(name.lower())
        if right == name:
            continue
        if right is not None:
            message = f"'{name[:80]}' of {what} stands beside '{right}' and is not read."
            problems.error("MisspeltProperty", join(at, name), message, "Remove one of the two.")
        else:
            other = nearest(name, spelled.values())
            hint = f"Did you mean '{other}'?" if other else None
            problems.warning(
                "UnknownProperty", join(at, name), f"'{name[:80]}' of {what} is not known and not read.", hint
            )


def _branches(action: Action, problems: Problems) -> None:
    for name, containers in _BRANCHES.items():
        if action.raw.get(name) and action.type not in containers:
            message = f"'{action.name}' has '{name}', but an action of type {ACTIONS[action.type]} never runs them."
            problems.error("UnexpectedBranch", join(action.pointer, name), message)
