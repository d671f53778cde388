"""An environment that is reset: everything in it goes, its backups too, and it is the service's again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer, customer
from key_changes import acts, fill, filled
from postgres_server import shared_server
from sealflow.storage import (
    KeyDenied,
    NotPermitted,
    Registry,
    StoreBusy,
    create_backup,
    keys_file,
    reset_environment,
    verify_environment,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.files import os_error
from sealflow.storage.keys.key_state import KeyState
from sealflow.storage.keys.providers.file import disable_key
from sealflow.storage.maintenance.reset import Reset
from sealflow.storage.port import Batch


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    """An environment under the policy `one`, with one of everything, and a run that goes on."""
    made = await copied_customer(tmp_path)
    async with made.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    async with made.vault() as vault:
        await fill(vault, flows=1)
    return made


async def reset(place: Customer) -> Reset:
    async with place.administration() as administration:
        return await reset_environment(administration, ENVIRONMENT)


def tables(place: Customer) -> dict[str, int]:
    """How many rows each table of the environment's store has."""
    with closing(sqlite3.connect(place.database())) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


async def test_a_reset_leaves_nothing_but_the_name(place: Customer) -> None:
    async with place.vault() as vault:
        info, before = vault.environment, vault.keys
    found = await reset(place)
    assert (found.flows, found.runs, found.connections) == (1, 2, 2)
    assert (found.wal_pending, found.backups, found.left) == (False, [], [])
    async with place.vault() as vault:
        assert vault.environment == info
        assert await vault.flows() == []
        assert await vault.runs() == []
        assert await vault.connections() == []
        assert await vault.inbox() == []
        assert await vault.triggers() == []
        assert await vault.operations() == []
        # Of the service, with a key that there never was, in an epoch after the last one.
        assert vault.keys == KeyState(before.epoch + 1, before.lock_epoch + 2, highest=before.highest)
        assert [(row.domain, row.version) for row in vault._keyring.rows] == [(1, 2)]
        await filled(vault)
    rows = tables(place)
    assert (rows["environment_keys"], rows["key_state"]) == (1, 1)
    async with place.administration() as administration:
        assert await administration.policies.assignments() == {}
        assert await administration.reconcile() == []
        assert (await acts(administration))[-3:] == [
            ("environment reset", ENVIRONMENT, "Running"), ("key state", ENVIRONMENT, "Succeeded"),
            ("environment reset", ENVIRONMENT, "Succeeded"),
        ]  # fmt: skip
        assert ("policy apply", ENVIRONMENT, "Succeeded") in await acts(administration)  # the audit is kept
        assert not (await verify_environment(administration.store, ENVIRONMENT)).findings
        # A policy comes again, with a number of its own.
        assert (await administration.apply("two", ENVIRONMENT)).domain == before.domain + 1


async def test_no_byte_of_a_key_is_left_in_the_files(place: Customer) -> None:
    async with place.vault() as vault:
        wrapped = [row.wrapped for row in vault._keyring.rows]
    assert all(any(key in file.read_bytes() for file in place.database().parent.iterdir()) for key in wrapped)
    assert not (await reset(place)).wal_pending
    assert not any(key in file.read_bytes() for file in place.database().parent.iterdir() for key in wrapped)


async def test_a_locked_environment_is_reset_without_its_key(place: Customer) -> None:
    disable_key(place.file, "one")
    async with place.administration() as administration:
        await administration.lock(ENVIRONMENT)
        await reset_environment(administration, ENVIRONMENT)
        with pytest.raises(KeyDenied):
            await administration.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        assert vault.keys.lock is None
        assert await vault.flows() == []


async def test_an_environment_in_use_is_not_reset(place: Customer) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        with pytest.raises(StoreBusy):
            await reset(place)
        assert len(await vault.flows()) == 1
    async with place.administration(Actor("kim", environment_administrator=False)) as administration:
        with pytest.raises(NotPermitted):
            await reset_environment(administration, ENVIRONMENT)


async def test_whoever_has_it_open_notices(place: Customer) -> None:
    async with place.vault() as vault:
        before = await vault.key_epochs()
        await reset(place)
        assert [now > then for now, then in zip(await vault.key_epochs(), before, strict=True)] == [True, True]
        await vault.reload_keys()
        assert await vault.flows() == []
        await vault.put_flow("new", {})


async def test_in_a_database(tmp_path: Path) -> None:
    place = await customer(tmp_path, shared_server().url)
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await fill(vault, flows=1)
        disable_key(place.file, "one")
        await administration.lock(ENVIRONMENT)
        assert (await reset_environment(administration, ENVIRONMENT)).runs == 2
        assert (await administration.apply("two", ENVIRONMENT)).domain == 3
    async with place.vault() as vault:
        assert await vault.flows() == []
        await filled(vault)
    async with place.administration() as administration:
        assert not (await verify_environment(administration.store, ENVIRONMENT)).findings


# --- backups


async def backed_up(place: Customer, name: str) -> Path:
    file = place.folder / name
    async with place.administration() as administration:
        await create_backup(administration, ENVIRONMENT, file, expires_days=None)
    return file


async def on_record(place: Customer) -> list[str]:
    async with place.administration() as administration:
        return [backup.file for backup in await Registry(administration.store).all()]


async def test_backups_are_destroyed_and_those_that_cannot_be_are_told(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroyed, moved, other, stays = [await backed_up(place, name) for name in ("a", "b", "c", "d")]
    for file in (moved, keys_file(moved)):
        file.rename(file.with_name(f"elsewhere {file.name}"))
    other.write_text("something else by now")
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == keys_file(stays):
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        found = await reset(place)
    assert found.backups == [str(destroyed)]
    assert not destroyed.exists()
    assert not keys_file(destroyed).exists()
    assert found.left == [
        (str(moved), "it is not there any more"),
        (str(other), "c is not this backup, or cannot be read"),
        (str(stays), os_error(PermissionError(13, "Permission denied"), stays, "backup").message),
    ]
    assert other.read_text() == "something else by now"
    assert keys_file(other).exists()
    assert await on_record(place) == [str(moved), str(other), str(stays)]
    # Again: what can be destroyed by now is.
    again = await reset(place)
    assert (again.flows, again.backups) == (0, [str(stays)])


# --- killed in between


@pytest.mark.parametrize("at", ["assignment", "backup"])
async def test_what_was_interrupted_is_done_by_the_same_command(
    place: Customer, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await backed_up(place, "a")
    async with place.administration() as administration:
        with monkeypatch.context() as patch:
            dies(administration, at, patch)
            with pytest.raises(Died):
                await reset_environment(administration, ENVIRONMENT)
    async with place.vault() as vault:  # everything went in one commit
        assert await vault.flows() == []
    assert file.exists() == (at == "assignment")
    found = await reset(place)
    assert (found.flows, found.left) == (0, [] if at == "assignment" else [(str(file), "it is not there any more")])
    assert not file.exists()
    async with place.administration() as administration:
        assert await administration.policies.assignments() == {}
        assert await administration.reconcile() == []


class Died(BaseException):
    """What a process does that is killed, as far as the store sees it."""


def dies(administration: Administration, at: str, patch: pytest.MonkeyPatch) -> None:
    backend = administration.store.backend
    real = backend.commit

    async def commit(batch: Batch) -> list[int]:
        if batch.control.assignments if at == "assignment" else batch.backups.removed:
            raise Died
        return await real(batch)

    patch.setattr(backend, "commit", commit)
