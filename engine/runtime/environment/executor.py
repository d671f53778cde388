"""The executor of one environment in one process: what drives its runs. On SQLite there is exactly one, held by an OS
lock; on PostgreSQL each worker has one, and `claims` says which runs are its own.

It starts runs, brings unfinished ones back by folding their records, and takes in the requests of other processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from ....storage import Vault
from ...errors import SealflowError
from ...kernel import History, Plan
from ...kernel.contract import records as event
from ...kernel.contract.status import CANCELLED
from ..calls.callback_deliveries import Deliveries
from ..calls.callers import Callers
from ..calls.child_flows import Children
from ..calls.dispatch import Performer
from ..calls.outgoing import Underway
from ..desktop.calls import DesktopCalls
from ..desktop.run_queue import DesktopQueue
from ..flows.library import Library
from ..flows.start import run_name
from ..keys.operations import KeyWork
from ..runs.admission import Admission
from ..runs.background import BackgroundTasks
from ..runs.claims import CONCURRENCY, Claims, Pins, RunElsewhereError
from ..runs.eviction import Eviction
from ..runs.expiry import RUN_DURATION, Expiry
from ..runs.live_run import LiveRun
from ..runs.recovery import Reviving
from ..runs.starter import Starter
from ..runs.turn_pace import TurnPace
from ..triggers.batches import Batches
from ..triggers.triggers import Triggers
from ..triggers.watching import TriggerWatching
from ..workers.clock import Clock
from ..workers.garbage_collection import COLLECTING
from ..workers.polling import InboxPolling
from .command_inbox import PutOff, take_inbox
from .retention import Upkeep
from .role import Role

if TYPE_CHECKING:
    from ..desktop.machine_groups import MachineGroup, Serving
    from ..desktop.work_queues import QueueActions
    from ..triggers.scheduler import Scheduler
    from ..workers.evaluations import Evaluations

log = logging.getLogger("sealflow")

RESIDENT: Final = 16 << 20
"""About how many bytes of large values the runs of an environment keep in memory, together."""

LEAST_ROOM: Final = 1 << 20
"""What a single run may keep of them, however many there are."""

PARTING_PATIENCE: Final = 5.0
"""Seconds that closing waits for triggers' calls and for the unsubscribe requests of runs that are over."""


CALLS_SECONDS: Final = 10.0
"""How long calls under way have to be answered before a run changes hands; what takes longer is called again, with the
same key.
"""

_LOOK_SECONDS: Final = 0.02


