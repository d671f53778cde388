"""Rules about secured data: which actions may hide their inputs or outputs from the history, and which should.

Warnings: what is written is kept as far as it goes, and the hosts refuse it.
Source: Logic Apps, "Secure access and data": secure inputs and outputs, supported operations; tracked properties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...expressions import Call, Literal, Node, walk
from ..catalog import ACTIONS, CONTAINERS, VARIABLES
from ..literal import is_dynamic, shown
from ..outline import Outline
from ..report.problem import Problems
from ..syntax.definition import JsonObject
from ..syntax.expression_sites import Site
from ..syntax.pointer import join, split

_NOTHING = frozenset({*VARIABLES, *CONTAINERS, "terminate"})
"""Actions that cannot hide anything."""

_INPUTS_ONLY = frozenset({"compose", "parsejson", "response", "wait"})
"""Actions whose outputs are hidden with their inputs and cannot be hidden alone."""


def check_secured(outline: Outline, problems: Problems, found: Sequence[Site]) -> None:
    """All rules of this file; `found` is every expression of the definition."""
    _secure_parameters(outline, problems, found)
    for trigger in outline.definition.triggers:
        allowed = frozenset[str]() if trigger.type == "recurrence" else frozenset({"inputs", "outputs"})
        _secured(trigger.raw, trigger.pointer, f"trigger '{trigger.name}'", allowed, problems)
    for place in outline.places:
        action = place.action
        if not place.built:
            continue
        allowed = frozenset({"inputs", "outputs"})
        if action.type in _NOTHING:
            allowed = frozenset()
        elif action.type in _INPUTS_ONLY:
            allowed = frozenset({"inputs"})
        what = f"{ACTIONS[action.type]} '{action.name}'"
        if _secured(action.raw, action.pointer, what, allowed, problems) and action.raw.get("trackedProperties"):
            problems.warning(
                "InvalidSecureData",
                join(action.pointer, "trackedProperties"),
                f"{what} has secured data and tracked properties; the hosts accept only one of the two.",
            )


def _secure_parameters(outline: Outline, problems: Problems, found: Sequence[Site]) -> None:
    """A secure parameter in an action that does not secure its inputs: the hosts show what it was there."""
    secure = {each.key: each.name for each in outline.definition.parameters if each.type.startswith("secure")}
    told: set[tuple[str, str]] = set()
    for site in found if secure else ():
        if site.place is None or site.found.node is None:
            continue
        action = site.place.action
        steps = split(site.found.pointer.removeprefix(action.pointer))
        if "authentication" in steps[1:3] or _secures_inputs(action.raw):
            continue
        for node in walk(site.found.node):
            key = _parameter(node)
            if key in secure and not key.startswith("$") and (action.key, key) not in told:
                told.add((action.key, key))
                problems.warning(
                    "SecureParameterShown",
                    site.found.pointer,
                    f"The hosts show the secure parameter '{secure[key]}' in the history of '{action.name}'; "
                    "here it is hidden.",
                    'Secure the inputs: "runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}.',
                )


def _parameter(node: Node) -> str:
    """The parameter that a call reads, lower-case; empty where it is another call or computes the name."""
    if not isinstance(node, Call) or node.key != "parameters" or not node.args or not isinstance(node.args[0], Literal):
        return ""
    return str(node.args[0].value).lower()


def _secures_inputs(raw: JsonObject) -> bool:
    runtime = raw.get("runtimeConfiguration")
    written = runtime.get("secureData") if isinstance(runtime, dict) else None
    properties = written.get("properties") if isinstance(written, dict) else None
    return isinstance(properties, list) and any(str(name).lower() == "inputs" for name in properties)


def _secured(raw: JsonObject, pointer: str, what: str, allowed: frozenset[str], problems: Problems) -> bool:
    """Check the `secureData` of an action or trigger; whether it hides anything."""
    runtime = raw.get("runtimeConfiguration")
    written: Any = runtime.get("secureData") if isinstance(runtime, dict) else None
    if written is None or is_dynamic(written):
        return False
    at = join(pointer, "runtimeConfiguration", "secureData")
    properties = written.get("properties") if isinstance(written, dict) else None
    if not isinstance(properties, list):
        message = f"The 'secureData' of {what} must be an object with a list 'properties'."
        problems.warning("InvalidSecureData", at, message, 'For example {"properties": ["inputs", "outputs"]}.')
        return False
    for index, name in enumerate(properties):
        here = join(at, "properties", index)
        key = name.lower() if isinstance(name, str) else ""
        if key not in ("inputs", "outputs"):
            message = f"{what[:1].upper()}{what[1:]} cannot secure {shown(name)}."
            problems.warning("InvalidSecureData", here, message, "What can be secured are inputs and outputs.")
        elif key not in allowed:
            message = f"The hosts do not accept secured {key} of {what}."
            problems.warning("InvalidSecureData", here, message)
    return bool(properties)
