"""Where the triggers of an environment's flows stand: one sealed, versioned row for each flow.

A trigger's row is written in the commit that also starts the runs it fired, so that neither a lost nor a doubled
occurrence can be stored. The executor is the only writer. A write that does not continue what this process last read or
wrote is refused at once, before it is queued with anybody else's rows; what remains for the commit to refuse is a row
that was changed from outside, and then the whole batch fails like after any other fault of the store: what was
acknowledged stays, the runs concerned are opened again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import Conflict, IntegrityError, NotARecord
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey
from ..format.purposes import Kind, Purpose
from ..keys.keyring import Keyring
from ..keys.rereading import settled
from ..models import TriggerState, Value
from ..port import Backend, KeyRow, TriggerRow
from .flows import flow_domain
from .runs.journal import Journal

_LARGEST = (1 << 63) - 1


@dataclass(slots=True)
class _Known:
    """What this process knows of a flow's trigger: the domain and the key that seal it, once it has one, that key's
    generation, and the versions that are queued and durable.
    """

    domain: int
    key: ScopeKey | None = None
    generation: int = 1
    queued: int = 0
    durable: int = 0


class Triggers:
    """Reads and writes the states. Each has a key of its own, in the domain of its flow: a key without a row says that
    the row was removed.
    """

    def __init__(self, backend: Backend, keyring: Keyring, journal: Journal) -> None:
        self._backend = backend
        self._keyring = keyring
        self._journal = journal
        self._known: dict[bytes, _Known] = {}

    async def all(self) -> list[TriggerState]:
        """Every trigger, those that are due first, first. Raises IntegrityError, also for a row that is missing.

        The triggers of all other flows may be set then, as if `one` had been asked of each.
        """
        floors = self._floors()
        for missing in await self._backend.consistency.orphaned_keys(Kind.TRIGGER):
            raise _missing(missing)
        rows = await self._backend.triggers.all()
        for flow_id in floors.keys() - {row.flow_id for row in rows}:
            if await self._backend.keys.newest(Kind.FLOW, [flow_id]):
                raise _missing(flow_id)
            self.forget(flow_id)  # the flow was shredded, by another process
        states = await self._opened(rows, floors)
        others = [scope for scope in await self._backend.consistency.flow_scopes() if scope not in self._known]
        for row in await self._backend.keys.newest(Kind.FLOW, others):
            try:
                domain = self._keyring.open_scope(row).domain
            except IntegrityError:  # read once more
                domain = await flow_domain(self._backend, self._keyring, row.scope)
            self._known.setdefault(row.scope, _Known(domain))
        return states

    async def due(self, by_ms: int, limit: int) -> list[TriggerState]:
        """Those with `due_ms` at or before `by_ms`, in that order. Raises IntegrityError."""
        floors = self._floors()
        return await self._opened(await self._backend.triggers.due(by_ms, limit), floors)

    async def one(self, flow_id: bytes) -> TriggerState | None:
        """A flow's trigger, or None if it never had a state. Raises IntegrityError, RecordNotFound (no such flow)."""
        floors = self._floors()
        row = await self._backend.triggers.get(flow_id)
        if row is None and (flow_id in floors or await self._backend.keys.newest(Kind.TRIGGER, [flow_id])):
            # Row and key come in one commit, which may have happened between the two looks.
            row = await self._backend.triggers.get(flow_id)
            if row is None and await self._backend.keys.newest(Kind.FLOW, [flow_id]):
                raise _missing(flow_id)
            if row is None:
                self.forget(flow_id)  # as in `all`
        if row is not None:
            return (await self._opened([row], floors))[0]
        if flow_id not in self._known:
            domain = await flow_domain(self._backend, self._keyring, flow_id)
            self._known.setdefault(flow_id, _Known(domain))
        return None

    def set(self, flow_id: bytes, value: Value, due_ms: int | None, expected: int) -> int:
        """Queues the next row. Raises NotStorable and Conflict; nothing was queued then."""
        if due_ms is not None and not 0 <= due_ms <= _LARGEST:
            raise ValueError("A trigger is due at Unix milliseconds.")
        known = self._known.get(flow_id)
        if known is None and not expected:
            raise ValueError("A trigger is read before it is set.")
        if known is None or expected != known.queued:  # unknown: forgotten since it was read
            raise Conflict(f"The trigger of flow {flow_id.hex()} was changed since it was read.")
        data = pack([due_ms, value])
        self._journal.wake()
        if known.key is None:
            known.key, key_row = self._keyring.new_scope(Kind.TRIGGER, flow_id, known.domain)
            self._journal.batch.keys.inserts.append(key_row)
        known.queued = version = expected + 1
        record = known.key.seal(known.key.place(Purpose.TRIGGER, flow_id), 0, version, data)
        self._journal.batch.triggers.upserts.append(TriggerRow(flow_id, due_ms, version, record))
        self._journal.pending_bytes += len(record)
        self._journal.after_commit(lambda: self._written(flow_id, version), lambda: self._lost(flow_id))
        return version

    async def move(self, flow_id: bytes, domain: int) -> bool:
        """Seals a flow's trigger by a fresh key of another domain, if it has a state; durable on return. Whether it
        has one.
        """
        while True:
            row = await self._backend.triggers.get(flow_id)
            stored = await self._backend.keys.newest(Kind.TRIGGER, [flow_id])
            known = self._known.get(flow_id)
            if known is not None and (known.queued != known.durable or (row is None and known.durable)):
                await self._journal.flush()
                continue
            if row is None or not stored:
                if known is not None:
                    known.domain = domain
                return False
            if known is not None and row.row_version != known.durable:
                continue  # it was written between the two looks
            break
        old = self._keyring.open_scope(stored[0])
        generation = stored[0].generation + 1
        new, key_row = self._keyring.new_scope(Kind.TRIGGER, flow_id, domain, generation=generation)
        data = old.open(old.place(Purpose.TRIGGER, flow_id), 0, row.row_version, row.record)
        record = new.seal(new.place(Purpose.TRIGGER, flow_id), 0, row.row_version, data)
        # Without giving way to anybody: what is set from here on is sealed by the new key, and goes behind this.
        self._journal.wake()
        batch = self._journal.batch
        batch.keys.inserts.append(key_row)
        batch.triggers.replaced.append(row._replace(record=record))
        batch.keys.dropped_generations.append((Kind.TRIGGER, flow_id, generation))
        self._known[flow_id] = _Known(domain, new, generation, row.row_version, row.row_version)
        self._journal.after_commit(lambda: None, lambda: self.forget(flow_id))
        await self._journal.flush()
        return True

    def forget(self, flow_id: bytes) -> None:
        """The flow was shredded, or what was queued is lost."""
        self._known.pop(flow_id, None)

    def _written(self, flow_id: bytes, version: int) -> None:
        known = self._known.get(flow_id)
        if known is not None:
            known.durable = version

    def _lost(self, flow_id: bytes) -> None:
        known = self._known.get(flow_id)
        if known is None:  # a move to another key was lost with it
            return
        known.queued = known.durable
        if known.durable == 0:
            known.key = None  # lost with the row

    def _floors(self) -> dict[bytes, int]:
        """The versions that a read which begins now has to find, or later ones: an older row was put back."""
        return {flow_id: known.durable for flow_id, known in self._known.items() if known.durable}

    async def _opened(self, rows: Sequence[TriggerRow], floors: Mapping[bytes, int]) -> list[TriggerState]:
        unknown = [row.flow_id for row in rows if self._key(row) is None]
        keys = {row.scope: row for row in await self._backend.keys.newest(Kind.TRIGGER, unknown)}
        states = []
        for row in rows:
            key = self._key(row)
            if key is None:
                if row.flow_id not in keys:
                    raise IntegrityError(f"The key of the trigger of flow {row.flow_id.hex()} is missing.")
                try:
                    key = self._keyring.open_scope(keys[row.flow_id])
                except IntegrityError:  # read once more, and its key
                    key = None
                if key is None or not key.names(row.record):
                    states.append(
                        await settled(
                            self._backend, self._keyring, Kind.TRIGGER, row.flow_id, partial(self._again, row)
                        )
                    )
                    continue
            states.append(self._remembered(row, key, keys.get(row.flow_id), floors.get(row.flow_id, 0)))
        return states

    async def _again(self, row: TriggerRow) -> TriggerState:
        """A trigger that went over to another key since its row was read."""
        floor = self._floors().get(row.flow_id, 0)
        row = await self._backend.triggers.get(row.flow_id) or row
        keys = await self._backend.keys.newest(Kind.TRIGGER, [row.flow_id])
        if not keys:
            raise IntegrityError(f"The key of the trigger of flow {row.flow_id.hex()} is missing.")
        return self._remembered(row, self._keyring.open_scope(keys[0]), keys[0], floor)

    def _remembered(self, row: TriggerRow, key: ScopeKey, key_row: KeyRow | None, floor: int) -> TriggerState:
        state = _open(key, row, floor)
        known = self._known.setdefault(row.flow_id, _Known(key.domain))
        # A read that began before the trigger went over to another key must not bring the earlier one back.
        if key_row is not None and (known.key is None or key_row.generation >= known.generation):
            known.key, known.domain, known.generation = key, key.domain, key_row.generation
        known.durable = max(known.durable, row.row_version)
        known.queued = max(known.queued, row.row_version)
        return state

    def _key(self, row: TriggerRow) -> ScopeKey | None:
        """The key that is at hand, unless the row was sealed by another one since."""
        known = self._known.get(row.flow_id)
        return known.key if known is not None and known.key is not None and known.key.names(row.record) else None


def _open(key: ScopeKey, row: TriggerRow, floor: int) -> TriggerState:
    fields = unpack(key.open(key.place(Purpose.TRIGGER, row.flow_id), 0, row.row_version, row.record))
    if type(fields) is not list or len(fields) != 2:
        raise NotARecord("A stored trigger has other fields than this version writes.")
    due_ms, value = fields
    if due_ms != row.due_ms:
        raise IntegrityError(f"The trigger of flow {row.flow_id.hex()}: its row says otherwise than its record.")
    if row.row_version < floor:
        raise IntegrityError(f"An older state of the trigger of flow {row.flow_id.hex()} was put back.")
    return TriggerState(row.flow_id, due_ms, value, row.row_version)


def _missing(flow_id: bytes) -> IntegrityError:
    return IntegrityError(f"The row of the trigger of flow {flow_id.hex()} is missing.")
