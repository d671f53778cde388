"""What one run waits for by time: delays, pauses before another attempt, limits. Each becomes an event when it is due.

A run waits for the executor's clock, in tasks. A simulation has a time of its own, which only moves by its delays: to
the next sleeper when there is nothing else left to do.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Container
from typing import TYPE_CHECKING

from ...kernel import Expire, Listen, Record, Sleep, State, listens
from ...kernel.cloud.state import CALLING, SUBSCRIBED
from ...kernel.contract import records as event
from ..calls.outgoing import ActionKey
from .tasks import RunTasks

if TYPE_CHECKING:
    from .live_run import LiveRun


def due_of(state: State, far: Container[ActionKey], expires: int) -> int:
    """Before when nothing but an event from outside moves a run on (ticks): a time that has passed where it is busy.

    `far` are calls that somebody else answers.
    """
    due = expires
    for key, entry in state.open.items():
        if entry.phase == CALLING and key not in far:
            return 0
        if entry.phase not in (SUBSCRIBED, CALLING):
            due = min(due, entry.due or 0)
        if entry.deadline is not None:
            due = min(due, entry.deadline)
    return min([due, *(limit.due for limit in state.limits.values())])


class Timers:
    """The timers of one run; `tasks` are where it finds them by the action they are for.

    They do not hold the run, so that one which has ended need not wait for the garbage collector.
    """

    def __init__(self, tasks: RunTasks) -> None:
        self._tasks = tasks
        # Containers whose limit has a timer among the tasks.
        self.lapsing: set[ActionKey] = set()
        # Of a simulation: who sleeps until when.
        self._sleepers: list[tuple[int, int, Record]] = []
        self._slept = 0

    def sleep(self, run: LiveRun, command: Sleep) -> None:
        """Wake an action when it is due, or when its limit lapses before that."""
        node, it, attempt = command.node.index, command.it, command.attempt
        entry = run.state.open.get((node, it))
        deadline = entry.deadline if entry is not None else None
        if deadline is not None and deadline < command.due:
            self._set(run, (node, it), deadline, event.deadline(node, it, attempt, deadline))
        else:
            self._set(run, (node, it), command.due, event.timer(node, it, attempt, command.due))

    def listen(self, run: LiveRun, command: Listen) -> None:
        """End the wait for a callback when the action's limit lapses."""
        if command.deadline is not None:
            key = (command.node.index, command.it)
            lapse = event.deadline(*key, command.attempt, command.deadline)
            self._tasks.spawn(self._lapse(run, lapse, command.deadline), key)

    def expire(self, run: LiveRun, command: Expire) -> None:
        """End a container when its limit lapses."""
        key = (command.node.index, command.it)
        if key not in run.state.limits:
            return  # ended while its page was written
        if run.simulation is None:
            self.lapsing.add(key)
        self._set(run, key, command.due, event.deadline(*key, command.attempt, command.due))

    def drop_limits(self, run: LiveRun) -> None:
        """Containers that have ended leave no timer."""
        if self.lapsing:
            limits = run.state.limits
            for key in [key for key in self.lapsing if key not in limits]:
                self.lapsing.discard(key)
                self._tasks.give_up(key)

    def _set(self, run: LiveRun, key: ActionKey, due: int, wake: Record) -> None:
        if run.simulation is not None:
            self.sleep_virtually(due, wake)
        else:
            self._tasks.spawn(self._wake(run, wake, due), key)

    async def _wake(self, run: LiveRun, wake: Record, due: int) -> None:
        await run.executor.clock.sleep_until(due)
        run.feed((*wake[:5], max(wake[5], run.now())))

    async def _lapse(self, run: LiveRun, lapse: Record, due: int) -> None:
        """As `_wake`, unless a callback was accepted before: in the inbox, by any process."""
        await run.executor.clock.sleep_until(due)
        entry = run.state.open.get((lapse[2], lapse[3]))
        if entry is None or not listens(entry) or await run.executor.callbacks.close(run, entry):
            run.feed((*lapse[:5], max(lapse[5], run.now())))

    # ---- a simulation's

    def sleep_virtually(self, due: int, wake: Record) -> None:
        """Feed this event when the simulation's time has come so far."""
        self._slept += 1
        heapq.heappush(self._sleepers, (due, self._slept, wake))

    def advance_soon(self, run: LiveRun) -> None:
        """Let the time move on, if nothing else is left to do."""
        if self._sleepers:
            asyncio.get_running_loop().call_soon(self._advance, run)

    def _advance(self, run: LiveRun) -> None:
        seq, busy = run.state.seq, run.busy
        # A sleeper that is over, since a limit around it has lapsed or its container has ended, moves nothing.
        while self._sleepers and not busy and run.failure is None and run.state.seq == seq:
            due, _, wake = heapq.heappop(self._sleepers)
            run.feed(wake if wake[1] == event.STOP else (*wake[:5], max(due, run.now())))
