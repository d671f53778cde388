"""What the caller of a flow gets, and when: the one rule that every host follows.

Pure: from a run's state and the time to the reply. Source: Logic Apps, "Receive and respond to inbound HTTP requests":
202 at once where no Response action is there or it is Asynchronous, 504 where none answered in time, 502 where all
were skipped; the names of the headers are those of recorded answers.
"""

from __future__ import annotations

from typing import Any, Final

from ..contract.timing import SECOND
from .plan.plan import RESPONSE, Plan
from .state import State

ANSWER_WITHIN: Final = 120 * SECOND
"""Ticks that a caller waits for a Response; a parent waits for its child however long it takes."""

FlowResponse = dict[str, Any]
"""{"statusCode", "headers", "body"?}: the body is JSON, text, or an envelope with `$content-type` and `$content`."""


def answer_within(plan: Plan, *, nested: bool) -> int | None:
    """Ticks in which a run of this plan has to answer its caller, None where nobody gives up."""
    return None if nested or is_asynchronous(plan) else ANSWER_WITHIN


def is_asynchronous(plan: Plan) -> bool:
    """Whether the caller is told to come back for the answer: a Response has the option Asynchronous."""
    return plan.answers and any(node.op == RESPONSE and node.deferred for node in plan.nodes)


def answer_due(state: State) -> int | None:
    """When the caller of this run gives up (ticks), None where it does not, or nobody waits."""
    within = state.pins.get("answer_within")
    return state.started + within if within is not None and state.pins.get("caller", True) else None


def reply_of(state: State, now: int, *, polled: bool = False) -> FlowResponse | None:
    """What the caller gets at `now`, None where it has to wait for a Response still.

    `polled`: the caller has had a 202 with a Location and asks there.
    """
    reply = _reply(state, state.now if state.end is not None else now, polled)
    return reply and {**reply, "headers": {**_workflow_headers(state), **reply["headers"]}}


def failed_reply(state: State) -> FlowResponse | None:
    """The reply in place of a Response, of a run with a caller that has ended; None where there was a Response."""
    if state.response is not None or state.end is None or not state.pins.get("caller"):
        return None
    return _reply(state, state.now, True)


def _reply(state: State, now: int, polled: bool) -> FlowResponse | None:
    if not state.pins.get("caller", True):
        return _accepted(None)
    if is_asynchronous(state.plan) and not polled:
        return _accepted(location(state))
    if state.response is not None:
        return state.response
    due = answer_due(state)
    if due is not None and now >= due:
        return _error(504, "GatewayTimeout", "The flow did not answer in time: no Response action has run.")
    if state.end is not None:
        return _error(502, "NoResponse", "The flow ended without an answer: no Response action ran.")
    return _accepted(location(state)) if polled and is_asynchronous(state.plan) else None


def location(state: State) -> str:
    """Where, below the host's address, the answer of an asynchronous flow is asked for."""
    return f"/runs/{state.pins.get('run', '')}/response"


def _accepted(where: str | None) -> FlowResponse:
    headers = {"Location": where, "Retry-After": "20"} if where is not None else {}
    return {"statusCode": 202, "headers": headers}


def _error(status: int, code: str, message: str) -> FlowResponse:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return {"statusCode": status, "headers": headers, "body": {"error": {"code": code, "message": message}}}


def _workflow_headers(state: State) -> dict[str, str]:
    triggers = state.plan.definition.triggers
    if triggers and "suppressworkflowheadersonresponse" in triggers[0].options:
        return {}
    workflow = state.pins.get("workflow") or {}
    return {
        "x-ms-workflow-name": str(workflow.get("name", "")),
        "x-ms-workflow-run-id": str(state.pins.get("run", "")),
        "x-ms-client-tracking-id": str(state.pins.get("tracking", "")),
    }
