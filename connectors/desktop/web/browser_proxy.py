"""The way out of a run's browser: a proxy on loopback that judges every connection and makes it to what was judged.

Judging requests in the browser is not enough: redirects, service workers and sockets of pages are not shown to whoever
intercepts requests, and a name may stand for another address when the browser looks it up once more. Here each
connection is judged by the addresses of its name, and goes to one of these. Nothing is kept, read or changed of what
goes through but the head of a plain request.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from ...concurrency import before
from ...egress.connect import resolved
from ...egress.policy import Egress, EgressRefused

_HEAD: Final = 256 * 1024
"""Bytes that the head of a request may have."""
_CONNECTING: Final = 30.0
"""Seconds that a server may take to accept a connection."""
_PIECE: Final = 1 << 16
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_UNREACHABLE: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_ASK: Final = (
    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="run"\r\n'
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class BrowserProxy:
    """For one browser and one event loop. `egress` gives the policy of the moment. `user` and `password` keep other
    users of the machine out.
    """

    def __init__(self, egress: Callable[[], Egress]) -> None:
        self.user = "run"
        self.password = secrets.token_urlsafe(24)
        self._egress = egress
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Begins to listen; the address for the browser."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=_HEAD)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def aclose(self) -> None:
        """Stops, and ends what goes through."""
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a callback of a server runs in one
        self._talks.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            pass  # the browser went away, or says what no browser says
        finally:
            self._talks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, _, rest = head.partition("\r\n")
        method, target, version = line.split(" ")
        fields = [field for field in rest.split("\r\n") if field]
        if not self._known(fields):
            writer.write(_ASK)
            await writer.drain()
            return
        parts = urlsplit("//" + target if method == "CONNECT" else target)
        try:
            onward = await self._connected(parts.hostname or "", parts.port or 80)
        except EgressRefused:
            writer.write(_REFUSED)
            await writer.drain()
            return
        except OSError:
            writer.write(_UNREACHABLE)
            await writer.drain()
            return
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                sent = [f"{method} {path} {version}", *(each for each in fields if not _of_the_way(each))]
                onward[1].write(_closing(sent))
            await _both_ways(reader, writer, *onward, plain=method != "CONNECT")
        finally:
            onward[1].close()

    def _known(self, fields: list[str]) -> bool:
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        for field in fields:
            name, _, value = field.partition(":")
            if name.strip().lower() == "proxy-authorization":
                return secrets.compare_digest(value.strip().encode("latin-1"), f"Basic {expected}".encode())
        return False

    async def _connected(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises EgressRefused, and OSError where there is nothing to connect to."""
        failure = OSError("no address")
        for address in await resolved(self._egress(), host, port):
            try:
                return await asyncio.wait_for(asyncio.open_connection(address, port), _CONNECTING)
            except OSError as error:
                failure = error
        raise failure


def _of_the_way(field: str) -> bool:
    """Whether a field is for the proxy, and not for the server."""
    name = field.partition(":")[0].strip().lower()
    return name.startswith("proxy-") or name in ("connection", "keep-alive")


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
    *,
    plain: bool,
) -> None:
    """Until the server has said everything, or either side breaks off. Browsers end connections whole."""
    down = _answer(far_reader, writer) if plain else _pass_on(far_reader, writer)
    await before(_pass_on(reader, far_writer), down)


async def _answer(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """One answer, told to be the last of its connection: the browser's next request may be for another server."""
    while True:
        status, *fields = (await source.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        target.write(_closing([status, *(each for each in fields if not _of_the_way(each))]))
        if not status.partition(" ")[2].startswith("1"):  # more than a word in between
            break
    await _pass_on(source, target)


def _closing(lines: list[str]) -> bytes:
    """A head with the word that no other follows it."""
    return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1")


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        target.write(piece)
        await target.drain()
