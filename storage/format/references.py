"""References within a run's history: a record that repeats a value of an earlier record stores a reference to it.

References cost less than compression, and runs with secured data may have them too: the length of a page tells nothing
about what a value has in common with another one.

A page of codec 2 is a list of packed records. In one of them, extension 6 stands for a value: how many records back,
the way to it within that record, and a digest of that record as it is packed. It never says "evaluate it again", and
whoever reads a page gets whole values. What is referred to is found by identity, since flows pass values on as they
are; who reads a run from its first record, or from a snapshot on, holds what the next pages may name.

A reference names a record that ends at most `SPAN` bytes of packed records before it, or the run's first record, and
none that is larger than that. Nothing before the latest snapshot is named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from ..errors import NotARecord
from ..models import Value
from .codec import pack, reference, unpack, unpack_referring
from .envelope import digest, same
from .stored_values import StoredValue, found_in

SPAN: Final = 64 * 1024
MARK_BYTES: Final = 16
_MOST: Final = 1 << 20
"""Bytes that the references of one call may stand for: a page must not become too large when it is read."""
_LONG: Final = 256
"""Bytes of a record, and characters of a text, from which on it pays to name them."""
_KEPT: Final = 32
"""Records whose values are held to be named again."""
_DEPTH: Final = 4
_WIDE: Final = 16
"""Members that a container may have for values to be looked for in it."""

_Path = tuple[int | str, ...]


class _Stored:
    """A record of this run whose values may be named: its number, its bytes, and behind how many it ends."""

    __slots__ = ("call", "data", "end", "mark", "seq", "values")

    def __init__(self, seq: int, data: bytes, end: int, call: int) -> None:
        self.seq = seq
        self.data = data
        self.end = end
        self.call = call
        self.mark = b""
        self.values: list[int] = []


class Referrer:
    """Packs the records of one run, in their order. Holds a few of the latest values, and those of the first record.

    By a record's second field, `naming` says where it has a value that may name others, and `named` where it has one
    that others may name.
    """

    __slots__ = ("_call", "_end", "_known", "_left", "_recent", "_seq", "named", "naming")

    def __init__(self) -> None:
        self.naming: Mapping[Any, int] = {}
        self.named: Mapping[Any, int] = {}
        self._known: dict[int, tuple[Any, _Path, _Stored]] = {}
        self._recent: deque[_Stored] = deque()
        self._call = self._end = self._left = self._seq = 0

    def forget(self) -> None:
        """Name nothing that was packed so far."""
        self._known.clear()
        self._recent.clear()

    def pack(self, records: Sequence[Sequence[Value]], seq: int, packed_first: bytes | None = None) -> list[bytes]:
        """The records, the first of which has the number `seq`, each packed. Raises NotStorable.

        `packed_first` is the first one as `codec.pack` gives it, where that was needed before.
        """
        naming, named, known = self.naming, self.named, self._known
        if not naming:
            if packed_first is None:
                return [pack(record) for record in records]
            return [packed_first, *map(pack, records[1:])]
        self._call += 1
        self._left = _MOST
        packed = []
        try:
            for self._seq, record in enumerate(records, seq):
                kind = record[1]
                data = packed_first
                packed_first = None
                if known and kind in naming:
                    place = naming[kind]
                    value = record[place]
                    short = self._short(value, _DEPTH) if value.__class__ in _HOLDERS else value
                    if short is not value:
                        changed = list(record)
                        changed[place] = short
                        data = pack(changed)
                if data is None:
                    data = pack(record)
                packed.append(data)
                size = len(data)
                self._end += size
                if _LONG <= size <= SPAN and kind in named:
                    self._learn(record[named[kind]], named[kind], data)
        except BaseException:
            self.forget()
            raise
        return packed

    # --- naming

    def _short(self, value: Any, depth: int) -> Any:
        """The value, with references in it, or instead of it; the same object where there are none."""
        known = self._known.get(id(value))
        if known is not None:
            return self._reference(*known) or value
        if value.__class__ is not dict or len(value) > _WIDE:
            return value
        short = value
        for name, member in value.items():
            kind = member.__class__
            if kind is dict or kind is list or (kind is str and len(member) >= _LONG):
                known = self._known.get(id(member))
                if known is not None:
                    part = self._reference(*known) or member
                elif kind is dict and 0 < len(member) <= _WIDE and depth:
                    part = self._short(member, depth - 1)
                else:
                    continue
                if part is not member:
                    if short is value:
                        short = dict(value)
                    short[name] = part
        return short

    def _reference(self, value: Any, path: _Path, stored: _Stored) -> Any | None:
        """What names the value in its record, None where that is too far away, or does not hold what it is now."""
        if stored.seq != 1 and self._end - stored.end > SPAN:
            return None
        # Between two calls somebody may have changed the object, which its record does not follow.
        if stored.call != self._call and pack(value) not in stored.data:
            return None
        self._left -= len(stored.data)  # no value in it is larger
        if self._left < 0:
            return None
        if not stored.mark:
            stored.mark = digest(stored.data)[:MARK_BYTES]
        return reference(self._seq - stored.seq, path, stored.mark)

    # --- learning

    def _learn(self, value: Any, place: int, data: bytes) -> None:
        known = self._known
        if not value or value.__class__ not in _HOLDERS or id(value) in known:
            return
        stored = _Stored(self._seq, data, self._end, self._call)
        self._learn_value(value, (place,), stored)
        if self._seq == 1:
            return
        recent = self._recent
        recent.append(stored)
        while len(recent) > _KEPT or self._end - recent[0].end > SPAN:
            for name in recent.popleft().values:
                del self._known[name]

    def _learn_value(self, value: Any, path: _Path, stored: _Stored) -> None:
        known, values = self._known, stored.values
        name = id(value)
        known[name] = (value, path, stored)
        values.append(name)
        if value.__class__ is not dict or len(value) > _WIDE:
            return
        inner = [(value, path)]
        for holder, way in inner:
            for key, member in holder.items():
                kind = member.__class__
                if kind is str:
                    if len(member) < _LONG:
                        continue
                elif (kind is not dict and kind is not list) or not member:
                    continue
                name = id(member)
                if name in known:
                    continue
                to_member = (*way, key)
                known[name] = (member, to_member, stored)
                values.append(name)
                if kind is dict and len(member) <= _WIDE and len(to_member) <= _DEPTH:
                    inner.append((member, to_member))


_HOLDERS: Final[frozenset[Any]] = frozenset({dict, list, str})


def mark(data: bytes) -> bytes:
    """What a reference says of the record that it leads to: half of its SHA-256."""
    return digest(data)[:MARK_BYTES]


def _marks(data: bytes, said: Any) -> bool:
    """Whether a reference was made for this record. Earlier versions said its CRC-32."""
    return said == crc32(data) if type(said) is int else type(said) is bytes and same(mark(data), said)


class Missing(Exception):
    """A reference names a record that is not at hand."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"record {seq} is needed")
        self.seq = seq


