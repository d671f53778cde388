"""Batches, the pure part: what is released together, and what goes into a message."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.engine.cloud import parse
from sealflow.engine.errors import DefinitionError, ExpressionError
from sealflow.engine.kernel import build
from sealflow.engine.kernel.cloud.triggers.batch import (
    DEFAULT_PARTITION,
    MOST_BYTES,
    MOST_MESSAGES,
    Batch,
    batches_of,
    of_queue,
    queue_of,
    released,
    sent,
    trigger_named,
)

PINS = {"parameters": {"count": 3}, "seed": bytes(32), "workflow": {}}
KEY = "0123456789abcdef0123456789abcdef"


def batch(messages: int | None = None, size: int | None = None) -> Batch:
    return Batch("b", messages, size, None)


@pytest.mark.parametrize(
    ("criteria", "sizes", "waiting", "due"),
    [
        (batch(messages=3), [1, 1], 0, 2),
        (batch(messages=3), [1, 1, 1], 3, 3),
        (batch(messages=3), [1] * 7, 3, 3),
        (batch(messages=1), [], 0, 0),
        (batch(size=10), [4, 4], 0, 2),
        (batch(size=10), [4, 4, 2, 9], 3, 3),
        (batch(size=10), [99, 1], 1, 1),
        (batch(messages=2, size=10), [1, 1, 1], 2, 2),  # any of them
        (batch(messages=5, size=10), [9, 9, 9], 2, 2),
        (batch(), [1, 1], 0, 2),
        (batch(), [1] * (MOST_MESSAGES + 1), MOST_MESSAGES, MOST_MESSAGES),  # the hosts' limits hold in any case
        (batch(), [MOST_BYTES - 1, 2, 1], 1, 1),
        (batch(), [MOST_BYTES + 1], 1, 1),
    ],
)
def test_how_many_are_released_together(criteria: Batch, sizes: list[int], waiting: int, due: int) -> None:
    assert criteria.take(sizes, due=False) == waiting
    assert criteria.take(sizes, due=True) == due


def test_counts_say_whether_reading_is_worth_it() -> None:
    assert not batch(messages=3).reached(2, 10**9 // 100)
    assert batch(messages=3).reached(3, 0)
    assert batch(messages=3, size=5).reached(1, 5)
    assert batch().reached(1, MOST_BYTES)
    assert batch().reached(MOST_MESSAGES, 1)


def collected(inputs: Any, **trigger: Any) -> dict[str, Batch]:
    parameters = {"count": {"type": "Int"}}
    given = {"type": "Batch", "inputs": inputs, **trigger}
    plan = build(parse({"triggers": {"B": given}, "actions": {}, "parameters": parameters}))
    return batches_of(plan, PINS, 0)


def configured(**criteria: Any) -> dict[str, Any]:
    return {"mode": "Inline", "configurations": {"Orders": {"releaseCriteria": criteria}}}


def test_the_criteria_of_a_trigger() -> None:
    found = collected(configured(messageCount="@parameters('count')", batchSize=100))
    assert found == {"orders": Batch("Orders", 3, 100, None)}
    recurring = collected(configured(recurrence={"frequency": "hour", "interval": 23}))["orders"]
    assert (recurring.messages, recurring.size) == (None, None)
    assert recurring.recurrence is not None
    assert recurring.recurrence.interval == 23
    plan = build(parse({"triggers": {"manual": {"type": "Request"}}, "actions": {}}))
    assert batches_of(plan, PINS, 0) == {}


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        {},
        {"mode": "IntegrationAccount", "configurations": {}},
        {"mode": "Inline", "configurations": []},
        {"mode": "Inline", "configurations": {"x": None}},
        configured(),
        configured(messageCount=0),
        configured(messageCount=8001),
        configured(messageCount="many"),
        configured(batchSize=MOST_BYTES + 1),
        configured(recurrence="daily"),
        configured(recurrence={"frequency": "Never"}),
    ],
)
def test_a_trigger_that_cannot_collect(inputs: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        collected(inputs)
    assert caught.value.code in ("InvalidBatch", "InvalidRecurrence")


def test_a_message() -> None:
    message = sent({"batchName": "Orders", "content": {"n": 1}, "partitionName": 7, "messageId": "m"}, KEY)
    assert (message.batch, message.partition, message.message_id) == ("Orders", "7", "m")
    assert message.item() == {"content": {"n": 1}, "messageId": "m"}
    assert message.outputs()["body"] == {"batchName": "Orders", "messageId": "m", "partitionName": "7"}


def test_what_a_message_does_not_say() -> None:
    message = sent({"batchName": "b", "partitionName": None}, KEY)
    assert message.partition == DEFAULT_PARTITION
    assert message.message_id == "01234567-89ab-cdef-0123-456789abcdef"
    assert message.item()["content"] is None
    assert sent({"batchName": "b", "partitionName": "", "messageId": ""}, KEY) == message


@pytest.mark.parametrize(
    "inputs", [None, [], {}, {"batchName": ""}, {"batchName": []}, {"batchName": "b", "partitionName": True}]
)
def test_a_message_that_is_none(inputs: Any) -> None:
    with pytest.raises(ExpressionError):
        sent(inputs, KEY)


def test_queues_keep_batches_and_partitions_apart() -> None:
    names = [("a", "b"), ("a,b", ""), ('a"', 'b"'), ("", "a"), ("a", "B")]
    assert [of_queue(queue_of(*pair)) for pair in names] == names
    assert queue_of("ORDERS", "P") == queue_of("orders", "P") != queue_of("orders", "p")


def test_what_the_run_sees() -> None:
    body = released(batch(), "p", [{"content": 1, "messageId": "m"}])
    assert body == {"batchName": "b", "partitionName": "p", "items": [{"content": 1, "messageId": "m"}]}


def test_the_trigger_that_a_message_is_for() -> None:
    assert trigger_named({"host": {"triggerName": "Batch_messages"}}) == "batch_messages"
    assert trigger_named({"host": {}}) == trigger_named({}) == trigger_named(None) == ""
