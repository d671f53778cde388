"""Triggers that go outside to find out whether they fire: what they ask, and what an answer means.

Nothing is called here. A poll asks again and again; a webhook trigger asks once to be called back.

Source: Logic Apps, "Schema reference for trigger and action types": HTTP trigger (200 starts a run, 202 does not;
`Location` is the next poll's address, `Retry-After` the time until then; anything else waits for the recurrence),
APIConnection trigger, HTTPWebhook and APIConnectionWebhook triggers, trigger conditions (one that asks for the status
code replaces the rule that only 200 fires).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ....cloud import Action, Trigger
from ....expressions import Evaluator, compile_value
from ....values import Value
from ...contract.operations import Operation
from ..actions.effects import operation_of
from ..plan.names import TriggerScope
from ..plan.plan import Plan
from ..retry import retry_after
from .batch import BATCH
from .trigger import trigger_of, trigger_state

CALLED: Final = "called"
"""Fires when it is asked to: Request, Manual."""
RECURRENCE: Final = "recurrence"
WINDOW: Final = "window"
POLL: Final = "poll"
WEBHOOK: Final = "webhook"

_KINDS: Final = {
    "batch": BATCH,
    "recurrence": RECURRENCE,
    "slidingwindow": WINDOW,
    "http": POLL,
    "apiconnection": POLL,
    "openapiconnection": POLL,
    "serviceprovider": POLL,
    "apimanagement": POLL,
    "httpwebhook": WEBHOOK,
    "apiconnectionwebhook": WEBHOOK,
    "openapiconnectionwebhook": WEBHOOK,
    "apiconnectionnotification": WEBHOOK,
    "openapiconnectionnotification": WEBHOOK,
}
_EACH_MINUTE: Final = {"frequency": "Minute", "interval": 1}
"""How often a polling trigger asks whose definition does not say."""
_STATUS_CODE: Final = re.compile(r"statuscode", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """What a trigger asks outside: the operation and its evaluated inputs."""

    operation: Operation
    inputs: Value


@dataclass(frozen=True, slots=True)
class Polled:
    """What an answer means. `wait` are ticks it asks to leave until the next poll, 0 for none; `location` is that
    poll's address where the answer names one."""

    fires: bool
    location: str | None
    wait: int
    prompt: bool
    """Whether to wait only that long, even where the recurrence says later."""


def kind_of(plan: Plan) -> str:
    """How the flow's trigger fires: one of the constants above."""
    trigger = trigger_of(plan)
    return _KINDS.get(trigger.type, CALLED) if trigger is not None else CALLED


def recurrence_of(plan: Plan, pins: dict[str, Any], at: int) -> dict[str, Any] | None:
    """The trigger's `recurrence`, evaluated; None where it has none and needs none. Raises ExpressionError."""
    trigger = trigger_of(plan)
    if trigger is None:
        return None
    given = trigger.raw.get("recurrence")
    if given is None:
        return _EACH_MINUTE if kind_of(plan) == POLL else None
    found = compile_value(given, TriggerScope()).evaluate(trigger_state(plan, pins, at).root)
    return found if isinstance(found, dict) else {}


def delay_of(plan: Plan, pins: dict[str, Any], at: int) -> Value:
    """`inputs.delay` of a SlidingWindow, evaluated; None where it has none. Raises ExpressionError."""
    trigger = trigger_of(plan)
    given = trigger.inputs.get("delay") if trigger is not None and isinstance(trigger.inputs, dict) else None
    return compile_value(given, TriggerScope()).evaluate(trigger_state(plan, pins, at).root)


def request_of(plan: Plan, pins: dict[str, Any], at: int, *, location: str | None = None) -> Request:
    """What a polling trigger asks, at the address that the last answer named where it named one.

    Raises ExpressionError.
    """
    trigger = trigger_of(plan)
    assert trigger is not None  # noqa: S101
    inputs = _evaluated(plan, trigger, trigger.inputs, pins, at)
    if location is not None and isinstance(inputs, dict):
        inputs = {**inputs, "uri": location}
        inputs.pop("queries", None)
    return Request(_operation(trigger), inputs)


def subscription_of(plan: Plan, pins: dict[str, Any], at: int, callback: str) -> tuple[Request, Request | None]:
    """How a webhook trigger subscribes, and how it unsubscribes where its definition says that.

    `callback` is what `listCallbackUrl()` gives. Raises ExpressionError.
    """
    trigger = trigger_of(plan)
    assert trigger is not None  # noqa: S101
    inputs = _evaluated(plan, trigger, trigger.inputs, {**pins, "trigger_callback": callback}, at)
    if trigger.type != "httpwebhook":
        return Request(_operation(trigger), inputs), None
    operation = Operation("http", "http", "", False, trigger.options, _settings(trigger))
    parts = inputs if isinstance(inputs, dict) else {}
    leaving = parts.get("unsubscribe")
    has_address = isinstance(leaving, dict) and bool(leaving.get("uri"))
    return Request(operation, parts.get("subscribe")), Request(operation, leaving) if has_address else None


def polled(plan: Plan, outputs: Value, now: int) -> Polled:
    """What the answer of a poll means; `outputs` are `{statusCode, headers, body}`."""
    trigger = trigger_of(plan)
    given = outputs if isinstance(outputs, dict) else {}
    status = given.get("statusCode")
    if not isinstance(status, int) or not 200 <= status <= 299:
        fires = isinstance(status, int) and _asks_for_status(trigger)
        return Polled(fires, None, retry_after(now, given), False)
    fires = status == 200 or _asks_for_status(trigger)
    headers = given.get("headers")
    location = (
        next((value for name, value in headers.items() if name.lower() == "location" and isinstance(value, str)), None)
        if isinstance(headers, dict)
        else None
    )
    return Polled(fires, location, retry_after(now, given), status == 200)


def _asks_for_status(trigger: Trigger | None) -> bool:
    return trigger is not None and any(
        isinstance(condition, str) and _STATUS_CODE.search(condition) for condition in trigger.conditions
    )


class _InputScope(TriggerScope):
    """What a trigger's inputs can name: `listCallbackUrl()` is where it is called back."""

    def callback_url(self) -> Evaluator:
        return lambda frame: frame.state.pins.get("trigger_callback")


def _evaluated(plan: Plan, trigger: Trigger, inputs: Value, pins: dict[str, Any], at: int) -> Value:
    given = inputs
    if isinstance(inputs, dict):
        left_out = {"retryPolicy"} if trigger.type.startswith("http") else {"retryPolicy", "authentication"}
        given = {name: value for name, value in inputs.items() if name not in left_out}
    return compile_value(given, _InputScope()).evaluate(trigger_state(plan, pins, at).root)


def _operation(trigger: Trigger) -> Operation:
    """A connector addresses the operation of a trigger as it does that of an action."""
    action = Action(
        name=trigger.name, key=trigger.key, type=trigger.type, kind=trigger.kind, pointer=trigger.pointer,
        run_after=(), inputs=trigger.inputs, branches=(), raw=trigger.raw,
    )  # fmt: skip
    return operation_of(action)


def _settings(trigger: Trigger) -> dict[str, Any]:
    found = trigger.raw.get("runtimeConfiguration")
    return found if isinstance(found, dict) else {}
