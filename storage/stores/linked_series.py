"""Series of sealed records that only grow: numbered without gaps, each linked to the one before.

A record that was altered, moved, exchanged or removed from within is found by reading on from the first; an end that
was cut off is found by whoever knows how far the series was (an anchor). Records are of format 2, whose links cover the
ciphertext; those of earlier versions, of format 1, only ever precede them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from ..errors import IntegrityError, NotARecord
from ..format.codec import pack, unpack
from ..format.envelope import FIRST_LINK, FORMAT, LINKED_FORMAT, ScopeKey, format_of, same
from ..format.purposes import Kind, Purpose
from ..keys.keyring import Keyring
from ..models import Value
from ..port import Backend, KeyRow, LinkedRow

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a series: its number, the link that binds it to all before, and what it holds."""

    number: int
    at_ms: int
    link: bytes
    fields: list[Value]


class Linked:
    """One series of a store, sealed by the service's key. `name` and `item` say what it is, for errors; `count` is how
    many fields a record has besides its time, `optional` how many more it may have.
    """

    def __init__(
        self,
        backend: Backend,
        keyring: Keyring,
        kind: Kind,
        purpose: Purpose,
        *,
        read: Callable[[int, int], Awaitable[list[LinkedRow]]],
        last: Callable[[], Awaitable[LinkedRow | None]],
        name: str,
        item: str,
        count: int,
        optional: int = 0,
    ) -> None:
        self._backend = backend
        self._keyring = keyring
        self._kind = kind
        self._purpose = purpose
        self._read = read
        self.last = last
        self._name = name
        self._item = item
        self._counts = range(count + 1, count + optional + 2)

    def next(
        self, key: ScopeKey, last: LinkedRow | None, at_ms: int, records: Sequence[Sequence[Value]]
    ) -> list[LinkedRow]:
        """The rows that follow `last` with these records, sealed by the series' `key`. `last` is what the caller read
        before anything else of the same commit: a commit with these rows is a Conflict if another one came after that.
        Raises IntegrityError where `last` does not verify.
        """
        number, link = 0, FIRST_LINK
        if last is not None:
            number, link = last.number, last.link
            self._opened(key, last)
        rows = []
        for fields in records:
            number += 1
            record = key.seal(
                key.place(self._purpose, key.scope, form=LINKED_FORMAT), number, 0, pack([at_ms, *fields])
            )
            link = key.link(link, number, record)
            rows.append(LinkedRow(number, at_ms, link, record))
        return rows

    async def entries(self) -> AsyncIterator[Entry]:
        """All of them, verified from the first one. Raises IntegrityError for a record that was changed."""
        key, new = await self.key()
        number, link, form = 0, FIRST_LINK, FORMAT
        while rows := await self._read(number, _PAGE):
            for row in rows:
                number += 1
                if row.number != number:
                    raise IntegrityError(f"The {self._name} has no {self._item} number {number}: it was removed.")
                link = key.link(link, number, row.record)
                before, form = form, format_of(row.record)
                if form < before or not same(link, row.link):
                    raise IntegrityError(f"{self._named(number)} was altered, moved or exchanged.")
                yield Entry(number, row.created_ms, link, self._opened(key, row))
        if new is None and not number:
            raise IntegrityError(
                f"The {self._name} is empty, but there is a key for it: its {self._item}s were removed."
            )

    async def page(self, after: int, limit: int) -> list[Entry]:
        """So many of those after a number, each verified, and linked to each other. Raises IntegrityError."""
        key, new = await self.key()
        if new is not None:
            raise IntegrityError(f"The key of the {self._name} was removed.")
        found: list[Entry] = []
        for row in await self._read(after, limit):
            if row.number != after + len(found) + 1:
                raise IntegrityError(
                    f"The {self._name} has no {self._item} number {after + len(found) + 1}: it was removed."
                )
            if found and not same(key.link(found[-1].link, row.number, row.record), row.link):
                raise IntegrityError(f"{self._named(row.number)} was altered, moved or exchanged.")
            found.append(Entry(row.number, row.created_ms, row.link, self._opened(key, row)))
        return found

    async def key(self) -> tuple[ScopeKey, KeyRow | None]:
        """What seals the series, and the row of that key where there is none yet."""
        rows = await self._backend.keys.newest(self._kind, [self._keyring.environment])
        if rows:
            return self._keyring.open_scope(rows[0]), None
        return self._keyring.new_scope(self._kind, self._keyring.environment)

    def _opened(self, key: ScopeKey, row: LinkedRow) -> list[Value]:
        form = FORMAT if format_of(row.record) == FORMAT else LINKED_FORMAT
        fields = unpack(key.open(key.place(self._purpose, key.scope, form=form), row.number, 0, row.record))
        if type(fields) is not list or len(fields) not in self._counts:
            raise NotARecord(f"A stored {self._item} has other fields than this version writes.")
        if fields[0] != row.created_ms:
            raise IntegrityError(f"{self._named(row.number)}: its row says otherwise than its record.")
        return fields[1:]

    def _named(self, number: int) -> str:
        return f"{self._item.capitalize()} number {number} of the {self._name}"
