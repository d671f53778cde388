"""What `check` says of batch triggers and of the actions that send to them."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.engine.cloud import check, read_object

HOST = {"triggerName": "B", "workflow": {"id": "/subscriptions/s/workflows/receiver"}}
AT = "/triggers/B/inputs/configurations/Orders"


def problems(trigger: Any = None, action: Any = None) -> set[tuple[str, str]]:
    """(code, pointer) of each error."""
    definition: dict[str, Any] = {"triggers": {"manual": {"type": "Request"}}, "actions": {}}
    if trigger is not None:
        definition["triggers"] = {"B": {"type": "Batch", "inputs": trigger}}
    if action is not None:
        definition["actions"] = {"S": {"type": "SendToBatch", "inputs": action}}
    found = check(read_object(definition, name="f"))
    return {(problem.code, problem.at) for problem in found if problem.severity == "error"}


def configured(criteria: Any) -> dict[str, Any]:
    return {"mode": "Inline", "configurations": {"Orders": {"releaseCriteria": criteria}}}


@pytest.mark.parametrize(
    "inputs",
    [
        configured({"messageCount": 100, "recurrence": {"frequency": "hour", "interval": 23}}),
        configured({"batchSize": "1048576"}),
        configured({"messageCount": "@parameters('n')"}),
        configured("@parameters('criteria')"),
        {"configurations": "@parameters('configurations')"},
        "@parameters('inputs')",
    ],
)
def test_a_batch_trigger_that_is_right(inputs: Any) -> None:
    assert not {code for code, _ in problems(inputs) if code in ("InvalidBatch", "InvalidRecurrence")}


@pytest.mark.parametrize(
    ("inputs", "code", "at"),
    [
        ([], "InvalidBatch", "/triggers/B/inputs"),
        ({}, "InvalidBatch", "/triggers/B/inputs"),
        ({"mode": "IntegrationAccount"}, "InvalidBatch", "/triggers/B/inputs/mode"),
        ({"configurations": {}}, "InvalidBatch", "/triggers/B/inputs"),
        ({"configurations": {"Orders": {}}}, "InvalidBatch", AT),
        (configured({}), "InvalidBatch", f"{AT}/releaseCriteria"),
        (configured({"messageCount": 0}), "InvalidBatch", f"{AT}/releaseCriteria/messageCount"),
        (configured({"messageCount": 8001}), "InvalidBatch", f"{AT}/releaseCriteria/messageCount"),
        (configured({"batchSize": "big"}), "InvalidBatch", f"{AT}/releaseCriteria/batchSize"),
        (configured({"recurrence": 5}), "InvalidBatch", f"{AT}/releaseCriteria/recurrence"),
        (
            configured({"recurrence": {"frequency": "Never"}}),
            "InvalidRecurrence",
            f"{AT}/releaseCriteria/recurrence/frequency",
        ),
    ],
)
def test_a_batch_trigger_that_is_wrong(inputs: Any, code: str, at: str) -> None:
    assert problems(inputs) == {(code, at)}


def test_what_a_message_must_say() -> None:
    complete = {"batchName": "b", "content": "c", "host": HOST}
    assert problems(action=complete) == set()
    for missing in complete:
        rest = {name: value for name, value in complete.items() if name != missing}
        assert ("InvalidInputs", "/actions/S/inputs") in problems(action=rest)
    assert problems(action={**complete, "host": {}}) == {("InvalidInputs", "/actions/S/inputs/host")}
