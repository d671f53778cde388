"""Rows as the ports have them, made of what a database returns.

SQLite stores values of any type in any column, so that somebody who can write the file can put a text where bytes
belong; in any database columns can be altered. Such a row is refused here, and nothing behind this border ever sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from ...errors import IntegrityError, TamperedHistory

Row = TypeVar("Row", bound=NamedTuple)

_NOTHING = type(None)
_TYPES: dict[Any, tuple[type, ...]] = {
    int: (int,),
    bytes: (bytes,),
    int | None: (int, _NOTHING),
    bytes | None: (bytes, _NOTHING),
}


@cache
def _columns(kind: type[NamedTuple]) -> tuple[tuple[type, ...], ...]:
    hints = get_type_hints(kind)
    return tuple(_TYPES[hints[name]] for name in kind._fields)


def checked(kind: type[Row], values: Sequence[Any], fail: Callable[[str], Exception] | None = None) -> Row:
    """The row of one result. Numbers are never negative here. Raises IntegrityError, or what `fail` makes of the
    message.
    """
    for types, value, name in zip(_columns(kind), values, kind._fields, strict=True):
        found = type(value)
        if found not in types or (found is int and value < 0):
            message = f"a row was damaged: '{name}' holds no such value."
            raise fail(message) if fail is not None else IntegrityError(f"In the store, {message}")
    return kind._make(values)


def all_checked(kind: type[Row], results: Iterable[Sequence[Any]]) -> list[Row]:
    return [checked(kind, values) for values in results]


def of_run(run: bytes, seq: int = 0) -> Callable[[str], Exception]:
    """The error of a damaged row that belongs to a run."""
    return lambda message: TamperedHistory(message, run=run.hex(), seq=seq)


def identifier(value: Any) -> bytes:
    """One id in a result."""
    if type(value) is not bytes:
        raise IntegrityError("In the store, a row was damaged: an id is no bytes.")
    return value
