"""The head of the audit: one sealed row of the control store that is rewritten in the commit of each act.

It holds the number of acts, the link of the last act, and the version of every row of the control store that an act can
change: environments, policies, assignments, requests and backups. A row that was put back to an earlier version, was
removed, or was inserted again does not match the head. A head that was put back does not match the acts. Only a writer
who puts back the acts, the head and the rows together gets past this; an anchor finds that.

    [link of the last act, horizon, [[kind, id, version, created] …]]

`horizon` is a time. Requests that were created before it are not in the list: they have expired.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from ..errors import IntegrityError, NotARecord, StoreRolledBack
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, same
from ..format.purposes import Kind, Purpose
from ..keys.keyring import Keyring
from ..port import Backend, Batch, LinkedRow, OperationRow
from ..stores.linked_series import Linked
from ..stores.retention import DAY_MS

Row = TypeVar("Row", bound=tuple[Any, ...])

_LOOKS: Final = 20
"""How often acts may be recorded while somebody reads."""

_KEPT_MS: Final = 2 * DAY_MS
"""How long a request stays in the head. It expires after one day."""

_HINT: Final = "Put the latest copy of the control store back. `sealflow audit verify` checks all of it."


class Version(NamedTuple):
    """The version of one row. `created_ms` is 0 for all but requests."""

    row_version: int
    created_ms: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The head as it was read. `rows` is None in a store whose last act an earlier version recorded."""

    number: int
    link: bytes
    horizon: int = 0
    rows: Mapping[tuple[int, bytes], Version] | None = None


class AuditHead:
    """Reads and seals the head, and compares rows of the control store with it."""

    def __init__(self, backend: Backend, keyring: Keyring, series: Linked) -> None:
        self._backend = backend
        self._id = keyring.environment
        self._series = series

    async def read(self) -> Head | None:
        """The head as stored; None where there is none. Raises IntegrityError for one that was altered."""
        row = next((each for each in await self._backend.operations.all() if each.operation_id == self._id), None)
        if row is None:
            return None
        key, new = await self._series.key()
        if new is not None:
            raise IntegrityError("The key of the audit was removed.")
        fields = unpack(key.open(key.place(Purpose.AUDIT, key.scope), 0, row.row_version, row.record))
        if (row.created_ms, row.ended_ms) != (0, None):
            raise IntegrityError("The head of the audit: its row says otherwise than its record.")
        try:
            link, *later = fields
            if type(link) is not bytes or len(later) not in (0, 2):
                raise ValueError
            if not later:
                return Head(row.row_version, link)
            horizon, rows = later
            known = {(kind, each): Version(version, created) for kind, each, version, created in rows}
        except (TypeError, ValueError) as error:
            raise NotARecord("The head of the audit has other fields than this version writes.") from error
        return Head(row.row_version, link, horizon, known)

    async def current(self) -> Head | None:
        """The head, which belongs to the last act there is; None where nothing was ever recorded.

        Raises IntegrityError where the head, or acts at the end, were removed or put back.
        """
        for _ in range(_LOOKS):
            head, last = await self.read(), await self._series.last()
            if head is None and last is None:
                return None
            if head is not None and last is not None and head.number == last.number:
                if not same(head.link, last.link):
                    raise IntegrityError(
                        f"Act number {last.number} of the audit is another one than was put on record."
                    )
                return head
        if head is None:
            raise IntegrityError("The head of the audit was removed.")
        number = 0 if last is None else last.number
        if head.number < number:
            raise IntegrityError(f"The head of the audit is an earlier one: of act {head.number}, not of {number}.")
        raise IntegrityError(f"The audit ends with act number {number}; {head.number} were put on record.")

    async def next(self, key: ScopeKey, head: Head | None, last: LinkedRow, batch: Batch) -> OperationRow:
        """The row of the head after an act, `last`, and what is committed with it."""
        if head is None or head.rows is None:  # nothing recorded yet, or by an earlier version
            rows, horizon = await self._stored(), 0
        else:
            rows, horizon = dict(head.rows), head.horizon
        _apply(rows, batch, self._id)
        horizon = max(horizon, last.created_ms - _KEPT_MS)
        kept = [
            [kind, each, *version]
            for (kind, each), version in sorted(rows.items())
            if kind != Kind.OPERATION or version.created_ms > horizon
        ]
        body = pack([last.link, horizon, kept])
        record = key.seal(key.place(Purpose.AUDIT, key.scope), 0, last.number, body)
        return OperationRow(self._id, last.number, 0, None, record)

    async def fresh(
        self, kind: Kind, read: Callable[[], Awaitable[Sequence[Row]]], *, whole: bool = True
    ) -> Sequence[Row]:
        """The rows of a kind that `read` gives: all of them, or with `whole` False only some. None of them is an
        earlier version than the newest act knows, and none is missing. Raises IntegrityError, StoreRolledBack.
        """
        problem = ""
        for _ in range(_LOOKS):
            head = await self.current()
            rows = await read()
            if head is None or head.rows is None:
                return rows
            found = {row[0]: _version(kind, row) for row in rows if row[0] != self._id}
            problem = _difference(kind, head, found, whole=whole)
            if not problem:
                return rows
            if await self.current() == head:
                break
        raise StoreRolledBack(problem, hint=_HINT)

    async def _stored(self) -> dict[tuple[int, bytes], Version]:
        tables: tuple[tuple[Kind, Iterable[tuple[Any, ...]]], ...] = (
            (Kind.ENVIRONMENT, await self._backend.control.environments()),
            (Kind.POLICY, await self._backend.control.policies()),
            (Kind.ASSIGNMENT, await self._backend.control.assignments()),
            (Kind.OPERATION, await self._backend.operations.all()),
            (Kind.BACKUP, await self._backend.backups.all()),
        )
        return {(int(kind), row[0]): _version(kind, row) for kind, rows in tables for row in rows if row[0] != self._id}


