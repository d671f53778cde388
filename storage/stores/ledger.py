"""What an environment says of itself for good: what was shredded (tombstones), which anchors were taken, what was put
back from a backup.

Sealed by the service's key, numbered and linked (see `linked`), and written in the commit that does what it says: a
tombstone that somebody without the key writes does not verify, and one that is taken away again is found by the next
anchor. Nothing of a flow is in it but ids and digests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import Conflict
from ..format.purposes import Kind, Purpose
from ..keys.keyring import Keyring
from ..port import Backend, Batch, Guard
from .linked_series import Linked

RUN: Final = "run shredded"
FLOW: Final = "flow shredded"
CONNECTION: Final = "connection shredded"
ANCHOR: Final = "anchor"
RESTORED: Final = "restored"
MOVED: Final = "moved"

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Statement:
    """One entry. `subject` is the id of the run or flow, the root of the anchor, or the id of the backup; `link` binds
    it to all before.
    """

    number: int
    at_ms: int
    kind: str
    subject: bytes
    link: bytes


class Ledger:
    """Writes and reads the ledger of one environment."""

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._now_ms = now_ms
        self._series = Linked(
            backend, keyring, Kind.LEDGER, Purpose.LEDGER,
            read=backend.operations.ledger, last=backend.operations.last_ledger,
            name="ledger", item="entry", count=2,
        )  # fmt: skip

    async def say(
        self, statements: Sequence[tuple[str, bytes]], guard: Guard, make: Callable[[], Awaitable[Batch]] | None = None
    ) -> Statement:
        """Puts statements (kind and subject) on record, in one commit with what `make` does at the same time; durable
        on return. Gives the last one.

        `make` is called again when somebody else was faster. Raises Conflict where its batch itself conflicts.
        """
        for attempt in range(_ATTEMPTS):
            last = await self._series.last()
            now = self._now_ms()
            batch = Batch() if make is None else await make()
            batch.guard = guard
            key, new = await self._series.key()
            batch.operations.ledger = self._series.next(key, last, now, [list(each) for each in statements])
            batch.keys.inserts += [] if new is None else [new]
            try:
                await self._backend.commit(batch)
            except Conflict:
                if attempt == _ATTEMPTS - 1 or await self._series.last() == last:
                    raise  # not the number: something else in the batch
                continue
            row = batch.operations.ledger[-1]
            return Statement(row.number, now, *statements[-1], row.link)
        raise AssertionError("unreachable")

    async def statements(self) -> AsyncIterator[Statement]:
        """All of them in order, verified from the first. Raises IntegrityError."""
        async for entry in self._series.entries():
            kind, subject = entry.fields
            yield Statement(entry.number, entry.at_ms, kind, subject, entry.link)
