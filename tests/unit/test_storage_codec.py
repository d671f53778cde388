"""The codec: what goes in comes out, or is refused."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import struct
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.storage import NotARecord, NotStorable
from sealflow.storage.format import codec
from thorough import LONG

_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats()
    | _text
    | st.binary()
    | st.decimals()
)
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(_text, inner), max_leaves=25)


def exact(value: Any) -> Any:
    """Comparable by type and bit: 1 is not True, 0.0 is not -0.0, a NaN is itself, an object has an order."""
    if isinstance(value, float):
        return ("float", struct.pack(">d", value))
    if isinstance(value, Decimal):
        return ("decimal", value.as_tuple())
    if isinstance(value, list | tuple):
        return ("list", [exact(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(key, exact(item)) for key, item in value.items()])
    return (type(value).__name__, value)


@given(_values)
@settings(max_examples=1000 if LONG else 80, deadline=None)
def test_round_trip(value: Any) -> None:
    assert exact(codec.unpack(codec.pack(value))) == exact(value)


@given(st.lists(_values, min_size=1, max_size=40), st.integers(10, 300))
@settings(max_examples=500 if LONG else 40, deadline=None)
def test_pages_hold_all_values_in_order(values: list[Any], limit: int) -> None:
    pages = codec.pack_pages([codec.pack(value) for value in values], limit)
    opened = [codec.unpack(data) for _, data in pages]
    assert [count for count, _ in pages] == [len(page) for page in opened]
    assert exact([codec.unpack(value) for page in opened for value in page]) == exact(values)
    assert all(len(data) <= limit or count == 1 for count, data in pages)


@given(st.binary())
@settings(max_examples=200, deadline=None)
def test_other_bytes_are_one_error(data: bytes) -> None:
    try:
        codec.unpack(data)
    except NotARecord:
        pass


def test_tuples_and_buffers_become_lists_and_bytes() -> None:
    assert codec.unpack(codec.pack((1, (2,), bytearray(b"a"), memoryview(b"b")))) == [1, [2], b"a", b"b"]


class _Colour(enum.Enum):
    RED = "red"


class _Number(enum.IntEnum):
    ONE = 1


class _Text(str):
    __slots__ = ()


@dataclasses.dataclass
class _Thing:
    a: int = 1


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2026, 1, 1),
        datetime.date(2026, 1, 1),
        datetime.time(1),
        uuid.UUID(int=1),
        _Colour.RED,
        _Number.ONE,
        _Text("a"),
        _Thing(),
        {1, 2},
        1j,
        object(),
        {1: 2},
        {b"a": 1},
        {None: 1},
        {_Text("a"): 1},
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [2**70, {"a": value}]], ids=["bare", "inside"])
def test_other_types_are_refused(value: Any, wrap: Any) -> None:
    with pytest.raises(NotStorable):
        codec.pack(wrap(value))


def _nested(depth: int, leaf: Any = None) -> Any:
    for level in range(depth):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


@pytest.mark.parametrize("leaf", [None, 2**80, {"\ud800": 1.5}], ids=["fast", "slow", "surrogate"])
@pytest.mark.parametrize("depth", [99, 100, 101, 249, 255, 256, 398])
def test_deep_values(depth: int, leaf: Any) -> None:
    value = _nested(depth, leaf)
    assert codec.unpack(codec.pack(value)) == value


@pytest.mark.parametrize("depth", [401, 2000, 100_000])
def test_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(NotStorable, match="deep"):
        codec.pack(_nested(depth))


def test_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_BYTES", 1000)
    with pytest.raises(NotStorable, match="large"):
        codec.pack("x" * 1001)


def test_nan_survives() -> None:
    assert math.isnan(codec.unpack(codec.pack(math.nan)))


def test_an_unknown_extension_is_refused() -> None:
    with pytest.raises(NotARecord):
        codec.unpack(b"\xd4\x63\x00")
