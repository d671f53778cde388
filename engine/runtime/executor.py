"""The executor of one environment: the one process that drives its runs (on SQLite exactly one, held by an OS lock).

It starts runs, brings unfinished ones back by folding their records, and takes in the requests of other processes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from ...storage import InboxItem, RecordNotFound, Vault, ensure_storable
from ..errors import NotFound, SealflowError
from ..kernel import REVISION, History, State, apply, from_stored, needs_tick, pending, restore
from ..kernel import records as event
from ..kernel.status import CANCELLED
from .children import Children
from .clock import Clock
from .library import Library
from .live import LiveRun
from .perform import Performer
from .requests import CANCEL, RESUME, START
from .simulate import Simulation
from .start import Start, run_name

log = logging.getLogger("sealflow")

INBOX_PERIOD: Final = 0.2
"""Seconds between two looks at the inbox: of the machine's time, since other processes live in it."""


class Executor:
    """Drives the runs of one vault. Its holder must own the environment's executor lock."""

    def __init__(self, vault: Vault, library: Library, clock: Clock, performer: Performer) -> None:
        self.vault = vault
        self.library = library
        self.clock = clock
        self.performer = performer
        self.children = Children(self)
        self.live: dict[bytes, LiveRun] = {}
        self._inbox_task: asyncio.Task[None] | None = None

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
        known = self.live.get(start.run_id)
        if known is not None:
            return known
        record = event.start(start.at, start.trigger, start.pins)
        ensure_storable(list(record))
        runlog = self.vault.create_run(
            start.run_id,
            start.flow_id,
            start.version,
            start.at // 10_000,
            {"flow": start.flow},
            parent=start.parent,
            definition_digest=digest,
        )
        run = LiveRun(self, plan, State(plan, history), runlog, start.flow, _simulation(start.pins))
        self.live[start.run_id] = run
        run.feed(record)
        return run

    async def resume(self, run_id: bytes, *, history: History | None = None) -> LiveRun | None:
        """Bring an unfinished run back: fold its records, repeat what was under way. None when it had ended.

        Raises NotFound, and storage errors where the history does not verify.
        """
        known = self.live.get(run_id)
        if known is not None:
            return known
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
        if state.seq == 0:
            raise SealflowError(f"The run {run_name(run_id)} has no start record.", code="RunNotStarted")
        if state.pins.get("revision") != REVISION:
            raise SealflowError(
                f"The run {run_name(run_id)} was started under another revision of the semantics.",
                code="RevisionMismatch",
                hint="Resume it with the release that started it.",
            )
        known = self.live.get(run_id)
        if known is not None:
            return known
        run = LiveRun(self, plan, state, runlog, str(info.summary.get("flow", "")), _simulation(state.pins))
        self.live[run_id] = run
        run.recover(pending(state), needs_tick(state), calls)
        return run

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

    def forget(self, run: LiveRun) -> None:
        """The run has ended, or its store is gone."""
        self.live.pop(run.log.run_id, None)

    # ---- requests of other processes

    def watch_inbox(self) -> None:
        """Look into the inbox from now on, until `close`."""
        if self._inbox_task is None:
            self._inbox_task = asyncio.get_running_loop().create_task(self._watch_inbox())

    async def _watch_inbox(self) -> None:
        while True:
            try:
                await self.take_inbox()
            except Exception as error:
                log.warning("the inbox could not be read: %s", type(error).__name__)
            await asyncio.sleep(INBOX_PERIOD)

    async def take_inbox(self) -> int:
        """Carry out what other processes asked for; returns how many requests there were."""
        taken = 0
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
            except Exception as error:
                log.warning("a request for run %s failed: %s", _named(item.run_id), type(error).__name__)
            # Consumed in the same commit that holds what it led to.
            self.vault.consume(item.id)
        await self.vault.flush()

    async def close(self) -> None:
        """Stop driving. Runs in flight stay resumable; their calls are given up."""
        if self._inbox_task is not None:
            self._inbox_task.cancel()
            await asyncio.gather(self._inbox_task, return_exceptions=True)
            self._inbox_task = None
        runs = list(self.live.values())
        self.live.clear()
        await asyncio.gather(*(run.abandon() for run in runs))


def _simulation(pins: dict[str, Any]) -> Simulation | None:
    """A run that was started as a simulation stays one."""
    given = pins.get("simulate")
    return Simulation.from_json(given) if given is not None else None


def _named(run_id: bytes | None) -> str:
    return run_name(run_id) if run_id is not None else "-"
