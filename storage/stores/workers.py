"""What a process that executes runs asks of an environment's store: to be one of its workers, which runs are its own,
when they are looked at again. No plain values, no keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..port import FOR_EVENTS, Backend, QueueRow, WaitRow
from .runs.journal import Journal

BEGUN = -1
"""The rank of a run that was taken out of its queue."""


class Workers:
    """One worker's view. See the port's `Backend` for what is promised; times are Unix milliseconds."""

    def __init__(self, backend: Backend, journal: Journal) -> None:
        self._backend = backend
        self._journal = journal

    async def join(self, *, lead: bool = True) -> bool:
        """Becomes a worker, until the vault is closed; False where another process has the environment for itself.

        With `lead` it leads where nobody does, without only after `lead()`.
        """
        return await self._backend.workers.join(lead=lead)

    @property
    def shared(self) -> bool:
        """Whether there may be other workers."""
        return self._backend.workers.shared

    @property
    def leads(self) -> bool:
        """Whether this one does what is to be done once."""
        return self._backend.workers.leads

    @property
    def holds_role(self) -> bool:
        """Whether no other process can have taken over what this one executes: asked right before each effect."""
        return self._backend.workers.holds_role

    async def confirm_role(self) -> None:
        """Return when `holds_role` is true again. Raises ExecutorLost."""
        await self._backend.workers.confirm_role()

    @property
    def paused(self) -> bool:
        """Whether the others are to leave all runs to the one that leads, as long as keys are migrated."""
        return self._backend.workers.paused

    async def lead(self) -> bool:
        """Leads from now on if nobody does; whether this one leads."""
        return self._backend.workers.leads or await self._backend.workers.lead()

    async def ask_for_role(self, asking: bool) -> bool:
        """Lets the process that leads know that this one would; whether it hands that over, as far as is known."""
        return await self._backend.workers.ask_for_role(asking)

    async def role_wanted(self) -> bool:
        """Whether another process asks to lead."""
        return await self._backend.workers.role_wanted()

    async def hand_over(self) -> None:
        """Is no worker any more, until the next `join`. What was to be written has to be durable."""
        await self._backend.workers.hand_over()

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Unfinished runs that are ready, for this worker from now on; `here` are in its memory already. Raises
        ExecutorLost.
        """
        return await self._backend.claims.claim(limit, now_ms, without, here=here)

    async def claim_run(self, run_id: bytes) -> int:
        """This very run: the ownership epoch under which it is written, 0 where another worker has it. Raises
        ExecutorLost.
        """
        return await self._backend.claims.claim_run(run_id)

    async def release(self, run_ids: Sequence[bytes]) -> None:
        """Gives runs back: what was appended to them is written first, with their heads."""
        await self._journal.part(run_ids)
        await self._backend.claims.release(run_ids)

    async def owns(self, run_id: bytes, epoch: int | None) -> bool:
        """Whether this worker still owns a run that it claimed. Raises ExecutorLost where it was taken over."""
        return epoch is None or not self._backend.workers.shared or await self._backend.claims.owns(run_id, epoch)

    async def signalled(self) -> list[bytes]:
        """Runs of this worker that another one told something."""
        return await self._backend.claims.signalled()

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Unfinished runs of these queues, for this worker from now on; `here` go on in it already. Raises
        ExecutorLost.
        """
        return await self._backend.claims.claim_queued(queues, limit, now_ms, here)

    async def queue_of(self, run_id: bytes) -> bytes | None:
        """The queue that a run which has not ended stands in, or was taken from."""
        return await self._backend.claims.queue_of(run_id)

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        """The runs of these queues that have not ended, in the order in which they are taken."""
        return await self._backend.claims.queued(queues, limit)

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        """When the next run that is nobody's is due: of those that have begun in these queues, and unless these are
        meant `alone`, of those that any worker may have.
        """
        return await self._backend.claims.next_wake(queues, alone=alone)

    async def unfinished_of(self, flow_id: bytes) -> list[bytes]:
        """The ids of a flow's runs that have not ended, oldest first."""
        return await self._backend.runs.unfinished_of(flow_id)

    def set_wait(self, run_id: bytes, wake_ms: int, *, release: bool) -> None:
        """With the journal's current batch: the run is looked at again at this time, 0 for one that goes on."""
        self._journal.wake()
        self._journal.batch.claims.waits.append(WaitRow(run_id, wake_ms, release))

    def put_in_queue(self, run_id: bytes, queue: bytes, rank: int, until_ms: int | None) -> None:
        """With the journal's current batch: nobody has the run until it is taken out of the queue, or until it has
        waited too long, and is looked at for that.
        """
        self.set_wait(run_id, FOR_EVENTS if until_ms is None else until_ms, release=True)
        self._journal.batch.claims.queues.append(QueueRow(run_id, queue, rank))

    def set_queue(self, run_id: bytes, queue: bytes) -> None:
        """With the journal's current batch: this run, which goes on here, is for whoever serves the queue."""
        self._journal.wake()
        self._journal.batch.claims.queues.append(QueueRow(run_id, queue, BEGUN))

    def wake(self, run_id: bytes, told: Callable[[], None]) -> None:
        """With the journal's current batch: the run is looked at as soon as can be. `told` is called when that is
        durable.
        """
        self._journal.wake()
        self._journal.batch.claims.wakes.append(run_id)
        self._journal.after_commit(told, lambda: None)

    async def hint(self) -> None:
        """Lets other workers look at once, if that can be done. Never raises."""
        await self._backend.claims.hint()

    def on_hint(self, tell: Callable[[], None]) -> None:
        """Calls this with each hint of another worker."""
        self._backend.claims.on_hint(tell)
