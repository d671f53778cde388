"""The stand-in for the examples' services, as a witness: which calls came, with which keys, and a call that is fatal.

A caller that died before an answer was durable asks again with the same Idempotency-Key and gets the answer that it
lost, as from any service that honours such keys.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from example_modules import module

CLOUD: Final = Path(__file__).resolve().parents[2] / "examples" / "cloud"


standin: Final[Any] = module(CLOUD / "standin.py")


class Connections:
    """The connections to a server that its threads have not done with."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._begin, self._serve = server.process_request, server.process_request_thread
        self._open: set[Any] = set()
        self._accepted: set[Any] = set()
        self._changed = threading.Condition()
        server.process_request, server.process_request_thread = self._accept, self._served

    def until_none(self) -> None:
        """Return when all that was sent by who is dead by now has been seen. Connections are accepted in turn."""
        with socket.create_connection(self._server.server_address) as last:
            mine = last.getsockname()
        with self._changed:
            done = self._changed.wait_for(lambda: mine in self._accepted and not self._open, timeout=60)
        assert done, f"these callers are still there: {self._open}"

    def _accept(self, request: Any, address: Any) -> None:
        with self._changed:
            self._accepted.add(address)
            self._open.add(address)
        self._begin(request, address)

    def _served(self, request: Any, address: Any) -> None:
        try:
            self._serve(request, address)
        finally:
            with self._changed:
                self._open.discard(address)
                self._changed.notify_all()


class Witness:
    """The services on a free port. `calls` names each call in the order of arrival: by its key, or its address for a
    call that needs none.

    `one_by_one`: the flow makes no two calls at a time, so that the number of a call says which one it is.
    """

    def __init__(self, *, one_by_one: bool, fatal_call: int = 0) -> None:
        self._stand_in = standin.StandIn()
        self._real = self._stand_in._services.answer
        self._stand_in._services.answer = self._answer
        self._one_by_one = one_by_one
        self._fatal_call = fatal_call
        self._victim: queue.Queue[int] = queue.Queue()
        self._answers: dict[str | int, Any] = {}
        self._number = 0
        self.calls: list[str] = []
        self._open = Connections(self._stand_in._server)

    def kills(self, pid: int) -> None:
        """Who dies, by kill -9, when the fatal call has arrived and before it does anything."""
        self._victim.put(pid)

    def lost(self, *, durable: int) -> None:
        """The caller died, and of its calls `durable` have a durable result. What comes now is answered accordingly."""
        self._open.until_none()
        self._number = durable

    @property
    def url(self) -> str:
        return str(self._stand_in.url)

    def _answer(self, call: Any) -> Any:
        if call.method == "POST" and not isinstance(call.body, dict):
            raise ConnectionAbortedError  # the caller died while it sent: for a service, that is no call
        if call.method != "GET":
            assert call.key is not None
        name = call.key or f"{call.path} {call.query}"
        self.calls.append(name)
        if len(self.calls) == self._fatal_call:
            os.kill(self._victim.get(timeout=60), signal.SIGKILL)
            raise ConnectionAbortedError
        which = self._number if self._one_by_one else name
        self._number += 1
        if which not in self._answers:
            self._answers[which] = self._real(call)
        return self._answers[which]

    def __enter__(self) -> Self:
        self._stand_in.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stand_in.stop()
