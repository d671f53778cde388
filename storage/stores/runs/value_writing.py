"""Writing large values: bytes as they come, sealed in chunks, in commits of bounded size that others share.

A value is written before the record that names it. Until then it is not settled: what a crash leaves of it is swept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from ...errors import StorageError, ValueTooLarge
from ...format.codec import is_text, pack, packs_plainly
from ...format.compression import zipped
from ...format.envelope import PIECE, ZIPPED_PIECE, ScopeKey, random_id, running_digest
from ...format.purposes import Purpose
from ...format.stored_values import CHUNK_BYTES, PACKED, TEXT, StoredValue, found_in
from ...port import ChunkRow, LargeValueRow
from .journal import Journal

WAITING_BYTES: Final = 1 << 20
"""Sealed bytes that may wait for their commit before whoever writes a value has to wait: a commit has about as much."""

MORE: Final = 0
LAST: Final = 1

_PLACE: Final = StoredValue(bytes(16), PACKED, 1, 0, b"")
"""Stands in a record where a large value is to be named."""

_WIDE: Final = 64
_DEEP: Final = 4
"""Members and levels of objects in which long texts are looked for; the rest of a field goes as a whole."""


class Sealer:
    """Seals the chunks of one value, in their order. No I/O."""

    def __init__(self, key: Callable[[], ScopeKey], form: int, *, zips: bool) -> None:
        self.id = random_id()
        self.size = 0
        self._key = key
        self._form = form
        self._zips = zips
        self._count = 0
        self._digest = running_digest()

    def seal(self, data: bytes, last: int) -> ChunkRow:
        """The next chunk."""
        self._count += 1
        self.size += len(data)
        self._digest.update(data)
        small = zipped(data) if self._zips else None
        codec, stored = (PIECE, data) if small is None else (ZIPPED_PIECE, small)
        return chunk_row(self._key(), self.id, self._count, last, codec, stored)

    def named(self) -> StoredValue:
        """What stands for the value, once its last chunk is sealed."""
        return StoredValue(self.id, self._form, self._count, self.size, self._digest.digest())


def chunk_row(key: ScopeKey, value_id: bytes, number: int, last: int, codec: int, data: bytes) -> ChunkRow:
    """A chunk, sealed for its place: value, number, and whether it is the last one."""
    return ChunkRow(value_id, number, key.seal(key.place(Purpose.CHUNK, value_id, codec), number, last, data))


_AT_ONCE: Final = 16
"""Chunks that are compressed and sealed before others on the event loop get their turn: about 20 ms."""


class ValueWriter:
    """Takes the bytes of one value as they come. Whoever does not `finish` it has to `drop` it.

    `write` waits while much is to be written, by this run or by others. Raises ValueTooLarge beyond `most` bytes, and
    the journal's error once a commit has failed.
    """

    def __init__(self, journal: Journal, run_id: bytes, sealer: Sealer) -> None:
        self._journal = journal
        self._sealer = sealer
        self._row = LargeValueRow(sealer.id, run_id, journal.values.now_ms(), 0)
        self._most = journal.values.most_bytes
        self._begun = self._lost = False
        self._rest = bytearray()

    async def write(self, data: bytes | memoryview) -> None:
        """Takes the next bytes."""
        if self._sealer.size + len(self._rest) + len(data) > self._most:
            raise too_large(self._most)
        view = memoryview(data)
        while len(view):
            if len(self._rest) == CHUNK_BYTES:  # not before more comes: the last chunk is marked
                await self._put(MORE)
            room = CHUNK_BYTES - len(self._rest)
            self._rest += view[:room]
            view = view[room:]

    async def finish(self) -> StoredValue:
        """The end: durable on return, but for the record that names it."""
        await self._put(LAST)
        await self._journal.flush()
        self._check()
        return self._sealer.named()

    def drop(self) -> None:
        """The value is not wanted any more: what is there of it goes with the next commit."""
        if self._begun:
            with suppress(StorageError):
                self._journal.wake()
                self._journal.batch.values.dropped.append(self._row.value_id)

    async def _put(self, last: int) -> None:
        self._check()
        chunk = self._sealer.seal(bytes(self._rest), last)
        self._rest.clear()
        journal = self._journal
        journal.after_commit(_nothing, self._regret)
        if not self._begun:
            self._begun = True
            journal.batch.values.inserts.append(self._row)
        journal.batch.values.chunks.append(chunk)
        journal.pending_bytes += len(chunk.record)
        if journal.pending_bytes >= WAITING_BYTES:
            await journal.flush()
        elif chunk.number % _AT_ONCE == 0:
            await asyncio.sleep(0)

    def _regret(self) -> None:
        self._lost = True

    def _check(self) -> None:
        if self._lost:
            raise StorageError("A part of a large value was lost with a commit that failed.")


async def put_apart(values: Sequence[tuple[int, Any]], writer_of: Callable[[int], ValueWriter]) -> list[StoredValue]:
    """Writes values that were taken out, one after the other, and gives their names; durable on return."""
    names = []
    for form, value in values:
        writer, data = writer_of(form), memoryview(content_of(form, value))
        try:
            for at in range(0, len(data), CHUNK_BYTES):
                await writer.write(data[at : at + CHUNK_BYTES])
            names.append(await writer.finish())
        except BaseException:
            writer.drop()
            raise
    return names


def put_at_once(journal: Journal, run_id: bytes, contents: Sequence[tuple[Sealer, bytes]]) -> None:
    """Puts values into the batch that gets the records which name them. Raises ValueTooLarge; nothing is in it then."""
    values, batch = journal.values, journal.batch
    if any(len(data) > values.most_bytes for _, data in contents):
        raise too_large(values.most_bytes)
    for sealer, data in contents:
        for at in range(0, len(data), CHUNK_BYTES):
            last = LAST if at + CHUNK_BYTES >= len(data) else MORE
            batch.values.chunks.append(sealer.seal(data[at : at + CHUNK_BYTES], last))
            journal.pending_bytes += len(batch.values.chunks[-1].record)
        batch.values.inserts.append(LargeValueRow(sealer.id, run_id, values.now_ms(), 1))


def taken_out(record: Sequence[Any]) -> tuple[list[Any], list[tuple[int, Any]]]:
    """A record that is too large, and the values that are to be stored apart, with their forms, in the order of
    their places; see `put_back`. Raises NotStorable.

    Long texts go by themselves; a field that is still too large then goes as a whole, unless it names others.
    """
    out: list[tuple[int, Any]] = []
    fields: list[Any] = []
    for field in record:
        left = field
        if type(field) in (str, dict, list) and len(packed := pack(field)) > CHUNK_BYTES:
            texts: list[tuple[int, Any]] = []
            left = _without_texts(field, texts, _DEEP)
            size = len(pack(left)) if texts else len(packed)
            if size > CHUNK_BYTES and not _names_others(left, placed=bool(texts)):
                left, texts = _PLACE, [(PACKED, field)]
            out += texts
        fields.append(left)
    return fields, out


def _names_others(left: Any, *, placed: bool) -> bool:
    """Whether a field names values that were stored before. Those and places keep the fast way of packing from it."""
    if not placed and packs_plainly(left):
        return False
    return any(value is not _PLACE for value in found_in(left))


def put_back(value: Any, names: list[StoredValue]) -> Any:
    """What `taken_out` left, with these names in the places, the first one first."""
    kind = type(value)
    if value is _PLACE:
        return names.pop(0)
    if kind is dict:
        return {name: put_back(item, names) for name, item in value.items()}
    if kind is list and any(found_in(value)):
        return [put_back(item, names) for item in value]
    return value


def content_of(form: int, value: Any) -> bytes:
    """The bytes of a value that was taken out. Raises NotStorable."""
    return value.encode("utf-8") if form == TEXT else pack(value)


def too_large(most: int) -> ValueTooLarge:
    return ValueTooLarge(f"A value of the run is larger than {most:,} bytes, which is what one value may have.")


def _without_texts(value: Any, out: list[tuple[int, Any]], depth: int) -> Any:
    if type(value) is str and len(value) > CHUNK_BYTES and is_text(value):
        out.append((TEXT, value))
        return _PLACE
    if type(value) is not dict or not depth or len(value) > _WIDE:
        return value
    return {name: _without_texts(item, out, depth - 1) for name, item in value.items()}


def _nothing() -> None:
    """A chunk that is durable: nobody waits for it alone."""
