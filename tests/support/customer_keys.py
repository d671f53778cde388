"""A store with a customer's keys beside it, and somebody who may do everything to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from copied_places import copied
from sealflow.storage import Keystore, Store, Vault
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.keys.providers import provider_for
from sealflow.storage.keys.providers.file import FileKeys, create_key, uri_of
from sealflow.storage.port import KeyFacts, KeyProvider, Wrapped

ENVIRONMENT = "contoso"


class CountedKeys:
    """A customer's keys in a file, where each call of the key store is counted."""

    name = "file"

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider
        self.uri = provider.uri
        self.calls: list[str] = []

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        self.calls.append("wrap")
        return await self._provider.wrap(payload, context)

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        self.calls.append("unwrap")
        return await self._provider.unwrap(wrapped, context)

    async def facts(self) -> KeyFacts:
        self.calls.append("facts")
        return await self._provider.facts()

    async def aclose(self) -> None:
        await self._provider.aclose()


class Customer:
    """A folder with a store in `home`, the service's keystore, and the file of the customer's keys `one` and `two`, on
    which the policies of these names are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.keystore = folder / "home", folder / "service" / "keystore.json"
        self.file = folder / "customer" / "keys.json"

    def uri(self, key: str) -> str:
        return uri_of(self.file, key)

    def provider(self, key: str = "one") -> FileKeys:
        return FileKeys(self.file, key)

    async def store(self) -> Store:
        """The store, opened as by another process; the caller closes it."""
        return await Store.open(self.home, Keystore(self.keystore))

    @asynccontextmanager
    async def administration(self, actor: Actor | None = None, *, limit: int = 25) -> AsyncIterator[Administration]:
        """What an administrator works with, in a process of his own."""
        store = await self.store()
        try:
            yield Administration(store, actor or Actor("ada"), limit=limit)
        finally:
            await store.close()

    @asynccontextmanager
    async def vault(self, environment: str = ENVIRONMENT) -> AsyncIterator[Vault]:
        """An environment's vault, in a process of its own."""
        store = await self.store()
        try:
            vault = await store.open_vault(environment)
            try:
                yield vault
            finally:
                await vault.close()
        finally:
            await store.close()

    def database(self) -> Path:
        """The file of the only environment."""
        (path,) = (self.home / "environments").glob("*/store.db")
        return path


async def customer(folder: Path, database: str | None = None) -> Customer:
    """One with an environment, in a file or in this database, and two policies, none of them applied."""
    made = Customer(folder)
    made.file.parent.mkdir(parents=True)
    for key in ("one", "two"):
        create_key(made.file, key)
    async with made.administration() as administration:
        await administration._store.create_environment(ENVIRONMENT, database=database)
        for key in ("one", "two"):
            await administration.create_policy(key, made.uri(key))
    return made


async def copied_customer(folder: Path) -> Customer:
    """The same in this folder of a test, which has no other one: made once, and copied."""
    link, _ = await copied(folder, "customer", customer)
    return Customer(link)


def counted(store: Store) -> list[CountedKeys]:
    """Lets a store count what it asks of customers' key stores: one for each provider that it makes from now on."""
    made: list[CountedKeys] = []

    def provider(uri: str) -> KeyProvider:
        made.append(CountedKeys(provider_for(uri)))
        return made[-1]

    store.customers = provider
    return made
