"""From the inputs of an Http action to the request that goes out. Pure: nothing is sent here.

Sources: Logic Apps, "Schema reference for trigger and action types": HTTP action; "Call external HTTP or HTTPS
endpoints": omitted headers, multipart/form-data; "Handle content types"; "Secure access and data": authentication for
outbound calls.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ...engine.errors import ExpressionError
from ...engine.values import Value, to_text
from ..port import Call, ConnectorError
from .body import encode

if TYPE_CHECKING:
    from .streams import BodyStream

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REMOVED: Final = frozenset(
    {"allow", "cookie", "expires", "host", "last-modified", "origin", "set-cookie", "transfer-encoding"}
)
_KEPT_CONTENT: Final = frozenset({"content-disposition", "content-encoding", "content-type"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_BODIED: Final = frozenset({"POST", "PUT", "PATCH"})
_TOKEN_KINDS: Final = frozenset({"activedirectoryoauth", "managedserviceidentity", "clientcertificate"})


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire. `headers` without Host and Content-Length, which the transport adds."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None = None
    stream: BodyStream | None = None
    """In place of a body."""

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return self.stream.size if self.stream is not None else len(self.body or b"")

    @property
    def server(self) -> str:
        """`https://example.org`: what an error may name of the address; paths and queries can hold secrets."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def onward(self, location: str) -> Request:
        """The GET of an address that an answer named: a status to poll, a next page.

        The flow's headers, and its credentials with them, go along only to the same scheme, host and port.
        """
        url = urljoin(self.url, location.strip())
        _checked_url(url)
        away = _origin(url) != _origin(self.url)
        kept = [pair for pair in self.headers if not away or pair[0].lower() in _ANYWHERE]
        return Request("GET", url, tuple(pair for pair in kept if pair[0].lower() not in _OF_THE_BODY))


_OF_THE_BODY: Final = _KEPT_CONTENT | {"idempotency-key"}
_ANYWHERE: Final = frozenset({"accept", "accept-encoding", "user-agent"})


def build(call: Call) -> Request:
    """The request of an Http action.

    Raises ConnectorError `InvalidInput` or `NotYetSupported`; neither repeats a value of the flow.
    """
    inputs = call.inputs
    if not isinstance(inputs, dict):
        raise ConnectorError("InvalidInput", "The inputs of an HTTP action must be an object.")
    method = to_text(inputs.get("method")).strip().upper() or "GET"
    if not _TOKEN.fullmatch(method):
        raise ConnectorError("InvalidInput", "The 'method' of an HTTP action must be a name such as GET or POST.")
    uri = inputs.get("uri")
    if not isinstance(uri, str) or not uri.strip():
        raise ConnectorError("InvalidInput", "The 'uri' of an HTTP action must be a text that is not empty.")
    url, user = _without_user(_with_queries(uri.strip(), inputs.get("queries")))
    headers = _kept(_pairs(inputs.get("headers"), "headers"))
    if inputs.get("cookie") is not None:
        headers.append(("Cookie", to_text(inputs["cookie"])))
    credentials = _authorization(inputs.get("authentication")) or (
        None if _named(headers, "authorization") is not None else user
    )
    if credentials is not None:
        headers = [pair for pair in headers if pair[0].lower() != "authorization"]
        headers.append(("Authorization", credentials))
    headers, body = _with_body(headers, inputs.get("body"), call.key)
    # A range is one of the content's bytes, which compression would hide.
    if "disableautomaticdecompression" not in call.options and _named(headers, "range") is None:
        headers.append(("Accept-Encoding", "gzip, deflate"))
    if method not in _SAFE and _named(headers, "idempotency-key") is None:
        headers.append(("Idempotency-Key", call.key))
    if _named(headers, "user-agent") is None:
        headers.append(("User-Agent", "sealflow"))
    if body is None and method in _BODIED:
        body = b""
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ConnectorError("InvalidInput", "A header of an HTTP action has a name that HTTP does not allow.")
        if any(char in value for char in "\r\n\0"):
            raise ConnectorError(
                "InvalidInput", f"The header '{name}' of an HTTP action has a line break in its value."
            )
    return Request(method, url, tuple((name, value.strip(" \t")) for name, value in headers), body)


