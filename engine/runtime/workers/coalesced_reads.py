"""Looks at the store that many want at the same moment: one for all of them, as fresh for each as one of his own.

Who asks while a look is under way does not get that one, which may have been taken before what he has to see: he
shares the next with everybody else who comes until it begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedLooks(Generic[T]):
    """`look` is asked for one key at a time."""

    def __init__(self, look: Callable[[bytes], Awaitable[T]]) -> None:
        self._look = look
        self._next: dict[bytes, asyncio.Task[T]] = {}
        self._turns: dict[bytes, asyncio.Lock] = {}

    async def at(self, key: bytes) -> T:
        """What a look finds that begins after this call. Raises what it raises."""
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.get_running_loop().create_task(self._take(key))
            task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _take(self, key: bytes) -> T:
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with turn:
                del self._next[key]  # whoever comes from now on needs another one
                return await self._look(key)
        finally:
            if key not in self._next and not turn.locked():
                self._turns.pop(key, None)


def _seen(task: asyncio.Task[T]) -> None:
    """Whoever asked may have been cancelled: nobody is left to hear of an error then."""
    if not task.cancelled():
        task.exception()
