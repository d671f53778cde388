"""Large bodies of HTTP requests and answers, piece by piece: what is sent is read while it goes out, and what comes is
kept outside of memory, where the run that the call is made for offers that (`port.Content`).

Texts and content objects go this way. JSON is read whole, since a flow sees it as values.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from ...engine.values import Value, holds_elsewhere, is_elsewhere
from ..port import Call, ConnectorResponse, Content
from .response import CHARSET, OF_COMPRESSION, header, joined

_OF_CONTENT: Final = {"$content-type", "$content"}
_PARTIAL: Final = frozenset({202, 206})
"""Answers of which more comes by itself."""


@dataclass(frozen=True, slots=True)
class BodyStream:
    """A body that is read while it is sent: how many bytes it has, and what gives them, anew each time."""

    size: int
    open: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Kept:
    """The body of an answer that was kept: what stands for it, and how many bytes came."""

    body: object
    size: int


async def outgoing(call: Call, content: Content | None, *, whole: bool) -> tuple[Call, BodyStream | None]:
    """The call with no large value in its inputs but a body that is streamed; in its place stands something short.

    `whole`: everything is read, since the body has to be cut.
    """
    inputs = call.inputs
    if content is None or not isinstance(inputs, dict) or not holds_elsewhere(inputs):
        return call, None
    body = inputs.get("body")
    inner = body["$content"] if isinstance(body, dict) and body.keys() == _OF_CONTENT else None
    found: object = None
    short: Value = None
    if is_elsewhere(body) and content.kind(body) == "text":
        found, short = body, " "
    elif isinstance(body, dict) and is_elsewhere(inner) and content.kind(inner) == "base64":
        found, short = inner, {**body, "$content": "IA=="}
    if found is None or whole:
        return replace(call, inputs=await content.whole(inputs)), None
    others = await content.whole({**inputs, "body": short})
    stream = BodyStream(content.size(found), lambda: content.read(found))
    return replace(call, inputs=others), stream


class Keeper:
    """Keeps the bodies of answers that are large enough."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.least = content.least

    def takes(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether the body of this answer may be kept: a success whose content is text, or nothing that is read."""
        if not 200 <= status <= 299 or status in _PARTIAL:
            return False
        return _kind(_media_type(headers)) not in ("", "application/json")

    async def keep(self, headers: Iterable[tuple[bytes, bytes]], first: bytes, rest: AsyncIterator[bytes]) -> Kept:
        """What stands for a body that begins with `first`."""
        media_type = _media_type(headers)
        counted = _Counted(first, rest)
        if _kind(media_type).startswith("text/"):
            return Kept(await self._content.keep(_as_utf8(counted, media_type), text=True), counted.size)
        value = await self._content.keep(counted.parts(), text=False)
        return Kept({"$content-type": media_type, "$content": value}, counted.size)


def kept_reply(status: int, received: Iterable[tuple[bytes, bytes]], kept: Kept, *, decoded: bool) -> ConnectorResponse:
    """As `http_reply.reply_of`, of a body that was kept."""
    headers = joined(received)
    if decoded:
        headers = {name: value for name, value in headers.items() if name.lower() not in OF_COMPRESSION}
    return ConnectorResponse(status, headers, kept.body)  # type: ignore[arg-type]


class _Counted:
    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self.size = 0
        self._first = first
        self._rest = rest

    async def parts(self) -> AsyncIterator[bytes]:
        self.size += len(self._first)
        yield self._first
        self._first = b""
        async for part in self._rest:
            self.size += len(part)
            yield part


async def _as_utf8(counted: _Counted, media_type: str) -> AsyncIterator[bytes]:
    """The text again, as UTF-8: by the charset of the media type; what cannot be read becomes U+FFFD."""
    decoder = _decoder(media_type)
    async for part in counted.parts():
        yield decoder.decode(part).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _decoder(media_type: str) -> codecs.IncrementalDecoder:
    match = CHARSET.search(media_type)
    try:
        found = codecs.lookup(match[1]) if match else codecs.lookup("utf-8")
    except (LookupError, ValueError):
        found = codecs.lookup("utf-8")
    if found.name == "utf-8" or found.incrementaldecoder is None or not getattr(found, "_is_text_encoding", True):
        found = codecs.lookup("utf-8-sig")
    return found.incrementaldecoder("replace")


def _media_type(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return header(joined(headers), "content-type")


def _kind(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
