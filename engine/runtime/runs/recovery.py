"""How an unfinished run is brought back: its records are folded, what was under way is done again.

Of a flow whose trigger limits its runs, all come back before another one begins: `admission` has to know of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ....storage import IntegrityError, RecordNotFound, RunInfo, RunNotOwned
from ...errors import NotFound, SealflowError
from ...kernel import History, Plan
from ...kernel.cloud.triggers.trigger import concurrency_of
from ...kernel.machines import machine_of
from ..calls.simulation import simulation_of
from ..flows.start import is_led, run_name
from ..history.external_payloads import folding_pages
from ..history.queue_context import queue_of
from ..history.reading import is_held, load, row_put_back
from ..history.state_loading import Refolding
from .claims import RunElsewhereError, elsewhere
from .live_run import LiveRun

if TYPE_CHECKING:
    from .protocols import RecoveryHost

_PAUSE: Final = 0.2
"""Seconds between two looks whether another worker has given a run back."""


class Reviving:
    """Brings the runs of one worker back."""

    def __init__(self, host: RecoveryHost) -> None:
        self._host = host
        self._resuming: dict[bytes, asyncio.Event] = {}
        # Flows whose runs limit each other, and of which all that have not ended are known to `admission`.
        self._gathered: dict[bytes, asyncio.Task[None]] = {}

    def knows(self, flow_id: bytes) -> bool:
        """Whether all unfinished runs of a flow were brought back, or are about to be, since they limit each other."""
        return flow_id in self._gathered

    async def close(self) -> None:
        """Bring nothing more back."""
        for task in self._gathered.values():
            task.cancel()
        await asyncio.gather(*self._gathered.values(), return_exceptions=True)

    async def resume(self, run_id: bytes, history: History | None, *, ending: bool = False) -> LiveRun | None:
        """Bring an unfinished run into memory, with this `history`; None where it has ended."""
        host = self._host
        known = host.live.get(run_id)
        if known is not None:
            return known
        try:
            info = await host.vault.run(run_id)
        except RecordNotFound:
            raise NotFound(
                f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs."
            ) from None
        if info.ended_ms is not None:
            return None
        if not ending and not await host.queue.may_serve(run_id):
            raise elsewhere(run_id)
        plan = await host.library.plan(info.flow_id, info.version, info.definition_digest)
        if is_led(plan) and history is None:
            await self.gather(info.flow_id, plan)
        return await self._resume_once(info, plan, history, ending=ending)

    async def _resume_once(
        self, info: RunInfo, plan: Plan, history: History | None, *, ending: bool = False
    ) -> LiveRun | None:
        host = self._host
        run_id = info.run_id
        while (under_way := self._resuming.get(run_id)) is not None:
            await under_way.wait()
        known = host.live.get(run_id)
        if known is not None:
            return known
        self._resuming[run_id] = resumed = asyncio.Event()
        try:
            return await self._resume(info, plan, history, ending)
        finally:
            del self._resuming[run_id]
            resumed.set()

    async def gather(self, flow_id: bytes, plan: Plan) -> None:
        """Bring all unfinished runs of a flow back whose runs limit each other, once, the oldest first: so `admission`
        knows of all of them before another one begins. Raises RunElsewhereError where this worker does not lead.
        """
        if not is_led(plan) or not self._host.vault.workers.leads:
            return
        task = self._gathered.get(flow_id)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._gathered[flow_id] = asyncio.get_running_loop().create_task(self._gather(flow_id))
        await asyncio.shield(task)

    async def _gather(self, flow_id: bytes) -> None:
        host = self._host
        for run_id in await host.vault.workers.unfinished_of(flow_id):
            info = await host.vault.run(run_id)
            plan = await host.library.plan(info.flow_id, info.version, info.definition_digest)
            while info.ended_ms is None:
                try:
                    await self._resume_once(info, plan, None)
                    break
                except RunElsewhereError:
                    if not is_led(plan):
                        break  # it was started before the limit came, and counts where it goes on
                    await asyncio.sleep(_PAUSE)  # a worker that gives it back, or ends
                    info = await host.vault.run(run_id)

    async def _resume(self, info: RunInfo, plan: Plan, history: History | None, ending: bool) -> LiveRun | None:
        host = self._host
        run_id = info.run_id
        epoch = await host.claims.own(run_id)
        if is_led(plan) and not host.vault.workers.leads:
            raise await host.claims.leave(run_id, info.flow_id)
        try:
            return await self._fold(info, plan, history, ending, epoch)
        except RunNotOwned:
            raise elsewhere(run_id) from None
        except IntegrityError:  # what is read while another worker writes it fits nothing: that is no tampering
            if await host.vault.workers.owns(run_id, epoch):
                raise
            raise elsewhere(run_id) from None

    async def _fold(
        self, info: RunInfo, plan: Plan, history: History | None, ending: bool, epoch: int
    ) -> LiveRun | None:
        host, run_id = self._host, info.run_id
        # Waking a run costs its snapshot, not its history, and that is read once; twice where somebody is told of it.
        made = Refolding(plan, host.room)
        folding = made if history is None else None
        runlog = await host.vault.open_run(run_id, from_snapshot=history is None, folding=folding, epoch=epoch)
        if runlog.ended:
            return None
        await host.vault.sweep_values(run_id=run_id)  # what a call had brought that was cut off by a crash
        machine = machine_of(plan)
        if history is not None:
            made.state = machine.state(plan, history)
        elif made.waits:
            machine.supply(made.state, await load(runlog, made.state.need))
        state = made.state
        if state.seq + 1 < runlog.seq:  # it counts from 1
            async for page in folding_pages(host.vault, plan, run_id, after_seq=state.seq):
                made.apply(page)
        state.response = await runlog.whole(state.response)
        if state.seq == 0:
            raise SealflowError(f"The run {run_name(run_id)} has no start record.", code="RunNotStarted")
        if state.revision not in machine.revisions:
            raise SealflowError(
                f"The run {run_name(run_id)} was started under another revision of the semantics.",
                code="RevisionMismatch",
                hint="Resume it with the release that started it.",
            )
        here, late = host.queue.serves(queue_of(state.pins)), host.queue.late(state, host.clock.now())
        if not here and late is None and not (ending and is_held(state)):
            await host.queue.put_back(run_id, state.pins, begun=not is_held(state))
            raise elsewhere(run_id)
        if state.end is not None:
            raise row_put_back(run_id)
        orphan = await host.desktop_calls.is_orphan(info.parent, state)
        known = host.live.get(run_id)
        if known is not None:
            return known
        limit = concurrency_of(plan)
        held = is_held(state) and host.admission.holds(info.flow_id, limit)
        flow, simulation = str(info.summary.get("flow", "")), simulation_of(state.pins)
        run = LiveRun(host, plan, state, runlog, flow, simulation, started=state.started, held=held, status=info.status)
        run.parent = info.parent
        if machine.kind == "desktop":
            from . import desktop_limits as desktop_limits

            desktop_limits.apply(run, state.pins)
        host.adopt(run)
        host.admission.enter(info.flow_id, run, limit)
        if late is not None:
            run.feed(late)
        elif here:
            run.recover(machine.pending(state), machine.needs_tick(state) and not held, made.calls)
        if orphan:
            host.desktop_calls.end_orphan(run)
        return run
