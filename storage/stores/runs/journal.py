"""The journal: one writer for all runs of an environment, with a group commit that clocks itself.

Everything queued while one commit is under way goes into the next, so the busier the environment, the larger the
batches; there is no window and no timer to wait for. Callbacks run after the commit that made their records durable,
never before and never without it.

A store that is busy is tried again until it is not. Any other failure drops everything that is queued at that moment,
and tells the runs concerned: their next page would continue one that is lost, so their logs are dead and must be opened
again. Nothing is half-written, and what was acknowledged stays. The journal itself goes on: who has lost nothing may
write as soon as the store can.

A run that this process does not own any more fails alone: its rows are dropped, and the rest of the batch is written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ...errors import RunNotOwned, StorageError, StoreBusy, StoreClosed
from ...format.stored_values import MOST_BYTES
from ...port import Backend, Batch, Guard

HEAD_SECONDS = 1.0
BUSY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses before a busy store is tried again; the last one repeats."""
_BUSY_ATTEMPTS_AT_CLOSE = 3

log = logging.getLogger("sealflow")


@dataclass(frozen=True, slots=True)
class LargeValues:
    """What holds for large values: the bytes that one may have, and the clock (Unix milliseconds) that stamps them."""

    most_bytes: int = MOST_BYTES
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class Source(Protocol):
    """A run's log, as the journal sees it."""

    run_id: bytes

    def settle(self, batch: Batch) -> bool:
        """Adds the run's row, or the changes to it, to the batch that is about to be written; True if its head is
        behind then.
        """
        ...

    def want_head(self) -> None:
        """Asks for a head with the next batch."""
        ...

    def committed(self) -> None:
        """What was settled last is durable."""
        ...

    def failed(self, error: StorageError) -> None:
        """What was queued is lost."""
        ...


