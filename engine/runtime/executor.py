"""The executor of one environment: the one process that drives its runs (on SQLite exactly one, held by an OS lock).

It starts runs, brings unfinished ones back by folding their records, and takes in the requests of other processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from ...storage import InboxItem, RecordNotFound, Vault, ensure_storable
from ..errors import NotFound, SealflowError
from ..kernel import (
    REVISIONS,
    History,
    Invoke,
    Plan,
    State,
    apply,
    from_stored,
    needs_tick,
    pending,
    relieve,
    restore,
    supply,
)
from ..kernel import records as event
from ..kernel.status import CANCELLED, RUNNING, WAITING
from ..kernel.trigger import concurrency_of
from .admission import Admission
from .batches import Batches
from .callbacks import GONE, RECORDED, UNKNOWN, Address, Delivery, find, look_up
from .children import Children
from .clock import Clock
from .disposal import Upkeep
from .draining import drain
from .expiry import RUN_DURATION, Expiry
from .key_work import KeyWork
from .library import Library
from .live import LiveRun
from .outgoing import Underway
from .perform import Answer, Performer
from .reading import is_held, load
from .requests import CALLBACK, CANCEL, DEPLOYED, MIGRATE, RESUME, START, SWITCH
from .scheduler import Scheduler
from .simulate import Simulation
from .start import Start, run_name
from .triggers import Triggers

log = logging.getLogger("sealflow")

RESIDENT: Final = 16 << 20
"""About how many bytes of large values the runs of an environment keep in memory, together."""

LEAST_ROOM: Final = 1 << 20
"""What a single run may keep of them, however many there are."""

INBOX_PERIOD: Final = 0.2
"""Seconds between two looks at the inbox: of the machine's time, since other processes live in it."""


PARTING_PATIENCE: Final = 5.0
"""Seconds that closing waits for triggers' calls and for the unsubscribe requests of runs that are over."""


LEAST_PATIENCE: Final = 1.0
"""Seconds that the calls of interrupted runs have at least to notice that they are given up."""


