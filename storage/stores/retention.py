"""How long the runs of a flow are kept: by age, by number, by size. What is over goes for good, see `shredding`.

The limits of a flow are one sealed row under the service's key: there is nothing of the flow in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Final

from ..errors import Conflict, IntegrityError, NotARecord, RecordNotFound
from ..format.codec import pack, unpack
from ..format.purposes import Domain, Kind, Purpose
from ..keys.keyring import Keyring
from ..models import RunInfo, Value
from ..port import Backend, Batch, KeyRow, RetentionRow

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of a flow's ended runs: those of the last `days`, the newest `runs`, and the newest that have
    together no more than `size` bytes of sealed history. None sets no limit.
    """

    days: int | None = None
    runs: int | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        if any(limit is not None and limit < 0 for limit in astuple(self)):
            raise ValueError("A limit of what is kept is not negative.")

    def to_value(self) -> list[Value]:
        return list(astuple(self))

    def over(self, ended: Iterable[RunInfo], sizes: Mapping[bytes, int], now_ms: int) -> list[bytes]:
        """Which runs of a flow are not kept any more; `ended` are all that have ended, in any order."""
        gone = []
        kept = held = 0
        for run in sorted(ended, key=lambda run: (run.ended_ms or 0, run.run_id), reverse=True):
            held += sizes.get(run.run_id, 0)
            old = self.days is not None and now_ms - (run.ended_ms or 0) > self.days * DAY_MS
            many = self.runs is not None and kept >= self.runs
            if old or many or (self.size is not None and held > self.size):
                gone.append(run.run_id)
            else:
                kept += 1
        return gone


class Retentions:
    """Keeps the limits of each flow."""

    def __init__(self, backend: Backend, keyring: Keyring) -> None:
        self._backend = backend
        self._keyring = keyring

    async def all(self) -> dict[bytes, tuple[int, Retention]]:
        """The limits by flow, each with its row's version. Raises IntegrityError."""
        rows = await self._backend.flows.retentions()
        keys = {
            row.scope: row for row in await self._backend.keys.newest(Kind.RETENTION, [row.flow_id for row in rows])
        }
        return {row.flow_id: (row.row_version, self._open(row, keys.get(row.flow_id))) for row in rows}

    async def one(self, flow_id: bytes) -> Retention:
        """A flow's limits; none where none were set. Raises IntegrityError."""
        return (await self.all()).get(flow_id, (0, Retention()))[1]

    async def set(self, flow_id: bytes, retention: Retention) -> None:
        """Sets a flow's limits; durable on return. Raises RecordNotFound (no such flow), Conflict (somebody else did
        so at the same moment).
        """
        if await self._backend.flows.find(flow_id=flow_id) is None:
            raise RecordNotFound(f"There is no flow {flow_id.hex()} in this environment.")
        version = (await self.all()).get(flow_id, (0, None))[0] + 1
        batch = Batch(guard=self._keyring.guard)
        stored = await self._backend.keys.newest(Kind.RETENTION, [flow_id])
        if stored:
            key = self._keyring.open_scope(stored[0])
        else:
            key, row = self._keyring.new_scope(Kind.RETENTION, flow_id, Domain.SERVICE)
            batch.keys.inserts.append(row)
        record = key.seal(key.place(Purpose.RETENTION, flow_id), 0, version, pack(retention.to_value()))
        batch.flows.retentions.append(RetentionRow(flow_id, version, record))
        try:
            await self._backend.commit(batch)
        except Conflict as error:
            raise Conflict(f"The retention of flow {flow_id.hex()} was set by somebody else just now.") from error

    def _open(self, row: RetentionRow, key_row: KeyRow | None) -> Retention:
        if key_row is None:
            raise IntegrityError(f"The key of the retention of flow {row.flow_id.hex()} is missing.")
        key = self._keyring.open_scope(key_row)
        fields = unpack(key.open(key.place(Purpose.RETENTION, row.flow_id), 0, row.row_version, row.record))
        if type(fields) is not list or len(fields) != 3:
            raise NotARecord("A stored retention has other fields than this version writes.")
        return Retention(*fields)