class Resolver:
    """Unpacks the pages of one run, in their order."""

    __slots__ = ("_end", "_fault", "_holders", "_pages", "_records", "_seq", "named")

    def __init__(self) -> None:
        self.named: list[StoredValue] = []
        """The large values that are named in the page that was opened last."""
        self._holders: set[int] = set()  # records that name some
        self._records: dict[int, tuple[Any, bytes]] = {}
        self._pages: deque[tuple[int, int, int]] = deque()  # where a page ends, its first record's number, and the last
        self._end = self._seq = 0
        self._fault: Exception | None = None  # the decoder tells nothing of what a hook raises

    def open(self, data: bytes, seq: int) -> list[Any]:
        """The records of a page that begins with record `seq`. Raises NotARecord, and Missing for what `know` tells."""
        packed = unpack(data)
        if not isinstance(packed, list) or not all(isinstance(each, bytes) for each in packed):
            raise NotARecord("The page is not one of codec 2.")
        records = []
        named: list[StoredValue] = []
        self.named = named
        for self._seq, each in enumerate(packed, seq):
            before = len(named)
            record = self._unpack(each)
            if len(named) > before:
                self._holders.add(self._seq)
            records.append(record)
            self._records[self._seq] = record, each
        self._end += len(data)
        self._pages.append((self._end, seq, seq + len(records)))
        while self._end - self._pages[0][0] > 2 * SPAN:
            _, first, behind = self._pages.popleft()
            for number in range(first, behind):
                if number != 1 or len(self._records[1][1]) > SPAN:
                    self._records.pop(number, None)
        return records

    def stored(self, seq: int) -> tuple[Any, bytes] | None:
        """A record of the page that was opened last, and its bytes; None where that is not of codec 2."""
        return self._records.get(seq)

    def know(self, seq: int, record: tuple[Any, bytes]) -> None:
        """What `stored` gave elsewhere of a record that a page to be opened refers to."""
        self._records[seq] = record
        if any(found_in(record[0])):
            self._holders.add(seq)

    def _unpack(self, data: bytes) -> Any:
        self._fault = None
        try:
            return unpack_referring(data, self._follow, self.named)
        except NotARecord as error:
            raise self._fault or error from None

    def _follow(self, data: bytes) -> Any:
        try:
            return self._value(data)
        except Exception as error:
            self._fault = error
            raise

    def _value(self, data: bytes) -> Any:
        try:
            back, path, expected = unpack(data)
            target = self._seq - back
            if not 0 < target < self._seq:
                raise ValueError("a reference to what does not precede it")
            if target not in self._records:
                raise Missing(target)
            value, stored = self._records[target]
            for step in path:
                value = value[step]
        except (TypeError, ValueError, LookupError) as error:
            raise NotARecord("A reference leads nowhere.") from error
        if not _marks(stored, expected):
            raise NotARecord("A reference leads to another record than it was made for.")
        if target in self._holders:
            self.named += found_in([value])
        return value
