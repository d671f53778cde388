"""The keys of one environment in memory: environment keys by domain and version, and what they open.

    KEK (provider) -> EK (domain, version) -> SK (kind, scope)

A *domain* says whose key seals: the service's, or that of a customer's policy. Nothing here touches a store: rows come
in and go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..errors import EnvironmentLocked, IntegrityError, StaleKeys
from ..format.envelope import (
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
from ..format.purposes import Domain, Index, Kind, Role
from ..port import EnvironmentKeyRow, Guard, KeyProvider, KeyRow, Wrapped

STEERING: Final = frozenset({Kind.RUN, Kind.FLOW, Kind.TRIGGER, Kind.MESSAGE, Kind.INBOX})
"""What is refused under earlier keys once these are closed, see `closing`."""


class Keyring:
    """Opens and makes scope keys, and finds sealed names by blind index.

    `domain` is the one that new flows belong to. A keyring may lack the keys of customers' domains (`locked`): what
    they sealed raises EnvironmentLocked then.
    """

    __slots__ = (
        "_forgotten", "_keys", "_live", "_rows", "closed", "covered", "domain", "environment", "epoch", "lock_epoch",
        "locked", "role",
    )  # fmt: skip

    def __init__(
        self,
        environment: bytes,
        role: Role,
        keys: Iterable[EnvironmentKey],
        rows: Iterable[EnvironmentKeyRow],
        *,
        domain: int = Domain.SERVICE,
    ) -> None:
        self.environment = environment
        self.role = role
        self.domain = domain
        # Of the state that goes with these keys; see keystate.
        self.epoch = self.lock_epoch = 0
        self.covered: frozenset[int] = frozenset()
        self.closed = 0
        self._forgotten = False
        self._keys = {(key.domain, key.version): key for key in keys}
        self._rows = {(row.domain, row.version): row for row in rows}
        self.locked = any(place not in self._keys for place in self._rows)
        self._live: dict[int, EnvironmentKey] = {}
        for key in sorted(self._keys.values(), key=lambda key: key.version):
            self._live[key.domain] = key

    def __repr__(self) -> str:
        return f"<Keyring of {self.environment.hex()}>"

    def adopt(self, other: Keyring) -> None:
        """Become the other one, in place: whoever holds this keyring sees the keys as they are now. Scope keys that
        were given out stay as they are, and `forget` still drops them. Raises EnvironmentLocked after `forget`.
        """
        if self._forgotten:  # while the other's keys were on their way
            other.forget()
            raise _locked()
        for place, key in self._keys.items():
            other._keys.get(place, other._live_key(Domain.SERVICE)).take_over(key)
        for name in self.__slots__:
            if name != "_forgotten":
                setattr(self, name, getattr(other, name))
        if self._forgotten:  # by another thread, in between
            self.forget()
            raise _locked()

    def domain_of_child(self, own: int, parent: int | None) -> int:
        """The domain of a run that another one starts: its flow's, but never less than its parent's."""
        return parent if parent is not None and parent in self.covered and own not in self.covered else own

    @property
    def forgotten(self) -> bool:
        """Whether `forget` was called."""
        return self._forgotten

    @property
    def guard(self) -> Guard:
        """What every commit takes for granted: nobody has locked the environment. Raises EnvironmentLocked after
        `forget`, so what was sealed before it and not written yet is never written.
        """
        if self._forgotten:
            raise _locked()
        return Guard(self.lock_epoch)

    @property
    def deciding(self) -> Guard:
        """The same for a commit that decides a domain: nobody has changed policy or keys either."""
        if self._forgotten:
            raise _locked()
        return Guard(self.lock_epoch, self.epoch)

    @property
    def rows(self) -> list[EnvironmentKeyRow]:
        """The rows it was made of, by domain and version."""
        return [self._rows[place] for place in sorted(self._rows)]

    def key_id(self, domain: int, version: int) -> str:
        """The id of an environment key, in hex."""
        return self._rows[domain, version].kid.hex()

    def opens(self, domain: int) -> bool:
        """Whether it has the live key of a domain."""
        return domain in self._live

    def live_version(self, domain: int) -> int:
        """The number of the environment key that seals what is new in a domain. Raises EnvironmentLocked."""
        return self._live_key(domain).version

    @staticmethod
    async def create(
        environment: bytes, role: Role, provider: KeyProvider, created_ms: int
    ) -> tuple[Keyring, list[EnvironmentKeyRow]]:
        """A keyring with a fresh environment key of the service, and its rows to store."""
        empty = Keyring(environment, role, (), ())
        keyring, row = await empty.with_new_key(Domain.SERVICE, provider, created_ms, policy_epoch=0)
        return keyring, [row]

    @staticmethod
    async def open(
        environment: bytes,
        role: Role,
        providers: Mapping[int, KeyProvider],
        rows: Iterable[EnvironmentKeyRow],
        *,
        domain: int = Domain.SERVICE,
    ) -> Keyring:
        """The keyring of stored rows, each unwrapped by its domain's provider and its MACs checked.

        Without a provider for a customer's domain, the keyring is a locked one: that domain's rows are checked by their
        MACs only. Raises KeyMissing, WrongKey, KeyDenied, KeyUnavailable, or IntegrityError for rows that were altered,
        exchanged or planted, and for a store of another role.
        """
        stored = sorted(rows, key=lambda row: (row.domain, row.version))
        keys: dict[tuple[int, int], EnvironmentKey] = {}
        for row in stored:
            provider = providers.get(row.domain)
            if provider is None and row.domain != Domain.SERVICE:
                continue
            if provider is None:
                raise IntegrityError("The service has no key for this store.")
            keys[row.domain, row.version] = await unwrapped(environment, role, provider, row)
        if not any(place[0] == Domain.SERVICE for place in keys):
            raise IntegrityError("The store has no environment key of the service.")
        keyring = Keyring(environment, role, keys.values(), stored, domain=domain)
        keyring._check(stored)
        return keyring

    def _check(self, stored: list[EnvironmentKeyRow]) -> None:
        """Every row is certified by the service's live key, and by the key before it in its domain."""
        service = self._live_key(Domain.SERVICE)
        versions = {(row.domain, row.version) for row in stored}
        for row in stored:
            if not same(row.mac, _row_mac(service, self.role, row)):
                raise IntegrityError("An environment key's row was altered or planted.")
            before = (row.domain, row.version - 1)
            if before not in versions:
                if row.predecessor_mac is not None:  # it has none when it is the first, or when that was retired
                    raise IntegrityError("An environment key's predecessor is missing.")
                continue
            key = self._keys.get(before)
            if row.predecessor_mac is None or (
                key is not None and not same_or_neither(_row_mac(key, self.role, row), row.predecessor_mac)
            ):
                raise IntegrityError("An environment key was not made by its predecessor's holder.")

    # --- changes: each gives a new keyring, and the rows to store

    async def with_new_key(
        self, domain: int, provider: KeyProvider, created_ms: int, *, policy_epoch: int
    ) -> tuple[Keyring, EnvironmentKeyRow]:
        """With a fresh environment key, the next version of its domain. A new key of the service certifies all rows
        anew: store `rows` then.
        """
        version = max((number for at, number in self._rows if at == domain), default=0) + 1
        payload = environment_key_payload(random_key(), self.environment, self.role, domain, version)
        context = _context(self.environment, self.role, domain, version)
        wrapped = await provider.wrap(payload, context)
        key = environment_key_of(payload, self.environment, self.role, domain, version)
        row = EnvironmentKeyRow(
            domain, version, wrapped.kek, key.kid, wrapped.data, policy_epoch, b"", None, created_ms
        )
        keyring = Keyring(
            self.environment, self.role, [*self._keys.values(), key], [*self._rows.values(), row], domain=self.domain
        )
        keyring._certify(keyring._rows if domain == Domain.SERVICE else [(domain, version)])
        return keyring, keyring._rows[domain, version]

    async def rewrapped(self, domain: int, provider: KeyProvider, *, policy_epoch: int) -> Keyring:
        """With all environment keys of a domain wrapped anew by this provider, i.e. by its current key version.

        The keys stay the same: what they sealed is not touched. Raises EnvironmentLocked without them.
        """
        rows = dict(self._rows)
        places = [place for place in rows if place[0] == domain]
        for place in places:
            key = self._keys.get(place)
            if key is None:
                raise _locked()
            wrapped = await provider.wrap(key.payload(), _context(self.environment, self.role, place[0], place[1]))
            rows[place] = rows[place]._replace(kek=wrapped.kek, wrapped=wrapped.data, policy_epoch=policy_epoch)
        keyring = Keyring(self.environment, self.role, self._keys.values(), rows.values(), domain=self.domain)
        keyring._certify(places)
        return keyring

    async def copy_of(self, domain: int, version: int, provider: KeyProvider) -> Wrapped:
        """An environment key wrapped by another provider as well. Raises EnvironmentLocked without it."""
        key = self._keys.get((domain, version))
        if key is None:
            raise _locked()
        return await provider.wrap(key.payload(), _context(self.environment, self.role, domain, version))

    def opened_by(self, keys: Iterable[EnvironmentKey]) -> Keyring:
        """With environment keys that it lacked, checked as in `open`. Raises IntegrityError."""
        rows = self.rows
        keyring = Keyring(self.environment, self.role, [*self._keys.values(), *keys], rows, domain=self.domain)
        keyring._check(rows)
        return keyring

    def without(self, domain: int, version: int) -> Keyring:
        """Without an environment key that is retired: nothing may need it any more."""
        place = (domain, version)
        keys = [key for key in self._keys.values() if (key.domain, key.version) != place]
        rows = [row for at, row in self._rows.items() if at != place]
        keyring = Keyring(self.environment, self.role, keys, rows, domain=self.domain)
        keyring._certify([at for at in keyring._rows if at == (domain, version + 1)])
        return keyring

    def _certify(self, places: Iterable[tuple[int, int]]) -> None:
        service = self._live_key(Domain.SERVICE)
        for place in places:
            row = self._rows[place]
            before = self._keys.get((row.domain, row.version - 1))
            if before is None and (row.domain, row.version - 1) in self._rows:
                raise _locked()
            self._rows[place] = row._replace(
                mac=_row_mac(service, self.role, row),
                predecessor_mac=None if before is None else _row_mac(before, self.role, row),
            )

    def forget(self) -> None:
        """Drop every key, and the scope keys that it gave out: they open and seal nothing any more.

        Safe to call from another thread, whatever the thread that uses the keys is doing.
        """
        self.locked = self._forgotten = True
        for key in list(self._keys.values()):
            key.forget()
        self._keys.clear()
        self._live.clear()

    # --- scopes

    def new_scope(
        self, kind: Kind, scope: bytes, domain: int = Domain.SERVICE, *, generation: int = 1
    ) -> tuple[ScopeKey, KeyRow]:
        """A fresh key for a thing that can be shredded, and its row to store with the first record."""
        live = self._live_key(domain)
        key, wrapped = live.new_scope(kind, scope, generation)
        return key, KeyRow(int(kind), scope, generation, live.domain, live.version, key.kid, wrapped)

    def open_scope(self, row: KeyRow) -> ScopeKey:
        """The key of a stored row.

        Raises IntegrityError for an altered one, StaleKeys for one under an environment key that this keyring never
        had, EnvironmentLocked where the domain is locked.
        """
        key = self._keys.get((row.domain, row.key_version))
        if key is None:
            if not self._keys or (self.locked and (row.domain, row.key_version) in self._rows):
                raise _locked()
            raise StaleKeys("A key row names an environment key that this process has not seen.")
        self._need_open(row)
        return key.open_scope(row.kind, row.scope, row.generation, row.kid, row.wrapped)

    def rewrap_scope(self, row: KeyRow, domain: int) -> KeyRow:
        """The same scope key, wrapped by the live key of a domain. Raises as `open_scope`."""
        self._need_open(row)
        key = self._keys.get((row.domain, row.key_version))
        if key is None:
            self.open_scope(row)
        assert key is not None  # noqa: S101 (open_scope has raised)
        live = self._live_key(domain)
        wrapped = key.rewrap_scope(row.kind, row.scope, row.generation, row.kid, row.wrapped, live)
        return row._replace(domain=live.domain, key_version=live.version, wrapped=wrapped)

    def _need_open(self, row: KeyRow) -> None:
        accepted = row.domain == self.domain and row.key_version >= self.closed
        if self.closed and not accepted and row.kind in STEERING:
            raise IntegrityError("It is under an earlier environment key, although everything went over to a later.")

    # --- names

    def name_index(self, column: Index, name: str, domain: int = Domain.SERVICE) -> bytes:
        """The blind index of a name under a domain's live key. Names differ by more than case."""
        return self._live_key(domain).index(column, _folded(name))

    def name_indexes(self, column: Index, name: str) -> list[bytes]:
        """The name's blind index under every key there is: by any of them a row may have been written."""
        return [key.index(column, _folded(name)) for key in self._keys.values()]

    def value_index(self, column: Index, value: bytes, domain: int = Domain.SERVICE) -> bytes:
        """The blind index of bytes."""
        return self._live_key(domain).index(column, value)

    def value_indexes(self, column: Index, value: bytes) -> list[bytes]:
        """The same under every key there is."""
        return [key.index(column, value) for key in self._keys.values()]

    def certify(self, label: bytes, *fields: bytes) -> bytes:
        """A MAC by the service's live key over a row that is not sealed."""
        return self._live_key(Domain.SERVICE).certify(label, *fields)

    def certified(self, mac: bytes, label: bytes, *fields: bytes) -> bool:
        """Whether a key of the service certified such a row."""
        service = [key for (domain, _), key in self._keys.items() if domain == Domain.SERVICE]
        return any(same(mac, key.certify(label, *fields)) for key in service)

    def _live_key(self, domain: int) -> EnvironmentKey:
        key = self._live.get(domain)
        if key is None:
            raise _locked()
        return key


