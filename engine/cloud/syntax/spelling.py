"""How the properties of a definition are spelled, and a definition's own spelling made the same.

The hosts compare names of properties whatever their case. Here a definition's own properties are put into the usual
spelling once, when it is parsed; names that the flow chooses (actions, cases, what is in inputs) are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from .definition import JsonObject


def spelled(*names: str) -> Mapping[str, str]:
    """The usual spelling by lower-case name."""
    return {name.lower(): name for name in names}


DEFINITION = spelled(
    "$schema", "contentVersion", "triggers", "actions", "parameters", "outputs", "staticResults", "description",
    "metadata",
)  # fmt: skip
"""Properties of a definition."""

TRIGGER = spelled(
    "type", "kind", "inputs", "recurrence", "evaluatedRecurrence", "conditions", "splitOn",
    "splitOnConfiguration", "correlation", "runtimeConfiguration", "operationOptions", "limit",
    "trackedProperties", "description", "metadata",
)  # fmt: skip
"""Properties of a trigger."""

ACTION = spelled(
    "type", "kind", "inputs", "runAfter", "actions", "else", "cases", "default", "expression", "foreach",
    "limit", "runtimeConfiguration", "operationOptions", "trackedProperties", "correlation", "conditions",
    "description", "metadata",
)  # fmt: skip
"""Properties of an action; which of them belong to which type is for `check`."""

BRANCH = spelled("actions", "case")
"""Properties of what holds actions without being one: `else`, `default`, a case."""


def usual(raw: JsonObject, names: Mapping[str, str]) -> JsonObject:
    """The object with its properties in the usual spelling, itself where they are so.

    Of one that stands twice the second is kept as it is.
    """
    if all(names.get(name.lower(), name) == name for name in raw):
        return raw
    found: JsonObject = {}
    for name, value in raw.items():
        right = names.get(name.lower(), name)
        found[name if right in raw or right in found else right] = value
    return found
