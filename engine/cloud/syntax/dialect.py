"""Which product a definition was written for, told from its shape alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .definition import Action, Dialect, Trigger

# Kinds of the Request trigger that only Power Automate's designer writes.
_KINDS = frozenset({"button", "powerapp", "powerappv2", "skills", "virtualagent", "apiconnection"})


def detect(triggers: Iterable[Trigger], actions: Iterable[Action], parameters: Mapping[str, Any]) -> Dialect:
    """The dialect of a definition whose file does not say.

    Signs of Power Automate: OpenApiConnection types, the injected `$authentication` parameter, Request kinds of its
    own, child flows by `workflowReferenceName`, and the `operationMetadataId` its designer writes.
    """
    if any(name.lower() == "$authentication" for name in parameters):
        return "power-automate"
    for trigger in triggers:
        if _is_power_automate(trigger.type, trigger.raw):
            return "power-automate"
        if trigger.type == "request" and trigger.kind in _KINDS:
            return "power-automate"
    for action in actions:
        if _is_power_automate(action.type, action.raw):
            return "power-automate"
        if action.type == "workflow" and isinstance(action.inputs, dict):
            host = action.inputs.get("host")
            if isinstance(host, dict) and "workflowReferenceName" in host:
                return "power-automate"
    return "logic-apps"


def _is_power_automate(operation: str, raw: Mapping[str, Any]) -> bool:
    if operation.startswith("openapiconnection"):
        return True
    metadata = raw.get("metadata")
    return isinstance(metadata, dict) and "operationMetadataId" in metadata
