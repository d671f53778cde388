"""Work on an environment's keys that goes on in the background: on record from its start, so that it is completed after
a crash, and so that everybody sees how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ..errors import IntegrityError, NotARecord
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, random_id
from ..format.purposes import Domain, Kind, Purpose
from ..keys.keyring import Keyring
from ..models import CorruptRecord
from ..port import Backend, Batch, OperationRow

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"


@dataclass(frozen=True, slots=True)
class Operation:
    """One piece of work. `done` and `total` count things (runs, flows, connections, messages); `error` is a code.

    `cursor` is where it goes on after a crash, where that does not show by itself.
    """

    id: bytes
    kind: str
    status: str
    done: int
    total: int
    created_ms: int
    updated_ms: int
    ended_ms: int | None = None
    error: str | None = None
    cursor: bytes | None = None
    row_version: int = 1


class Operations:
    """Keeps the record of them, under the service's key: there is nothing of a flow in it."""

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms

    async def begin(self, kind: str, total: int) -> Operation:
        """Puts new work on record, or gives the newest that is under way of this kind. Durable on return."""
        for known in reversed(await self.all()):
            if known.kind == kind and known.status == RUNNING:
                return known
        batch = Batch(guard=self._keyring.guard)
        operation = self.put(kind, total, batch)
        await self._backend.commit(batch)
        return operation

    def put(self, kind: str, total: int, batch: Batch) -> Operation:
        """Puts new work into a batch, beside what is under way: it is on record as soon as what it follows from is."""
        now = self._now_ms()
        operation = Operation(random_id(), kind, RUNNING, 0, total, now, now)
        key, key_row = self._keyring.new_scope(Kind.OPERATION, operation.id, Domain.SERVICE)
        batch.keys.inserts.append(key_row)
        batch.operations.upserts.append(_sealed(key, operation))
        return operation

    async def all(self) -> list[Operation]:
        """All that there were, oldest first. Raises IntegrityError."""
        return [_opened(await self._key(row.operation_id), row) for row in await self._rows()]

    async def readable(self) -> list[Operation | CorruptRecord]:
        """The same, where a row that does not open hides no other."""
        found: list[Operation | CorruptRecord] = []
        for row in await self._rows():
            try:
                found.append(_opened(await self._key(row.operation_id), row))
            except IntegrityError as error:
                found.append(CorruptRecord("operation", row.operation_id, error))
        return found

    async def _rows(self) -> list[OperationRow]:
        """All rows but the one that is beside them, see `closing`."""
        rows = await self._backend.operations.all()
        return [row for row in rows if row.operation_id != self._keyring.environment]

    async def moved(
        self,
        operation: Operation,
        batch: Batch,
        *,
        done: int,
        status: str = RUNNING,
        error: str | None = None,
        cursor: bytes | None = None,
    ) -> Operation:
        """Puts into the batch how far the work will be with it."""
        now = self._now_ms()
        operation = replace(
            operation, done=done, total=max(operation.total, done), status=status, updated_ms=now, error=error,
            cursor=cursor if cursor is not None else operation.cursor,
            ended_ms=None if status == RUNNING else now, row_version=operation.row_version + 1,
        )  # fmt: skip
        batch.operations.upserts.append(_sealed(await self._key(operation.id), operation))
        return operation

    async def _key(self, operation: bytes) -> ScopeKey:
        rows = await self._backend.keys.newest(Kind.OPERATION, [operation])
        if not rows:
            raise IntegrityError(f"The key of operation {operation.hex()} is missing.")
        return self._keyring.open_scope(rows[0])


def _sealed(key: ScopeKey, operation: Operation) -> OperationRow:
    facts = [
        operation.kind, operation.status, operation.done, operation.total, operation.created_ms, operation.updated_ms,
        operation.ended_ms, operation.error, operation.cursor,
    ]  # fmt: skip
    record = key.seal(key.place(Purpose.OPERATION, operation.id), 0, operation.row_version, pack(facts))
    return OperationRow(operation.id, operation.row_version, operation.created_ms, operation.ended_ms, record)


def _opened(key: ScopeKey, row: OperationRow) -> Operation:
    fields = unpack(key.open(key.place(Purpose.OPERATION, row.operation_id), 0, row.row_version, row.record))
    try:
        kind, status, done, total, created_ms, updated_ms, ended_ms, error_code, cursor = fields
    except (TypeError, ValueError) as error:
        raise NotARecord("A stored operation has other fields than this version writes.") from error
    if (created_ms, ended_ms) != (row.created_ms, row.ended_ms):
        raise IntegrityError(f"Operation {row.operation_id.hex()}: its row says otherwise than its record.")
    return Operation(
        row.operation_id, kind, status, done, total, created_ms, updated_ms, ended_ms, error_code, cursor,
        row.row_version,
    )  # fmt: skip
