"""What an environment gives piece by piece, and takes back: an iterator that a host may keep over a lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, TypeVar

from ....storage import EnvironmentLocked, ExecutorLost, StoreClosed
from ..keys.access import Holding

T = TypeVar("T")

_A_TURN: Final = 64
"""Pieces after which the event loop has a turn, so that a lock is noticed."""


class Stream(AsyncIterator[T]):
    """The pieces of a reading. Raises EnvironmentLocked, or EnvironmentSuspended, from the moment at which the
    environment's key was revoked, whatever was read before and not given yet.
    """

    def __init__(self, access: Holding, pieces: AsyncGenerator[T, None]) -> None:
        self._access = access
        self._pieces: AsyncGenerator[T, None] | None = pieces
        self._number = 0
        access.holds(self)

    async def __anext__(self) -> T:
        try:
            self._number += 1
            if not self._number % _A_TURN:  # pieces of one page come without a wait
                await asyncio.sleep(0)
            piece = await anext(self._reading())
            self._reading()  # it may have been revoked meanwhile
        except (EnvironmentLocked, ExecutorLost, StoreClosed) as error:
            explained = self._access.explained(error)
            if explained is None:
                raise
            raise explained from error
        return piece

    async def aclose(self) -> None:
        """Read no more."""
        if self._pieces is not None:
            await self._pieces.aclose()

    def let_go(self) -> None:
        """Hold nothing that was read: what is suspended in it is closed by the event loop."""
        self._pieces = None

    def _reading(self) -> AsyncGenerator[T, None]:
        if self._pieces is None or self._access.forgotten:
            raise self._access.revoked()
        return self._pieces
