"""Tracked properties and correlation as `check` sees them."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.engine.cloud import Source, check

PLACE = "/actions/A/trackedProperties"


def problems(action: dict[str, Any], **trigger: Any) -> list[tuple[str, str, str]]:
    definition = {
        "triggers": {"T": {"type": "Request", "kind": "Http", **trigger}},
        "parameters": {"p": {"type": "String", "defaultValue": "x"}},
        "actions": {"B": {"type": "Compose", "inputs": 1}, "A": {"type": "Compose", "inputs": 1, **action}},
    }
    found = check(Source(kind="definition", name="f", definition=definition, dialect="logic-apps"))
    return [(problem.code, problem.severity, problem.at) for problem in found if problem.severity != "info"]


@pytest.mark.parametrize(
    "properties",
    [{"a": 1, "b": "@action().outputs", "c": "@{parameters('p')}"}, "@json(string(action().outputs))", {}],
)
def test_what_tracked_properties_may_be(properties: Any) -> None:
    assert problems({"trackedProperties": properties}) == []


@pytest.mark.parametrize("call", ["utcNow()", "triggerBody()", "outputs('B')", "variables('v')", "concat(guid(), 'a')"])
def test_what_they_cannot_use(call: str) -> None:
    found = problems({"trackedProperties": {"a": f"@{call}"}, "runAfter": {"B": ["Succeeded"]}})
    assert ("InvalidTrackedProperties", "warning", f"{PLACE}/a") in found


@pytest.mark.parametrize("properties", [5, "text", [1]])
def test_they_are_an_object(properties: Any) -> None:
    assert ("InvalidTrackedProperties", "error", PLACE) in problems({"trackedProperties": properties})


def test_correlation_belongs_to_triggers() -> None:
    assert problems({}, correlation={"clientTrackingId": "@triggerBody()?['id']"}) == []
    assert ("InvalidCorrelation", "error", "/triggers/T/correlation") in problems({}, correlation="x")
    assert ("NotYetSupported", "warning", "/actions/A/correlation") in problems({"correlation": {"a": 1}})
    assert ("NotYetSupported", "warning", "/triggers/T/trackedProperties") in problems({}, trackedProperties={"a": 1})
