"""The flows of one environment: sealed names and definitions, numbered versions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .codec import pack, unpack
from .envelope import ScopeKey, digest, random_id
from .errors import Conflict, IntegrityError, NotARecord, RecordNotFound
from .keyring import Keyring
from .port import Backend, Batch, FlowRow, VersionRow
from .purposes import Index, Kind, Purpose
from .views import FlowDocument, FlowInfo, FlowVersion, Value

_ATTEMPTS = 5


class Definitions:
    """Stores and opens flows. A flow's name and versions are sealed under the flow's own key, and found by a blind
    index.
    """

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._one_writer = asyncio.Lock()

    async def put(self, name: str, document: Value, meta: Value) -> FlowVersion:
        """Stores the next version, or answers with the current one if its document and meta are these already. Durable
        on return.

        Raises NotStorable, Conflict (if other processes keep deploying the same flow).
        """
        data = pack([document, meta])
        content = digest(data)
        async with self._one_writer:
            for _ in range(_ATTEMPTS):
                try:
                    return await self._put(name, document, meta, content)
                except Conflict as error:  # another process deployed the same flow: read it again
                    conflict = error
        raise conflict

    async def _put(self, name: str, document: Value, meta: Value, content: bytes) -> FlowVersion:
        now = self._now_ms()
        index = self._keyring.name_index(Index.FLOW_NAME, name)
        row = await self._backend.flow(name_index=index)
        batch = Batch()
        if row is None:
            flow_id, number, row_version, created_ms = random_id(), 1, 1, now
            key, key_row = self._keyring.new_scope(Kind.FLOW, flow_id)
            batch.keys.append(key_row)
            domain = key_row.domain
        else:
            flow_id, number, row_version = row.flow_id, row.version + 1, row.row_version + 1
            domain = row.domain
            key = await self._key(flow_id)
            info, current = _open_flow(key, row)
            if current == content:
                return FlowVersion(flow_id, info.name, row.version, created=False)
            name, created_ms = info.name, info.created_ms
        record = key.seal(
            key.place(Purpose.FLOW, flow_id), 0, row_version, pack([name, number, created_ms, now, content])
        )
        version = key.seal(key.place(Purpose.VERSION, flow_id), number, 0, pack([document, meta, now, content]))
        batch.flows.append(FlowRow(flow_id, index, domain, number, row_version, created_ms, now, record))
        batch.versions.append(VersionRow(flow_id, number, now, version))
        await self._backend.commit(batch)
        return FlowVersion(flow_id, name, number, created=True)

    async def all(self) -> list[FlowInfo]:
        """All flows, in the order of their first deployment."""
        rows = await self._backend.flows()
        keys = {row.scope: row for row in await self._backend.keys(Kind.FLOW, [row.flow_id for row in rows])}
        infos = []
        for row in rows:
            if row.flow_id not in keys:
                raise IntegrityError(f"The key of flow {row.flow_id.hex()} is missing.")
            infos.append(_open_flow(self._keyring.open_scope(keys[row.flow_id]), row)[0])
        return infos

    async def one(self, name_or_id: str | bytes) -> FlowInfo:
        """A flow by its name (in any case) or its id. Raises RecordNotFound."""
        if isinstance(name_or_id, bytes):
            row = await self._backend.flow(flow_id=name_or_id)
        else:
            row = await self._backend.flow(name_index=self._keyring.name_index(Index.FLOW_NAME, name_or_id))
        if row is None:
            shown = name_or_id.hex() if isinstance(name_or_id, bytes) else name_or_id
            raise RecordNotFound(f"There is no flow {shown} in this environment.")
        return _open_flow(await self._key(row.flow_id), row)[0]

    async def version(self, flow_id: bytes, number: int) -> FlowDocument:
        """One version of a flow. Raises RecordNotFound, NotARecord, IntegrityError."""
        row = await self._backend.version(flow_id, number)
        if row is None:
            raise RecordNotFound(f"Flow {flow_id.hex()} has no version {number}.")
        key = await self._key(flow_id)
        data = key.open(key.place(Purpose.VERSION, flow_id), number, 0, row.record)
        document, meta, created_ms, content = _fields(data, 4)
        if created_ms != row.created_ms:
            raise IntegrityError(f"Version {number} of flow {flow_id.hex()}: its row says otherwise than its record.")
        return FlowDocument(flow_id, number, document, meta, created_ms, content)

    async def _key(self, flow_id: bytes) -> ScopeKey:
        rows = await self._backend.keys(Kind.FLOW, [flow_id])
        if not rows:
            raise IntegrityError(f"The key of flow {flow_id.hex()} is missing.")
        return self._keyring.open_scope(rows[0])


def _open_flow(key: ScopeKey, row: FlowRow) -> tuple[FlowInfo, bytes]:
    data = key.open(key.place(Purpose.FLOW, row.flow_id), 0, row.row_version, row.record)
    name, number, created_ms, updated_ms, content = _fields(data, 5)
    if (number, created_ms, updated_ms) != (row.version, row.created_ms, row.updated_ms):
        raise IntegrityError(f"Flow {row.flow_id.hex()}: its row says otherwise than its record.")
    return FlowInfo(row.flow_id, name, number, created_ms, updated_ms), content


def _fields(data: bytes, count: int) -> list[Value]:
    fields = unpack(data)
    if type(fields) is not list or len(fields) != count:
        raise NotARecord("A stored record has other fields than this version writes.")
    return fields
