"""How many runs of a flow go on at once, where its trigger limits that: the others are held until one ends.

A held run is stored with its start record, and nothing of it is decided. Held runs begin in the order of their start,
also after a restart. Runs that were called by another flow count like any other.

Source: Logic Apps, "Schema reference for trigger and action types": change trigger concurrency, change waiting runs
limit, trigger instances one after the other (SingleInstance).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...kernel.cloud.triggers.trigger import Concurrency

if TYPE_CHECKING:
    from .live_run import LiveRun


@dataclass(slots=True)
class _Flow:
    going_on: set[bytes] = field(default_factory=set)
    held: deque[LiveRun] = field(default_factory=deque)
    most: int | None = None


class Admission:
    """Counts the runs of each flow that this process drives. `left` is called with the flow of every run that ends."""

    def __init__(self) -> None:
        self._flows: dict[bytes, _Flow] = {}
        self._flow_of: dict[bytes, bytes] = {}
        self.left: Callable[[bytes], None] | None = None

    def idle(self, flow_id: bytes) -> bool:
        """Whether no run of the flow goes on or is held."""
        return flow_id not in self._flows

    def holds(self, flow_id: bytes, limit: Concurrency | None) -> bool:
        """Whether the flow's next run has to be held."""
        flow = self._flows.get(flow_id)
        return limit is not None and flow is not None and (bool(flow.held) or len(flow.going_on) >= limit.runs)

    def full(self, flow_id: bytes, limit: Concurrency | None) -> bool:
        """Whether as many runs are held as may be, so that the trigger must not fire."""
        flow = self._flows.get(flow_id)
        return self.holds(flow_id, limit) and flow is not None and limit is not None and len(flow.held) >= limit.waiting

    def enter(self, flow_id: bytes, run: LiveRun, limit: Concurrency | None) -> None:
        """A run begins, or is held."""
        flow = self._flows.setdefault(flow_id, _Flow())
        flow.most = limit.runs if limit is not None else None
        self._flow_of[run.log.run_id] = flow_id
        if run.held:
            flow.held.append(run)
        else:
            flow.going_on.add(run.log.run_id)

    def sleep(self, run: LiveRun, *, known: bool) -> None:
        """A run leaves memory and has not ended; it counts on where all of its flow's runs are `known`."""
        if not known:
            self._flow_of.pop(run.log.run_id, None)
            flow = self._flows.get(run.log.flow_id)
            if flow is not None:
                flow.going_on.discard(run.log.run_id)
                if not flow.going_on and not flow.held:
                    del self._flows[run.log.flow_id]

    def leave(self, run: LiveRun) -> None:
        """A run has ended or cannot go on here: the one that waits longest begins."""
        flow_id = self._flow_of.pop(run.log.run_id, None)
        if flow_id is None:
            return
        flow = self._flows[flow_id]
        flow.going_on.discard(run.log.run_id)
        if run in flow.held:
            flow.held.remove(run)
        self._begin(flow)
        if not flow.going_on and not flow.held:
            del self._flows[flow_id]
        if self.left is not None:
            self.left(flow_id)

    def _begin(self, flow: _Flow) -> None:
        while flow.held and (flow.most is None or len(flow.going_on) < flow.most):
            run = flow.held.popleft()
            flow.going_on.add(run.log.run_id)
            run.begin()
