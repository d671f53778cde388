"""The HTTP connector: one request, its answer, and what the flow language adds to that - polling of accepted work,
pagination, content in chunks.

Source: Logic Apps, "Call external HTTP or HTTPS endpoints": asynchronous request-response behavior; limits and
configuration: HTTP limits. Redirects are answers like any other (the host that flows are written for reports a 302 as
a failed action), so the flow decides.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..port import SECOND, Call, ConnectorError, ConnectorResponse, Recovery, Services
from . import chunks as http_chunks
from . import pages as http_pages
from .request import Request, build
from .response import header, reply_of
from .streams import Keeper, kept_reply, outgoing
from .token import signed_in

if TYPE_CHECKING:
    from ..egress.policy import Egress
    from .transport import Answer, Transport

_POLL_SECONDS: Final = 20
"""Between two polls where the answer has no Retry-After."""
_LONGEST_POLL_SECONDS: Final = 86_400
_POLL_FAILURES: Final = 4
"""How many polls in a row may go wrong: the work is under way over there, asking for it anew would be worse."""
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_NO_ANSWER: Final = frozenset({"ConnectionFailed", "ConnectionTimedOut", "RequestTimedOut"})


class HttpConnector:
    """Performs Http actions. Connections are pooled, for each egress policy its own, and made on first use."""

    recovery: Recovery = "keyed"
    streams = True
    """Large bodies are sent while they are read, and kept while they come (`Services.content`)."""

    def __init__(self) -> None:
        self._transports: dict[Egress, Transport] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Send the request of `call.inputs` and give the answer, whatever its status.

        Raises ConnectorError: InvalidInput, NotYetSupported, RequestTooLarge, BadRequest (labelled JSON that is none),
        AuthenticationFailed, and those of `http_chunks` and `Transport.send`.
        """
        exchange = _Exchange(self._transport(services.egress), call, services)
        limits, cut = services.limits, http_chunks.is_chunked(call.settings)
        call, stream = await outgoing(call, services.content, whole=cut)
        call = await signed_in(call, exchange.send)
        request = build(call)
        if stream is not None:
            request = replace(request, body=None, stream=stream)
        chunked = cut and http_chunks.needs_chunks(request, limits.chunk_bytes)
        if request.size > (limits.chunked_bytes if chunked else limits.request_bytes):
            largest = limits.chunked_bytes if chunked else limits.request_bytes
            raise ConnectorError("RequestTooLarge", f"The body is larger than {largest:,} bytes.")
        if chunked:
            reply = await http_chunks.upload(request, call.key, limits.chunk_bytes, exchange.send)
        else:
            reply = await exchange.send(request)
        if reply.status_code == 202 and "disableasyncpattern" not in call.options:
            reply = await exchange.poll(request, reply)
        count = http_pages.wanted(call.settings)
        if count and request.method == "GET" and 200 <= reply.status_code <= 299:
            reply = await http_pages.gather(reply, count, lambda link: exchange.send(request.onward(link)))
        return reply

    def _transport(self, egress: Egress) -> Transport:
        from .transport import Transport  # the HTTP libraries load when the first call is made

        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._transports = loop, {}
        transport = self._transports.get(egress)
        if transport is None:
            transport = self._transports[egress] = Transport(egress)
        return transport

    async def aclose(self) -> None:
        """Close all connections; a later call opens new ones."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()


class _Exchange:
    """The requests of one call; together they may bring as many bytes as a single answer, or as chunks may."""

    def __init__(self, transport: Transport, call: Call, services: Services) -> None:
        self._transport = transport
        self._services = services
        limits = services.limits
        self._most = limits.chunked_bytes if http_chunks.is_chunked(call.settings) else limits.response_bytes
        self._left = self._most
        self._seconds = services.limits.timeout if call.timeout is None else call.timeout
        self._decode = "disableautomaticdecompression" not in call.options
        cut = http_chunks.is_chunked(call.settings) or bool(http_pages.wanted(call.settings))
        self._keeper = Keeper(services.content) if services.content is not None and not cut else None

    async def send(self, request: Request) -> ConnectorResponse:
        answer = await self._fetch(request)
        if answer.kept is not None:
            return kept_reply(answer.status, answer.headers, answer.kept, decoded=answer.decoded)
        if request.method == "GET":
            answer = await http_chunks.download(request, answer, self._left + len(answer.data), self._fetch)
        return reply_of(answer.status, answer.headers, answer.data, decoded=answer.decoded)

    async def _fetch(self, request: Request) -> Answer:
        limit = min(self._left, self._services.limits.response_bytes)
        answer = await self._transport.send(
            request, seconds=self._seconds, limit=limit, decode=self._decode, keeper=self._keeper
        )
        self._left -= len(answer.data) if answer.kept is None else answer.kept.size
        return answer

    async def poll(self, request: Request, reply: ConnectorResponse) -> ConnectorResponse:
        """Ask the address in Location until the answer is another one than 202.

        Without a Location, 202 is the answer.
        """
        address = request
        while reply.status_code == 202:
            location = header(dict(reply.headers), "location")
            if location:
                # Headers go along as far as the first request's own server, wherever the work has moved since.
                address = request.onward(address.onward(location).url)
            elif address is request:
                return reply
            reply = await self._ask(address, reply)
        return reply

    async def _ask(self, address: Request, last: ConnectorResponse) -> ConnectorResponse:
        """One poll; a few that go wrong for a passing reason are made again after the same pause."""
        failures = 0
        while True:
            await self._wait(last)
            self._left = self._most
            try:
                reply = await self.send(address)
                if reply.status_code not in _PASSING or failures == _POLL_FAILURES:
                    return reply
                last = reply
            except ConnectorError as failure:
                if failure.code not in _NO_ANSWER or failures == _POLL_FAILURES:
                    raise
            failures += 1

    async def _wait(self, reply: ConnectorResponse) -> None:
        clock = self._services.clock
        now = clock.now()
        text = header(dict(reply.headers), "retry-after").strip()
        seconds: float = _POLL_SECONDS
        if text.isascii() and text.isdigit():
            seconds = int(text[:9])
        elif text:
            from email.utils import parsedate_to_datetime

            try:
                seconds = parsedate_to_datetime(text).timestamp() - now / SECOND
            except (ValueError, OverflowError):
                pass
        # Never at once: an answer that asks for that would be polled without end.
        await clock.sleep_until(now + round(min(max(seconds, 1), _LONGEST_POLL_SECONDS) * SECOND))
