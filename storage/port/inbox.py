"""Requests from outside: the inbox, the inbox of a locked environment, and the tokens of callbacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes


class InboxRow(NamedTuple):
    """A request to the executor. A commit does not add a second row with the same `dedupe`."""

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
    """The public key to which a locked environment's items are sealed, certified by the service. `record` is the
    private key, sealed by a scope key of the kind INBOX_KEY with the scope `key_id`. A store has at most one.
    """

    key_id: bytes
    created_ms: int
    public: bytes
    mac: bytes
    record: bytes


class SealedItemRow(NamedTuple):
    """An item that arrived for a run or flow (`scope`) while the environment was locked. `sequence` is 1, 2, 3 ... for
    each key.
    """

    key_id: bytes
    sequence: int
    kind: int
    scope: bytes
    created_ms: int
    mac: bytes
    sealed: bytes


class SealedSize(NamedTuple):
    """The number of items that wait, the sum of their bytes, and the sequence of the last."""

    items: int
    bytes: int
    last: int


class TokenRow(NamedTuple):
    """The hash of a token that identifies a callback for a run or a flow (`scope`)."""

    token_hash: bytes
    scope: bytes


@dataclass(slots=True)
class InboxChanges(Changes):
    """What a commit does to requests."""

    inserts: list[InboxRow] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)
    """The number of each."""
    resealed: list[tuple[bytes, bytes | None, bytes]] = field(default_factory=list)
    """Item, its new `dedupe`, and its record. Conflict if the item does not exist. Another item with this `dedupe` is
    removed, as if it had not been added.
    """


@dataclass(slots=True)
class SealedInboxChanges(Changes):
    """What a commit does to the inbox of a locked environment. Items are removed and added before the key changes."""

    inserts: list[SealedItemRow] = field(default_factory=list)
    """Conflict if their key is not the current one, or the sequence is taken."""
    drained: list[tuple[bytes, int]] = field(default_factory=list)
    """Key and sequence of processed items. A missing one is no error."""
    key: InboxKeyRow | None = None
    """Replaces the current key, whose scope key is removed. Conflict while items wait."""
    closed: bool = False
    """Removes the key without a new one: no items are accepted from then on. Conflict while items wait."""


@dataclass(slots=True)
class CallbackChanges(Changes):
    """What a commit does to the tokens of callbacks."""

    expected: list[TokenRow] = field(default_factory=list)
    """A token that exists already is no error."""
    claimed: list[bytes] = field(default_factory=list)
    """Hashes of tokens whose callback comes with this batch. AlreadyAnswered if one does not exist, or an earlier batch
    claimed it.
    """
    reopened: list[bytes] = field(default_factory=list)
    """The scopes whose accepted callbacks are lost: each token may be claimed again."""
    forgotten: list[bytes] = field(default_factory=list)
    """The scopes whose tokens are removed."""

    def without(self, runs: Collection[bytes]) -> None:
        self.expected[:] = [row for row in self.expected if row.scope not in runs]
        self.reopened[:] = [scope for scope in self.reopened if scope not in runs]
        self.forgotten[:] = [scope for scope in self.forgotten if scope not in runs]


class InboxStore(Protocol):
    """Reads requests. The types of the columns in lists are not checked: one damaged row must not hide the others."""

    async def waiting(self, limit: int, after: int = 0) -> list[StoredInboxRow]:
        """Return up to `limit` requests with a number above `after`, oldest first."""
        ...

    async def of_run(self, run_id: bytes) -> list[StoredInboxRow]:
        """Return the requests for one run, oldest first."""
        ...

    async def get(self, item_id: bytes) -> InboxRow | None:
        """Return one request."""
        ...

    async def for_worker(self, limit: int, after: int = 0, without: Sequence[bytes] = ()) -> list[StoredInboxRow]:
        """Like `waiting`, but only what this worker handles: requests for its own and for unowned runs, and all other
        requests if it leads. Unless it leads, leave out unowned runs of the flows in `without`.
        """
        ...


class SealedInboxStore(Protocol):
    """Reads what arrived while the environment was locked."""

    async def key(self) -> InboxKeyRow | None:
        """Return the key to which new items are sealed."""
        ...

    async def items(self, limit: int) -> list[SealedItemRow]:
        """Return up to `limit` items by sequence. The types of their columns are not checked."""
        ...

    async def size(self) -> SealedSize:
        """Return how much waits."""
        ...


class CallbackStore(Protocol):
    """Reads the tokens of expected callbacks."""

    async def scope(self, token_hash: bytes) -> bytes | None:
        """Return the run or flow that waits for a callback with this token."""
        ...
