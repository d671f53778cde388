"""Which worker owns which run, and which runs are due."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....errors import taken_over
from ....port import ClaimChanges, QueueRow
from ...reading.columns import identifier
from ..connection import Connection
from ..hints import Listener
from ..readers import Readers
from ..statements import SQL, each
from .workers import PostgresWorkers


class PostgresClaims:
    """See `port.ClaimStore`."""

    def __init__(self, readers: Readers, workers: PostgresWorkers) -> None:
        self._readers = readers
        self._workers = workers
        self._listener: Listener | None = None

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        worker, epoch = self._workers.role()
        await self._workers.tend()
        parameters = (worker, epoch, now_ms, list(without), limit)
        rows = await self._workers.as_worker(SQL["claim_runs"], *parameters)
        return [identifier(run_id) for _, run_id in sorted((row[0], row[1]) for row in rows)]

    async def claim_run(self, run_id: bytes) -> int:
        if not self._workers.shared:  # everything is its own
            return 1
        return int((await self._workers.as_worker(SQL["claim_run"], *self._workers.role(), run_id))[0][0])

    async def owns(self, run_id: bytes, epoch: int) -> bool:
        if not self._workers.shared:
            return True
        rows = await self._readers.select(SQL["owns_run"], (*self._workers.role(), run_id, epoch))
        if not rows:
            self._workers.lose()
            raise taken_over()
        return bool(rows[0][0])

    async def release(self, run_ids: Sequence[bytes]) -> None:
        if not self._workers.shared:
            return
        await self._workers.as_worker(SQL["release_runs"], self._workers.role().worker, list(run_ids))
        await self.hint()

    async def signalled(self) -> list[bytes]:
        await self._workers.tend()  # a worker without room claims nothing, and has to see that it is paused
        rows = await self._workers.as_worker(SQL["told_runs"], self._workers.role().worker)
        return [identifier(row[0]) for row in rows]

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        role = self._workers.role()
        await self._workers.tend()
        rows = await self._workers.as_worker(SQL["claim_queued"], *role, now_ms, list(queues), limit)
        return [identifier(run_id) for _, run_id in sorted((row[0], row[1]) for row in rows)]

    async def queue_of(self, run_id: bytes) -> bytes | None:
        found: bytes | None = await self._readers.value(SQL["queue_of"], run_id)
        return found

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        return [QueueRow(*row) for row in await self._readers.fetch("queued", list(queues), limit)]

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        found: int | None = await self._readers.value(SQL["next_wake"], list(queues), alone)
        return found

    async def hint(self) -> None:
        await self._workers.hint()

    def on_hint(self, tell: Callable[[], None]) -> None:
        if self._listener is None and not self._readers.closed:
            self._listener = Listener(self._readers.target, tell)
            self._listener.start()

    async def stop(self) -> None:
        """Stop listening for hints."""
        if self._listener is not None:
            await self._listener.stop()


async def after(connection: Connection, changes: ClaimChanges, worker: bytes | None) -> None:
    """Write the queues of runs. Other changes are among the common rows."""
    await each(connection, "queues", [(*row, worker) for row in changes.queues])
