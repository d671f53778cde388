"""The port of backends: one transaction that writes, and a store for each noun that reads. No cipher, no SQL, no plain
values.

A backend stores opaque bytes and the clear columns that docs/reference/clear-columns.md publishes.
"""

from __future__ import annotations

from typing import Protocol

from .backups import BackupStore
from .batch import Batch
from .connections import ConnectionStore
from .consistency import ConsistencyStore
from .control import ControlStore
from .flows import FlowStore
from .inbox import CallbackStore, InboxStore, SealedInboxStore
from .keys import KeyStore
from .operations import OperationStore
from .runs import RunStore, ValueStore
from .triggers import MessageStore, TriggerStore
from .workers import ClaimStore, WorkerStore


class Observer(Protocol):
    """Watches a store from another thread while the thread that opened the backend is busy.

    `Backend.observer` creates it. Its methods belong to one event loop, of any thread.
    """

    async def key_epochs(self) -> tuple[int, int]:
        """Return the current epoch and lock epoch of the store."""
        ...

    async def keep_lease(self) -> None:
        """Renew the lease that the backend holds, if it holds one that is due."""
        ...

    async def close(self) -> None:
        """Close the observer."""
        ...


class Transactions(Protocol):
    """Writes rows."""

    async def commit(self, batch: Batch) -> list[int]:
        """Write the whole batch in one transaction, durably, or nothing. Return the numbers of its inbox rows, then of
        its messages (for a repeated `dedupe` the number of the row that exists).

        Raises Conflict if a key exists already, a `row_version` is not the next one, a row to replace or retire does
        not exist, an environment key to retire is needed by a scope key, a run to remove or its parent has not ended,
        or a flow to remove has runs. Raises EnvironmentLocked or StaleKeys if the `guard` does not hold; a locked
        environment accepts only a batch that is `while_locked`. To consume an item or a message also deletes the keys
        of its scope and kind; it is no error if it does not exist.

        A `RunUpdate` changes a run only if the stored `head_version` is one less. If workers share the store, only the
        owner writes a run that has not ended, under the epoch in `Batch.owned`; the statement itself checks that.
        Otherwise RunNotOwned names these runs, and nothing of the batch is written.
        """
        ...


class Backend(Transactions, Protocol):
    """A store of rows: transactions, and a store for each noun. All methods raise only the errors of errors.py.

    A row whose columns hold values of other types than its tuple names is an IntegrityError. Reads do not wait for a
    commit in progress.
    """

    @property
    def keys(self) -> KeyStore: ...

    @property
    def control(self) -> ControlStore: ...

    @property
    def backups(self) -> BackupStore: ...

    @property
    def flows(self) -> FlowStore: ...

    @property
    def connections(self) -> ConnectionStore: ...

    @property
    def operations(self) -> OperationStore: ...

    @property
    def runs(self) -> RunStore: ...

    @property
    def values(self) -> ValueStore: ...

    @property
    def triggers(self) -> TriggerStore: ...

    @property
    def messages(self) -> MessageStore: ...

    @property
    def inbox(self) -> InboxStore: ...

    @property
    def sealed_inbox(self) -> SealedInboxStore: ...

    @property
    def callbacks(self) -> CallbackStore: ...

    @property
    def workers(self) -> WorkerStore: ...

    @property
    def claims(self) -> ClaimStore: ...

    @property
    def consistency(self) -> ConsistencyStore: ...

    async def close(self) -> None:
        """Write what is queued, give the worker's role up, and close the store."""
        ...

    def observer(self) -> Observer:
        """Return an observer for another thread."""
        ...

    async def identity(self) -> bytes | None:
        """Return the id that the store was given; None in a new store."""
        ...

    async def settle(self) -> bool:
        """Remove what was deleted from the files beside the store, too. Return False while a reader still needs
        them.
        """
        ...
