"""The sessions of desktop flows' runs: what each has open outside, from its first call to its end.

A session stays while its run sleeps, so that a browser is still there when it wakes in this process. It goes when the
run ends, and with everything else when the process closes or the environment's key is withdrawn.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from ....connectors import Egress, Services
from ....connectors.desktop import Session, Settings
from ..flows.start import run_name

log = logging.getLogger("sealflow")


class Sessions:
    """By run. Made by the performer; for one event loop."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._sessions: dict[bytes, Session] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, run_id: bytes) -> Session:
        """The session of a run; made when it is first asked for."""
        found = self._sessions.get(run_id)
        if found is None:
            services = self._services
            found = self._sessions[run_id] = Session(
                self._settings,
                services.clock,
                run=run_name(run_id),
                egress=services.egress,
                limits=services.limits,
                working=self._settings.folders[0].path if self._settings.folders else None,
            )
        return found

    def use_egress(self, egress: Egress) -> None:
        """Judge the connections of all sessions by another policy from now on."""
        self._services = replace(self._services, egress=egress)
        for session in self._sessions.values():
            session.egress = egress

    def holds(self, run_id: bytes) -> bool:
        """Whether something of this run is open, or kept, in this process and nowhere else."""
        session = self._sessions.get(run_id)
        return session is not None and not session.idle

    def __len__(self) -> int:
        return len(self._sessions)

    def end(self, run_id: bytes) -> None:
        """The run has ended: close what it still has open, in the background."""
        session = self._sessions.pop(run_id, None)
        if session is not None:
            task = asyncio.get_running_loop().create_task(session.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("What a desktop flow had open could not be closed: %s.", type(task.exception()).__name__)

    async def aclose(self) -> None:
        """Close everything that any run has open."""
        for run_id in list(self._sessions):
            self.end(run_id)
        await asyncio.gather(*self._closing, return_exceptions=True)
