"""The writing end of one run's history: seals, links and queues its records, and what changes in the run's row.

The form of what it writes is that of `history`, which reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from ...errors import StorageError, StoreClosed
from ...format.codec import pack, pack_pages
from ...format.compression import zipped
from ...format.envelope import LINKED_FORMAT, REFERRING, ZIPPED, ScopeKey, same
from ...format.marks import Mark, Marks
from ...format.purposes import Purpose
from ...format.references import Missing, Referrer
from ...format.stored_values import CHUNK_BYTES, StoredValue, found_in
from ...models import Value
from ...port import FIRST_EPOCH, Backend, Batch, KeyRow, PageRow, RunRow, RunUpdate, SnapshotRow
from .folding import Folding
from .history import Chain, Head, RunKeys, RunReader, open_head, read_snapshot, sealed_anew
from .journal import Journal
from .value_reading import ValueReader
from .value_writing import Sealer, ValueWriter, content_of, put_apart, put_at_once, put_back, taken_out

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
        epoch: int | None = None,
    ) -> None:
        self.run_id = run_id
        self.epoch = epoch
        """The ownership epoch under which the run is written, where workers share the store."""
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
        self._referrer: Referrer | None = None
        self._head_version = head_version
        self._summary_version = summary_version
        self._summary: bytes | None = None
        self._snapshot = snapshot
        self.snapshots = 0
        """How many snapshots this log has taken."""
        self._marks = marks if marks is not None else Marks()
        self._new = False
        self._head_due = False
        self._settled_seq = head.seq
        self._beside: tuple[int, list[Sequence[Value]]] = (0, [])
        self._unsettled: set[bytes] = set()  # large values that are written and named by no record yet
        self._values = ValueReader(backend, keys, run_id)
        self._error: StorageError | None = None
        self._closed = False

    @classmethod
    def create(
        cls, journal: Journal, backend: Backend, key: ScopeKey, key_row: KeyRow, head: Head, summary: Value
    ) -> RunLog:
        """A new run: its key and its row go with the next commit."""
        epoch = FIRST_EPOCH if backend.workers.shared else None
        log = cls(journal, backend, RunKeys([key]), head, key_row.scope, key_row.domain, epoch=epoch)
        log._new = True
        log._seal_summary(summary)
        journal.touch(log)
        journal.batch.keys.inserts.append(key_row)
        return log

    @classmethod
    async def open(
        cls,
        journal: Journal,
        backend: Backend,
        keys: RunKeys,
        row: RunRow,
        *,
        from_snapshot: bool,
        folding: Folding | None = None,
        epoch: int | None = None,
    ) -> RunLog:
        """An existing run, positioned behind its last record after verifying its history (from the snapshot on, if so
        asked), which `folding` is given on the way.

        A snapshot that the sealed head does not reach proves nothing about the pages before it: they are read then.
        """
        snapshot = await read_snapshot(backend, keys, row.run_id)
        chain = Chain(keys, row.run_id)
        trusted = from_snapshot and snapshot is not None and open_head(keys.live, row).seq >= snapshot[0].seq
        if trusted and snapshot is not None and (folding is None or folding.begin(snapshot[0].seq, snapshot[1])):
            chain = Chain(keys, row.run_id, snapshot[0])
        elif folding is not None:
            folding.begin(1, None)
        reader = RunReader(backend, keys, chain, row.run_id, apart=True, row=row)
        key = keys.live
        known = snapshot is None or chain.seq == snapshot[0].seq
        async for page in reader.pages():
            if folding is not None:
                await folding.take(page, reader)
            if snapshot is not None and chain.seq == snapshot[0].seq and same(chain.link, snapshot[0].link):
                known = True
        if snapshot is not None and chain.seq < snapshot[0].seq:
            raise chain.tampered(f"the history ends here, but a snapshot was taken at record {snapshot[0].seq - 1}.")
        chain.marks.put(chain.seq, chain.link)
        head = reader.head
        assert head is not None  # noqa: S101 (pages() has set it)
        # At least one record a page; what was not read now counts as well. A rough number, and never too small.
        key.seals = max(key.seals, chain.seq * 2 + row.head_version + row.summary_version)
        return cls(
            journal,
            backend,
            keys,
            head._replace(seq=chain.seq, link=chain.link, linked=head.linked or chain.switched),
            row.run_id,
            row.domain,
            head_version=row.head_version,
            summary_version=row.summary_version,
            snapshot=(snapshot[0].seq, snapshot[1]) if snapshot is not None and known and folding is None else None,
            marks=chain.marks,
            epoch=epoch,
        )

    def name_values(self, naming: Mapping[int, int], named: Mapping[int, int]) -> None:
        """From now on a value that a record repeats is stored as a reference: where `naming` says for a record, by its
        second field, to where `named` says for the earlier one.
        """
        self._referrer = referrer = Referrer()
        referrer.naming, referrer.named = naming, named

    @property
    def names_values(self) -> bool:
        """Whether a large value is written that no record names yet: the next one may."""
        return bool(self._unsettled)

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def closed(self) -> bool:
        """Whether nothing can be appended any more, because the log was closed or a commit has failed."""
        return self._closed or self._error is not None

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

        Records go on pages of up to 64 KiB; a larger record goes alone, and one of more than CHUNK_BYTES has its large
        values beside it, in the same commit (`set_apart` writes them before, in smaller ones). No records at all is a
        barrier, or a change of the row only. `head` asks for a sealed head (do so when a run goes to sleep; a change of
        status always writes one). `on_durable` is called from the event loop once everything of this call is on disk.
        `packed` is the first record as `pack_record` gives it. Raises NotStorable (nothing was queued), SealLimit, and
        the journal's error once a commit has failed.
        """
        journal = self._journal
        if self._closed or self._error is not None or journal.error is not None:
            self._alive()
        parts: Sequence[tuple[int, bytes]] = ()
        try:
            if records:
                if self._referrer is not None:
                    data = self._referrer.pack(records, self.seq, packed)
                elif packed is not None:
                    data = [packed, *map(pack, records[1:])]
                else:
                    data = [*map(pack, records)]
                parts = pack_pages(data, PAGE_BYTES)
            sealed_summary = pack(summary) if summary is not None else None
            if parts and (len(parts) > 1 or len(parts[0][1]) > CHUNK_BYTES):
                parts = self._with_values_beside(records, parts)
        except BaseException:
            if self._referrer is not None:  # what it has just packed is written nowhere
                self._referrer.forget()
            raise
        written = 0
        if parts:
            seal, queue, passed = self._key.seal_page, journal.batch.runs.pages, self._marks.passed
            if self._unsettled:
                self._settle_values(records)
            for count, page in parts:
                seq, place = self.seq, self._place
                if self.zips and (small := zipped(page)) is not None:
                    page, place = small, self._zipped_place
                record, link = seal(place, seq, page, self._link)
                self._link, self.seq = link, seq + count
                size = len(record)
                passed(seq + count, link, size)
                queue.append(PageRow(self.run_id, seq, link, record))
                written += size
            self.bytes_written += written
        if status is not None or ended_ms is not None:
            before = self._head
            status = before.status if status is None else status
            ended_ms = before.ended_ms if ended_ms is None else ended_ms
            self._head = Head(before.seq, before.link, status, ended_ms, *before[4:])
            self._head_due = True
        if sealed_summary is not None:
            self._seal_packed_summary(sealed_summary)
        if head:
            self._head_due = True
        journal.touch(self, written, on_durable)
        return written

    def snapshot(self, value: Value) -> None:
        """Seals a cache of the state as of the last record appended; replaces the one before. Raises NotStorable."""
        self._alive()
        earlier = self._marks.earlier
        data = pack([self._link, value] if earlier is None else [self._link, value, earlier])
        record = self._key.seal(self._key.place(Purpose.SNAPSHOT, self.run_id), self.seq, 0, data)
        self._journal.batch.runs.snapshots[self.run_id] = SnapshotRow(self.run_id, self.seq, record)
        self.snapshots += 1
        self._snapshot = None
        if self._referrer is not None:
            self._referrer.forget()
        self._journal.touch(self, len(record))

    async def load_snapshot(self) -> tuple[int, Value] | None:
        """(number of the next record at that time, state) of the latest durable snapshot, or None."""
        if self._snapshot is None:
            found = await read_snapshot(self._backend, self._keys, self.run_id)
            return None if found is None or found[0].seq > self.seq else (found[0].seq, found[1])
        return self._snapshot

    async def record(self, seq: int) -> Value:
        """One record of this run, by its number, once it is durable. Raises TamperedHistory.

        This log has verified or written what is before it. So only the pages from the nearest mark on are read, up to
        the next mark where an earlier key sealed them. Large values are only named in it, see `whole`.
        """
        return (await self._stored(seq))[0]

    async def _stored(self, seq: int) -> tuple[Value, bytes]:
        chain = Chain(self._keys, self.run_id, self._marks.before(seq))
        until = self._marks.behind(seq)
        found: tuple[Value, bytes] | None = None
        while True:
            rows = await self._backend.runs.pages(self.run_id, chain.seq, 1, 1)
            if not rows:
                raise chain.tampered(f"the history ends here, but record {seq} was written.")
            try:
                page = chain.open(rows[0])
            except Missing as missing:
                chain.know(missing.seq, await self._stored(missing.seq))
                continue
            if found is None and seq < chain.seq:
                found = chain.stored(seq, page)
                if self._key.names(rows[0].record):
                    return found
            if found is not None and (until is None or chain.seq >= until.seq):
                # The holder of an earlier key can make pages and links, but none that lead to this mark.
                if until is None or chain.seq > until.seq or not _leads_to(chain, until):
                    raise chain.tampered("the pages are not those that were verified before.")
                return found

    # --- large values

    async def set_apart(self, record: Sequence[Value]) -> Sequence[Value]:
        """A record that names its large values, to be appended in place of this one; they are durable on return, in
        commits of bounded size. Raises NotStorable, ValueTooLarge, and the journal's error.
        """
        left, values = taken_out(record)
        await asyncio.sleep(0)  # packing what is large was long
        names = await put_apart(values, self.value_writer)
        self.will_name(names)
        return [put_back(field, names) for field in left] if names else record

    def will_name(self, values: Sequence[StoredValue]) -> None:
        """These are written, and records to come name them."""
        self._unsettled.update(value.id for value in values)

    def value_writer(self, form: int) -> ValueWriter:
        """Takes a large value of this run in as it comes; then `finish`, or its `drop`."""
        self._alive()
        return ValueWriter(self._journal, self.run_id, self._sealer(form))

    async def finish(self, writer: ValueWriter) -> StoredValue:
        """What stands for the value, durable on return; the record that names it has to be appended by this log."""
        value = await writer.finish()
        self.will_name([value])
        return value

    async def whole(self, value: Value) -> Value:
        """A value of a record of this run, with its large values in it. Raises TamperedHistory."""
        return await self._values.whole(value)

    def parts(self, value: StoredValue) -> AsyncIterator[bytes]:
        """The bytes of a large value, a chunk at a time. Raises TamperedHistory."""
        return self._values.parts(value)

    def _sealer(self, form: int) -> Sealer:
        return Sealer(lambda: self._key, form, zips=self.zips)

    def _settle_values(self, records: Sequence[Sequence[Value]]) -> None:
        for value in found_in(records):
            if value.id in self._unsettled:
                self._unsettled.discard(value.id)
                batch = self._journal.batch
                batch.values.settled.append(value.id)
                batch.tied.append((self.run_id, batch.values.settled, value.id))

    def _with_values_beside(
        self, records: Sequence[Sequence[Value]], parts: Sequence[tuple[int, bytes]]
    ) -> list[tuple[int, bytes]]:
        """The pages, with the large values of those apart that are too large. Nothing is queued where it raises
        NotStorable or ValueTooLarge.
        """
        at, found = 0, {}
        for place, (count, data) in enumerate(parts):
            if len(data) > CHUNK_BYTES:  # of one record, which goes alone
                left, values = taken_out(records[at])
                contents = [(self._sealer(form), content_of(form, value)) for form, value in values]
                if contents:
                    found[place] = left, contents
            at += count
        put_at_once(self._journal, self.run_id, [each for _, contents in found.values() for each in contents])
        pages = list(parts)
        for place, (left, contents) in found.items():
            names = [sealer.named() for sealer, _ in contents]
            record = [put_back(field, names) for field in left]
            if not place:
                self._beside = self.seq, [record]
            pages[place] = 1, pack([pack(record)])
        return pages

    def take_beside(self) -> tuple[int, list[Sequence[Value]]]:
        """Number and form of the first record of the last `append`, if that had to set values of it apart: once."""
        found, self._beside = self._beside, (0, [])
        return found

    # --- called by the journal

    def settle(self, batch: Batch) -> bool:
        if self._error is not None:
            return False
        if self.epoch is not None:
            batch.owned[self.run_id] = self.epoch
        if self._new:
            self._new = False
            record = self._seal_head()
            head = self._head
            batch.runs.inserts.append(
                RunRow(
                    self.run_id, head.flow_id, head.version, self._domain, head.status, head.started_ms, head.ended_ms,
                    head.parent, self._head_version, record, self._summary_version, self._summary or b"",
                )
            )  # fmt: skip
            self._summary = None
        elif self._head_due or self._summary is not None:
            record = self._seal_head()
            head = self._head
            batch.runs.updates.append(
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
        if error is None and self._closed:
            error = StoreClosed(f"The log of run {self.run_id.hex()} is closed.")
        if error is not None:
            raise error

    @property
    def unbound(self) -> bool:
        """Whether there are pages of format 1 that a change of key has to bind, by their digest."""
        return self._head.linked > 1 and not self._head.earlier

    def change_key(
        self, key: ScopeKey, key_row: KeyRow, summary: Value, snapshot: SnapshotRow | None, earlier: bytes
    ) -> None:
        """From now on another key seals this run: its row goes with the next commit, and a head, the summary and the
        snapshot under it. The pages that are there stay under the earlier one.

        `snapshot` is the stored one, `earlier` the digest of the pages of format 1 if the log is `unbound`. Raises
        TamperedHistory; nothing was changed then.
        """
        self._alive()
        snapshot = self._journal.batch.runs.snapshots.get(self.run_id, snapshot)
        if snapshot is not None and self._key.names(snapshot.record):
            self._journal.batch.runs.snapshots[self.run_id] = sealed_anew(snapshot, self._key, key)
        else:
            self._journal.batch.runs.removed_snapshots.append(self.run_id)
        if self.unbound:
            self._head = self._head.bound(earlier, self._head.linked)
        self._marks.put(self.seq, self._link)
        self._keys = self._keys.with_newer(key)
        self._values = ValueReader(self._backend, self._keys, self.run_id)
        self._key, self._domain = key, key_row.domain
        self._place, self._zipped_place = self._page_places()
        self._snapshot = None
        self._head_due = True
        self._seal_summary(summary)
        self._journal.batch.keys.inserts.append(key_row)
        self._journal.batch.runs.domains.append((self.run_id, key_row.domain))
        self._journal.touch(self)

    def _page_places(self) -> tuple[bytes, bytes]:
        place = self._key.place
        forms = [place(Purpose.PAGE, self.run_id, codec, LINKED_FORMAT) for codec in (REFERRING, ZIPPED)]
        return forms[0], forms[1]

    def close(self) -> None:
        """Ends this log: later appends are refused. What is queued still becomes durable, with a head."""
        if not self._closed and self._head.seq != self.seq and self._error is None and self._journal.error is None:
            self._head_due = True
            self._journal.touch(self)
        self._closed = True

    def _seal_head(self) -> bytes:
        self._head = Head(self.seq, self._link, *self._head[2:])
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


def _leads_to(chain: Chain, mark: Mark) -> bool:
    digests = (chain.earlier, mark.earlier)
    return same(chain.link, mark.link) and (None in digests or digests[0] == digests[1])
