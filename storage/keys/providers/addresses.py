"""Servers within keys' addresses: https, no credentials, nothing that could carry a secret."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from ...errors import InvalidKeyUri

_SEGMENT = re.compile(r"[A-Za-z0-9_.-]+")


def split_server(uri: str, text: str) -> tuple[str, list[str]]:
    """The server (scheme, host, port) and the segments of the path of `text`, which is part of the address `uri`.

    https is meant where no scheme is given; http is for loopback only, where an agent of the key store may listen.
    Raises InvalidKeyUri.
    """
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        host, port = url.hostname, url.port
    except ValueError as error:
        raise InvalidKeyUri(f"'{uri}' has no valid server: {error}.") from None
    if url.username is not None or url.password is not None:
        # The address itself stays out of the message: it carries a secret.
        raise InvalidKeyUri("The address of a key must not carry credentials.", hint=_CREDENTIALS)
    if not host:
        raise InvalidKeyUri(f"'{uri}' names no server.")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
        raise InvalidKeyUri(f"'{uri}' would be asked without TLS.", hint="Write the server as https://...")
    if url.query or url.fragment:
        raise InvalidKeyUri(f"'{uri}' has more than a path.", hint="Leave out everything from ? or # on.")
    segments = url.path.strip("/").split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise InvalidKeyUri(f"'{uri}' has the path segment '{segment}', which no key store has.")
    return _server(url, host, port), segments


_CREDENTIALS = "They come from the environment of the service: see docs/reference/key-providers.md."


def _server(url: SplitResult, host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}" if port is None else f"{url.scheme}://{shown}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
