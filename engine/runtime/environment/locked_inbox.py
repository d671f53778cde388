"""What a process may give to an environment that it cannot open: one that starts while the environment is locked.

Nothing is read here but hashes of tokens, and what is given cannot be read before the customer's key is given again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....storage import EnvironmentLocked
from ..calls.callbacks import UNKNOWN, Address, Delivery, answer_to
from ..flows.start import UNSET, start_arguments
from ..keys.opening import Opening
from .inbox_drain import keep_call, keep_callback, keep_start


class LockedInbox:
    """Takes things in for an environment, locked or not; its executor carries them out as soon as it may."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def callback(
        self, address: str, *, body: Any = UNSET, headers: Mapping[str, Any] | None = None, status: int = 200
    ) -> Delivery:
        """Store the answer to a webhook action: 202, 404 for an address that nobody waits at, 410 where the action has
        had a callback, or 503.

        Arguments and errors as for
        `Environment.callback`, and IntegrityError where the inbox's key was altered, EnvironmentLocked where it has
        none.
        """
        answer = answer_to(body, headers, status)
        known = Address.read(address)
        if known is None:
            return Delivery(UNKNOWN)
        return await keep_callback(await self._opening.sealed_inbox(), known, answer)

    async def trigger_callback(
        self, address: str, *, body: Any = UNSET, headers: Mapping[str, Any] | None = None
    ) -> None:
        """Keep a call of a webhook trigger, which starts its runs later.

        Raises NotFound for an address that no trigger has, InboxFull, and IntegrityError and EnvironmentLocked as
        `callback`.
        """
        await keep_call(await self._opening.sealed_inbox(), address, body, headers)

    async def start(
        self,
        flow_id: str,
        body: Any = UNSET,
        *,
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        queries: Mapping[str, Any] | None = None,
        path: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep the start of a flow that nobody waits for: its newest version is started with this later, once.

        `flow_id` is `FlowSummary.id`; names are sealed. Raises EnvironmentLocked for a flow with a Response to wait for
        and for an id that is not known, InboxFull, NotStorable, and IntegrityError as `callback`.
        """
        given = start_arguments(body, parameters, headers, queries, path)
        known = _id(flow_id)
        if known is None or not await keep_start(await self._opening.sealed_inbox(), known, given):
            raise EnvironmentLocked(
                "While the environment is locked, this flow cannot be started.",
                hint="Give the id of a flow that has no Response to wait for.",
            )


def _id(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
