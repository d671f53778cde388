"""Actions whose effect is outside: Http, webhooks, connectors, child flows, batches, and delays.

Here their inputs are evaluated, nothing is called.

Source: Logic Apps, "Schema reference for trigger and action types"; Power Automate's OpenApiConnection as its exports
have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ....cloud import Action, picked_connections
from ....errors import ExpressionError
from ....expressions import compile_value
from ....values import Value
from ...contract.operations import Operation
from ...contract.timing import duration, from_iso, later
from ..plan.names import ActionScope
from ..plan.passing import compile_passing
from ..plan.plan import Node, Prepare
from ..state import Frame

CONNECTOR_TYPES: Final = frozenset(
    {
        "apiconnection",
        "apiconnectionnotification",
        "apiconnectionwebhook",
        "invokefunction",
        "openapiconnection",
        "openapiconnectionwebhook",
        "openapiconnectionnotification",
        "serviceprovider",
        "function",
        "apimanagement",
    }
)


def call(node: Node, action: Action, scope: ActionScope) -> Prepare:
    """Http, Workflow, SendToBatch and connector types: their inputs without retry policy, and when their time is over.

    A connector's `authentication` is the host's affair: definitions carry references to tokens there that only the
    host has.
    """
    node.operation = operation_of(action)
    given = action.inputs if isinstance(action.inputs, dict) else {}
    left_out = {"retryPolicy"} if node.operation.kind == "http" else {"retryPolicy", "authentication"}
    inputs = {name: value for name, value in given.items() if name not in left_out}
    passes = node.operation.kind in ("http", "connector") and not node.operation.webhook
    return _prepare(action, scope, inputs, given.get("retryPolicy"), passes=passes)


def _prepare(
    action: Action, scope: ActionScope, inputs: dict[str, Any], retry: Any, *, passes: bool = False
) -> Prepare:
    """`passes`: what is stored apart is passed on as it is, where it can be."""
    evaluate = (compile_passing(inputs, scope) if passes else compile_value(inputs, scope)).evaluate
    if retry is None and _limit(action) is None:
        return lambda frame: (evaluate(frame), None, None, None)  # most calls
    policy = compile_value(retry, scope).evaluate
    limit = timeout(action, scope)

    def prepare(frame: Frame) -> tuple[Value, None, int | None, Value]:
        return evaluate(frame), None, limit(frame), policy(frame)

    return prepare


def http_webhook(node: Node, action: Action, scope: ActionScope) -> Prepare:
    """HttpWebhook: both of its requests are evaluated when it starts, so that leaving needs nothing of the run.

    The retry policy is that of `subscribe`.
    """
    node.operation = Operation("http", "http", "", True, action.options, dict(action.runtime))
    given = _object(action.inputs)
    subscribe = _object(given.get("subscribe"))
    requests = {
        "subscribe": {name: value for name, value in subscribe.items() if name != "retryPolicy"},
        "unsubscribe": given.get("unsubscribe"),
    }
    return _prepare(action, scope, requests, subscribe.get("retryPolicy"))


def wait(node: Node, action: Action, scope: ActionScope) -> Prepare:
    """Delay and Delay until: the inputs, when it is over, and when its limit lapses. A past time is over at once."""
    evaluate = compile_value(action.inputs, scope).evaluate
    limit = timeout(action, scope)

    def prepare(frame: Frame) -> tuple[Value, int, int | None, None]:
        inputs: Any = evaluate(frame)
        now = frame.state.now
        interval = inputs.get("interval") if isinstance(inputs, dict) else None
        until = inputs.get("until") if isinstance(inputs, dict) else None
        if isinstance(interval, dict):
            due = later(now, interval.get("count"), interval.get("unit"))
            if due < now and frame.state.revision > 2:
                raise ExpressionError(f"The interval of '{node.name}' must have a count of 1 or more, not less than 0.")
        elif isinstance(until, dict):
            due = from_iso(until.get("timestamp"))
        else:
            raise ExpressionError(
                f"'{node.name}' must have an 'interval' with count and unit, or 'until' with a timestamp."
            )
        return inputs, max(due, now), limit(frame), None

    return prepare


def timeout(action: Action, scope: ActionScope) -> Callable[[Frame], int | None]:
    """When the action's `limit.timeout` lapses, in ticks; None where it has none."""
    limit = _limit(action)
    if limit is None:
        return lambda frame: None
    evaluate = compile_value(limit, scope).evaluate
    return lambda frame: frame.state.now + duration(evaluate(frame))


def _limit(action: Action) -> Any:
    limit = action.raw.get("limit")
    return limit.get("timeout") if isinstance(limit, dict) else None


def operation_of(action: Action) -> Operation:
    """What a call to the outside addresses: its connector and operation, as far as the definition tells them."""
    given = _object(action.inputs)
    host = _object(given.get("host"))
    if action.type == "http":
        kind, connector, name = "http", "http", ""
    elif action.type == "workflow":
        kind, connector, name = "workflow", "workflow", ""
    elif action.type == "sendtobatch":
        kind, connector, name = "batch", "batch", ""
    else:
        kind = "connector"
        connector, name = _NAMING.get(action.type, _api_connection)(given, host)
    return Operation(
        kind, connector, name, action.type.endswith(("webhook", "notification")), action.options, dict(action.runtime)
    )


def _open_api(given: Any, host: Any) -> tuple[str, str]:
    api = (
        host.get("apiId")
        or _object(host.get("api")).get("id")
        or host.get("connectionName")
        or host.get("connectionReferenceName")
    )
    return _last(api), str(host.get("operationId") or "")


def _api_connection(given: Any, host: Any) -> tuple[str, str]:
    connection = _object(host.get("connection"))
    reference = connection.get("referenceName") or connection.get("name") or _object(host.get("api")).get("id")
    return _last(
        reference
    ), f"{str(given.get('method', 'get')).lower()} {given.get('path') or given.get('pathTemplate') or '/'}"


def _service_provider(given: Any, host: Any) -> tuple[str, str]:
    configuration = _object(given.get("serviceProviderConfiguration"))
    return _last(configuration.get("serviceProviderId")), str(configuration.get("operationId") or "")


def _function(given: Any, host: Any) -> tuple[str, str]:
    function = _object(given.get("function"))
    return "function", _last(function.get("id") or function.get("connectionName"))


def _local_function(given: Any, host: Any) -> tuple[str, str]:
    return "invokefunction", str(given.get("functionName") or "")


def _api_management(given: Any, host: Any) -> tuple[str, str]:
    template = _object(given.get("pathTemplate"))
    return "apimanagement", f"{str(given.get('method', 'get')).lower()} {template.get('template', '/')}"


_NAMING: Final = {
    "openapiconnection": _open_api,
    "openapiconnectionwebhook": _open_api,
    "openapiconnectionnotification": _open_api,
    "serviceprovider": _service_provider,
    "function": _function,
    "invokefunction": _local_function,
    "apimanagement": _api_management,
}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _last(reference: Any) -> str:
    """The name in a reference: the last part of a resource id, or the connection that an expression picks."""
    if not isinstance(reference, str):
        return ""
    picked = picked_connections(reference)
    if picked:
        return picked[0]
    return reference.rstrip("/").rsplit("/", 1)[-1]
