"""The inbox of one environment: sealed requests from any process to the environment's executor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from ...errors import IntegrityError, StaleKeys
from ...format.codec import pack, unpack
from ...format.envelope import random_id
from ...format.purposes import Index, Kind, Purpose
from ...keys.keyring import Keyring
from ...keys.rereading import settled
from ...models import InboxItem, Value
from ...port import Backend, Batch, CallbackChanges, InboxChanges, InboxRow, KeyChanges, KeyRow, StoredInboxRow

log = logging.getLogger("sealflow")

_ALL: Final = 1 << 30


class Inbox:
    """Adds and lists items. Each is sealed under a key of its own, which goes when the item is consumed.

    An item that does not verify blocks nobody: it is reported once, and `unreadable` names it for removal.
    """

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._consumed: set[int] = set()
        self._retried: set[int] = set()
        # With the run that the row says it is for.
        self.unreadable: dict[int, object] = {}

    async def add(
        self, kind: int, value: Value, run_id: bytes | None, dedupe: bytes | None, claims: Sequence[bytes] = ()
    ) -> int:
        """Adds a request, durably, and returns its number. One with a `dedupe` that still waits is not added again.

        `claims` are hashes of callback tokens: AlreadyAnswered where one was claimed before, or is not there.
        """
        item_id, now = random_id(), self._now_ms()
        key, key_row = self._keyring.new_scope(Kind.INBOX, item_id, self._keyring.domain)
        record = key.seal(key.place(Purpose.INBOX, item_id), 0, 0, pack([kind, run_id, dedupe, now, value]))
        row = InboxRow(item_id, kind, run_id, self._index(dedupe), now, record)
        batch = Batch(
            guard=self._keyring.deciding,
            keys=KeyChanges(inserts=[key_row]),
            inbox=InboxChanges(inserts=[row]),
            callbacks=CallbackChanges(claimed=[*claims]),
        )
        return (await self._backend.commit(batch))[0]

    async def claim(self, token_hash: bytes) -> None:
        """Lets no callback with this token be accepted any more. Raises AlreadyAnswered."""
        await self._backend.commit(Batch(guard=self._keyring.deciding, callbacks=CallbackChanges(claimed=[token_hash])))

    async def reseal(self, key_row: KeyRow, domain: int, batch: Batch) -> bool:
        """Put an item into the batch, sealed by a fresh key of `domain` and found by the service's live index. False if
        it was consumed meanwhile. Raises IntegrityError.
        """
        row = await self._backend.inbox.get(key_row.scope)
        if row is None:
            return False
        _, _, dedupe, *_ = self._fields(row, key_row)
        scope, generation = row.item_id, key_row.generation + 1
        new, new_row = self._keyring.new_scope(Kind.INBOX, scope, domain, generation=generation)
        record = self._keyring.open_scope(key_row).resealed(new, Purpose.INBOX, scope, row.record)
        batch.keys.inserts.append(new_row)
        batch.keys.dropped_generations.append((Kind.INBOX, scope, generation))
        batch.inbox.resealed.append((scope, self._index(dedupe), record))
        return True

    async def items(self, limit: int, *, here: Sequence[bytes] | None = None, after: int = 0) -> list[InboxItem]:
        """The oldest items that were not consumed, without those that do not verify; `here`: for this worker, without
        those of runs of these flows.
        """
        items: list[InboxItem] = []
        while len(items) < limit:
            if here is None:
                stored = await self._backend.inbox.waiting(limit, after)
            else:
                stored = await self._backend.inbox.for_worker(limit, after, here)
            if not stored:
                break
            after = stored[-1].number
            items += await self._opened(
                [item for item in stored if item.number not in self._consumed and item.number not in self.unreadable]
            )
        return items[:limit]

    async def count(self) -> int:
        """How many requests wait. One that waits twice, under the indexes of two keys, counts once: it becomes one when
        it is sealed anew. Raises IntegrityError for a row that was changed from outside.
        """
        stored = await self._backend.inbox.waiting(_ALL)
        keys = {
            row.scope: row for row in await self._backend.keys.newest(Kind.INBOX, [row.item_id for _, row in stored])
        }
        found = set()
        for _, row in stored:
            if row.item_id not in keys:
                raise IntegrityError("The key of a waiting request is missing.")
            dedupe = self._fields(row, keys[row.item_id])[2]
            found.add(row.item_id if dedupe is None else (dedupe,))
        return len(found)

    async def of(self, run_id: bytes) -> list[InboxItem]:
        """The items for this run, as `items` gives them."""
        stored = await self._backend.inbox.of_run(run_id)
        return await self._opened(
            [item for item in stored if item.number not in self._consumed and item.number not in self.unreadable]
        )

    async def _opened(self, stored: list[StoredInboxRow]) -> list[InboxItem]:
        ids = [row.item_id for _, row in stored if isinstance(row.item_id, bytes)]
        try:
            keys = {row.scope: row for row in await self._backend.keys.newest(Kind.INBOX, ids)}
        except IntegrityError:  # of one of them: ask for each
            keys = {}
            for item_id in ids:
                try:
                    keys.update((row.scope, row) for row in await self._backend.keys.newest(Kind.INBOX, [item_id]))
                except IntegrityError:
                    continue  # as if it were missing
        items = []
        for number, row in stored:
            if row.item_id not in keys:
                # Consumed by the executor between the two reads? Then the item is gone as well.
                again = await self._backend.inbox.waiting(1, number - 1)
                if not again or again[0].number != number:
                    continue
            try:
                item = await self._settled(number, row, keys.get(row.item_id))
                items += [item] if item is not None else []
            except (IntegrityError, StaleKeys) as error:
                if isinstance(error, StaleKeys) and number not in self._retried:
                    # Once: the caller looks at the keys again. Then its row was changed.
                    self._retried.add(number)
                    raise
                self.unreadable[number] = row.run_id
                log.error("inbox item %d was changed outside of Sealflow and is ignored: %s", number, error.message)
        return items

    async def _settled(self, number: int, row: InboxRow, key_row: KeyRow | None) -> InboxItem | None:
        """An item, read once more if it was sealed by another key meanwhile. None if it was consumed."""
        try:
            return self._open(number, row, key_row)
        except IntegrityError:
            if not isinstance(row.item_id, bytes):
                raise
            read = partial(self._again, number, row.item_id)
            return await settled(self._backend, self._keyring, Kind.INBOX, row.item_id, read)

    async def _again(self, number: int, item_id: bytes) -> InboxItem | None:
        keys = await self._backend.keys.newest(Kind.INBOX, [item_id])
        row = await self._backend.inbox.get(item_id)
        if row is None and not keys:
            return None
        if row is None:
            raise IntegrityError("It is another one than its number says.")
        return self._open(number, row, keys[0] if keys else None)

    def _open(self, number: int, row: InboxRow, key_row: KeyRow | None) -> InboxItem:
        if key_row is None:
            raise IntegrityError("Its key is missing.")
        kind, run_id, _, _, value = self._fields(row, key_row)
        return InboxItem(number, kind, run_id, value)

    def _fields(self, row: InboxRow, key_row: KeyRow) -> list[Value]:
        """Kind, run, `dedupe`, time and value, verified against the row's clear columns."""
        key = self._keyring.open_scope(key_row)
        fields = unpack(key.open(key.place(Purpose.INBOX, row.item_id), 0, 0, row.record))
        if type(fields) is not list or len(fields) != 5:
            raise IntegrityError("It has other fields than this version writes.")
        kind, run_id, dedupe, created_ms, _ = fields
        unique = dedupe is row.dedupe is None or row.dedupe in self._indexes(dedupe)
        if not unique or (kind, run_id, created_ms) != (row.kind, row.run_id, row.created_ms):
            raise IntegrityError("Its row says otherwise than its record.")
        return fields

    def _index(self, dedupe: bytes | None) -> bytes | None:
        return None if dedupe is None else self._keyring.value_index(Index.INBOX_DEDUPE, dedupe)

    def _indexes(self, dedupe: bytes | None) -> list[bytes]:
        return [] if dedupe is None else self._keyring.value_indexes(Index.INBOX_DEDUPE, dedupe)

    def consume(self, number: int, batch: Batch) -> bool:
        """Puts the item's removal into the batch; False if that was done before."""
        if number in self._consumed:
            return False
        self._consumed.add(number)
        batch.inbox.consumed.append(number)
        return True

    def forget(self, number: int) -> None:
        """The removal is durable (numbers are never used again, so nothing needs to be remembered), or was lost."""
        self._consumed.discard(number)
        self._retried.discard(number)
        self.unreadable.pop(number, None)
