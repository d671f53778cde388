"""The executor's role: a lease in the database, kept by a heartbeat and judged by the database's clock.

Losing it is not an event in time but a fact in the database: whoever takes over makes the epoch one more, and the
commits of the one before, who may know nothing of it, are refused from then on.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from ...errors import StorageError, StoreClosed
from .batches import SQL
from .commits import Role
from .connection import Connection

LEASE_SECONDS = 15.0
_HEARTBEATS = 3
"""In the time of one lease."""

log = logging.getLogger("sealflow")


class Lease:
    """The role of one backend. `ask` gives the first value of a query's answer, or None; it may be repeated."""

    def __init__(self, ask: Callable[..., Awaitable[Any]], seconds: float) -> None:
        self._ask = ask
        self._time = timedelta(seconds=seconds)
        self._worker = os.urandom(16)
        self._heartbeat: asyncio.Task[None] | None = None
        self.role: Role | None = None
        self.lost = False

    async def take(self) -> bool:
        """Takes the role, or says that somebody else has it. Whoever has lost it does not get it back."""
        if self.role is not None:
            return not self.lost
        epoch = await self._ask(SQL["take_executor"], self._worker, os.getpid(), self._time)
        if epoch is None:
            return False
        self.role = Role(self._worker, epoch)
        self._heartbeat = asyncio.get_running_loop().create_task(self._beat(self.role), name="sealflow lease")
        return True

    async def _beat(self, role: Role) -> None:
        while True:
            await asyncio.sleep(self._time.total_seconds() / _HEARTBEATS)
            try:
                kept = await self._ask(SQL["keep_executor"], *role, self._time)
            except StoreClosed:
                return
            except StorageError as error:
                log.warning("the executor's lease was not renewed: %s", error.message)
                continue
            if kept is None:
                self.lost = True
                log.warning("another process has taken over the runs of this environment")
                return

    async def stop(self) -> None:
        """Ends the heartbeat; the role is still there."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await self._heartbeat

    async def leave(self, connection: Connection) -> None:
        """Gives the role up, so that nobody has to wait for the lease's end."""
        if self.role is not None:
            await connection.execute(SQL["leave_executor"], *self.role)
