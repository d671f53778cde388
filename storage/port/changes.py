"""What all parts of a batch have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Self


class Changes:
    """The rows of one store that a commit writes or removes: lists, and at most a few single values."""

    __slots__ = ()
    __match_args__: ClassVar[Sequence[str]] = ()

    def rows(self) -> int:
        """Return the number of rows."""
        values = [getattr(self, name) for name in self.__match_args__]
        return sum([len(value) if isinstance(value, (list, dict)) else bool(value) for value in values])

    def add(self, other: Self) -> None:
        """Append the rows of another part. Single values stay."""
        for name in self.__match_args__:
            mine, others = getattr(self, name), getattr(other, name)
            if isinstance(mine, list):
                mine += others
            elif isinstance(mine, dict):
                mine.update(others)

    def without(self, runs: Collection[bytes]) -> None:
        """Drop all rows of these runs, in place."""
