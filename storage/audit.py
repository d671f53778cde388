"""What administrators did: sealed, numbered without gaps, each act linked to the one before.

It lies in the control store under the service's key, so that a locked environment's lock is on record too, and holds no
payload and no key. An act is put on record before it is done (`Running`), and once more with how it went: a crash in
between leaves the first.

Each act's commit also rewrites one sealed row that says how many acts there are and how the last one is linked (the
head), so an end that was cut off is found. Acts and head that were both put back to an earlier state are not: that
takes an anchor, see `anchor`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from .codec import pack, unpack
from .envelope import ScopeKey, same
from .errors import Conflict, IntegrityError, NotARecord
from .facts import Place
from .keyring import Keyring
from .linked import Entry, Linked
from .port import Backend
from .purposes import Kind, Purpose
from .rows import Batch, LinkedRow, OperationRow
from .views import Value

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"

_ATTEMPTS = 20

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Act:
    """One act on record. `subject` is the environment or policy it was done to, `detail` never holds a secret."""

    number: int
    at_ms: int
    actor: str = field(repr=False)
    kind: str
    subject: str = field(repr=False)
    status: str
    detail: Value = field(repr=False, default=None)


class Audit:
    """Writes and reads the record of a control store."""

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._id = keyring.environment
        self._now_ms = now_ms
        self._series = Linked(
            backend, keyring, Kind.AUDIT, Purpose.AUDIT, read=backend.audit, last=backend.last_audit,
            name="audit", item="act", count=5,
        )  # fmt: skip

    async def record(
        self, actor: str, kind: str, subject: str, status: str, detail: Value = None, batch: Batch | None = None
    ) -> Act:
        """Puts an act on record, in one commit with what else is in `batch`. Durable on return.

        Raises Conflict where the batch itself conflicts, and IntegrityError where the end of the record was changed.
        """
        batch = batch if batch is not None else Batch()
        others = list(batch.operations)
        for attempt in range(_ATTEMPTS):
            last = await self._series.last()
            if last is None:
                await self._refuse_emptied()
            now = self._now_ms()
            key, new = await self._series.key()
            try:
                batch.audit = await self._series.next(key, now, [[actor, kind, subject, status, detail]])
            except NotARecord:
                if new is None or attempt == _ATTEMPTS - 1:
                    raise
                continue  # the first act has come in this moment, and with it the key
            batch.operations = [*others, self._sealed_head(key, batch.audit[0])]
            batch.keys = [each for each in batch.keys if each.kind != Kind.AUDIT] + ([] if new is None else [new])
            try:
                await self._backend.commit(batch)
            except Conflict:
                if attempt < _ATTEMPTS - 1 and await self._series.last() != last:
                    continue
                await self._refuse_other_head(0 if last is None else last.number)
                raise  # not the number: something else in the batch
            return Act(batch.audit[0].number, now, actor, kind, subject, status, detail)
        raise AssertionError("unreachable")

    async def acts(self, after: int = 0) -> AsyncIterator[Act]:
        """The acts in order, verified from the first one. Raises IntegrityError for a record that was changed, and at
        the end where acts are missing there.
        """
        async for entry in self.entries():
            if entry.number > after:
                yield Act(entry.number, entry.at_ms, *entry.fields)

    async def latest(self) -> AsyncIterator[Act]:
        """The newest acts, the newest first: each is verified, and what was cut off at the end is found. That nothing
        is missing before them is for `acts` to say. Raises IntegrityError.
        """
        last = await self._series.last()
        if last is None:
            await self._refuse_emptied()
            return
        head = await self._head()
        if head is None or head.number > last.number:
            await self._refuse_other_head(last.number)
        after = last.number
        while after > 0:
            before, after = after, max(0, after - _PAGE)
            for entry in reversed(await self._series.page(after, before - after)):
                yield Act(entry.number, entry.at_ms, *entry.fields)

    async def entries(self) -> AsyncIterator[Entry]:
        """The same as they are linked."""
        head = await self._head()  # before the acts: they may get more meanwhile, and the head with them
        if head is None and await self._series.last() is None:
            await self._refuse_emptied()
        number = 0
        async for entry in self._series.entries():
            number = entry.number
            if head is not None and head.number == number and not same(head.link, entry.link):
                raise IntegrityError(f"Act number {number} of the audit is another one than was put on record.")
            yield entry
        if head is not None and number < head.number:
            raise IntegrityError(f"The audit ends with act number {number}; {head.number} were put on record.")
        if number > (0 if head is None else head.number):
            await self._refuse_other_head(number)

    # --- the head

    def _sealed_head(self, key: ScopeKey, last: LinkedRow) -> OperationRow:
        """The row of its own beside the acts, in the table where requests are too. Its version is the number of acts;
        as a record it is number 0 of the series.
        """
        record = key.seal(key.place(Purpose.AUDIT, key.scope), 0, last.number, pack([last.link]))
        return OperationRow(self._id, last.number, 0, None, record)

    async def _head(self) -> Place | None:
        row = next((each for each in await self._backend.operations() if each.operation_id == self._id), None)
        if row is None:
            return None
        key, new = await self._series.key()
        if new is not None:
            raise IntegrityError("The key of the audit was removed.")
        fields = unpack(key.open(key.place(Purpose.AUDIT, key.scope), 0, row.row_version, row.record))
        if type(fields) is not list or len(fields) != 1 or type(fields[0]) is not bytes:
            raise NotARecord("The head of the audit has other fields than this version writes.")
        if (row.created_ms, row.ended_ms) != (0, None):
            raise IntegrityError("The head of the audit: its row says otherwise than its record.")
        return Place(row.row_version, fields[0])

    async def _refuse_other_head(self, number: int) -> None:
        """Raises IntegrityError where the head is not as far as that act."""
        head = await self._head()
        if head is None:
            raise IntegrityError("The head of the audit was removed.")
        if head.number < number:
            raise IntegrityError(f"The head of the audit is an earlier one: of act {head.number}, not of {number}.")
        if head.number > number:
            last = await self._series.last()
            if last is None or last.number < head.number:  # otherwise they came in this moment, and the head with them
                raise IntegrityError(f"The audit ends with act number {number}; {head.number} were put on record.")

    async def _refuse_emptied(self) -> None:
        """Raises IntegrityError where there were acts: their key or head is there, or what they have made."""
        _, new = await self._series.key()
        used = new is None or await self._head() or await self._backend.policies() or await self._backend.assignments()
        if used and await self._series.last() is None:  # otherwise the first one came in this moment
            raise IntegrityError("The audit is empty, but there was something on record: its acts were removed.")
