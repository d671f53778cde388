"""How a module of desktop actions is written: functions of their arguments and a session, in a table by action id.

A function is given `Arguments` and the run's `Session` and returns the outputs by name. A plain function may block: it
is run in a thread; an async one runs on the loop and must not. What it raises as `Fault` is the action's error, which
the script can catch by its name.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from ...engine.datatypes import Datum, restored, stored
from ...engine.values import Value
from ..port import Call, ConnectorError, ConnectorResponse, Recovery, Services
from .arguments import Arguments
from .fault import Fault
from .session import Session

Outputs: TypeAlias = "Mapping[str, Datum] | None"
Handler: TypeAlias = "Callable[[Arguments, Session], Outputs] | Callable[[Arguments, Session], Awaitable[Outputs]]"


@dataclass(frozen=True, slots=True)
class Operation:
    """One action. `recovery`: what is done about a call that a crash interrupted; `never` unless repeating is harmless.

    Source: the design's classes of recovery; desktop actions are `never` where nothing else is known.
    """

    handler: Handler
    recovery: Recovery = "never"


Table: TypeAlias = "Mapping[str, Operation]"
"""The operations of a module by action id, as the catalogue spells it: `File.Copy`."""


def reads(handler: Handler) -> Operation:
    """An action that only looks: it is made again after a crash."""
    return Operation(handler, "rerun")


class ModuleConnector:
    """The connector of one module: `desktop.<module>`.

    `call.operation` is the action id, `call.inputs` are the arguments by name as stored values, the reply's body the
    outputs by name, stored as well.
    """

    recovery: Recovery = "never"

    def __init__(self, table: Table) -> None:
        self._table = {name.casefold(): operation for name, operation in table.items()}

    @property
    def operations(self) -> Iterable[str]:
        """The ids that it answers, lower-case."""
        return self._table

    def recovery_of(self, operation: str) -> Recovery:
        """What is done about a call of this operation that a crash interrupted."""
        known = self._table.get(operation.casefold())
        return known.recovery if known is not None else self.recovery

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Perform the action. Raises ConnectorError with the error's name as its code."""
        operation = self._table.get(call.operation.casefold())
        if operation is None:
            raise ConnectorError("OperationNotFound", f"There is no action '{call.operation}' here.")
        session = services.session
        if not isinstance(session, Session):
            raise ConnectorError(
                "SessionMissing", f"'{call.operation}' is an action of desktop flows and needs a run of one."
            )
        arguments = Arguments(_members(call.inputs), call.operation)
        handler = operation.handler
        try:
            if inspect.iscoroutinefunction(handler):
                outputs: Outputs = await handler(arguments, session)
            else:
                # A thread cannot be stopped: a call that is given up comes to its end for nobody.
                outputs = await asyncio.to_thread(
                    cast("Callable[[Arguments, Session], Outputs]", handler), arguments, session
                )
        except Fault as fault:
            raise ConnectorError(fault.name, fault.message, hint=fault.hint) from fault
        return ConnectorResponse(200, {}, {name: stored(value) for name, value in (outputs or {}).items()})


def _members(inputs: Value) -> dict[str, Datum]:
    if not isinstance(inputs, dict):
        raise ConnectorError("InvalidArgument", "The arguments of an action must be an object.")
    return {name: restored(value) for name, value in inputs.items()}
