"""What the hosts do otherwise, and the checker tells: pushing triggers, paths, polls without recurrence, Stateless."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.engine.cloud import check, read_object

ACTIONS = {"A": {"type": "Compose", "inputs": 1}}
PUSHED = {"serviceProviderConfiguration": {"connectionName": "c", "operationId": "o", "serviceProviderId": "s"}}
HTTP = {"method": "GET", "uri": "https://example.com"}


def told(trigger: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = check(read_object({"triggers": {"T": trigger}, "actions": ACTIONS}))
    serious = [each for each in found if each.severity != "info"]
    return [(each.code, each.severity, each.at.removeprefix("/triggers/T")) for each in serious]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ({"type": "Request", "kind": "Http", "inputs": {"relativePath": "/{id}", "method": "GET"}}, None),
        (
            {"type": "Request", "kind": "Http", "inputs": {"relativePath": "/{id}"}},
            ("InvalidInputs", "/inputs/relativePath"),
        ),
        ({"type": "Http", "inputs": HTTP, "recurrence": {"frequency": "Hour", "interval": 1}}, None),
        ({"type": "Http", "inputs": HTTP}, ("InvalidRecurrence", "")),
        ({"type": "ServiceProvider", "inputs": PUSHED}, None),
        ({"type": "ServiceProvider", "kind": "Push", "inputs": PUSHED}, ("NotYetSupported", "/kind")),
    ],
)
def test_triggers(trigger: dict[str, Any], expected: tuple[str, str] | None) -> None:
    assert told(trigger) == ([(expected[0], "warning", expected[1])] if expected else [])


@pytest.mark.parametrize(("kind", "count"), [("Stateful", 0), ("stateless", 1)])
def test_a_stateless_flow_is_stored_all_the_same(kind: str, count: int) -> None:
    triggers = {"manual": {"type": "Request", "kind": "Http"}}
    found = check(read_object({"definition": {"triggers": triggers, "actions": ACTIONS}, "kind": kind}))
    assert [(each.code, each.severity, each.at) for each in found] == [("StatelessStored", "info", "/kind")] * count