class Executor:
    """Drives the runs of one vault. Its holder must own the environment's executor lock."""

    def __init__(
        self,
        vault: Vault,
        library: Library,
        clock: Clock,
        performer: Performer,
        underway: Underway,
        run_duration: int | None = None,
    ) -> None:
        self.vault = vault
        self.library = library
        self.clock = clock
        self.performer = performer
        self.underway = underway
        self.children = Children(self)
        self.batches = Batches(self)
        self.key_work = KeyWork(vault)
        self.upkeep = Upkeep(vault, clock)
        self.live: dict[bytes, LiveRun] = {}
        self._expiry = Expiry()
        self._run_duration = run_duration
        self.admission = Admission()
        self.triggers = Triggers(self)
        self.scheduler: Scheduler | None = None
        self.ended: Callable[[LiveRun], object] | None = None
        self._inbox_task: asyncio.Task[None] | None = None
        self.draining = asyncio.Lock()
        self._broken: set[bytes] = set()
        self._ending: list[asyncio.Task[None]] = []
        self._resuming: dict[bytes, asyncio.Event] = {}
        self._partings: set[asyncio.Task[Answer]] = set()

    @property
    def room(self) -> int:
        """How many bytes of large values one run may keep in memory now."""
        return max(LEAST_ROOM, RESIDENT // max(1, len(self.live)))

    # ---- runs

    async def start(self, start: Start, *, history: History | None = None) -> LiveRun:
        """Start a run, or give the one that has this id already.

        Raises NotStorable for a trigger that cannot be kept.
        """
        known = self.live.get(start.run_id)
        if known is not None:
            return known
        plan = await self.library.plan(start.flow_id, start.version)
        digest = await self.library.digest(start.flow_id, start.version)
        return self.begin(start, plan, digest, history=history)

    def begin(self, start: Start, plan: Plan, digest: bytes, *, history: History | None = None) -> LiveRun:
        """As `start`, in one go: the run's first page is in the same commit as whatever is queued with it."""
        known = self.live.get(start.run_id)
        if known is not None:
            return known
        limit = concurrency_of(plan)
        held = self.admission.holds(start.flow_id, limit)
        record = event.start(start.at, start.trigger, {**start.pins, "held": True} if held else start.pins)
        ensure_storable(list(record))
        parent = self.live.get(start.parent) if start.parent is not None else None
        runlog = self.vault.create_run(
            start.run_id,
            start.flow_id,
            start.version,
            start.at // 10_000,
            {"flow": start.flow},
            status=WAITING if held else RUNNING,
            parent=start.parent,
            parent_domain=parent.log.domain if parent is not None else None,
            definition_digest=digest,
        )
        simulation = _simulation(start.pins)
        state = State(plan, history)
        run = LiveRun(self, plan, state, runlog, start.flow, simulation, started=start.at, held=held)
        self._adopt(run)
        self.admission.enter(start.flow_id, run, limit)
        run.feed(record)
        return run

    async def resume(self, run_id: bytes, *, history: History | None = None) -> LiveRun | None:
        """Bring an unfinished run back: fold its records, repeat what was under way. None when it had ended.

        Who comes first brings it back, with his `history`; the others get the same run. Raises NotFound, and storage
        errors where the history does not verify.
        """
        while (under_way := self._resuming.get(run_id)) is not None:
            await under_way.wait()
        known = self.live.get(run_id)
        if known is not None:
            return known
        self._resuming[run_id] = resumed = asyncio.Event()
        try:
            return await self._resume(run_id, history)
        finally:
            del self._resuming[run_id]
            resumed.set()

    async def _resume(self, run_id: bytes, history: History | None) -> LiveRun | None:
        try:
            info = await self.vault.run(run_id)
        except RecordNotFound:
            raise NotFound(
                f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs."
            ) from None
        if info.ended_ms is not None:
            return None
        plan = await self.library.plan(info.flow_id, info.version, info.definition_digest)
        runlog = await self.vault.open_run(run_id)
        known = self.live.get(run_id)
        if known is not None:
            return known
        snapshot = await runlog.load_snapshot() if history is None else None
        state = restore(plan, snapshot[1]) if snapshot is not None else None
        if state is None:
            state = State(plan, history)
        elif state.need:
            supply(state, await load(runlog, state.need))
        calls: dict[str, int] = {}
        async for page in self.vault.read_run(run_id, after_seq=state.seq):
            for number, stored in enumerate(page.records, page.seq - 1):
                record = from_stored(stored)
                if number < state.seq:
                    continue
                if record[1] == event.RESULT:
                    key = plan.nodes[record[2]].key
                    calls[key] = calls.get(key, 0) + 1
                apply(plan, state, record)
            if state.resident > self.room:
                relieve(state, self.room // 2)
        if state.seq == 0:
            raise SealflowError(f"The run {run_name(run_id)} has no start record.", code="RunNotStarted")
        if state.revision not in REVISIONS:
            raise SealflowError(
                f"The run {run_name(run_id)} was started under another revision of the semantics.",
                code="RevisionMismatch",
                hint="Resume it with the release that started it.",
            )
        known = self.live.get(run_id)
        if known is not None:
            return known
        limit = concurrency_of(plan)
        held = is_held(state) and self.admission.holds(info.flow_id, limit)
        flow, simulation = str(info.summary.get("flow", "")), _simulation(state.pins)
        run = LiveRun(self, plan, state, runlog, flow, simulation, started=state.started, held=held)
        self._adopt(run)
        self.admission.enter(info.flow_id, run, limit)
        run.recover(pending(state), needs_tick(state) and not held, calls)
        return run

    def _adopt(self, run: LiveRun) -> None:
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

    async def resume_all(self) -> list[LiveRun]:
        """Every unfinished run of the environment, oldest first; what cannot be resumed is logged and left alone."""
        resumed = []
        for run_id in await self.vault.unfinished():
            try:
                run = await self.resume(run_id)
            except Exception as error:
                log.warning("run %s cannot be resumed: %s", run_name(run_id), type(error).__name__)
                continue
            if run is not None:
                resumed.append(run)
        return resumed

    async def cancel(self, run_id: bytes, reason: str) -> bool:
        """End a run as Cancelled; False when it had ended."""
        run = await self.resume(run_id)
        if run is None:
            return False
        run.feed(event.stop(run.now(), CANCELLED, "Cancelled", reason))
        return True

    async def call_back(self, address: Address, answer: Answer) -> Delivery:
        """Give a callback to the run that waits for it, which is brought back for that: 200, 404 or 410.

        When this returns, the callback's record is queued. Raises the failure of a run that cannot go on.
        """
        try:
            run = await self.resume(address.run_id)
        except NotFound:
            return Delivery(UNKNOWN)
        if run is not None:
            await run.settled()
            entry = find(run.state, address.token) if run.state.end is None else None
            if entry is not None:
                run.call_back(entry, answer)
                await run.settled()
                if run.failure is not None:
                    raise run.failure
                return Delivery(RECORDED, run.id, run.plan.path(entry.node, entry.frame.it))
            await self.vault.flush()  # what is stored tells of everything that was waited for
        found = await look_up(self.vault, self.library, address)
        return Delivery(GONE, found.run, found.path) if found.accepted else found

    async def take_answer(self, run_id: bytes, value: Any) -> None:
        """Give an answer that was kept to the run that made the call. When this returns, its record is queued.

        Raises NotFound, and the failure of a run that cannot go on.
        """
        run = await self.resume(run_id)
        if run is not None:
            await run.settled()
            run.take_answer(value)
            await run.settled()
            if run.failure is not None:
                raise run.failure

    def part(self, command: Invoke) -> None:
        """Make the unsubscribe request of a run that is over: once, and nobody waits for what comes of it."""
        task = asyncio.get_running_loop().create_task(self.performer.perform(command))
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    def forget(self, run: LiveRun) -> None:
        """The run has ended, or its store is gone."""
        self.live.pop(run.log.run_id, None)
        self.admission.leave(run)
        if run.failure is not None:
            self._broken.add(run.log.run_id)
        if self.ended is not None:
            self.ended(run)

    # ---- requests of other processes

    def watch_inbox(self) -> None:
        """Look into the inbox from now on, until `close`."""
        if self._inbox_task is None:
            self._inbox_task = asyncio.get_running_loop().create_task(self._watch_inbox())

    async def _watch_inbox(self) -> None:
        while True:
            try:
                self.expire()
                await self.upkeep.look()
                await self.take_inbox()
            except Exception as error:
                log.warning("the inbox could not be read: %s", type(error).__name__)
            await asyncio.sleep(INBOX_PERIOD)

    async def take_inbox(self) -> int:
        """Carry out what other processes asked for, and what came while the environment was locked; returns how many
        requests there were.
        """
        taken = await drain(self)
        while items := await self.vault.inbox():
            await self._take(items)
            taken += len(items)
        return taken

    async def _take(self, items: list[InboxItem]) -> None:
        for item in items:
            try:
                if item.kind == START:
                    start = Start.from_json(item.value)
                    if not await self.vault.run_exists(start.run_id):
                        await self.start(start)
                elif item.kind == CANCEL and item.run_id is not None:
                    await self.cancel(item.run_id, str(item.value))
                elif item.kind == RESUME and item.run_id is not None:
                    await self.resume(item.run_id)
                elif item.kind == DEPLOYED:
                    await self.deployed(item.value)
                elif item.kind == SWITCH:
                    await self.triggers.switch(item.value["flow"], item.value["enabled"])
                elif item.kind == MIGRATE:
                    self.key_work.begin()
                elif item.kind == CALLBACK and item.run_id is not None:
                    address = Address(item.run_id, str(item.value["token"]))
                    await self.call_back(address, Answer(*item.value["answer"]))
            except Exception as error:
                log.warning("a request for run %s failed: %s", _named(item.run_id), type(error).__name__)
            # Consumed in the same commit that holds what it led to.
            self.vault.consume(item.id)
        await self.vault.flush()

    async def watch_triggers(self) -> None:
        """Fire triggers from now on, until `close`."""
        if self.scheduler is None:
            self.scheduler = Scheduler(self)
            await self.scheduler.start()

    async def fire_due(self) -> None:
        """Fire once what is due now. Raises SealflowError while triggers are watched."""
        if self.scheduler is not None:
            raise SealflowError("The triggers of this environment are watched already.", code="TriggersWatched")
        await self.take_inbox()
        scheduler = Scheduler(self)
        try:
            await scheduler.once()
        finally:
            await scheduler.close()

    async def deployed(self, flow_id: bytes) -> None:
        """A flow has a new version: where triggers are watched, its own is registered anew."""
        if self.scheduler is not None:
            await self.triggers.register(flow_id)

    def interrupt(self, error: Exception) -> set[bytes]:
        """Stop every run at once, and tell whoever waits for it why; the runs that have not ended here."""
        runs = list(self.live.values())
        self.live.clear()
        for run in runs:
            self._ending += run.interrupt(error)
        return {run.log.run_id for run in runs} | self._broken

    async def close(self, patience: float = PARTING_PATIENCE) -> None:
        """Stop driving. Runs in flight stay resumable; their calls are given up.

        `patience`: seconds that calls which are given up, of triggers too, and unsubscribe requests may still take.
        """
        if self.scheduler is not None:
            await self.scheduler.close(patience)
            self.scheduler = None
        if self._inbox_task is not None:
            self._inbox_task.cancel()
            await asyncio.gather(self._inbox_task, return_exceptions=True)
            self._inbox_task = None
        await self.key_work.close()
        self.interrupt(
            SealflowError(
                "The engine was closed while the run was going on.",
                code="EngineClosed",
                hint="Open the engine again; the run goes on where it stood.",
            )
        )
        if self._ending:
            await asyncio.wait(self._ending, timeout=max(patience, LEAST_PATIENCE))
            self._ending.clear()
        if self._partings:
            await asyncio.wait(self._partings, timeout=patience)
            for task in self._partings:
                task.cancel()


def _simulation(pins: dict[str, Any]) -> Simulation | None:
    """A run that was started as a simulation stays one."""
    given = pins.get("simulate")
    return Simulation.from_json(given) if given is not None else None


def _named(run_id: bytes | None) -> str:
    return run_name(run_id) if run_id is not None else "-"
