"""The one door to the disk: seals everything on the way in, opens and verifies everything on the way out.

One `Vault` for each environment. Above it there are plain values and no keys; below it there are bytes and the
published clear columns.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ..errors import StorageError
from ..format.stored_values import MOST_BYTES
from ..keys.key_source import KeySource
from ..keys.keyring import Keyring
from ..models import (
    EnvironmentInfo,
    FlowDocument,
    FlowInfo,
    FlowVersion,
    InboxItem,
    Message,
    MessageCount,
    Page,
    RunInfo,
    TriggerState,
    Value,
)
from ..port import Backend
from ..stores.batch_messages import Messages
from ..stores.connections import ConnectionInfo, Connections
from ..stores.flows import Definitions
from ..stores.inbox.callbacks import CallbackInbox
from ..stores.inbox.requests import Inbox
from ..stores.inbox.sealed_items import SealedItem, SealedItems
from ..stores.ledger import Ledger
from ..stores.listings import Listings
from ..stores.operations import Operations
from ..stores.reencryption import Migration
from ..stores.retention import Retentions
from ..stores.runs.folding import Folding
from ..stores.runs.history import RunReader
from ..stores.runs.journal import Journal, LargeValues
from ..stores.runs.run_log import RunLog
from ..stores.runs.runs import Prepared, Runs
from ..stores.shredding import Shredding
from ..stores.triggers import Triggers
from ..stores.workers import Workers
from .retention import VaultRetention

if TYPE_CHECKING:
    from ..stores.repair import Repairs

T = TypeVar("T")


def system_ms() -> int:
    """Unix milliseconds by the system's clock."""
    return time.time_ns() // 1_000_000


async def _unknown() -> None:
    """Nobody knows of any backup."""


