"""The sealed history of one run: its writing end (`RunLog`) and its verified reading end (`RunReader`).

A run's history is a chain of pages. Each page seals consecutive records and carries a link that binds it to all pages
before; the head, sealed in the run's row, says how far the chain reaches. A reader refuses pages that are missing,
repeated, moved, exchanged or altered, and a history that ends before its head.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from .codec import pack, pack_parts, unpack
from .envelope import FIRST_LINK, ScopeKey, kid_of, same
from .errors import IntegrityError, NotARecord, StorageError, StoreClosed, TamperedHistory
from .journal import Journal
from .marks import Marks
from .port import Backend
from .purposes import Purpose
from .rows import Batch, KeyRow, PageRow, RunRow, RunUpdate, SnapshotRow
from .views import Page, RunInfo, Value

PAGE_BYTES = 64 * 1024
_PAGES_A_READ = 64
_BYTES_A_READ = 8 * 1024 * 1024


class Head(NamedTuple):
    """What the run's row seals: where the history stands, and the clear columns, which are only copies of this."""

    seq: int  # the number of the record after the last
    link: bytes
    status: int
    ended_ms: int | None
    flow_id: bytes
    version: int
    definition_digest: bytes
    started_ms: int
    parent: bytes | None


def open_head(key: ScopeKey, row: RunRow) -> Head:
    """The verified head of a run's row. Raises TamperedHistory if it, or a clear column, was changed."""
    try:
        head = Head(*unpack(key.open(key.place(Purpose.HEAD, row.run_id), 0, row.head_version, row.head)))
    except (NotARecord, TypeError) as error:
        raise TamperedHistory("the sealed head was altered.", run=row.run_id.hex(), seq=0) from error
    clear = (row.status, row.ended_ms, row.flow_id, row.version, row.started_ms, row.parent, row.domain)
    sealed = (head.status, head.ended_ms, head.flow_id, head.version, head.started_ms, head.parent, key.domain)
    if clear != sealed:
        raise TamperedHistory("its row says otherwise than its sealed head.", run=row.run_id.hex(), seq=0)
    return head


def open_run_info(key: ScopeKey, row: RunRow) -> RunInfo:
    """The run as lists show it, verified. Raises TamperedHistory."""
    head = open_head(key, row)
    try:
        summary = unpack(key.open(key.place(Purpose.SUMMARY, row.run_id), 0, row.summary_version, row.summary))
    except NotARecord as error:
        raise TamperedHistory("its summary was altered.", run=row.run_id.hex(), seq=0) from error
    return RunInfo(
        row.run_id, head.flow_id, head.version, head.status, head.started_ms, head.ended_ms, head.parent, summary,
        head.definition_digest,
    )  # fmt: skip


class RunKeys:
    """The keys of one run: the one that seals what is new, and those that sealed earlier parts of its history, oldest
    first. A run changes its key when it goes over to another domain.
    """

    __slots__ = ("_by_kid", "_order", "live")

    def __init__(self, keys: Sequence[ScopeKey]) -> None:
        self.live = keys[-1]
        self._by_kid = {key.kid: key for key in keys}
        self._order = {key.kid: number for number, key in enumerate(keys)}

    def with_newer(self, key: ScopeKey) -> RunKeys:
        """These keys, and one that seals what is new from now on."""
        return RunKeys([*self._by_kid.values(), key])

    def of(self, record: bytes, after: ScopeKey | None = None) -> ScopeKey | None:
        """The key that a record names, None where it is none of these, or an earlier one than `after`: whoever holds an
        earlier key alone cannot add to what later ones sealed.
        """
        key = self.of_kid(kid_of(record))
        if key is None or (after is not None and self._order[key.kid] < self._order[after.kid]):
            return None
        return key

    def of_kid(self, kid: bytes) -> ScopeKey | None:
        """The key with this id."""
        return self._by_kid.get(kid)

    def opening(self, record: bytes) -> ScopeKey:
        """The key that a record names, else the live one, which will refuse it."""
        return self.of(record) or self.live


