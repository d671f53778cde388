"""Actions that wait for a callback: what they ask for when they start and when they leave.

A webhook action goes outside up to twice. Its first call subscribes; then the action stays open until its callback is
recorded, however long that takes. Where its definition has an `unsubscribe`, a second call follows before the action
ends; what comes of it does not matter to the flow, and it is made once. Both calls are pending until they are
answered, so each is made again after a crash, with a key of its own.

Sources: Logic Apps, "Subscribe and wait for events to run workflows using HTTP webhooks" (an action unsubscribes when
it has finished, when its run is cancelled, and before it times out); "Schema reference for trigger and action types",
HTTPWebhook action (a retry policy belongs to `subscribe`).
"""

from __future__ import annotations

from typing import Any

from ...contract.commands import Invoke
from ..state import CALLING, Open, State


def listens(entry: Open) -> bool:
    """Whether a callback for this action would count: it is a webhook's, and nothing has ended it yet."""
    operation = entry.node.operation
    return operation is not None and operation.webhook and entry.ending is None


def call(state: State, entry: Open) -> Invoke:
    """The call that is due: the action's own, or of an HttpWebhook one of its two requests."""
    inputs = entry.inputs
    if _is_http(entry):
        inputs = _request(entry, "unsubscribe" if entry.leaving else "subscribe")
    return Invoke(
        state.context, entry.node, entry.frame.it, entry.attempt, inputs, entry.deadline, unsubscribes=entry.leaving
    )


def leave(entry: Open) -> bool:
    """Make the unsubscribe request the call that is due now; False where there is none to make.

    Its attempt counts on from the subscription's, so that no late answer is taken for its own.
    """
    if entry.leaving or not _unsubscribes(entry):
        return False
    entry.leaving = True
    entry.phase = CALLING
    entry.attempt += 1
    entry.due = entry.deadline = None
    return True


def parting(state: State, entry: Open) -> Invoke | None:
    """The unsubscribe request of an action that is cut off, None where it has none.

    Nobody waits for the answer, and the action stays as it is.
    """
    if not _unsubscribes(entry):
        return None
    attempt = entry.attempt if entry.leaving else entry.attempt + 1
    inputs = _request(entry, "unsubscribe")
    return Invoke(state.context, entry.node, entry.frame.it, attempt, inputs, None, unsubscribes=True)


def _is_http(entry: Open) -> bool:
    operation = entry.node.operation
    return operation is not None and operation.webhook and operation.kind == "http"


def _unsubscribes(entry: Open) -> bool:
    return _is_http(entry) and bool(_request(entry, "unsubscribe").get("uri"))


def _request(entry: Open, name: str) -> dict[str, Any]:
    request = entry.inputs.get(name) if isinstance(entry.inputs, dict) else None
    return request if isinstance(request, dict) else {}
