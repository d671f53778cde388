"""Asks for an environment's keys from another thread, while the thread that uses them is busy.

It has its own view of the store and its own clients of the customers' key stores, since those belong to one event loop.
It changes nothing of what the vault has in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import EnvironmentLocked, StaleKeys, StorageError
from ..format.purposes import Role
from ..port import KeyProvider, Observer
from .keyring import Keyring, unwrapped

if TYPE_CHECKING:
    from .key_source import KeySource

Post = Callable[[Callable[[], None]], None]


class KeyProbe:
    """The questions of one keyring. Made by `KeySource.aside`; use it from one event loop, then `close` it."""

    def __init__(
        self,
        environment: bytes,
        observer: Observer,
        keyring: Keyring,
        source: KeySource,
        customers: Callable[[str], KeyProvider],
        post: Post,
    ) -> None:
        self._environment = environment
        self._observer = observer
        self._keyring = keyring
        self._source = source
        self._customers = customers
        self._post = post
        self._providers: dict[str, KeyProvider] = {}

    async def look(self) -> None:
        """Raise EnvironmentLocked where somebody has locked the environment since its keys were loaded."""
        _, lock_epoch = await self._observer.key_epochs()
        if lock_epoch != self._keyring.lock_epoch:
            raise EnvironmentLocked("The environment was locked.")

    async def ask(self) -> None:
        """Raise what `KeySource.probe` raises, and StaleKeys for an error that arose with keys which were exchanged
        meanwhile: it says nothing about the key that covers the environment now.
        """
        epoch, lock_epoch = await self._observer.key_epochs()
        if lock_epoch != self._keyring.lock_epoch:
            raise EnvironmentLocked("The environment was locked.")
        try:
            for uri, key in self._source.questions(self._keyring):
                await unwrapped(self._environment, Role.ENVIRONMENT, self._provider(uri), key)
        except StorageError as error:
            if epoch != self._keyring.epoch:
                raise StaleKeys("The environment's keys were changed.") from error
            raise

    async def keep_lease(self) -> None:
        """Renew the lease of the process that executes the environment's runs."""
        await self._observer.keep_lease()

    async def close(self) -> None:
        """Close the connections."""
        providers, self._providers = list(self._providers.values()), {}
        for provider in providers:
            with suppress(StorageError):
                await provider.aclose()
        await self._observer.close()

    def _provider(self, uri: str) -> KeyProvider:
        if uri not in self._providers:
            self._providers[uri] = self._source.calls.watched_aside(self._customers(uri), self._post)
        return self._providers[uri]