class Chain:
    """Verifies a run's pages in their order. `seq` and `link` say how far it has come."""

    __slots__ = ("_key", "_keys", "_place", "_run", "link", "marks", "pages", "seq")

    def __init__(self, keys: RunKeys, run_id: bytes, seq: int = 1, link: bytes = FIRST_LINK) -> None:
        self._keys = keys
        self._key: ScopeKey | None = None
        self._run = run_id
        self._place = b""
        self.seq = seq
        self.link = link
        self.pages = 0
        self.marks = Marks()

    def open(self, row: PageRow) -> Page:
        """The next page. Raises TamperedHistory."""
        if row.seq != self.seq:
            raise self.tampered(f"the next page begins with record {row.seq}: pages are missing or repeated.")
        key = self._keys.of(row.record, self._key)
        if key is None:
            raise self.tampered("the page was sealed by another key.")
        if key is not self._key:
            self._key, self._place = key, key.place(Purpose.PAGE, self._run)
        link = key.link(self.link, row.seq, row.record)
        if not same(link, row.link):
            raise self.tampered("the page was altered, moved or exchanged.")
        try:
            records = unpack(key.open(self._place, row.seq, 0, row.record))
        except NotARecord as error:
            raise self.tampered("the page was altered.") from error
        self.seq += len(records)
        self.link = link
        self.pages += 1
        self.marks.passed(self.seq, link, len(row.record))
        return Page(row.seq, records)

    def adopt(self, keys: RunKeys) -> bool:
        """Go on with these keys: the run has one more. False where that which opened the last page is gone: the history
        was sealed anew, and this chain leads nowhere.
        """
        key = None if self._key is None else keys.of_kid(self._key.kid)
        if self._key is not None and key is None:
            return False
        self._key, self._keys = key, keys
        return True

    def tampered(self, message: str) -> TamperedHistory:
        return TamperedHistory(message, run=self._run.hex(), seq=self.seq)


class RunReader:
    """Reads one run's history, verified from its first record. Call `read` again to follow a run that goes on."""

    def __init__(
        self,
        backend: Backend,
        keys: RunKeys,
        chain: Chain,
        run_id: bytes,
        again: Callable[[], Awaitable[RunKeys]] | None = None,
    ) -> None:
        self._backend = backend
        self._keys = keys
        self._again = again
        self._chain = chain
        self.run_id = run_id
        self.head: Head | None = None

    @property
    def seq(self) -> int:
        """The number of the record after the last that was read."""
        return self._chain.seq

    async def pages(self) -> AsyncIterator[Page]:
        """The pages that came since the last call, a few at a time in memory. Raises TamperedHistory."""
        seen = self._chain.seq  # what was yielded before
        while True:
            try:
                async for page in self._pages():
                    if page.seq >= seen:
                        seen = page.seq + len(page.records)
                        yield page
                return
            except TamperedHistory:
                keys = await self._again() if self._again is not None else self._keys
                if (keys.live.kid, keys.live.domain) == (self._keys.live.kid, self._keys.live.domain):
                    raise
                # The history was sealed anew while it was read: verified again from its first record.
                self._keys, self._chain = keys, Chain(keys, self.run_id)

    async def _pages(self) -> AsyncIterator[Page]:
        row = await self._backend.run(self.run_id)
        if row is None:  # its key was there
            raise TamperedHistory("its row is missing.", run=self.run_id.hex(), seq=0)
        if self._again is not None and (kid_of(row.head), row.domain) != (self._keys.live.kid, self._keys.live.domain):
            # The run went over to another key since these were read.
            self._keys = await self._again()
            if not self._chain.adopt(self._keys):
                self._chain = Chain(self._keys, self.run_id)
        # The head first: pages are only ever added, so whatever it names is there to be read afterwards.
        head = self.head = open_head(self._keys.live, row)
        chain = self._chain
        while True:
            rows = await self._backend.pages(self.run_id, chain.seq, _PAGES_A_READ, _BYTES_A_READ)
            if not rows:
                break
            for page_row in rows:
                self._check(head)
                if chain.seq >= head.seq and self._keys.of(page_row.record, self._keys.live) is None:
                    # A head is written whenever the key changes.
                    raise chain.tampered("the page was sealed by an earlier key.")
                yield chain.open(page_row)
            del rows, page_row  # before the next ones are read
        self._check(head)
        if chain.seq < head.seq:
            raise chain.tampered(f"the history ends here, but its head says record {head.seq - 1}.")

    def _check(self, head: Head) -> None:
        if self._chain.seq == head.seq and not same(self._chain.link, head.link):
            raise self._chain.tampered("the pages are not those that the head was written for.")

    async def read(self) -> list[Page]:
        """The pages that came since the last call; an empty list if none did."""
        return [page async for page in self.pages()]


