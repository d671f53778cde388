"""Calls that runs make outside, and what becomes of those that are under way when their environment is locked.

Such a call goes on: it cannot be taken back. By itself it holds what it sends and nothing else of its run. Its answer
is sealed unread into the locked environment's inbox; when the run goes on it takes the answer, or waits for the call,
in place of making it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from ....connectors.port import Content
from ....storage import SealedInbox, SealedItem, StorageError
from ...kernel import Invoke, Record, State
from ...kernel.cloud.state import CALLING
from ...kernel.contract import records as event
from ...kernel.contract.randomness import idempotency_key, unsubscribe_key
from ...kernel.contract.records import Iteration
from ...values import holds_elsewhere
from ..workers.requests import ANSWERED
from .dispatch import Answer, Outside, Performer

if TYPE_CHECKING:
    from ..workers.clock import Clock

log = logging.getLogger("sealflow")

ActionKey = tuple[int, Iteration]
"""The number of an action in its plan, and the iteration."""

CallName = tuple[bytes, str, int]
"""A run's id, the idempotency key of a call that it makes, and the attempt."""


class Caller(Protocol):
    """The run that a call is made for."""

    def now(self) -> int:
        """The time of the next event."""
        ...

    def feed(self, record: Record) -> None:
        """Take the call's end in."""
        ...

    @property
    def content(self) -> Content:
        """Where its calls read and keep large values."""
        ...