class Journal:
    """Queues rows synchronously and writes them in batches. `commits`, `rows` and `bytes` count what became durable."""

    def __init__(self, backend: Backend, guard: Callable[[], Guard | None] = lambda: None) -> None:
        self._backend = backend
        self._guard = guard
        self.fence: Callable[[], Awaitable[None] | None] = lambda: None
        self.values = LargeValues()
        self.batch = Batch()  # what the next commit carries; filled by the logs
        self.pending_bytes = 0
        self.commits = self.rows = self.bytes = 0
        self.error: StorageError | None = None
        self._touched: dict[Source, None] = {}
        self._behind: dict[bytes, Source] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._regrets: list[tuple[bytes | None, Callable[[], None]]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._woken = False  # the same, but cheaper to ask and to say
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False

    def touch(self, source: Source, size: int = 0, on_durable: Callable[[], None] | None = None) -> None:
        """The source has put something into the batch, or has something to settle."""
        self._touched[source] = None
        self.pending_bytes += size
        if on_durable is not None:
            self._callbacks.append(on_durable)
        if not self._woken or self.error is not None:
            self.wake()

    def after_commit(
        self, callback: Callable[[], None], regret: Callable[[], None], run_id: bytes | None = None
    ) -> None:
        """Runs the callback once the current batch is durable, or the other one if it is lost, or the rows of that run
        are.
        """
        self._callbacks.append(callback)
        self._regrets.append((run_id, regret))
        self.wake()

    def wake(self) -> None:
        """Lets the writer run. Raises StoreClosed once the journal has ended."""
        if self.error is not None:
            raise self.error
        if not self._woken:
            self._woken = True
            self._wake.set()
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="sealflow journal")

    def seal_heads(self) -> None:
        """Writes a head for every run whose last one is behind its history. The timer calls it once a second while
        there are any.
        """
        self._timer = None
        if self._behind and self.error is None:
            self._want_heads(self._behind.values())
            self.wake()

    def _want_heads(self, sources: Iterable[Source]) -> None:
        for source in sources:
            source.want_head()
            self._touched[source] = None

    async def part(self, run_ids: Collection[bytes]) -> None:
        """Writes what is queued of these runs, with their heads. Whoever gives a run away calls this first: after it,
        nothing of the run is left to be written here.
        """
        sources = {*self._touched, *self._behind.values()}
        mine = [source for source in sources if source.run_id in run_ids]
        if mine and self.error is None:
            self._want_heads(mine)
            await self.flush()
        for run_id in run_ids:
            self._behind.pop(run_id, None)

    async def flush(self) -> None:
        """Returns when everything queued so far is durable. Raises the error of the commit that failed."""
        if self.error is not None:
            raise self.error
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.wake()
        await waiter

    async def close(self) -> None:
        """Writes what is queued and the heads that are behind, and ends. Raises the error of a commit that fails."""
        self._closing = True
        try:
            if self.error is None and self._writer is not None:
                await self.flush()  # first, so that all that is behind is known
                self.seal_heads()
                with suppress(StorageError):  # all that was appended is durable: a head only proves it sooner
                    await self.flush()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._writer is not None:
                self._writer.cancel()
                await asyncio.gather(self._writer, return_exceptions=True)
            if self.error is None:
                self.error = StoreClosed("The environment is closed.")

    # --- the writer

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                # Whoever is ready to run may still join this batch.
                await asyncio.sleep(0)
                self._wake.clear()
                self._woken = False
                await self._write_batch()
        finally:
            if self.error is None:  # cancelled, with the loop
                self.error = StoreClosed("The environment is closed.")
                self._fail(self.error, {}, [], [])

    async def _write_batch(self) -> None:
        batch, self.batch = self.batch, Batch()
        touched, self._touched = self._touched, {}
        callbacks, self._callbacks = self._callbacks, []
        regrets, self._regrets = self._regrets, []
        waiters, self._waiters = self._waiters, []
        size, self.pending_bytes = self.pending_bytes, 0
        lost: frozenset[bytes] = frozenset()
        try:
            for wait in batch.claims.waits:
                if wait.release and (source := self._behind.get(wait.run_id)) is not None:
                    source.want_head()  # the run is given away with this commit
                    touched[source] = None
            for source in touched:
                if source.settle(batch):
                    self._behind[source.run_id] = source
                elif self._behind.get(source.run_id) is source:
                    del self._behind[source.run_id]
            rows = batch.rows()
            if rows:
                answer = self.fence()
                if answer is not None:
                    await answer
                batch.guard = self._guard()
                lost = await self._commit(batch, touched)
        except StorageError as error:
            self._fail(error, touched, waiters, regrets)
            return
        except BaseException:
            self.error = StoreClosed("The environment was closed during a commit.")
            self._fail(self.error, touched, waiters, regrets)
            raise
        if rows:
            self.commits += 1
            self.rows += rows
            self.bytes += size
        if lost:
            self._lose(lost, touched, regrets)
        for source in touched:
            source.committed()
        for callback in callbacks:
            try:  # as `_call` does
                callback()
            except Exception as error:
                self._complain(error)
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._behind and self._timer is None and not self._closing:
            self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.seal_heads)

    def _lose(
        self,
        runs: frozenset[bytes],
        touched: dict[Source, None],
        regrets: list[tuple[bytes | None, Callable[[], None]]],
    ) -> None:
        """Drops what is queued of runs that this process does not own, and tells their logs."""
        self.batch.without(runs)
        lost = {source: None for source in (*touched, *self._touched) if source.run_id in runs}
        for source in lost:
            touched.pop(source, None)
            self._touched.pop(source, None)
            if self._behind.get(source.run_id) is source:
                del self._behind[source.run_id]
        for run_id, regret in (*regrets, *self._regrets):
            if run_id in runs:
                self._call(regret)
        for source in lost:
            error = RunNotOwned([source.run_id])
            self._call(lambda source=source, error=error: source.failed(error))  # type: ignore[misc]

    async def _commit(self, batch: Batch, touched: dict[Source, None]) -> frozenset[bytes]:
        """Writes the batch; the runs that were left out, because this process does not own them."""
        lost: frozenset[bytes] = frozenset()
        attempt = 0
        while True:
            try:
                await self._backend.commit(batch)
                break
            except RunNotOwned as error:
                mine = error.runs & {source.run_id for source in touched} - lost
                if not mine:
                    raise
                lost |= mine
                batch.without(mine)
                if not batch.rows():
                    break
            except StoreBusy as error:  # rolled back whole: the same batch may be tried again
                attempt += 1
                if self._closing and attempt >= _BUSY_ATTEMPTS_AT_CLOSE:
                    raise
                if attempt == 1:
                    log.warning("writing waits: %s", error.message)
                await asyncio.sleep(BUSY_SECONDS[min(attempt, len(BUSY_SECONDS)) - 1])
        if attempt:
            log.warning("the store can be written again")
        return lost

    def _fail(
        self,
        error: StorageError,
        touched: dict[Source, None],
        waiters: list[asyncio.Future[None]],
        regrets: list[tuple[bytes | None, Callable[[], None]]],
    ) -> None:
        """Drops the failed batch and the one that was being filled: it may hold pages that continue lost ones."""
        lost = {**touched, **self._touched}
        waiters = [*waiters, *self._waiters]
        regrets = [*regrets, *self._regrets]
        self.batch, self._touched, self._callbacks, self._waiters, self._regrets = Batch(), {}, [], [], []
        self.pending_bytes = 0
        for source in lost:
            self._behind.pop(source.run_id, None)
        # First: whoever is told of the failure may write again at once.
        for _, regret in regrets:
            self._call(regret)
        for source in lost:
            self._call(lambda source=source: source.failed(error))  # type: ignore[misc]
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def _call(self, callback: Callable[[], None]) -> None:
        """A callback that raises is a fault of its owner and must not stop the others' commits."""
        try:
            callback()
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "A callback after a commit failed.", "exception": error}
        )
