"""Reading large values: their chunks one after the other, each verified, and what is made of them then."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from ...errors import NotARecord, TamperedHistory
from ...format.codec import unpack
from ...format.compression import unzipped
from ...format.envelope import PIECE, ZIPPED_PIECE, ScopeKey, codec_of, running_digest, same
from ...format.purposes import Purpose
from ...format.stored_values import BASE64, TEXT, StoredValue, found_in, replaced
from ...port import Backend, ChunkRow
from .value_writing import LAST, MORE

if TYPE_CHECKING:
    from .history import RunKeys

_CHUNKS_A_READ: Final = 4


class ValueReader:
    """Reads the large values of one run. `again` gives the run's keys as they are then, for values that are sealed
    anew meanwhile.
    """

    def __init__(
        self,
        backend: Backend,
        keys: RunKeys,
        run_id: bytes,
        again: Callable[[], Awaitable[RunKeys]] | None = None,
    ) -> None:
        self._backend = backend
        self._keys = keys
        self._run = run_id
        self._again = again

    async def pieces(self, value: StoredValue) -> AsyncIterator[tuple[int, int, bytes]]:
        """Each chunk as it was put together: whether it is the last, its codec, and its bytes, which may be compressed.

        Raises TamperedHistory for a value that is not the one which is named: chunks that are missing, exchanged,
        altered, of another value or run, or too many. What came before was of this value, at these places.
        """
        number = size = 0
        digest = running_digest()
        while number < value.count:
            rows = await self._backend.values.chunks(value.id, number, _CHUNKS_A_READ)
            if not rows:
                raise self._tampered(f"chunk {number + 1:,} of {value.count:,} of a large value is missing.")
            for row in rows:
                number += 1
                if row.number != number or number > value.count:
                    raise self._tampered(f"the chunks of a large value are not those from 1 to {value.count:,}.")
                last = LAST if number == value.count else MORE
                codec = codec_of(row.record)
                stored = await self._opened(row, codec, last)
                data = unzipped(stored) if codec == ZIPPED_PIECE else stored
                size += len(data)
                digest.update(data)
                if number == value.count and (size != value.size or not same(digest.digest(), value.digest)):
                    raise self._tampered("a large value is another one than its record names.")
                yield last, codec, stored

    async def parts(self, value: StoredValue) -> AsyncIterator[bytes]:
        """The bytes of a value, a chunk at a time. Raises TamperedHistory."""
        async for _, codec, stored in self.pieces(value):
            yield unzipped(stored) if codec == ZIPPED_PIECE else stored

    async def value(self, value: StoredValue) -> Any:
        """The value itself. Raises TamperedHistory."""
        data = b"".join([part async for part in self.parts(value)])
        try:
            if value.form == TEXT:
                return data.decode("utf-8")
            if value.form == BASE64:
                return base64.b64encode(data).decode("ascii")
            return unpack(data)
        except (NotARecord, ValueError) as error:
            raise self._tampered("a large value is not of the form that its record says.") from error

    async def whole(self, value: Any) -> Any:
        """A value without names of large ones: they are read. Raises TamperedHistory."""
        known: dict[StoredValue, Any] = {}
        for named in found_in(value):
            if named not in known:
                known[named] = await self.value(named)
        return replaced(value, known.__getitem__) if known else value

    async def _opened(self, row: ChunkRow, codec: int, last: int) -> bytes:
        key = self._keys.of(row.record)
        if key is None and self._again is not None:
            self._keys = await self._again()
            key = self._keys.of(row.record)
        if key is None or codec not in (PIECE, ZIPPED_PIECE):
            raise self._tampered(f"chunk {row.number:,} of a large value was sealed by another key, or is none.")
        try:
            return _open(key, row, codec, last)
        except NotARecord as error:
            raise self._tampered(f"chunk {row.number:,} of a large value was altered, moved or exchanged.") from error

    def _tampered(self, message: str) -> TamperedHistory:
        return TamperedHistory(message, run=self._run.hex(), seq=0)


def _open(key: ScopeKey, row: ChunkRow, codec: int, last: int) -> bytes:
    return key.open(key.place(Purpose.CHUNK, row.value_id, codec), row.number, last, row.record)
