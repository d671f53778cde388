"""Resolving a host once, judging all of its addresses, and connecting to one that was judged.

Every connection to a host that a flow names goes through here, so that a name which resolves to another address at a
second look (DNS rebinding) gains nothing. Pass the address on to libraries that connect themselves, and the name for
TLS only.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from .policy import Egress, EgressRefused


class NameNotResolved(OSError):
    """A host whose name is not known, or is no name."""


async def resolved(egress: Egress, host: str, port: int) -> list[str]:
    """Return the addresses of a host, each once, in the resolver's order, all of them permitted.

    Raises EgressRefused, NameNotResolved.
    """
    _judge_name(egress, host, port)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(_bare(host), port or None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameNotResolved(f"{host} is not known") from error
    return _judged(egress, host, port, found)


def resolved_now(egress: Egress, host: str, port: int) -> list[str]:
    """As `resolved`, for threads."""
    _judge_name(egress, host, port)
    try:
        found = socket.getaddrinfo(_bare(host), port or None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameNotResolved(f"{host} is not known") from error
    return _judged(egress, host, port, found)


def connected_now(egress: Egress, host: str, port: int, seconds: float) -> socket.socket:
    """Return a socket that is connected to the first address of a host that answers.

    Raises EgressRefused, NameNotResolved, OSError.
    """
    failure: OSError = NameNotResolved(f"{host} has no address")
    for address in resolved_now(egress, host, port):
        try:
            return socket.create_connection((address, port), seconds)
        except OSError as error:
            failure = error
    raise failure


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _judge_name(egress: Egress, host: str, port: int) -> None:
    refusal = egress.judge_name(host, port)
    if refusal is not None:
        raise EgressRefused(refusal.message, hint=refusal.hint)


def _judged(egress: Egress, host: str, port: int, found: list[Any]) -> list[str]:
    addresses = list(dict.fromkeys(_text(entry[4]) for entry in found))
    refusal = egress.judge(host, port, addresses)
    if refusal is not None:
        raise EgressRefused(refusal.message, hint=refusal.hint)
    if not addresses:
        raise NameNotResolved(f"{host} has no address")
    return addresses


def _text(place: Any) -> str:
    """The address of a socket's place, with its zone where it has one."""
    text = str(place[0])
    zone = place[3] if len(place) > 3 else 0
    return text if not zone or "%" in text else f"{text}%{zone}"
