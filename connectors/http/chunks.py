"""Content in pieces: uploads that a service takes in chunks, downloads that it hands out in ranges.

Source: Logic Apps, "Handle large messages in workflows using chunking": the headers of both protocols, and which of
them are required. Flows mark ordinary calls as chunked too (a designer does so by itself), so only what is larger than
one chunk is uploaded in this way. The codes are those that the host reports.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ..port import ConnectorError, ConnectorResponse
from .request import Request
from .response import header, joined

if TYPE_CHECKING:
    from .transport import Answer

Send = Callable[[Request], Awaitable[ConnectorResponse]]
Fetch = Callable[[Request], "Awaitable[Answer]"]

_RECEIVED: Final = re.compile(r"bytes[ =](\d+)-(\d+)(?:/(?:\d+|\*))?", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII | re.IGNORECASE)
_UPLOADS: Final = frozenset({"POST", "PUT"})
_OF_ONE_PART: Final = frozenset({"content-range", "content-length"})


def is_chunked(settings: Mapping[str, Any]) -> bool:
    """Whether the action's `contentTransfer` allows chunks. Raises ConnectorError `InvalidInput` for another mode."""
    transfer = settings.get("contentTransfer")
    mode = transfer.get("transferMode") if isinstance(transfer, dict) else None
    if mode is None:
        return False
    if not isinstance(mode, str) or mode.lower() != "chunked":
        raise ConnectorError("InvalidInput", "The 'transferMode' of a content transfer must be 'Chunked'.")
    return True


def needs_chunks(request: Request, size: int) -> bool:
    """Whether this request's body is uploaded in chunks where they are allowed: `size` is the largest, in bytes."""
    return request.method in _UPLOADS and request.body is not None and len(request.body) > size


async def upload(request: Request, key: str, size: int, send: Send) -> ConnectorResponse:
    """Announce the body, then send it in chunks of at most `size` bytes; the last chunk's answer is the call's.

    An answer that is no success ends the upload and is the call's. Each chunk has an idempotency key of its own, made
    of `key`. Raises ConnectorError: InvalidProtocolResponse, InvalidContentRangeHeader.
    """
    body = request.body or b""
    announced = (("x-ms-transfer-mode", "chunked"), ("x-ms-content-length", str(len(body))))
    reply = await send(Request(request.method, request.url, (*request.headers, *announced), b""))
    if not _is_success(reply):
        return reply
    location = header(dict(reply.headers), "location")
    if not location:
        raise ConnectorError(
            "InvalidProtocolResponse",
            f"{request.server} accepted an upload in chunks, but its answer has no 'Location' to send them to.",
            hint="Switch chunking off for this action, or have the service answer with a Location header.",
        )
    onward = request.onward(location)
    media_type = header(dict(request.headers), "content-type")
    start = 0
    while start < len(body):
        size = _suggested(reply, size, request)
        end = min(start + size, len(body)) - 1
        # The form of RFC 9110, section 14.4, which is what the host's HTTP library writes.
        about = (
            ("Content-Range", f"bytes {start}-{end}/{len(body)}"),
            ("Content-Type", media_type),
            ("Idempotency-Key", f"{key}-{start}"),
        )
        reply = await send(Request("PATCH", onward.url, (*onward.headers, *about), body[start : end + 1]))
        if not _is_success(reply):
            return reply
        _check_received(reply, end, request)
        start = end + 1
    return reply


async def download(request: Request, first: Answer, limit: int, fetch: Fetch) -> Answer:
    """The whole content behind an answer of status 206: the ranges after the first are asked for, one by one.

    The answer is as if it had come in one piece. Another status, or no `Content-Range` with a total, leaves `first`
    as it is; a range that is refused is the answer. Raises ConnectorError: InvalidProtocolResponse, ResponseTooLarge.
    """
    part = _range_of(first)
    if first.status != 206 or part is None:
        return first
    start, end, total = part
    if total - start > limit:
        raise ConnectorError("ResponseTooLarge", f"The content at {request.server} is larger than {limit:,} bytes.")
    size, data, tag = end - start + 1, bytearray(first.data), _tag(first)
    others = tuple(pair for pair in request.headers if pair[0].lower() not in ("range", "accept-encoding"))
    while end + 1 < total:
        last = min(end + size, total - 1)
        wanted = ("Range", f"bytes={end + 1}-{last}")
        answer = await fetch(Request("GET", request.url, (*others, wanted)))
        if answer.status != 206:
            return answer
        found = _range_of(answer)
        if found is None or found[0] != end + 1 or found[2] != total or len(answer.data) != found[1] - end:
            raise ConnectorError(
                "InvalidProtocolResponse", f"{request.server} was asked for a part of the content and gave another one."
            )
        if _tag(answer) != tag:
            raise ConnectorError(
                "InvalidProtocolResponse", f"The content at {request.server} changed while it was downloaded."
            )
        data += answer.data
        end = found[1]
    kept = [pair for pair in first.headers if pair[0].decode("latin-1").lower() not in _OF_ONE_PART]
    kept.append((b"Content-Length", str(len(data)).encode("ascii")))
    return type(first)(200, kept, bytes(data), first.decoded)


def _is_success(reply: ConnectorResponse) -> bool:
    return 200 <= reply.status_code <= 299


def _suggested(reply: ConnectorResponse, size: int, request: Request) -> int:
    """The size of the next chunk: what the service suggests, and never more than `size`."""
    text = header(dict(reply.headers), "x-ms-chunk-size").strip()
    if not text:
        return size
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0):
        raise ConnectorError(
            "InvalidProtocolResponse", f"The 'x-ms-chunk-size' of {request.server} is not a positive number."
        )
    return min(int(text[:18]), size)


def _check_received(reply: ConnectorResponse, end: int, request: Request) -> None:
    """The service confirms with `Range` that it has everything up to `end`."""
    match = _RECEIVED.fullmatch(header(dict(reply.headers), "range").strip())
    if match is None or (int(match[1][:18]), int(match[2][:18])) != (0, end):
        raise ConnectorError(
            "InvalidContentRangeHeader",
            f"{request.server} did not confirm the chunks so far: its 'Range' should be bytes=0-{end}.",
        )


def _range_of(answer: Answer) -> tuple[int, int, int] | None:
    """First byte, last byte and total of `Content-Range`, None where it does not tell all three."""
    match = _CONTENT_RANGE.fullmatch(header(joined(answer.headers), "content-range").strip())
    if match is None:
        return None
    start, end, total = (int(number[:18]) for number in match.groups())
    return (start, end, total) if start <= end < total else None


def _tag(answer: Answer) -> str:
    return header(joined(answer.headers), "etag")
