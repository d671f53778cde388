"""From the bytes of an answer to what a flow sees of it. Pure: nothing is received here.

Source: Logic Apps, "Handle content types": application/json is parsed, text is a string, anything else a content
object.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Final

from ...engine.values import Value, from_json, make_content
from ..port import ConnectorError, ConnectorResponse

CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)


def reply_of(
    status: int, received: Iterable[tuple[bytes, bytes]], data: bytes, *, decoded: bool = False
) -> ConnectorResponse:
    """The reply. `received`: header lines; those of one name are joined with commas under the first one's spelling.

    `decoded`: the body was compressed and is decompressed now. Raises ConnectorError `BadRequest`, with the answer
    as its outputs, for a success whose JSON is none; a failed answer keeps such a body as a content object, its status
    says enough.
    """
    headers = joined(received)
    if decoded:
        headers = {name: value for name, value in headers.items() if name.lower() not in OF_COMPRESSION}
    if not data:
        return ConnectorResponse(status, headers, empty=True)
    media_type = header(headers, "content-type")
    kind = media_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        body = _json(status, headers, media_type, data)
    elif kind.startswith("text/"):
        body = _text(media_type, data)
    elif kind:
        body = make_content(media_type, data)
    else:
        body = _untyped(data)
    return ConnectorResponse(status, headers, body)


OF_COMPRESSION: Final = frozenset({"content-encoding", "content-length"})


def joined(received: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header lines as an object."""
    headers: dict[str, str] = {}
    spelling: dict[str, str] = {}
    for raw_name, raw_value in received:
        name, value = raw_name.decode("latin-1"), _header_text(raw_value)
        first = spelling.setdefault(name.lower(), name)
        headers[first] = f"{headers[first]},{value}" if first in headers else value
    return headers


def header(headers: dict[str, str], name: str) -> str:
    """The value of a header by its lower-case name, "" where it is missing."""
    return next((value for each, value in headers.items() if each.lower() == name), "")


def _header_text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _json(status: int, headers: dict[str, str], media_type: str, data: bytes) -> Value:
    try:
        return from_json(_text(media_type, data))
    except (ValueError, RecursionError):
        content = make_content(media_type, data)
        if not 200 <= status <= 299:
            return content
        raise ConnectorError(
            "BadRequest",
            "The answer is labelled application/json, but its body is not valid JSON.",
            {"statusCode": status, "headers": headers, "body": content},
        ) from None


def _text(media_type: str, data: bytes) -> str:
    """Bytes as text, by the charset of the media type; what cannot be read becomes U+FFFD."""
    match = CHARSET.search(media_type)
    try:
        name = codecs.lookup(match[1]).name if match else "utf-8"
        return data.decode("utf-8-sig" if name == "utf-8" else name, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8-sig", "replace")


def _untyped(data: bytes) -> Value:
    """An answer that does not say what it is: text if it reads as such."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return make_content("application/octet-stream", data)
