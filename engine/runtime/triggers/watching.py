"""Whether a worker fires the triggers of its environment: by itself, or once when it is asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import SealflowError

if TYPE_CHECKING:
    from ....storage import Vault
    from ..runs.claims import Claims
    from ..runs.protocols import RunQueue
    from .scheduler import Scheduler
    from .triggers import Triggers


class TriggerWatching:
    """The scheduler of one worker, as long as it is to fire triggers. `make` makes a scheduler."""

    def __init__(
        self, vault: Vault, triggers: Triggers, claims: Claims, queue: RunQueue, make: Callable[[], Scheduler]
    ) -> None:
        self._vault = vault
        self._triggers = triggers
        self._claims = claims
        self._queue = queue
        self._make = make
        self._turn = asyncio.Lock()
        self.active = False
        """Whether triggers are to be fired here: they are while this worker leads."""
        self.scheduler: Scheduler | None = None

    async def begin(self) -> None:
        """Fire triggers from now on, until `stop`: as soon as this worker leads."""
        workers = self._vault.workers
        self.active = self._claims.taking = True
        if workers.shared:
            await workers.ask_for_role(True)
            if not self._queue.alone:  # it may have joined as one that leaves the lead to others
                await workers.lead()
        async with self._turn:
            if self.scheduler is None and workers.leads:
                scheduler = self._make()
                await scheduler.start()  # what fails here is tried again by the next look
                self.scheduler = scheduler

    async def resume(self) -> None:
        """Begin now, where that was wanted and this worker did not lead."""
        if self.active and self.scheduler is None:
            await self.begin()

    async def stop(self) -> None:
        """Fire nothing more, and leave to others what is ready."""
        self.active = self._claims.taking = False
        if self.scheduler is not None:
            await self.scheduler.close()
            self.scheduler = None

    async def fire_due(self) -> None:
        """Fire once what is due now."""
        scheduler = self._make()
        try:
            await scheduler.once()
        finally:
            await scheduler.close()

    def refuse_twice(self) -> None:
        """Raise SealflowError, code TriggersWatched, while triggers are fired by themselves."""
        if self.scheduler is not None:
            raise SealflowError("The triggers of this environment are watched already.", code="TriggersWatched")

    async def deployed(self, flow_id: bytes) -> None:
        """Register the triggers of a flow's new version, where triggers are fired."""
        if self.scheduler is not None:
            await self._triggers.register(flow_id)

    async def close(self, patience: float) -> None:
        """Fire nothing more. Calls that are under way have `patience` seconds."""
        if self.scheduler is not None:
            await self.scheduler.close(patience)
            self.scheduler = None
