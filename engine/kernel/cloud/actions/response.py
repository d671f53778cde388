"""Response: what the caller of a flow gets.

Source: Logic Apps, "Receive and respond to inbound HTTP requests": allowed statuses, headers that are removed,
default content types.
"""

from __future__ import annotations

from typing import Any, Final

from ....cloud import Action
from ....errors import ExpressionError
from ....expressions import compile_value
from ....values import Value, to_text
from ...contract.status import FAILED, SKIPPED, SUCCEEDED
from ...contract.timing import SECOND, whole
from ..plan.names import ActionScope
from ..plan.plan import Node, Outcome, Work
from ..reply import answer_due
from ..state import Frame, State

_LATE: Final = "ActionResponseTimedOut"
_REMOVED: Final = frozenset({"allow", "cookie", "expires", "last-modified", "set-cookie", "transfer-encoding"})
_KEPT_CONTENT: Final = frozenset({"content-disposition", "content-encoding", "content-type"})


def response(node: Node, action: Action, scope: ActionScope) -> Work:
    """The outcome is {"statusCode", "headers", "body"}. The first one answers, if the caller still waits;

    a second or late one fails, and without a caller it is skipped.
    """
    evaluate = compile_value(action.inputs if action.inputs is not None else {}, scope).evaluate

    def work(frame: Frame) -> Outcome:
        state = frame.state
        if not state.pins.get("caller", True):
            error = {
                "code": "ActionResponseSkipped",
                "message": f"'{node.name}' was skipped: nobody waits for a response.",
            }
            return SKIPPED, "ActionResponseSkipped", None, None, error
        inputs: Any = evaluate(frame)
        if not isinstance(inputs, dict):
            raise ExpressionError(f"The inputs of '{node.name}' must be an object.")
        late = _too_late(node, state)
        if late is not None:
            return FAILED, _LATE, inputs, None, {"code": _LATE, "message": late}
        outputs: dict[str, Any] = {"statusCode": _status_code(node, inputs.get("statusCode"))}
        body = inputs.get("body")
        outputs["headers"] = _headers(node, inputs.get("headers"), body)
        if "body" in inputs:
            outputs["body"] = body
        return SUCCEEDED, "OK", None, outputs, None

    return work


def _too_late(node: Node, state: State) -> str | None:
    """Why nobody takes this response any more, None where somebody does."""
    if state.response is not None:
        return f"'{node.name}' cannot answer: the caller has had a response already."
    due = answer_due(state)
    if due is not None and state.now >= due:
        seconds = (due - state.started) // SECOND
        return f"'{node.name}' cannot answer: the caller waited for {seconds} seconds and has had a 504."
    return None


def _status_code(node: Node, given: Value) -> int:
    if given is None:
        return 200
    code = whole(given)
    if code is None or not 200 <= code <= 599 or 300 <= code <= 399:
        raise ExpressionError(f"The 'statusCode' of '{node.name}' must be 2xx, 4xx or 5xx, not '{to_text(given)}'.")
    return code


def _headers(node: Node, given: Value, body: Value) -> dict[str, Value]:
    if given is not None and not isinstance(given, dict):
        raise ExpressionError(f"The 'headers' of '{node.name}' must be an object.")
    headers = {
        name: value
        for name, value in (given or {}).items()
        if name.lower() not in _REMOVED and (not name.lower().startswith("content-") or name.lower() in _KEPT_CONTENT)
    }
    if body is not None and not any(name.lower() == "content-type" for name in headers):
        if isinstance(body, dict) and isinstance(body.get("$content-type"), str):
            headers["Content-Type"] = body["$content-type"]
        else:
            headers["Content-Type"] = (
                "text/plain; charset=utf-8" if isinstance(body, str) else "application/json; charset=utf-8"
            )
    return headers
