"""What administrators have asked a second one to approve: sealed rows of the control store, each of which ends by
itself after a day.

A request names one act of one administrator on one environment, with its facts; an approval is for exactly that, and
for once. Who may do what is said in `acting`; this keeps the record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import IntegrityError, NotARecord, RecordNotFound
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, random_id
from ..format.purposes import Kind, Purpose
from ..format.record_names import named
from ..keys.keyring import Keyring
from ..models import EnvironmentInfo, Value
from ..port import Backend, Batch, KeyChanges, OperationChanges, OperationRow
from ..stores.retention import DAY_MS
from .audit import Audit

PENDING: Final = "Pending"
APPROVED: Final = "Approved"
REFUSED: Final = "Refused"
USED: Final = "Used"
EXPIRED: Final = "Expired"

LIFETIME_MS: Final = DAY_MS
"""From the request to its end, approved or not."""


@dataclass(frozen=True, slots=True)
class Request:
    """One act that somebody wants to do. `by` asked for it, `approver` has decided; `status` is as of now."""

    id: bytes
    kind: str
    environment_id: bytes
    environment: str = field(repr=False)
    detail: Value = field(repr=False)
    by: str = field(repr=False)
    created_ms: int
    expires_ms: int
    status: str = PENDING
    approver: str | None = field(repr=False, default=None)
    row_version: int = 1

    @property
    def waits(self) -> bool:
        """Whether something is still to come of it."""
        return self.status in (PENDING, APPROVED)


class Requests:
    """The requests of a control store. What changes them is given as a batch, for one commit with the audit."""

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._head = Audit(backend, keyring, now_ms).head

    async def all(self) -> list[Request]:
        """All that there were, oldest first. Raises IntegrityError."""
        stored = await self._head.fresh(Kind.OPERATION, self._backend.operations.all)
        rows = [row for row in stored if row.operation_id != self._keyring.environment]
        found = [self._opened(await self._key(row.operation_id), row) for row in rows]
        now = self._now_ms()
        return [
            replace(request, status=EXPIRED) if request.waits and request.expires_ms <= now else request
            for request in found
        ]

    async def of(self, by: str, kind: str, environment: bytes, detail: Value) -> Request | None:
        """The newest request of somebody for exactly this act, of which something is still to come."""
        for request in reversed(await self.all()):
            wanted = (request.by, request.kind, request.environment_id, request.detail)
            if request.waits and wanted == (by, kind, environment, detail):
                return request
        return None

    async def one(self, begin: str) -> Request:
        """The request whose id begins like this, in hex. Raises RecordNotFound where that is none, or several."""
        found = [request for request in await self.all() if request.id.hex().startswith(begin.lower())]
        if len(found) != 1 or not begin:
            raise RecordNotFound(
                f"{len(found)} requests have an id that begins with '{begin}'.",
                hint="`sealflow policy requests` shows them.",
            )
        return found[0]

    def new(self, by: str, kind: str, info: EnvironmentInfo, detail: Value) -> tuple[Request, Batch]:
        """A new request, and the batch that keeps it."""
        now = self._now_ms()
        request = Request(random_id(), kind, info.id, info.name, detail, by, now, now + LIFETIME_MS)
        key, key_row = self._keyring.new_scope(Kind.OPERATION, request.id)
        return request, Batch(
            keys=KeyChanges(inserts=[key_row]), operations=OperationChanges(upserts=[_sealed(key, request, None)])
        )

    async def changed(self, request: Request, status: str, *, approver: str | None = None) -> tuple[Request, Batch]:
        """The request with another status, and the batch that keeps it: a Conflict where somebody else was faster."""
        decided = request.approver if approver is None else approver
        request = replace(request, status=status, approver=decided, row_version=request.row_version + 1)
        ended = None if request.waits else self._now_ms()
        return request, Batch(
            operations=OperationChanges(upserts=[_sealed(await self._key(request.id), request, ended)])
        )

    async def _key(self, request: bytes) -> ScopeKey:
        rows = await self._backend.keys.newest(Kind.OPERATION, [request])
        if not rows:
            raise IntegrityError(f"The key of request {request.hex()} is missing.")
        return self._keyring.open_scope(rows[0])

    def _opened(self, key: ScopeKey, row: OperationRow) -> Request:
        with named(f"Request {row.operation_id.hex()}"):
            fields = unpack(key.open(key.place(Purpose.REQUEST, row.operation_id), 0, row.row_version, row.record))
        try:
            kind, environment_id, environment, detail, by, created_ms, expires_ms, status, approver, ended_ms = fields
        except (TypeError, ValueError) as error:
            raise NotARecord("A stored request has other fields than this version writes.") from error
        if (created_ms, ended_ms) != (row.created_ms, row.ended_ms):
            raise IntegrityError(f"Request {row.operation_id.hex()}: its row says otherwise than its record.")
        return Request(
            row.operation_id, kind, environment_id, environment, detail, by, created_ms, expires_ms, status, approver,
            row.row_version,
        )  # fmt: skip


def _sealed(key: ScopeKey, request: Request, ended_ms: int | None) -> OperationRow:
    facts = [
        request.kind, request.environment_id, request.environment, request.detail, request.by, request.created_ms,
        request.expires_ms, request.status, request.approver, ended_ms,
    ]  # fmt: skip
    record = key.seal(key.place(Purpose.REQUEST, request.id), 0, request.row_version, pack(facts))
    return OperationRow(request.id, request.row_version, request.created_ms, ended_ms, record)
