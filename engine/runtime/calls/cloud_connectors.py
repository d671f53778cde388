"""Cloud connectors that desktop flows call: `External.InvokeCloudConnector` is the call that a cloud flow's action of
the same connector and operation would make, through the same registry.

The connector is given `host` and `parameters` as of an OpenApiConnection action; what it answers is the value of the
row's output, whatever its name. Source: exported solutions (`ConnectorId`, `OperationId`, parameters by their paths).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ....connectors import Call, Connector, ConnectorResponse, Services, Subscribed
from ....connectors.port import Recovery
from ....connectors.registry import canonical
from ...datatypes import plain, restored
from ...kernel import Invoke
from ...kernel.contract.operations import Operation
from .built_in_operations import EXTERNAL

_INVOKE: Final = "external.invokecloudconnector"
_OWN: Final = ("connection", "connectorid", "operationid")


def is_cloud_call(operation: Operation) -> bool:
    """Whether a call of a desktop flow is one of a cloud connector."""
    return operation.connector == EXTERNAL and operation.name.lower() == _INVOKE


def addressed(command: Invoke) -> tuple[Operation, dict[str, Any]]:
    """The operation that is meant, and its inputs as a cloud flow's action has them."""
    inputs: Mapping[str, Any] = command.inputs if isinstance(command.inputs, dict) else {}
    own = {name.lower(): str(value or "") for name, value in inputs.items() if name.lower() in _OWN}
    parameters = {name: plain(restored(value)) for name, value in inputs.items() if name.lower() not in _OWN}
    api, name = own.get("connectorid", ""), own.get("operationid", "")
    host = {"apiId": api, "connectionName": own.get("connection") or canonical(api), "operationId": name}
    operation = replace(command.operation, connector=api.rstrip("/").rsplit("/", 1)[-1], name=name, fixed={})
    return operation, {"host": host, "parameters": parameters}


@dataclass(frozen=True, slots=True)
class AnsweringScript:
    """A connector whose answer becomes the outputs of a script's row; `outputs` are their names."""

    connector: Connector
    outputs: tuple[str, ...]

    @property
    def recovery(self) -> Recovery:
        """The connector's."""
        return self.connector.recovery

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse | Subscribed:
        """Make the call. Raises as the connector does."""
        reply = await self.connector.invoke(call, services)
        if isinstance(reply, Subscribed) or not 200 <= reply.status_code <= 299:
            return reply
        return ConnectorResponse(reply.status_code, reply.headers, dict.fromkeys(self.outputs, reply.body))


def answering(connector: Connector, command: Invoke) -> AnsweringScript:
    """The connector for this call."""
    return AnsweringScript(connector, tuple(name for name, _, _ in getattr(command.node, "outputs", ())))
