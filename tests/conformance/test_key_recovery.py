"""A key that was deleted in its key store and recovered there opens everything again, whichever key store that is: the
environment is locked in between, and nothing but the recovered key unlocks it. And what a new version of a key is for:
the earlier one may be switched off once the environment's keys went over.

Whoever destroys a key for good, as PKCS#11 does, destroys what it sealed: that is shown as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from customer_keys import ENVIRONMENT
from key_changes import filled
from key_servers import BaoProcess, BaoServer, FileServer
from sealflow.storage import (
    Actor,
    Administration,
    EnvironmentLocked,
    IntegrityError,
    KeyDenied,
    Keystore,
    StorageError,
    Store,
    WrongKey,
    create_backup,
    restore_backup,
)
from sealflow.storage.testing.providers import Change

if TYPE_CHECKING:
    from key_server_aws import AWSServer
    from key_server_azure import AzureServer


class Covered:
    """A store whose environment is under a policy on the key `main` of this key store; opened anew for each use."""

    def __init__(self, folder: Path, server: Any) -> None:
        self._folder = folder
        self._server = server

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        keystore = Keystore(self._folder / "service" / "keystore.json")
        store = await Store.open(self._folder / "home", keystore)
        store.customers = lambda uri: self._server.provider("main")
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def acts(self) -> AsyncIterator[Administration]:
        async with self.store() as store:
            yield Administration(store, Actor("ada"))

    async def make(self) -> None:
        await self._server.make_key("main")
        async with self.acts() as acts:
            provider = self._server.provider("main")
            await acts.store.create_environment(ENVIRONMENT)
            await acts.create_policy("main", provider.uri)
            await provider.aclose()
            await acts.apply("main", ENVIRONMENT)
            vault = await acts.store.open_vault(ENVIRONMENT)
            await filled(vault)
            await vault.close()

    async def refused(self) -> None:
        """No process opens it, and no administrator unlocks it."""
        async with self.acts() as acts:
            with pytest.raises((KeyDenied, EnvironmentLocked)):
                await acts.store.open_vault(ENVIRONMENT)
            await acts.lock(ENVIRONMENT, "denied")  # as every process does that was refused twice
            with pytest.raises(KeyDenied):
                await acts.unlock(ENVIRONMENT)

    async def reads(self) -> None:
        """All of it is there."""
        async with self.store() as store:
            vault = await store.open_vault(ENVIRONMENT)
            (flow,) = await vault.flows()
            assert (await vault.version(flow.flow_id, 1)).document == {"v": 1}
            assert [page.records async for page in vault.read_run(b"r" * 16)] == [[[1, "x"]]]
            assert await vault.connection_values("office") == {"v": 1}
            await vault.close()

    async def recovered(self, deleting: Change) -> None:
        await self.make()
        await deleting.make("main")
        await self.refused()
        assert deleting.undo is not None
        await deleting.undo("main")
        async with self.acts() as acts:
            with pytest.raises(EnvironmentLocked):
                await acts.store.open_vault(ENVIRONMENT)  # an administrator unlocks it, nobody else
            await acts.unlock(ENVIRONMENT)
        await self.reads()


async def test_azure_a_soft_deleted_key(azure: AzureServer, tmp_path: Path) -> None:
    await Covered(tmp_path, azure).recovered(azure.deleting)


async def test_aws_a_deletion_that_was_cancelled(aws: AWSServer, tmp_path: Path) -> None:
    await Covered(tmp_path, aws).recovered(aws.deleting)


async def test_transit_a_soft_deleted_key(bao: BaoProcess, tmp_path: Path) -> None:
    server = BaoServer(bao)
    await Covered(tmp_path, server).recovered(server.disabling)  # its soft deletion


async def test_a_file_that_was_put_back(tmp_path: Path) -> None:
    server = FileServer(tmp_path)
    await Covered(tmp_path, server).recovered(server.deleting)


@pytest.mark.parametrize("kind", ["transit", "softhsm"])
async def test_a_key_that_is_gone_for_good(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Another key under its name unlocks nothing."""
    server: Any
    if kind == "transit":
        server = BaoServer(request.getfixturevalue("bao"))
    else:
        server = request.getfixturevalue("softhsm")
    covered = Covered(tmp_path, server)
    await covered.make()
    await server.deleting.make("main")
    await covered.refused()
    await server.make_key("main")
    async with covered.acts() as acts:
        with pytest.raises(StorageError) as caught:
            await acts.unlock(ENVIRONMENT)
        assert isinstance(caught.value, WrongKey | KeyDenied | IntegrityError)


async def test_azure_an_earlier_version_may_be_switched_off_after_the_rotation(
    azure: AzureServer, tmp_path: Path
) -> None:
    covered = Covered(tmp_path, azure)
    await covered.make()
    await azure.new_version("main")
    async with covered.acts() as acts:
        await acts.rotate(ENVIRONMENT)
    azure.keys["main"][next(iter(azure.keys["main"]))].attributes["enabled"] = False
    await covered.reads()


async def test_azure_an_earlier_backup_needs_the_version_of_its_time(azure: AzureServer, tmp_path: Path) -> None:
    covered = Covered(tmp_path, azure)
    await covered.make()
    file = tmp_path / "backup"
    async with covered.acts() as acts:
        await create_backup(acts, ENVIRONMENT, file, expires_days=None)
        await azure.new_version("main")
        await acts.rotate(ENVIRONMENT)
        first = azure.keys["main"][next(iter(azure.keys["main"]))]
        first.attributes["enabled"] = False
        with pytest.raises(KeyDenied):
            await restore_backup(acts, file)
        await covered.reads()  # the environment itself goes on without it
        first.attributes["enabled"] = True
        await restore_backup(acts, file)
    await covered.reads()