class Outgoing:
    """One call. `run` is None while the environment is locked; then `keep` is given what was answered.

    `task` is who makes it, None as long as nobody has begun. `over` is told of its end, with what it broke with.
    `apart`: it outlives a lock, and its task ends with it. One that is `given_up` before anybody has begun is not made.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_deadline",
        "_performer",
        "_prepared",
        "_run_id",
        "_streams",
        "apart",
        "attempt",
        "given_up",
        "keep",
        "over",
        "place",
        "run",
        "task",
    )  # fmt: skip

    def __init__(self, run: Caller, run_id: bytes, command: Invoke, performer: Performer, clock: Clock) -> None:
        self.run: Caller | None = run
        self.place: ActionKey = (command.node.index, command.it)
        self.attempt = command.attempt
        self.keep: Callable[[Outgoing, Answer], Awaitable[None]] | None = None
        self.task: asyncio.Task[None] | None = None
        self.over: Callable[[Outgoing, Exception | None], None] | None = None
        self.apart = self.given_up = False
        self._run_id = run_id
        self._deadline = command.deadline
        self._prepared = performer.prepare(command)
        connector = self._prepared.connector if isinstance(self._prepared, Outside) else None
        self._streams = getattr(connector, "streams", False) and command.node.tracked is None
        self._performer = performer
        self._clock = clock

    @property
    def name(self) -> CallName:
        """What tells it from all others, in any process."""
        prepared = self._prepared
        key = prepared.call.key if isinstance(prepared, Outside) else ""  # one that cannot be made is over at once
        return self._run_id, key, self.attempt

    def finished(self, error: Exception | None) -> None:
        """It has ended, or was given up."""
        over = self.over
        if over is not None:
            self.over = None
            over(self, error)

    async def make(self) -> None:
        """Make the call, once, and tell the run, or who keeps it for the run."""
        prepared, answer = self._prepared, None
        if not isinstance(prepared, Outside):
            answer = prepared
        elif self._streams:
            answer = await self._streamed(prepared)
        elif self._deadline is None:
            answer = await self._performer.carry_out(prepared)
        else:
            answer = await self._answer(prepared)
        if self.run is None and self.keep is not None and answer is not None:
            await self.keep(self, answer)
        # Also one that has gone on while its answer was being kept: what is kept comes too late then.
        run, (node, it), attempt = self.run, self.place, self.attempt
        if run is not None and answer is None:
            run.feed(event.deadline(node, it, attempt, run.now()))
        elif run is not None and answer is not None:
            run.feed(event.result(node, it, attempt, run.now(), *answer))

    async def _answer(self, prepared: Outside) -> Answer | None:
        """None where the deadline came first."""
        if self._deadline is None:
            return await self._performer.carry_out(prepared)
        return await before(self._deadline, self._performer.carry_out(prepared), self._clock)

    async def _streamed(self, prepared: Outside) -> Answer | None:
        """The answer of a connector that reads and keeps large values in the run's history; None as for `_answer`.

        What was kept is of the run as it was then. Where that was let go in between (its environment was locked), the
        call is made again, with the same key: now, or when the run is brought back.
        """
        while True:
            run = self.run
            try:
                answer = await self._answer(prepared._replace(content=run.content if run is not None else None))
                if answer is None or self.run is run or not holds_elsewhere(answer.outputs):
                    return answer
            except StorageError:
                if self.run is run:
                    raise
            if self.run is None:
                return None  # nobody has the run: who brings it back makes the call


async def before(deadline: int, work: Awaitable[Answer], clock: Clock) -> Answer | None:
    """The answer, or None when the deadline (ticks) comes first; then the call is given up."""
    answer = asyncio.ensure_future(work)
    lapse = asyncio.ensure_future(clock.sleep_until(deadline))
    try:
        await asyncio.wait({answer, lapse}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        lapse.cancel()
        answer.cancel()


class Underway:
    """The calls of one environment in one process that outlive a lock. `inbox` opens what their answers are kept in."""

    def __init__(self, inbox: Callable[[], Awaitable[SealedInbox]]) -> None:
        self._inbox = inbox
        self._calls: dict[CallName, Outgoing] = {}
        self._answered: set[CallName] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def let_go_on(self, call: Outgoing) -> None:
        """A run lets this call go, which is under way."""
        task = call.task
        if task is None:
            return
        call.run, call.keep, call.apart = None, self._keep, True
        self._calls[call.name] = call
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._forget(call))

    def take(self, name: CallName) -> Outgoing | None:
        """The call, if it is under way here; it belongs to who asks from now on."""
        call = self._calls.pop(name, None)
        if call is None or call.task is None or call.task.done():
            return None
        self._tasks.discard(call.task)
        return call

    def is_answered(self, name: CallName) -> bool:
        """Whether the answer of this call waits in the sealed inbox, which is drained soon."""
        return name in self._answered

    async def look(self, kept: Callable[[int], Awaitable[list[SealedItem]]]) -> None:
        """Learn which calls have their answers in the sealed inbox: before runs are brought back. Raises the store's
        errors.
        """
        self._answered.clear()  # what is kept meanwhile adds to it
        for item in await kept(ANSWERED):
            self._answered.add((item.scope, item.value["key"], item.value["attempt"]))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    async def _keep(self, call: Outgoing, answer: Answer) -> None:
        run_id, key, attempt = call.name
        value = {"key": key, "attempt": attempt, "place": [*call.place], "answer": [*answer]}
        for _ in range(_TRIES):
            moving = False
            try:
                async with await self._inbox() as inbox:
                    moving = inbox.moving
                    await inbox.accept(ANSWERED, run_id, value)
            except StorageError as error:
                if not moving:
                    log.warning(
                        "the answer of a call could not be kept while the environment is locked: %s", error.code
                    )
                    return
            else:
                self._answered.add(call.name)
                return
            await asyncio.sleep(_PAUSE)
            if call.run is not None:
                return  # the environment has moved, and the run takes the answer from here
        log.warning("the answer of a call could not be kept: the environment is still being moved")

    def _forget(self, call: Outgoing) -> None:
        if self._calls.get(call.name) is call:
            del self._calls[call.name]


def answer_in(value: Any, state: State, at: int) -> Record | None:
    """The event of an answer that was kept; None where the run does not wait for it any more."""
    node, indexes = value["place"]
    it = tuple(indexes) if indexes is not None else None
    entry = state.open.get((node, it))
    if entry is None or entry.phase != CALLING or entry.attempt != value["attempt"]:
        return None
    key = unsubscribe_key if entry.leaving else idempotency_key
    if key(state.pins["seed"], state.plan.path(entry.node, it)) != value["key"]:
        return None
    return event.result(node, it, entry.attempt, at, *value["answer"])


_TRIES: Final = 50
_PAUSE: Final = 0.2
"""Seconds between two tries to keep an answer during a move: it stays in memory for ten seconds at most."""

_PATIENCE: Final = 1.0
"""Seconds that calls which are given up may still take."""
