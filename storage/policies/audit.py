"""What administrators did: sealed, numbered without gaps, each act linked to the one before.

It lies in the control store under the service's key, so that a locked environment's lock is on record too, and holds no
payload and no key. An act is put on record before it is done (`Running`), and once more with how it went: a crash in
between leaves the first.

Each act's commit also rewrites the head, see `audit_head`: so an end that was cut off is found, and rows of the control
store that were put back. An act that changes an environment's keys, policy or lock also says what they are after it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from ..errors import Conflict, IntegrityError, NotARecord
from ..format.envelope import same
from ..format.purposes import Kind, Purpose
from ..keys.keyring import Keyring
from ..models import Value
from ..port import Backend, Batch
from ..stores.linked_series import Entry, Linked
from .audit_head import AuditHead

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"

_ATTEMPTS = 20

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Act:
    """One act on record. `subject` is the environment or policy it was done to, `detail` never holds a secret. `keys`
    says what an environment's keys are after it, see `policy.keys_in`; None for an act that does not change them.
    """

    number: int
    at_ms: int
    actor: str = field(repr=False)
    kind: str
    subject: str = field(repr=False)
    status: str
    detail: Value = field(repr=False, default=None)
    keys: Value = field(repr=False, default=None)


class Audit:
    """Writes and reads the record of a control store."""

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._id = keyring.environment
        self._now_ms = now_ms
        self._series = Linked(
            backend, keyring, Kind.AUDIT, Purpose.AUDIT, read=backend.control.audit, last=backend.control.last_audit,
            name="audit", item="act", count=5, optional=1,
        )  # fmt: skip
        self.head = AuditHead(backend, keyring, self._series)

    async def record(
        self,
        actor: str,
        kind: str,
        subject: str,
        status: str,
        detail: Value = None,
        batch: Batch | None = None,
        *,
        keys: Value = None,
    ) -> Act:
        """Puts an act on record, in one commit with what else is in `batch`. Durable on return.

        Raises Conflict where the batch itself conflicts, and IntegrityError where the end of the record was changed.
        """
        batch = batch if batch is not None else Batch()
        others = list(batch.operations.upserts)
        fields = [actor, kind, subject, status, detail, *([] if keys is None else [keys])]
        for attempt in range(_ATTEMPTS):
            last = await self._series.last()
            if last is None:
                await self._refuse_emptied()
            head = await self.head.current()
            if (0 if head is None else head.number) != (0 if last is None else last.number):
                continue  # an act has come in this moment
            now = self._now_ms()
            key, new = await self._series.key()
            try:
                batch.control.audit = self._series.next(key, last, now, [fields])
            except NotARecord:
                if new is None or attempt == _ATTEMPTS - 1:
                    raise
                continue  # the first act has come in this moment, and with it the key
            batch.operations.upserts = others
            batch.operations.upserts = [*others, await self.head.next(key, head, batch.control.audit[0], batch)]
            batch.keys.inserts = [each for each in batch.keys.inserts if each.kind != Kind.AUDIT] + (
                [] if new is None else [new]
            )
            try:
                await self._backend.commit(batch)
            except Conflict:
                if attempt < _ATTEMPTS - 1 and await self._series.last() != last:
                    continue
                await self.head.current()
                raise  # not the number: something else in the batch
            return Act(batch.control.audit[0].number, now, actor, kind, subject, status, detail, keys)
        raise Conflict("Others keep putting acts on record.")

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
        await self.head.current()
        after = last.number
        while after > 0:
            before, after = after, max(0, after - _PAGE)
            for entry in reversed(await self._series.page(after, before - after)):
                yield Act(entry.number, entry.at_ms, *entry.fields)

    async def entries(self) -> AsyncIterator[Entry]:
        """The same as they are linked."""
        head = await self.head.read()  # before the acts: they may get more meanwhile, and the head with them
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
            await self.head.current()
            head = await self.head.read()
            if head is None or head.number < number:
                raise IntegrityError("The head of the audit is an earlier one.")

    async def _refuse_emptied(self) -> None:
        """Raises IntegrityError where there were acts: their key or head is there, or what they have made."""
        _, new = await self._series.key()
        used = (
            new is None
            or await self.head.read()
            or await self._backend.control.policies()
            or await self._backend.control.assignments()
        )
        if used and await self._series.last() is None:  # otherwise the first one came in this moment
            raise IntegrityError("The audit is empty, but there was something on record: its acts were removed.")
