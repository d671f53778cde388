"""What is sealed by which key: the status of one environment, also of a locked one.

Everything is read from the stored rows, with whatever keys are given: what the customer's key sealed has no name here
while that key is not given. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..administration.audit_events import MOST, recent_acts
from ..administration.retirement import live_keys
from ..errors import EnvironmentLocked, IntegrityError, RecordNotFound, StorageError
from ..format.purposes import Kind
from ..keys.key_source import KeySource
from ..keys.key_state import KeyState
from ..keys.keyring import Keyring
from ..keys.providers.remote import version_text
from ..models import CorruptRecord, EnvironmentInfo
from ..policies.audit import RUNNING, Audit
from ..port import Backend, EnvironmentKeyRow, KeyFacts, KeyRow
from ..stores.connections import Connections
from ..stores.flows import Definitions
from ..stores.listings import split
from ..stores.operations import Operation, Operations

if TYPE_CHECKING:
    from ..vault.home import Store

ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
LOCKED: Final = "locked"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the environment's key cannot be used now: the code and message of the error that said so."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class FlowKey:
    """A flow and the environment key that wraps its key. `name` is None while it cannot be opened."""

    id: bytes
    name: str | None = field(repr=False)
    domain: int
    key_id: str


@dataclass(frozen=True, slots=True)
class ConnectionKey:
    """The same of a connection. `oauth` is its class, None with the name."""

    id: bytes
    name: str | None = field(repr=False)
    oauth: bool | None
    domain: int
    key_id: str


@dataclass(frozen=True, slots=True)
class EnvironmentKeyUse:
    """An environment key. `kek` is the id of the key version that wraps it, `live` says whether it seals what is new
    in its domain, `scopes` counts what it wraps, by kind.
    """

    domain: int
    version: int
    key_id: str
    kek: str
    created_ms: int
    live: bool
    scopes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """Where an environment stands. `condition` is ACTIVE, SUSPENDED or LOCKED; `problem` says why its key is not given.

    `uri` and `version` are of the key above the environment key of new flows; `facts` is what its provider says of it,
    None where that could not be asked. `runs` counts them by domain. `operations` are the work on keys in the
    background, and acts on them: what goes on, and the newest 20 of each; `audit_problem` says why those are not
    there. `damaged` are the rows that were changed from outside and are in none of the lists.
    """

    environment: EnvironmentInfo
    condition: str
    state: KeyState
    uri: str
    version: str
    facts: KeyFacts | None
    problem: Problem | None
    keys: list[EnvironmentKeyUse]
    flows: list[FlowKey]
    connections: list[ConnectionKey]
    runs: Mapping[int, int]
    operations: list[Operation]
    audit_problem: str | None = None
    damaged: list[CorruptRecord] = field(default_factory=list)

    @property
    def policy(self) -> str | None:
        """The name of the policy that covers what is new."""
        return None if self.state.cover is None else self.state.cover.name


async def environment_status(store: Store, name: str) -> EnvironmentStatus:
    """The status of an environment. Raises RecordNotFound, IntegrityError (of the keys themselves), and the errors of
    the service's own keystore and of a failing store; a customer's key that is not given, and what was damaged, is
    part of the answer.
    """
    info = await store.environment(name)
    backend, source = await store.open_backend(info)
    try:
        return await _Reading(info, backend, source, store).status()
    finally:
        await source.aclose()
        await backend.close()


class _Reading:
    """One look at an environment."""

    def __init__(self, info: EnvironmentInfo, backend: Backend, source: KeySource, store: Store) -> None:
        self._info = info
        self._backend = backend
        self._source = source
        self._now_ms = store.now_ms
        self._audit = Audit(store.backend, store.keyring, store.now_ms)
        self._damaged: list[CorruptRecord] = []

    async def status(self) -> EnvironmentStatus:
        keyring, problem = await self._load()
        state = self._source.state
        provider = self._source.provider(state.domain)
        facts = None
        try:
            facts = await provider.facts()
        except StorageError as error:
            problem = problem or Problem(error.code, error.message)
        newest = {row.domain: row for row in keyring.rows}  # rows come in the order of their versions
        live = live_keys(keyring.rows, state)
        operations = split(await Operations(self._backend, keyring, self._now_ms).readable(), self._damaged)
        audit_problem = None
        try:
            acts = await recent_acts(self._audit, self._info, self._now_ms())
        except IntegrityError as error:
            acts, audit_problem = [], error.message
        operations = sorted(  # within a millisecond: an act, then what it has begun
            [*acts, *(each for each in operations if each.status == RUNNING), *_ended(operations)],
            key=lambda each: each.created_ms,
        )
        condition = LOCKED if state.lock is not None else (SUSPENDED if keyring.locked else ACTIVE)
        return EnvironmentStatus(
            self._info, condition, state, provider.uri, version_text(newest[state.domain].kek), facts, problem,
            await self._keys(keyring, live), await self._flows(keyring), await self._connections(keyring),
            dict(await self._backend.runs.counts()), operations, audit_problem, self._damaged,
        )  # fmt: skip

    async def _load(self) -> tuple[Keyring, Problem | None]:
        """All keys that are given, and why the customer's are not; of a locked environment they are not asked for."""
        try:
            return await self._source.load(), None
        except StorageError as error:
            # With the service's own keys only; if it is those that fail, this raises the same again.
            keyring = await self._source.load(locked=True)
            return keyring, Problem(error.code, error.message)

    async def _keys(self, keyring: Keyring, live: Mapping[int, EnvironmentKeyRow]) -> list[EnvironmentKeyUse]:
        uses: dict[tuple[int, int], dict[str, int]] = {}
        for count in await self._backend.keys.counts():
            if count.kind == Kind.CLOSING:  # a row that says something of the other keys, see `closing`
                continue
            kinds = uses.setdefault((count.domain, count.key_version), {})
            kinds[Kind(count.kind).name.lower()] = count.scopes
        return [
            EnvironmentKeyUse(
                row.domain, row.version, row.kid.hex(), version_text(row.kek), row.created_ms,
                live.get(row.domain) is row, uses.get((row.domain, row.version), {}),
            )
            for row in keyring.rows
        ]  # fmt: skip

    async def _flows(self, keyring: Keyring) -> list[FlowKey]:
        definitions = Definitions(self._backend, keyring, self._now_ms, _no_reload)
        scopes = await self._backend.consistency.flow_scopes()  # first: row and key come in one commit
        rows = await self._backend.flows.all()
        flow_ids = list(dict.fromkeys([*(row.flow_id for row in rows), *scopes]))
        keys = await self._key_rows(Kind.FLOW, flow_ids)
        found = []
        for flow_id in flow_ids:
            try:
                key, key_id = self._sealed_by(keyring, "flow", flow_id, keys)
                name: str | None = None
                try:
                    name = (await definitions.one(flow_id)).name
                except EnvironmentLocked:
                    pass
                found.append(FlowKey(flow_id, name, key.domain, key_id))
            except RecordNotFound:  # removed in the meantime
                continue
            except IntegrityError as error:
                self._damaged.append(CorruptRecord("flow", flow_id, error))
        return found

    async def _connections(self, keyring: Keyring) -> list[ConnectionKey]:
        connections = Connections(self._backend, keyring, self._now_ms, lambda: self._source.state, _no_reload)
        rows = await self._backend.connections.all()
        keys = await self._key_rows(Kind.CONNECTION, [row.connection_id for row in rows])
        found = []
        for row in rows:
            try:
                key, key_id = self._sealed_by(keyring, "connection", row.connection_id, keys)
                name, oauth = None, None
                try:
                    info = await connections.opened(row)
                    name, oauth = info.name, info.oauth
                except EnvironmentLocked:
                    pass
                found.append(ConnectionKey(row.connection_id, name, oauth, key.domain, key_id))
            except RecordNotFound:  # removed in the meantime
                continue
            except IntegrityError as error:
                self._damaged.append(CorruptRecord("connection", row.connection_id, error))
        return found

    @staticmethod
    def _sealed_by(keyring: Keyring, what: str, scope: bytes, keys: Mapping[bytes, KeyRow]) -> tuple[KeyRow, str]:
        """The row of a thing's key, and the id of the environment key that wraps it. Raises IntegrityError."""
        key = keys.get(scope)
        if key is None:
            raise IntegrityError(f"The key of {what} {scope.hex()} is missing.")
        if all((row.domain, row.version) != (key.domain, key.key_version) for row in keyring.rows):
            raise IntegrityError(f"The key of {what} {scope.hex()} names an environment key that is not there.")
        return key, keyring.key_id(key.domain, key.key_version)

    async def _key_rows(self, kind: Kind, scopes: list[bytes]) -> dict[bytes, KeyRow]:
        return {row.scope: row for row in await self._backend.keys.newest(kind, scopes)}


def _ended(operations: list[Operation]) -> list[Operation]:
    """The newest of those that have ended."""
    return [each for each in operations if each.status != RUNNING][-MOST:]


async def _no_reload() -> None:
    """Nothing is written here, so nothing can be refused as stale."""
