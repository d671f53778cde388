"""What the checker says of HttpWebhook actions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sealflow.engine.cloud import report

REQUEST = {"method": "POST", "uri": "https://example.org/hooks", "body": "@listCallbackUrl()"}


def problems(inputs: Any, **more: Any) -> list[tuple[str, str, str]]:
    definition = {
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {"Hook": {"type": "HttpWebhook", "inputs": inputs, "runAfter": {}, **more}},
    }

    found = report(json.dumps(definition).encode(), "hook")["problems"]
    return [(each["severity"], each["code"], each["at"]) for each in found]


@pytest.mark.parametrize(
    "inputs",
    [
        {"subscribe": REQUEST},
        {"subscribe": REQUEST, "unsubscribe": {}},
        {"subscribe": REQUEST, "unsubscribe": {"method": "DELETE", "uri": "https://example.org/hooks"}},
        {"subscribe": {**REQUEST, "retryPolicy": {"type": "fixed", "count": 2, "interval": "PT10S"}}},
        {"subscribe": "@triggerBody()"},
    ],
)
def test_it_is_accepted(inputs: Any) -> None:
    assert problems(inputs, limit={"timeout": "P1D"}) == []


@pytest.mark.parametrize(
    ("inputs", "at"),
    [
        ({"unsubscribe": REQUEST}, "/actions/Hook/inputs"),
        ({"subscribe": {"uri": "https://example.org"}}, "/actions/Hook/inputs/subscribe"),
        ({"subscribe": "https://example.org"}, "/actions/Hook/inputs/subscribe"),
        ({"subscribe": REQUEST, "unsubscribe": {"method": "POST"}}, "/actions/Hook/inputs/unsubscribe"),
    ],
)
def test_it_needs_a_method_and_an_address(inputs: Any, at: str) -> None:
    assert problems(inputs) == [("error", "InvalidInputs", at)]


def test_its_retry_policy_belongs_to_the_subscription() -> None:
    odd = {"subscribe": {**REQUEST, "retryPolicy": {"type": "often"}}}
    assert problems(odd) == [("error", "InvalidRetryPolicy", "/actions/Hook/inputs/subscribe/retryPolicy/type")]
    outside = {"subscribe": REQUEST, "retryPolicy": {"type": "none"}}
    assert problems(outside) == [("warning", "InvalidRetryPolicy", "/actions/Hook/inputs/retryPolicy")]
