"""The sealed history of one run: its verified reading end. `run_log` is the writing one.

A run's history is a chain of pages. Each page seals consecutive records and carries a link that binds it to all pages
before; the head, sealed in the run's row, says how far the chain reaches. A reader refuses pages that are missing,
repeated, moved, exchanged or altered, and a history that ends before its head.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from ...errors import IntegrityError, NotARecord, TamperedHistory
from ...format.codec import unpack
from ...format.compression import unzipped
from ...format.envelope import (
    CODEC,
    FORMAT,
    LINKED_FORMAT,
    REFERRING,
    ZIPPED,
    ScopeKey,
    codec_of,
    digest,
    format_of,
    kid_of,
    number,
    same,
)
from ...format.marks import FIRST, Mark, Marks
from ...format.purposes import Purpose
from ...format.references import Missing, Resolver
from ...format.stored_values import StoredValue
from ...models import Page, RunInfo, Value
from ...port import Backend, PageRow, RunRow, SnapshotRow
from .value_reading import ValueReader

log = logging.getLogger("sealflow")

_PAGES_A_READ = 64
_BYTES_A_READ = 8 * 1024 * 1024


class Head(NamedTuple):
    """What the run's row seals: where the history stands, and the clear columns, which are only copies of this.

    `linked` pins the format of pages: from this record on they are of format 2. 0 in heads of earlier versions, which
    end with `parent`. `earlier` is the digest of the pages of format 1 as they were when a later key took over the run,
    empty where there are none or no later key did: their links do not bind them against who holds the earlier one.
    """

    seq: int  # the number of the record after the last
    link: bytes
    status: int
    ended_ms: int | None
    flow_id: bytes
    version: int
    definition_digest: bytes
    started_ms: int
    parent: bytes | None
    linked: int = 0
    earlier: bytes = b""

    def bound(self, earlier: bytes, switched: int) -> Head:
        """With the digest of its pages of format 1, empty where there are none, and the record behind them."""
        return self._replace(earlier=earlier, linked=self.linked or switched) if earlier else self._replace(linked=1)


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
    """Verifies a run's pages in their order, from a mark on. `seq` and `link` say how far it has come, `earlier` is the
    digest of the pages of format 1 up to there, None where it is not known.
    """

    __slots__ = (
        "_form", "_key", "_keys", "_places", "_resolver", "_run", "earlier", "link", "marks", "packed", "seq",
        "switched",
    )  # fmt: skip

    def __init__(self, keys: RunKeys, run_id: bytes, start: Mark = FIRST) -> None:
        self._keys = keys
        self._key: ScopeKey | None = None
        self._run = run_id
        self._places: dict[tuple[int, int], bytes] = {}
        self._resolver = Resolver()
        self._form = 0
        self.packed = (CODEC, b"")
        self.seq = start.seq
        self.link = start.link
        self.earlier = start.earlier
        self.switched = start.seq
        """From this record on, pages are of format 2, as far as this chain has come."""
        self.marks = Marks()
        self.marks.earlier = start.earlier
        self.marks.put(start.seq, start.link)

    def open(self, row: PageRow) -> Page:
        """The next page. Raises TamperedHistory, and Missing for what `know` has to tell where the chain does not begin
        with the run.
        """
        if row.seq != self.seq:
            raise self.tampered(f"the next page begins with record {row.seq}: pages are missing or repeated.")
        key = self._keys.of(row.record, self._key)
        if key is None:
            raise self.tampered("the page was sealed by another key.")
        form, codec = format_of(row.record), codec_of(row.record)
        if key is not self._key:
            if self._key is not None:
                self.marks.put(self.seq, self.link)  # whoever holds the earlier key cannot pass this
            self._key = key
            self._places = {
                (form, codec): key.place(Purpose.PAGE, self._run, codec, form)
                for form in (FORMAT, LINKED_FORMAT)
                for codec in (CODEC, REFERRING, ZIPPED)
            }
        if form < self._form:
            raise self.tampered("the page is of an earlier format than those before it.")
        link = key.link(self.link, row.seq, row.record)
        if not same(link, row.link):
            raise self.tampered("the page was altered, moved or exchanged.")
        try:
            place = self._places.get((form, codec), self._places[LINKED_FORMAT, CODEC])
            data = stored = key.open(place, row.seq, 0, row.record)
            if codec == ZIPPED:
                data = unzipped(data)
            records = unpack(data) if codec == CODEC else self._resolver.open(data, row.seq)
        except NotARecord as error:
            raise self.tampered("the page was altered.") from error
        self.packed = (codec, stored)
        self._form = form
        self.seq += len(records)
        self.link = link
        if form == FORMAT:
            self.switched = self.seq
            if self.earlier is not None:
                self.earlier = digest(self.earlier + number(row.seq) + row.record)
            self.marks.earlier = self.earlier
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

    @property
    def last_key(self) -> ScopeKey | None:
        """The key that sealed the page that was opened last."""
        return self._key

    @property
    def named(self) -> list[StoredValue]:
        """The large values that are named in the page that was opened last."""
        return self._resolver.named if self.packed[0] != CODEC else []

    def know(self, seq: int, stored: tuple[Value, bytes]) -> None:
        """What record `seq` is, which a page refers to and this chain has not passed: as another chain has `stored`."""
        self._resolver.know(seq, stored)

    def stored(self, seq: int, page: Page) -> tuple[Value, bytes]:
        """A record of the page that was opened last, and its bytes, where they can be referred to."""
        return self._resolver.stored(seq) or (page.records[seq - page.seq], b"")

    def tampered(self, message: str) -> TamperedHistory:
        return TamperedHistory(message, run=self._run.hex(), seq=self.seq)


class RunReader:
    """Reads one run's history, verified from its first record. Call `read` again to follow a run that goes on.

    Pages come with their large values in them; with `apart` these are only named in them, and `named` are those of the
    page that came last. `values` reads them. `row` is the run's, where it was looked at just before.
    """

    def __init__(
        self,
        backend: Backend,
        keys: RunKeys,
        chain: Chain,
        run_id: bytes,
        again: Callable[[], Awaitable[RunKeys]] | None = None,
        *,
        apart: bool = False,
        row: RunRow | None = None,
    ) -> None:
        self._row = row
        self.values = ValueReader(backend, keys, run_id, again)
        self._apart = apart
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

    @property
    def link(self) -> bytes:
        """The link of the last page that was read."""
        return self._chain.link

    @property
    def switched(self) -> int:
        """From this record on, the pages that were read are of format 2."""
        return self._chain.switched

    @property
    def earlier(self) -> bytes | None:
        """The digest of the pages of format 1 that were read, as `Chain.earlier`."""
        return self._chain.earlier

    @property
    def packed(self) -> tuple[int, bytes]:
        """Codec and bytes of the page that `pages` gave last: what another key seals where the history goes over."""
        return self._chain.packed

    @property
    def last_key(self) -> ScopeKey | None:
        """The key that sealed the page which `pages` gave last."""
        return self._chain.last_key

    @property
    def named(self) -> list[StoredValue]:
        """The large values that the page names which `pages` gave last."""
        return self._chain.named

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
        row, self._row = self._row or await self._backend.runs.get(self.run_id), None
        if row is None:  # its key was there
            raise TamperedHistory("its row is missing.", run=self.run_id.hex(), seq=0)
        if self._again is not None and (kid_of(row.head), row.domain) != (self._keys.live.kid, self._keys.live.domain):
            # The run went over to another key since these were read.
            self._keys = await self._again()
            if not self._chain.adopt(self._keys):
                self._chain = Chain(self._keys, self.run_id)
        # The head first: pages are only ever added, so whatever it names is there to be read afterwards.
        sealed_by, head = self._open_head(row)
        self.head = head
        chain = self._chain
        while True:
            rows = await self._backend.runs.pages(self.run_id, chain.seq, _PAGES_A_READ, _BYTES_A_READ)
            if not rows:
                break
            for page_row in rows:
                self._check(head)
                before = chain.seq
                if before >= head.linked > 0 and format_of(page_row.record) != LINKED_FORMAT:
                    raise chain.tampered("the page is of an earlier format than the head says.")
                if before >= head.seq and self._keys.of(page_row.record, sealed_by) is None:
                    # A head is written whenever the key changes.
                    raise chain.tampered("the page was sealed by an earlier key.")
                try:
                    page = chain.open(page_row)
                except Missing as error:
                    raise chain.tampered("the page refers to what is not before it.") from error
                if before < head.seq < chain.seq:  # no place at which the two can be compared
                    raise chain.tampered("a page goes on beyond the end that the head was written for.")
                if chain.named and not self._apart:
                    page = Page(page.seq, await self.values.whole(page.records))
                yield page
            last = len(rows) < _PAGES_A_READ and sum(len(row.record) for row in rows) < _BYTES_A_READ
            del rows, page_row, page  # before the next ones are read
            if last:
                break
        self._check(head)
        if chain.seq < head.seq:
            raise chain.tampered(f"the history ends here, but its head says record {head.seq - 1}.")

    def _open_head(self, row: RunRow) -> tuple[ScopeKey, Head]:
        """The verified head, and the key that sealed it. Raises TamperedHistory."""
        return self._keys.live, open_head(self._keys.live, row)

    def _check(self, head: Head) -> None:
        chain = self._chain
        if chain.seq == head.seq and (
            not same(chain.link, head.link)
            or (head.earlier and chain.earlier is not None and not same(chain.earlier, head.earlier))
        ):
            raise chain.tampered("the pages are not those that the head was written for.")

    async def read(self) -> list[Page]:
        """The pages that came since the last call; an empty list if none did."""
        return [page async for page in self.pages()]


async def read_snapshot(backend: Backend, keys: RunKeys, run_id: bytes) -> tuple[Mark, Value] | None:
    """Where the stored snapshot was taken, and the state; None where there is none that the run's live key sealed.

    One that an earlier key of the run sealed is ignored: its holder could have made it, and the history says the same.
    Raises TamperedHistory for an altered one.
    """
    row = await backend.runs.snapshot(run_id)
    if row is None:
        return None
    if not keys.live.names(row.record) and keys.of(row.record) is not None:
        log.warning("the snapshot of run %s was sealed by an earlier key: its history is read", run_id.hex())
        return None
    return open_snapshot(keys.live, row)


def open_snapshot(key: ScopeKey, row: SnapshotRow) -> tuple[Mark, Value]:
    """Where a snapshot was taken, and the state. Raises TamperedHistory for one that this key has not sealed."""
    try:
        link, value, *earlier = unpack(key.open(key.place(Purpose.SNAPSHOT, row.run_id), row.seq, 0, row.record))
        return Mark(row.seq, link, *(earlier or [None])), value
    except (IntegrityError, TypeError, ValueError) as error:
        raise TamperedHistory(
            "its snapshot was altered, or sealed by an earlier key.", run=row.run_id.hex(), seq=row.seq
        ) from error


def sealed_anew(row: SnapshotRow, key: ScopeKey, by: ScopeKey) -> SnapshotRow:
    """The same snapshot, sealed by a later key of the run. Raises TamperedHistory."""
    open_snapshot(key, row)
    data = key.open(key.place(Purpose.SNAPSHOT, row.run_id), row.seq, 0, row.record)
    return row._replace(record=by.seal(by.place(Purpose.SNAPSHOT, row.run_id), row.seq, 0, data))
