"""The keys of one environment in memory: environment keys by domain and version, and what they open.

    KEK (provider) -> EK (domain, version) -> SK (kind, scope)

Nothing here touches a store: rows come in and go out. Today there is one domain, the service's, with one live version.
"""

from __future__ import annotations

from collections.abc import Iterable

from .envelope import (
    EnvironmentKey,
    ScopeKey,
    environment_key_of,
    environment_key_payload,
    lp,
    number,
    random_key,
    same,
    same_or_neither,
)
from .errors import IntegrityError
from .port import EnvironmentKeyRow, KeyProvider, KeyRow, Wrapped
from .purposes import Domain, Index, Kind, Role


class Keyring:
    """Opens and makes scope keys, and finds sealed names by blind index."""

    __slots__ = ("_keys", "_live", "environment")

    def __init__(self, environment: bytes, keys: Iterable[EnvironmentKey]) -> None:
        self.environment = environment
        self._keys = {(key.domain, key.version): key for key in keys}
        self._live = max(
            (key for key in self._keys.values() if key.domain == Domain.SERVICE), key=lambda key: key.version
        )

    def __repr__(self) -> str:
        return f"<Keyring of {self.environment.hex()}>"

    @property
    def domain(self) -> int:
        """The domain that new scopes belong to."""
        return self._live.domain

    @staticmethod
    async def create(
        environment: bytes, role: Role, provider: KeyProvider, created_ms: int
    ) -> tuple[Keyring, list[EnvironmentKeyRow]]:
        """A keyring with a fresh environment key, and its rows to store."""
        domain, version, policy_epoch = Domain.SERVICE, 1, 0
        payload = environment_key_payload(random_key(), environment, role, domain, version)
        wrapped = await provider.wrap(payload, _context(environment, role, domain, version))
        key = environment_key_of(payload, environment, role, domain, version)
        row = EnvironmentKeyRow(
            domain, version, wrapped.kek, key.kid, wrapped.data, policy_epoch, b"", None, created_ms
        )
        return Keyring(environment, [key]), [row._replace(mac=_row_mac(key, key, row))]

    @staticmethod
    async def open(environment: bytes, role: Role, provider: KeyProvider, rows: Iterable[EnvironmentKeyRow]) -> Keyring:
        """The keyring of stored rows, each unwrapped and its MACs checked.

        Raises KeyMissing, WrongKey, or IntegrityError for rows that were altered, exchanged or planted, and for a store
        of another role.
        """
        keys: dict[tuple[int, int], EnvironmentKey] = {}
        stored = sorted(rows, key=lambda row: (row.domain, row.version))
        for row in stored:
            context = _context(environment, role, row.domain, row.version)
            payload = await provider.unwrap(Wrapped(row.kek, row.wrapped), context)
            key = environment_key_of(payload, environment, role, row.domain, row.version)
            if not same(key.kid, row.kid):
                raise IntegrityError("An environment key's row carries another key's id.")
            keys[row.domain, row.version] = key
        if not any(domain == Domain.SERVICE for domain, _ in keys):
            raise IntegrityError("The store has no environment key of the service.")
        keyring = Keyring(environment, keys.values())
        for row in stored:
            key = keys[row.domain, row.version]
            if not same(row.mac, _row_mac(keyring._live, key, row)):
                raise IntegrityError("An environment key's row was altered or planted.")
            before = keys.get((row.domain, row.version - 1))
            if row.version > 1 and before is None:
                raise IntegrityError("An environment key's predecessor is missing.")
            expected = None if before is None else _row_mac(before, key, row)
            if not same_or_neither(expected, row.predecessor_mac):
                raise IntegrityError("An environment key was not made by its predecessor's holder.")
        return keyring

    def new_scope(self, kind: Kind, scope: bytes) -> tuple[ScopeKey, KeyRow]:
        """A fresh key for a thing that can be shredded, and its row to store with the first record."""
        live = self._live
        key, wrapped = live.new_scope(kind, scope)
        return key, KeyRow(int(kind), scope, 1, live.domain, live.version, key.kid, wrapped)

    def open_scope(self, row: KeyRow) -> ScopeKey:
        """The key of a stored row. Raises IntegrityError for an altered one, and when its environment key is gone."""
        key = self._keys.get((row.domain, row.key_version))
        if key is None:
            raise IntegrityError("A key row names an environment key that the store does not have.")
        return key.open_scope(row.kind, row.scope, row.generation, row.kid, row.wrapped)

    def name_index(self, column: Index, name: str) -> bytes:
        """The blind index of a name. Names differ by more than case."""
        return self._live.index(column, name.casefold().encode("utf-8", "surrogatepass"))

    def value_index(self, column: Index, value: bytes) -> bytes:
        """The blind index of bytes."""
        return self._live.index(column, value)


def _context(environment: bytes, role: int, domain: int, version: int) -> bytes:
    return lp(b"environment key", environment, number(role), number(domain), number(version))


def _row_mac(by: EnvironmentKey, key: EnvironmentKey, row: EnvironmentKeyRow) -> bytes:
    # The wrapped bytes stay out: re-wrapping under a new KEK version costs no new certificate, the key itself is bound
    # by its kid.
    numbers = (number(key.role), number(key.domain), number(key.version))
    tail = (number(row.policy_epoch), number(row.created_ms))
    return by.certify(b"environment key row", *numbers, key.kid, row.kek, *tail)
