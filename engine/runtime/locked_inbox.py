"""What a process may give to an environment that it cannot open: one that starts while the environment is locked.

Nothing is read here but hashes of tokens, and what is given cannot be read before the customer's key is given again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .callbacks import UNKNOWN, Address, Delivery, answer_to
from .draining import keep_call, keep_callback
from .opening import Opening
from .start import UNSET


class LockedInbox:
    """Takes things in for an environment, locked or not; its executor carries them out as soon as it may."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def callback(
        self, address: str, *, body: Any = UNSET, headers: Mapping[str, Any] | None = None, status: int = 200
    ) -> Delivery:
        """Keep the answer to a webhook action: 202, 404 for an address that nobody waits at, or 503.

        Whether it counts is decided later: the first one for an action does. Arguments and errors as for
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
