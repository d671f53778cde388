"""Workers: which process executes runs, and which worker owns which run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes

FOR_EVENTS = (1 << 63) - 1
"""The `wake_ms` of a run that only an event resumes."""

FIRST_EPOCH = 1
"""The ownership epoch of a run that its creator owns. Each claim of an unowned run adds one."""


class WaitRow(NamedTuple):
    """When a worker checks an unfinished run again: 0 while it runs, else Unix milliseconds (FOR_EVENTS if an event
    resumes it). `release`: the worker gives the run up until then. A run that was signalled (`wakes` in a batch) while
    it ran is checked at once.
    """

    run_id: bytes
    wake_ms: int
    release: bool


class QueueRow(NamedTuple):
    """A run that only a worker that serves its queue resumes. In a queue the smallest `rank` comes first, then the
    oldest run. The rank is not negative while the run waits, and is reduced by two when a worker first takes it. A
    waiting run has no owner; the time of its WaitRow is when it has waited too long.
    """

    run_id: bytes
    queue: bytes
    rank: int


@dataclass(slots=True)
class ClaimChanges(Changes):
    """When workers check runs again."""

    waits: list[WaitRow] = field(default_factory=list)
    wakes: list[bytes] = field(default_factory=list)
    """Signalled runs, for example because a child has returned: checked at once, or again if they run. A run that has
    ended or does not exist is no error.
    """
    queues: list[QueueRow] = field(default_factory=list)

    def without(self, runs: Collection[bytes]) -> None:
        self.waits[:] = [row for row in self.waits if row.run_id not in runs]
        self.queues[:] = [row for row in self.queues if row.run_id not in runs]


class WorkerStore(Protocol):
    """The role of this process: whether it executes runs, shares the store with other workers, and leads them.

    `Backend.close` gives the role up. A process that lost its role writes nothing more (ExecutorLost).
    """

    async def try_become_executor(self) -> bool:
        """Take the environment exclusively. Return False if another process executes it."""
        ...

    async def join(self, *, lead: bool = True) -> bool:
        """Become a worker that may share the environment. Return False if another process has it exclusively; in a
        store that cannot be shared, every worker has. With `lead`, this worker leads as soon as no other does.
        """
        ...

    async def ask_for_role(self, asking: bool) -> bool:
        """Tell the leading process that this one wants the lead (or withdraw that), until this process ends. Return
        whether the other process can hand over, as far as is known.
        """
        ...

    async def role_wanted(self) -> bool:
        """Return whether another process asks for the lead."""
        ...

    async def hand_over(self) -> None:
        """Stop being a worker until the next `join`. All writes must be durable before."""
        ...

    async def lead(self) -> bool:
        """Lead unless another worker does: now, and whenever no worker leads. Return whether this one leads."""
        ...

    @property
    def holds_role(self) -> bool:
        """Whether no other process can have taken over: checked before each effect. False if that is uncertain, for
        example after this process was stopped for a while.
        """
        ...

    async def confirm_role(self) -> None:
        """Return when `holds_role` is true again. Raises ExecutorLost."""
        ...

    @property
    def paused(self) -> bool:
        """Whether an operation of the leading worker, which is another one, needs all runs. As of the last `claim` or
        `signalled`.
        """
        ...

    @property
    def shared(self) -> bool:
        """Whether there may be other workers. Then each run belongs to one worker: no other writes it (RunNotOwned),
        and a worker owns the runs that it creates.
        """
        ...

    @property
    def leads(self) -> bool:
        """Whether this worker leads. At most one leads; a worker that is taken over stops writing before another one
        leads.
        """
        ...

    @property
    def executor_lost(self) -> bool:
        """Whether another process took over the role of this one."""
        ...

    async def executor_pid(self) -> int | None:
        """Return the id of a process that executes runs, if known."""
        ...


class ClaimStore(Protocol):
    """Claims runs for this worker, and tells it which runs to resume."""

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Claim up to `limit` unfinished, unowned runs that are ready at this time: ready ones first, oldest first.

        A run is returned once, unless it was released, became due or was signalled since; it may already run here.
        Signals to runs in `here` come from this process: such a run is not returned for them, and the signal stays on
        record until the run continues or is returned. Leave out runs of the flows in `without`. Workers whose lease
        has ended are taken over first. Raises ExecutorLost.
        """
        ...

    async def claim_run(self, run_id: bytes) -> int:
        """Claim one run, whether it is due or not. Return its ownership epoch, which each claim of an unowned run
        raises by one; 0 if another worker owns it. Always 1 in a store that is not shared. Raises ExecutorLost.
        """
        ...

    async def owns(self, run_id: bytes, epoch: int) -> bool:
        """Return whether this worker owns an unfinished run under this epoch. Raises ExecutorLost."""
        ...

    async def release(self, run_ids: Sequence[bytes]) -> None:
        """Give runs of this worker back. No write of them may be in progress."""
        ...

    async def signalled(self) -> list[bytes]:
        """Return runs of this worker that another one signalled (`wakes` in a batch) since the last call, if `claim`
        does not return them. A signal stays on record until the run continues, even if the worker crashes.
        """
        ...

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Claim up to `limit` unfinished, unowned runs of these queues in queue order: runs that wait, and started ones
        that are ready. Leave out the runs in `here`. `claim` returns none of these, except one that has waited too
        long. Raises ExecutorLost.
        """
        ...

    async def queue_of(self, run_id: bytes) -> bytes | None:
        """Return the queue of an unfinished run; None if it has none or does not exist."""
        ...

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        """Return up to `limit` unfinished runs of these queues in queue order, started ones first."""
        ...

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        """Return when the next unowned run is due (Unix milliseconds); None if none waits. Counts started runs of these
        queues and, unless `alone`, the runs that `claim` returns.
        """
        ...

    async def hint(self) -> None:
        """Ask other workers to check at once, if the store can do that. Never raises."""
        ...

    def on_hint(self, tell: Callable[[], None]) -> None:
        """Call `tell` for each hint. A hint may be late or get lost."""
        ...
