"""The ports: what stores rows (`Backend`) and what wraps environment keys (`KeyProvider`). No cipher, no SQL, no plain
values.

A backend sees opaque bytes and the clear columns that docs/reference/clear-columns.md publishes; see rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from .rows import (
    AssignmentRow,
    BackupRow,
    Batch,
    ChunkRow,
    ConnectionRow,
    EnvironmentKeyRow,
    EnvironmentRow,
    FlowRow,
    InboxKeyRow,
    InboxRow,
    KeyCount,
    KeyRow,
    KeyStateRow,
    LargeValueRow,
    LinkedRow,
    MessageRow,
    OperationRow,
    PageRow,
    PartitionRow,
    PolicyRow,
    QueueRow,
    RetentionRow,
    RunRow,
    SealedItemRow,
    SealedSize,
    SnapshotRow,
    StoredInboxRow,
    StoredMessageRow,
    TriggerRow,
    VersionRow,
)


class Observer(Protocol):
    """What another thread sees of a store while the thread that has the backend open is busy.

    Made by `Backend.observer`; its methods belong to one event loop, of any thread.
    """

    async def key_epochs(self) -> tuple[int, int]:
        """Epoch and lock epoch of the store as it is now."""
        ...

    async def keep_lease(self) -> None:
        """Renew the lease that the backend holds, where it holds one and its time has come."""
        ...

    async def close(self) -> None: ...


class Backend(Protocol):
    """Stores rows. Every method raises the errors of errors.py only.

    `commit` is one transaction: all of the batch or nothing, durable when it returns. A row whose key is there already,
    or one whose `row_version` is not the next one, is a Conflict, and so is a row that is to be replaced or retired and
    is not there, an environment key that is to be retired while a scope key needs it, a run that is to be removed
    before it and its parent have ended, or a flow that still has runs (runs are removed first). A batch with a `guard`
    that does not hold is refused: EnvironmentLocked (whatever the guard says, unless the batch writes the state), or
    StaleKeys. It answers with the numbers of the
    batch's inbox rows and then of its messages (that of the row already there, for a repeated `dedupe`). Consuming an
    item or a message also deletes the key rows of its scope and kind; one that is gone is no error.

    A `RunUpdate` changes a run only if the stored `head_version` is one less, and where workers share the store, a run
    that has not ended is written only by the worker that owns it, under the epoch in `Batch.owned`: the statement
    itself says so. Otherwise RunNotOwned names these runs, and nothing of the batch is written.

    A row whose columns hold values of other types than its tuple names is an IntegrityError. Reading does not wait for
    a commit that is under way.
    """

    async def close(self) -> None: ...

    def observer(self) -> Observer:
        """A way to look at the store from another thread."""
        ...

    async def identity(self) -> bytes | None: ...

    async def commit(self, batch: Batch) -> list[int]: ...

    async def environment_keys(self) -> list[EnvironmentKeyRow]: ...

    async def key_state(self) -> KeyStateRow | None: ...

    async def keys(self, kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
        """The newest generation of each scope."""
        ...

    async def key_generations(self, kind: int, scope: bytes) -> list[KeyRow]:
        """All generations of one scope, oldest first."""
        ...

    async def keys_of(
        self, domain: int, key_version: int | None, limit: int, after: int = 0
    ) -> list[tuple[int, KeyRow]]:
        """Scope keys that an environment key (or any of a domain) wraps, with the number that orders them."""
        ...

    async def key_counts(self) -> list[KeyCount]: ...

    async def mixed_scopes(self, kind: int) -> list[bytes]:
        """The scopes of one kind that have more than one generation."""
        ...

    async def run_counts(self) -> list[tuple[int, int]]:
        """Each domain, with how many runs belong to it."""
        ...

    async def policies(self) -> list[PolicyRow]: ...

    async def policy(self, name_index: bytes) -> PolicyRow | None: ...

    async def assignments(self) -> list[AssignmentRow]: ...

    async def audit(self, after: int, limit: int) -> list[LinkedRow]:
        """In order, those with a number above `after`."""
        ...

    async def last_audit(self) -> LinkedRow | None: ...

    async def connections(self) -> list[ConnectionRow]: ...

    async def connection(self, name_indexes: Sequence[bytes]) -> ConnectionRow | None: ...

    async def operations(self) -> list[OperationRow]:
        """Oldest first."""
        ...

    async def ledger(self, after: int, limit: int) -> list[LinkedRow]:
        """In order, those with a number above `after`."""
        ...

    async def last_ledger(self) -> LinkedRow | None: ...

    async def retentions(self) -> list[RetentionRow]: ...

    async def backups(self) -> list[BackupRow]:
        """Oldest first."""
        ...

    async def run_sizes(self, flow_id: bytes) -> dict[bytes, int]:
        """The bytes of sealed history of each run of a flow, large values included."""
        ...

    async def flow_scopes(self) -> list[bytes]:
        """The scopes of all keys of flows: each has a row, or somebody has removed it."""
        ...

    async def environment_scopes(self) -> list[bytes]:
        """The same of environments."""
        ...

    async def environments(self) -> list[EnvironmentRow]: ...

    async def environment(self, name_index: bytes) -> EnvironmentRow | None: ...

    async def flows(self) -> list[FlowRow]: ...

    async def flow(self, *, flow_id: bytes | None = None, name_indexes: Sequence[bytes] = ()) -> FlowRow | None:
        """A flow by its id, or by any of its name's blind indexes."""
        ...

    async def version(self, flow_id: bytes, number: int) -> VersionRow | None: ...

    async def version_numbers(self, flow_id: bytes) -> list[int]: ...

    async def run(self, run_id: bytes) -> RunRow | None: ...

    async def runs(
        self,
        *,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[RunRow]:
        """Newest first; `before` is the id of the last run of the page before."""
        ...

    async def needed_runs(self, run_ids: Sequence[bytes]) -> list[bytes]:
        """Which of these may not be removed now: they have not ended, or their parent has not."""
        ...

    async def run_ids(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Runs with the number that orders them, those above `after`."""
        ...

    async def unfinished(self) -> list[bytes]: ...

    async def unfinished_of(self, flow_id: bytes) -> list[bytes]:
        """The runs of a flow that have not ended, oldest first."""
        ...

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        """Up to `limit` pages whose `seq` is at least `from_seq`, in order; none after `most_bytes` were reached, but
        one at least. Fewer of less than that say that there are no more.
        """
        ...

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None: ...

    async def chunks(self, value_id: bytes, after: int, limit: int) -> list[ChunkRow]:
        """Up to `limit` chunks of a large value with a number above `after`, in order. An empty list says that there
        are no more.
        """
        ...

    async def large_values(self, run_id: bytes) -> list[LargeValueRow]:
        """The large values of a run, those included that no record names."""
        ...

    async def unsettled_values(self, before_ms: int, limit: int) -> list[LargeValueRow]:
        """Large values that no record names, made before that time (Unix milliseconds), of runs that are not in
        flight: whoever wrote them has died, or gave up.
        """
        ...

    async def inbox(self, limit: int, after: int = 0) -> list[StoredInboxRow]:
        """The oldest, with a number above `after`. The types of their columns are not checked: one damaged row must not
        hide the others.
        """
        ...

    async def inbox_of(self, run_id: bytes) -> list[StoredInboxRow]:
        """The requests for this run, oldest first. The types of their columns are not checked."""
        ...

    async def inbox_item(self, item_id: bytes) -> InboxRow | None: ...

    async def inbox_key(self) -> InboxKeyRow | None:
        """What items are sealed to now."""
        ...

    async def sealed_items(self, limit: int) -> list[SealedItemRow]:
        """The oldest, by sequence. The types of their columns are not checked."""
        ...

    async def sealed_size(self) -> SealedSize: ...

    async def callback_scope(self, token_hash: bytes) -> bytes | None:
        """The run or flow that waits for a callback with this token."""
        ...

    async def trigger(self, flow_id: bytes) -> TriggerRow | None: ...

    async def triggers(self) -> list[TriggerRow]:
        """All of them, those that are due first, first."""
        ...

    async def due_triggers(self, by_ms: int, limit: int) -> list[TriggerRow]:
        """Those whose `due_ms` is at most `by_ms`, in that order."""
        ...

    async def messages(
        self, flow_id: bytes, partition_indexes: Sequence[bytes] | None, limit: int, after: int
    ) -> list[StoredMessageRow]:
        """The oldest of a flow, or of those with one of these indexes, with a number above `after`."""
        ...

    async def message(self, message_id: bytes) -> MessageRow | None: ...

    async def partitions(self, flow_id: bytes) -> list[PartitionRow]:
        """The partitions in which messages of a flow wait; the one that began first, first."""
        ...

    async def orphaned_keys(self, kind: int) -> list[bytes]:
        """The scopes of all keys of this kind (a run's, flow's, connection's, request's, trigger's, message's,
        operation's, retention's, policy's or assignment's) that have no row, or a message's that is of no flow:
        somebody has removed or moved it.
        """
        ...

    async def strays(self) -> dict[str, int]:
        """How many rows there are, by what they are, that belong to a run or flow which is not there."""
        ...

    async def settle(self) -> bool:
        """Takes what was removed out of the files beside the store as well; False while somebody who reads still needs
        them.
        """
        ...

    async def copy_to(self, path: Path, *, with_keys: Path) -> None:
        """Writes the store as of one moment to the new file `path`, without any key, and its keys to another one."""
        ...

    async def copy_from(self, path: Path, *, with_keys: Path) -> None:
        """Puts what `copy_to` wrote in the place of everything here, in one transaction."""
        ...

    # --- who executes runs. Given up by `close`.

    async def try_become_executor(self) -> bool:
        """Has the environment for itself from now on, or says that somebody executes it."""
        ...

    async def join(self, *, lead: bool = True) -> bool:
        """Becomes a worker that may share the environment with others, or says that somebody has it for itself; where
        a store cannot be shared, every worker has. With `lead` it leads as soon as nobody does.
        """
        ...

    async def ask_for_role(self, asking: bool) -> bool:
        """Lets the process that leads know that this one would, and do everything that is to be done once; whether it
        hands that over, as far as is known. Ends with the process.
        """
        ...

    async def role_wanted(self) -> bool:
        """Whether another process asks for that."""
        ...

    async def hand_over(self) -> None:
        """Is no worker any more, until the next `join`. What was to be written has to be durable."""
        ...

    async def lead(self) -> bool:
        """Leads, unless another worker does: from now on, and whenever nobody does."""
        ...

    @property
    def holds_role(self) -> bool:
        """Whether no other process can have taken over what this one executes: asked right before each effect. False
        where that is not certain, e.g. after this process was stopped for a while.
        """
        ...

    async def confirm_role(self) -> None:
        """Returns when `holds_role` is true again. Raises ExecutorLost."""
        ...

    @property
    def paused(self) -> bool:
        """Whether an operation goes on that wants all runs for the worker that leads; this is another one. As of the
        last `claim` or `told`.
        """
        ...

    @property
    def shared(self) -> bool:
        """Whether there may be other workers beside this one. Then a run belongs to one of them: it is written by no
        other (RunNotOwned), and a run that a worker makes is its own.
        """
        ...

    @property
    def leads(self) -> bool:
        """Whether this is the worker that does what is to be done once. There is never more than one, and one that is
        taken over by others stops writing before they lead.
        """
        ...

    async def claim(
        self, limit: int, now_ms: int, without: Sequence[bytes] = (), *, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Up to `limit` unfinished runs that are nobody's and ready at this time, for this worker from now on: those
        that are ready first, the oldest first. Each is given once, unless it was released, became due or was told
        something since; one that goes on here may be among them. What those are told that are `here`, they are told by
        this very process: they are not given for that, and it stays on record until they go on or are given. `without`
        runs of these flows. Workers whose lease has ended are taken over first. Raises ExecutorLost.
        """
        ...

    async def claim_run(self, run_id: bytes) -> int:
        """This very run, whenever it is due: its ownership epoch, which is one more each time that an unowned run is
        claimed; 0 where it is another worker's. Where there are no other workers it is always 1. Raises ExecutorLost.
        """
        ...

    async def owns(self, run_id: bytes, epoch: int) -> bool:
        """Whether this worker owns an unfinished run under this epoch. Raises ExecutorLost where it was taken over."""
        ...

    async def release(self, run_ids: Sequence[bytes]) -> None:
        """Gives runs of this worker back, with nothing of them under way."""
        ...

    async def told(self) -> list[bytes]:
        """Runs of this worker that another one told something (`Batch.wakes`) since the last call, where `claim` does
        not give them. It stays on record until they go on: who dies before that has not slept over it.
        """
        ...

    async def claim_queued(
        self, queues: Sequence[bytes], limit: int, now_ms: int, here: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Up to `limit` unfinished runs of these queues that are nobody's, for this worker from now on, in the order of
        their places: those that wait, and those that had begun and are ready. `here` go on in this worker, and are not
        given. `claim` gives none of these, but one that has waited too long. Raises ExecutorLost.
        """
        ...

    async def queue_of(self, run_id: bytes) -> bytes | None:
        """The queue of a run that has not ended, None where it has none, or is not there."""
        ...

    async def queued(self, queues: Sequence[bytes], limit: int) -> list[QueueRow]:
        """Up to `limit` unfinished runs of these queues, in the order of their places; those that have begun first."""
        ...

    async def next_wake(self, queues: Sequence[bytes] = (), *, alone: bool = False) -> int | None:
        """When the next run that is nobody's is due, in Unix milliseconds; None where none waits. Those that have begun
        in these queues, and unless they are meant `alone`, those that `claim` gives.
        """
        ...

    async def inbox_here(self, limit: int, after: int = 0, without: Sequence[bytes] = ()) -> list[StoredInboxRow]:
        """As `inbox`, what is for this worker: of its own runs and of those that are nobody's (`without` these flows,
        unless it leads), and all the rest where it leads.
        """
        ...

    async def hint(self) -> None:
        """Lets other workers look at once, if that can be done. Never raises."""
        ...

    def on_hint(self, tell: Callable[[], None]) -> None:
        """Calls this with each hint, which may come late, or not at all."""
        ...

    @property
    def executor_lost(self) -> bool:
        """Whether somebody else has taken over the role that this one had: it writes nothing more (ExecutorLost)."""
        ...

    async def executor_pid(self) -> int | None:
        """A process that executes runs, where known."""
        ...


class Wrapped(NamedTuple):
    """A wrapped environment key and the id of the key version that wrapped it."""

    kek: bytes
    data: bytes


class KeyFacts(NamedTuple):
    """What a provider knows of its key. `version` is the id of the version that `wrap` uses now.

    `recoverable`: whoever deletes the key by mistake can get it back (soft delete with purge protection, a deletion
    guard, a waiting time); None where the provider cannot tell. `expires_ms`: Unix milliseconds, None for never.
    `problem` says, in words, why a policy must not use the key; None where it may.
    """

    version: bytes
    recoverable: bool | None = None
    expires_ms: int | None = None
    problem: str | None = None


class KeyProvider(Protocol):
    """Wraps and unwraps environment keys under a key that stays with it. One object for one named key.

    `name` is the provider's kind, `uri` the key's address (never a secret). `wrap` uses the key's current version and
    says which that was; what it answers was opened again by the key store itself before it is returned, since some
    clients wrap with a cached public key that proves nothing. `unwrap` takes what any version still in the key store
    wrapped. Payloads are up to 160 bytes. `context` is authenticated where the key store can do that; the payload
    carries the same facts in any case.

    Raises KeyDenied (a definite refusal), KeyUnavailable (no answer; also the service's own bad credentials),
    WrongKey (made by another key), IntegrityError (altered); the service keystore also KeyMissing and
    KeystoreUnreadable. No other exception leaves a provider, and no message names a secret.
    """

    name: str
    uri: str

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped: ...

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes: ...

    async def facts(self) -> KeyFacts:
        """Asks the key store about the key, without using it."""
        ...

    async def aclose(self) -> None: ...
