"""The services that the examples call, played on this machine: approvals, orders, a catalogue, sales, jobs.

    python examples/cloud/standin.py [--port 8477]

It listens on the loopback address only and keeps its state in memory. An answer depends on the calls that came before
and on nothing else. `GET /calls` lists the calls it has had. In a program:

    with StandIn() as service:      # a free port; service.url, service.calls
        ...
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

DEFAULT_PORT = 8477
"""The port that the examples' parameter `service` names by default."""

Answer = tuple[int, Any]
"""The status and the body, which is sent as JSON."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived. `key` is its Idempotency-Key, None where it carried none."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    key: str | None


class Services:
    """What the services know. Calls come one at a time."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._asked: dict[str, int] = {}
        self._reservations: dict[str, dict[str, Any]] = {}
        self._stock = {"LAMP-2": 4, "DESK-9": 0, "CHAIR-1": 12, "SHELF-4": 3}
        self._jobs: dict[str, int] = {}
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("POST", re.compile(r"/approvals"), self._approve),
            ("POST", re.compile(r"/requests"), self._subscribe),
            ("DELETE", re.compile(r"/requests"), self._unsubscribe),
            ("GET", re.compile(r"/orders"), self._orders),
            ("POST", re.compile(r"/stock/([^/]+)/reservations"), self._reserve),
            ("GET", re.compile(r"/catalogue"), self._catalogue),
            ("GET", re.compile(r"/rates/([A-Z]{3})"), self._rate),
            ("GET", re.compile(r"/sales"), self._sales),
            ("POST", re.compile(r"/reports"), self._report),
            ("POST", re.compile(r"/jobs"), self._start_job),
            ("GET", re.compile(r"/jobs/([^/]+)"), self._job),
        ]

    def answer(self, call: Call) -> Answer:
        """The answer to a call. 404 for what is no service here."""
        self.calls.append(call)
        for method, pattern, service in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                return service(call, *match.groups())
        return _refused(404, "NotFound", f"There is no {call.method} {call.path} here.")

    def _approve(self, call: Call) -> Answer:
        """Overloaded when a request comes for the first time, then decides by the amount."""
        request = call.body if isinstance(call.body, dict) else {}
        purpose = str(request.get("purpose", ""))
        self._asked[purpose] = self._asked.get(purpose, 0) + 1
        if self._asked[purpose] == 1:
            return _refused(503, "Busy", "The approval service is busy. Try again.")
        amount = request.get("amount") or 0
        decision = "approve" if amount <= 1000 else "escalate" if amount <= 5000 else "reject"
        return 200, {"decision": decision, "by": "Maria Perera", "amount": amount}

    def _subscribe(self, call: Call) -> Answer:
        """Takes the request; who decides calls its callback URL some day."""
        return 202, {"state": "waiting"}

    def _unsubscribe(self, call: Call) -> Answer:
        return 200, {"state": "withdrawn"}

    def _orders(self, call: Call) -> Answer:
        customer = call.query.get("customer", "")
        wanted = [("LAMP-2", 1), ("CHAIR-1", 6), ("DESK-9", 1), ("SHELF-4", 2), ("SOFA-7", 1)]
        orders = [
            {"id": f"SO-{1001 + number}", "customer": customer, "sku": sku, "quantity": quantity}
            for number, (sku, quantity) in enumerate(wanted)
        ]
        return 200, {"orders": orders}

    def _reserve(self, call: Call, sku: str) -> Answer:
        """One reservation for each idempotency key, however often it is asked for."""
        if call.key is not None and call.key in self._reservations:
            return 200, self._reservations[call.key]
        request = call.body if isinstance(call.body, dict) else {}
        quantity = request.get("quantity") or 1
        if sku not in self._stock:
            return _refused(404, "UnknownItem", f"There is no item {sku}.")
        if self._stock[sku] < quantity:
            return _refused(409, "OutOfStock", f"{self._stock[sku]} of {sku} are in stock, not {quantity}.")
        reservation = {"reservation": f"R-{request.get('order')}", "sku": sku, "quantity": quantity}
        if call.key is not None:
            self._reservations[call.key] = reservation
        return 201, reservation

    def _catalogue(self, call: Call) -> Answer:
        items = {
            "LAMP-2": {"name": "Desk lamp", "price": 39.5, "currency": "EUR"},
            "CHAIR-1": {"name": "Office chair", "price": 189.0, "currency": "EUR"},
            "SHELF-4": {"name": "Wall shelf", "price": 24.25, "currency": "EUR"},
        }
        wanted = [sku for sku in call.query.get("skus", "").split(",") if sku]
        return 200, {"items": {sku: items[sku] for sku in wanted if sku in items}}

    def _rate(self, call: Call, currency: str) -> Answer:
        rates = {"EUR": 1.0, "USD": 1.25, "CHF": 0.95}
        if currency not in rates:
            return _refused(404, "UnknownCurrency", f"There is no rate for {currency}.")
        return 200, {"base": "EUR", "currency": currency, "rate": rates[currency]}

    def _sales(self, call: Call) -> Answer:
        rows = [
            ("North", "2026-03-02T09:12:00Z", 1890.0, "paid"),
            ("South", "2026-03-02T10:40:00Z", 240.5, "paid"),
            ("North", "2026-03-02T11:05:00Z", 75.0, "open"),
            ("West", "2026-03-02T15:31:00Z", 3120.25, "paid"),
            ("South", "2026-03-02T17:58:00Z", 410.0, "cancelled"),
        ]
        return 200, [dict(zip(("region", "at", "amount", "state"), row, strict=True)) for row in rows]

    def _report(self, call: Call) -> Answer:
        return 201, {"stored": True}

    def _start_job(self, call: Call) -> Answer:
        job = f"job-{len(self._jobs) + 1}"
        self._jobs[job] = 0
        return 201, {"id": job, "status": "queued"}

    def _job(self, call: Call, job: str) -> Answer:
        """Done when it is asked for the third time."""
        if job not in self._jobs:
            return _refused(404, "UnknownJob", f"There is no job {job}.")
        self._jobs[job] += 1
        status = ("running", "running", "done")[min(self._jobs[job], 3) - 1]
        answer: dict[str, Any] = {"id": job, "status": status}
        if status == "done":
            answer["result"] = {"rows": 1284, "file": f"exports/{job}.csv"}
        return 200, answer


