"""When the triggers of an environment are looked at: one timer for all flows, set to the one that is due first.

Nothing polls: a sleeping scheduler wakes at that time, or when a registration changes. What being due means is the
business of `triggers`.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from ...kernel.cloud.triggers.batch import BATCH
from ...kernel.contract.timing import SECOND
from .registration import Registration

if TYPE_CHECKING:
    from ....storage import Vault
    from ..runs.admission import Admission
    from ..workers.clock import Clock
    from .batches import Batches
    from .triggers import Triggers

log = logging.getLogger("sealflow")

_AT_ONCE: Final = 64
"""Flows that are looked at together; more wait for their turn."""

_NOW: Final = 0
"""A time that has come, whatever the clock says."""

PATIENCE: Final = 5.0
"""Seconds that closing waits for what is under way."""

_TRY_AGAIN: Final = 5 * SECOND
"""After a commit has failed, e.g. on a full disk."""


class Scheduler:
    """Watches the triggers of one worker, from `start` to `close`."""

    def __init__(self, vault: Vault, clock: Clock, triggers: Triggers, batches: Batches, admission: Admission) -> None:
        self._vault = vault
        self._clock = clock
        self._triggers = triggers
        self._batches = batches
        self._admission = admission
        self._heap: list[tuple[int, bytes]] = []
        self._due: dict[bytes, int] = {}
        self._busy: dict[bytes, asyncio.Task[None]] = {}
        self._full: set[bytes] = set()
        self._owed: set[bytes] = set()
        self._unregistered: set[bytes] = set()
        self._looks: set[bytes] = set()
        self._wake = asyncio.Event()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register every flow whose version was not looked at yet, then watch."""
        await self._register_all()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def once(self) -> None:
        """Do everything that is due now, however late it is, and return when it is done.

        What a sliding window has missed is done as its runs make room.
        """
        await self._register_all()
        until = self._clock.now()
        while True:
            self._wake.clear()
            self._begin_due(until, owed=True)
            if not self._busy and not any(self._due.get(flow_id, until + 1) <= until for flow_id in self._full):
                return
            await self._wake.wait()

    async def close(self, patience: float = PATIENCE) -> None:
        """Fire nothing more; what is under way is finished, but for calls that take longer: they are made again."""
        self._triggers.changed = None
        self._admission.left = None
        self._batches.arrived = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._busy:
            _, late = await asyncio.wait(self._busy.values(), timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # ---- what changes

    async def _register_all(self) -> None:
        self._triggers.changed = self._changed
        self._admission.left = self._room
        self._batches.arrived = self._look
        known = {state.flow_id: Registration.of(state.flow_id, state) for state in await self._vault.triggers()}
        unknown = []
        for flow in await self._vault.flows():
            registration = known.get(flow.flow_id)
            if registration is not None and registration.version == flow.version:
                self._changed(registration)
                if registration.kind == BATCH:
                    self._look(flow.flow_id)
            else:
                unknown.append(flow.flow_id)
        await asyncio.gather(*(self._register(flow_id) for flow_id in unknown))

    async def _register(self, flow_id: bytes) -> None:
        async with self._places:
            try:
                await self._triggers.register(flow_id)
            except Exception as error:
                log.warning("the trigger of flow %s cannot be registered: %s", flow_id.hex(), type(error).__name__)
                self._unregistered.add(flow_id)
                self._put(flow_id, self._clock.now() + _TRY_AGAIN)
                self._wake.set()

    def _changed(self, registration: Registration) -> None:
        if registration.due is None:
            self._due.pop(registration.flow_id, None)
        else:
            self._put(registration.flow_id, registration.due)
        self._wake.set()

    def _room(self, flow_id: bytes) -> None:
        """A run has ended: a sliding window or a batch that was held up by it is looked at again."""
        if flow_id in self._full:
            self._full.discard(flow_id)
            self._put(flow_id, _NOW)
            self._wake.set()

    def _look(self, flow_id: bytes) -> None:
        """A batch may have become complete: whether it has, its trigger knows."""
        self._looks.add(flow_id)
        if flow_id not in self._busy and flow_id not in self._full:
            self._put(flow_id, _NOW)
            self._wake.set()

    def _put(self, flow_id: bytes, due: int) -> None:
        self._due[flow_id] = due
        heapq.heappush(self._heap, (due, flow_id))

    # ---- what is due

    async def _watch(self) -> None:
        clock = self._clock
        while True:
            self._wake.clear()
            self._begin_due(clock.now())
            work: list[Coroutine[Any, Any, object]] = [self._wake.wait()]
            if self._heap:
                work.append(clock.sleep_until(self._heap[0][0]))
            waiting = [asyncio.ensure_future(each) for each in work]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()

    def _begin_due(self, now: int, *, owed: bool = False) -> None:
        while self._heap and self._heap[0][0] <= now:
            due, flow_id = heapq.heappop(self._heap)
            # Entries of the heap that were overtaken by a later one stay there until they come up.
            if self._due.get(flow_id) == due and flow_id not in self._busy and flow_id not in self._full:
                work = self._fire(flow_id, owed or flow_id in self._owed)
                self._busy[flow_id] = asyncio.get_running_loop().create_task(work)

    async def _fire(self, flow_id: bytes, owed: bool) -> None:
        try:
            async with self._places:
                self._looks.discard(flow_id)
                if flow_id in self._unregistered:
                    await self._triggers.register(flow_id)
                    self._unregistered.discard(flow_id)
                elif not await self._triggers.fire(flow_id, owed=owed):
                    self._full.add(flow_id)
            self._owed.discard(flow_id)
        except Exception as error:
            log.warning("the trigger of flow %s could not fire: %s", flow_id.hex(), type(error).__name__)
            # It was on time; that it could not be kept must not make it count as missed.
            self._owed.add(flow_id)
            self._due[flow_id] = self._clock.now() + _TRY_AGAIN
        finally:
            del self._busy[flow_id]
            if flow_id in self._looks and flow_id not in self._full:
                self._put(flow_id, _NOW)
            elif flow_id in self._due and flow_id not in self._full:
                self._put(flow_id, self._due[flow_id])
            self._wake.set()
