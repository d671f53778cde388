"""Carries a call out: finds its connector, invokes it, and tells how it went in the words of the run history.

Only calls to connectors are made here, HTTP included; child flows are runs of their own. Whatever happens, the answer
is an outcome of the action: a connector that breaks fails its action, never the run's engine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...connectors import Call, Failure, Registry, Reply, Services, status_name
from ...connectors.answers import as_value
from ..errors import ExpressionError, SealflowError
from ..kernel import Invoke
from ..kernel.status import FAILED, SUCCEEDED
from ..kernel.timing import SECOND, duration
from ..values import Value


class Answer(NamedTuple):
    """How a call went: `records.result(node, it, attempt, at, *answer)`."""

    status: int
    code: str
    outputs: Value
    error: dict[str, Any] | None


class Performer:
    """Makes the calls of runs."""

    def __init__(self, registry: Registry, services: Services) -> None:
        self.registry = registry
        self.services = services

    async def perform(self, command: Invoke) -> Answer:
        """Make the call once and say how it went. Raises nothing but CancelledError, which gives the call up."""
        operation = command.operation
        try:
            connector = self.registry.find(operation.connector)
            call = Call(
                connector=operation.connector,
                operation=operation.name,
                inputs=command.inputs,
                key=command.key,
                path=command.path,
                attempt=command.attempt,
                options=operation.options,
                settings=operation.settings,
                webhook=operation.webhook,
                timeout=_timeout(operation.settings),
            )
            return answer_of(await connector.invoke(call, self.services), operation.connector)
        except Failure as failure:
            return _failed(failure.code, failure, failure.outputs)
        except SealflowError as error:
            return _failed(error.code, error, None)
        except Exception as error:
            # Only the type: a message from elsewhere may quote what was sent.
            message = f"The connector '{operation.connector}' broke with {type(error).__name__}."
            return Answer(FAILED, "ConnectorFailed", None, {"code": "ConnectorFailed", "message": message})

    def interrupted(self, command: Invoke) -> Answer | None:
        """The outcome of a call that was under way when the process died, None where it is simply made again.

        That is the connector's choice (`recovery`); where it is not known whether the call had its effect and it must
        not have two, the action fails and the flow can handle that.
        """
        name = command.operation.connector
        if name not in self.registry or self.registry.find(name).recovery != "never":
            return None
        message = f"The call to '{name}' was under way when the process ended; whether it took effect is not known."
        return Answer(FAILED, "ActionInterrupted", None, {"code": "ActionInterrupted", "message": message})


def answer_of(reply: Reply, connector: str) -> Answer:
    """The outcome of a call that was answered. Raises Failure `InvalidReply` for a reply that is none.

    Source: Logic Apps, "Schema reference for trigger and action types": an HTTP action's outputs; a status from 200
    to 299 is a success, and the code is the name of the status.
    """
    status: object = reply.status_code
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
        raise Failure("InvalidReply", f"The connector '{connector}' answered with a status that is no HTTP status.")
    outputs: dict[str, Any] = {
        "statusCode": int(status),
        "headers": as_value(reply.headers, f"The headers of the connector '{connector}'"),
    }
    if not reply.empty:
        outputs["body"] = as_value(reply.body, f"The answer of the connector '{connector}'")
    name = status_name(status)
    if 200 <= status <= 299:
        return Answer(SUCCEEDED, name, outputs, None)
    return Answer(FAILED, name, outputs, error_of(status, outputs.get("body")))


def error_of(status: int, body: Value) -> dict[str, Any]:
    """The error of an answer with this status: the one that its body tells of as `error`, or a sentence."""
    name = status_name(status)
    told = body.get("error") if isinstance(body, dict) else None
    if isinstance(told, dict) and isinstance(told.get("message"), str) and told["message"]:
        code = told.get("code")
        return {"code": code if isinstance(code, str) and code else name, "message": told["message"]}
    return {"code": name, "message": f"The call was answered with status {status}" + _in_words(status, name)}


def _in_words(status: int, name: str) -> str:
    return "." if name == str(status) else f" ({name})."


def _failed(code: str, error: SealflowError, outputs: Value) -> Answer:
    message = f"{error.message} {error.hint}" if error.hint else error.message
    return Answer(FAILED, code, outputs, {"code": code, "message": message})


def _timeout(settings: dict[str, Any]) -> float | None:
    """Seconds of `requestOptions.timeout`, None where it is not set."""
    options = settings.get("requestOptions")
    given = options.get("timeout") if isinstance(options, dict) else None
    if given is None:
        return None
    seconds = duration(given) / SECOND
    if seconds <= 0:
        raise ExpressionError("The 'timeout' in the request options must be longer than nothing.")
    return seconds
