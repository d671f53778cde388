"""Values that need not be in memory: large ones, which a record holds, and what the iterations of a loop produced.

Frames hold them where they hold plain values otherwise; whoever reads for an expression goes through `whole`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NoReturn

from ...expressions import Suspend
from ...values import is_elsewhere

LARGE: Final = 16_384
"""Bytes from which a value is named rather than held."""

_OUTPUTS: Final = "outputs"


class Large:
    """A value that is stored: the number of its record, its place within that, its size in bytes, roughly.

    `part` is what the record itself holds of it, where the rest is stored apart; None where the record holds it all.
    """

    __slots__ = ("field", "part", "seq", "size")

    def __init__(self, seq: int, field: int, size: int, part: Any = None) -> None:
        self.seq = seq
        self.field = field
        self.size = size
        self.part = part

    @property
    def at(self) -> tuple[int, int]:
        """What names the value within its run."""
        return self.seq, self.field

    def read(self) -> NoReturn:
        raise NeedValues([self], self.part)

    def __repr__(self) -> str:
        return f"Large(seq={self.seq}, field={self.field}, size={self.size})"


class NeedValues(Suspend):
    """Raised out of an evaluation that reads values which are not in memory."""

    def __init__(self, missing: list[Large], part: Any = None) -> None:
        super().__init__("stored values are needed")
        self.missing = missing
        self.part = part


class Collected:
    """What one action produced in each iteration of a Foreach: its outputs, or its record where `result()` asks.

    `large` names the values that may be elsewhere: by iteration, and the part of the record or "" for plain outputs.
    """

    __slots__ = ("large", "values")

    def __init__(self, values: list[Any], large: dict[tuple[int, str], Large]) -> None:
        self.values = values
        self.large = large

    def first(self, count: int) -> Collected:
        """Those of the first `count` iterations."""
        if count >= len(self.values):
            return self
        return Collected(self.values[:count], {place: large for place, large in self.large.items() if place[0] < count})

    def places(self) -> Iterator[tuple[Any, Any, Large]]:
        """Container, key and name of everything that may be elsewhere."""
        for (number, part), large in self.large.items():
            yield (self.values[number], part, large) if part else (self.values, number, large)

    def read(self) -> list[Any]:
        """The list as an expression sees it, a copy where parts of it come and go. Raises NeedValues."""
        missing = [large for container, key, large in self.places() if container[key].__class__ is Large]
        if missing:
            raise NeedValues(missing)
        if not self.large and not any(_nested(value) for value in self.values):
            return self.values
        return [_copied(value) for value in self.values]


class LoopResults:
    """What `result()` gives of a Foreach: for each action in it its name and the records of all iterations."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[str, Collected]]) -> None:
        self.parts = parts

    def read(self) -> list[Any]:
        return [{"name": name, _OUTPUTS: records.read()} for name, records in self.parts]


APART: Final[frozenset[Any]] = frozenset({Large, Collected, LoopResults})
"""The classes above: what stands for a value and is none."""


def whole(value: Any) -> Any:
    """What an expression sees of something that a frame holds. Raises NeedValues where that is not in memory."""
    return value.read() if value.__class__ in APART else value


def large_of(value: Any, seq: int, field: int) -> Large | None:
    """The name of a value in record `seq`, None where it is too small to need one."""
    kind = value.__class__
    if value is None or kind is bool or kind is int or kind is float or (kind is str and len(value) <= LARGE):
        return None
    if kind is Large:
        return value  # type: ignore[no-any-return]
    if rough_size(value, LARGE) <= LARGE:
        return None
    return Large(seq, field, rough_size(value, sample=True), value if _holds_elsewhere(value) else None)


_LONG: Final = 512
"""Items from which a list is judged by a sample of them."""


def rough_size(value: Any, enough: int | None = None, *, sample: bool = False) -> int:
    """About how many bytes a value takes when stored; counting stops beyond `enough`. With `sample` the items of long
    lists are judged by some of them, so that the work does not grow with the value.
    """
    total = 0
    todo: list[Any] = [(value,)]
    shares = [1]  # beside `todo`: for how many of its kind each one stands
    while todo and (enough is None or total <= enough):
        each, times = todo.pop(), shares.pop()
        if each.__class__ is dict:
            total += (sum(map(len, each)) + 3 * len(each)) * times
            each = each.values() if len(each) <= _LONG else [*each.values()]
        if sample and len(each) > _LONG:
            step = max(len(each) // (_LONG // 2), 1)
            each, times = each[::step], times * step
        for item in each:
            kind = item.__class__
            if kind is str or kind is bytes:
                total += (len(item) + 3) * times
            elif kind is dict or kind is list:
                todo.append(item)
                shares.append(times)
                total += 3 * times
            elif is_elsewhere(item):
                total += max(item.size, LARGE + 1) * times  # whatever its size, it is not here
            else:
                total += 5 * times
    return total


def _holds_elsewhere(value: Any) -> bool:
    """As `values.holds_elsewhere`, of what an action gave or was given: no item of a long list is a name there, since
    lists are stored whole, and those that a definition writes are short.
    """
    todo: list[Any] = [(value,)]
    while todo:
        each = todo.pop()
        for item in each.values() if each.__class__ is dict else each:
            kind = item.__class__
            if kind is dict or (kind is list and len(item) <= _LONG):
                todo.append(item)
            elif kind is not list and is_elsewhere(item):
                return True
    return False


def _nested(value: Any) -> bool:
    """Whether a record holds the results of a loop within the loop, or the value is such results."""
    return value.__class__ in APART or (isinstance(value, dict) and value.get(_OUTPUTS).__class__ in APART)


def _copied(value: Any) -> Any:
    if not isinstance(value, dict):
        return whole(value)
    return {**value, _OUTPUTS: whole(value[_OUTPUTS])} if _nested(value) else dict(value)
