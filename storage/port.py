"""The ports: what a backend stores (`Backend`) and what wraps environment keys (`KeyProvider`). No cipher, no SQL, no
plain values.

A backend sees opaque bytes and the clear columns that docs/reference/clear-columns.md publishes. Rows are named tuples,
because they are exactly what a driver binds. Ids are made by the vault; a backend's own row numbers never leave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple, Protocol


class EnvironmentKeyRow(NamedTuple):
    """A wrapped environment key. `mac` is made with the live service key, `predecessor_mac` with the version before."""

    domain: int
    version: int
    kek: bytes
    kid: bytes
    wrapped: bytes
    policy_epoch: int
    mac: bytes
    predecessor_mac: bytes | None
    created_ms: int


class KeyStateRow(NamedTuple):
    """Which policy covers the environment, and whether it is locked. Written only if one of the two epochs, and no
    other, is one more than the stored one (0 where there is no row).
    """

    epoch: int
    lock_epoch: int
    record: bytes


class Guard(NamedTuple):
    """What a commit takes for granted: the lock epoch its writer knows, and the epoch, where it decided a domain."""

    lock_epoch: int
    epoch: int | None = None


class KeyCount(NamedTuple):
    """How many scope keys of one kind an environment key wraps."""

    kind: int
    domain: int
    key_version: int
    scopes: int


class KeyRow(NamedTuple):
    """A wrapped scope key; deleting the row shreds the scope. `domain` and `key_version` name the environment key that
    wrapped it.
    """

    kind: int
    scope: bytes
    generation: int
    domain: int
    key_version: int
    kid: bytes
    wrapped: bytes


class EnvironmentRow(NamedTuple):
    """An environment, in the control store."""

    environment_id: bytes
    name_index: bytes
    row_version: int
    created_ms: int
    record: bytes


class PolicyRow(NamedTuple):
    """An enterprise policy, in the control store. Written only if the stored `row_version` is one less, or it is
    new.
    """

    policy_id: bytes
    name_index: bytes
    row_version: int
    created_ms: int
    record: bytes


class AssignmentRow(NamedTuple):
    """Which policy covers an environment, in the control store: one row for each environment that ever had one.
    Written as a policy is.
    """

    environment_id: bytes
    row_version: int
    updated_ms: int
    record: bytes


class LinkedRow(NamedTuple):
    """One of a series that only grows, numbered from 1 without gaps, each linked to the one before: an administrator's
    act in the control store's audit, or what is said in an environment's ledger.
    """

    number: int
    created_ms: int
    link: bytes
    record: bytes


class RetentionRow(NamedTuple):
    """How long the runs of a flow are kept. Written as a policy is."""

    flow_id: bytes
    row_version: int
    record: bytes


class BackupRow(NamedTuple):
    """A backup that was made of an environment, in the control store."""

    backup_id: bytes
    environment_id: bytes
    created_ms: int
    record: bytes


class ConnectionRow(NamedTuple):
    """A connection. Written only if the stored `row_version` is one less, or it is new."""

    connection_id: bytes
    name_index: bytes
    domain: int
    row_version: int
    created_ms: int
    updated_ms: int
    record: bytes


class OperationRow(NamedTuple):
    """Work on the keys of an environment that goes on in the background. Written as a connection is; `ended_ms` is None
    while it goes on.
    """

    operation_id: bytes
    row_version: int
    created_ms: int
    ended_ms: int | None
    record: bytes


class FlowRow(NamedTuple):
    """A flow; `version` is the current one's number. Written only if the stored `row_version` is one less, or the flow
    is new.
    """

    flow_id: bytes
    name_index: bytes
    domain: int
    version: int
    row_version: int
    created_ms: int
    updated_ms: int
    record: bytes


class VersionRow(NamedTuple):
    """One version of a flow's definition."""

    flow_id: bytes
    number: int
    created_ms: int
    record: bytes


class RunRow(NamedTuple):
    """A run. `head` seals where its history stands, `summary` what lists show."""

    run_id: bytes
    flow_id: bytes
    version: int
    domain: int
    status: int
    started_ms: int
    ended_ms: int | None
    parent: bytes | None
    head_version: int
    head: bytes
    summary_version: int
    summary: bytes


