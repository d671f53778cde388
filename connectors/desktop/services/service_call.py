"""Calls of web services by actions that are made for one: under the egress policy, once, without cookies or redirects.

What the action does with the answer, and what its errors are called, stands there.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any, Final

from ...http.request import Request
from ...http.transport import Answer, Transport
from ...port import ConnectorError
from ..fault import Fault, fault
from ..session import Session

_KEPT: Final = "services"


class _Calls:
    """The run's connections; closed with the session."""

    def __init__(self, session: Session) -> None:
        self.transport = Transport(session.egress)
        self.loop = asyncio.get_running_loop()

    def serves(self, session: Session) -> bool:
        """Whether these are connections of this event loop, under the policy of the moment."""
        return self.loop is asyncio.get_running_loop() and self.transport.egress == session.egress

    async def aclose(self) -> None:
        await self.transport.aclose()


async def answer_of(request: Request, session: Session, seconds: float, failed: str, late: str) -> Answer:
    """The answer, whatever its status. Raises Fault: `late` where there is none in time, EgressRefused, TrustFailure,
    else `failed`; both are display names.
    """
    calls = session.kept.get(_KEPT)
    if not isinstance(calls, _Calls) or not calls.serves(session):
        calls = session.kept[_KEPT] = _Calls(session)
        session.keep("Services", calls)
    try:
        return await calls.transport.send(request, seconds=max(seconds, 0.001), limit=session.limits.response_bytes)
    except ConnectorError as failure:
        if failure.code in ("EgressRefused", "TrustFailure"):
            raise Fault(failure.code, failure.message, hint=failure.hint) from failure
        display = late if failure.code in ("RequestTimedOut", "ConnectionTimedOut") else failed
        raise fault(display, failure.message, hint=failure.hint) from failure


def json_of(answer: Answer) -> Any:
    """What the answer says in JSON, numbers as decimals. Raises ValueError."""
    try:
        return json.loads(answer.data, parse_float=Decimal)
    except RecursionError:
        raise ValueError("too deep") from None
