"""The messages that wait for the batch triggers of an environment's flows: sealed, ordered, in named partitions.

Any process may add one; the executor takes them out in the commit that starts the run they go to. Each is sealed under
a key of its own, which goes when the message is taken: what a run was given can be shredded with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from ..errors import IntegrityError
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, lp, random_id
from ..format.purposes import Index, Kind, Purpose
from ..keys.keyring import Keyring
from ..keys.rereading import settled
from ..models import Message, MessageCount, Value
from ..port import Backend, Batch, KeyChanges, KeyRow, MessageChanges, MessageRow, StoredMessageRow
from .flows import flow_domain
from .runs.journal import Journal

_ALL: Final = 1 << 30


class Messages:
    """Adds, lists, counts and takes messages."""

    def __init__(self, backend: Backend, keyring: Keyring, journal: Journal, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._journal = journal
        self._now_ms = now_ms
        self._consumed: set[tuple[bytes, int]] = set()
        # The name of each partition whose blind index was found to be that of the sealed name.
        self._names: dict[bytes, str] = {}

    async def add(self, flow_id: bytes, partition: str, value: Value, dedupe: bytes | None) -> int:
        """Adds a message, durably, and returns its number, or that of the waiting one with the same `dedupe`. Raises
        NotStorable, RecordNotFound (no such flow).
        """
        domain = await flow_domain(self._backend, self._keyring, flow_id)
        key_row, row = self._sealed(flow_id, partition, value, dedupe, domain)
        batch = Batch(
            guard=self._keyring.deciding,
            keys=KeyChanges(inserts=[key_row]),
            messages=MessageChanges(inserts=[row]),
        )
        return (await self._backend.commit(batch))[0]

    def queue(
        self, flow_id: bytes, partition: str, value: Value, dedupe: bytes | None, domain: int, sender: bytes | None
    ) -> None:
        """The same with the journal's current batch; not without the rows of the run that sends it."""
        key_row, row = self._sealed(flow_id, partition, value, dedupe, domain)
        self._journal.wake()
        batch = self._journal.batch
        batch.keys.inserts.append(key_row)
        batch.messages.inserts.append(row)
        if sender is not None:
            batch.tied += [(sender, batch.keys.inserts, key_row), (sender, batch.messages.inserts, row)]
        self._journal.pending_bytes += len(row.record)

    async def items(self, flow_id: bytes, partition: str | None, limit: int, after: int) -> list[Message]:
        """The oldest that were not taken. Raises IntegrityError."""
        indexes = None if partition is None else self._partition_indexes(flow_id, partition)
        found: list[Message] = []
        while len(found) < limit:
            rows = await self._backend.messages.waiting(flow_id, indexes, limit - len(found), after)
            if not rows:
                break
            after = rows[-1].number
            found += await self._opened([stored for stored in rows if (flow_id, stored.number) not in self._consumed])
        return found

    async def counts(self, flow_id: bytes) -> dict[str, MessageCount]:
        """What waits, by partition; the one that began first, first. Raises IntegrityError, also for a message that
        was removed.
        """
        for missing in await self._backend.consistency.orphaned_keys(Kind.MESSAGE):
            raise IntegrityError(f"The row of message {missing.hex()} is missing.")
        while True:
            rows = await self._backend.messages.partitions(flow_id)
            for row in rows:
                if row.partition_index not in self._names:
                    # Opening one of them verifies its index, and remembers the name.
                    await self._opened(
                        await self._backend.messages.waiting(flow_id, [row.partition_index], 1, row.first - 1)
                    )
            if all(row.partition_index in self._names for row in rows):
                break
            # Otherwise messages were taken, or are found by other indexes, since the first look.
        counts: dict[str, MessageCount] = {}
        for row in rows:
            name = self._names[row.partition_index]
            # Once more where environment keys were exchanged while messages waited.
            more = counts.get(name, MessageCount(0, 0, row.oldest_ms))
            oldest_ms = min(more.oldest_ms, row.oldest_ms)
            counts[name] = MessageCount(more.count + row.messages, more.bytes + row.size, oldest_ms)
        return counts

    async def count(self, flow_id: bytes) -> int:
        """How many messages wait. One that waits twice, under the indexes of two keys of a domain, counts once: it
        becomes one when it is sealed anew. Raises IntegrityError for a row that was changed from outside.
        """
        rows = [stored.row for stored in await self._backend.messages.waiting(flow_id, None, _ALL, 0)]
        ids = [row.message_id for row in rows]
        keys = {row.scope: row for row in await self._backend.keys.newest(Kind.MESSAGE, ids)}
        found: set[object] = set()
        for row in rows:
            key_row = keys.get(row.message_id)
            if key_row is None:
                raise IntegrityError(f"The key of message {row.message_id.hex()} is missing.")
            dedupe = self._fields(row, self._keyring.open_scope(key_row))[1]
            found.add(row.message_id if dedupe is None else (key_row.domain, dedupe))
        return len(found)

    def consume(self, flow_id: bytes, number: int) -> None:
        """Takes a message with the journal's current batch."""
        if (flow_id, number) in self._consumed:
            return
        self._journal.wake()
        self._consumed.add((flow_id, number))
        self._journal.batch.messages.consumed.append((flow_id, number))
        forget = lambda: self._consumed.discard((flow_id, number))  # noqa: E731 (durable, or lost: the same)
        self._journal.after_commit(forget, forget)

    async def reseal(self, key_row: KeyRow, domain: int, batch: Batch) -> bool:
        """Put a message into the batch, sealed by a fresh key of `domain` and found by its live indexes. False
        if it was taken meanwhile. Raises IntegrityError.
        """
        row = await self._backend.messages.get(key_row.scope)
        if row is None:
            return False
        old = self._keyring.open_scope(key_row)
        partition, dedupe, _ = self._fields(row, old)
        index, unique = self._indexes(row.flow_id, partition, dedupe, domain)
        scope, generation = row.message_id, key_row.generation + 1
        new, new_row = self._keyring.new_scope(Kind.MESSAGE, scope, domain, generation=generation)
        record = old.resealed(new, Purpose.MESSAGE, scope, row.record)
        batch.keys.inserts.append(new_row)
        batch.keys.dropped_generations.append((Kind.MESSAGE, scope, generation))
        batch.messages.resealed.append((row.flow_id, scope, index, unique, record))
        return True

    def _sealed(
        self, flow_id: bytes, partition: str, value: Value, dedupe: bytes | None, domain: int
    ) -> tuple[KeyRow, MessageRow]:
        message_id, now = random_id(), self._now_ms()
        packed = pack(value)
        key, key_row = self._keyring.new_scope(Kind.MESSAGE, message_id, domain)
        data = pack([flow_id, partition, dedupe, now, packed])
        record = key.seal(key.place(Purpose.MESSAGE, message_id), 0, 0, data)
        index, unique = self._indexes(flow_id, partition, dedupe, domain)
        return key_row, MessageRow(message_id, flow_id, index, unique, len(packed), now, record)

    def _indexes(self, flow_id: bytes, partition: str, dedupe: bytes | None, domain: int) -> tuple[bytes, bytes | None]:
        index = self._keyring.value_index(Index.MESSAGE_PARTITION, _partition(flow_id, partition), domain)
        if dedupe is None:
            return index, None
        return index, self._keyring.value_index(Index.MESSAGE_DEDUPE, lp(flow_id, dedupe), domain)

    async def _opened(self, stored: list[StoredMessageRow]) -> list[Message]:
        ids = [row.message_id for _, row in stored]
        keys = {row.scope: row for row in await self._backend.keys.newest(Kind.MESSAGE, ids)}
        messages = []
        for number, row in stored:
            if row.message_id in keys:
                message = await self._settled(number, row, keys[row.message_id])
                messages += [message] if message is not None else []
                continue
            # Taken between the two reads? Then the row is gone as well.
            again = await self._backend.messages.waiting(row.flow_id, [row.partition_index], 1, number - 1)
            if again and again[0].number == number:
                raise IntegrityError(f"The key of message {row.message_id.hex()} is missing.")
        return messages

    async def _settled(self, number: int, row: MessageRow, key_row: KeyRow) -> Message | None:
        """A message, read once more if it was sealed by another key meanwhile. None if it was taken."""
        try:
            return self._open(number, row, self._keyring.open_scope(key_row))
        except IntegrityError:
            return await settled(
                self._backend, self._keyring, Kind.MESSAGE, row.message_id, partial(self._again, number, row)
            )

    async def _again(self, number: int, row: MessageRow) -> Message | None:
        keys = await self._backend.keys.newest(Kind.MESSAGE, [row.message_id])
        current = await self._backend.messages.get(row.message_id)
        if current is None and not keys:
            return None
        if current is None or not keys:
            raise IntegrityError(f"The key of message {row.message_id.hex()} is missing.")
        return self._open(number, current, self._keyring.open_scope(keys[0]))

    def _open(self, number: int, row: MessageRow, key: ScopeKey) -> Message:
        partition, _, packed = self._fields(row, key)
        self._names[row.partition_index] = partition
        return Message(number, partition, unpack(packed), row.created_ms, row.size)

    def _fields(self, row: MessageRow, key: ScopeKey) -> tuple[str, bytes | None, bytes]:
        """Partition, `dedupe` and packed value, verified against the row's clear columns."""
        fields = unpack(key.open(key.place(Purpose.MESSAGE, row.message_id), 0, 0, row.record))
        if type(fields) is not list or len(fields) != 5:
            raise IntegrityError("A stored message has other fields than this version writes.")
        flow_id, partition, dedupe, created_ms, packed = fields
        if (
            (flow_id, len(packed), created_ms) != (row.flow_id, row.size, row.created_ms)
            or row.partition_index not in self._partition_indexes(flow_id, partition)
            or row.dedupe not in self._dedupe_indexes(flow_id, dedupe)
        ):
            raise IntegrityError(f"Message {row.message_id.hex()}: its row says otherwise than its record.")
        return partition, dedupe, packed

    def _partition_indexes(self, flow_id: bytes, partition: str) -> list[bytes]:
        return self._keyring.value_indexes(Index.MESSAGE_PARTITION, _partition(flow_id, partition))

    def _dedupe_indexes(self, flow_id: bytes, dedupe: bytes | None) -> Sequence[bytes | None]:
        if dedupe is None:
            return [None]
        return self._keyring.value_indexes(Index.MESSAGE_DEDUPE, lp(flow_id, dedupe))


def _partition(flow_id: bytes, partition: str) -> bytes:
    # With the flow: the same name in two flows does not look the same.
    return lp(flow_id, partition.encode("utf-8", "surrogatepass"))
