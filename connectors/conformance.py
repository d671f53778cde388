"""The suite that every connector passes, the built-in ones and yours.

Subclass `ConnectorContract` in a test module, give it a connector and calls, and pytest (with asyncio support) runs
the rest:

    class TestMine(ConnectorContract):
        def connector(self): return MyConnector()
        def working(self): return Call("mine", "Get", {"id": 1}, key="k1")

No test framework is needed to import this; the checks are plain assertions.
"""

# ruff: noqa: S101, PT017 - this is a test suite, only that it is shipped

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_args

from ..engine.values import from_json, to_json
from .answers import as_value
from .port import Call, Clock, Connector, ConnectorError, ConnectorResponse, Recovery, Services, Subscribed


class StoppedClock:
    """A clock that shows one time; whoever waits for a later one waits until cancelled."""

    def __init__(self, at: int = 0) -> None:
        self._at = at

    def now(self) -> int:
        """Always the same."""
        return self._at

    async def sleep_until(self, due: int) -> None:
        """At once for a time that has come, otherwise never."""
        if due > self._at:
            await asyncio.get_running_loop().create_future()


class ConnectorContract:
    """What the runtime relies on. Override `connector` and `working`, and whatever else the connector can show."""

    def connector(self) -> Connector:
        """The connector under test. One is made for each test."""
        raise NotImplementedError

    def working(self) -> Call:
        """A call that succeeds."""
        raise NotImplementedError

    def faulty(self) -> Call | None:
        """A call that cannot be performed: a ConnectorError, or a status that is no success."""
        return None

    def webhook(self) -> Call | None:
        """A call with a `callback_url`, of an operation that is answered by a callback."""
        return None

    def endless(self) -> tuple[Call, Callable[[], Awaitable[object]]] | None:
        """A call that is not answered by itself, and something to await that tells when it is under way."""
        return None

    def secrets(self) -> Sequence[str]:
        """Texts in the calls above that must appear neither in errors nor in logs."""
        return ()

    def effects(self) -> int | None:
        """How many effects the service has seen so far, where that can be told."""
        return None

    def clock(self) -> Clock:
        """What the connector waits by."""
        return StoppedClock()

    def services(self) -> Services:
        """What the connector is handed."""
        return Services(clock=self.clock())

    # ---- the contract

    async def test_recovery_is_declared(self) -> None:
        """`recovery` is one of the three."""
        async with _Closing(self.connector()) as connector:
            assert connector.recovery in get_args(Recovery)

    async def test_a_reply_is_json(self) -> None:
        """The reply has an HTTP status, headers of text, and a body that survives JSON."""
        async with _Closing(self.connector()) as connector:
            reply = await connector.invoke(self.working(), self.services())
        assert isinstance(reply, ConnectorResponse)
        assert type(reply.status_code) is int
        assert 200 <= reply.status_code <= 299
        assert all(type(name) is str and type(value) is str for name, value in reply.headers.items())
        assert as_value(reply.body, "the body") is reply.body
        assert to_json(from_json(to_json(reply.body))) == to_json(reply.body)
        assert not (reply.empty and reply.body is not None)

    async def test_a_webhook_is_answered_now_or_later(self) -> None:
        """A webhook's call gives a reply, or says that the answer comes to its callback URL."""
        call = self.webhook()
        if call is None:
            return
        async with _Closing(self.connector()) as connector:
            answer = await connector.invoke(call, self.services())
        assert isinstance(answer, ConnectorResponse | Subscribed)
        if isinstance(answer, Subscribed):
            assert as_value(answer.details, "the details") is answer.details

    async def test_inputs_stay_as_they_are(self) -> None:
        """What a call carries belongs to the run's history."""
        call = self.working()
        before = to_json(call.inputs)
        async with _Closing(self.connector()) as connector:
            await connector.invoke(call, self.services())
        assert to_json(call.inputs) == before

    async def test_calls_run_side_by_side(self) -> None:
        """One connector serves many runs at a time."""
        async with _Closing(self.connector()) as connector:
            services = self.services()
            replies = await asyncio.gather(*(connector.invoke(self.working(), services) for _ in range(8)))
        assert {_status(reply) // 100 for reply in replies} == {2}

    async def test_a_repeated_call_has_one_effect(self) -> None:
        """`keyed`: the service sees from the key that it has done this already. `rerun`: it does no harm."""
        if self.effects() is None:
            return
        async with _Closing(self.connector()) as connector:
            if connector.recovery == "never":
                return
            services, call = self.services(), self.working()
            await connector.invoke(call, services)
            once = self.effects()
            await connector.invoke(call, services)
            assert self.effects() == once

    async def test_faults_are_failures(self) -> None:
        """A fault is told with a code and a sentence, never as some other exception."""
        call = self.faulty()
        if call is None:
            return
        async with _Closing(self.connector()) as connector:
            try:
                reply = await connector.invoke(call, self.services())
            except ConnectorError as failure:
                assert failure.code
                assert not any(char.isspace() for char in failure.code)
                assert failure.message
                assert not any(secret in failure.message + str(failure.hint) for secret in self.secrets())
            else:
                assert not 200 <= _status(reply) <= 299

    async def test_a_call_can_be_given_up(self) -> None:
        """Cancelling ends a call at once, and the connector works on."""
        given = self.endless()
        if given is None:
            return
        call, under_way = given
        async with _Closing(self.connector()) as connector:
            task = asyncio.ensure_future(connector.invoke(call, self.services()))
            await under_way()
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
            reply = await connector.invoke(self.working(), self.services())
            assert 200 <= _status(reply) <= 299

    async def test_secrets_are_not_logged(self) -> None:
        """Whatever is logged while calling, at whatever level, names no secret."""
        collected = _Collected()
        root = logging.getLogger()
        level = root.level
        root.addHandler(collected)
        root.setLevel(logging.DEBUG)
        try:
            async with _Closing(self.connector()) as connector:
                for call in (self.working(), self.faulty()):
                    if call is not None:
                        try:
                            await connector.invoke(call, self.services())
                        except ConnectorError:
                            pass
        finally:
            root.removeHandler(collected)
            root.setLevel(level)
        assert not [text for text in collected.texts if any(secret in text for secret in self.secrets())]


def _status(answer: ConnectorResponse | Subscribed) -> int:
    """The status of a call that is no webhook's, which therefore has a reply."""
    assert isinstance(answer, ConnectorResponse)
    return answer.status_code


class _Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.getMessage()} {record.exc_text or ''} {record.args!r}")


class _Closing:
    """Closes a connector that can be closed."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def __aenter__(self) -> Connector:
        return self._connector

    async def __aexit__(self, *_: object) -> None:
        close: Any = getattr(self._connector, "aclose", None)
        if close is not None:
            await close()
