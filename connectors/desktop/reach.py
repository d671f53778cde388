"""Servers that desktop actions talk to without HTTP: their address is judged by the egress policy, then connected to.

A name is looked up once: what was judged is what is connected to.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from .fault import Fault, fault
from .session import Session

SECONDS: Final = 30
"""How long a server may take to answer, where an action says nothing else."""


def address_of(host: str, port: int, session: Session, failed: str) -> str:
    """The address of a server. Raises Fault `failed` (its display name) for an unknown one, and EgressRefused."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise fault(failed, f"The server '{host}' is not known.") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not all(map(session.egress.permits, addresses)):
        raise Fault(
            "EgressRefused",
            f"The connection to '{host}' was refused: it is an address of the machine itself.",
            hint="An administrator can allow it in the egress policy.",
        )
    return addresses[0]


def trust(untrusted: bool = False) -> ssl.SSLContext:
    """How certificates are judged: by the system's authorities, or, where a flow takes `untrusted` ones, not at all."""
    context = ssl.create_default_context()
    if untrusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