class Vault(VaultRetention):
    """One environment's store. Made by `Store.open_vault`; use it from one event loop.

    All ids are bytes, all times Unix milliseconds. Any call may raise IntegrityError (NotARecord, TamperedHistory) for
    data that was changed from outside, and the errors of a failing store (StoreFull, StoreNotWritable, StoreBusy,
    StoreCorrupt, StoreClosed).
    """

    def __init__(
        self,
        environment: EnvironmentInfo,
        backend: Backend,
        keyring: Keyring,
        source: KeySource,
        *,
        now_ms: Callable[[], int] = system_ms,
        backups_until: Callable[[], Awaitable[int | None]] = _unknown,
        max_value_bytes: int = MOST_BYTES,
    ) -> None:
        self.environment = environment
        self._backups_until = backups_until
        self._now_ms = now_ms
        self._backend = backend
        self._keyring = keyring
        self._source = source
        self._journal = Journal(backend, lambda: keyring.guard)
        self._journal.values = LargeValues(max_value_bytes, now_ms)
        self._definitions = Definitions(backend, keyring, now_ms, self.reload_keys)
        self.workers = Workers(backend, self._journal)
        self._inbox = Inbox(backend, keyring, now_ms)
        self.callbacks = CallbackInbox(backend, self._inbox, self._fresh)
        self.sealed_items = SealedItems(backend, keyring, self._journal, now_ms)
        self._triggers = Triggers(backend, keyring, self._journal)
        self._messages = Messages(backend, keyring, self._journal, now_ms)
        self._runs = Runs(backend, keyring, self._journal)
        self._connections = Connections(backend, keyring, now_ms, lambda: source.state, self.reload_keys)
        self.listings = Listings(
            backend, keyring, self._definitions, self._triggers, self._runs, self._connections, self._fresh
        )  # fmt: skip
        self._operations = Operations(backend, keyring, now_ms)
        self._retentions = Retentions(backend, keyring)
        self._shredding = Shredding(backend, keyring, Ledger(backend, keyring, now_ms), self._runs, self._retentions)
        self._migration = Migration(
            backend, keyring, source, self._operations, self._definitions, self._triggers, self._inbox, self._messages,
            self._connections, self._runs,
        )  # fmt: skip
        self._executor = False

    def __repr__(self) -> str:
        return f"<Vault of environment {self.environment.id.hex()}>"

    # --- flows

    async def put_flow(self, name: str, document: Value, *, meta: Value = None, unheard: bool = False) -> FlowVersion:
        """Deploys a definition as the flow's next version; durable on return.

        If document and meta equal those of the current version, that is the answer, with `created` False. Names are
        matched without regard to case; the first spelling stays. `unheard`: nobody waits for an answer who starts it,
        so it may be started while the environment is locked. Raises NotStorable, InvalidName.
        """
        return await self._definitions.put(name, document, meta, unheard=unheard)

    async def flows(self) -> list[FlowInfo]:
        """All flows, in the order of their first deployment."""
        return await self._fresh(lambda: self._definitions.all())

    async def flow(self, name_or_id: str | bytes) -> FlowInfo:
        """A flow by name (in any case) or id. Raises RecordNotFound."""
        return await self._fresh(lambda: self._definitions.one(name_or_id))

    async def version(self, flow_id: bytes, number: int, *, digest: bytes | None = None) -> FlowDocument:
        """One version of a flow. Raises RecordNotFound.

        `digest` (RunInfo.definition_digest) says which content it must have: IntegrityError if it has another, or is
        missing.
        """
        return await self._fresh(lambda: self._definitions.version(flow_id, number, digest))

    # --- runs

    def create_run(
        self,
        run_id: bytes,
        flow_id: bytes,
        version: int,
        started_ms: int,
        summary: Value,
        *,
        status: int = 0,
        parent: bytes | None = None,
        parent_domain: int | None = None,
        definition_digest: bytes = b"",
        prepared: Prepared | None = None,
    ) -> RunLog:
        """A new run; its key and row go with the next commit. `run_id` is 16 bytes that no run has: ask `run_exists`
        first.

        `summary` is what lists show; it is sealed. `definition_digest` (FlowDocument.digest) is bound into the sealed
        head. `prepared` is what `prepare_run` gave.
        """
        if len(run_id) != 16:
            raise ValueError("A run's id is 16 bytes.")
        return self._runs.create(
            run_id, flow_id, version, started_ms, summary, status=status, parent=parent,
            domain=self._keyring.domain_of_child(self._definitions.domain(flow_id), parent_domain),
            definition_digest=definition_digest, prepared=prepared,
        )  # fmt: skip

    async def prepare_run(
        self, run_id: bytes, flow_id: bytes, value: Value, *, zips: bool, parent_domain: int | None = None
    ) -> Prepared:
        """Writes what is large of the value that a new run begins with, before that is made. Raises NotStorable."""
        domain = self._keyring.domain_of_child(self._definitions.domain(flow_id), parent_domain)
        return await self._runs.prepare(run_id, value, domain=domain, zips=zips)

    @property
    def max_value_bytes(self) -> int:
        """What one value of a run may have."""
        return self._journal.values.most_bytes

    async def run_exists(self, run_id: bytes) -> bool:
        """Whether the store has this run (one that was created but is not durable yet does not count)."""
        return await self._backend.runs.get(run_id) is not None

    async def open_run(
        self, run_id: bytes, *, from_snapshot: bool = False, folding: Folding | None = None, epoch: int | None = None
    ) -> RunLog:
        """An existing run's log, positioned behind its last record. Raises RecordNotFound, TamperedHistory.

        The whole history is verified, or with `from_snapshot` only what came after the latest snapshot; what is read,
        `folding` is given. `epoch` is what `Workers.claim_run` gave: where workers share the store, a run that has not
        ended is written under it only.
        """
        return await self._fresh(
            lambda: self._runs.open(run_id, from_snapshot=from_snapshot, folding=folding, epoch=epoch)
        )

    async def reader(self, run_id: bytes, *, apart: bool = False) -> RunReader:
        """A verifying reader of a run's history, to read once or to follow; with `apart` its large values are only
        named in it (StoredValue), and its `values` reads them. Raises RecordNotFound.
        """
        return await self._runs.reader(run_id, lambda: self._fresh(lambda: self._runs.keys(run_id)), apart=apart)

    async def sweep_values(self, older_ms: int = 0, *, run_id: bytes | None = None) -> int:
        """Removes the large values that no record names, and gives how many: of one run, before it goes on here, or of
        all that are not in flight and older than this. Their age is told by the clock that they are dated by.
        """
        return await self._runs.sweep_values(self._now_ms() - older_ms, run_id)

    async def read_run(self, run_id: bytes, after_seq: int = 0, *, apart: bool = False) -> AsyncIterator[Page]:
        """The history behind record `after_seq`, page by page. Everything before is verified as well; `reader` follows
        more cheaply.

        Raises RecordNotFound, TamperedHistory.
        """
        reader = await self.reader(run_id, apart=apart)
        async for page in reader.pages():
            skip = after_seq + 1 - page.seq
            if skip <= 0:
                yield page
            elif skip < len(page.records):
                yield Page(after_seq + 1, page.records[skip:])

    async def run(self, run_id: bytes) -> RunInfo:
        """One run's row, verified against its sealed head. Raises RecordNotFound, TamperedHistory."""
        return await self._fresh(lambda: self._runs.one(run_id))

    async def runs(
        self,
        *,
        flow_id: bytes | None = None,
        statuses: Sequence[int] | None = None,
        parent: bytes | None = None,
        limit: int = 30,
        before: bytes | None = None,
    ) -> list[RunInfo]:
        """Runs, newest first; `before` is the last run's id of the page before. Raises TamperedHistory."""
        return await self._fresh(
            lambda: self._runs.list(flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before)
        )

    @property
    def repairs(self) -> Repairs:
        """Recovers runs whose row does not open, for a process that has the environment for itself."""
        from ..stores.repair import Repairs

        return Repairs(self._backend, self._keyring, self._runs)

    async def unfinished(self) -> list[bytes]:
        """The ids of all runs that have not ended, oldest first."""
        return await self._backend.runs.unfinished()

    # --- inbox

    async def inbox_add(self, kind: int, item: Value, run_id: bytes | None = None, dedupe: bytes | None = None) -> int:
        """Leaves a request for the environment's executor, from any process; durable on return.

        A request whose `dedupe` equals that of one that still waits is not added again; the answer is the waiting one's
        number.
        """
        number = await self._fresh(lambda: self._inbox.add(kind, item, run_id, dedupe))
        await self._backend.claims.hint()
        return number

    async def inbox(
        self, limit: int = 100, *, here: bool = False, without: Sequence[bytes] = (), after: int = 0
    ) -> list[InboxItem]:
        """The oldest requests that were not consumed yet, with a number above `after`; those for this worker with
        `here` (see `port.InboxStore.for_worker`).

        One that was changed from outside is logged and left out; the executor removes it.
        """
        wanted = tuple(without) if here else None
        items = await self._fresh(lambda: self._inbox.items(limit, here=wanted, after=after))
        if self._executor or self.workers.leads:
            for number, run_id in self._inbox.unreadable.items():
                self.consume(number)
                self.sealed_items.reopen(run_id)
        return items

    def consume(self, item_id: int, run_id: bytes | None = None) -> None:
        """Removes a request with the next commit: in the same one as whatever is queued before control returns to the
        event loop. A request for a run stays if the commit cannot write the run.
        """
        self._journal.wake()
        batch = self._journal.batch
        if self._inbox.consume(item_id, batch):
            if run_id is not None:
                batch.tied.append((run_id, batch.inbox.consumed, item_id))
            self._journal.after_commit(lambda: self._inbox.forget(item_id), lambda: self._inbox.forget(item_id))

    # --- triggers

    async def triggers(self, *, due_by_ms: int | None = None, limit: int = 1000) -> list[TriggerState]:
        """All triggers that have a state, or the first `limit` of those that are due at `due_by_ms`, in that order.

        After having asked for all, those of the other flows may be set for the first time, with `expected` 0.
        """
        if due_by_ms is None:
            return await self._fresh(lambda: self._triggers.all())
        return await self._fresh(lambda: self._triggers.due(due_by_ms, limit))

    async def trigger(self, flow_id: bytes) -> TriggerState | None:
        """The state of a flow's trigger, or None if it has none yet. Raises RecordNotFound for no such flow."""
        return await self._fresh(lambda: self._triggers.one(flow_id))

    def set_trigger(self, flow_id: bytes, value: Value, *, due_ms: int | None, expected: int) -> int:
        """Writes a trigger's state with the next commit: the same one as whatever is queued before control returns to
        the event loop (`create_run`, `RunLog.append`, `consume`). For the executor only.

        `expected` is the row version that was read or written last, 0 where `trigger` said None; the answer is the next
        version. Raises Conflict when it is another one, ValueError for a trigger that was never asked for, and
        NotStorable; nothing was queued then.
        """
        return self._triggers.set(flow_id, value, due_ms, expected)

    # --- messages of batch triggers

    async def add_message(self, flow_id: bytes, partition: str, item: Value, *, dedupe: bytes | None = None) -> int:
        """Adds a message to a flow's queue, from any process; durable on return. Answers with its number.

        A message whose `dedupe` equals that of one of the flow's that still waits is not added again; the answer is
        the waiting one's number.
        """
        return await self._fresh(lambda: self._messages.add(flow_id, partition, item, dedupe))

    def queue_message(
        self,
        flow_id: bytes,
        partition: str,
        item: Value,
        *,
        domain: int,
        dedupe: bytes | None = None,
        sender: bytes | None = None,
    ) -> None:
        """The same with the next commit: the one of whatever is queued before control returns to the event loop. The
        message of a `sender`, a run, is not added if the commit cannot write the run.

        `domain` says whose key seals the message: that of its flow (FlowInfo.domain), or of the run that sends it.
        """
        self._messages.queue(flow_id, partition, item, dedupe, domain, sender)

    async def messages(
        self, flow_id: bytes, *, partition: str | None = None, limit: int = 100, after: int = 0
    ) -> list[Message]:
        """The oldest messages that were not consumed, with a number above `after`, of all partitions or of one."""
        return await self._fresh(lambda: self._messages.items(flow_id, partition, limit, after))

    async def message_counts(self, flow_id: bytes) -> dict[str, MessageCount]:
        """What waits in each partition of a flow, those with the oldest message first.

        Counts and sizes are verified when the messages are read; that none was removed is verified here.
        """
        return await self._fresh(lambda: self._messages.counts(flow_id))

    def consume_message(self, flow_id: bytes, number: int) -> None:
        """Removes a message, and the key that seals it, with the next commit."""
        self._messages.consume(flow_id, number)

    # --- connections

    async def create_connection(
        self, name: str, connector: str, *, oauth: bool, parameter_set: str | None, values: Value
    ) -> ConnectionInfo:
        """A new connection; durable on return. Raises InvalidName, AlreadyThere, NotStorable."""
        return await self._fresh(
            lambda: self._connections.create(name, connector, oauth=oauth, parameter_set=parameter_set, values=values)
        )

    async def connections(self) -> list[ConnectionInfo]:
        """All connections, oldest first, without their values."""
        return await self._fresh(lambda: self._connections.all())

    async def connection(self, name: str) -> ConnectionInfo:
        """A connection by its name, in any case. Raises RecordNotFound."""
        return await self._fresh(lambda: self._connections.one(name))

    async def connection_values(self, name: str) -> Value:
        """A connection's parameter values, secrets included. Raises RecordNotFound."""
        return await self._fresh(lambda: self._connections.values(name))

    async def delete_connection(self, name: str) -> None:
        """Removes a connection and shreds its key. Raises RecordNotFound."""
        await self._fresh(lambda: self._delete_connection(name))

    async def _delete_connection(self, name: str) -> None:
        await self._shredding.connection(await self._connections.id_of(name))

    async def renew_keys(self) -> None:
        """Lets fresh keys seal all that will still be written to, because another copy of this store may go on under
        the earlier ones. For the executor only.
        """
        await self._migration.renew()

    async def drop_keys(self) -> None:
        """Forgets every key at once, those that are in use included, and closes the store. Nothing that was read
        through this vault can be read again.
        """
        self._keyring.forget()
        with suppress(StorageError):  # what is queued cannot be sealed any more; what was acknowledged is on disk
            await self.close()

    # --- what came while the environment was locked

    async def inbox_items(self, limit: int) -> list[SealedItem]:
        """The oldest items of `sealed_items`."""
        return await self._fresh(lambda: self.sealed_items.items(limit))

    async def renew_inbox(self, *, drained: bool = False) -> None:
        """A key for what comes next, see `SealedItems.renew`; by the environment's keys as they are now."""
        await self._fresh(lambda: self.sealed_items.renew(drained=drained))

    # --- durability

    @property
    def pending_bytes(self) -> int:
        """Sealed bytes queued for the next commit: hold back when it grows."""
        return self._journal.pending_bytes

    @property
    def commits(self) -> int:
        """How many batches the journal has made durable."""
        return self._journal.commits

    @property
    def rows_written(self) -> int:
        """How many rows those batches had."""
        return self._journal.rows

    def hold_commits(self, fence: Callable[[], Awaitable[None] | None]) -> None:
        """Before each commit wait for what this gives, where it gives something."""
        self._journal.fence = fence

    async def flush(self) -> None:
        """Returns when everything queued so far is durable. Raises the error of the commit that failed."""
        await self._journal.flush()

    async def close(self) -> None:
        """Makes durable what is queued, seals the heads, gives up the executor's role and closes the store."""
        try:
            await self._journal.close()
        finally:
            await self._backend.close()
            await self._source.aclose()

    # --- the executor

    async def try_become_executor(self) -> bool:
        """Takes the role of the one process that runs this environment's flows; False if another has it. Held until
        `close`.
        """
        self._executor = await self._backend.workers.try_become_executor()
        return self._executor

    @property
    def executor_lost(self) -> bool:
        """Whether another process has taken over the role that this one had. What is in memory is of the past then."""
        return self._backend.workers.executor_lost

    async def look_again(self) -> None:
        """Learns to whom each flow belongs by now: for a process that became the executor long after it had read them.

        Raises EnvironmentLocked, KeyDenied, KeyUnavailable.
        """
        await self._fresh(lambda: self._definitions.locate())

    async def executor_pid(self) -> int | None:
        """The process that has that role, where known."""
        return await self._backend.workers.executor_pid()
