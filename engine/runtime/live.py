"""One run in flight: feeds events to the kernel, queues its records, and acts when they are durable.

The order is always the same - decide, write, act: a command leaves here only from the callback of the commit that
holds its page. Nothing is decided here; what a flow means is the kernel's.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from ...storage import NotStorable, RunLog
from ..errors import SealflowError
from ..kernel import (
    Command,
    Invoke,
    Plan,
    Record,
    Respond,
    Sleep,
    State,
    apply,
    decide,
    dump,
    needs_tick,
    supply,
)
from ..kernel import records as event
from ..kernel.status import FAILED, RUNNING, WAITING
from .perform import Answer
from .reading import read_records
from .simulate import Simulation
from .start import run_name

if TYPE_CHECKING:
    from .executor import Executor

log = logging.getLogger("sealflow")

UNCOMMITTED: Final = 1 << 20
"""Bytes that a run's ticks may run ahead of its commits."""

LONG_SLEEP: Final = 30 * 10_000_000
"""Ticks from which a sleeping run is marked as waiting and leaves a snapshot."""


class LiveRun:
    """A run that this process drives. Made by the executor.

    `ended` is set when its last page is durable, `responded` when its response is; both are set as well when the run
    cannot go on here, and then `failure` says why. It stays resumable from what is durable.
    """

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
        self._calls: dict[str, int] = {}
        self._ticking = False
        self._unwritten = 0
        # While values are loaded: events that came meanwhile, and what was decided before the kernel stopped.
        self._loading = False
        self._held: deque[Record] = deque()
        self._begun: tuple[list[Record], list[Command]] = ([], [])
        # Of a simulation: who sleeps until when.
        self._sleepers: list[tuple[int, int, Record]] = []
        self._slept = 0
        log.on_error = self._broken

    @property
    def id(self) -> str:
        return run_name(self.log.run_id)

    # ---- decide, write

    def feed(self, record: Record) -> None:
        """Take an event in: held back while a value is loaded, ignored when the run has ended or cannot go on here."""
        if self.failure is not None or self.state.end is not None:
            return
        if self._loading:
            self._held.append(record)
        else:
            self._turn(record)

    def _turn(self, record: Record) -> None:
        """Decide, and queue what comes of it. A fault stops this run, never the others."""
        try:
            records, commands = decide(self.plan, self.state, record)
            begun, self._begun = self._begun, ([], [])
            records, commands = begun[0] + records, begun[1] + commands
            if self.state.need:
                # Nothing of this turn is written before it is whole, so that a crash here cannot split it.
                self._begun = (records, commands)
                self._loading = True
                self.spawn(self._load())
            elif records:
                self._write(records, commands)
        except NotStorable as error:
            self._loading = True
            self.spawn(self._end_unstorable(error, record))
        except Exception as error:
            self._broken(error)

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
        self.log.append(
            records,
            status=status,
            ended_ms=ended_ms,
            summary=summary,
            head=end is not None,
            on_durable=lambda: self._durable(commands),
        )
        self._unwritten += 1
        if status is not None:
            self._status = status
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
        self._go_on(event.resume())

    async def _end_unstorable(self, error: NotStorable, record: Record) -> None:
        """What was decided cannot be stored, e.g. it is nested too deeply: back to what is stored, and end there."""
        await self.executor.vault.flush()
        state = State(self.plan)
        records: list[Record] = []
        for stored in await read_records(self.executor.vault, self.log.run_id):
            apply(self.plan, state, stored)
        if state.seq == 0:
            apply(self.plan, state, record)  # the start itself could be stored, see Executor.start
            records.append(record)
        self.state, self._begun = state, ([], [])
        stop, _ = decide(self.plan, state, event.stop(self.now(), FAILED, "ValueNotStorable", str(error)))
        self._write(records + stop, [])

    def _go_on(self, record: Record) -> None:
        self._loading = False
        self._turn(record)
        while self._held and not self._loading:
            self.feed(self._held.popleft())

    def _broken(self, error: Exception) -> None:
        """The run cannot go on here: the store refused a commit, or something failed that should not."""
        if self.failure is not None or self.ended.is_set():
            return
        self.failure = error
        log.warning("run %s cannot go on: %s", self.id, type(error).__name__)
        self._give_up_tasks()
        self.executor.forget(self)
        self.responded.set()
        self.ended.set()

    # ---- act

    def _durable(self, commands: list[Command]) -> None:
        self._unwritten -= 1
        if self.failure is not None:
            return
        for command in commands:
            self.act(command)
        if self.state.end is not None:
            if not self._unwritten:
                self._finished()
        elif needs_tick(self.state):
            self._tick_soon()
        elif self.simulation is not None:
            self._advance_soon()
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
            wake, due = event.deadline(node, it, attempt, deadline), deadline
        else:
            wake, due = event.timer(node, it, attempt, command.due), command.due
        if self.simulation is not None:
            self._slept += 1
            heapq.heappush(self._sleepers, (due, self._slept, wake))
        else:
            self.spawn(self._wake(wake, due))

    async def _wake(self, wake: Record, due: int) -> None:
        await self.executor.clock.sleep_until(due)
        self.feed((*wake[:5], max(wake[5], self.now())))

    def _advance_soon(self) -> None:
        if self._sleepers:
            asyncio.get_running_loop().call_soon(self._advance)

    def _advance(self) -> None:
        """A simulation's time moves on to its next sleeper when nothing else is left to do."""
        busy = self._tasks or self._unwritten or self._loading or needs_tick(self.state)
        if self._sleepers and not busy and self.failure is None:
            due, _, wake = heapq.heappop(self._sleepers)
            self.feed((*wake[:5], max(due, self.now())))

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
        """When nothing but time moves the run on, and not soon, say so and leave a snapshot."""
        state = self.state
        if self._status == WAITING or self._unwritten or state.ready or not state.open:
            return
        far = self.executor.clock.now() + LONG_SLEEP
        if not all(entry.due is not None and entry.due > far for entry in state.open.values()):
            return
        try:
            self.log.snapshot(dump(state))
        except NotStorable:
            pass  # a cache only: without it the records are folded
        self.log.append([], status=WAITING, head=True)
        self._status = WAITING

    def recover(self, commands: list[Command], ready: bool, calls: dict[str, int]) -> None:
        """After a restart: do again what was under way, and go on deciding where that had stopped.

        `calls` counts what the history has of each action, for a simulation's lists of mocks.
        """
        self._calls = calls
        if self.state.response is not None:
            self.responded.set()
        for command in commands:
            interrupted = self.executor.performer.interrupted(command) if isinstance(command, Invoke) else None
            if interrupted is not None and self.simulation is None:
                node, it, attempt = command.node.index, command.it, command.attempt
                self.feed(event.result(node, it, attempt, self.now(), *interrupted))
            else:
                self.act(command)
        if ready:
            self._tick_soon()
        elif self.simulation is not None:
            self._advance_soon()

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
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._broken(error)
        elif self.simulation is not None:
            self._advance_soon()

    def _give_up_tasks(self) -> None:
        if self._tasks:
            current = asyncio.current_task()
            for task in list(self._tasks):
                if task is not current:
                    task.cancel()

    async def abandon(self) -> None:
        """Stop driving the run: nothing is decided or done any more, and whoever waits for it is told."""
        tasks = list(self._tasks)
        if self.failure is None and not self.ended.is_set():
            self.failure = SealflowError(
                f"The engine was closed while the run {self.id} was going on.",
                code="EngineClosed",
                hint="Open the engine again; the run goes on where it stood.",
            )
        self._give_up_tasks()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.responded.set()
        self.ended.set()


async def stored_value(executor: Executor, run_id: bytes, seq: int) -> Any:
    """The large value of record number `seq` (the kernel's count): outputs, or the trigger's record."""
    async for page in executor.vault.read_run(run_id, after_seq=seq):
        record = event.from_stored(page.records[seq + 1 - page.seq])
        return record[_VALUE_AT[record[1]]]
    raise LookupError(f"record {seq} is not stored")


_VALUE_AT: Final = {event.START: 3, event.DONE: 7, event.RESULT: 8}
