"""Large values as records name them: what stands in a record for a value that is stored apart, in chunks. No I/O, no
keys.

A record holds what proves the value: how many chunks it has, how many bytes, and their digest. The chunks are in
`value_writing` and `value_reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

PACKED: Final = 1
"""The bytes are a value, packed by the codec."""
TEXT: Final = 2
"""The bytes are a text, in UTF-8."""
BASE64: Final = 3
"""The value is a text too, which is base64 of the bytes: content as flows have it."""

FORMS: Final = frozenset({PACKED, TEXT, BASE64})

CHUNK_BYTES: Final = 256 * 1024
"""Bytes of a chunk, and what a record may have before values are taken out of it."""

MOST_BYTES: Final = 100 * 1024 * 1024
"""Bytes that one value may have, where no other limit is set: what Logic Apps allow for a message."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """Stands for a value: `id` names it within its run; `size` and `digest` (SHA-256) are those of its bytes, which
    are in `count` chunks; `form` says how the value is made of them.
    """

    id: bytes
    form: int
    count: int
    size: int
    digest: bytes
    is_elsewhere: ClassVar[bool] = True
    """The engine knows by this that it has no value before it."""

    def fields(self) -> list[Any]:
        """What is stored of it."""
        return [self.id, self.form, self.count, self.size, self.digest]

    @property
    def streams(self) -> bool:
        """Whether its bytes are of use without being made a value first."""
        return self.form != PACKED

    @classmethod
    def of_fields(cls, fields: Any) -> StoredValue:
        """What `fields` gave. Raises ValueError for anything else."""
        kinds = (bytes, int, int, int, bytes)
        if type(fields) is not list or [type(field) for field in fields] != list(kinds):
            raise ValueError("no name of a large value")
        found = cls(*fields)
        if found.form not in FORMS or found.count < 1 or found.size < 0 or len(found.id) != 16:
            raise ValueError("no name of a large value that this version knows")
        return found


def found_in(value: Any) -> Iterator[StoredValue]:
    """Every large value that is named in this one."""
    todo: list[Any] = [(value,)]
    while todo:
        each = todo.pop()
        for item in each.values() if type(each) is dict else each:
            kind = type(item)
            if kind is StoredValue:
                yield item
            elif kind is dict or kind is list or kind is tuple:
                todo.append(item)


def replaced(value: Any, by: Callable[[StoredValue], Any]) -> Any:
    """The value with others in the place of large ones. What holds none is the same object."""
    kind = type(value)
    if kind is StoredValue:
        return by(value)
    if kind is dict:
        changed = {name: other for name, item in value.items() if (other := replaced(item, by)) is not item}
        return {**value, **changed} if changed else value
    if kind is list or kind is tuple:
        items = [replaced(item, by) for item in value]
        return value if all(map(_same, items, value)) else kind(items)
    return value


def _same(one: object, other: object) -> bool:
    return one is other
