"""What administrators did: sealed, numbered without gaps, each act linked to the one before.

It lies in the control store under the service's key, so that a locked environment's lock is on record too, and holds no
payload and no key. An act is put on record before it is done (`Running`), and once more with how it went: a crash in
between leaves the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from .errors import Conflict
from .keyring import Keyring
from .linked import Linked
from .port import Backend
from .purposes import Kind, Purpose
from .rows import Batch
from .views import Value

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"

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
        self._now_ms = now_ms
        self.series = Linked(
            backend, keyring, Kind.AUDIT, Purpose.AUDIT, read=backend.audit, last=backend.last_audit,
            name="audit", item="act", count=5,
        )  # fmt: skip

    async def record(
        self, actor: str, kind: str, subject: str, status: str, detail: Value = None, batch: Batch | None = None
    ) -> Act:
        """Puts an act on record, in one commit with what else is in `batch`. Durable on return.

        Raises Conflict where the batch itself conflicts.
        """
        batch = batch if batch is not None else Batch()
        for attempt in range(_ATTEMPTS):
            last = await self.series.last()
            now = self._now_ms()
            batch.audit, new_keys = await self.series.next(now, [[actor, kind, subject, status, detail]])
            batch.keys = [*[each for each in batch.keys if each.kind != Kind.AUDIT], *new_keys]
            try:
                await self._backend.commit(batch)
            except Conflict:
                if attempt == _ATTEMPTS - 1 or await self.series.last() == last:
                    raise  # not the number: something else in the batch
                continue
            return Act(batch.audit[0].number, now, actor, kind, subject, status, detail)
        raise AssertionError("unreachable")

    async def acts(self, after: int = 0) -> AsyncIterator[Act]:
        """The acts in order, verified from the first one. Raises IntegrityError for a record that was changed."""
        async for entry in self.series.entries():
            if entry.number > after:
                yield Act(entry.number, entry.at_ms, *entry.fields)
