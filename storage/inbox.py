"""The inbox of one environment: sealed requests from any process to the environment's executor."""

from __future__ import annotations

from collections.abc import Callable

from .codec import pack, unpack
from .envelope import random_id
from .errors import IntegrityError
from .keyring import Keyring
from .port import Backend, Batch, InboxRow
from .purposes import Index, Kind, Purpose
from .views import InboxItem, Value


class Inbox:
    """Adds and lists items. Each is sealed under a key of its own, which goes when the item is consumed."""

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._consumed: set[int] = set()

    async def add(self, kind: int, value: Value, run_id: bytes | None, dedupe: bytes | None) -> int:
        """Adds a request, durably, and returns its number. One with a `dedupe` that still waits is not added again."""
        item_id = random_id()
        key, key_row = self._keyring.new_scope(Kind.INBOX, item_id)
        record = key.seal(key.place(Purpose.INBOX, item_id), 0, 0, pack([kind, run_id, value]))
        index = None if dedupe is None else self._keyring.value_index(Index.INBOX_DEDUPE, dedupe)
        row = InboxRow(item_id, kind, run_id, index, self._now_ms(), record)
        return (await self._backend.commit(Batch(keys=[key_row], inbox=[row])))[0]

    async def items(self, limit: int) -> list[InboxItem]:
        """The oldest items that were not consumed. Raises NotARecord, IntegrityError."""
        stored = await self._backend.inbox(limit + len(self._consumed))
        rows = [(number, row) for number, row in stored if number not in self._consumed][:limit]
        keys = {row.scope: row for row in await self._backend.keys(Kind.INBOX, [row.item_id for _, row in rows])}
        items = []
        for number, row in rows:
            if row.item_id not in keys:
                # Consumed by the executor between the two reads? Then it is not among the oldest any more.
                if all(number != other.number for other in await self._backend.inbox(len(stored))):
                    continue
                raise IntegrityError(f"The key of inbox item {number} is missing.")
            key = self._keyring.open_scope(keys[row.item_id])
            kind, run_id, value = unpack(key.open(key.place(Purpose.INBOX, row.item_id), 0, 0, row.record))
            if (kind, run_id) != (row.kind, row.run_id):
                raise IntegrityError(f"Inbox item {number}: its row says otherwise than its record.")
            items.append(InboxItem(number, kind, run_id, value))
        return items

    def consume(self, number: int, batch: Batch) -> bool:
        """Puts the item's removal into the batch; False if that was done before."""
        if number in self._consumed:
            return False
        self._consumed.add(number)
        batch.consumed.append(number)
        return True

    def forget(self, number: int) -> None:
        """The removal is durable; numbers are never used again, so nothing needs to be remembered."""
        self._consumed.discard(number)
