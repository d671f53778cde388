"""Calls as outcomes of actions: what the kernel gets to know of them."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from sealflow.connectors import Call, ConnectorError, ConnectorResponse, Recovery, Registry, Services, status_name
from sealflow.engine.cloud import parse
from sealflow.engine.errors import Denied
from sealflow.engine.kernel import Invoke, State, build, decide
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import FAILED, SUCCEEDED
from sealflow.engine.runtime.calls.dispatch import Answer, Performer
from sealflow.engine.runtime.workers.clock import VirtualClock

PINS: dict[str, Any] = {"seed": b"s" * 32, "parameters": {}, "caller": False, "workflow": {}}
NO_SUCH_ITEM = {"error": {"code": "ItemNotFound", "message": "No such item."}}
TRIGGER: dict[str, Any] = {"name": "manual", "outputs": {"body": {}}}


def answered(status: int) -> str:
    return f"The call was answered with status {status} ({status_name(status)})."


def invoke(action: dict[str, Any]) -> Invoke:
    """The command that this action gives."""
    return invoked(action)[1]


def invoked(action: dict[str, Any]) -> tuple[State, Invoke]:
    """A run that waits for the call of this action, and the command."""
    definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": {"Do it": action}}
    plan = build(parse(definition))
    state = State(plan)
    _, commands = decide(plan, state, event.start(0, TRIGGER, PINS))
    [command] = commands
    assert isinstance(command, Invoke)
    return state, command


def connection(**more: Any) -> dict[str, Any]:
    host = {"apiId": "/providers/Microsoft.PowerApps/apis/shared_office365", "operationId": "SendEmailV2"}
    return {"type": "OpenApiConnection", "inputs": {"host": host, "parameters": {"to": "a@b.c"}}, **more}


async def perform(given: Any, action: dict[str, Any] | None = None, recovery: Recovery = "keyed") -> Answer:
    registry = Registry()
    registry.register("Office365", given, recovery=recovery)
    return await Performer(registry, Services(VirtualClock())).perform(invoke(action or connection()))


async def test_what_a_connector_is_asked() -> None:
    calls: list[Call] = []

    async def handler(call: Call) -> dict[str, Any]:
        calls.append(call)
        return {"id": 1}

    settings = {"requestOptions": {"timeout": "PT1M"}, "paginationPolicy": {"minimumItemCount": 5}}
    action = connection(runtimeConfiguration=settings, operationOptions="DisableAsyncPattern")
    answer = await perform(handler, action)
    assert answer == (SUCCEEDED, "OK", {"statusCode": 200, "headers": {}, "body": {"id": 1}}, None)
    [call] = calls
    assert call == Call(
        connector="shared_office365",
        operation="SendEmailV2",
        inputs={"host": action["inputs"]["host"], "parameters": {"to": "a@b.c"}},
        key=invoke(action).key,
        path="/Do it",
        attempt=1,
        options=frozenset({"disableasyncpattern"}),
        settings=settings,
        webhook=False,
        timeout=60.0,
    )


async def test_http_actions_go_to_the_http_connector() -> None:
    async def handler(call: Call) -> ConnectorResponse:
        return ConnectorResponse(201, {"X": "1"}, call.inputs)

    registry = Registry()
    registry.register("http", handler)
    inputs = {"method": "POST", "uri": "https://example.org/"}
    answer = await Performer(registry, Services(VirtualClock())).perform(invoke({"type": "Http", "inputs": inputs}))
    assert answer == (SUCCEEDED, "Created", {"statusCode": 201, "headers": {"X": "1"}, "body": inputs}, None)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            ConnectorResponse(204, {}, None, empty=True),
            (SUCCEEDED, "NoContent", {"statusCode": 204, "headers": {}}, None),
        ),
        (ConnectorResponse(200), (SUCCEEDED, "OK", {"statusCode": 200, "headers": {}, "body": None}, None)),
        (
            ConnectorResponse(404, {}, NO_SUCH_ITEM),
            (
                FAILED,
                "NotFound",
                {
                    "statusCode": 404,
                    "headers": {},
                    "body": {"error": {"code": "ItemNotFound", "message": "No such item."}},
                },
                {"code": "ItemNotFound", "message": "No such item."},
            ),
        ),
        (
            ConnectorResponse(503, {"Retry-After": "5"}, "later"),
            (
                FAILED,
                "ServiceUnavailable",
                {"statusCode": 503, "headers": {"Retry-After": "5"}, "body": "later"},
                {
                    "code": "ServiceUnavailable",
                    "message": answered(503),
                },
            ),
        ),
        (
            ConnectorResponse(418, {}, {"error": {"message": "short and stout", "code": 5}}),
            (
                FAILED,
                "418",
                {"statusCode": 418, "headers": {}, "body": {"error": {"message": "short and stout", "code": 5}}},
                {"code": "418", "message": "short and stout"},
            ),
        ),
        (
            ConnectorResponse(302, {}, {"error": "moved"}),
            (
                FAILED,
                "Found",
                {"statusCode": 302, "headers": {}, "body": {"error": "moved"}},
                {"code": "Found", "message": answered(302)},
            ),
        ),
    ],
)
async def test_answers(reply: ConnectorResponse, expected: Any) -> None:
    async def handler(call: Call) -> ConnectorResponse:
        return reply

    assert await perform(handler) == expected


async def test_failures() -> None:
    async def failing(call: Call) -> ConnectorResponse:
        raise ConnectorError("ConnectionFailed", "Nobody there.", {"statusCode": 0}, hint="Try later.")

    assert await perform(failing) == (
        FAILED,
        "ConnectionFailed",
        {"statusCode": 0},
        {"code": "ConnectionFailed", "message": "Nobody there. Try later."},
    )

    async def denied(call: Call) -> ConnectorResponse:
        raise Denied("Not for you.")

    assert await perform(denied) == (FAILED, "Denied", None, {"code": "Denied", "message": "Not for you."})


async def test_a_connector_that_breaks_tells_nothing_of_what_it_had() -> None:
    async def broken(call: Call) -> ConnectorResponse:
        raise KeyError("planted")

    answer = await perform(broken)
    message = "The connector 'shared_office365' broke with KeyError."
    assert answer == (FAILED, "ConnectorFailed", None, {"code": "ConnectorFailed", "message": message})


async def test_a_connector_that_is_not_there() -> None:
    answer = await Performer(Registry(), Services(VirtualClock())).perform(invoke(connection()))
    assert (answer.status, answer.code) == (FAILED, "ConnectorNotFound")
    assert answer.error is not None
    assert "office365" in answer.error["message"]
    assert "--simulate" in answer.error["message"]


@pytest.mark.parametrize(
    "given",
    [
        datetime.datetime(2026, 1, 1),
        {"at": {1, 2}},
        {1: 2},
        ConnectorResponse(200, {}, [b"x"]),
        ConnectorResponse(0),
        ConnectorResponse(True),
    ],
)
async def test_answers_that_are_no_json(given: Any) -> None:
    async def handler(call: Call) -> Any:
        return given

    answer = await perform(handler)
    assert (answer.status, answer.code, answer.outputs) == (FAILED, "InvalidReply", None)


@pytest.mark.parametrize("given", ["soon", "PT0S", 5])
async def test_a_timeout_that_is_none(given: Any) -> None:
    async def handler(call: Call) -> None:
        raise AssertionError

    answer = await perform(handler, connection(runtimeConfiguration={"requestOptions": {"timeout": given}}))
    assert (answer.status, answer.code) == (FAILED, "InvalidTemplate")


async def test_giving_up_is_not_an_answer() -> None:
    started = asyncio.Event()

    async def endless(call: Call) -> None:
        started.set()
        await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(perform(endless))
    await started.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@pytest.mark.parametrize(("recovery", "code"), [("never", "ActionInterrupted"), ("keyed", None), ("rerun", None)])
def test_calls_that_a_crash_interrupted(recovery: Recovery, code: str | None) -> None:
    async def handler(call: Call) -> None:
        return None

    registry = Registry()
    performer = Performer(registry, Services(VirtualClock()))
    assert performer.interrupted(invoke(connection())) is None
    registry.register("office365", handler, recovery=recovery)
    answer = performer.interrupted(invoke(connection()))
    assert (answer.code if answer else None) == code


async def test_an_answer_is_what_a_result_record_takes() -> None:
    class Odd(Mapping[str, str]):
        def __getitem__(self, name: str) -> str:
            return "1"

        def __iter__(self) -> Any:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    async def handler(call: Call) -> ConnectorResponse:
        return ConnectorResponse(200, Odd(), ("x", {"y": (1, 2)}))  # type: ignore[arg-type]

    state, command = invoked(connection())
    answer = await perform(handler)
    records, _ = decide(state.plan, state, event.result(command.node.index, command.it, command.attempt, 1, *answer))
    assert records[0][1] == event.RESULT
    assert records[0][8] == {"statusCode": 200, "headers": {"a": "1"}, "body": ["x", {"y": [1, 2]}]}
    assert state.end is not None
    assert state.end.status == SUCCEEDED