class Server(ThreadingHTTPServer):
    """A caller that is killed in the middle of a call is nothing to report."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class StandIn:
    """The services behind a port of the loopback address; 0 takes a free one. Use it with `with`, or `start` it."""

    def __init__(self, port: int = 0) -> None:
        services = self._services = Services()
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                text = self.rfile.read(length)
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                call = Call(self.command, parts.path, query, _json(text), self.headers.get("Idempotency-Key"))
                with lock:
                    if (call.method, call.path) == ("GET", "/calls"):
                        status, body = 200, [asdict(each) for each in services.calls]
                    else:
                        status, body = services.answer(call)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (names that http.server calls)

            def log_message(self, format: str, *args: object) -> None:
                """Calls are kept in `calls`, not written to the terminal."""

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base address: the value of the examples' parameter `service`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in the order of their arrival."""
        return self._services.calls

    def start(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def serve(self) -> None:
        """Serves in this thread until interrupted."""
        self._server.serve_forever()


def _refused(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message}}


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode("utf-8", "replace")


def main() -> None:
    parser = argparse.ArgumentParser(description="Plays the services that the examples call.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"a port of 127.0.0.1; default {DEFAULT_PORT}")
    port: int = parser.parse_args().port
    try:
        stand_in = StandIn(port)
    except OSError as error:
        parser.error(f"port {port} of 127.0.0.1 cannot be used: {error.strerror}; give another one with --port")
    print(f"The stand-in listens on {stand_in.url}. Ctrl-C ends it.", flush=True)
    try:
        stand_in.serve()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