def _version(kind: Kind, row: Any) -> Version:
    if kind == Kind.OPERATION:
        return Version(row.row_version, row.created_ms)
    return Version(0 if kind == Kind.BACKUP else row.row_version)


def _apply(rows: dict[tuple[int, bytes], Version], batch: Batch, head: bytes) -> None:
    written: tuple[tuple[Kind, Sequence[tuple[Any, ...]]], ...] = (
        (Kind.ENVIRONMENT, [*batch.control.environments, *batch.control.changed_environments]),
        (Kind.POLICY, batch.control.policies),
        (Kind.ASSIGNMENT, batch.control.assignments),
        (Kind.OPERATION, [row for row in batch.operations.upserts if row.operation_id != head]),
        (Kind.BACKUP, batch.backups.inserts),
    )
    removed = (
        (Kind.ENVIRONMENT, batch.control.removed_environments),
        (Kind.POLICY, batch.control.removed_policies),
        (Kind.BACKUP, batch.backups.removed),
    )
    for kind, each in written:
        rows.update({(int(kind), row[0]): _version(kind, row) for row in each})
    for kind, gone in removed:
        for scope in gone:
            rows.pop((int(kind), scope), None)


def _difference(kind: Kind, head: Head, found: Mapping[bytes, Version], *, whole: bool) -> str:
    """What is wrong with rows of a kind; nothing where they are those that the head knows."""
    assert head.rows is not None  # noqa: S101 (the caller has looked)
    wanted = {each: version for (of, each), version in head.rows.items() if of == kind}
    for each, version in found.items():
        what = f"The {_NAMES[kind]} {each.hex()}"
        if each not in wanted:
            if kind == Kind.OPERATION and version.created_ms <= head.horizon:
                continue
            return f"{what} was put back: it had been removed."
        if version != wanted[each]:
            return f"{what} is an earlier state than the audit knows: it was put back."
    if whole:
        for each in wanted.keys() - found.keys():
            return f"The {_NAMES[kind]} {each.hex()} is missing: the audit knows it."
    return ""


_NAMES: Final = {
    Kind.ENVIRONMENT: "row of environment",
    Kind.POLICY: "row of policy",
    Kind.ASSIGNMENT: "assignment of environment",
    Kind.OPERATION: "request",
    Kind.BACKUP: "entry of backup",
}
