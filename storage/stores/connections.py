"""The connections of one environment: each sealed under a key of its own, secrets included.

Which domain a connection belongs to is the rule this product exists for: OAuth connections follow the environment's
key, the others stay under the service's, unless the policy covers all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ..errors import AlreadyThere, Conflict, IntegrityError, InvalidName, NotARecord, RecordNotFound, StaleKeys
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, random_id
from ..format.purposes import Domain, Index, Kind, Purpose
from ..keys.key_state import KeyState
from ..keys.keyring import Keyring
from ..keys.rereading import settled
from ..models import Value
from ..port import Backend, Batch, ConnectionChanges, ConnectionRow, KeyChanges, KeyRow

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A connection without its values. `key_id` is the id of the environment key that wraps its key, in hex;
    `key_version` is that key's number in its domain.
    """

    id: bytes
    name: str = field(repr=False)
    connector: str
    oauth: bool
    parameter_set: str | None
    domain: int
    key_id: str
    created_ms: int
    updated_ms: int
    key_version: int


class Connections:
    """Makes, lists and removes connections. `state` tells the policy as of now, `reload` looks again."""

    def __init__(
        self,
        backend: Backend,
        keyring: Keyring,
        now_ms: Callable[[], int],
        state: Callable[[], KeyState],
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._state = state
        self._reload = reload

    async def create(
        self, name: str, connector: str, *, oauth: bool, parameter_set: str | None, values: Value
    ) -> ConnectionInfo:
        """A new connection; durable on return. Raises InvalidName, AlreadyThere, NotStorable, StaleKeys (if
        administrators keep changing the environment's keys).
        """
        if not name.strip():
            raise InvalidName("A connection needs a name.")
        for attempt in range(_ATTEMPTS):
            if await self._find(name) is not None:
                raise AlreadyThere(f"There is a connection {name} already.")
            now = self._now_ms()
            facts = [name, connector, oauth, parameter_set, now, now, values]
            row, key_row = self._sealed(random_id(), facts, domain_of(self._state(), oauth), 1)
            batch = Batch(
                guard=self._keyring.deciding,
                keys=KeyChanges(inserts=[key_row]),
                connections=ConnectionChanges(upserts=[row]),
            )
            try:
                await self._backend.commit(batch)
            except (StaleKeys, Conflict) as error:  # a policy, or the same name, came at this very moment
                if attempt == _ATTEMPTS - 1:
                    raise
                if isinstance(error, StaleKeys):
                    await self._reload()
                continue
            return await self.one(name)
        raise AssertionError("unreachable")

    async def all(self) -> list[ConnectionInfo]:
        """All connections, oldest first. Raises IntegrityError."""
        return [info for _, info, _ in await self._all()]

    async def one(self, name: str) -> ConnectionInfo:
        """A connection by its name, in any case. Raises RecordNotFound."""
        return (await self._open(await self._row(name)))[0]

    async def opened(self, row: ConnectionRow) -> ConnectionInfo:
        """The connection of a row. Raises EnvironmentLocked where its key is not given, IntegrityError."""
        return (await self._open(row))[0]

    async def values(self, name: str) -> Value:
        """A connection's parameter values, secrets included. Raises RecordNotFound."""
        return (await self._open(await self._row(name)))[1]

    async def id_of(self, name: str) -> bytes:
        """A connection's id, also of one that does not open. Raises RecordNotFound."""
        return (await self._row(name)).connection_id

    async def resealed(self, state: KeyState, batch: Batch, *, coming: bool = False) -> None:
        """Puts into the batch every connection that is not under the live key it belongs to under `state`, under a
        fresh scope key there. `coming`: this state begins with the batch, so that all connections are where they were.
        """
        for row, info, values in await self._all(placed=not coming):
            domain = domain_of(state, info.oauth)
            if (domain, self._keyring.live_version(domain)) == (info.domain, info.key_version):
                continue
            facts = [
                info.name, info.connector, info.oauth, info.parameter_set, info.created_ms, row.updated_ms, values,
            ]  # fmt: skip
            stored = await self._backend.keys.newest(Kind.CONNECTION, [row.connection_id])
            if not stored:
                continue  # it was deleted since it was read
            generation = stored[0].generation + 1
            new, key_row = self._sealed(row.connection_id, facts, domain, row.row_version + 1, generation=generation)
            batch.keys.inserts.append(key_row)
            batch.connections.upserts.append(new)
            batch.keys.dropped_generations.append((Kind.CONNECTION, row.connection_id, generation))

    def adopt(self, info: ConnectionInfo, values: Value, batch: Batch) -> None:
        """Puts a connection of another environment into the batch, under the same id and as new here."""
        facts = [
            info.name, info.connector, info.oauth, info.parameter_set, info.created_ms, info.updated_ms, values,
        ]  # fmt: skip
        row, key_row = self._sealed(info.id, facts, domain_of(self._state(), info.oauth), 1)
        batch.keys.inserts.append(key_row)
        batch.connections.upserts.append(row)

    # --- inside

    def _sealed(
        self, connection: bytes, facts: list[Value], domain: int, row_version: int, *, generation: int = 1
    ) -> tuple[ConnectionRow, KeyRow]:
        key, key_row = self._keyring.new_scope(Kind.CONNECTION, connection, domain, generation=generation)
        record = key.seal(key.place(Purpose.CONNECTION, connection), 0, row_version, pack(facts))
        index = self._keyring.name_index(Index.CONNECTION_NAME, facts[0], domain)
        return ConnectionRow(connection, index, domain, row_version, facts[4], facts[5], record), key_row

    async def _find(self, name: str) -> ConnectionRow | None:
        """The row of a name, by its index under any key. Where there is none, the names themselves are asked, since
        somebody may have changed an index to hide a connection.
        """
        epoch = self._keyring.epoch
        row = await self._backend.connections.find(self._keyring.name_indexes(Index.CONNECTION_NAME, name))
        if row is not None:
            return row
        state = await self._backend.keys.state()
        if state is not None and state.epoch > epoch:
            raise StaleKeys("The environment's keys were changed since this process looked.")
        rows = [row for row, _, _ in await self._all()]
        indexes = self._keyring.name_indexes(Index.CONNECTION_NAME, name)  # by now there may be more keys
        return next((row for row in rows if row.name_index in indexes), None)  # made in the meantime

    async def _row(self, name: str) -> ConnectionRow:
        row = await self._find(name)
        if row is None:
            raise RecordNotFound(
                f"There is no connection {name}.", hint="`sealflow connection list` shows the connections."
            )
        return row

    async def _key_row(self, connection: bytes) -> KeyRow:
        rows = await self._backend.keys.newest(Kind.CONNECTION, [connection])
        if not rows:
            raise IntegrityError(f"The key of connection {connection.hex()} is missing.")
        return rows[0]

    async def _all(self, *, placed: bool = True) -> list[tuple[ConnectionRow, ConnectionInfo, Value]]:
        found = []
        for row in await self._backend.connections.all():
            with suppress(RecordNotFound):  # removed in the meantime
                found.append((row, *await self._open(row, placed=placed)))
        return found

    async def _open(self, row: ConnectionRow, *, placed: bool = True) -> tuple[ConnectionInfo, Value]:
        """A connection, by its row as it is now if it went over to another key since this one was read. `placed`: it
        has to be in the domain that it belongs to. Raises RecordNotFound for one that was removed since.
        """
        found: ConnectionRow | None = row

        async def read() -> tuple[ConnectionInfo, Value]:
            nonlocal found
            if found is None:
                rows = await self._backend.connections.all()
                found = next((each for each in rows if each.connection_id == row.connection_id), None)
            current, found = found, None
            if current is None:
                raise RecordNotFound("The connection was removed.")
            info, values = self._opened(current, await self._key_row(row.connection_id))
            state = self._state()
            placed_now = placed and self._keyring.closed > 0 and state.cover is not None
            if placed_now and domain_of(state, info.oauth) not in (info.domain, Domain.SERVICE):
                raise IntegrityError(
                    f"Connection {row.connection_id.hex()}: the service's key sealed it, although it is under the "
                    "policy's key."
                )
            return info, values

        return await settled(self._backend, self._keyring, Kind.CONNECTION, row.connection_id, read)

    def _opened(self, row: ConnectionRow, key_row: KeyRow) -> tuple[ConnectionInfo, Value]:
        key: ScopeKey = self._keyring.open_scope(key_row)
        fields = unpack(key.open(key.place(Purpose.CONNECTION, row.connection_id), 0, row.row_version, row.record))
        if type(fields) is not list or len(fields) != 7:
            raise NotARecord("A stored connection has other fields than this version writes.")
        name, connector, oauth, parameter_set, created_ms, updated_ms, values = fields
        indexed = row.name_index in self._keyring.name_indexes(Index.CONNECTION_NAME, name)
        if (created_ms, updated_ms, key.domain) != (row.created_ms, row.updated_ms, row.domain) or not indexed:
            raise IntegrityError(f"Connection {row.connection_id.hex()}: its row says otherwise than its record.")
        key_id = self._keyring.key_id(key_row.domain, key_row.key_version)
        info = ConnectionInfo(
            row.connection_id, name, connector, oauth, parameter_set, row.domain, key_id, created_ms, updated_ms,
            key_row.key_version,
        )  # fmt: skip
        return info, values


def domain_of(state: KeyState, oauth: bool) -> int:
    """The domain of a connection that is made now."""
    cover = state.cover
    return state.domain if cover is not None and (oauth or cover.all_connections) else int(Domain.SERVICE)
