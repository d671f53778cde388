"""The ports: what a backend stores (`Backend`) and what wraps environment keys (`KeyProvider`). No cipher, no SQL, no
plain values.

A backend sees opaque bytes and the clear columns that docs/reference/clear-columns.md publishes. Rows are named tuples,
because they are exactly what a driver binds. Ids are made by the vault; a backend's own row numbers never leave it.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Batch:
    """Everything that one commit carries. Order inside: keys, then what they seal, then updates and removals."""

    identity: bytes | None = None
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

    def rows(self) -> int:
        """How many rows the batch writes or removes."""
        lists: tuple[Sized, ...] = (
            self.environment_keys, self.keys, self.environments, self.flows, self.versions, self.runs, self.pages,
            self.run_updates, self.snapshots, self.inbox, self.consumed,
        )  # fmt: skip
        return sum(len(rows) for rows in lists)


class Backend(Protocol):
    """Stores rows. Every method raises the errors of errors.py only.

    `commit` is one transaction: all of the batch or nothing, durable when it returns. A row whose key is there already,
    or a flow whose `row_version` is not the next one, is a Conflict. It answers with the numbers of the batch's inbox
    rows (that of the row already there, for a repeated `dedupe`). Consuming an item also deletes the key rows of its
    scope and kind; an item that is gone is no error.

    A row whose columns hold values of other types than its tuple names is an IntegrityError. Reading does not wait for
    a commit that is under way.
    """

    async def close(self) -> None: ...

    async def identity(self) -> bytes | None: ...

    async def commit(self, batch: Batch) -> list[int]: ...

    async def environment_keys(self) -> list[EnvironmentKeyRow]: ...

    async def keys(self, kind: int, scopes: Sequence[bytes]) -> list[KeyRow]: ...

    async def flow_scopes(self) -> list[bytes]:
        """The scopes of all keys of flows: each has a row, or somebody has removed it."""
        ...

    async def environment_scopes(self) -> list[bytes]:
        """The same of environments."""
        ...

    async def environments(self) -> list[EnvironmentRow]: ...

    async def environment(self, name_index: bytes) -> EnvironmentRow | None: ...

    async def flows(self) -> list[FlowRow]: ...

    async def flow(self, *, flow_id: bytes | None = None, name_index: bytes | None = None) -> FlowRow | None: ...

    async def version(self, flow_id: bytes, number: int) -> VersionRow | None: ...

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

    def try_become_executor(self) -> bool:
        """Takes the role of the environment's one executor, or says that somebody else has it. Given up by `close`."""
        ...

    def executor_pid(self) -> int | None:
        """The process that is the executor, where known."""
        ...


class Wrapped(NamedTuple):
    """A wrapped environment key and the id of the key version that wrapped it."""

    kek: bytes
    data: bytes


class KeyProvider(Protocol):
    """Wraps and unwraps environment keys under a key that stays with it.

    `context` is authenticated. `unwrap` raises KeyMissing, WrongKey (made by another key) or IntegrityError (altered).
    """

    name: str

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped: ...

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes: ...
