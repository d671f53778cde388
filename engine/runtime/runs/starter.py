"""How a run starts: its first page is in the same commit as whatever is queued with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....storage import ValueTooLarge, pack_record
from ...kernel import History, Plan
from ...kernel.cloud.triggers.trigger import concurrency_of
from ...kernel.contract import records as event
from ...kernel.contract.status import RUNNING, WAITING
from ...kernel.machines import machine_of
from ..calls.simulation import simulation_of
from .large_writes import prepared
from .live_run import LiveRun

if TYPE_CHECKING:
    from ....storage.stores.runs.runs import Prepared
    from ..flows.start import Start
    from .protocols import StarterHost


class Starter:
    """Starts the runs of one worker."""

    def __init__(self, host: StarterHost) -> None:
        self._host = host

    async def start(self, start: Start, *, history: History | None = None) -> LiveRun:
        """Start a run, or give the one that has this id already.

        Raises NotStorable for a trigger that cannot be kept.
        """
        host = self._host
        known = host.live.get(start.run_id)
        if known is not None:
            return known
        plan = await host.library.plan(start.flow_id, start.version)
        digest = await host.library.digest(start.flow_id, start.version)
        await host.recovery.gather(start.flow_id, plan)
        ready = await prepared(host, start, plan)
        return self.begin(start, plan, digest, history=history, ready=ready)

    def begin(
        self,
        start: Start,
        plan: Plan,
        digest: bytes,
        *,
        history: History | None = None,
        ready: Prepared | None = None,
    ) -> LiveRun:
        """As `start`, in one go: the run's first page is in the same commit as whatever is queued with it. `ready`:
        what is large of the trigger is stored already.
        """
        host = self._host
        known = host.live.get(start.run_id)
        if known is not None:
            return known
        limit = concurrency_of(plan)
        held = host.admission.holds(start.flow_id, limit)
        record = event.start(start.at, start.trigger, {**start.pins, "held": True} if held else start.pins)
        packed = pack_record(record)  # before anything is made: what cannot be stored starts nothing
        if len(packed) > host.vault.max_value_bytes and ready is None:
            most = host.vault.max_value_bytes
            raise ValueTooLarge(f"What starts the run is larger than {most:,} bytes, which is what one value may have.")
        parent = host.live.get(start.parent) if start.parent is not None else None
        runlog = host.vault.create_run(
            start.run_id,
            start.flow_id,
            start.version,
            start.at // 10_000,
            {"flow": start.flow},
            status=WAITING if held else RUNNING,
            parent=start.parent,
            parent_domain=parent.log.domain if parent is not None else None,
            definition_digest=digest,
            prepared=ready,
        )
        simulation = simulation_of(start.pins)
        state = machine_of(plan).state(plan, history)
        run = LiveRun(host, plan, state, runlog, start.flow, simulation, started=start.at, held=held)
        run.parent = start.parent
        if ready is not None and runlog.names_values:
            run.light = (*record[:3], ready.value, *record[4:])
        host.queue.adopted(start.run_id, start.pins)
        if run.machine.kind == "desktop":
            from . import desktop_limits as desktop_limits

            desktop_limits.apply(run, start.pins)
        host.adopt(run)
        host.admission.enter(start.flow_id, run, limit)
        run.feed(record, packed)
        return run
