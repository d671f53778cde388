"""Time at the border: the clock of the machine, and one that tests turn by hand.

The kernel never reads a clock; hosts do it here and give it the time as an input. Times are ticks, see `kernel.timing`.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Final, Protocol

from ....connectors import Clock
from ...kernel.contract.timing import SECOND

__all__ = ["BootClock", "Clock", "SystemBootClock", "SystemClock", "VirtualClock"]

_LONGEST_NAP: Final = 30 * SECOND
"""A sleeper looks at the clock at least this often: the machine may be suspended, or its clock set, in the meantime."""

_SHORT_NAP: Final = 1.0
"""Seconds after which a sleeper looks at the clock whose time goes on while the machine sleeps."""

_BOOTTIME: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_TURNS: Final = 20
"""How many turns of the event loop a jumping clock lets pass before it moves on."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Ticks since 1970-01-01T00:00Z."""
        return time.time_ns() // 100

    async def sleep_until(self, due: int) -> None:
        """Return once the machine's clock shows `due`; at once where it does already."""
        while (left := due - self.now()) > 0:  # noqa: ASYNC110 - time is the event
            await asyncio.sleep(min(left, _LONGEST_NAP) / SECOND)


class BootClock(Protocol):
    """Seconds since the machine was started, its sleep included: what nobody sets. For watching keys, not for flows."""

    def now(self) -> float: ...

    async def sleep_until(self, due: float) -> None: ...


class SystemBootClock:
    """The machine's; where it has no such clock, its monotonic one, which may stand still while it sleeps."""

    def now(self) -> float:
        return time.clock_gettime(_BOOTTIME)

    async def sleep_until(self, due: float) -> None:
        """Return once the machine's clock shows `due`; at once where it does already."""
        while (left := due - self.now()) > 0:  # noqa: ASYNC110 - time is the event
            await asyncio.sleep(min(left, _SHORT_NAP))


class VirtualClock:
    """A clock that stands still until it is told to move: hours of timeouts pass in milliseconds.

    With `jumps` it moves by itself to the time of the next sleeper when everything else in the event loop has had
    its turn; that suits work that waits for nothing but this clock.
    """

    def __init__(self, start: int = 0, *, jumps: bool = False) -> None:
        self._now = start
        self._jumps = jumps
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._jumping = False

    def now(self) -> int:
        """The time it was moved to last."""
        return self._now

    @property
    def next_due(self) -> int | None:
        """When the first sleeper wakes, None where nobody sleeps."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    async def sleep_until(self, due: int) -> None:
        """Return once the clock was moved to `due`; at once where it is that late already."""
        if due <= self._now:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (due, self._count, future))
        if self._jumps:
            self._jump_soon(_TURNS)
        await future

    def advance(self, ticks: int) -> None:
        """Move on by `ticks`."""
        self.advance_to(self._now + ticks)

    def advance_to(self, at: int) -> None:
        """Move on to `at`; whoever sleeps until then wakes, in the order of their times. It never goes back."""
        while (due := self.next_due) is not None and due <= at:
            self._now = max(self._now, due)
            heapq.heappop(self._waiting)[2].set_result(None)
        self._now = max(self._now, at)

    def _jump_soon(self, turns: int) -> None:
        if turns == _TURNS:
            if self._jumping:
                return
            self._jumping = True
        if turns:
            asyncio.get_running_loop().call_soon(self._jump_soon, turns - 1)
            return
        self._jumping = False
        due = self.next_due
        if due is not None:
            self.advance_to(due)
            if self.next_due is not None:
                self._jump_soon(_TURNS)
