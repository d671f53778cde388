"""Rules about properties that nothing reads: misspelt, misplaced or unknown ones would else be ignored in silence.

The hosts compare the names of properties whatever their case; this engine does not, so a name in another case is an
error and not an unknown property.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .catalog import ACTIONS, CONTAINERS, nearest
from .definition import Action
from .outline import Outline
from .pointer import join
from .problem import Problems

_DEFINITION = (
    "$schema", "contentVersion", "triggers", "actions", "parameters", "outputs", "staticResults", "description",
    "metadata",
)  # fmt: skip
_TRIGGER = (
    "type", "kind", "inputs", "recurrence", "evaluatedRecurrence", "conditions", "splitOn", "splitOnConfiguration",
    "correlation", "runtimeConfiguration", "operationOptions", "limit", "trackedProperties", "description", "metadata",
)  # fmt: skip
_ACTION = (
    "type", "kind", "inputs", "runAfter", "actions", "else", "cases", "default", "expression", "foreach", "limit",
    "runtimeConfiguration", "operationOptions", "trackedProperties", "correlation", "conditions", "description",
    "metadata",
)  # fmt: skip

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
    _unknown(definition.raw, _DEFINITION, definition.pointer, "the definition", problems)
    for trigger in definition.triggers:
        _unknown(trigger.raw, _TRIGGER, trigger.pointer, f"trigger '{trigger.name}'", problems)
    for place in outline.places:
        if place.built:
            _unknown(place.action.raw, _ACTION, place.action.pointer, f"action '{place.action.name}'", problems)
            _branches(place.action, problems)


def _unknown(raw: Mapping[str, Any], known: Iterable[str], at: str, what: str, problems: Problems) -> None:
    spelled = {name.lower(): name for name in known}
    for name in raw:
        right = spelled.get(name.lower())
        if right == name:
            continue
        if right is not None:
            message = f"'{name[:80]}' of {what} must be written '{right}'; it is not read as it is."
            problems.error("MisspeltProperty", join(at, name), message)
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
