"""The runs of one environment: made, opened, listed, each under keys of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

from ...errors import IntegrityError, RecordNotFound, RunNotOwned, TamperedHistory
from ...format.codec import pack
from ...format.envelope import FIRST_LINK, LINKED_FORMAT, ScopeKey, kid_of
from ...format.purposes import Kind, Purpose
from ...format.stored_values import StoredValue
from ...keys.keyring import Keyring
from ...keys.rereading import settled
from ...models import RunInfo, Value
from ...port import (
    Backend,
    Batch,
    ChunkRow,
    KeyRow,
    LargeValueRow,
    PageRow,
    RunChanges,
    RunRow,
    RunUpdate,
    ValueChanges,
)
from ..bounded_writes import Parts
from .folding import Folding
from .history import (
    Chain,
    Head,
    RunKeys,
    RunReader,
    open_head,
    open_run_info,
    open_snapshot,
    read_snapshot,
    sealed_anew,
)
from .journal import Journal
from .run_log import RunLog
from .value_writing import Sealer, ValueWriter, chunk_row, put_apart, put_back, taken_out

_HANDING_OVER_SECONDS = 0.05
"""Between two looks whether another worker has handed a run over."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is large of a run that is about to be made, written before it: `value` names it."""

    value: Value = field(repr=False)
    names: list[StoredValue]
    key: ScopeKey
    key_row: KeyRow


_VALUES_A_COMMIT = 16
"""Large values that one commit removes: nobody who writes waits long for it."""


