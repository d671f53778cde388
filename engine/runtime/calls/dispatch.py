"""Carries a call out: finds its connector, invokes it, and tells how it went in the words of the run history.

Only calls to connectors are made here, HTTP included; child flows are runs of their own. Whatever happens, the answer
is an outcome of the action: a connector that breaks fails its action, never the run's engine.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ....connectors import (
    Call,
    Connector,
    ConnectorError,
    ConnectorResponse,
    Egress,
    Registry,
    Services,
    Subscribed,
    status_name,
)
from ....connectors.answers import as_value
from ....connectors.desktop import Session, Settings
from ....connectors.desktop.modules import MODULES
from ....connectors.port import Content, Recovery, drafted
from ....storage import ExecutorLost, StorageError
from ...errors import ExpressionError, SealflowError
from ...kernel import Invoke
from ...kernel.cloud.actions.inline import INLINE
from ...kernel.cloud.triggers.polling import Request
from ...kernel.contract.operations import Operation
from ...kernel.contract.status import FAILED, SUCCEEDED, WAITING
from ...kernel.contract.timing import SECOND, duration
from ...values import Value
from .cloud_connectors import addressed, answering, is_cloud_call
from .sessions import Sessions

if TYPE_CHECKING:
    from ....connectors import Artifact
    from ...kernel.desktop.plan import Handler


class Answer(NamedTuple):
    """How a call went: `records.result(node, it, attempt, at, *answer)`."""

    status: int
    code: str
    outputs: Value
    error: dict[str, Any] | None


class Outside(NamedTuple):
    """A call that is ready to be made; it holds nothing of its run but what is sent. `asks`: it subscribes.

    `session`: what the run of a desktop flow has open, `handlers` those that could take the call's error, see
    `last_looks`. `content`: where its connector reads and keeps large values, None where it does not.
    """

    connector: Connector
    call: Call
    operation: Operation
    asks: bool
    session: Session | None = None
    handlers: tuple[Handler, ...] | None = None
    content: Content | None = None


class Role(Protocol):
    """That this process executes the runs whose calls are made."""

    @property
    def holds_role(self) -> bool:
        """Whether no other process can have taken over."""
        ...

    async def confirm_role(self) -> None:
        """Return when that is certain again. Raises ExecutorLost."""
        ...


class Performer:
    """Makes the calls of runs. Each is made only while `role` is held, which is asked right before it."""

    def __init__(
        self, registry: Registry, services: Services, desktop: Settings | None = None, role: Role | None = None
    ) -> None:
        self._role = role
        self.registry = registry
        self.services = services
        self.sessions = Sessions(desktop if desktop is not None else Settings(), services)

    def use_egress(self, egress: Egress) -> None:
        """Judge the connections of calls that begin from now on by another policy."""
        self.services = replace(self.services, egress=egress)
        self.sessions.use_egress(egress)

    def streams(self, command: Invoke) -> bool:
        """Whether the connector of a call takes large values as they are stored, and reads them piece by piece."""
        name = command.operation.connector
        return name in self.registry and getattr(self.registry.find(name), "streams", False)

    async def perform(self, command: Invoke) -> Answer:
        """Make the call once and say how it went. Raises nothing but CancelledError, which gives the call up."""
        prepared = self.prepare(command)
        return await self.carry_out(prepared) if isinstance(prepared, Outside) else prepared

    def prepare(self, command: Invoke) -> Outside | Answer:
        """The call that a command asks for, or what comes of one that cannot be made."""
        operation = command.operation
        try:
            asks = operation.webhook and not command.unsubscribes
            if not operation.connector.startswith(MODULES):
                return Outside(self.registry.find(operation.connector), _call(command), operation, asks)
            if is_cloud_call(operation):
                return self._cloud_call(command)
            connector = self.registry.find(operation.connector)
            session, handlers = self.sessions.of(run_of(command)), command.handlers
            return Outside(connector, _call(command), operation, asks, session, handlers)
        except Exception as error:
            return _fault(operation, error)

    def _cloud_call(self, command: Invoke) -> Outside:
        """A cloud connector's operation that a desktop flow calls. Raises as the registry does."""
        operation, inputs = addressed(command)
        connector = answering(self.registry.find(operation.connector), command)
        call = Call(operation.connector, operation.name, inputs, command.key, command.path, command.attempt)
        return Outside(connector, call, operation, asks=False)

    async def carry_out(self, prepared: Outside) -> Answer:
        """Make the call, as `perform` does. Raises StorageError where large content could not be read or kept."""
        try:
            services = self.services
            if prepared.session is not None or prepared.content is not None:
                services = replace(services, session=prepared.session, content=prepared.content)
            if self._role is not None and not self._role.holds_role:
                await self._role.confirm_role()
            return _outcome(prepared, await prepared.connector.invoke(prepared.call, services))
        except StorageError:
            raise  # of its run, which cannot go on then: nothing that a flow could handle
        except Exception as error:
            answer = _fault(prepared.operation, error)
        if prepared.session is not None and prepared.handlers is not None:
            from .screenshots import look

            return answer._replace(outputs=await look(prepared.session, answer.code, prepared.handlers))
        return answer

    async def ask(self, request: Request, *, key: str, trigger: str, callback_url: str = "") -> Answer:
        """What a trigger asks outside: once, judged like the call of an action; raises nothing either.

        A connector that subscribed is a success without outputs.
        """
        try:
            return await self._ask(request, key, trigger, callback_url)
        except ExecutorLost:
            raise  # whoever has taken over asks
        except Exception as error:
            return _fault(request.operation, error)

    async def _ask(self, request: Request, key: str, trigger: str, callback_url: str) -> Answer:
        operation = request.operation
        call = Call(
            connector=operation.connector,
            operation=operation.name,
            inputs=request.inputs,
            key=key,
            path=trigger,
            options=operation.options | _AT_ONCE,
            settings=operation.settings,
            webhook=bool(callback_url) and operation.webhook,
            callback_url=callback_url,
            timeout=_timeout(operation.settings),
        )
        if self._role is not None and not self._role.holds_role:
            await self._role.confirm_role()
        reply = await self.registry.find(operation.connector).invoke(call, self.services)
        if isinstance(reply, Subscribed):
            return Answer(SUCCEEDED, SUBSCRIBED, None, None)
        return answer_of(reply, operation.connector)

    def interrupted(self, command: Invoke) -> Answer | None:
        """The outcome of a call that was under way when the process died, None where it is simply made again.

        That is the connector's choice (`recovery`); where it is not known whether the call had its effect and it must
        not have two, the action fails and the flow can handle that.
        """
        operation = addressed(command)[0] if is_cloud_call(command.operation) else command.operation
        name = operation.connector
        if name not in self.registry or _recovery(self.registry.find(name), operation.name) != "never":
            return None
        message = f"The call to '{name}' was under way when the process ended; whether it took effect is not known."
        return Answer(FAILED, "ActionInterrupted", None, {"code": "ActionInterrupted", "message": message})


