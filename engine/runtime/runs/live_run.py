"""One run in flight: feeds events to the kernel, queues its records, and acts when they are durable.

The order is always decide, write, act: the callback of a page's commit releases the page's commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ....storage import (
    Conflict,
    EnvironmentLocked,
    IntegrityError,
    NotStorable,
    RunLog,
    RunNotOwned,
    StorageError,
    ValueTooLarge,
    pack_record,
)
from ....storage.format.stored_values import CHUNK_BYTES
from ...kernel import Abandon, Command, Expire, Invoke, Listen, Open, Plan, Record, Respond, Sleep, State
from ...kernel.cloud.external_evaluation import Missing, ask_for
from ...kernel.cloud.pacing import OneRow
from ...kernel.cloud.state import CALLING
from ...kernel.contract import records as event
from ...kernel.contract.large_values import LARGE
from ...kernel.contract.status import FAILED, NAMES, RUNNING, TIMED_OUT, WAITING
from ...kernel.machines import CLOUD, machine_of
from ..calls.callbacks import expect_callbacks
from ..calls.contents import RunContent
from ..calls.dispatch import Answer
from ..calls.outgoing import ActionKey, answer_in
from ..calls.simulation import Simulation
from ..flows.start import run_name
from ..history.reading import load, stored_records
from . import expiry
from .large_writes import is_heavy, told_of
from .run_calls import RunCalls
from .tasks import RunTasks
from .timers import Timers, due_of

if TYPE_CHECKING:
    from .protocols import RunHost

log = logging.getLogger("sealflow")

Decided = tuple[list[Record], list[Command]]

UNCOMMITTED: Final = 1 << 20
"""Bytes that a run's ticks may run ahead of its commits."""

_MEASURED: Final = frozenset({event.START, event.RESULT})  # packed before they are decided: their size is known then

LONG_SLEEP: Final = 30 * 10_000_000
"""Ticks from which a sleeping run is marked as waiting and leaves a snapshot."""


