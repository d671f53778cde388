"""A service that answers nobody before a test lets it: a call is under way for as long as the test needs that."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Self

PATIENCE: Final = 120.0
"""Seconds after which nobody is waited for any more."""


class Gate:
    """On a port of its own. Use it with `with`."""

    def __init__(self) -> None:
        called, opened = Event(), Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                called.set()
                opened.wait(PATIENCE)
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except ConnectionError:  # who called has died in the meantime
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._called, self._opened = called, opened
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def until_called(self) -> None:
        assert self._called.wait(PATIENCE), "nobody called"

    def open(self) -> None:
        """From now on everybody is answered, also who waits already."""
        self._opened.set()

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()
