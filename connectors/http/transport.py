"""The wire under the HTTP connector: pooled connections, guarded by the egress policy, answers read within a limit.

A host name is resolved here, once, and the connection goes to the address that was judged; a name that changes its
mind between the two gains nothing. Redirects are not followed, cookies are not kept, proxies of the machine's
environment are not used.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import httpcore
import httpx

from ..egress.connect import NameNotResolved, resolved
from ..egress.policy import Egress, EgressRefused
from ..port import ConnectorError
from .decoding import BadEncodingError, codings, decoded
from .request import Request
from .streams import Keeper, Kept

_CONNECTIONS: Final = 256
_IDLE: Final = 64
_IDLE_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 30.0
_FIRST_ADDRESSES_SECONDS: Final = 3.0
"""How long an address is tried that is not the last one of its name."""

_ours: ContextVar[bool] = ContextVar("sealflow_http", default=False)


class _Quiet(logging.Filter):
    """Drops what the libraries log of our requests, headers and addresses; those of the embedding program stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _ours.get()


for _name in ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpx"):
    logging.getLogger(_name).addFilter(_Quiet())


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `decoded` says that `data` was compressed on the way. `kept` is in place of `data`."""

    status: int
    headers: list[tuple[bytes, bytes]]
    data: bytes
    decoded: bool
    kept: Kept | None = None


class Transport:
    """Connections under one egress policy, for one event loop. Made by the connector at the first call."""

    def __init__(self, egress: Egress) -> None:
        self.egress = egress
        self._backend = _GuardedBackend(egress)
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def send(
        self, request: Request, *, seconds: float, limit: int, decode: bool = True, keeper: Keeper | None = None
    ) -> Answer:
        """Send and read the whole answer, at most `limit` bytes within `seconds`; the keeper may take a large body.

        Raises ConnectorError: ConnectionFailed, ConnectionTimedOut, RequestTimedOut, TrustFailure, EgressRefused,
        ResponseTooLarge, InvalidInput.
        """
        token = _ours.set(True)
        try:
            async with asyncio.timeout(seconds):
                return await self._send(request, seconds, limit, decode, keeper)
        except TimeoutError:
            raise ConnectorError(
                "RequestTimedOut", f"{request.server} did not answer within {seconds:g} seconds."
            ) from None
        except EgressRefused as refused:
            raise ConnectorError(refused.code, refused.message, hint=refused.hint) from None
        except (httpcore.ConnectTimeout, httpcore.PoolTimeout):
            raise ConnectorError("ConnectionTimedOut", f"No connection to {request.server} in time.") from None
        except httpcore.ConnectError as error:
            raise _connect_failure(request, error) from None
        except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, httpx.InvalidURL):
            raise ConnectorError(
                "InvalidInput", "The request is none that HTTP allows: look at its address and headers."
            ) from None
        except BadEncodingError:
            raise ConnectorError(
                "InvalidResponse", f"The answer of {request.server} is not compressed in the way it says."
            ) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
            raise ConnectorError("ConnectionFailed", f"The connection to {request.server} broke off.") from None
        finally:
            _ours.reset(token)

    async def _send(self, request: Request, seconds: float, limit: int, decode: bool, keeper: Keeper | None) -> Answer:
        url = httpx.URL(request.url)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        headers = [(name.encode("ascii"), _wire(value)) for name, value in request.headers]
        body_sent = request.body if request.stream is None else request.stream.open()
        if request.stream is not None:
            headers.append((b"Content-Length", str(request.stream.size).encode("ascii")))
        times = {"connect": min(seconds, _CONNECT_SECONDS), "pool": seconds}
        pool = self._pool(url.scheme)
        async with pool.stream(
            request.method, target, headers=headers, content=body_sent, extensions={"timeout": times}
        ) as answer:
            body = httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer))
            if request.method != "HEAD" and _declared(body.headers) > limit:
                raise _too_large(request, limit)
            names = codings(body.headers.get("content-encoding", "")) if decode else None

            def check(size: int) -> None:
                if size > limit:
                    raise _too_large(request, limit)

            parts = _limited(decoded(body.aiter_raw(), names or [], check), check)
            compressed = bool(names)
            data = bytearray()
            async for chunk in parts:
                data += chunk
                if keeper is not None and len(data) > keeper.least:
                    if keeper.takes(answer.status, answer.headers):
                        kept = await keeper.keep(answer.headers, bytes(data), parts)
                        return Answer(answer.status, answer.headers, b"", compressed, kept)
                    keeper = None
            return Answer(answer.status, answer.headers, bytes(data), compressed)

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get(scheme)
        if pool is None:
            # Reading the certificates takes longer than a call: only where https is spoken.
            context = httpx.create_ssl_context() if scheme == "https" else None
            pool = self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=_CONNECTIONS,
                max_keepalive_connections=_IDLE,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=self._backend,
            )
        return pool

    async def aclose(self) -> None:
        """Close all connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()


async def _limited(parts: AsyncIterator[bytes], check: Callable[[int], None]) -> AsyncIterator[bytes]:
    size = 0
    async for part in parts:
        size += len(part)
        check(size)
        yield part


class _Stream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.aiter_stream():
            yield chunk


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves, judges, connects."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await resolved(self._egress, host, port)
        except NameNotResolved as error:
            raise httpcore.ConnectError("the name is not known") from error
        until = monotonic() + (_CONNECT_SECONDS if timeout is None else timeout)
        for address in addresses[:-1]:
            left = min(_FIRST_ADDRESSES_SECONDS, until - monotonic())
            try:
                return await self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # a name often stands for IPv6 and IPv4, and only one of them is reachable
        left = max(until - monotonic(), 0.001)
        return await self._inner.connect_tcp(addresses[-1], port, left, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


def _wire(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _declared(headers: httpx.Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _too_large(request: Request, limit: int) -> ConnectorError:
    return ConnectorError("ResponseTooLarge", f"The answer of {request.server} is larger than {limit:,} bytes.")


def _connect_failure(request: Request, error: BaseException) -> ConnectorError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConnectorError(
                "TrustFailure",
                f"The certificate of {request.server} is not trusted: {cause.verify_message}.",
                hint="SSL_CERT_FILE names a file of certificates to trust.",
            )
        if isinstance(cause, ssl.SSLError):
            return ConnectorError("TrustFailure", f"No secure connection to {request.server}: {cause.reason}.")
        cause = cause.__cause__ or cause.__context__
    return ConnectorError(
        "ConnectionFailed", f"No connection to {request.server}: it is not there, or its name is not known."
    )
