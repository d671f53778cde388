"""The journal: one writer for all runs of an environment, with a group commit that clocks itself.

Everything queued while one commit is under way goes into the next, so the busier the environment, the larger the
batches; there is no window and no timer to wait for. Callbacks run after the commit that made their records durable,
never before and never without it.

The first commit that fails ends the journal: everything queued is dropped, the runs concerned are told, and every later
call raises the same error. Nothing is half-written, and what was acknowledged stays. Opening the vault again goes on
from the last durable record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from .errors import StorageError, StoreBusy, StoreClosed
from .port import Backend, Batch

HEAD_SECONDS = 1.0
_BUSY_ATTEMPTS = 3


class Source(Protocol):
    """A run's log, as the journal sees it."""

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

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.batch = Batch()  # what the next commit carries; filled by the logs
        self.pending_bytes = 0
        self.commits = self.rows = self.bytes = 0
        self.error: StorageError | None = None
        self._touched: dict[Source, None] = {}
        self._behind: dict[Source, None] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False

    def touch(self, source: Source, size: int = 0, on_durable: Callable[[], None] | None = None) -> None:
        """The source has put something into the batch, or has something to settle."""
        self._touched[source] = None
        self.pending_bytes += size
        if on_durable is not None:
            self._callbacks.append(on_durable)
        self.wake()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Runs the callback once the current batch is durable."""
        self._callbacks.append(callback)
        self.wake()

    def wake(self) -> None:
        """Lets the writer run. Raises the journal's error if it has failed or is closed."""
        if self.error is not None:
            raise self.error
        self._wake.set()
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="sealflow journal")

    def seal_heads(self) -> None:
        """Writes a head for every run whose last one is behind its history. The timer calls it once a second while
        there are any.
        """
        self._timer = None
        if self._behind and self.error is None:
            for source in self._behind:
                source.want_head()
            self._touched.update(self._behind)
            self.wake()

    async def flush(self) -> None:
        """Returns when everything queued so far is durable. Raises the error of the commit that failed."""
        if self.error is not None:
            raise self.error
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.wake()
        await waiter

    async def close(self) -> None:
        """Writes what is queued and the heads that are behind, and ends. Raises nothing for a journal that has failed
        before.
        """
        self._closing = True
        try:
            if self.error is None and self._writer is not None:
                await self.flush()  # first, so that all that is behind is known
                self.seal_heads()
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
                if not await self._write_batch():
                    return
        finally:
            if self.error is None:  # cancelled, with the loop
                self._fail(StoreClosed("The environment is closed."), {}, [])

    async def _write_batch(self) -> bool:
        batch, self.batch = self.batch, Batch()
        touched, self._touched = self._touched, {}
        callbacks, self._callbacks = self._callbacks, []
        waiters, self._waiters = self._waiters, []
        size, self.pending_bytes = self.pending_bytes, 0
        try:
            for source in touched:
                if source.settle(batch):
                    self._behind[source] = None
                else:
                    self._behind.pop(source, None)
            rows = batch.rows()
            if rows:
                await self._commit(batch)
        except StorageError as error:
            self._fail(error, touched, waiters)
            return False
        except BaseException:
            self._fail(StoreClosed("The environment was closed during a commit."), touched, waiters)
            raise
        if rows:
            self.commits += 1
            self.rows += rows
            self.bytes += size
        for source in touched:
            source.committed()
        for callback in callbacks:
            self._call(callback)
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._behind and self._timer is None and not self._closing:
            self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.seal_heads)
        return True

    async def _commit(self, batch: Batch) -> None:
        for attempt in range(1, _BUSY_ATTEMPTS + 1):
            try:
                await self._backend.commit(batch)
                return
            except StoreBusy:  # rolled back whole: the same batch may be tried again
                if attempt == _BUSY_ATTEMPTS:
                    raise

    def _fail(self, error: StorageError, touched: dict[Source, None], waiters: list[asyncio.Future[None]]) -> None:
        self.error = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiters = [*waiters, *self._waiters]
        for source in {**touched, **self._touched}:
            self._call(lambda source=source: source.failed(error))  # type: ignore[misc]
        self.batch, self._touched, self._callbacks, self._waiters = Batch(), {}, [], []
        self._behind.clear()
        self.pending_bytes = 0
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def _call(self, callback: Callable[[], None]) -> None:
        """A callback that raises is a fault of its owner and must not stop the others' commits."""
        try:
            callback()
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "A callback after a commit failed.", "exception": error}
            )