def _pairs(given: Value, what: str) -> list[tuple[str, Value]]:
    if given is None:
        return []
    if not isinstance(given, dict):
        raise ConnectorError("InvalidInput", f"The '{what}' of an HTTP action must be an object.")
    return list(given.items())


def _kept(given: list[tuple[str, Value]]) -> list[tuple[str, str]]:
    """Without those that the host removes from requests."""
    kept = []
    for name, value in given:
        lower = name.strip().lower()
        if (
            lower in _REMOVED
            or (lower.startswith("accept-") and lower != "accept-version")
            or (lower.startswith("content-") and lower not in _KEPT_CONTENT)
        ):
            continue
        kept.append((name.strip(), to_text(value)))
    return kept


def _named(headers: list[tuple[str, str]], name: str) -> str | None:
    return next((value for each, value in headers if each.lower() == name), None)


# --- where to


def _with_queries(uri: str, queries: Value) -> str:
    """The address with `queries` behind what it has of a query already; a list gives its name once for each member."""
    added = [
        f"{quote(name, safe='')}={quote(to_text(each), safe='')}"
        for name, value in _pairs(queries, "queries")
        for each in (value if isinstance(value, list) else [value])
    ]
    address = uri.partition("#")[0]
    if not added:
        return address
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return address + joint + "&".join(added)


def _without_user(url: str) -> tuple[str, str | None]:
    """The address without `user:password@`, and these as Basic credentials."""
    parts = _checked_url(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    return parts._replace(netloc=host).geturl(), "Basic " + _base64(user)


def _checked_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        valid = False
    if not valid:
        raise ConnectorError(
            "InvalidInput",
            "An HTTP action needs an absolute address that starts with http:// or https:// and names a host.",
        )
    return parts


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


# --- who asks


def _authorization(given: Value) -> str | None:
    """The Authorization header of `authentication`, None where there is none."""
    if not isinstance(given, dict) or not given:
        if given is None or given in ({}, ""):
            return None
        raise ConnectorError("InvalidInput", "The 'authentication' of an HTTP action must be an object with a 'type'.")
    kind = to_text(given.get("type")).strip()
    lower = kind.lower()
    if lower in ("", "none"):
        return None
    if lower == "basic":
        return "Basic " + _base64(f"{to_text(given.get('username'))}:{to_text(given.get('password'))}")
    if lower == "raw":
        if given.get("value") is not None:
            return to_text(given["value"])
        return f"{to_text(given.get('scheme'))} {to_text(given.get('parameter'))}".strip()
    if lower in _TOKEN_KINDS:
        raise ConnectorError(
            "NotYetSupported",
            f"HTTP actions cannot sign in with '{kind}' yet.",
            hint="Basic, Raw and ActiveDirectoryOAuth with a secret work; Raw takes the whole Authorization header.",
        )
    raise ConnectorError(
        "InvalidInput", "The 'authentication' of an HTTP action has a 'type' that is unknown.", hint="Use Basic or Raw."
    )


def _base64(text: str) -> str:
    return b2a_base64(text.encode("utf-8", "replace"), newline=False).decode("ascii")


# --- what


def _with_body(headers: list[tuple[str, str]], body: Value, key: str) -> tuple[list[tuple[str, str]], bytes | None]:
    """The body's bytes, and the headers with a Content-Type for it: the flow's own, else the usual one."""
    if body is None:
        return [pair for pair in headers if pair[0].lower() not in _KEPT_CONTENT], None
    try:
        content = encode(body, _named(headers, "content-type") or "", key)
    except ExpressionError as error:
        raise ConnectorError("InvalidInput", f"The 'body' of an HTTP action cannot be sent: {error.message}") from None
    others = [pair for pair in headers if pair[0].lower() != "content-type"]
    return [*others, ("Content-Type", content.media_type)], content.data