class Executor:
    """Drives the runs of one vault. Its holder must be one of the environment's workers."""

    def __init__(
        self,
        vault: Vault,
        library: Library,
        clock: Clock,
        performer: Performer,
        underway: Underway,
        run_duration: int | None = None,
        concurrency: int = CONCURRENCY,
        pins: Pins | None = None,
        groups: Sequence[MachineGroup] = (),
        serving: Serving | None = None,
    ) -> None:
        self.vault = vault
        self.library = library
        self.clock = clock
        self.performer = performer
        self.underway = underway
        self.callers = Callers()
        self.background = BackgroundTasks(vault, performer)
        self.children = Children(self)
        self.callbacks = Deliveries(self)
        self.put_off = PutOff(clock)
        self.desktop_calls = DesktopCalls(self, self.children)
        self._queue_actions: QueueActions | None = None
        self.batches = Batches(vault, library, clock)
        self.key_work = KeyWork(vault, clock)
        self.upkeep = Upkeep(vault, clock)
        self.live: dict[bytes, LiveRun] = {}
        self.pace = TurnPace()
        self._evaluations: Evaluations | None = None
        self._expiry = Expiry()
        self._run_duration = run_duration
        self.admission = Admission()
        self.claims = Claims(self, concurrency, pins if pins is not None else Pins())
        self.queue = DesktopQueue(self, groups, serving)
        self.recovery = Reviving(self)
        self.starter = Starter(self)
        self.eviction = Eviction(self, COLLECTING)
        self.triggers = Triggers(self)
        self.watching = TriggerWatching(vault, self.triggers, self.claims, self.queue, self._scheduler)
        self.role = Role(vault, self.key_work, self.upkeep, self.watching, self._stays)
        self.polling = InboxPolling(vault, self._look, lambda: bool(self.live))
        self.parting = False
        """Whether the role is being handed over: nothing that is decided is done here any more."""
        self.draining = asyncio.Lock()
        self._collecting = True
        COLLECTING.begin()

    @property
    def room(self) -> int:
        """How many bytes of large values one run may keep in memory now."""
        room = RESIDENT // (len(self.live) or 1)
        return room if room > LEAST_ROOM else LEAST_ROOM

    @property
    def evaluations(self) -> Evaluations:
        """What evaluates elsewhere; loaded with the first that is too much for a turn."""
        if self._evaluations is None:
            from ..workers.evaluations import Evaluations

            self._evaluations = Evaluations()
        return self._evaluations

    @property
    def queue_actions(self) -> QueueActions:
        """What the actions of work queues do; loaded with the first."""
        if self._queue_actions is None:
            from ..desktop.work_queues import QueueActions

            self._queue_actions = QueueActions(self.vault, self.library, self.clock)
        return self._queue_actions

    # ---- runs

    async def resume(self, run_id: bytes, *, history: History | None = None, ending: bool = False) -> LiveRun | None:
        """Bring an unfinished run back: fold its records, repeat what was under way. None when it had ended.

        Who comes first brings it back, with his `history`; the others get the same run. `ending`: it is brought back
        to be ended, which anybody may do with one that waits for a machine. Raises NotFound, RunElsewhereError, and
        storage errors where the history does not verify.
        """
        return await self.recovery.resume(run_id, history, ending=ending)

    def adopt(self, run: LiveRun) -> None:
        """Drive a run from now on."""
        self.live[run.log.run_id] = run
        if run.simulation is None:
            self._expiry.add(run.log.run_id, run.expires, self.live)

    def run_duration(self, plan: Plan) -> int:
        """Ticks that a run of this plan may last."""
        return self._run_duration if self._run_duration is not None else RUN_DURATION[plan.definition.dialect]

    def expire(self) -> None:
        """End the runs that have outlived their limit."""
        for run_id in self._expiry.take(self.clock.now()):
            run = self.live.get(run_id)
            if run is not None:
                run.expire()

    async def resume_unfinished(self) -> list[LiveRun]:
        """Every unfinished run of the environment, oldest first; what cannot be resumed is logged and left alone."""
        resumed = []
        for run_id in await self.vault.unfinished():
            try:
                run = await self.resume(run_id)
            except RunElsewhereError:
                continue
            except Exception as error:
                log.warning("run %s cannot be resumed: %s", run_name(run_id), type(error).__name__)
                continue
            if run is not None:
                resumed.append(run)
        return resumed

    @asynccontextmanager
    async def at_hand(self, run_id: bytes, *, ending: bool = False) -> AsyncIterator[LiveRun | None]:
        """A run that takes in at once what it is told, until control is given away; None when it had ended.

        Raises as `resume`.
        """
        with self.claims.pins.held(run_id):
            while True:
                run = await self.resume(run_id, ending=ending)
                if run is not None:
                    await run.settled()
                if run is None or not run.aside:
                    break
            if run is not None and run.simulation is None and run.now() >= run.expires:
                run.expire()  # it is too late to be told anything
            yield run

    async def cancel(self, run_id: bytes, reason: str) -> bool:
        """End a run as Cancelled; False when it had ended. Raises as `resume`."""
        async with self.at_hand(run_id, ending=True) as run:
            if run is None or run.state.end is not None:
                return False
            run.feed(event.stop(run.now(), CANCELLED, "Cancelled", reason))
            return True

    async def take_answer(self, run_id: bytes, value: Any) -> None:
        """Give an answer that was kept to the run that made the call. When this returns, its record is queued.

        Raises NotFound, and the failure of a run that cannot go on.
        """
        async with self.at_hand(run_id) as run:
            if run is not None:
                run.take_answer(value)
                await run.settled()
                if run.failure is not None:
                    raise run.failure

    async def answered(self) -> None:
        """Decide nothing more, and return when the calls under way are answered and their answers recorded, or after
        CALLS_SECONDS: another process is to have the runs.
        """
        self.parting = True
        loop = asyncio.get_running_loop()
        end = loop.time() + CALLS_SECONDS
        while any(run.calling for run in self.live.values()) and loop.time() < end:  # noqa: ASYNC110 (many places)
            await asyncio.sleep(_LOOK_SECONDS)
        await self.vault.flush()

    # ---- requests of other processes

    async def _look(self) -> None:
        """Do what is due: the end of runs, claims, what is done once, and the requests of other processes."""
        self.expire()
        await self.claims.look()
        await self.role.look_after()
        await self.take_inbox()

    async def take_inbox(self) -> int:
        """Carry out what other processes asked for, and what came while the environment was locked; returns how many
        requests there were.
        """
        return await take_inbox(self)

    # ---- what is to be done once in an environment

    @property
    def leads(self) -> bool:
        """Whether this is the worker that fires triggers and does all else that is to be done once."""
        return self.role.leads

    async def lead(self) -> bool:
        """See `Role.lead`."""
        return await self.role.lead()

    async def fire_due(self) -> None:
        """Fire once what is due now. Raises SealflowError while triggers are watched."""
        self.watching.refuse_twice()
        await self.take_inbox()
        await self.watching.fire_due()

    def _scheduler(self) -> Scheduler:
        from ..triggers.scheduler import Scheduler

        return Scheduler(self.vault, self.clock, self.triggers, self.batches, self.admission)

    def _stays(self) -> bool:
        """Whether this process has to stay the worker: a browser or a workbook that is open here stays here."""
        return self.parting or len(self.performer.sessions) > 0

    def interrupt(self, error: Exception) -> set[bytes]:
        """Stop every run at once, for this reason. Return the runs that have not ended here."""
        if self._evaluations is not None:
            self._evaluations.close()
        return self.eviction.interrupt(error)

    async def close(self, patience: float = PARTING_PATIENCE) -> None:
        """Stop driving. Runs in flight stay resumable; their calls are given up.

        `patience`: seconds that calls which are given up, of triggers too, and unsubscribe requests may still take.
        """
        if self._collecting:  # first: closing may be cut short
            self._collecting = False
            COLLECTING.end()
        await self.watching.close(patience)
        await self.polling.close()
        await self.claims.close()
        await self.key_work.close()
        await self.recovery.close()
        self.interrupt(
            SealflowError(
                "The engine was closed while the run was going on.",
                code="EngineClosed",
                hint="Open the engine again; the run goes on where it stood.",
            )
        )
        await self.background.cancel()
        await self.eviction.close(patience)
        await self.background.finish(patience)
        await self.performer.sessions.aclose()
