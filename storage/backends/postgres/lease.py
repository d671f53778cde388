"""The roles of a process that executes runs: one of the workers that share an environment, or whoever has it for
itself. Each is a lease in the database, kept by a heartbeat and judged by the database's clock.

Losing it is not an event in time but a fact in the database: whoever takes over makes the epoch one more, and the
commits of the one before, who may know nothing of it, are refused from then on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from ...errors import StorageError, StoreClosed, StoreGone, taken_over
from .connection import Connection
from .statements import SQL

LEASE_SECONDS = 15.0
_HEARTBEATS = 3
"""In the time of one lease."""

_MARGIN = 1 / 6
"""The part of a lease in which its holder does nothing any more, for clocks that run at different speeds."""

_LEADS, _PAUSED = 1, 2
"""What `tend_worker` says; 0 is neither."""

log = logging.getLogger("sealflow")


class Role(NamedTuple):
    """As whom a process writes that executes runs: under its lease."""

    worker: bytes
    epoch: int


def boot_time() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()


class Lease:
    """The role of one backend. `ask` gives the first value of a query's answer, or None; it may be repeated.

    `leads`: of the workers this is the one that does what is to be done once; as of the last look.
    `paused`: another one leads and wants all runs.
    """

    def __init__(
        self, ask: Callable[..., Awaitable[Any]], seconds: float, now: Callable[[], float] = boot_time
    ) -> None:
        self._ask = ask
        self.now = now
        self._until = float("-inf")
        self.seconds = seconds
        self._time = timedelta(seconds=seconds)
        self._worker = os.urandom(16)
        self._heartbeat: asyncio.Task[None] | None = None
        self.role: Role | None = None
        self.shared = False
        self.may_lead = False
        self.leads = False
        self.paused = False
        self.lost = False

    async def take(self) -> bool:
        """Takes the environment for itself, or says that somebody executes it. Whoever has lost it does not get it
        back.
        """
        if self.role is None:
            began = self.now()
            epoch = await self._ask(SQL["take_alone"], self._worker, os.getpid(), self._time)
            self.renewed(began)
            await self._begin(epoch, shared=False)
        return self.role is not None and not self.shared and not self.lost

    async def join(self, *, lead: bool) -> bool:
        """Becomes one of the workers, or says that somebody has the environment for itself."""
        if self.role is None:
            self.may_lead = lead
            began = self.now()
            epoch = await self._ask(SQL["join_worker"], self._worker, os.getpid(), self._time)
            self.renewed(began)
            await self._begin(epoch, shared=True)
            await self.tend()
        return self.role is not None and not self.lost

    async def _begin(self, epoch: int | None, *, shared: bool) -> None:
        if epoch is not None:
            self.role, self.shared, self.leads = Role(self._worker, epoch), shared, not shared
            beat = self._beat(self.role, SQL["keep_worker" if shared else "keep_alone"])
            self._heartbeat = asyncio.get_running_loop().create_task(beat, name="sealflow lease")

    async def tend(self) -> None:
        """Takes over from workers whose lease has ended, and the lead where nobody has it."""
        if self.role is not None and self.shared and not self.lost:
            found = await self._ask(SQL["tend_worker"], *self.role, self.may_lead)
            if found is None:
                self.lose()
            else:
                self.leads, self.paused = found == _LEADS, found == _PAUSED

    async def _beat(self, role: Role, keep: str) -> None:
        while True:
            await asyncio.sleep(self._time.total_seconds() / _HEARTBEATS)
            began = self.now()
            try:
                kept = await self._ask(keep, *role, self._time)
            except StoreClosed:
                return
            except StorageError as error:
                log.warning("a worker's lease was not renewed: %s", error.message)
                if isinstance(error, StoreGone):
                    return
                continue
            if kept is None:
                self.lose()
                return
            self.renewed(began)

    def renewed(self, began: float) -> None:
        """A request that began at this time has renewed the lease."""
        self._until = max(self._until, began + self.seconds * (1 - _MARGIN))

    @property
    def held(self) -> bool:
        """Whether nobody can have taken over by now; without a role there is nothing to take over."""
        return not self.lost and (self.role is None or self.now() < self._until)

    async def confirm(self) -> None:
        """Return when the lease is held for certain. Raises ExecutorLost, and the errors of the store."""
        while not self.held:
            keep = self.keeping()
            if keep is None:
                raise taken_over()
            sql, role, seconds = keep
            began = self.now()
            if await self._ask(sql, *role, seconds) is None:
                self.lose()
                raise taken_over()
            self.renewed(began)

    def keeping(self) -> tuple[str, Role, timedelta] | None:
        """The query that renews the lease, with its parameters; None without a role."""
        if self.role is None or self.lost:
            return None
        return SQL["keep_worker" if self.shared else "keep_alone"], self.role, self._time

    def lose(self) -> None:
        """Somebody has taken over."""
        if not self.lost:
            log.warning("another process has taken over the runs that this one had")
        self.lost, self.leads = True, False

    async def stop(self) -> None:
        """Ends the heartbeat; the role is still there."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await self._heartbeat

    async def hand_over(self) -> None:
        """Gives the role up; another one may be taken afterwards."""
        role, self.role = self.role, None
        await self.stop()
        if role is not None:
            await self._ask(SQL["leave_worker"], *role)
        self._worker, self._heartbeat = os.urandom(16), None
        self.shared = self.leads = self.paused = False

    async def leave(self, connection: Connection) -> None:
        """Gives the role up, so that nobody has to wait for the lease's end."""
        if self.role is not None:
            await connection.execute(SQL["leave_worker" if self.shared else "leave_alone"], *self.role)
