"""Servers that desktop actions talk to without HTTP: their address is judged by the egress policy, then connected to.

A name is looked up once: what was judged is what is connected to.
"""

from __future__ import annotations

import ssl
from typing import Final

from ..egress.connect import NameNotResolved, resolved_now
from ..egress.policy import EgressRefused
from .fault import Fault, fault
from .session import Session

SECONDS: Final = 30
"""How long a server may take to answer, where an action says nothing else."""


def address_of(host: str, port: int, session: Session, failed: str) -> str:
    """The first address of a server, all of whose addresses are permitted.

    Raises Fault `failed` (its display name) for an unknown one, and EgressRefused.
    """
    try:
        return resolved_now(session.egress, host, port)[0]
    except NameNotResolved:
        raise fault(failed, f"The server '{host}' is not known.") from None
    except EgressRefused as refused:
        raise Fault(refused.code, refused.message, hint=refused.hint) from None


def trust(untrusted: bool = False) -> ssl.SSLContext:
    """How certificates are judged: by the system's authorities, or, where a flow takes `untrusted` ones, not at all."""
    context = ssl.create_default_context()
    if untrusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
