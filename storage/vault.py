"""The one door to the disk: seals everything on the way in, opens and verifies everything on the way out.

One `Vault` for each environment. Above it there are plain values and no keys; below it there are bytes and the
published clear columns.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence

from .definitions import Definitions
from .envelope import FIRST_LINK, ScopeKey
from .errors import IntegrityError, RecordNotFound, TamperedHistory
from .history import Chain, Head, RunLog, RunReader, open_run_info
from .inbox import Inbox
from .journal import Journal
from .keyring import Keyring
from .port import Backend
from .purposes import Kind
from .views import EnvironmentInfo, FlowDocument, FlowInfo, FlowVersion, InboxItem, Page, RunInfo, Value


def system_ms() -> int:
    """Unix milliseconds by the system's clock."""
    return time.time_ns() // 1_000_000


class Vault:
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
        *,
        now_ms: Callable[[], int] = system_ms,
    ) -> None:
        self.environment = environment
        self._backend = backend
        self._keyring = keyring
        self._journal = Journal(backend)
        self._definitions = Definitions(backend, keyring, now_ms)
        self._inbox = Inbox(backend, keyring, now_ms)
        self._executor = False

    def __repr__(self) -> str:
        return f"<Vault of environment {self.environment.id.hex()}>"

    # --- flows

    async def put_flow(self, name: str, document: Value, *, meta: Value = None) -> FlowVersion:
        """Deploys a definition as the flow's next version; durable on return.

        If document and meta equal those of the current version, that is the answer, with `created` False. Names are
        matched without regard to case; the first spelling stays. Raises NotStorable, InvalidName.
        """
        return await self._definitions.put(name, document, meta)

    async def flows(self) -> list[FlowInfo]:
        """All flows, in the order of their first deployment."""
        return await self._definitions.all()

    async def flow(self, name_or_id: str | bytes) -> FlowInfo:
        """A flow by name (in any case) or id. Raises RecordNotFound."""
        return await self._definitions.one(name_or_id)

    async def version(self, flow_id: bytes, number: int, *, digest: bytes | None = None) -> FlowDocument:
        """One version of a flow. Raises RecordNotFound.

        `digest` (RunInfo.definition_digest) says which content it must have: IntegrityError if it has another, or is
        missing.
        """
        return await self._definitions.version(flow_id, number, digest)

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
        definition_digest: bytes = b"",
    ) -> RunLog:
        """A new run; its key and row go with the next commit. `run_id` is 16 bytes that no run has: ask `run_exists`
        first.

        `summary` is what lists show; it is sealed. `definition_digest` (FlowDocument.digest) is bound into the sealed
        head.
        """
        if len(run_id) != 16:
            raise ValueError("A run's id is 16 bytes.")
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id)
        head = Head(1, FIRST_LINK, status, None, flow_id, version, definition_digest, started_ms, parent)
        return RunLog.create(self._journal, self._backend, key, key_row, head, summary)

    async def run_exists(self, run_id: bytes) -> bool:
        """Whether the store has this run (one that was created but is not durable yet does not count)."""
        return await self._backend.run(run_id) is not None

    async def open_run(self, run_id: bytes, *, from_snapshot: bool = False) -> RunLog:
        """An existing run's log, positioned behind its last record. Raises RecordNotFound, TamperedHistory.

        The whole history is verified, or with `from_snapshot` only what came after the latest snapshot.
        """
        key = await self._run_key(run_id)
        row = await self._backend.run(run_id)
        if row is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        return await RunLog.open(self._journal, self._backend, key, row, from_snapshot=from_snapshot)

    async def reader(self, run_id: bytes) -> RunReader:
        """A verifying reader of a run's history, to read once or to follow. Raises RecordNotFound."""
        key = await self._run_key(run_id)
        return RunReader(self._backend, key, Chain(key, run_id), run_id)

    async def read_run(self, run_id: bytes, after_seq: int = 0) -> AsyncIterator[Page]:
        """The history behind record `after_seq`, page by page. Everything before is verified as well; `reader` follows
        more cheaply.

        Raises RecordNotFound, TamperedHistory.
        """
        reader = await self.reader(run_id)
        async for page in reader.pages():
            skip = after_seq + 1 - page.seq
            if skip <= 0:
                yield page
            elif skip < len(page.records):
                yield Page(after_seq + 1, page.records[skip:])

    async def run(self, run_id: bytes) -> RunInfo:
        """One run's row, verified against its sealed head. Raises RecordNotFound, TamperedHistory."""
        key = await self._run_key(run_id)
        row = await self._backend.run(run_id)
        if row is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        return open_run_info(key, row)

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
        rows = await self._backend.runs(flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before)
        keys = {row.scope: row for row in await self._backend.keys(Kind.RUN, [row.run_id for row in rows])}
        infos = []
        for row in rows:
            if row.run_id not in keys:
                raise IntegrityError(f"The key of run {row.run_id.hex()} is missing.")
            infos.append(open_run_info(self._keyring.open_scope(keys[row.run_id]), row))
        return infos

    async def unfinished(self) -> list[bytes]:
        """The ids of all runs that have not ended, oldest first."""
        return await self._backend.unfinished()

    async def _run_key(self, run_id: bytes) -> ScopeKey:
        rows = await self._backend.keys(Kind.RUN, [run_id])
        if not rows:
            if await self._backend.run(run_id) is None:
                raise RecordNotFound(f"There is no run {run_id.hex()}.")
            # Row and key come in one commit, which may have happened between the two looks.
            rows = await self._backend.keys(Kind.RUN, [run_id])
        if rows:
            return self._keyring.open_scope(rows[0])
        raise IntegrityError(f"The key of run {run_id.hex()} is missing.")

    # --- inbox

    async def inbox_add(self, kind: int, item: Value, run_id: bytes | None = None, dedupe: bytes | None = None) -> int:
        """Leaves a request for the environment's executor, from any process; durable on return.

        A request whose `dedupe` equals that of one that still waits is not added again; the answer is the waiting one's
        number.
        """
        return await self._inbox.add(kind, item, run_id, dedupe)

    async def inbox(self, limit: int = 100) -> list[InboxItem]:
        """The oldest requests that were not consumed yet.

        One that was changed from outside is logged and left out; the executor removes it.
        """
        items = await self._inbox.items(limit)
        if self._executor:
            for number in self._inbox.unreadable:
                self.consume(number)
        return items

    def consume(self, item_id: int) -> None:
        """Removes a request with the next commit: in the same one as whatever is queued before control returns to the
        event loop.
        """
        self._journal.wake()
        if self._inbox.consume(item_id, self._journal.batch):
            self._journal.after_commit(lambda: self._inbox.forget(item_id), lambda: self._inbox.forget(item_id))

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

    async def flush(self) -> None:
        """Returns when everything queued so far is durable. Raises the error of the commit that failed."""
        await self._journal.flush()

    async def close(self) -> None:
        """Makes durable what is queued, seals the heads, gives up the executor's role and closes the store."""
        try:
            await self._journal.close()
        finally:
            await self._backend.close()

    # --- the executor

    def try_become_executor(self) -> bool:
        """Takes the role of the one process that runs this environment's flows; False if another has it. Held until
        `close`.
        """
        self._executor = self._backend.try_become_executor()
        return self._executor

    def executor_pid(self) -> int | None:
        """The process that has that role, where known."""
        return self._backend.executor_pid()
