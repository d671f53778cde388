"""The runs of one environment: made, opened, listed, each under keys of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from weakref import WeakValueDictionary

from .codec import pack
from .envelope import FIRST_LINK, ScopeKey, kid_of
from .errors import IntegrityError, RecordNotFound, TamperedHistory
from .history import Chain, Head, RunKeys, RunLog, RunReader, open_head, open_run_info, read_snapshot
from .journal import Journal
from .keyring import Keyring
from .port import Backend
from .purposes import Kind, Purpose
from .rereading import settled
from .rows import Batch, KeyRow, PageRow, RunRow, RunUpdate
from .views import RunInfo, Value


class Runs:
    """Opens and makes the logs of runs, and reads their rows."""

    def __init__(self, backend: Backend, keyring: Keyring, journal: Journal) -> None:
        self._backend = backend
        self._keyring = keyring
        self._journal = journal
        self._live: WeakValueDictionary[bytes, RunLog] = WeakValueDictionary()
        self._moving = asyncio.Lock()

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
    ) -> RunLog:
        """A new run; its key and row go with the next commit."""
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain)
        head = Head(1, FIRST_LINK, status, None, flow_id, version, definition_digest, started_ms, parent)
        log = self._live[run_id] = RunLog.create(self._journal, self._backend, key, key_row, head, summary)
        return log

    async def open(self, run_id: bytes, *, from_snapshot: bool) -> RunLog:
        """Raises RecordNotFound, TamperedHistory."""
        async with self._moving:
            return await settled(
                self._backend, self._keyring, Kind.RUN, run_id, lambda: self._open(run_id, from_snapshot=from_snapshot)
            )

    async def _open(self, run_id: bytes, *, from_snapshot: bool) -> RunLog:
        keys, row = await self._keys_and_row(run_id)
        log = await RunLog.open(self._journal, self._backend, keys, row, from_snapshot=from_snapshot)
        self._live[run_id] = log
        return log

    async def change_key(self, run_id: bytes, domain: int) -> bool:
        """Lets a fresh key of another domain seal what a run in flight still writes; durable on return. False if the
        run has ended: nothing is written any more.
        """
        async with self._moving:
            info = await self.one(run_id)
            if info.ended_ms is not None:
                return False
            log = self._live.get(run_id)
            own = log is None or log.closed
            if log is None or own:
                log = await self._open(run_id, from_snapshot=True)
            rows = await self._backend.key_generations(Kind.RUN, run_id)
            if log.ended:  # in the meantime; its last page is under way
                await self._journal.flush()
                return False
            generation = rows[-1].generation + 1
            key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain, generation=generation)
            log.change_key(key, key_row, info.summary)
            await self._journal.flush()
            if own:
                log.close()
            return True

    async def rewrite(self, run_id: bytes, domain: int, batch: Batch) -> None:
        """Puts the whole history of a run that has ended into the batch, sealed and linked by a fresh key, and shreds
        the keys that sealed it. Raises TamperedHistory for a history that does not verify.
        """
        rows = await self._backend.key_generations(Kind.RUN, run_id)
        keys, row = await self._keys_and_row(run_id)
        generation = rows[-1].generation + 1
        key, key_row = self._keyring.new_scope(Kind.RUN, run_id, domain, generation=generation)
        place, link = key.place(Purpose.PAGE, run_id), FIRST_LINK
        async for page in RunReader(self._backend, keys, Chain(keys, run_id), run_id).pages():
            record = key.seal(place, page.seq, 0, pack(page.records))
            link = key.link(link, page.seq, record)
            batch.replaced_pages.append(PageRow(run_id, page.seq, link, record))
        head = open_head(keys.live, row)._replace(link=link)
        info = open_run_info(keys.live, row)
        head_version, summary_version = row.head_version + 1, row.summary_version + 1
        batch.keys.append(key_row)
        batch.dropped_generations.append((Kind.RUN, run_id, generation))
        batch.removed_snapshots.append(run_id)
        batch.run_domains.append((run_id, domain))
        batch.run_updates.append(
            RunUpdate(
                run_id, head.status, head.ended_ms, head_version,
                key.seal(key.place(Purpose.HEAD, run_id), 0, head_version, pack(tuple(head))), summary_version,
                key.seal(key.place(Purpose.SUMMARY, run_id), 0, summary_version, pack(info.summary)),
            )
        )  # fmt: skip

    async def reader(self, run_id: bytes, again: Callable[[], Awaitable[RunKeys]] | None = None) -> RunReader:
        """`again` gives the run's keys as they are then, where `keys` is not enough. Raises RecordNotFound."""
        again = again if again is not None else partial(self.keys, run_id)
        keys = await again()
        return RunReader(self._backend, keys, Chain(keys, run_id), run_id, again)

    async def one(self, run_id: bytes) -> RunInfo:
        """Raises RecordNotFound, TamperedHistory."""

        async def read() -> RunInfo:
            keys, row = await self._keys_and_row(run_id)
            return open_run_info(keys.live, row)

        return await settled(self._backend, self._keyring, Kind.RUN, run_id, read)

    async def snapshot(self, run_id: bytes) -> None:
        """Verifies the latest snapshot of a run, where there is one. Raises TamperedHistory."""
        await read_snapshot(self._backend, await self.keys(run_id), run_id)

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
        rows = await self._backend.runs(flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before)
        keys = {row.scope: row for row in await self._backend.keys(Kind.RUN, [row.run_id for row in rows])}
        return [await self._info(row, keys.get(row.run_id)) for row in rows]

    async def _info(self, row: RunRow, key_row: KeyRow | None) -> RunInfo:
        if key_row is None:
            raise IntegrityError(f"The key of run {row.run_id.hex()} is missing.")
        key: ScopeKey = self._keyring.open_scope(key_row)
        if kid_of(row.head) != key.kid or row.domain != key.domain:  # it went over to another key between the two looks
            return await self.one(row.run_id)
        return open_run_info(key, row)

    async def keys(self, run_id: bytes) -> RunKeys:
        """All keys of a run. Raises RecordNotFound, IntegrityError."""
        rows = await self._backend.key_generations(Kind.RUN, run_id)
        if not rows:
            if await self._backend.run(run_id) is None:
                raise RecordNotFound(f"There is no run {run_id.hex()}.")
            # Row and key come in one commit, which may have happened between the two looks.
            rows = await self._backend.key_generations(Kind.RUN, run_id)
        if rows:
            return RunKeys([self._keyring.open_scope(row) for row in rows])
        raise IntegrityError(f"The key of run {run_id.hex()} is missing.")

    async def _keys_and_row(self, run_id: bytes) -> tuple[RunKeys, RunRow]:
        keys = await self.keys(run_id)
        row = await self._backend.run(run_id)
        if row is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        return keys, row