class Runs:
    """Opens and makes the logs of runs, and reads their rows."""

    def __init__(self, backend: Backend, keyring: Keyring, journal: Journal) -> None:
        self._backend = backend
        self._keyring = keyring
        self._journal = journal
        self._live: WeakValueDictionary[bytes, RunLog] = WeakValueDictionary()
        # Held while a run is opened or changes its key, so that there is never a second log of one.
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def create(
        self,
        run_id: bytes,
        flow_id: bytes,
        version: int,
        started_ms: int,
        summary: Value,
        *,
        domain: int,
        status: int,
        parent: bytes | None,
        definition_digest: bytes,
        prepared: Prepared | None = None,
    ) -> RunLog:
        """A new run; its key and row go with the next commit. `prepared` is of use where it is sealed by the same
        environment key: the log has `names_values` then.
        """
        if prepared is not None:
            row = prepared.key_row
            if (row.domain, row.key_version) != (domain, self._keyring.live_version(domain)):
                prepared = None
        if prepared is not None:
            key, key_row = prepared.key, prepared.key_row
        else:
            key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain)
        head = Head(1, FIRST_LINK, status, None, flow_id, version, definition_digest, started_ms, parent, linked=1)
        log = self._live[run_id] = RunLog.create(self._journal, self._backend, key, key_row, head, summary)
        if prepared is not None:
            log.will_name(prepared.names)
        return log

    async def prepare(self, run_id: bytes, value: Value, *, domain: int, zips: bool) -> Prepared:
        """Writes what is large in a value that a run is to begin with, in commits of bounded size. Raises NotStorable,
        ValueTooLarge.
        """
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain)
        (left,), values = taken_out([value])

        def writer_of(form: int) -> ValueWriter:
            return ValueWriter(self._journal, run_id, Sealer(lambda: key, form, zips=zips))

        names = await put_apart(values, writer_of)
        return Prepared(put_back(left, [*names]), names, key, key_row)

    async def open(
        self, run_id: bytes, *, from_snapshot: bool, folding: Folding | None = None, epoch: int | None = None
    ) -> RunLog:
        """Raises RecordNotFound, TamperedHistory."""
        read = partial(self._open, run_id, from_snapshot=from_snapshot, folding=folding, epoch=epoch)
        turn = self._turn(run_id)
        waits = turn.locked()
        async with turn:
            if (
                waits
                and epoch is not None
                and self._backend.workers.shared
                and not await self._backend.claims.owns(run_id, epoch)
            ):
                raise RunNotOwned([run_id])  # given back by who had the turn
            return await settled(self._backend, self._keyring, Kind.RUN, run_id, read)

    async def _open(
        self, run_id: bytes, *, from_snapshot: bool, folding: Folding | None = None, epoch: int | None = None
    ) -> RunLog:
        if run_id in self._live:  # an earlier log of this process: nothing of it is written after this one is there
            await self._journal.part([run_id])
        keys, row = await self._keys_and_row(run_id)
        log = await RunLog.open(
            self._journal, self._backend, keys, row, from_snapshot=from_snapshot, folding=folding,
            epoch=epoch if self._backend.workers.shared else None,
        )  # fmt: skip
        self._live[run_id] = log
        return log

    def _turn(self, run_id: bytes) -> asyncio.Lock:
        turn = self._turns.get(run_id)
        if turn is None:
            turn = self._turns[run_id] = asyncio.Lock()
        return turn

    async def change_key(self, run_id: bytes, domain: int) -> bool:
        """Lets a fresh key of another domain seal what a run in flight still writes; durable on return. False if the
        run has ended: nothing is written any more.
        """
        async with self._turn(run_id):
            while True:
                # Of several workers, the others hand over what they have as long as keys are migrated.
                while not (epoch := await self._backend.claims.claim_run(run_id)):  # noqa: ASYNC110
                    await asyncio.sleep(_HANDING_OVER_SECONDS)
                info = await self.one(run_id)
                if info.ended_ms is not None:
                    return False
                log = self._live.get(run_id)
                own = log is None or log.closed or (log.epoch or epoch) != epoch
                if log is None or own:
                    log = await self._open(run_id, from_snapshot=True, epoch=epoch)
                taken = log.snapshots
                await self._journal.flush()
                snapshot = await self._backend.runs.snapshot(run_id)
                earlier = await self._earlier(run_id) if log.unbound else b""
                rows = await self._backend.keys.generations(Kind.RUN, run_id)
                if log.snapshots != taken:
                    continue
                if own or not (log.released or log.closed):
                    break
                await self._journal.flush()  # it has fallen asleep meanwhile, and is nobody's then
            if log.ended:  # in the meantime; its last page is under way
                await self._journal.flush()
                return False
            generation = rows[-1].generation + 1
            key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain, generation=generation)
            log.change_key(key, key_row, info.summary, snapshot, earlier)
            await self._journal.flush()
            if own:
                log.close()
                await self._journal.part([run_id])
                await self._backend.claims.release([run_id])
            return True

    async def renew_row(
        self, run_id: bytes, domain: int, batch: Batch, known: tuple[RunRow, list[KeyRow]] | None = None
    ) -> None:
        """Seal head, summary and snapshot of a run without a writer by a fresh key of a domain, and put them into the
        batch. The pages stay under the earlier keys; this head binds them. `known` are the row and the key rows of a
        run that has ended, where they were read before. Raises TamperedHistory.
        """
        if known is None:
            rows = await self._backend.keys.generations(Kind.RUN, run_id)
            keys, row = await self._keys_and_row(run_id)
        else:
            row, rows = known
            keys = RunKeys([self._keyring.open_scope(each) for each in rows])
        head, info = open_head(keys.live, row), open_run_info(keys.live, row)
        unbound = head.linked != 1 and not head.earlier
        if unbound or head.ended_ms is None:  # pages behind the head have to be before it: their key is an earlier one
            reader = await self.reader(run_id, apart=True)
            async for _ in reader.pages():
                pass
            head = head._replace(seq=reader.seq, link=reader.link)
            head = head.bound(reader.earlier or b"", reader.switched) if unbound else head
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain, generation=rows[-1].generation + 1)
        snapshot = await self._backend.runs.snapshot(run_id) if head.ended_ms is None else None
        if snapshot is not None and keys.live.names(snapshot.record):
            batch.runs.snapshots[run_id] = sealed_anew(snapshot, keys.live, key)
        else:
            batch.runs.removed_snapshots.append(run_id)
        batch.keys.inserts.append(key_row)
        batch.runs.domains.append((run_id, domain))
        batch.runs.updates.append(_row_anew(row, key, head, info))

    async def _earlier(self, run_id: bytes) -> bytes:
        """The digest of a run's pages of format 1, once all of its history is verified."""
        reader = await self.reader(run_id, apart=True)
        async for _ in reader.pages():
            pass
        return reader.earlier or b""

    async def rewrite(self, run_id: bytes, domain: int, batch: Batch, most_bytes: int) -> int:
        """Puts the whole history of a run that has ended into the batch, sealed and linked by a fresh key, and shreds
        the keys that sealed it. Gives the bytes that the batch has of it.

        Of a history that is larger than `most_bytes`, part after part is written beside it first, where no reader
        looks; the batch puts them in its place. What a crash leaves of them is sealed by a key that nobody has, and
        goes when the run's turn comes again. Raises TamperedHistory for a history that does not verify.
        """
        rows = await self._backend.keys.generations(Kind.RUN, run_id)
        keys, row = await self._keys_and_row(run_id)
        generation = rows[-1].generation + 1
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain, generation=generation)
        reader, link = RunReader(self._backend, keys, Chain(keys, run_id), run_id, apart=True), FIRST_LINK
        pages: list[PageRow] = []
        chunks: list[ChunkRow] = []
        size, beside, known = 0, False, set[StoredValue]()

        async def write_beside() -> None:
            nonlocal pages, chunks, size, beside
            part = Batch(
                guard=self._keyring.guard,
                runs=RunChanges(pages=_beside(pages)),
                values=ValueChanges(chunks=_chunks_beside(chunks)),
            )
            part.runs.dropped_pages = [] if beside else [run_id]
            await self._backend.commit(part)
            pages, chunks, size, beside = [], [], 0, True

        async for page in reader.pages():
            record = _sealed_anew(key, run_id, page.seq, reader)
            link = key.link(link, page.seq, record)
            pages.append(PageRow(run_id, page.seq, link, record))
            size += len(record)
            for value in [value for value in reader.named if value not in known]:
                known.add(value)
                async for chunk in _values_anew(key, value, reader):
                    chunks.append(chunk)
                    size += len(chunk.record)
                    if size > most_bytes:
                        await write_beside()
            if size > most_bytes:
                await write_beside()
        if beside or chunks:
            batch.runs.dropped_pages += [] if beside else [run_id]
            batch.runs.pages += _beside(pages)
            batch.values.chunks += _chunks_beside(chunks)
            batch.runs.exchanged.append(run_id)
        else:
            batch.runs.replaced_pages += pages
        head = open_head(keys.live, row)._replace(link=link, linked=1, earlier=b"")
        info = open_run_info(keys.live, row)
        batch.keys.inserts.append(key_row)
        batch.keys.dropped_generations.append((Kind.RUN, run_id, generation))
        batch.runs.removed_snapshots.append(run_id)
        batch.runs.domains.append((run_id, domain))
        batch.runs.updates.append(_row_anew(row, key, head, info))
        return size

    async def adopt(self, info: RunInfo, reader: RunReader, parts: Parts) -> None:
        """Writes a run of another environment that has ended, with its history, under the same id and as new here. Its
        end may still wait in `parts`. The reader names large values `apart`. Raises TamperedHistory.
        """
        run_id = info.run_id
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id, self._keyring.domain)
        head_place = key.place(Purpose.HEAD, run_id)
        summary = key.seal(key.place(Purpose.SUMMARY, run_id), 0, 1, pack(info.summary))
        parts.batch.keys.inserts.append(key_row)
        begun, link = False, FIRST_LINK

        def row(head: Head) -> RunRow:
            sealed = key.seal(head_place, 0, 1, pack(tuple(head)))
            return RunRow(
                run_id, head.flow_id, head.version, key_row.domain, head.status, head.started_ms, head.ended_ms,
                head.parent, 1, sealed, 1, summary,
            )  # fmt: skip

        async def make_room() -> None:
            nonlocal begun
            if parts.full and reader.head is not None:
                if not begun:
                    parts.batch.runs.inserts.append(
                        row(reader.head._replace(seq=1, link=FIRST_LINK, linked=1, earlier=b""))
                    )
                    begun = True
                await parts.flush()

        known = set[StoredValue]()
        async for page in reader.pages():
            for value in [value for value in reader.named if value not in known]:
                known.add(value)
                parts.batch.values.inserts.append(LargeValueRow(value.id, run_id, info.started_ms, 1))
                async for chunk in _values_anew(key, value, reader):
                    parts.batch.values.chunks.append(chunk)
                    parts.size += len(chunk.record)
                    await make_room()
            record = _sealed_anew(key, run_id, page.seq, reader)
            link = key.link(link, page.seq, record)
            parts.batch.runs.pages.append(PageRow(run_id, page.seq, link, record))
            parts.size += len(record)
            await make_room()
        if reader.head is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        head = reader.head._replace(link=link, linked=1, earlier=b"")
        if begun:
            sealed = key.seal(head_place, 0, 2, pack(tuple(head)))
            parts.batch.runs.updates.append(RunUpdate(run_id, head.status, head.ended_ms, 2, sealed, 1, None))
        else:
            parts.batch.runs.inserts.append(row(head))

    async def reader(
        self, run_id: bytes, again: Callable[[], Awaitable[RunKeys]] | None = None, *, apart: bool = False
    ) -> RunReader:
        """`again` gives the run's keys as they are then, where `keys` is not enough. Raises RecordNotFound."""
        again = again if again is not None else partial(self.keys, run_id)
        keys = await again()
        return RunReader(self._backend, keys, Chain(keys, run_id), run_id, again, apart=apart)

    async def sweep_values(self, before_ms: int, run_id: bytes | None = None) -> int:
        """Removes large values that no record names: of one run, or of all that are not in flight, made before that
        time. Gives how many there were.
        """
        if run_id is not None:
            rows = await self._backend.values.of_run(run_id)
            return await self._drop([row.value_id for row in rows if not row.settled])
        done = 0
        while rows := await self._backend.values.unsettled(before_ms, _VALUES_A_COMMIT):
            done += await self._drop([row.value_id for row in rows])
        return done

    async def _drop(self, values: list[bytes]) -> int:
        for at in range(0, len(values), _VALUES_A_COMMIT):
            part = values[at : at + _VALUES_A_COMMIT]
            await self._backend.commit(Batch(guard=self._keyring.guard, values=ValueChanges(dropped=part)))
        return len(values)

    async def one(self, run_id: bytes) -> RunInfo:
        """Raises RecordNotFound, TamperedHistory."""

        async def read() -> RunInfo:
            keys, row = await self._keys_and_row(run_id)
            return open_run_info(keys.live, row)

        return await settled(self._backend, self._keyring, Kind.RUN, run_id, read)

    async def snapshot(self, run_id: bytes) -> int:
        """Verifies the latest snapshot of a run, and gives the number of the record after it; 1 where there is none.
        Raises TamperedHistory, also for one that an earlier key of the run sealed, unless its head is of a version that
        left these.
        """
        keys, row = await self._keys_and_row(run_id)
        if not open_head(keys.live, row).linked:
            found = await read_snapshot(self._backend, keys, run_id)
            return 1 if found is None else found[0].seq
        if (snapshot := await self._backend.runs.snapshot(run_id)) is not None:
            return open_snapshot(keys.live, snapshot)[0].seq
        return 1

    async def list(
        self,
        *,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[RunInfo]:
        """Raises TamperedHistory."""
        rows = await self._backend.runs.find(
            flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before
        )
        keys = {row.scope: row for row in await self._backend.keys.newest(Kind.RUN, [row.run_id for row in rows])}
        return [await self._info(row, keys.get(row.run_id)) for row in rows]

    async def _info(self, row: RunRow, key_row: KeyRow | None) -> RunInfo:
        if key_row is None:
            raise IntegrityError(f"The key of run {row.run_id.hex()} is missing.")
        try:
            key: ScopeKey = self._keyring.open_scope(key_row)
        except IntegrityError:  # read once more, and its keys
            return await self.one(row.run_id)
        if kid_of(row.head) != key.kid or row.domain != key.domain:  # it went over to another key between the two looks
            return await self.one(row.run_id)
        return open_run_info(key, row)

    async def keys(self, run_id: bytes) -> RunKeys:
        """All keys of a run. Raises RecordNotFound, IntegrityError."""
        return await settled(self._backend, self._keyring, Kind.RUN, run_id, partial(self._keys, run_id))

    async def _keys(self, run_id: bytes) -> RunKeys:
        rows = await self._backend.keys.generations(Kind.RUN, run_id)
        if not rows:
            if await self._backend.runs.get(run_id) is None:
                raise RecordNotFound(f"There is no run {run_id.hex()}.")
            # Row and key come in one commit, which may have happened between the two looks.
            rows = await self._backend.keys.generations(Kind.RUN, run_id)
        if rows:
            return RunKeys([self._keyring.open_scope(row) for row in rows])
        raise IntegrityError(f"The key of run {run_id.hex()} is missing.")

    async def _keys_and_row(self, run_id: bytes) -> tuple[RunKeys, RunRow]:
        keys = await self.keys(run_id)
        row = await self._backend.runs.get(run_id)
        if row is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        return keys, row


def _row_anew(row: RunRow, key: ScopeKey, head: Head, info: RunInfo) -> RunUpdate:
    """The next head and summary of a run, sealed by this key."""
    run_id, head_version, summary_version = row.run_id, row.head_version + 1, row.summary_version + 1
    sealed = key.seal(key.place(Purpose.HEAD, run_id), 0, head_version, pack(tuple(head)))
    summary = key.seal(key.place(Purpose.SUMMARY, run_id), 0, summary_version, pack(info.summary))
    return RunUpdate(run_id, head.status, head.ended_ms, head_version, sealed, summary_version, summary)


def _sealed_anew(key: ScopeKey, run_id: bytes, seq: int, reader: RunReader) -> bytes:
    """The page that the reader has just given, as it was packed, sealed by this key."""
    codec, data = reader.packed
    return key.seal(key.place(Purpose.PAGE, run_id, codec, LINKED_FORMAT), seq, 0, data)


async def _values_anew(key: ScopeKey, value: StoredValue, reader: RunReader) -> AsyncIterator[ChunkRow]:
    """The chunks of a large value, as they were put together, sealed by this key. Raises TamperedHistory."""
    number = 0
    async for last, codec, data in reader.values.pieces(value):
        number += 1
        yield chunk_row(key, value.id, number, last, codec, data)


def _chunks_beside(chunks: Sequence[ChunkRow]) -> list[ChunkRow]:
    """The same chunks where no reader looks."""
    return [chunk._replace(number=-chunk.number) for chunk in chunks]


def _beside(pages: Sequence[PageRow]) -> list[PageRow]:
    """The same pages where no reader looks; see `RunChanges.exchanged`."""
    return [page._replace(seq=-page.seq) for page in pages]
