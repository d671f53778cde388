"""Batches: what SendToBatch sends, when a batch trigger lets the messages go, and what the run that gets them sees.

A flow with a Batch trigger collects messages by the name of the batch and by partition. As soon as one of the batch's
release criteria is met, the oldest messages of that partition are released together, as one run.

Source: Logic Apps, "Send, receive, and batch process messages": Inline mode, release criteria (any of them releases),
their limits, partitions (`DEFAULT` where none is named), `batchName`, `partitionName` and `items` of the trigger's
body; the resource's BatchReleaseCriteria.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ....errors import DefinitionError, ExpressionError
from ....expressions import compile_value
from ....values import Value, to_text, type_name
from ...contract.timing import whole
from ..plan.names import TriggerScope
from ..plan.plan import Plan
from .recurrence import Recurrence
from .recurrence_rules import Rules, read_rules
from .trigger import trigger_of, trigger_state

BATCH: Final = "batch"
"""The kind of SendToBatch's operation, and of the trigger that it sends to."""

DEFAULT_PARTITION: Final = "DEFAULT"
MOST_MESSAGES: Final = 8_000
"""The most messages of a batch."""
MOST_BYTES: Final = 80 * 1024 * 1024
"""The most bytes of a batch; a larger message goes alone."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A configuration of a batch trigger: the batch's name, and its release criteria, None where they are not used."""

    name: str
    messages: int | None
    size: int | None
    recurrence: Rules | None

    def is_due(self, registered: int, last: int | None, now: int) -> bool:
        """Whether an occurrence of the recurrence has come since the last one that was acted on."""
        found = self.occurrence(registered, registered if last is None else last)
        return found is not None and found <= now

    def occurrence(self, registered: int, after: int) -> int | None:
        """When the recurrence, which counts from `registered`, says next that whatever waits is released (ticks)."""
        if self.recurrence is None:
            return None
        return Recurrence(self.recurrence, registered).after(max(after, registered))

    def reached(self, count: int, size: int) -> bool:
        """Whether messages of this number and total size are enough for a batch."""
        return count >= (self.messages or MOST_MESSAGES) or size >= (self.size or MOST_BYTES)

    def take(self, sizes: Iterable[int], *, due: bool) -> int:
        """How many of the oldest messages, with these sizes, are released together now; 0 for none.

        `due`: the recurrence says that whatever there is goes. No batch is larger than the hosts' limits, so a
        partition that reaches them is released whatever the criteria.
        """
        count = total = 0
        for size in sizes:
            if count and total + size > MOST_BYTES:
                return count
            count += 1
            total += size
            if self.reached(count, total):
                return count
        return count if due else 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as SendToBatch's evaluated inputs describe it."""

    batch: str
    partition: str
    message_id: str
    content: Value

    def item(self) -> dict[str, Value]:
        """As it waits, and as it is one of the `items` of the batch."""
        return {"content": self.content, "messageId": self.message_id}

    def outputs(self) -> dict[str, Value]:
        """The outputs of the action that sent it."""
        body = {"batchName": self.batch, "messageId": self.message_id, "partitionName": self.partition}
        return {"statusCode": 202, "headers": {}, "body": body}


def batches_of(plan: Plan, pins: dict[str, Any], at: int) -> dict[str, Batch]:
    """The batches that a flow's trigger collects, by name in lower case; none where it has no Batch trigger.

    `pins` are those of a run that would start. Raises ExpressionError, DefinitionError (`InvalidBatch`,
    `InvalidRecurrence`).
    """
    trigger = trigger_of(plan)
    if trigger is None or trigger.type != "batch":
        return {}
    inputs = compile_value(trigger.inputs, TriggerScope()).evaluate(trigger_state(plan, pins, at).root)
    given = inputs if isinstance(inputs, dict) else {}
    mode = given.get("mode", "Inline")
    if not isinstance(mode, str) or mode.lower() != "inline":
        raise _fault(f"the mode is '{str(mode)[:80]}'", "Only Inline is supported; there is no integration account.")
    configurations = given.get("configurations")
    if not isinstance(configurations, dict) or not configurations:
        raise _fault("it has no 'configurations'")
    return {name.lower(): _batch(name, each) for name, each in configurations.items()}


def next_occurrence(batches: Iterable[Batch], registered: int, after: int) -> int | None:
    """When the recurrence of any of them releases something next, in ticks; None where none ever does."""
    found = (batch.occurrence(registered, after) for batch in batches)
    return min((each for each in found if each is not None), default=None)


def _batch(name: str, given: Any) -> Batch:
    criteria = given.get("releaseCriteria") if isinstance(given, Mapping) else None
    if not isinstance(criteria, Mapping):
        raise _fault(f"'{name}' has no 'releaseCriteria'")
    messages = _number(criteria, "messageCount", MOST_MESSAGES, name)
    size = _number(criteria, "batchSize", MOST_BYTES, name)
    recurrence = criteria.get("recurrence")
    if recurrence is not None and not isinstance(recurrence, Mapping):
        raise _fault(f"the recurrence of '{name}' is no object")
    rules = read_rules(recurrence) if recurrence else None
    if messages is None and size is None and rules is None:
        raise _fault(f"'{name}' is never released: it needs a messageCount, a batchSize or a recurrence")
    return Batch(name, messages, size, rules)


def _number(criteria: Mapping[str, Any], name: str, most: int, batch: str) -> int | None:
    given = criteria.get(name)
    if given is None:
        return None
    number = whole(given)
    if number is None or not 1 <= number <= most:
        raise _fault(f"the {name} of '{batch}' is '{str(given)[:80]}'; it must be 1 to {most:,}")
    return number


def _fault(message: str, hint: str = "") -> DefinitionError:
    return DefinitionError(f"The batch trigger cannot collect messages: {message}.", code="InvalidBatch", hint=hint)


def sent(inputs: Value, key: str) -> Sent:
    """The message of evaluated inputs. `key` is the call's idempotency key, of which a message without an id gets its
    own: the same however often the call is repeated. Raises ExpressionError.
    """
    given = inputs if isinstance(inputs, dict) else {}
    batch = _text(given, "batchName")
    if not batch:
        raise ExpressionError("SendToBatch needs a 'batchName'.")
    partition = _text(given, "partitionName") or DEFAULT_PARTITION
    return Sent(batch, partition, _text(given, "messageId") or _guid(key), given.get("content"))


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return to_text(value)
    if not isinstance(value, str):
        raise ExpressionError(f"The '{name}' of SendToBatch must be a string, not {type_name(value)}.")
    return value


def _guid(key: str) -> str:
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:32]}"


def trigger_named(inputs: Value) -> str:
    """The name of the trigger that SendToBatch addresses, in lower case; "" where it names none."""
    host = inputs.get("host") if isinstance(inputs, dict) else None
    name = host.get("triggerName") if isinstance(host, dict) else None
    return name.lower() if isinstance(name, str) else ""


def queue_of(batch: str, partition: str) -> str:
    """The name of the queue in which a partition's messages wait. Batches are named in any case, partitions are not."""
    return json.dumps([batch.lower(), partition])


def of_queue(queue: str) -> tuple[str, str]:
    """The batch (in lower case) and the partition of a queue."""
    batch, partition = json.loads(queue)
    return batch, partition


def released(batch: Batch, partition: str, items: list[Value]) -> dict[str, Value]:
    """The body of the trigger of the run that gets these messages."""
    return {"batchName": batch.name, "partitionName": partition, "items": items}