class RunLog:
    """The writing end of one run: seals at once, queues, and is told when the commit is durable. Synchronous.

    `seq` is the number of the next record (the first is 1), `durable_seq` the same for what is on disk; `bytes_written`
    counts sealed page bytes. `on_error` is called once if a commit fails: what was queued is lost then, and the log is
    dead, since whatever it would seal next depends on that. Open the run again to go on from what is durable.
    """

    def __init__(
        self,
        journal: Journal,
        backend: Backend,
        keys: RunKeys,
        head: Head,
        run_id: bytes,
        domain: int,
        *,
        head_version: int = 0,
        summary_version: int = 0,
        snapshot: tuple[int, Value] | None = None,
        marks: Marks | None = None,
    ) -> None:
        self.run_id = run_id
        self.flow_id = head.flow_id
        self.version = head.version
        self.seq = self.durable_seq = head.seq
        self.bytes_written = 0
        self.on_error: Callable[[Exception], None] | None = None
        self._journal = journal
        self._backend = backend
        self._keys = keys
        self._key = keys.live
        self._head = head
        self._domain = domain
        self._link = head.link
        self._place = keys.live.place(Purpose.PAGE, run_id)
        self._head_version = head_version
        self._summary_version = summary_version
        self._summary: bytes | None = None
        self._snapshot = snapshot
        self._marks = marks if marks is not None else Marks()
        self._new = False
        self._head_due = False
        self._settled_seq = head.seq
        self._error: StorageError | None = None

    @classmethod
    def create(
        cls, journal: Journal, backend: Backend, key: ScopeKey, key_row: KeyRow, head: Head, summary: Value
    ) -> RunLog:
        """A new run: its key and its row go with the next commit."""
        log = cls(journal, backend, RunKeys([key]), head, key_row.scope, key_row.domain)
        log._new = True
        log._seal_summary(summary)
        journal.touch(log)
        journal.batch.keys.append(key_row)
        return log

    @classmethod
    async def open(
        cls, journal: Journal, backend: Backend, keys: RunKeys, row: RunRow, *, from_snapshot: bool
    ) -> RunLog:
        """An existing run, positioned behind its last record after verifying its history (from the snapshot on, if so
        asked).
        """
        snapshot = await read_snapshot(backend, keys, row.run_id)
        chain = Chain(keys, row.run_id)
        if from_snapshot and snapshot is not None:
            chain = Chain(keys, row.run_id, snapshot[0], snapshot[1])
        reader = RunReader(backend, keys, chain, row.run_id)
        key = keys.live
        known = snapshot is None or chain.seq == snapshot[0]
        async for _ in reader.pages():
            if snapshot is not None and chain.seq == snapshot[0] and same(chain.link, snapshot[1]):
                known = True
        if snapshot is not None and chain.seq < snapshot[0]:
            raise chain.tampered(f"the history ends here, but a snapshot was taken at record {snapshot[0] - 1}.")
        head = reader.head
        assert head is not None  # noqa: S101 (pages() has set it)
        # Heads and snapshots count as well; the limit is far enough away for a rough number.
        key.seals = chain.pages * 2 + row.head_version + row.summary_version
        return cls(
            journal,
            backend,
            keys,
            head._replace(seq=chain.seq, link=chain.link),
            row.run_id,
            row.domain,
            head_version=row.head_version,
            summary_version=row.summary_version,
            snapshot=(snapshot[0], snapshot[2]) if snapshot is not None and known else None,
            marks=chain.marks,
        )

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def closed(self) -> bool:
        """Whether nothing can be appended any more, because the log was closed or a commit has failed."""
        return self._error is not None

    @property
    def ended(self) -> bool:
        """Whether the run's end was appended."""
        return self._head.ended_ms is not None

    @property
    def domain(self) -> int:
        """Whose key seals it (purposes.Domain)."""
        return self._domain

    def append(
        self,
        records: Sequence[Sequence[Value]],
        *,
        status: int | None = None,
        ended_ms: int | None = None,
        summary: Value | None = None,
        head: bool = False,
        on_durable: Callable[[], None] | None = None,
    ) -> int:
        """Seals and queues records, and what changes in the run's row with them, all for one commit. Returns the sealed
        bytes.

        Records go on pages of up to 64 KiB; a larger record goes alone. No records at all is a barrier, or a change of
        the row only. `head` asks for a sealed head (do so when a run goes to sleep; a change of status always writes
        one). `on_durable` is called from the event loop once everything of this call is on disk. Raises NotStorable
        (nothing was queued), SealLimit, and the journal's error once a commit has failed.
        """
        self._alive()
        parts = pack_parts(records, PAGE_BYTES) if records else ()
        sealed_summary = pack(summary) if summary is not None else None
        written = 0
        if parts:
            key, queue = self._key, self._journal.batch.pages
            for count, data in parts:
                seq = self.seq
                record = key.seal(self._place, seq, 0, data)
                self._link = link = key.link(self._link, seq, record)
                self.seq = seq + count
                self._marks.passed(seq + count, link, len(record))
                queue.append(PageRow(self.run_id, seq, link, record))
                written += len(record)
            self.bytes_written += written
        if status is not None or ended_ms is not None:
            before = self._head
            self._head = before._replace(
                status=before.status if status is None else status,
                ended_ms=before.ended_ms if ended_ms is None else ended_ms,
            )
            self._head_due = True
        if sealed_summary is not None:
            self._seal_packed_summary(sealed_summary)
        if head:
            self._head_due = True
        self._journal.touch(self, written, on_durable)
        return written

    def snapshot(self, value: Value) -> None:
        """Seals a cache of the state as of the last record appended; replaces the one before. Raises NotStorable."""
        self._alive()
        data = pack([self._link, value])
        record = self._key.seal(self._key.place(Purpose.SNAPSHOT, self.run_id), self.seq, 0, data)
        self._journal.batch.snapshots[self.run_id] = SnapshotRow(self.run_id, self.seq, record)
        self._snapshot = None
        self._journal.touch(self, len(record))

    async def load_snapshot(self) -> tuple[int, Value] | None:
        """(number of the next record at that time, state) of the latest durable snapshot, or None."""
        if self._snapshot is None:
            found = await read_snapshot(self._backend, self._keys, self.run_id)
            return None if found is None or found[0] > self.seq else (found[0], found[2])
        return self._snapshot

    async def record(self, seq: int) -> Value:
        """One record of this run, by its number, once it is durable. Raises TamperedHistory.

        What lies before it was verified or written by this log; so only the way from the nearest mark is read.
        """
        chain = Chain(self._keys, self.run_id, *self._marks.before(seq))
        while True:
            rows = await self._backend.pages(self.run_id, chain.seq, 1, 1)
            if not rows:
                raise chain.tampered(f"the history ends here, but record {seq} was written.")
            page = chain.open(rows[0])
            if seq < chain.seq:
                return page.records[seq - page.seq]

    # --- called by the journal

    def settle(self, batch: Batch) -> bool:
        if self._new:
            self._new = False
            record = self._seal_head()
            head = self._head
            batch.runs.append(
                RunRow(
                    self.run_id, head.flow_id, head.version, self._domain, head.status, head.started_ms, head.ended_ms,
                    head.parent, self._head_version, record, self._summary_version, self._summary or b"",
                )
            )  # fmt: skip
            self._summary = None
        elif self._head_due or self._summary is not None:
            record = self._seal_head()
            head = self._head
            batch.run_updates.append(
                RunUpdate(
                    self.run_id, head.status, head.ended_ms, self._head_version, record, self._summary_version,
                    self._summary,
                )
            )  # fmt: skip
            self._summary = None
        self._settled_seq = self.seq
        return self._head.seq != self.seq

    def want_head(self) -> None:
        self._head_due = True

    def committed(self) -> None:
        self.durable_seq = self._settled_seq

    def failed(self, error: StorageError) -> None:
        self._error = error
        if self.on_error is not None:
            self.on_error(error)

    # --- inside

    def _alive(self) -> None:
        error = self._error or self._journal.error
        if error is not None:
            raise error

    def change_key(self, key: ScopeKey, key_row: KeyRow, summary: Value) -> None:
        """From now on another key seals this run: its row goes with the next commit, a head and the summary under it
        too. What is there stays under the earlier one.
        """
        self._alive()
        self._keys = self._keys.with_newer(key)
        self._key, self._domain = key, key_row.domain
        self._place = key.place(Purpose.PAGE, self.run_id)
        self._snapshot = None
        self._head_due = True
        self._seal_summary(summary)
        self._journal.batch.keys.append(key_row)
        self._journal.batch.run_domains.append((self.run_id, key_row.domain))
        self._journal.touch(self)

    def close(self) -> None:
        """Ends this log: later appends are refused. What is queued still becomes durable."""
        if self._error is None:
            self._error = StoreClosed(f"The log of run {self.run_id.hex()} is closed.")

    def _seal_head(self) -> bytes:
        self._head = self._head._replace(seq=self.seq, link=self._link)
        self._head_version += 1
        self._head_due = False
        place = self._key.place(Purpose.HEAD, self.run_id)
        return self._key.seal(place, 0, self._head_version, pack(tuple(self._head)))

    def _seal_summary(self, summary: Value) -> None:
        self._seal_packed_summary(pack(summary))

    def _seal_packed_summary(self, data: bytes) -> None:
        self._summary_version += 1
        place = self._key.place(Purpose.SUMMARY, self.run_id)
        self._summary = self._key.seal(place, 0, self._summary_version, data)


async def read_snapshot(backend: Backend, keys: RunKeys, run_id: bytes) -> tuple[int, bytes, Value] | None:
    """(seq, link, value) of the stored snapshot. Raises TamperedHistory for an altered one."""
    row = await backend.snapshot(run_id)
    if row is None:
        return None
    try:
        key = keys.opening(row.record)
        link, value = unpack(key.open(key.place(Purpose.SNAPSHOT, run_id), row.seq, 0, row.record))
    except (IntegrityError, TypeError, ValueError) as error:
        raise TamperedHistory("its snapshot was altered.", run=run_id.hex(), seq=row.seq) from error
    return row.seq, link, value
