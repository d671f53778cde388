"""The suite for connectors, on the smallest connector there is, and on connectors that break its rules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sealflow.connectors import Call, Connector, ConnectorError, ConnectorResponse, Subscribed
from sealflow.connectors.conformance import ConnectorContract
from sealflow.connectors.registry import FunctionConnector

log = logging.getLogger("sealflow.test")


class TestFunctions(ConnectorContract):
    """An async function, registered as it is."""

    def connector(self) -> Connector:
        self.done: set[str] = set()
        self.started = asyncio.Event()
        return FunctionConnector(self.handle)

    async def handle(self, call: Call) -> Any:
        self.started.set()
        if call.operation == "Wait":
            await asyncio.get_running_loop().create_future()
        if call.operation == "Refuse":
            raise ConnectorError("Refused", "Not this one.")
        if call.webhook:
            return Subscribed({"told": bool(call.callback_url)})
        self.done.add(call.key)
        return {"echo": call.inputs}

    def working(self) -> Call:
        return Call("mine", "Echo", {"n": [1, 2.5], "secret": "planted"}, "k1")

    def faulty(self) -> Call | None:
        return Call("mine", "Refuse", {"secret": "planted"}, "k2")

    def webhook(self) -> Call | None:
        return Call("mine", "Ask", None, "k4", webhook=True, callback_url="https://host/planted")

    def endless(self) -> tuple[Call, Callable[[], Awaitable[object]]] | None:
        return Call("mine", "Wait", None, "k3"), lambda: self.started.wait()

    def secrets(self) -> list[str]:
        return ["planted"]

    def effects(self) -> int | None:
        return len(self.done) if hasattr(self, "done") else 0


class Faulty(TestFunctions):
    """Breaks one rule after the other."""

    __test__ = False
    fault = ""

    async def handle(self, call: Call) -> Any:
        if self.fault == "status":
            return ConnectorResponse(500)
        if self.fault == "headers":
            return ConnectorResponse(200, {"n": 5})  # type: ignore[dict-item]
        if self.fault == "changes" and isinstance(call.inputs, dict):
            call.inputs["more"] = True
        if self.fault == "logs":
            log.debug("called with %r", call.inputs)
        if self.fault == "raises" and call.operation == "Refuse":
            raise KeyError("planted")
        if self.fault == "tells" and call.operation == "Refuse":
            raise ConnectorError("Refused", "Not with planted.")
        if self.fault == "repeats":
            self.done.add(str(len(self.done)))
            return None
        if self.fault == "holds on" and call.operation == "Wait":
            self.started.set()
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                return None
        return await super().handle(call)


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("status", "test_a_reply_is_json"),
        ("headers", "test_a_reply_is_json"),
        ("changes", "test_inputs_stay_as_they_are"),
        ("logs", "test_secrets_are_not_logged"),
        ("raises", "test_faults_are_failures"),
        ("tells", "test_faults_are_failures"),
        ("repeats", "test_a_repeated_call_has_one_effect"),
        ("holds on", "test_a_call_can_be_given_up"),
    ],
)
async def test_the_suite_notices(fault: str, test: str) -> None:
    suite = Faulty()
    suite.fault = fault
    with pytest.raises((AssertionError, KeyError)):
        await getattr(suite, test)()
    suite.fault = ""
    await getattr(suite, test)()
