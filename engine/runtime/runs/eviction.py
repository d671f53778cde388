"""How runs leave memory: ended, asleep, lost to another worker, or to be brought back from what is durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...kernel import Record
from .claims import RunElsewhereError

if TYPE_CHECKING:
    from ..workers.garbage_collection import Collecting
    from .live_run import LiveRun
    from .protocols import EvictionHost

log = logging.getLogger("sealflow")

LEAST_PATIENCE: Final = 1.0
"""Seconds that the calls of interrupted runs have at least to notice that they are given up."""


class Eviction:
    """Drops the runs of one worker from memory. `ended` is called with every run that ends or stops here."""

    def __init__(self, host: EvictionHost, collecting: Collecting) -> None:
        self._host = host
        self._collecting = collecting
        self._stopped: set[bytes] = set()
        self._ending: list[asyncio.Task[None]] = []
        self.ended: Callable[[LiveRun], object] | None = None

    def put_aside(self, run: LiveRun) -> None:
        """Drop a run that has not ended: what is appended to it is durable, or on its way."""
        host = self._host
        host.live.pop(run.log.run_id, None)
        host.admission.sleep(run, known=host.recovery.knows(run.log.flow_id))
        host.claims.forget(run.log.run_id)
        self._ending = [task for task in self._ending if not task.done()] + run.put_aside()

    def lost(self, run: LiveRun) -> None:
        """Drop a run that another worker owns: it continues there, or here once it is claimed again."""
        log.info("run %s continues in another worker", run.id)
        self.put_aside(run)
        self._host.queue.left(run)
        self._host.claims.look_soon()

    def retry(self, run: LiveRun, error: Exception) -> None:
        """Drop a run whose commit failed, and bring it back from what is durable."""
        self.put_aside(run)
        self._host.queue.left(run)
        self._host.background.run(self._host.claims.later(run.log.run_id, error))

    def fell_asleep(self, run: LiveRun, missed: list[Record], *, told: bool) -> None:
        """Drop a run that is durable as a sleeping one. It comes back at once with the events that it missed, or where
        it was signalled meanwhile.
        """
        host = self._host
        self.put_aside(run)
        host.performer.sessions.end(run.log.run_id)
        host.queue.left(run)
        host.claims.asleep(run.sleeps_until)
        if missed or told:
            host.background.run(self._wake_up(run.log.run_id, missed))
        host.claims.made_room()
        self._collecting.left()

    async def _wake_up(self, run_id: bytes, missed: list[Record]) -> None:
        try:
            async with self._host.at_hand(run_id) as run:
                for record in missed if run is not None else []:
                    run.feed(record)  # type: ignore[union-attr]
        except RunElsewhereError:
            return  # its owner finds out by itself
        except Exception as error:
            await self._host.claims.later(run_id, error)

    def forget(self, run: LiveRun) -> None:
        """Drop a run that has ended, or whose store is gone."""
        host = self._host
        host.live.pop(run.log.run_id, None)
        host.claims.forget(run.log.run_id)
        host.claims.made_room()
        self._collecting.left()
        host.queue.left(run)
        host.admission.leave(run)
        if run.failure is not None:
            self._stopped.add(run.log.run_id)
        else:
            host.performer.sessions.end(run.log.run_id)
        if self.ended is not None:
            self.ended(run)

    def interrupt(self, error: Exception) -> set[bytes]:
        """Stop every run at once, for this reason. Return the runs that have not ended here."""
        runs = list(self._host.live.values())
        self._host.live.clear()
        for run in runs:
            self._ending += run.interrupt(error)
        return {run.log.run_id for run in runs} | self._stopped

    async def close(self, patience: float) -> None:
        """Wait for the tasks of runs that left, at most this many seconds."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=max(patience, LEAST_PATIENCE))
            self._ending.clear()
