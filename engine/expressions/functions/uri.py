"""URIs: their parts, component encoding, and data URIs.

Parts are given as .NET `System.Uri` gives them: the scheme and host in lower case, the path escaped and without dot
segments, the default port of the scheme. Source: "Logic Apps, expression functions reference: URI parsing functions,
conversion functions".
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ...values import Value, content_bytes, is_content, make_content, to_text
from ..table import Family
from .arguments import bounded_length, fault, mismatch, text
from .conversion import decoded

FAMILY = Family("uri", "Logic Apps, expression functions reference: URI parsing functions")
_CONVERSION = "Logic Apps, expression functions reference: conversion functions"

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#\\]*))?([^?#]*)(\?[^#]*)?(#.*)?\Z", re.DOTALL)
_AUTHORITY = re.compile(r"(?:[^@]*@)?(\[[^\]]*\]|[^:@\[\]]*)(?::(\d{0,5}))?\Z")
_PORTS = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ws": 80,
    "wss": 443,
    "ldap": 389,
    "gopher": 70,
    "nntp": 119,
    "telnet": 23,
}


def _parts(value: Value, fn: str) -> tuple[str, str, int, str, str]:
    source = text(value, fn).strip()
    match = _URI.match(source)
    authority = _AUTHORITY.match(match[2] or "") if match else None
    if match is None or authority is None or (match[1].lower() in _PORTS and not authority[1]):
        raise fault(fn, f"expects its parameter to be a valid absolute URI. The provided value is '{source[:200]}'.")
    scheme = match[1].lower()
    port = int(authority[2]) if authority[2] else _PORTS.get(scheme, -1)
    if port > 65_535:
        raise fault(fn, f"expects its parameter to be a valid absolute URI: the port {port} is out of range.")
    path = match[3] or ("/" if match[2] is not None else "")
    if match[2] is not None:
        path = _without_dots(path.replace("\\", "/"))
    return scheme, authority[1].lower(), port, _escaped(path), _escaped(match[4] or "")


def _without_dots(path: str) -> str:
    if "." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        if segment in (".", ".."):
            if segment == ".." and kept:
                kept.pop()
            if index == len(segments) - 1:
                kept.append("")
        else:
            kept.append(segment)
    return "/" + "/".join(kept)


def _escaped(value: str) -> str:
    return quote(value, safe="/?:@!$&'()*+,;=-._~%[]", errors="replace")


@FAMILY.function("uriScheme", 1)
def uri_scheme(value: Value) -> str:
    """The scheme, in lower case. The document's example shows http for an https URI, which is wrong."""
    return _parts(value, "uriScheme")[0]


@FAMILY.function("uriHost", 1)
def uri_host(value: Value) -> str:
    """The host, in lower case."""
    return _parts(value, "uriHost")[1]


@FAMILY.function("uriPort", 1)
def uri_port(value: Value) -> int:
    """The port; the default of the scheme if none is given, -1 if the scheme has none."""
    return _parts(value, "uriPort")[2]


@FAMILY.function("uriPath", 1)
def uri_path(value: Value) -> str:
    """The path, escaped; `/` if there is none."""
    return _parts(value, "uriPath")[3]


@FAMILY.function("uriQuery", 1)
def uri_query(value: Value) -> str:
    """The query with its question mark; empty if there is none."""
    return _parts(value, "uriQuery")[4]


@FAMILY.function("uriPathAndQuery", 1)
def uri_path_and_query(value: Value) -> str:
    """The path and the query."""
    parts = _parts(value, "uriPathAndQuery")
    return parts[3] + parts[4]


@FAMILY.function("uriComponent", 1, aliases=("encodeUriComponent",), source=_CONVERSION)
def uri_component(value: Value) -> str:
    """The text with everything but letters, digits and `-_.~` percent-encoded in UTF-8, as `Uri.EscapeDataString`.

    Numbers and booleans are taken as their text: paths that the designer writes encode integer IDs.
    """
    return component(_plain(value, "uriComponent"), "uriComponent")


def _plain(value: Value, fn: str) -> str:
    """The text of a text, number or boolean."""
    return to_text(value) if isinstance(value, (bool, int, float, Decimal)) else text(value, fn)


_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_ESCAPED = {chr(code): f"%{code:02X}" for code in range(128)}
_PIECE = 65_536


def component(source: str, fn: str) -> str:
    """The text percent-encoded. In pieces where it is long, so that one too long for a result is never built."""
    if len(source) > _PIECE:
        pieces: list[str] = []
        size = 0
        for at in range(0, len(source), _PIECE):
            pieces.append(component(source[at : at + _PIECE], fn))
            size += len(pieces[-1])
            bounded_length(size, fn)
        return "".join(pieces)
    reserved = set(source) - _UNRESERVED
    if len(reserved) > 12:
        return quote(source, safe="", errors="replace")
    if "%" in reserved:  # first, since the escapes have it too
        reserved.remove("%")
        source = source.replace("%", "%25")
    for character in reserved:
        escape = _ESCAPED.get(character) or quote(character, safe="", errors="replace")
        source = source.replace(character, escape)
    return source


_UNREADABLE = {0xDC00 + byte: f"%{byte:02X}" for byte in range(128, 256)}
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})++")


