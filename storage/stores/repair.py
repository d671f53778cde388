"""Recovers runs whose row does not open: an earlier owner has overwritten the head or the summary.

The pages say what such a run did. If they are whole and the run's live key binds them, a fresh head and summary replace
those that do not fit. Refused is what cannot be proved: a history that is shorter than a head or snapshot says, or one
that an earlier key alone has sealed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..errors import TamperedHistory
from ..format.codec import pack
from ..format.envelope import ScopeKey, same
from ..format.marks import Mark
from ..format.purposes import Purpose
from ..keys.keyring import Keyring
from ..models import Page, Value
from ..port import Backend, Batch, RunChanges, RunRow, RunUpdate, WaitRow
from .runs.history import Chain, Head, RunKeys, RunReader, open_head, open_snapshot
from .runs.runs import Runs

_STEP: Final = 256

Take = Callable[[Page, RunReader], Awaitable[None]]
"""Is given each page of a history, as `folding.Folding.take` is."""


class Outcome(NamedTuple):
    """What a history says of its run: how it stands, and what lists show of it."""

    status: int
    ended_ms: int | None
    summary: Value


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run whose pages are whole. `head` ends where they do; status and end are those of the overwritten row."""

    row: RunRow
    key: ScopeKey
    head: Head
    keeps_snapshot: bool

    @property
    def run_id(self) -> bytes:
        return self.row.run_id


class Repairs:
    """The runs of one environment whose row is damaged."""

    def __init__(self, backend: Backend, keyring: Keyring, runs: Runs) -> None:
        self._backend = backend
        self._keyring = keyring
        self._runs = runs

    async def damaged(self) -> AsyncIterator[bytes]:
        """The runs whose row does not open, oldest first."""
        after = 0
        while rows := await self._backend.runs.ids(after, _STEP):
            for _, run_id in rows:
                if await self.is_damaged(run_id):
                    yield run_id
            after = rows[-1][0]

    async def is_damaged(self, run_id: bytes) -> bool:
        """Whether the row of a run does not open. Raises RecordNotFound."""
        try:
            await self._runs.one(run_id)
        except TamperedHistory:
            return True
        return False

    async def recover(self, run_id: bytes, take: Take) -> Recovered:
        """Verify all pages of a run, and give them to `take` on the way. Nothing is written. Raises TamperedHistory for
        a history that is not whole, or that nothing of the run's live key binds.
        """
        keys = await self._runs.keys(run_id)
        row = await self._backend.runs.get(run_id)
        if row is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        reader = _Reader(self._backend, keys, Chain(keys, run_id), run_id, apart=True, row=row)
        mark, mark_key = await self._snapshot(keys, run_id)
        fits = False
        async for page in reader.pages():
            for value in reader.named:
                async for _ in reader.values.parts(value):
                    pass
            await take(page, reader)
            fits = fits or (mark is not None and reader.seq == mark.seq and same(reader.link, mark.link))
        if reader.head is None or reader.last_key is None:
            raise TamperedHistory("it has no pages.", run=run_id.hex(), seq=1)
        by_live_key = mark_key is not None and mark_key.kid == keys.live.kid
        if mark is not None and (mark.seq > reader.seq or (by_live_key and not fits)):
            raise TamperedHistory(
                f"its pages are not those that a snapshot was taken of at record {mark.seq - 1}.",
                run=run_id.hex(), seq=reader.seq,
            )  # fmt: skip
        self._bound(reader, keys, mark if by_live_key else None)
        head = reader.head._replace(seq=reader.seq, link=reader.link, linked=reader.head.linked or reader.switched)
        if reader.head_kid != keys.live.kid:
            head = head.bound(reader.earlier or b"", reader.switched)
        return Recovered(row, keys.live, head, keeps_snapshot=by_live_key)

    async def repair(self, found: Recovered, outcome: Outcome) -> None:
        """Seal a fresh head and summary by the run's live key, in one commit, for whoever has the environment for
        itself. A run that has not ended is ready at once. Raises RunNotOwned where the row is another one by now.
        """
        row, key, run_id = found.row, found.key, found.run_id
        head = found.head._replace(status=outcome.status, ended_ms=outcome.ended_ms)
        key.seals = max(key.seals, head.seq * 2 + row.head_version + row.summary_version)
        versions = row.head_version + 1, row.summary_version + 1
        sealed = key.seal(key.place(Purpose.HEAD, run_id), 0, versions[0], pack(tuple(head)))
        summary = key.seal(key.place(Purpose.SUMMARY, run_id), 0, versions[1], pack(outcome.summary))
        update = RunUpdate(run_id, head.status, head.ended_ms, versions[0], sealed, versions[1], summary)
        batch = Batch(guard=self._keyring.guard, runs=RunChanges(updates=[update]))
        if not found.keeps_snapshot:
            batch.runs.removed_snapshots.append(run_id)
        if await self._backend.claims.queue_of(run_id) is None:  # its place orders a run that waits for a machine
            batch.claims.waits.append(WaitRow(run_id, 0, release=True))
        await self._backend.commit(batch)

    async def _snapshot(self, keys: RunKeys, run_id: bytes) -> tuple[Mark | None, ScopeKey | None]:
        """What the stored snapshot was taken of, and the key that sealed it. Raises TamperedHistory."""
        row = await self._backend.runs.snapshot(run_id)
        if row is None:
            return None, None
        key = keys.opening(row.record)
        return open_snapshot(key, row)[0], key

    @staticmethod
    def _bound(reader: _Reader, keys: RunKeys, mark: Mark | None) -> None:
        """Something that the live key sealed has to reach the end of the history: the holder of an earlier key can make
        any other one. Raises TamperedHistory.
        """
        live = keys.live.kid
        if reader.head_kid == live:
            return  # the head binds what is before it, and what is behind it is of the live key
        if reader.last_key is not None and reader.last_key.kid == live and reader.earlier == b"":
            return  # its link covers all pages before, none of which is of format 1
        if mark is not None and mark.seq == reader.seq and reader.earlier in (b"", mark.earlier):
            return
        raise TamperedHistory(
            "no head, page or snapshot of its current key reaches the end of its history.",
            run=reader.run_id.hex(), seq=reader.seq,
        )  # fmt: skip


class _Reader(RunReader):
    """Reads a history whose head may be of an earlier key. What it says of the pages up to there has to be true."""

    head_kid = b""

    def _open_head(self, row: RunRow) -> tuple[ScopeKey, Head]:
        key = self._keys.opening(row.head)
        if row.domain != self._keys.live.domain:
            raise TamperedHistory("its row says otherwise than its keys.", run=self.run_id.hex(), seq=0)
        head = open_head(key, row._replace(domain=key.domain))
        self.head_kid = key.kid
        return key, head
