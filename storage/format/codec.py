"""The typed codec, format 1: plain values to bytes and back. No keys, no I/O.

What goes in comes out: JSON's types plus bytes, integers of any size, decimals, NaN, infinities, -0.0 and lone
surrogates. Tuples come back as lists, other byte buffers as bytes; dictionary order is kept. Anything else is refused
(`NotStorable`), never altered.

Format 1 is MessagePack with five extension types, so the common case is one call into ormsgpack and only values that
MessagePack lacks take the walk in Python:

    Ext 1  integer beyond 64 bits   two's complement, big endian
    Ext 2  decimal                  its text, ASCII
    Ext 3  text with lone surrogates   UTF-8 with surrogates passed through
    Ext 4  object with such a key   a packed array of key, value, key, value
    Ext 5  deep value               a packed value: the encoder below nests at most about 250 levels

Pages of runs have two more, which stand for values: of an earlier record (see `references`), and of one that is stored
apart (see `stored_values`):

    Ext 6  reference                a packed array: records back, way to the value, digest
    Ext 7  large value              a packed array: id, form, chunks, bytes, digest

Chosen by measurement (Python 3.11, a result of 750 packed bytes with 14 small objects, microseconds to pack / unpack):
ormsgpack 1.0 / 2.8, msgspec.msgpack 1.1 / 2.7, msgpack 3.2 / 5.8; this codec 1.1 / 2.9, and 39 / 3.0 if one value needs
an extension. msgspec is as fast, but turns enums and UUIDs into text silently, where ormsgpack can be told to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import ormsgpack

from ..errors import NotARecord, NotStorable
from .stored_values import StoredValue

FORMAT = 1
MAX_DEPTH = 400
MAX_BYTES = 256 * 1024 * 1024

_BIG_INTEGER, _DECIMAL, _SURROGATES, _PAIRS, _DEEP, _REFERENCE, _LARGE = 1, 2, 3, 4, 5, 6, 7
_CUT = 100  # below this depth the slow path starts a nested value, well under the encoder's own limit

# Natively, ormsgpack would write these types as text or numbers: values of another type would come back.
_REFUSE = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


def ensure_storable(value: Any) -> None:
    """Raise NotStorable for a value that could not be stored: of another type, nested too deeply, too large."""
    pack(value)


def pack(value: Any) -> bytes:
    """The bytes of a value. Raises NotStorable for what format 1 cannot carry."""
    try:
        data = ormsgpack.packb(value, option=_REFUSE)
    except TypeError:  # MsgpackEncodeError is one
        try:
            data = ormsgpack.packb(_plain(value, 1), option=_REFUSE)
        except (TypeError, RecursionError) as error:
            raise NotStorable(f"The value cannot be stored: {error}") from None
    if len(data) > MAX_BYTES:
        raise NotStorable(f"The value is too large to be stored: {len(data):,} bytes, at most {MAX_BYTES:,}.")
    return data


def packs_plainly(value: Any) -> bool:
    """Whether MessagePack carries the value as it is, so that nothing in it stands for something else."""
    try:
        ormsgpack.packb(value, option=_REFUSE)
    except TypeError:
        return False
    return True


def pack_record(record: Sequence[Any]) -> bytes:
    """A record as `RunLog.append` takes it packed: its length bounds that of every value in it. Raises NotStorable."""
    return pack(record)


def pack_pages(packed: Sequence[bytes], limit: int) -> list[tuple[int, bytes]]:
    """Packed values as packed arrays of byte strings, of at most `limit` bytes each, with their counts; a value that is
    larger goes alone. Raises NotStorable.
    """
    count = len(packed)
    if count == 1 or sum(map(len, packed)) + 5 * count < limit:
        return [(count, pack(packed))]
    parts: list[tuple[int, bytes]] = []
    group: list[bytes] = []
    size = 5
    for data in packed:
        if group and size + len(data) + 5 > limit:
            parts.append((len(group), pack(group)))
            group, size = [], 5
        group.append(data)
        size += len(data) + 5
    parts.append((len(group), pack(group)))
    return parts


def reference(back: int, path: Sequence[int | str], mark: bytes) -> Any:
    """What stands for a value of an earlier record, to be packed. Raises NotStorable."""
    return ormsgpack.Ext(_REFERENCE, pack((back, path, mark)))


def unpack(data: bytes) -> Any:
    """The value of packed bytes. Raises NotARecord for bytes that are none; give it authenticated bytes only."""
    if len(data) > MAX_BYTES:
        raise NotARecord("The packed value is larger than any that is written.")
    try:
        return ormsgpack.unpackb(data, ext_hook=_extension)
    except (ValueError, InvalidOperation) as error:  # MsgpackDecodeError is a ValueError
        raise NotARecord("The packed value is not one of format 1.") from error


def unpack_referring(data: bytes, follow: Callable[[bytes], Any], named: list[StoredValue]) -> Any:
    """As `unpack`, of a value that may have references: `follow` gives what each of them stands for. The large values
    that are named in it are added to `named`.
    """

    def extension(tag: int, part: bytes) -> Any:
        if tag == _REFERENCE:
            return follow(part)
        found = _extension(tag, part, extension)
        if tag == _LARGE:
            named.append(found)
        return found

    try:
        return ormsgpack.unpackb(data, ext_hook=extension)
    except (ValueError, InvalidOperation) as error:
        raise NotARecord("The packed record is not one of codec 2.") from error


def _plain(value: Any, depth: int) -> Any:
    """The value with everything that MessagePack lacks as an extension. One frame a level, so that depth costs little
    stack.
    """
    kind = type(value)
    if kind is str:
        return value if is_text(value) else ormsgpack.Ext(_SURROGATES, value.encode("utf-8", "surrogatepass"))
    if kind is int:
        if -(1 << 63) <= value < 1 << 64:
            return value
        return ormsgpack.Ext(_BIG_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if kind is Decimal:
        return ormsgpack.Ext(_DECIMAL, str(value).encode("ascii"))
    if value is None or kind in (bool, float, bytes, bytearray, memoryview, ormsgpack.Ext):
        return value
    if kind is StoredValue:
        return ormsgpack.Ext(_LARGE, ormsgpack.packb(value.fields()))
    if kind is not list and kind is not tuple and kind is not dict:
        raise NotStorable(f"A value of type {kind.__name__} cannot be stored.")
    if depth > MAX_DEPTH:
        raise NotStorable(f"The value is nested too deeply to be stored: at most {MAX_DEPTH} levels.")
    plain: Any = []
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise NotStorable(f"An object's keys must be text to be stored, not {type(key).__name__}.")
            plain += (key, _plain(item, depth + 1))
        if all(map(is_text, value)):
            plain = dict(zip(plain[::2], plain[1::2], strict=True))
        else:
            plain[::2] = [_plain(key, depth + 1) for key in value]
            plain = ormsgpack.Ext(_PAIRS, ormsgpack.packb(plain, option=_REFUSE))
    else:
        for item in value:
            plain.append(_plain(item, depth + 1))
    return plain if depth % _CUT else ormsgpack.Ext(_DEEP, ormsgpack.packb(plain, option=_REFUSE))


def is_text(value: str) -> bool:
    """Whether it can be written in UTF-8: it has no lone surrogates."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _extension(tag: int, data: bytes, inside: Callable[[int, bytes], Any] | None = None) -> Any:
    """The value of an extension; `inside` says what extensions in it are, where that is not the same."""
    if tag == _BIG_INTEGER:
        return int.from_bytes(data, "big", signed=True)
    if tag == _DECIMAL:
        return Decimal(data.decode("ascii"))
    if tag == _SURROGATES:
        return data.decode("utf-8", "surrogatepass")
    if tag == _PAIRS:
        pairs = ormsgpack.unpackb(data, ext_hook=inside or _extension)
        return dict(zip(pairs[::2], pairs[1::2], strict=True))
    if tag == _DEEP:
        return ormsgpack.unpackb(data, ext_hook=inside or _extension)
    if tag == _LARGE:
        return StoredValue.of_fields(ormsgpack.unpackb(data))
    raise ValueError(f"extension {tag}")
