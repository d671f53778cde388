"""Webhook triggers: asked once to call back, and asked to stop when the flow is disabled or its trigger has changed.

A subscription is remembered with the request that undoes it, as it was evaluated then. Both calls are made again after
a crash, with the same key. Connectors' webhooks have no request to undo them: the service finds out when it calls.

Source: Logic Apps, "Schema reference for trigger and action types": HTTPWebhook and APIConnectionWebhook triggers
(subscribe when the workflow is saved or enabled, unsubscribe when it is disabled or deleted, or the trigger changes).
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any, Final

from ....storage import StorageError
from ...errors import SealflowError
from ...kernel import Operation, Plan
from ...kernel.cloud.triggers.polling import WEBHOOK, Request, subscription_of
from ...kernel.cloud.triggers.trigger import trigger_of
from ...kernel.contract.timing import SECOND

if TYPE_CHECKING:
    from ..calls.dispatch import Performer
    from .registration import Registration

_TRY_AGAIN: Final = 60 * SECOND
_ADDRESS: Final = re.compile(r"(?:.*[/:])?trigger/([0-9a-f]{32})/([0-9a-f]{32})/?(?:[?#].*)?", re.ASCII)


def is_stray(registration: Registration) -> bool:
    """Whether there is a subscription that must not be there any more."""
    subscription = registration.subscription
    if subscription is None:
        return False
    wanted = registration.enabled and registration.kind == WEBHOOK
    return not wanted or subscription["fingerprint"] != registration.fingerprint


async def subscribe(
    registration: Registration, plan: Plan, pins: dict[str, Any], performer: Performer, now: int
) -> dict[str, Any]:
    """Ask for callbacks; tried again in a minute where that fails. Gives what the trigger remembers of it."""
    registration.due = now + _TRY_AGAIN
    url = registration.callback_url
    try:
        request, leaving = subscription_of(plan, pins, now, url)
    except StorageError:
        raise  # it waits for the store: no outcome of an action
    except SealflowError as error:
        return registration.note(now, "Failed", error.code, error=error)
    trigger = trigger_of(plan)
    name = trigger.name if trigger is not None else ""
    answer = await performer.ask(request, key=registration.key("subscribe"), trigger=name, callback_url=url)
    if answer.error is not None:
        return registration.note(now, "Failed", answer.code, error=answer.error["message"])
    registration.due = None
    registration.subscription = {
        "fingerprint": registration.fingerprint,
        "trigger": name,
        "leaving": _stored(leaving) if leaving is not None else None,
    }
    return registration.note(now, "Skipped", "Subscribed")


async def unsubscribe(registration: Registration, performer: Performer, now: int) -> None:
    """Undo the subscription, once: what comes of the request changes nothing for the flow."""
    subscription = registration.subscription or {}
    registration.subscription = None
    stored = subscription.get("leaving")
    if stored is None:
        registration.note(now, "Skipped", "Unsubscribed")
        return
    answer = await performer.ask(_request(stored), key=registration.key("unsubscribe"), trigger=subscription["trigger"])
    if answer.error is None:
        registration.note(now, "Skipped", "Unsubscribed")
    else:
        registration.note(now, "Failed", answer.code, error=answer.error["message"])


def address(text: str) -> tuple[bytes, bytes] | None:
    """The flow's id and the token in a trigger's callback URL, None where it is none."""
    match = _ADDRESS.fullmatch(text.strip())
    return (bytes.fromhex(match[1]), bytes.fromhex(match[2])) if match else None


def belongs(registration: Registration, token: bytes) -> bool:
    """Whether the token is this trigger's, and it was subscribed with it."""
    return hmac.compare_digest(registration.token, token) and registration.kind == WEBHOOK


def _stored(request: Request) -> dict[str, Any]:
    operation = request.operation
    return {
        "operation": [operation.kind, operation.connector, operation.name],
        "options": sorted(operation.options),
        "settings": operation.settings,
        "inputs": request.inputs,
    }


def _request(stored: dict[str, Any]) -> Request:
    kind, connector, name = stored["operation"]
    operation = Operation(kind, connector, name, False, frozenset(stored["options"]), stored["settings"])
    return Request(operation, stored["inputs"])
