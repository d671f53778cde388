"""What a backend stores: rows, and the batch that one commit carries. No cipher, no SQL, no plain values.

Rows are named tuples, because they are exactly what a driver binds: opaque bytes and the clear columns that
docs/reference/clear-columns.md publishes. Ids are made by the vault; a backend's own row numbers never leave it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, NamedTuple

from .format.purposes import Kind


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
    """Which policy covers an environment, in the control store: one row for each environment that ever had one,
    or a lock. Written as a policy is; stays when the environment goes.
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


class LargeValueRow(NamedTuple):
    """A large value of a run, apart from the records that name it; `settled` is 1 once one does, else 0. It may come
    before its run.
    """

    value_id: bytes
    run_id: bytes
    created_ms: int
    settled: int


class ChunkRow(NamedTuple):
    """A sealed piece of a large value. They are numbered from 1."""

    value_id: bytes
    number: int
    record: bytes


class WaitRow(NamedTuple):
    """When a run that has not ended is looked at again: 0 while it goes on, else Unix milliseconds (FOR_EVENTS where
    only an event moves it on). `release`: nobody goes on with it until then. One that was told something while it went
    on (`Batch.wakes`) is looked at at once.
    """

    run_id: bytes
    wake_ms: int
    release: bool


FOR_EVENTS = (1 << 63) - 1


FIRST_EPOCH = 1
"""The ownership epoch of a run that its creator owns. Each worker that takes an unowned run makes it one more."""