class LiveRun:
    """A run that this process drives. Made by its worker.

    `ended` is set when its last page is durable, `responded` when its response is; both are set as well when the run
    cannot go on here, and then `failure` says why. It stays resumable from what is durable.
    """

    def __init__(
        self,
        executor: RunHost,
        plan: Plan,
        state: State,
        log: RunLog,
        flow: str,
        simulation: Simulation | None,
        *,
        started: int,
        held: bool = False,
        status: int = RUNNING,
    ) -> None:
        self.executor = self.routes = executor
        self.plan = plan
        self.machine = machine_of(plan)
        self.state = state
        self.log = log
        self.flow = flow
        self.simulation = simulation
        self.ended = asyncio.Event()
        self.responded = asyncio.Event()
        self.failure: Exception | None = None
        self.held = held
        """Whether other runs of the flow have to end before anything is decided, see `admission`."""
        self.parent: bytes | None = None
        self.aside = False
        """Whether it goes on elsewhere, or sleeps: this object is of the past."""
        self.sleeps_until = 0
        self.far: set[ActionKey] = set()
        """Calls of child flows that are not in memory here, and of which there is no news."""
        self._doubted = False
        self.told = False  # where it is falling asleep: it is looked at again then
        self._told_parent = False
        self._status = WAITING if held else status
        self._listens = plan.listens and simulation is None
        self._tasks = RunTasks(self._task_ended, executor.callers)
        self._calls = RunCalls(self._tasks)
        self._timers = Timers(self._tasks)
        self.simulated: dict[str, int] = {}  # how often each action was answered, for lists of mocks
        self._effects: dict[ActionKey, Callable[[], None]] = {}
        self._ticking = False
        # What each page that is not durable yet has decided: released in their order.
        self._unwritten: deque[list[Command]] = deque()
        self.light: Record | None = None
        """The record that starts it, as it is stored, where that only names its large values."""
        # What a turn has decided is not queued yet: large values are written before, or it is stored otherwise.
        self._heavy = False
        # While a turn pauses: events that came meanwhile.
        self._loading = False
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._held: deque[Record] = deque()
        self.started = started
        self.limit: tuple[str, str] | None = None
        """Code and message of its end at `expires`, where it has a limit of its own."""
        self.expires = started + executor.run_duration(plan)
        if simulation is not None:
            self._timers.sleep_virtually(self.expires, self._expiry(self.expires))
        log.on_error = self._broken
        log.zips = not plan.secretive
        log.name_values(event.NAMING, event.NAMED)

    @property
    def id(self) -> str:
        return run_name(self.log.run_id)

    @property
    def content(self) -> RunContent:
        """Where its calls read and keep large values."""
        return RunContent(self.log)

    @property
    def outcome(self) -> str:
        """The status that the run ended with; `Interrupted` where it cannot go on here."""
        return NAMES[self.state.end.status] if self.state.end is not None else "Interrupted"

    # ---- decide, write

    def feed(self, record: Record, packed: bytes | None = None) -> None:
        """Take an event in (`packed`: its bytes): held back while a value is loaded, ignored where the run ended."""
        if self.failure is not None or self.aside or self.state.end is not None:
            return
        kind = record[1]
        at = record[5] if kind == event.RESULT else event.time_of(record)
        if at >= self.expires and self.simulation is None and kind != event.START:
            record = self._expiry(self.now())
        if self._loading:
            self._held.append(record)
        else:
            self._turn(record, packed)

    async def settled(self) -> None:
        """Return when nothing is held back: all that was fed is decided and queued to be written, or never will be."""
        while not self._quiet.is_set():  # it may be held back again before who waits has his turn
            await self._quiet.wait()

    def _hold(self) -> None:
        self._loading = True
        self._quiet.clear()

    def with_result(self, command: Invoke, effect: Callable[[], None]) -> None:
        """Carry out `effect` when the result of this call is queued to be written: in the same commit, or never."""
        self._effects[(command.node.index, command.it)] = effect

    def expire(self) -> None:
        """End the run: it has outlived its limit."""
        self.feed(self._expiry(self.now()))

    def _expiry(self, at: int) -> Record:
        code, message = self.limit or (expiry.CODE, expiry.message(self.started, self.expires))
        return event.stop(at, TIMED_OUT, code, message)

    def _turn(self, record: Record, packed: bytes | None = None, decided: Decided | None = None) -> None:
        """Decide, unless that is done, and queue what comes of it. A fault stops this run, never the others."""
        state, machine = self.state, self.machine
        try:
            state.room = room = self.executor.room
            state.pace = self.executor.pace if not state.heavy else None
            state.heavy = False
            if packed is None and record[1] in _MEASURED:
                packed = pack_record(record)
            state.small = packed is not None and len(packed) <= LARGE and not self.log.names_values
            records, commands = machine.decide(self.plan, state, record) if decided is None else decided
            if records:
                if self.light is not None:  # the start of a run whose large values were stored before
                    records[0], packed, self.light = self.light, None, None
                    told_of(state, 1, records[:1])
                elif packed is not None and records[0] is not record:
                    packed = None
                if is_heavy(state, records, packed):
                    self._hold()
                    if records[0][1] == event.START:  # it comes at once, with whatever is queued with it
                        self.log.append(records[:1], packed=packed)
                        told_of(state, *self.log.take_beside())
                        records = records[1:]
                    self._heavy = True
                    self._tasks.spawn(self._write_heavy(records, commands, record, room))
                    return
                self._write(records, commands, packed)
                if packed is not None and len(packed) > CHUNK_BYTES:
                    told_of(state, *self.log.take_beside())
            if state.ready and machine.unfinished(state):
                self._hold()
                self._tasks.spawn(self._go_on_with_turn(room))
            elif state.resident > room:
                machine.relieve(state, room // 2)
        except NotStorable as error:
            self._hold()
            self._heavy = True
            self._tasks.spawn(self._end_unstorable(error, record))
        except Exception as error:
            self._broken(error)

    async def _write_heavy(self, records: list[Record], commands: list[Command], cause: Record, room: int) -> None:
        """As `_write`, with large values in commits before it: nobody else waits for them. Then what was held back."""
        await asyncio.sleep(0)  # the turn that made the values was long
        try:
            light = [tuple(await self.log.set_apart(record)) for record in records]
        except NotStorable as error:
            await self._end_unstorable(error, cause)
            return
        finally:
            self._heavy = False
        if self.failure is not None or self.aside:
            return
        told_of(self.state, self.log.seq, light)
        self._write(light, commands)
        if self.machine.unfinished(self.state):
            await self._go_on_with_turn(room)
            return
        if self.state.resident > room:
            self.machine.relieve(self.state, room // 2)
        self._take_in_held()

    def _write(self, records: list[Record], commands: list[Command], packed: bytes | None = None) -> None:
        state = self.state
        end = state.end
        status: int | None = None
        summary: Any = None
        ended_ms: int | None = None
        if end is not None:
            status, ended_ms = end.status, state.now // 10_000
            summary = {"flow": self.flow, "code": end.code, "error": end.error}
        elif (self._status == WAITING and not self.held) or self.told:
            status, self.told = RUNNING, False
            self.executor.claims.awake(self)
        if self.parent is not None and not self._told_parent and (end is not None or state.response is not None):
            self._told_parent = True
            self.executor.claims.tell(self.parent)
        if self._effects:
            self._take_effect(records)
        if self._listens:
            expect_callbacks(self.executor.vault.sealed_items, self.log.run_id, commands, ended=end is not None)
        self.log.append(
            records,
            status=status,
            ended_ms=ended_ms,
            summary=summary,
            head=end is not None,
            on_durable=self._durable,
            packed=packed,
        )
        self._unwritten.append(commands)
        if self._timers.lapsing:
            self._timers.drop_limits(self)
        if status is not None:
            self._status = status
        if state.ready and self._wants_tick() and self.executor.vault.pending_bytes < UNCOMMITTED:
            self._tick_soon()

    def _take_effect(self, records: list[Record]) -> None:
        for record in records:
            effect = self._effects.pop((record[2], record[3]), None) if record[1] == event.RESULT else None
            if effect is not None:
                effect()

    def _tick_soon(self) -> None:
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._ticking = False
        if self._wants_tick():
            self.feed(event.tick(self.now()))

    def _wants_tick(self) -> bool:
        return self.machine.needs_tick(self.state) and not self.held and not self.executor.parting

    @property
    def busy(self) -> bool:
        """Whether the run has something to do before its time moves on."""
        return bool(self._tasks or self._unwritten or self._loading or self.machine.needs_tick(self.state))

    def begin(self) -> None:
        """Go on with a run that was held."""
        self.held = False
        self._tick_soon()

    def now(self) -> int:
        """The time of the next event: never before the last one; a simulation's time only moves by its delays."""
        if self.simulation is not None:
            return self.state.now
        now, before = self.executor.clock.now(), self.state.now
        return now if now > before else before

    async def _go_on_with_turn(self, room: int) -> None:
        """The kernel pauses: make room, read the values that it asked for, then go on where it stopped.

        An action that is too much for a turn is evaluated elsewhere first; one that cannot be sent is not spared.
        """
        vault = self.executor.vault
        if self.state.heavy and self.machine is not CLOUD:
            self.state.pace, self.state.heavy = OneRow(), False
            decide = partial(self.machine.decide, self.plan, self.state, event.resume())
            self._go_on(event.resume(), await self.executor.evaluations.decide(decide))
            return
        if self.state.heavy:
            answer = await self.executor.evaluations.evaluate(self.plan, self.state)
            if isinstance(answer, Missing):
                ask_for(self.state, answer.at)
            elif answer is not None:
                self.state.given = answer
            self.state.heavy = answer is None
        if self.state.need or vault.pending_bytes > UNCOMMITTED:
            await vault.flush()
        self.machine.relieve(self.state, room // 2)
        self.machine.supply(self.state, await load(self.log, self.state.need))
        self._go_on(event.resume())

    async def _end_unstorable(self, error: NotStorable, record: Record) -> None:
        """What was decided cannot be stored, e.g. it is nested too deeply: back to what is stored, and end there."""
        await self.executor.vault.flush()
        state = self.machine.state(self.plan)
        records: list[Record] = []
        async for stored in stored_records(self.executor.vault, self.log.run_id):
            self.machine.apply(self.plan, state, stored)
        if state.seq == 0:
            self.machine.apply(self.plan, state, record)  # the start itself could be stored, see `Starter`
            records.append(record)
        self.state = state
        code = error.code if isinstance(error, ValueTooLarge) else "ValueNotStorable"
        stop, _ = self.machine.decide(self.plan, state, event.stop(self.now(), FAILED, code, str(error)))
        self._heavy = False
        self._write(records + stop, [])
        self._quiet.set()

    def _go_on(self, record: Record, decided: Decided | None = None) -> None:
        self._loading = False
        self._turn(record, decided=decided)
        self._take_in_held(self._loading)

    def _take_in_held(self, loading: bool = False) -> None:
        self._loading = loading
        while self._held and not self._loading:
            self.feed(self._held.popleft())
        if not self._loading:
            self._quiet.set()

    def _broken(self, error: Exception) -> None:
        """The run cannot go on here: the store refused a commit, or something failed that should not."""
        if self.failure is not None or self.ended.is_set():
            return
        if isinstance(error, RunNotOwned):
            self.executor.eviction.lost(self)
            return
        if isinstance(error, Conflict) and self.executor.claims.active and self.log.durable_seq > 1:
            self.executor.eviction.retry(
                self, error
            )  # a row of something else was in the way of the commit they shared
            return
        if isinstance(error, IntegrityError) and self.executor.vault.workers.shared and not self._doubted:
            # What an owner reads of a run that is another worker's by now fits nothing: that is no tampering.
            self._doubted = True
            self._hold()
            self.executor.background.run(self._judge(error))
            return
        self.failure = error
        self._quiet.set()
        log.warning("run %s cannot go on: %s", self.id, type(error).__name__)
        self._let_go(error)
        self.executor.eviction.forget(self)
        self.responded.set()
        self.ended.set()

    async def _judge(self, error: IntegrityError) -> None:
        """Tell a run that another worker owns from one that was changed."""
        try:
            if not await self.executor.vault.workers.owns(self.log.run_id, self.log.epoch):
                error = RunNotOwned([self.log.run_id])  # type: ignore[assignment]
        except StorageError as other:  # e.g. this worker was taken over
            error = other  # type: ignore[assignment]
        self._broken(error)

    # ---- act

    def _durable(self) -> None:
        commands = self._unwritten.popleft()
        if self.failure is not None or self.aside:
            return
        if self.executor.parting:  # whoever executes the run next does what it has decided
            if self.state.end is not None and not self._unwritten and not self._heavy:
                self._finished()
            return
        if commands and not self.executor.vault.workers.holds_role:
            self._tasks.spawn(self._release_when_certain(commands))
        else:
            self._release(commands)

    async def _release_when_certain(self, commands: list[Command]) -> None:
        """As `_release`, unless this process was taken over while it could not look."""
        await self.executor.vault.workers.confirm_role()
        if self.failure is None and not self.aside:
            self._release(commands)

    def _release(self, commands: list[Command]) -> None:
        """Carry out commands whose page is durable, and go on."""
        for command in commands:
            if command.__class__ is Invoke:
                self._calls.make(self, command)
            else:
                self.act(command)
        if self.state.end is not None:
            if not self._unwritten and not self._heavy:
                self._finished()
        elif self.state.ready and self._wants_tick():
            self._tick_soon()
        elif self.simulation is not None:
            self._timers.advance_soon(self)
        else:
            self._maybe_sleep()

    def act(self, command: Command) -> None:
        """Carry out a command whose page is durable."""
        if isinstance(command, Invoke):
            self._calls.make(self, command)
        elif isinstance(command, Respond):
            self.responded.set()
        elif isinstance(command, Sleep):
            self._timers.sleep(self, command)
        elif isinstance(command, Listen):
            self._timers.listen(self, command)
        elif isinstance(command, Expire):
            self._timers.expire(self, command)
        elif isinstance(command, Abandon):
            self._tasks.give_up((command.node.index, command.it))

    def call_back(self, entry: Open, answer: Answer) -> None:
        """Take the callback of an open action in."""
        node, it = key = (entry.node.index, entry.frame.it)
        self.feed(event.callback(node, it, entry.attempt, self.now(), *answer))
        if key not in self.state.open:
            self._tasks.give_up(key)  # the timer of its limit

    def take_answer(self, value: Any) -> None:
        """Take an answer in that was kept; the same call, made again meanwhile, is given up."""
        record = answer_in(value, self.state, self.now())
        if record is not None:
            self._tasks.give_up((record[2], record[3]))
            self.feed(record)

    def _maybe_sleep(self) -> None:
        """When nothing but time moves the run on, and not soon, say so and leave a snapshot."""
        state, claims = self.state, self.executor.claims
        if self.aside or self.failure is not None or self._loading or self._unwritten or state.ready or not state.open:
            return
        for key, entry in state.open.items():
            if entry.phase == CALLING and key not in self.far:
                return  # busy, as `due_of` says: asked first, since most runs are
        leaves = claims.may_leave(self)
        if (self._status == WAITING and not leaves) or self.held or state.end is not None:
            return
        due = due_of(state, self.far, self.expires)
        if not due or due < self.executor.clock.now() + LONG_SLEEP:
            return
        self.sleeps_until, self.told = due, False
        claims.sleep(self, due, leaves=leaves)
        self.log.released = leaves
        if self._status == WAITING:
            self.log.append([], head=True, on_durable=self._asleep)
        else:
            try:
                self.log.snapshot(self.machine.dump(state))
            except NotStorable:
                pass  # a cache only: without it the records are folded
            self.log.append([], status=WAITING, head=True, on_durable=self._asleep if leaves else None)
            self._status = WAITING
        if leaves:
            self._hold()

    def _asleep(self) -> None:
        """It is durable that the run sleeps, and that nobody has it."""
        if self.failure is None and not self.aside:
            self.executor.eviction.fell_asleep(self, [*self._held], told=self.told)

    def put_aside(self) -> list[asyncio.Task[None]]:
        """Drive the run no more here: it goes on from what is durable. Gives the tasks that are ending."""
        self.aside = True
        tasks = self._tasks.give_up_all()
        self._tasks.close()
        self._quiet.set()
        self.responded.set()
        self.ended.set()
        self.log.on_error = None
        self.log.close()
        return tasks

    @property
    def calling(self) -> bool:
        """Whether a call is under way, whose answer is not recorded yet."""
        return self._tasks.calling or bool(self._unwritten)

    def doze(self) -> None:
        """Leave memory, if only time or an event moves the run on and nobody waits for it here."""
        if self.simulation is None:
            self._maybe_sleep()

    def recover(self, commands: list[Command], ready: bool, calls: dict[str, int]) -> None:
        """After a restart: do again what was under way, and go on deciding where that had stopped.

        `calls` counts what the history has of each action, for a simulation's lists of mocks.
        """
        self.simulated = calls
        if self.state.response is not None:
            self.responded.set()
        if self.machine.unfinished(self.state):
            self._turn(event.resume())  # the crash came in the middle of a turn
        for command in commands:
            if isinstance(command, Invoke) and self._calls.outlived(self, command):
                continue
            interrupted = self.executor.performer.interrupted(command) if isinstance(command, Invoke) else None
            if interrupted is not None and self.simulation is None:
                node, it, attempt = command.node.index, command.it, command.attempt
                self.feed(event.result(node, it, attempt, self.now(), *interrupted))
            else:
                self.act(command)
        if ready:
            self._tick_soon()
        elif self.simulation is not None:
            self._timers.advance_soon(self)
        else:
            self._maybe_sleep()

    def _finished(self) -> None:
        self._tasks.give_up_all()
        self.executor.eviction.forget(self)
        self.responded.set()
        self.ended.set()
        self.log.close()
        # Nobody tells this run of anything any more; without that, it need not wait for the garbage collector.
        self.log.on_error = None
        self._tasks.close()

    # ---- tasks

    def _task_ended(self, error: Exception | None) -> None:
        if error is not None:
            self._broken(error)
        elif self.simulation is not None:
            self._timers.advance_soon(self)

    def interrupt(self, error: Exception) -> list[asyncio.Task[None]]:
        """Stop driving the run: nothing is decided or done any more, and whoever waits for it is told why.

        Gives the tasks that are ending.
        """
        if self.failure is None and not self.ended.is_set():
            self.failure = error
        tasks = self._let_go(error)
        self._quiet.set()
        self.responded.set()
        self.ended.set()
        return tasks

    def _let_go(self, error: Exception) -> list[asyncio.Task[None]]:
        if isinstance(error, EnvironmentLocked):
            for call in self._tasks.release():
                self.executor.underway.let_go_on(call)
        return self._tasks.give_up_all()
