"""Reading what may go over to another key at the same moment. A row and the key that seals it are two looks: between
them a migration may have exchanged both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import IntegrityError, StaleKeys
from ..port import Backend, KeyRow
from .keyring import Keyring

T = TypeVar("T")


async def settled(backend: Backend, keyring: Keyring, kind: int, scope: bytes, read: Callable[[], Awaitable[T]]) -> T:
    """What `read` finds of one scope, which it looks up anew each time it is called.

    A read that fails is repeated, and again as long as the scope's key changes meanwhile. Raises the IntegrityError of
    what does not open although nobody touches it, and StaleKeys where the environment's keys are others by now.
    """
    seen: list[KeyRow] | None = None
    while True:
        try:
            return await read()
        except IntegrityError:
            keys = await backend.keys.newest(kind, [scope])
            state = await backend.keys.state()
            if state is not None and state.epoch > keyring.epoch:
                raise StaleKeys("The environment's keys were changed since this process looked.") from None
            if keys == seen:
                raise
            seen = keys
