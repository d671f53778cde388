"""What a process that executes runs asks of an environment's store: to be one of its workers, which runs are its own,
when they are looked at again. No plain values, no keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .journal import Journal
from .port import Backend
from .rows import WaitRow


class Workers:
    """One worker's view. See the port's `Backend` for what is promised; times are Unix milliseconds."""

    def __init__(self, backend: Backend, journal: Journal) -> None:
        self._backend = backend
        self._journal = journal

    async def join(self, *, lead: bool = True) -> bool:
        """Becomes a worker, until the vault is closed; False where another process has the environment for itself.

        With `lead` it leads where nobody does, without only after `lead()`.
        """
        return await self._backend.join(lead=lead)

    @property
    def shared(self) -> bool:
        """Whether there may be other workers."""
        return self._backend.shared

    @property
    def leads(self) -> bool:
        """Whether this one does what is to be done once."""
        return self._backend.leads

    @property
    def paused(self) -> bool:
        """Whether the others are to leave all runs to the one that leads, as long as keys are migrated."""
        return self._backend.paused

    async def lead(self) -> bool:
        """Leads from now on if nobody does; whether this one leads."""
        return self._backend.leads or await self._backend.lead()

    async def claim(self, limit: int, now_ms: int, without: Sequence[bytes] = ()) -> list[bytes]:
        """Unfinished runs that are ready, for this worker from now on. Raises ExecutorLost."""
        return await self._backend.claim(limit, now_ms, without)

    async def claim_run(self, run_id: bytes) -> bool:
        """This very run; False where another worker has it. Raises ExecutorLost."""
        return await self._backend.claim_run(run_id)

    async def release(self, run_ids: Sequence[bytes]) -> None:
        """Gives runs back. What was appended to them has to be durable."""
        await self._backend.release(run_ids)

    async def told(self) -> list[bytes]:
        """Runs of this worker that another one told something."""
        return await self._backend.told()

    async def next_wake(self) -> int | None:
        """When the next run that is nobody's is due."""
        return await self._backend.next_wake()

    async def unfinished_of(self, flow_id: bytes) -> list[bytes]:
        """The ids of a flow's runs that have not ended, oldest first."""
        return await self._backend.unfinished_of(flow_id)

    def set_wait(self, run_id: bytes, wake_ms: int, *, release: bool) -> None:
        """With the journal's current batch: the run is looked at again at this time, 0 for one that goes on."""
        self._journal.wake()
        self._journal.batch.waits.append(WaitRow(run_id, wake_ms, release))

    def wake(self, run_id: bytes, told: Callable[[], None]) -> None:
        """With the journal's current batch: the run is looked at as soon as can be. `told` is called when that is
        durable.
        """
        self._journal.wake()
        self._journal.batch.wakes.append(run_id)
        self._journal.after_commit(told, lambda: None)

    async def hint(self) -> None:
        """Lets other workers look at once, if that can be done. Never raises."""
        await self._backend.hint()

    def on_hint(self, tell: Callable[[], None]) -> None:
        """Calls this with each hint of another worker."""
        self._backend.on_hint(tell)
