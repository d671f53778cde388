"""The flows of one environment: sealed names and definitions, numbered versions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..errors import Conflict, IntegrityError, InvalidName, NotARecord, RecordNotFound, StaleKeys, StorageError
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, digest, random_id, same
from ..format.purposes import Index, Kind, Purpose
from ..keys.keyring import Keyring
from ..keys.rereading import settled
from ..models import FlowDocument, FlowInfo, FlowVersion, Value
from ..port import Backend, Batch, FlowRow, KeyRow, VersionRow
from .inbox.sealed_items import start_token

_ATTEMPTS = 20


@dataclass(slots=True)
class Moving:
    """A flow on its way to another domain: the fresh key, and the versions that are sealed by it already."""

    flow_id: bytes
    domain: int
    key: tuple[ScopeKey, KeyRow] | None = None
    versions: list[VersionRow] = field(default_factory=list)


class Definitions:
    """Stores and opens flows. A flow's name and versions are sealed under the flow's own key, and found by a blind
    index.
    """

    def __init__(
        self,
        backend: Backend,
        keyring: Keyring,
        now_ms: Callable[[], int],
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._reload = reload
        self._one_writer = asyncio.Lock()
        # Rows whose blind index was found to be that of the sealed name: looking for a name that is not there asks for
        # all of them.
        self._verified: dict[bytes, FlowRow] = {}
        self._domains: dict[bytes, int] = {}

    def domain(self, flow_id: bytes) -> int:
        """The domain of a flow that was read before; of any other, that of new flows."""
        return self._domains.get(flow_id, self._keyring.domain)

    async def locate(self) -> None:
        """Learns which domain each flow belongs to now. One whose key does not open is told of when it is read."""
        for row in await self._backend.keys.newest(Kind.FLOW, await self._backend.consistency.flow_scopes()):
            with suppress(IntegrityError):
                self._domains[row.scope] = self._keyring.open_scope(row).domain

    async def put(self, name: str, document: Value, meta: Value, *, unheard: bool = False) -> FlowVersion:
        """Stores the next version, or answers with the current one if its document and meta are these already. Durable
        on return.

        Raises NotStorable, InvalidName, Conflict (if other processes keep deploying the same flow, or administrators
        keep changing the environment's keys).
        """
        if not name.strip():
            raise InvalidName("A flow needs a name.")
        data = pack([document, meta])
        content = digest(data)
        async with self._one_writer:
            for _ in range(_ATTEMPTS):
                try:
                    return await self._put(name, document, meta, content, unheard)
                except Conflict as error:  # another process deployed the same flow: read it again
                    conflict: StorageError = error
                except StaleKeys as error:  # a policy came, or a key was exchanged, at this very moment
                    conflict = error
                    await self._reload()
        raise conflict

    async def _put(self, name: str, document: Value, meta: Value, content: bytes, unheard: bool) -> FlowVersion:
        now = self._now_ms()
        row = await self._find(name)
        batch = Batch(guard=self._keyring.deciding)
        if row is None:
            flow_id, number, row_version, created_ms = random_id(), 1, 1, now
            key, key_row = self._keyring.new_scope(Kind.FLOW, flow_id, self._keyring.domain)
            batch.keys.inserts.append(key_row)
            domain = key_row.domain
        else:
            flow_id = row.flow_id
            row, key, info, current = await self._read(row)
            number, row_version, domain = row.version + 1, row.row_version + 1, row.domain
            if current == content:
                return FlowVersion(flow_id, info.name, row.version, created=False)
            name, created_ms = info.name, info.created_ms
        record = key.seal(
            key.place(Purpose.FLOW, flow_id), 0, row_version, pack([name, number, created_ms, now, content])
        )
        version = key.seal(key.place(Purpose.VERSION, flow_id), number, 0, pack([document, meta, now, content]))
        index = self._keyring.name_index(Index.FLOW_NAME, name, domain)
        batch.flows.upserts.append(FlowRow(flow_id, index, domain, number, row_version, created_ms, now, record))
        batch.flows.versions.append(VersionRow(flow_id, number, now, version))
        token = start_token(flow_id)
        if unheard:
            batch.callbacks.expected.append(token)
        else:
            batch.callbacks.forgotten.append(token.scope)
        await self._backend.commit(batch)
        return FlowVersion(flow_id, name, number, created=True)

    async def all(self) -> list[FlowInfo]:
        """All flows, in the order of their first deployment."""
        infos = [info for info, _ in await self._open_all(await self._rows())]
        # By what is sealed: the order of rows may have been changed.
        return sorted(infos, key=lambda info: info.created_ms)

    async def one(self, name_or_id: str | bytes) -> FlowInfo:
        """A flow by its name (in any case) or its id. Raises RecordNotFound."""
        if isinstance(name_or_id, bytes):
            row = await self._backend.flows.find(flow_id=name_or_id)
        else:
            row = await self._find(name_or_id)
        if row is None and isinstance(name_or_id, bytes) and await self._backend.keys.newest(Kind.FLOW, [name_or_id]):
            # Row and key come in one commit, which may have happened between the two looks.
            row = await self._backend.flows.find(flow_id=name_or_id)
            if row is None:
                raise IntegrityError(f"The row of flow {name_or_id.hex()} is missing.")
        if row is None:
            shown = name_or_id.hex() if isinstance(name_or_id, bytes) else name_or_id
            raise RecordNotFound(f"There is no flow {shown} in this environment.")
        return (await self._read(row))[2]

    async def version(self, flow_id: bytes, number: int, expected: bytes | None) -> FlowDocument:
        """One version of a flow; with `expected`, the digest that a run was started with, exactly that one.

        Raises RecordNotFound, NotARecord, IntegrityError.
        """
        return await settled(
            self._backend, self._keyring, Kind.FLOW, flow_id, lambda: self._version(flow_id, number, expected)
        )

    async def _version(self, flow_id: bytes, number: int, expected: bytes | None) -> FlowDocument:
        name = f"Version {number} of flow {flow_id.hex()}"
        row = await self._backend.flows.version(flow_id, number) if 0 < number < 1 << 63 else None
        flow = await self._backend.flows.find(flow_id=flow_id)  # after its version, so that it is never the older one
        if row is None and flow is not None and number <= flow.version:
            row = await self._backend.flows.version(flow_id, number) if number > 0 else None
            if row is None and number > 0:
                raise IntegrityError(f"{name} is missing.")
        if row is None:
            if expected:
                raise IntegrityError(f"{name} is missing, and a run was started with it.")
            raise RecordNotFound(f"Flow {flow_id.hex()} has no version {number}.")
        if flow is None:
            raise IntegrityError(f"The row of flow {flow_id.hex()} is missing.")
        key = await self._key(flow_id)
        data = key.open(key.place(Purpose.VERSION, flow_id), number, 0, row.record)
        document, meta, created_ms, content = _fields(data, 4)
        if created_ms != row.created_ms:
            raise IntegrityError(f"{name}: its row says otherwise than its record.")
        flow = await self._latest(flow)
        # The same number may have been sealed twice: in a store that was put back from a backup and deployed to again.
        _, current = self._open(key, flow)
        if number > flow.version or (number == flow.version and not same(content, current)):
            raise IntegrityError(f"{name} is not the one that the flow names.")
        if expected and not same(content, expected):
            raise IntegrityError(f"{name} is not the one that the run was started with.")
        return FlowDocument(flow_id, number, document, meta, created_ms, content)

    async def elsewhere(self, domain: int, *, stays: bool = False) -> list[bytes]:
        """The flows whose key is not wrapped by the live key of a domain; with `stays`, of those in it."""
        scopes = [row.flow_id for row in await self._rows()]
        there = (domain, self._keyring.live_version(domain))
        keys = await self._backend.keys.newest(Kind.FLOW, scopes)
        return [
            key.scope for key in keys if (key.domain, key.key_version) != there and not (stays and key.domain != domain)
        ]

    async def move(self, moving: Moving, batch: Batch) -> None:
        """Puts a flow with all its versions into the batch, sealed by a fresh key under the live key of a domain, by
        which its name is found then too.

        `moved` is called once that is durable. A flow that is deployed at the same moment makes the batch a Conflict:
        with the same `moving`, what was sealed for it is kept.
        """
        flow_id, domain = moving.flow_id, moving.domain
        row = await self._backend.flows.find(flow_id=flow_id)
        stored = await self._backend.keys.newest(Kind.FLOW, [flow_id])
        if row is None or not stored:
            raise IntegrityError(f"The row of flow {flow_id.hex()} is missing.")
        old = self._keyring.open_scope(stored[0])
        info, _ = self._open(old, row)
        generation, version = stored[0].generation + 1, row.row_version + 1
        if moving.key is None:
            moving.key = self._keyring.new_scope(Kind.FLOW, flow_id, domain, generation=generation)
        new, key_row = moving.key
        was, place = old.place(Purpose.VERSION, flow_id), new.place(Purpose.VERSION, flow_id)
        for number in range(len(moving.versions) + 1, row.version + 1):
            each = await self._backend.flows.version(flow_id, number)
            if each is None:
                raise IntegrityError(f"Version {number} of flow {flow_id.hex()} is missing.")
            sealed = new.seal(place, number, 0, old.open(was, number, 0, each.record))
            moving.versions.append(each._replace(record=sealed))
        data = old.open(old.place(Purpose.FLOW, flow_id), 0, row.row_version, row.record)
        record = new.seal(new.place(Purpose.FLOW, flow_id), 0, version, data)
        index = self._keyring.name_index(Index.FLOW_NAME, info.name, domain)
        batch.keys.inserts.append(key_row)
        batch.keys.dropped_generations.append((Kind.FLOW, flow_id, generation))
        batch.flows.upserts.append(row._replace(name_index=index, domain=domain, row_version=version, record=record))
        batch.flows.replaced_versions += moving.versions

    def adopt(self, info: FlowInfo, versions: Sequence[FlowDocument], batch: Batch) -> None:
        """Puts a flow of another environment into the batch, with all its versions, under the same id and as new here:
        it belongs to whom new flows belong to.
        """
        flow_id, current = info.flow_id, versions[-1]
        key, key_row = self._keyring.new_scope(Kind.FLOW, flow_id, self._keyring.domain)
        facts = [info.name, info.version, info.created_ms, info.updated_ms, current.digest]
        record = key.seal(key.place(Purpose.FLOW, flow_id), 0, 1, pack(facts))
        index = self._keyring.name_index(Index.FLOW_NAME, info.name, key_row.domain)
        batch.keys.inserts.append(key_row)
        batch.flows.upserts.append(
            FlowRow(flow_id, index, key_row.domain, info.version, 1, info.created_ms, info.updated_ms, record)
        )
        place = key.place(Purpose.VERSION, flow_id)
        for each in versions:
            sealed = key.seal(place, each.number, 0, pack([each.document, each.meta, each.created_ms, each.digest]))
            batch.flows.versions.append(VersionRow(flow_id, each.number, each.created_ms, sealed))

    def moved(self, flow_id: bytes, domain: int) -> None:
        """From now on, what belongs to this flow is sealed in another domain."""
        self._domains[flow_id] = domain

    async def _find(self, name: str) -> FlowRow | None:
        """The row of a name, by its index under any key. Where there is none, the names themselves are asked, since
        somebody may have changed an index to hide a flow.
        """
        epoch, indexes = self._keyring.epoch, self._keyring.name_indexes(Index.FLOW_NAME, name)
        row = await self._backend.flows.find(name_indexes=indexes)
        if row is None:
            state = await self._backend.keys.state()
            if state is not None and state.epoch > epoch:
                raise StaleKeys("The environment's keys were changed since this process looked.")
            rows = await self._rows()
            await self._open_all([row for row in rows if self._verified.get(row.flow_id) != row])
            self._verified = {row.flow_id: row for row in rows}
            indexes = self._keyring.name_indexes(Index.FLOW_NAME, name)  # by now there may be more keys
            return next((row for row in rows if row.name_index in indexes), None)  # deployed in the meantime
        return row

    async def _rows(self) -> list[FlowRow]:
        """All rows. A flow whose key is there has one."""
        scopes = set(await self._backend.consistency.flow_scopes())  # first: row and key come in one commit
        rows = await self._backend.flows.all()
        for missing in scopes - {row.flow_id for row in rows}:
            raise IntegrityError(f"The row of flow {missing.hex()} is missing.")
        return rows

    async def _open_all(self, rows: list[FlowRow]) -> list[tuple[FlowInfo, bytes]]:
        stored = await self._backend.keys.newest(Kind.FLOW, [row.flow_id for row in rows])
        keys: dict[bytes, KeyRow] = {row.scope: row for row in stored}
        opened = []
        for row in rows:
            if row.flow_id not in keys:
                raise IntegrityError(f"The key of flow {row.flow_id.hex()} is missing.")
            try:
                key = self._keyring.open_scope(keys[row.flow_id])
                if not key.names(row.record):
                    raise IntegrityError("It went over to another key since it was read.")
                opened.append(self._open(key, row))
            except IntegrityError:  # read once more, and with the keys as they are now
                opened.append((await self._read(row))[2:])
        return opened

    async def _read(self, row: FlowRow) -> tuple[FlowRow, ScopeKey, FlowInfo, bytes]:
        """A flow's row as it is now, if it went over to another key since this one was read, with what `_open` says."""
        found: FlowRow | None = row

        async def read() -> tuple[FlowRow, ScopeKey, FlowInfo, bytes]:
            nonlocal found
            if found is None:
                found = await self._backend.flows.find(flow_id=row.flow_id)
            current, found = found, None
            if current is None:
                raise IntegrityError(f"The row of flow {row.flow_id.hex()} is missing.")
            key = await self._key(row.flow_id)
            current = await self._latest(current)
            return current, key, *self._open(key, current)

        return await settled(self._backend, self._keyring, Kind.FLOW, row.flow_id, read)

    def _open(self, key: ScopeKey, row: FlowRow) -> tuple[FlowInfo, bytes]:
        """The flow and its current version's digest, verified against the row's clear columns."""
        data = key.open(key.place(Purpose.FLOW, row.flow_id), 0, row.row_version, row.record)
        name, number, created_ms, updated_ms, content = _fields(data, 5)
        sealed = (number, created_ms, updated_ms, key.domain)
        indexed = row.name_index in self._keyring.name_indexes(Index.FLOW_NAME, name)
        if sealed != (row.version, row.created_ms, row.updated_ms, row.domain) or not indexed:
            raise IntegrityError(f"Flow {row.flow_id.hex()}: its row says otherwise than its record.")
        self._domains[row.flow_id] = key.domain
        return FlowInfo(row.flow_id, name, number, created_ms, updated_ms, key.domain), content

    async def _latest(self, row: FlowRow) -> FlowRow:
        """The row as it is now, if the flow has a later version than this one says. Raises IntegrityError where it has
        one all the same: an earlier row was put back.
        """
        for _ in range(_ATTEMPTS):
            numbers = await self._backend.flows.version_numbers(row.flow_id)
            if max(numbers, default=0) <= row.version:
                return row
            current = await self._backend.flows.find(flow_id=row.flow_id)
            if current is None or current.version <= row.version:
                break
            row = current  # it was deployed in the meantime
        raise IntegrityError(
            f"The row of flow {row.flow_id.hex()} names version {row.version}, and there is a later one: "
            "an earlier row was put back."
        )

    async def _key(self, flow_id: bytes) -> ScopeKey:
        rows = await self._backend.keys.newest(Kind.FLOW, [flow_id])
        if not rows:
            raise IntegrityError(f"The key of flow {flow_id.hex()} is missing.")
        return self._keyring.open_scope(rows[0])


async def flow_domain(backend: Backend, keyring: Keyring, flow_id: bytes) -> int:
    """The domain whose key seals a flow, and so what belongs to it. Raises RecordNotFound."""

    async def read() -> int:
        rows = await backend.keys.newest(Kind.FLOW, [flow_id])
        if not rows:
            raise RecordNotFound(f"There is no flow {flow_id.hex()} in this environment.")
        return keyring.open_scope(rows[0]).domain

    return await settled(backend, keyring, Kind.FLOW, flow_id, read)


def _fields(data: bytes, count: int) -> list[Value]:
    fields = unpack(data)
    if type(fields) is not list or len(fields) != count:
        raise NotARecord("A stored record has other fields than this version writes.")
    return fields