def unescape(value: str) -> str:
    """The text with percent-encoding undone, as `Uri.UnescapeDataString`: what is no UTF-8 stays as it is."""
    if "%" not in value:
        return value

    def decode(match: re.Match[str]) -> str:
        # Bytes that are no UTF-8 come out as surrogates here, and as the escapes they were. In pieces, since a text of
        # nothing else takes very much memory.
        decoder = getincrementaldecoder("utf-8")("surrogateescape")
        pieces: list[str] = []
        for at in range(match.start(), match.end(), 3 * _PIECE):
            end = min(at + 3 * _PIECE, match.end())
            piece = decoder.decode(bytes.fromhex(value[at:end].replace("%", "")), end == match.end())
            pieces.append(piece if piece.isascii() else piece.translate(_UNREADABLE))
        return "".join(pieces)

    return _ESCAPES.sub(decode, value)


@FAMILY.function("uriComponentToString", 1, aliases=("decodeUriComponent",), source=_CONVERSION)
def uri_component_to_string(value: Value) -> str:
    """The text with percent-encoded characters decoded."""
    return unescape(_plain(value, "uriComponentToString"))


@FAMILY.function("uriComponentToBinary", 1, source=_CONVERSION)
def uri_component_to_binary(value: Value) -> dict[str, Any]:
    """The content object of a URI component, decoded."""
    data = unescape(_plain(value, "uriComponentToBinary")).encode("utf-8", "replace")
    return make_content("application/octet-stream", data)


# --- data URIs: data:[media type][;parameter=value]*[;base64],data

_MEDIA_TYPE = re.compile(r"[^/;=,\s]+(?:/[^/;=,\s]+)?\Z")
_PARAMETER = re.compile(r"[^;=,/\s]+=[^;=,]+\Z")


def _data_uri(value: Value, fn: str) -> tuple[str, bool, str]:
    """The media type with its parameters, whether the data are base64, and the data."""
    source = text(value, fn)
    head, comma, data = source.partition(",")
    if not comma or head[:5].lower() != "data:":
        raise fault(fn, "expects its parameter to be a valid data URI: 'data:', a media type, a comma and the data.")
    parts = head[5:].split(";")
    is_base64 = parts[-1].lower() == "base64"
    if is_base64:
        parts.pop()
    media, *parameters = parts or [""]
    if (media and not _MEDIA_TYPE.match(media)) or (not media and parameters):
        raise fault(fn, f"expects its parameter to be a valid data URI: '{media[:80]}' is no media type.")
    for parameter in parameters:
        if not _PARAMETER.match(parameter):
            raise fault(
                fn, f"expects its parameter to be a valid data URI: '{parameter[:80]}' is no parameter of a media type."
            )
    return ";".join(parts), is_base64, data


@FAMILY.function("dataUri", 1, aliases=("encodeDataUri",), source=_CONVERSION)
def data_uri(value: Value) -> str:
    """The data URI of a value: text as text/plain, content in its own type, everything else as application/json."""
    if value is None:
        raise mismatch("dataUri", 0, "a string", value)
    if is_content(value):
        media, data = str(value["$content-type"]), content_bytes(value)
    else:
        media = f"{'text/plain' if isinstance(value, str) else 'application/json'};charset=utf-8"
        data = to_text(value).encode("utf-8", "replace")
    bounded_length(len(data) * 4 // 3, "dataUri")
    return f"data:{media};base64,{make_content(media, data)['$content']}"


@FAMILY.function("dataUriToBinary", 1, aliases=("decodeDataUri",), source=_CONVERSION)
def data_uri_to_binary(value: Value) -> dict[str, Any]:
    """The content object that a data URI holds. Base64 is kept as it is and decoded only when it is used."""
    media, is_base64, data = _data_uri(value, "dataUriToBinary")
    media = media or "text/plain"
    if is_base64:
        return {"$content-type": media, "$content": data}
    return make_content(media, _octets(data))


@FAMILY.function("dataUriToString", 1, source=_CONVERSION)
def data_uri_to_string(value: Value) -> str:
    """The text that a data URI holds, in its character set or else in UTF-8. An unknown character set is an error."""
    fn = "dataUriToString"
    media, is_base64, data = _data_uri(value, fn)
    codec = "utf-8"
    for parameter in media.split(";")[1:]:
        name, _, charset = parameter.partition("=")
        if name.lower() == "charset":
            charset = charset.strip('"')
            codec = _CODECS.get(charset.lower(), "")
            if not codec:
                raise fault(fn, f"does not know the character set '{charset[:40]}'. It knows {', '.join(_CODECS)}.")
    return (decoded(data, fn) if is_base64 else _octets(data)).decode(codec, "replace")


_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32-le",
}
"""The codecs of the character sets that a data URI may name; .NET reads UTF-16 and UTF-32 as little-endian."""


def _octets(data: str) -> bytes:
    """Data that are not base64: percent-encoded, with a plus sign for a blank."""
    return _ESCAPED_OCTETS.sub(
        lambda found: bytes.fromhex(found[0].replace(b"%", b"").decode()),
        data.replace("+", " ").encode("utf-8", "replace"),
    )


_ESCAPED_OCTETS = re.compile(rb"(?:%[0-9A-Fa-f]{2})++")
