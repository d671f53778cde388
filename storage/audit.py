"""What administrators did: sealed, numbered without gaps, each act linked to the one before.

It lies in the control store under the service's key, so that a locked environment's lock is on record too, and holds no
payload and no key. An act is put on record before it is done (`Running`), and once more with how it went: a crash in
between leaves the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from .codec import pack, unpack
from .envelope import FIRST_LINK, ScopeKey, same
from .errors import Conflict, IntegrityError, NotARecord
from .keyring import Keyring
from .port import AuditRow, Backend, Batch, KeyRow
from .purposes import Kind, Purpose
from .views import Value

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"

_PAGE = 200
_ATTEMPTS = 20


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
        self._keyring = keyring
        self._now_ms = now_ms

    async def record(
        self, actor: str, kind: str, subject: str, status: str, detail: Value = None, batch: Batch | None = None
    ) -> Act:
        """Puts an act on record, in one commit with what else is in `batch`. Durable on return.

        Raises Conflict where the batch itself conflicts.
        """
        batch = batch if batch is not None else Batch()
        for attempt in range(_ATTEMPTS):
            key, new_row = await self._key()
            last = await self._backend.last_audit()
            number, before = (last.number + 1, last.link) if last is not None else (1, FIRST_LINK)
            if last is not None:
                _opened(key, last)
            act = Act(number, self._now_ms(), actor, kind, subject, status, detail)
            data = pack([act.at_ms, actor, kind, subject, status, detail])
            record = key.seal(key.place(Purpose.AUDIT, key.scope), number, 0, data)
            row = AuditRow(number, act.at_ms, key.link(before, number, record), record)
            batch.audit = [row]
            batch.keys = [*[each for each in batch.keys if each.kind != Kind.AUDIT], *([new_row] if new_row else [])]
            try:
                await self._backend.commit(batch)
            except Conflict:
                latest = await self._backend.last_audit()
                if attempt == _ATTEMPTS - 1 or latest == last:
                    raise  # not the number: something else in the batch
                continue
            return act
        raise AssertionError("unreachable")

    async def acts(self, after: int = 0) -> AsyncIterator[Act]:
        """The acts in order, verified from the first one. Raises IntegrityError for a record that was changed."""
        key, new_row = await self._key()
        number, link = 0, FIRST_LINK
        while rows := await self._backend.audit(number, _PAGE):
            for row in rows:
                number += 1
                if row.number != number:
                    raise IntegrityError(f"The audit has no act number {number}: it was removed.")
                try:
                    link = key.link(link, number, row.record)
                except TypeError:
                    link = b""
                if not same(link, row.link):
                    raise IntegrityError(f"Act number {number} of the audit was altered, moved or exchanged.")
                act = _opened(key, row)
                if number > after:
                    yield act
        if new_row is None and not number:
            raise IntegrityError("The audit is empty, but there is a key for it: its acts were removed.")

    async def _key(self) -> tuple[ScopeKey, KeyRow | None]:
        rows = await self._backend.keys(Kind.AUDIT, [self._keyring.environment])
        if rows:
            return self._keyring.open_scope(rows[0]), None
        return self._keyring.new_scope(Kind.AUDIT, self._keyring.environment)


def _opened(key: ScopeKey, row: AuditRow) -> Act:
    fields = unpack(key.open(key.place(Purpose.AUDIT, key.scope), row.number, 0, row.record))
    if type(fields) is not list or len(fields) != 6:
        raise NotARecord("An act on record has other fields than this version writes.")
    if fields[0] != row.created_ms:
        raise IntegrityError(f"Act number {row.number} of the audit: its row says otherwise than its record.")
    return Act(row.number, *fields)