class QueueRow(NamedTuple):
    """A run that only whoever serves a queue goes on with. Of one queue the smallest `rank` is first, then the oldest
    run: not negative while it waits, two less once it was taken for the first time. While it waits, nobody has it, and
    the time of its WaitRow is when it has waited too long.
    """

    run_id: bytes
    queue: bytes
    rank: int


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
    """What came for a run or a flow (`scope`) while the environment was locked. `sequence` is 1, 2, 3 ... per key."""

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
    owned: dict[bytes, int] = field(default_factory=dict)
    """The ownership epoch of each run that a worker writes, as `claim_run` gave it; 1 for a run that it creates. Where
    workers share a store, pages, updates and snapshots of a run that has not ended are written under this epoch only.
    """
    tied: list[tuple[bytes, str, Any]] = field(default_factory=list)
    """Rows that are written only if the rows of a run are: the run, the field and the row."""
    identity: bytes | None = None
    key_state: KeyStateRow | None = None
    environment_keys: list[EnvironmentKeyRow] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    environments: list[EnvironmentRow] = field(default_factory=list)
    changed_environments: list[EnvironmentRow] = field(default_factory=list)
    """Their next row version and record. Conflict where it is not the next one."""
    flows: list[FlowRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    pages: list[PageRow] = field(default_factory=list)
    run_updates: list[RunUpdate] = field(default_factory=list)
    snapshots: dict[bytes, SnapshotRow] = field(default_factory=dict)
    large_values: list[LargeValueRow] = field(default_factory=list)
    chunks: list[ChunkRow] = field(default_factory=list)
    """One of a value that is gone is no error, and is not written: whoever writes it has given up, or was given up."""
    settled_values: list[bytes] = field(default_factory=list)
    """Values that a record names from now on. Conflict for one that is not there."""
    dropped_values: list[bytes] = field(default_factory=list)
    """Values that no record names, with their chunks. One that is gone, or settled, is no error, and a settled one
    stays.
    """
    inbox: list[InboxRow] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)
    triggers: list[TriggerRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    consumed_messages: list[tuple[bytes, int]] = field(default_factory=list)
    """Flow and number of each."""
    waits: list[WaitRow] = field(default_factory=list)
    wakes: list[bytes] = field(default_factory=list)
    """Runs that were told something, e.g. a child of theirs has answered: looked at at once, or again if they go on.
    One that has ended, or is not there, is no error.
    """
    queues: list[QueueRow] = field(default_factory=list)

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
    exchanged_pages: list[bytes] = field(default_factory=list)
    """Runs whose whole history gives way to the pages that wait beside it: those that were added with a negative `seq`,
    which no reader sees. The same with the chunks of their values, by `number`.
    """
    dropped_pages: list[bytes] = field(default_factory=list)
    """Runs whose waiting pages and chunks go, before any are added."""
    resealed_messages: list[tuple[bytes, bytes, bytes, bytes | None, bytes]] = field(default_factory=list)
    """Flow and message, the indexes of partition and `dedupe` it is found by now, and its record. Conflict for one that
    is gone. Another of the flow with this `dedupe` goes, as if it had not been added.
    """
    resealed_items: list[tuple[bytes, bytes | None, bytes]] = field(default_factory=list)
    """The same of the inbox: item, `dedupe` and record."""
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
    closed_inbox: bool = False
    """The key goes and none comes: nothing is taken in from then on. Conflict while items wait."""
    expected_tokens: list[TokenRow] = field(default_factory=list)
    """One that is there already is no error."""
    claimed_tokens: list[bytes] = field(default_factory=list)
    """Hashes of tokens whose callback comes with this batch. AlreadyAnswered where one is not there, or was claimed by
    an earlier batch: then nothing of this one is written.
    """
    reopened_tokens: list[bytes] = field(default_factory=list)
    """The scopes of which callbacks that were accepted are lost: each token may be claimed again."""
    forgotten_tokens: list[bytes] = field(default_factory=list)
    """The scopes whose tokens go."""

    # What is shredded, and what is said of it.
    removed_runs: list[bytes] = field(default_factory=list)
    """With their histories and keys."""
    removed_flows: list[bytes] = field(default_factory=list)
    """With their versions, triggers, messages and keys."""
    removed_environments: list[bytes] = field(default_factory=list)
    """Of the control store: the row and its key. The assignment stays: a backup may be restored."""
    ledger: list[LinkedRow] = field(default_factory=list)
    retentions: list[RetentionRow] = field(default_factory=list)
    backups: list[BackupRow] = field(default_factory=list)
    removed_backups: list[bytes] = field(default_factory=list)

    def add(self, other: Batch) -> None:
        """Takes over all rows of another one, behind its own; of what there is one of at most, nothing."""
        for name in _LISTS:
            mine = getattr(self, name)
            mine.update(getattr(other, name)) if name == "snapshots" else mine.extend(getattr(other, name))

    @property
    def while_locked(self) -> bool:
        """Whether a locked environment takes it: it writes the state itself, or says something of it in the ledger."""
        return self.key_state is not None or (bool(self.ledger) and self.rows() == len(self.ledger) + len(self.keys))

    def without(self, runs: Collection[bytes]) -> None:
        """Drop all rows of these runs, and the rows that are tied to them."""
        for run_id, name, row in self.tied:
            if run_id in runs:
                getattr(self, name).remove(row)
        self.tied = [each for each in self.tied if each[0] not in runs]
        self.keys = [row for row in self.keys if row.kind != Kind.RUN or row.scope not in runs]
        self.runs = [row for row in self.runs if row.run_id not in runs]
        self.pages = [row for row in self.pages if row.run_id not in runs]
        self.run_updates = [row for row in self.run_updates if row.run_id not in runs]
        values = {row.value_id for row in self.large_values if row.run_id in runs}
        self.large_values = [row for row in self.large_values if row.run_id not in runs]
        self.chunks = [row for row in self.chunks if row.value_id not in values]
        self.waits = [row for row in self.waits if row.run_id not in runs]
        self.queues = [row for row in self.queues if row.run_id not in runs]
        self.expected_tokens = [row for row in self.expected_tokens if row.scope not in runs]
        self.reopened_tokens = [scope for scope in self.reopened_tokens if scope not in runs]
        self.forgotten_tokens = [scope for scope in self.forgotten_tokens if scope not in runs]
        self.run_domains = [row for row in self.run_domains if row[0] not in runs]
        for run_id in runs:
            self.snapshots.pop(run_id, None)
            self.owned.pop(run_id, None)

    def rows(self) -> int:
        """How many rows the batch writes or removes."""
        return sum(map(len, _ALL(self))) + (self.inbox_key is not None) + self.closed_inbox


_SINGLE = ("guard", "owned", "tied", "identity", "key_state", "inbox_key", "closed_inbox")
_LISTS = tuple(entry.name for entry in fields(Batch) if entry.name not in _SINGLE)
_ALL = attrgetter(*_LISTS)
