"""One run in flight: feeds events to the kernel, queues its records, and acts when they are durable.

The order is always the same - decide, write, act: a command leaves here only from the callback of the commit that
holds its page. Nothing is decided here; what a flow means is the kernel's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from ...storage import RunLog
from ..kernel import (
    Command,
    Invoke,
    Plan,
    Record,
    Respond,
    Sleep,
    State,
    decide,
    dump,
    needs_tick,
    supply,
)
from ..kernel import records as event
from ..kernel.status import RUNNING, WAITING
from .perform import Answer
from .simulate import Simulation
from .start import run_name

if TYPE_CHECKING:
    from .executor import Executor

UNCOMMITTED: Final = 1 << 20
"""Bytes that a run's ticks may run ahead of its commits."""

LONG_SLEEP: Final = 30 * 10_000_000
"""Ticks from which a sleeping run is marked as waiting and leaves a snapshot."""


class LiveRun:
    """A run that this process drives. Made by the executor; `ended` is set when its last page is durable."""

    def __init__(
        self, executor: Executor, plan: Plan, state: State, log: RunLog, flow: str, simulation: Simulation | None
    ) -> None:
        self.executor = executor
        self.plan = plan
        self.state = state
        self.log = log
        self.flow = flow
        self.simulation = simulation
        self.ended = asyncio.Event()
        self.responded = asyncio.Event()
        self.failure: Exception | None = None
        self._status = RUNNING
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: deque[Record] = deque()
        self._loading = False
        self._ticking = False
        self._calls: dict[str, int] = {}
        log.on_error = self._broken

    @property
    def id(self) -> str:
        return run_name(self.log.run_id)

    # ---- decide, write

    def feed(self, record: Record) -> None:
        """Take an event in. Held back while a value is being loaded; ignored when the run has ended or is broken."""
        if self.failure is not None or (self.state.end is not None):
            return
        if self._loading:
            self._held.append(record)
            return
        records, commands = decide(self.plan, self.state, record)
        if records:
            self._write(records, commands)
        if self.state.need:
            self._loading = True
            self.spawn(self._load())

    def _write(self, records: list[Record], commands: list[Command]) -> None:
        state = self.state
        end = state.end
        status: int | None = None
        summary: Any = None
        ended_ms: int | None = None
        if end is not None:
            status, ended_ms = end.status, state.now // 10_000
            summary = {"flow": self.flow, "code": end.code, "error": end.error}
        elif self._status == WAITING:
            status = RUNNING
        if status is not None:
            self._status = status
        self.log.append(
            records,
            status=status,
            ended_ms=ended_ms,
            summary=summary,
            head=end is not None,
            on_durable=(lambda: self._durable(commands)) if commands or end is not None or state.ready else None,
        )
        if needs_tick(state) and self.executor.vault.pending_bytes < UNCOMMITTED:
            self._tick_soon()

    def _tick_soon(self) -> None:
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._ticking = False
        if needs_tick(self.state):
            self.feed(event.tick(self.now()))

    def now(self) -> int:
        """The time of the next event: never before the last one; a simulation's time only moves by its delays."""
        if self.simulation is not None:
            return self.state.now
        return max(self.executor.clock.now(), self.state.now)

    async def _load(self) -> None:
        """Read the values that the kernel asked for, then go on where it stopped."""
        values = {}
        for large in list(self.state.need):
            values[large.seq] = await stored_value(self.executor, self.log.run_id, large.seq)
        supply(self.state, values)
        self._loading = False
        records, commands = decide(self.plan, self.state, event.resume())
        if records:
            self._write(records, commands)
        if self.state.need:
            self._loading = True
            self.spawn(self._load())
            return
        while self._held and not self._loading:
            self.feed(self._held.popleft())

    def _broken(self, error: Exception) -> None:
        """The store refused a commit: nothing after it may happen. The run stays resumable from what is durable."""
        self.failure = error
        self._give_up_tasks()
        self.executor.forget(self)
        self.responded.set()
        self.ended.set()

    # ---- act

    def _durable(self, commands: list[Command]) -> None:
        if self.failure is not None:
            return
        for command in commands:
            self.act(command)
        if self.state.end is not None:
            self._finished()
        elif needs_tick(self.state):
            self._tick_soon()
        else:
            self._maybe_sleep()

    def act(self, command: Command) -> None:
        """Carry out a command whose page is durable."""
        if isinstance(command, Respond):
            self.responded.set()
        elif isinstance(command, Sleep):
            self._sleep(command)
        elif isinstance(command, Invoke):
            self.spawn(self._invoke(command))

    def _sleep(self, command: Sleep) -> None:
        node, it, attempt = command.node.index, command.it, command.attempt
        entry = self.state.open.get((node, it))
        deadline = entry.deadline if entry is not None else None
        if deadline is not None and deadline < command.due:
            wake, at = event.deadline(node, it, attempt, deadline), deadline
        else:
            wake, at = event.timer(node, it, attempt, command.due), command.due
        if self.simulation is not None:
            asyncio.get_running_loop().call_soon(self.feed, wake)
        else:
            self.spawn(self._wake(wake, at))

    async def _wake(self, wake: Record, due: int) -> None:
        await self.executor.clock.sleep_until(due)
        self.feed((*wake[:5], max(wake[5], self.now())))

    async def _invoke(self, command: Invoke) -> None:
        node, it, attempt = command.node.index, command.it, command.attempt
        if command.deadline is None or self.simulation is not None:
            answer: Answer | None = await self._answer(command)
        else:
            answer = await self._answer_before(command, command.deadline)
        if answer is None:
            self.feed(event.deadline(node, it, attempt, self.now()))
        else:
            self.feed(event.result(node, it, attempt, self.now(), *answer))

    async def _answer_before(self, command: Invoke, deadline: int) -> Answer | None:
        """The answer, or None when the deadline comes first; then the call is given up."""
        answer = asyncio.ensure_future(self._answer(command))
        lapse = asyncio.ensure_future(self.executor.clock.sleep_until(deadline))
        try:
            await asyncio.wait({answer, lapse}, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            lapse.cancel()
            answer.cancel()

    async def _answer(self, command: Invoke) -> Answer:
        if command.operation.kind == "workflow" and not (self.simulation and self.simulation.covers(command)):
            answer = await self.executor.children.call(self, command)
            if answer is not None:
                return answer
        if self.simulation is not None:
            key = command.node.key
            earlier = self._calls.get(key, 0)
            self._calls[key] = earlier + 1
            return self.simulation.answer(command, earlier)
        return await self.executor.performer.perform(command)

    def _maybe_sleep(self) -> None:
        """When nothing but time or a message moves the run on, and not soon, say so and leave a snapshot."""
        state = self.state
        if self._status == WAITING or state.ready or not state.open or self.simulation is not None:
            return
        far = self.executor.clock.now() + LONG_SLEEP
        if all(entry.due is not None and entry.due > far for entry in state.open.values()):
            self._status = WAITING
            self.log.snapshot(dump(state))
            self.log.append([], status=WAITING, head=True)

    def recover(self, commands: list[Command], ready: bool) -> None:
        """After a restart: do again what was under way, and go on deciding where that had stopped."""
        for command in commands:
            interrupted = self.executor.performer.interrupted(command) if isinstance(command, Invoke) else None
            if interrupted is not None and self.simulation is None:
                node, it, attempt = command.node.index, command.it, command.attempt
                self.feed(event.result(node, it, attempt, self.now(), *interrupted))
            else:
                self.act(command)
        if ready:
            self._tick_soon()

    def counted(self, calls: dict[str, int]) -> None:
        """After a restart: how many calls of each action the history has, for a simulation's lists of mocks."""
        self._calls = calls

    def _finished(self) -> None:
        self._give_up_tasks()
        self.executor.forget(self)
        self.responded.set()
        self.ended.set()
        self.log.close()

    # ---- tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._broken(task.exception())  # type: ignore[arg-type]

    def _give_up_tasks(self) -> None:
        current = asyncio.current_task() if self._tasks else None
        for task in list(self._tasks):
            if task is not current:
                task.cancel()

    async def abandon(self) -> None:
        """Stop driving the run; it stays as it is in the store."""
        tasks = list(self._tasks)
        self._give_up_tasks()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stored_value(executor: Executor, run_id: bytes, seq: int) -> Any:
    """The large value of record number `seq` (the kernel's count): outputs, or the trigger's record."""
    async for page in executor.vault.read_run(run_id, after_seq=seq):
        record = event.from_stored(page.records[seq + 1 - page.seq])
        return record[_VALUE_AT[record[1]]]
    raise LookupError(f"record {seq} is not stored")


_VALUE_AT: Final = {event.START: 3, event.DONE: 7, event.RESULT: 8}