class RunUpdate(NamedTuple):
    """The changed columns of a run. `summary` is None where it stays as it is."""

    run_id: bytes
    status: int
    ended_ms: int | None
    head_version: int
    head: bytes
    summary_version: int
    summary: bytes | None


class PageRow(NamedTuple):
    """Consecutive records of a run; `seq` is the first one's number."""

    run_id: bytes
    seq: int
    link: bytes
    record: bytes


class SnapshotRow(NamedTuple):
    """The latest sealed cache of a run's state; replaces the one before."""

    run_id: bytes
    seq: int
    record: bytes


class InboxRow(NamedTuple):
    """A request to the executor. A row whose `dedupe` is there already is not added again."""

    item_id: bytes
    kind: int
    run_id: bytes | None
    dedupe: bytes | None
    created_ms: int
    record: bytes


class StoredInboxRow(NamedTuple):
    """An inbox row with the number that orders it. Numbers are never used twice."""

    number: int
    row: InboxRow


class InboxKeyRow(NamedTuple):
    """The public key that a locked environment's items are sealed to, certified by the service. `record` is the private
    one, sealed by a scope key of the kind INBOX_KEY, with the scope `key_id`. There is one at most.
    """

    key_id: bytes
    created_ms: int
    public: bytes
    mac: bytes
    record: bytes


class SealedItemRow(NamedTuple):
    """What came for a run or a flow (`scope`) while the environment was locked. `sequence` is 1, 2, 3 ... for one key."""

    key_id: bytes
    sequence: int
    kind: int
    scope: bytes
    created_ms: int
    mac: bytes
    sealed: bytes


class SealedSize(NamedTuple):
    """How many items wait, their bytes together, and the sequence of the last."""

    items: int
    bytes: int
    last: int


class TokenRow(NamedTuple):
    """The hash of a token by which a callback for a run or a flow (`scope`) is known."""

    token_hash: bytes
    scope: bytes


class TriggerRow(NamedTuple):
    """Where the trigger of a flow stands; `due_ms` is when it has to be looked at again. Written only if the stored
    `row_version` is one less, or the row is new and has version 1.
    """

    flow_id: bytes
    due_ms: int | None
    row_version: int
    record: bytes


class MessageRow(NamedTuple):
    """A message that waits for a batch trigger. A row whose `dedupe` is there already, in the same flow, is not added
    again. `size` is that of the message alone.
    """

    message_id: bytes
    flow_id: bytes
    partition_index: bytes
    dedupe: bytes | None
    size: int
    created_ms: int
    record: bytes


class StoredMessageRow(NamedTuple):
    """A message with the number that orders it. Numbers are never used twice."""

    number: int
    row: MessageRow


class PartitionRow(NamedTuple):
    """How much waits in one partition; `first` is its oldest message's number."""

    partition_index: bytes
    messages: int
    size: int
    oldest_ms: int
    first: int