def _recovery(connector: Connector, operation: str) -> Recovery:
    """What is done about an interrupted call: what the connector says of the operation, if it tells them apart."""
    apart = getattr(connector, "recovery_of", None)
    return apart(operation) if apart is not None else connector.recovery


def run_of(command: Invoke) -> bytes:
    """The id of the run that a command is of."""
    return bytes.fromhex(command.context.run.replace("-", ""))


def _call(command: Invoke) -> Call:
    """What the connector is asked. Raises ConnectorError or ExpressionError where that cannot be told."""
    operation = command.operation
    settings = operation.settings
    webhook = operation.webhook
    path = command.path
    return drafted(
        operation.connector,
        operation.name,
        {**operation.fixed, **command.inputs} if operation.fixed else command.inputs,
        command.key,
        path,
        command.attempt,
        operation.options | _AT_ONCE if webhook else operation.options,
        settings,
        webhook,
        command.callback_url if webhook else "",
        _timeout(settings) if settings else None,
        _artifact_of(command) if operation.kind == INLINE else None,
    )


def _artifact_of(command: Invoke) -> Artifact | None:
    from .artifacts import artifact_of

    return artifact_of(command)


def _fault(operation: Operation, error: Exception) -> Answer:
    """What came of a call that raised this."""
    if operation.connector.startswith(MODULES):
        from ..flows.unsupported_actions import NOT_THERE, refusal

        if getattr(error, "code", "") in NOT_THERE:
            error = refusal(operation.name) or error
    if isinstance(error, ConnectorError):
        return _failed(error.code, error, error.outputs)
    if isinstance(error, SealflowError):
        return _failed(error.code, error, None)
    # Only the type: a message from elsewhere may quote what was sent.
    message = f"The connector '{operation.connector}' broke with {type(error).__name__}."
    return Answer(FAILED, "ConnectorFailed", None, {"code": "ConnectorFailed", "message": message})


_AT_ONCE: Final = frozenset({"disableasyncpattern"})
"""A webhook's request is answered when it is accepted: the callback says the rest."""


def _outcome(prepared: Outside, reply: ConnectorResponse | Subscribed) -> Answer:
    """The outcome of a connector's answer. Raises ConnectorError `InvalidReply`.

    An HttpWebhook is subscribed when its request succeeds; any other webhook when its connector says so.
    """
    operation, asks = prepared.operation, prepared.asks
    if not isinstance(reply, Subscribed):
        if operation.kind == INLINE:
            return _bare(reply, operation)
        answer = answer_of(reply, operation.connector)
        if asks and operation.kind == "http" and answer.status == SUCCEEDED:
            return answer._replace(status=WAITING, code=SUBSCRIBED)
        return answer
    if not asks:
        raise ConnectorError(
            "InvalidReply", f"The connector '{operation.connector}' subscribed, but no webhook asked for it."
        )
    return Answer(WAITING, SUBSCRIBED, as_value(reply.details, "The details of the subscription"), None)


SUBSCRIBED: Final = "Subscribed"
"""The code of an action that waits for its callback."""


def answer_of(reply: ConnectorResponse, connector: str) -> Answer:
    """The outcome of a call that was answered. Raises ConnectorError `InvalidReply` for a reply that is none.

    Source: Logic Apps, "Schema reference for trigger and action types": an HTTP action's outputs; a status from 200
    to 299 is a success, and the code is the name of the status.
    """
    status: object = reply.status_code
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
        raise ConnectorError(
            "InvalidReply", f"The connector '{connector}' answered with a status that is no HTTP status."
        )
    headers, body = _names(connector)
    outputs: dict[str, Any] = {"statusCode": int(status), "headers": as_value(reply.headers, headers)}
    if not reply.empty:
        outputs["body"] = as_value(reply.body, body)
    name = status_name(status)
    if 200 <= status <= 299:
        return Answer(SUCCEEDED, name, outputs, None)
    return Answer(FAILED, name, outputs, error_of(status, outputs.get("body")))


@lru_cache(maxsize=256)
def _names(connector: str) -> tuple[str, str]:
    """What the parts of a connector's answers are called in errors."""
    return f"The headers of the connector '{connector}'", f"The answer of the connector '{connector}'"


def _bare(reply: ConnectorResponse, operation: Operation) -> Answer:
    """The outcome of work that is no call to a service: its outputs have a body and nothing else."""
    body = as_value(reply.body, f"The answer of the connector '{operation.connector}'")
    return Answer(SUCCEEDED, "OK", {"body": body}, None)


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