async def unwrapped(environment: bytes, role: Role, provider: KeyProvider, row: EnvironmentKeyRow) -> EnvironmentKey:
    """The environment key of a row, by its provider: this is also what a probe of the key does.

    Raises KeyMissing, KeyDenied, KeyUnavailable, WrongKey, IntegrityError.
    """
    context = _context(environment, role, row.domain, row.version)
    payload = await provider.unwrap(Wrapped(row.kek, row.wrapped), context)
    key = environment_key_of(payload, environment, role, row.domain, row.version)
    if not same(key.kid, row.kid):
        raise IntegrityError("An environment key's row carries another key's id.")
    return key


def _folded(name: str) -> bytes:
    return name.casefold().encode("utf-8", "surrogatepass")


def _locked() -> EnvironmentLocked:
    return EnvironmentLocked("The environment is locked: its key is not there.")


def _context(environment: bytes, role: int, domain: int, version: int) -> bytes:
    return lp(b"environment key", environment, number(role), number(domain), number(version))


def _row_mac(by: EnvironmentKey, role: Role, row: EnvironmentKeyRow) -> bytes:
    # The wrapped bytes stay out: the key itself is bound by its kid, which an unwrapped key is compared with.
    numbers = (number(role), number(row.domain), number(row.version))
    tail = (number(row.policy_epoch), number(row.created_ms))
    return by.certify(b"environment key row", *numbers, row.kid, row.kek, *tail)
