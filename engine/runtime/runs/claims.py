"""Which runs a worker drives: those that are ready and nobody's, as many as it may, in batches from the store; and how
runs leave memory when only time or an event moves them on, and come back.

On SQLite there is one worker. On PostgreSQL there may be several: a run belongs to one of them at a time, and what
another one has is a RunElsewhereError here. Nothing is kept in memory of a run that sleeps; one timer is set to the
first that is due.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ....storage import EnvironmentLocked, ExecutorLost, RunNotOwned, StoreClosed
from ...errors import SealflowError
from ..flows.start import run_name
from ..history.queue_context import queue_of
from ..workers.retry_backoff import Retries

if TYPE_CHECKING:
    from .live_run import LiveRun
    from .protocols import ClaimsHost

log = logging.getLogger("sealflow")

CONCURRENCY: Final = 1_000
"""How many runs a worker has in memory at most before it takes no more of those that are ready."""

_BATCH: Final = 64
_AT_ONCE: Final = 8
"""Runs that are brought back at the same time."""

_TICKS_PER_MS: Final = 10_000

_AGAIN_MS: Final = 50
"""After so long there is another look for what was due and could not be taken."""

_FAR_MS: Final = 28 * 86_400_000
"""What is due later than that has no timer, the regular look finds it: a run that only expires then keeps no clock that
jumps to the next sleeper from standing still.
"""


class RunElsewhereError(SealflowError):
    """Another worker has the run: what it is to be told goes through the inbox."""

    code = "RunElsewhere"


class Pins:
    """How many wait for a run in this process, by its id: it stays in memory then. `released` is called when nobody
    does any more.
    """

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self.released: Callable[[bytes], None] = _nothing

    def __contains__(self, run_id: bytes) -> bool:
        return run_id in self._counts

    @contextmanager
    def held(self, run_id: bytes) -> Iterator[None]:
        """Wait for a run, or tell it something."""
        self._counts[run_id] += 1
        try:
            yield
        finally:
            self._counts[run_id] -= 1
            if not self._counts[run_id]:
                del self._counts[run_id]
                self.released(run_id)


class Claims:
    """The runs of one worker. `active`: it takes what is ready by itself, unless it has stopped `taking`, and lets go
    what sleeps.

    `staying` counts who wants all runs to stay in memory while they sleep, `pins` who waits for one of them here.
    """

    def __init__(self, host: ClaimsHost, most: int, pins: Pins) -> None:
        self._host = host
        self._most = most
        self.pins = pins
        pins.released = self._doze
        self.active = False
        self.taking = True
        self.staying = 0
        self._without: set[bytes] = set()
        self._retries = Retries()
        self._told: dict[bytes, asyncio.Event] = {}
        self._turn = asyncio.Lock()
        self._more = True
        self._next: int | None = None
        # The first that has fallen asleep while the store was asked for the next one.
        self._meanwhile: int | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()

    # ---- taking

    @property
    def without(self) -> list[bytes]:
        """Flows whose runs are left to the worker that leads."""
        return [] if self._host.vault.workers.leads else list(self._without)

    async def own(self, run_id: bytes) -> int:
        """Claim this run: the ownership epoch under which it is written. Raises RunElsewhereError."""
        epoch = await self._host.vault.workers.claim_run(run_id)
        if not epoch:
            raise elsewhere(run_id)
        return epoch

    async def leave(self, run_id: bytes, flow_id: bytes) -> RunElsewhereError:
        """Give back a run whose flow is for the worker that leads, and take no more of these; the error to raise."""
        self._without.add(flow_id)
        await self._host.vault.workers.release([run_id])
        return elsewhere(run_id)

    async def begin(self) -> None:
        """Take what is ready, from now on until `close`."""
        self.active = True
        await self.look()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().create_task(self._wake())

    async def look(self) -> None:
        """Take what is ready now, as far as there is room."""
        workers = self._host.vault.workers
        async with self._turn:
            if workers.shared:
                for run_id in await workers.signalled():
                    self._tell(run_id)
            if not self.active or not self.taking:
                return
            queue = self._host.queue
            looked = False if queue.alone else await self._take_ready()
            looked = await queue.take() or looked
            if workers.paused:
                await self._hand_over()
            elif looked:
                self._more = self._more or not self._room  # what is due then is looked for when a run has left
                self._meanwhile = None
                due = _sooner(await self._next_due(), self._meanwhile)
                if due is not None and workers.shared:  # what is due already is another worker's to take
                    due = max(due, self._host.clock.now() // _TICKS_PER_MS + _AGAIN_MS)
                self._set(due)

    async def _take_ready(self) -> bool:
        """Take what any worker may have; whether the store was asked for it."""
        workers = self._host.vault.workers
        while True:
            now_ms = self._host.clock.now() // _TICKS_PER_MS
            room = self._room
            if not workers.shared and not (room and (self._more or self._is_due(now_ms))):
                return False
            limit = min(room, _BATCH)
            claimed = await self._claim(limit, now_ms)
            if workers.paused:
                return True
            for start in range(0, len(claimed), _AT_ONCE):
                await asyncio.gather(*(self._bring_back(each) for each in claimed[start : start + _AT_ONCE]))
            if len(claimed) < limit or not limit:
                return True

    @property
    def _room(self) -> int:
        return max(0, self._most - len(self._host.live))

    async def _next_due(self) -> int | None:
        """When something that could be taken now is due. For what could not, there is a look when a run has left."""
        workers, queue = self._host.vault.workers, self._host.queue
        queues = queue.with_room()
        if queue.alone or not self._room:
            return await workers.next_wake(queues, alone=True) if queues else None
        return await (workers.next_wake(queues) if queues else workers.next_wake())

    async def _claim(self, limit: int, now_ms: int) -> list[bytes]:
        # Whoever asks for a look during this one, asks for another: what he has to tell may be too late for this one.
        self._more = False
        try:
            host = self._host
            claimed = await host.vault.workers.claim(limit, now_ms, self.without, here=list(host.live))
        except BaseException:
            self._more = True
            raise
        self._more = self._more or limit == 0 or len(claimed) == limit
        return claimed

    def _is_due(self, now_ms: int) -> bool:
        return self._next is not None and self._next <= now_ms

    async def _bring_back(self, run_id: bytes) -> None:
        live = self._host.live.get(run_id)
        if live is not None:
            self._tell(run_id)
            return
        host = self._host
        try:
            run = await host.resume(run_id, ending=True)
            self._retries.over(run_id)
            if run is not None and run.state.end is None and not host.queue.serves(queue_of(run.state.pins)):
                host.eviction.put_aside(run)  # it waits for a machine, and has not waited too long
                await host.queue.put_back(run_id, run.state.pins, begun=False)
        except (RunElsewhereError, RunNotOwned):
            return
        except Exception as error:
            await self.later(run_id, error)

    async def later(self, run_id: bytes, error: Exception) -> None:
        """A run could not be brought back: it is tried again after a while, by whichever worker comes first then."""
        log.warning("run %s cannot be resumed: %s", run_name(run_id), type(error).__name__)
        over = isinstance(error, (EnvironmentLocked, ExecutorLost, StoreClosed))
        if self.active and not over and run_id not in self._host.live:
            due = self._host.clock.now() + self._retries.after(run_id)
            self._host.vault.workers.set_wait(run_id, -(-due // _TICKS_PER_MS), release=True)
            await self._host.vault.flush()  # the store is about to be asked for the next that is due
            self.asleep(due)

    async def _hand_over(self) -> None:
        """Work on the environment's keys goes on: whoever leads has all the runs until it is done."""
        host = self._host
        if not host.live:
            return
        await host.answered()  # nothing is called twice because a run changes hands
        aside = list(host.live.values())
        for run in aside:
            host.eviction.put_aside(run)
        host.parting = False
        if aside:  # with their heads: the new owner continues from what is durable
            await host.vault.workers.release([run.log.run_id for run in aside])

    def made_room(self) -> None:
        """A run has ended, or sleeps: there may be room for one that is ready."""
        if self.active and self._more and len(self._host.live) == self._most - 1:
            self.look_soon()

    def look_soon(self) -> None:
        """Have a look taken: something may be ready."""
        self._more = self._host.queue.wanted = True
        task = asyncio.get_running_loop().create_task(self._quietly())
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _quietly(self) -> None:
        try:
            await self.look()
        except Exception as error:
            log.warning("runs that are ready could not be looked for: %s", type(error).__name__)

    def drives(self, run_id: bytes) -> bool:
        """Whether a run that is not in memory has to be brought back by whoever wants it to go on, or to end here."""
        return not self.active or run_id in self.pins

    # ---- sleeping

    def may_leave(self, run: LiveRun) -> bool:
        """Whether a run that sleeps leaves memory: nobody here waits for it, or watches it.

        A desktop flow stays while it has something open, e.g. a browser or a workbook: that lives in this process only.
        """
        if not self.active or self.staying or self._host.performer.sessions.holds(run.log.run_id):
            return False
        return run.log.run_id not in self.pins and run.state.watch is None

    def sleep(self, run: LiveRun, due: int, *, leaves: bool) -> None:
        """With the current commit: the run is looked at again at `due` (ticks)."""
        due_ms = -(-due // _TICKS_PER_MS)
        self._host.vault.workers.set_wait(run.log.run_id, due_ms, release=leaves)

    def asleep(self, due: int) -> None:
        """A run that left memory is durable as one that sleeps until `due`."""
        due_ms = -(-due // _TICKS_PER_MS)
        self._meanwhile = _sooner(self._meanwhile, due_ms)
        if self._next is None or due_ms < self._next:
            self._set(due_ms)

    def _doze(self, run_id: bytes) -> None:
        live = self._host.live.get(run_id)
        if live is not None:
            live.doze()

    def awake(self, run: LiveRun) -> None:
        """With the current commit: the run goes on."""
        self._host.vault.workers.set_wait(run.log.run_id, 0, release=False)

    def _set(self, due_ms: int | None) -> None:
        self._next = due_ms
        self._changed.set()

    async def _wake(self) -> None:
        clock = self._host.clock
        while True:
            self._changed.clear()
            work: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._changed.wait())]
            if self._next is not None and self._next - clock.now() // _TICKS_PER_MS <= _FAR_MS:
                work.append(asyncio.ensure_future(clock.sleep_until(self._next * _TICKS_PER_MS)))
            try:
                await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in work:
                    each.cancel()
            if self._is_due(clock.now() // _TICKS_PER_MS):
                # Until the look says more: a store that cannot be read is not asked again and again.
                self._next, self._more = None, True
                self._host.queue.wanted = True
                await self._quietly()

    # ---- being told

    def news(self, run_id: bytes) -> asyncio.Event:
        """Set when this run of this worker is next told something. Ask before looking whether there is anything."""
        return self._told.setdefault(run_id, asyncio.Event())

    def forget(self, run_id: bytes) -> None:
        """Nobody waits for news of this run."""
        self._told.pop(run_id, None)
        self._retries.over(run_id)  # it was here, so it had been brought back

    def tell(self, run_id: bytes) -> None:
        """With the current commit: tell a run something, wherever it is."""
        live = self._host.live.get(run_id)
        # Otherwise it waits in this process, for what tells it.
        if live is None or live.far or run_id in self._told:
            self._host.vault.workers.wake(run_id, lambda: self._after_telling(run_id))

    def _after_telling(self, run_id: bytes) -> None:
        self._tell(run_id)
        if run_id not in self._host.live:
            self.look_soon()
            if self._host.vault.workers.shared:
                self._host.background.hint()

    def _tell(self, run_id: bytes) -> None:
        live = self._host.live.get(run_id)
        if live is not None:
            live.told = True
            live.far.clear()  # it stays awake until who waits for news has looked
        event = self._told.pop(run_id, None)  # whoever looks from now on, waits for the next
        if event is not None:
            event.set()

    async def close(self) -> None:
        """Take nothing more, and let whoever holds the pins hold nothing of this."""
        self.active = False
        self.pins.released = _nothing
        tasks = [*self._looks, *([self._timer] if self._timer is not None else [])]
        self._timer = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _nothing(run_id: bytes) -> None:
    """Nobody drives runs now."""


def _sooner(one: int | None, other: int | None) -> int | None:
    return min(one, other) if one is not None and other is not None else one if other is None else other


def elsewhere(run_id: bytes) -> RunElsewhereError:
    """That another worker has a run, or may have it."""
    return RunElsewhereError(f"The run {run_name(run_id)} goes on in another process.")
