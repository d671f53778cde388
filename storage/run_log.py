"""The writing end of one run's history: seals, links and queues its records, and what changes in the run's row.

The form of what it writes is that of `history`, which reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .codec import pack, pack_pages
from .envelope import REFERRING, ZIPPED, ScopeKey, same
from .errors import StorageError, StoreClosed
from .history import Chain, Head, RunKeys, RunReader, read_snapshot
from .journal import Journal
from .marks import Marks
from .port import Backend
from .purposes import Purpose
from .references import Missing, Referrer
from .rows import Batch, KeyRow, PageRow, RunRow, RunUpdate, SnapshotRow
from .views import Value
from .zipping import zipped

PAGE_BYTES = 64 * 1024


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
        self.zips = False
        """Compress pages: of a run that keeps no secrets."""
        self.on_error: Callable[[Exception], None] | None = None
        self.released = False
        """Whether nobody has the run any more once what is queued is durable."""
        self._journal = journal
        self._backend = backend
        self._keys = keys
        self._key = keys.live
        self._head = head
        self._domain = domain
        self._link = head.link
        self._place, self._zipped_place = self._page_places()
        self._referrer = Referrer()
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

    def name_values(self, naming: Mapping[int, int], named: Mapping[int, int]) -> None:
        """From now on a value that a record repeats is stored as a reference: where `naming` says for a record, by its
        second field, to where `named` says for the earlier one.
        """
        self._referrer.naming, self._referrer.named = naming, named

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
        packed: bytes | None = None,
    ) -> int:
        """Seals and queues records, and what changes in the run's row with them, all for one commit. Returns the sealed
        bytes.

        Records go on pages of up to 64 KiB; a larger record goes alone. No records at all is a barrier, or a change of
        the row only. `head` asks for a sealed head (do so when a run goes to sleep; a change of status always writes
        one). `on_durable` is called from the event loop once everything of this call is on disk. `packed` is the first
        record as `pack_record` gives it. Raises NotStorable
        (nothing was queued), SealLimit, and the journal's error once a commit has failed.
        """
        self._alive()
        parts = pack_pages(self._referrer.pack(records, self.seq, packed), PAGE_BYTES) if records else ()
        sealed_summary = pack(summary) if summary is not None else None
        written = 0
        if parts:
            key, queue = self._key, self._journal.batch.pages
            for count, data in parts:
                seq, place = self.seq, self._place
                if self.zips and (small := zipped(data)) is not None:
                    data, place = small, self._zipped_place
                record = key.seal(place, seq, 0, data)
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
        self._referrer.forget()
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
        return (await self._stored(seq))[0]

    async def _stored(self, seq: int) -> tuple[Value, bytes]:
        chain = Chain(self._keys, self.run_id, *self._marks.before(seq))
        while True:
            rows = await self._backend.pages(self.run_id, chain.seq, 1, 1)
            if not rows:
                raise chain.tampered(f"the history ends here, but record {seq} was written.")
            try:
                page = chain.open(rows[0])
            except Missing as missing:
                chain.know(missing.seq, await self._stored(missing.seq))
                continue
            if seq < chain.seq:
                return chain.stored(seq, page)

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
        self._place, self._zipped_place = self._page_places()
        self._snapshot = None
        self._head_due = True
        self._seal_summary(summary)
        self._journal.batch.keys.append(key_row)
        self._journal.batch.run_domains.append((self.run_id, key_row.domain))
        self._journal.touch(self)

    def _page_places(self) -> tuple[bytes, bytes]:
        place = self._key.place
        return place(Purpose.PAGE, self.run_id, REFERRING), place(Purpose.PAGE, self.run_id, ZIPPED)

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