@dataclass(slots=True)
class Batch:
    """Everything that one commit carries. Order inside: keys, then what they seal, then updates and removals."""

    guard: Guard | None = None
    identity: bytes | None = None
    key_state: KeyStateRow | None = None
    environment_keys: list[EnvironmentKeyRow] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    environments: list[EnvironmentRow] = field(default_factory=list)
    flows: list[FlowRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    pages: list[PageRow] = field(default_factory=list)
    run_updates: list[RunUpdate] = field(default_factory=list)
    snapshots: dict[bytes, SnapshotRow] = field(default_factory=dict)
    inbox: list[InboxRow] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)
    triggers: list[TriggerRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    consumed_messages: list[tuple[bytes, int]] = field(default_factory=list)
    """Flow and number of each."""

    # What administrators do; see the backend's `commit`.
    replaced_environment_keys: list[EnvironmentKeyRow] = field(default_factory=list)
    retired_environment_keys: list[tuple[int, int]] = field(default_factory=list)
    rewrapped_keys: list[KeyRow] = field(default_factory=list)
    dropped_generations: list[tuple[int, bytes, int]] = field(default_factory=list)
    """Kind, scope and the generation below which all are removed."""
    replaced_versions: list[VersionRow] = field(default_factory=list)
    replaced_triggers: list[TriggerRow] = field(default_factory=list)
    """The same row versions, sealed by another key."""
    replaced_pages: list[PageRow] = field(default_factory=list)
    reindexed_messages: list[tuple[bytes, bytes, bytes, bytes | None]] = field(default_factory=list)
    """Flow and message, and the indexes of partition and `dedupe` it is found by now. One that is gone is no error, and
    another of the flow with this `dedupe` goes, as if it had not been added.
    """
    reindexed_items: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    """The same of the inbox: item and `dedupe`."""
    removed_snapshots: list[bytes] = field(default_factory=list)
    run_domains: list[tuple[bytes, int]] = field(default_factory=list)
    policies: list[PolicyRow] = field(default_factory=list)
    removed_policies: list[bytes] = field(default_factory=list)
    assignments: list[AssignmentRow] = field(default_factory=list)
    audit: list[LinkedRow] = field(default_factory=list)
    connections: list[ConnectionRow] = field(default_factory=list)
    removed_connections: list[bytes] = field(default_factory=list)
    operations: list[OperationRow] = field(default_factory=list)

    # What a locked environment takes in.
    sealed_items: list[SealedItemRow] = field(default_factory=list)
    """Conflict where the key that they are sealed to is not the current one, or the sequence is taken."""
    drained: list[tuple[bytes, int]] = field(default_factory=list)
    """Key and sequence of items that were carried out. One that is gone is no error."""
    inbox_key: InboxKeyRow | None = None
    """Takes the place of the one there is, whose scope key goes. Conflict while items wait."""
    expected_tokens: list[TokenRow] = field(default_factory=list)
    """One that is there already is no error."""
    forgotten_tokens: list[bytes] = field(default_factory=list)
    """The scopes whose tokens go."""

    # What is shredded, and what is said of it.
    removed_runs: list[bytes] = field(default_factory=list)
    """With their histories and keys."""
    removed_flows: list[bytes] = field(default_factory=list)
    """With their versions, triggers, messages and keys."""
    removed_environments: list[bytes] = field(default_factory=list)
    """Of the control store: the row, its assignment and its key."""
    ledger: list[LinkedRow] = field(default_factory=list)
    retentions: list[RetentionRow] = field(default_factory=list)
    backups: list[BackupRow] = field(default_factory=list)
    removed_backups: list[bytes] = field(default_factory=list)

    def rows(self) -> int:
        """How many rows the batch writes or removes."""
        lists = (getattr(self, name) for name in _LISTS)
        return sum(len(rows) for rows in lists) + (self.inbox_key is not None)


_SINGLE = ("guard", "identity", "key_state", "inbox_key")
_LISTS = tuple(entry.name for entry in fields(Batch) if entry.name not in _SINGLE)


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

    A row whose columns hold values of other types than its tuple names is an IntegrityError. Reading does not wait for
    a commit that is under way.
    """

    async def close(self) -> None: ...

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
        """The bytes of sealed history of each run of a flow."""
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

    async def flow(
        self, *, flow_id: bytes | None = None, name_indexes: Sequence[bytes] = ()
    ) -> FlowRow | None:
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

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        """Up to `limit` pages whose `seq` is at least `from_seq`, in order; none after `most_bytes` were reached, but
        one at least. An empty list says that there are no more.
        """
        ...

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None: ...

    async def inbox(self, limit: int, after: int = 0) -> list[StoredInboxRow]:
        """The oldest, with a number above `after`. The types of their columns are not checked: one damaged row must not
        hide the others.
        """
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
        operation's or retention's) that have no row, or a message's that is of no flow: somebody has removed or moved
        it.
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

    async def try_become_executor(self) -> bool:
        """Takes the role of the environment's one executor, or says that somebody else has it. Given up by `close`."""
        ...

    @property
    def executor_lost(self) -> bool:
        """Whether somebody else has taken over the role that this one had: it writes nothing more (ExecutorLost)."""
        ...

    async def executor_pid(self) -> int | None:
        """The process that is the executor, where known."""
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
