"""Callbacks for runs, as any process accepts them: the first one for an action counts.

A run that expects a callback stores the hash of its token. Whoever accepts a callback claims the token in the commit
that stores the callback, so of any number of processes exactly one can.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ...errors import AlreadyAnswered
from ...models import InboxItem, Value
from ...port import Backend
from .requests import Inbox
from .sealed_items import token_hash


class CallbackInbox:
    """The callbacks of one environment while it is unlocked, `Vault.callbacks`. See SealedInbox for the locked one."""

    def __init__(
        self, backend: Backend, inbox: Inbox, fresh: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
    ) -> None:
        self._backend = backend
        self._inbox = inbox
        self._fresh = fresh

    async def accept(self, kind: int, item: Value, run_id: bytes, token: bytes) -> int | None:
        """Stores a callback in the inbox, durably, and returns its number. None where one was accepted before, or the
        run has ended.
        """
        claims = [token_hash(run_id, token)]
        try:
            number: int = await self._fresh(lambda: self._inbox.add(kind, item, run_id, None, claims))
        except AlreadyAnswered:
            return None
        await self._backend.claims.hint()
        return number

    async def close(self, run_id: bytes, token: bytes) -> bool:
        """Accepts no callback with this token any more. False where one was accepted before, or the run has ended."""
        try:
            await self._fresh(lambda: self._inbox.claim(token_hash(run_id, token)))
        except AlreadyAnswered:
            return False
        return True

    async def requests_for(self, run_id: bytes) -> list[InboxItem]:
        """The requests of every kind for this run that are not consumed yet, oldest first."""
        found: list[InboxItem] = await self._fresh(lambda: self._inbox.of(run_id))
        return found
