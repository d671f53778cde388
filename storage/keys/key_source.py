"""Where an environment's keys come from: the rows of its store, unwrapped by the service's keystore and, for a domain
that a policy covers, by the customer's key store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import EnvironmentLocked, StaleKeys
from ..format.purposes import Domain, Kind, Role
from ..port import Backend, EnvironmentKeyRow, KeyProvider, KeyRow, KeyStateRow
from .closing import closed_at
from .key_state import Floor, KeyState, open_state
from .keyring import Keyring, unwrapped
from .provider_calls import KeyCalls

if TYPE_CHECKING:
    from .probe import KeyProbe

_LOOKS = 10
"""How often keys may change while they are read."""

Customers = Callable[[str], KeyProvider]
"""From a key's address to its provider. Raises InvalidKeyUri."""


class KeySource:
    """Loads the keys of one environment, and asks whether they are still given. `state` is what was loaded last.

    No state is below `floor`, nor below one that was loaded before. What customers' key stores are asked is noted in
    `calls`.
    """

    def __init__(
        self,
        environment: bytes,
        backend: Backend,
        service: KeyProvider,
        customers: Customers,
        floor: Floor,
        calls: KeyCalls,
    ) -> None:
        self.calls = calls
        self._environment = environment
        self._backend = backend
        self._service = service
        self._customers = customers
        self._floor = floor
        self._providers: dict[str, KeyProvider] = {}
        self.state = KeyState()
        self.state_key: KeyRow | None = None

    @property
    def service(self) -> KeyProvider:
        return self._service

    def customer(self, uri: str) -> KeyProvider:
        """The provider of a customer's key, made once. Raises InvalidKeyUri."""
        if uri not in self._providers:
            self._providers[uri] = self.calls.watched(self._customers(uri))
        return self._providers[uri]

    def provider(self, domain: int) -> KeyProvider:
        """Whoever wraps the environment keys of a domain, as of the state that was loaded last."""
        return self._provider(domain, self.state)

    def _provider(self, domain: int, state: KeyState) -> KeyProvider:
        cover = state.covers.get(domain)
        return self._service if cover is None else self.customer(cover.uri)

    async def load(self, *, locked: bool = False, unlocked: bool = False) -> Keyring:
        """The keys as they are now; of a locked environment (or if `locked` asks for no more) the service's only,
        unless `unlocked` asks for all in any case.

        Raises KeyMissing, WrongKey, KeyDenied, KeyUnavailable, IntegrityError, StoreRolledBack.
        """
        floor = self._floor  # of before the look: others may raise it meanwhile
        row, rows, state_key = await self._rows()
        service = await Keyring.open(self._environment, Role.ENVIRONMENT, {Domain.SERVICE: self._service}, rows)
        state = open_state(service, row, state_key)
        floor.hold(state)
        keyring = service
        customers = {row.domain for row in rows} - {Domain.SERVICE}
        if customers and (unlocked or (state.lock is None and not locked)):
            providers = {domain: self._provider(domain, state) for domain in customers}
            keyring = await Keyring.open(
                self._environment, Role.ENVIRONMENT, {Domain.SERVICE: self._service, **providers}, rows
            )
        keyring.domain = state.domain
        keyring.covered = frozenset(state.covers)
        if keyring.opens(state.domain):
            keyring.closed, _ = await closed_at(self._backend, keyring)
        if not self._floor.bears(state):  # another task has loaded a later one in the meantime
            return await self.load(locked=locked, unlocked=unlocked)
        # An administrator's lock holds where no customer's key is missing, too.
        keyring.locked = keyring.locked or (state.lock is not None and not unlocked)
        keyring.epoch, keyring.lock_epoch = state.epoch, state.lock_epoch
        # Last, and without giving way: who decides a domain by this state finds its keys in the keyring.
        self.state, self.state_key = state, state_key
        self._floor = Floor.of(state)
        return keyring

    async def _rows(self) -> tuple[KeyStateRow | None, list[EnvironmentKeyRow], KeyRow | None]:
        """State and keys as of one moment: each change of keys is one of the state. Raises StaleKeys."""
        for _ in range(_LOOKS):
            row = await self._backend.keys.state()
            rows = await self._backend.keys.environment_keys()
            keys = await self._backend.keys.newest(Kind.KEY_STATE, [self._environment])
            if await self._backend.keys.state() == row:
                return row, rows, keys[0] if keys else None
        raise StaleKeys("The environment's keys keep being changed.")

    async def behind(self, keyring: Keyring) -> bool:
        """Whether the key above has a newer version than the one that wraps an environment key: one question to the key
        store, none without a policy. Raises KeyDenied, KeyUnavailable.
        """
        covered = {key.kek for key in keyring.rows if key.domain in self.state.covers}
        if not covered or self.state.cover is None:
            return False
        return covered != {(await self.provider(self.state.domain).facts()).version}

    async def probe(self, keyring: Keyring) -> None:
        """Asks each customer's key store to unwrap the keys in use, since wrapping may succeed without it.

        Raises KeyDenied, KeyUnavailable, WrongKey, IntegrityError, and EnvironmentLocked where another process has
        locked the environment.
        """
        row = await self._backend.keys.state()
        if row is not None and row.lock_epoch != keyring.lock_epoch:
            raise EnvironmentLocked("The environment was locked.")
        self.calls.probing(True)
        try:
            for uri, key in self.questions(keyring):
                await unwrapped(self._environment, Role.ENVIRONMENT, self.customer(uri), key)
        finally:
            self.calls.probing(False)

    def questions(self, keyring: Keyring) -> list[tuple[str, EnvironmentKeyRow]]:
        """What a probe asks: one environment key for each version of the customer's key that wraps something here,
        with the address of that key.
        """
        covers, rows = self.state.covers, keyring.rows
        newest = {key.domain: key for key in rows}
        asked = {(key.domain, key.kek): key for key in rows if key.domain in covers}
        asked.update({(key.domain, key.kek): key for key in newest.values() if key.domain in covers})
        return [(covers[domain].uri, key) for (domain, _), key in asked.items()]

    def aside(self, keyring: Keyring, post: Callable[[Callable[[], None]], None]) -> KeyProbe:
        """Asks whether the keys of this keyring are still given, from another thread. `post` has something done by the
        thread of this source.
        """
        from .probe import KeyProbe

        return KeyProbe(self._environment, self._backend.observer(), keyring, self, self._customers, post)

    async def aclose(self) -> None:
        """Closes the customers' providers."""
        await self.calls.close()
        providers, self._providers = list(self._providers.values()), {}
        for provider in providers:
            await provider.aclose()
