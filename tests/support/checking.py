"""The checker on a definition that a test writes down, without the notes that a short example cannot avoid."""

from __future__ import annotations

from typing import Any

from sealflow.engine.cloud import Problem, check, read_object

REQUEST = {"manual": {"type": "Request", "kind": "Http"}}

NOTES = frozenset({"ConstantCondition", "UnusedParameter", "UnusedVariable"})


def problems(actions: dict[str, Any], **more: Any) -> list[Problem]:
    """The problems of a definition with these actions and a Request trigger, without NOTES."""
    found = check(read_object({"triggers": REQUEST, "actions": actions, **more}))
    return [problem for problem in found if problem.code not in NOTES]
