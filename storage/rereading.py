"""Reading what may go over to another key at the same moment. A row and the key that seals it are two looks: between
them a migration may have exchanged both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import IntegrityError
from .port import Backend
from .rows import KeyRow

T = TypeVar("T")


async def settled(backend: Backend, kind: int, scope: bytes, read: Callable[[], Awaitable[T]]) -> T:
    """What `read` finds of one scope, which it looks up anew each time it is called.

    A read that fails is repeated, and again as long as the scope's key changes meanwhile. Raises the IntegrityError of
    what does not open although nobody touches it.
    """
    seen: list[KeyRow] | None = None
    while True:
        try:
            return await read()
        except IntegrityError:
            keys = await backend.keys(kind, [scope])
            if keys == seen:
                raise
            seen = keys
