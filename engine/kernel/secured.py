"""Secured inputs and outputs: hidden wherever history is shown, never from expressions.

Rules: Logic Apps, "Secure access and data": `runtimeConfiguration.secureData.properties` hides an action's inputs or
outputs; an action that uses secured outputs gets its inputs hidden too, and Compose, ParseJson and Response their
outputs as well; it goes one step, no further. Passwords and keys in `authentication` are never shown.
"""

from __future__ import annotations

from typing import Any, Final

from ..cloud import Action, Definition, key_of
from ..cloud import walk as walk_actions
from ..cloud.script import dependencies
from ..errors import ExpressionError
from ..expressions import Call, Literal, find_expressions, walk
from .plan import Node

_READERS: Final = frozenset(
    {
        "outputs",
        "body",
        "actions",
        "actionoutputs",
        "actionbody",
        "formdatavalue",
        "formdatamultivalues",
        "multipartbody",
        "result",
    }
)
_TRIGGER_READERS: Final = frozenset(
    {
        "trigger",
        "triggers",
        "triggerbody",
        "triggeroutputs",
        "triggerformdatavalue",
        "triggerformdatamultivalues",
        "triggermultipartbody",
    }
)
_ECHOES: Final = frozenset(
    {"compose", "parsejson", "response", "setvariable", "incrementvariable", "decrementvariable", "switch"}
)
"""Types whose outputs repeat their inputs."""
_REQUESTS: Final = frozenset({"subscribe", "unsubscribe"})
_HIDDEN: Final = "The message is hidden, since the action's values are secured."
_TRIGGER: Final = "\0trigger"


class Secured:
    """What of a definition's actions is hidden: `inputs`, `outputs`, both or nothing, by action."""

    def __init__(self, definition: Definition) -> None:
        self._hidden: dict[str, set[str]] = {}
        secret: set[str] = set()
        containers: set[str] = set()
        for action in definition.all_actions():
            own = _properties(action.raw)
            if own:
                self._hidden[action.key] = set(own)
                if "inputs" in own and action.type in _ECHOES:
                    self._hidden[action.key].add("outputs")
            if "outputs" in own:
                secret.add(action.key)
        self.trigger = frozenset().union(*(_properties(trigger.raw) for trigger in definition.triggers))
        if "outputs" in self.trigger:
            secret.add(_TRIGGER)
        if not secret:
            return
        for action in definition.all_actions():
            # What is read of a container may tell the records of what is in it.
            if action.branches and any(
                inner.key in secret for branch in action.branches for inner in walk_actions(branch.actions)
            ):
                containers.add(action.key)
        for action in definition.all_actions():
            own_parts = {
                name: value for name, value in action.raw.items() if name not in ("actions", "else", "cases", "default")
            }
            script = action.type == "javascriptcode" and _script_reads(action, secret, containers)
            if script or _reads(own_parts, secret, containers):
                hidden = self._hidden.setdefault(action.key, set())
                hidden.add("inputs")
                if action.type in _ECHOES:
                    hidden.add("outputs")

    def of(self, key: str) -> frozenset[str]:
        """What of an action is hidden: `inputs`, `outputs`, both or nothing."""
        return frozenset(self._hidden.get(key, ()))

    def hide(self, entry: dict[str, Any], node: Node) -> dict[str, Any]:
        """The entry without what must not be shown; `secured` then lists what was left out."""
        hidden = self._hidden.get(node.key, set())
        if isinstance(entry.get("inputs"), dict):
            entry = {**entry, "inputs": _without_credentials(entry["inputs"])}
        if not hidden:
            return entry
        error = entry.get("error")
        if isinstance(error, dict):
            # A message may quote the value that it complains about.
            entry = {**entry, "error": {"code": error.get("code"), "message": _HIDDEN}}
        shown = {name: value for name, value in entry.items() if name not in ("trackedProperties", "trackingError")}
        return {**shown, **dict.fromkeys(hidden), "secured": sorted(hidden)}


def _properties(raw: dict[str, Any]) -> set[str]:
    runtime = raw.get("runtimeConfiguration")
    secure = runtime.get("secureData") if isinstance(runtime, dict) else None
    given = secure.get("properties") if isinstance(secure, dict) else None
    return {str(name).lower() for name in given} & {"inputs", "outputs"} if isinstance(given, list) else set()


def _without_credentials(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs, and the requests of a webhook action in them, without what they authenticate themselves with."""
    shown = {
        name: _without_credentials(part) if name in _REQUESTS and isinstance(part, dict) else part
        for name, part in inputs.items()
    }
    if "authentication" in shown:
        shown["authentication"] = _kind_only(shown["authentication"])
    return shown


def _kind_only(authentication: Any) -> Any:
    return {"type": authentication.get("type")} if isinstance(authentication, dict) else None


def _reads(value: Any, secret: set[str], containers: set[str]) -> bool:
    try:
        found = list(find_expressions(value))
    except ExpressionError:
        return False
    for each in found:
        for node in walk(each.node) if each.node is not None else ():
            if not isinstance(node, Call):
                continue
            if node.key in _TRIGGER_READERS and _TRIGGER in secret:
                return True
            if node.key in _READERS and node.args:
                name = node.args[0]
                # A computed name may mean any action: hide rather than show.
                if not isinstance(name, Literal):
                    return True
                key = key_of(name.value) if isinstance(name.value, str) else ""
                if key in secret or key in containers:
                    return True
    return False


def _script_reads(action: Action, secret: set[str], containers: set[str]) -> bool:
    """Whether the code of a JavaScriptCode action gets secured outputs."""
    reads = dependencies(action.inputs)
    if reads.trigger and _TRIGGER in secret:
        return True
    return any(key_of(name) in secret or key_of(name) in containers for name in reads.actions)
