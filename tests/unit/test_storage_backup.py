"""Backups: a copy without keys, the keys apart, on record until they expire; back into their own environment only."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT
from kept_store import KeptStore, kept_store
from sealflow.storage import (
    AlreadyThere,
    Backup,
    Conflict,
    EnvironmentLocked,
    InvalidBackup,
    KeyDenied,
    RecordNotFound,
    Registry,
    Store,
    StoreBusy,
    Vault,
    create_backup,
    expire_backup,
    keys_file,
    restore_backup,
)
from sealflow.storage.format.purposes import Kind
from sealflow.storage.keys.providers.file import disable_key
from sealflow.storage.stores.retention import DAY_MS


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    return await kept_store(tmp_path)


async def backed_up(kept: KeptStore, days: int | None = 30) -> Path:
    file = kept.keys.folder / "backup"
    await kept.administer(lambda acts: create_backup(acts, ENVIRONMENT, file, expires_days=days))
    return file


def restored(kept: KeptStore, file: Path, name: str | None = None) -> Awaitable[None]:
    return kept.administer(lambda acts: restore_backup(acts, file, name))


async def registered(kept: KeptStore) -> list[Backup]:
    found: list[Backup] = []

    async def look(store: Store) -> None:
        found.extend(await Registry(store).all())

    await kept.with_store(look)
    return found


async def test_the_copy_has_no_key_and_the_other_part_has_nothing_else(kept: KeptStore) -> None:
    with closing(sqlite3.connect(kept.keys.database())) as connection:
        wrapped = [row[0] for row in connection.execute("SELECT wrapped FROM keys")]
        wrapped += [row[0] for row in connection.execute("SELECT wrapped FROM environment_keys")]
        (page,) = connection.execute("SELECT record FROM pages WHERE run = 1 AND seq = 3").fetchone()
    file = await backed_up(kept)
    assert file.stat().st_mode & 0o777 == keys_file(file).stat().st_mode & 0o777 == 0o600
    data, keys = file.read_bytes(), keys_file(file).read_bytes()
    assert not any(each in data for each in wrapped)
    assert all(each in keys for each in wrapped)
    assert page in data
    assert page not in keys
    manifest = json.loads(zipfile.ZipFile(keys_file(file)).read("manifest.json"))
    assert (manifest["format"], manifest["version"]) == ("sealflow backup keys", 1)
    names = sorted(path.name for path in kept.keys.folder.iterdir() if "backup" in path.name)
    assert names == ["backup", "backup.keys"]
    with pytest.raises(AlreadyThere):
        await backed_up(kept)


async def test_a_backup_is_on_record_with_the_keys_it_needs(kept: KeptStore) -> None:
    file = await backed_up(kept)
    (backup,) = await registered(kept)
    assert backup.file == str(file)
    assert {domain for domain, _, _ in backup.keys} == {1, 2}
    assert backup.expires_ms == backup.created_ms + 30 * DAY_MS

    async def shred(vault: Vault) -> None:
        assert (await vault.shred_runs([kept.ids[0]])).backups_until_ms == backup.expires_ms

    await kept.use(shred)


async def test_an_earlier_key_is_not_retired_while_a_backup_needs_it(kept: KeptStore) -> None:
    await backed_up(kept)
    await kept.administer(lambda acts: acts.rotate(ENVIRONMENT, data_keys=True))

    async def migrate(vault: Vault) -> None:
        await vault.begin_migration()
        await vault.migrate()

    await kept.use(migrate)
    with pytest.raises(Conflict) as caught:
        await kept.administer(lambda acts: acts.retire(ENVIRONMENT))
    assert "backup" in caught.value.message
    (backup,) = await registered(kept)
    await kept.administer(lambda acts: expire_backup(acts, backup))
    assert await registered(kept) == []
    await kept.administer(lambda acts: acts.retire(ENVIRONMENT))


async def test_restored_into_its_own_environment(kept: KeptStore) -> None:
    file = await backed_up(kept)

    async def go_on(vault: Vault) -> None:
        await vault.put_flow("flow", {"v": 3})
        await vault.put_flow("later", {"v": 1})
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)
        await vault.flush()
        await vault.shred_runs([kept.ids[0], kept.ids[2]])

    await kept.use(go_on)
    await restored(kept, file)

    async def look(vault: Vault) -> None:
        assert [(flow.name, flow.version) for flow in await vault.flows()] == [("flow", 2)]
        # What was shredded since was shredded again, in flight at that time or not.
        assert [run.run_id for run in await vault.runs()] == [kept.ids[1]]
        assert len(await vault.messages(kept.flow)) == 3
        assert (await vault.put_flow("flow", {"v": 4})).version == 3

    await kept.use(look)
    found = await kept.verify()
    assert found.ok, found.findings


async def test_a_flow_that_was_shredded_since_does_not_come_back(kept: KeptStore) -> None:
    file = await backed_up(kept)

    async def shred(vault: Vault) -> None:
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)
        await vault.flush()
        await vault.shred_flow(kept.flow)
        await vault.put_flow("other", {"v": 1})

    await kept.use(shred)
    await restored(kept, file)

    async def look(vault: Vault) -> None:
        assert await vault.flows() == []
        assert await vault.runs() == []
        assert await vault.triggers() == []

    await kept.use(look)
    found = await kept.verify()
    assert found.ok, found.findings


async def test_what_was_shredded_by_mistake_comes_back_when_asked_for(kept: KeptStore) -> None:
    file = await backed_up(kept)
    await kept.use(lambda vault: vault.shred_runs([kept.ids[0]]))
    await kept.administer(lambda acts: restore_backup(acts, file, revive=True))
    async with kept.keys.vault() as vault:
        assert len(await vault.runs()) == 3
    assert (await kept.verify()).ok


async def test_what_is_written_after_a_restore_is_sealed_by_fresh_keys(kept: KeptStore) -> None:
    def generations() -> dict[bytes, list[int]]:
        with closing(sqlite3.connect(kept.keys.database())) as connection:
            rows = connection.execute(
                "SELECT scope, max(generation) FROM keys WHERE kind IN (?, ?, ?) GROUP BY scope, kind ORDER BY kind",
                (Kind.RUN, Kind.FLOW, Kind.TRIGGER),
            ).fetchall()
        found: dict[bytes, list[int]] = {}
        for scope, generation in rows:
            found.setdefault(scope, []).append(generation)
        return found

    file = await backed_up(kept)
    before = generations()
    await restored(kept, file)
    after = generations()
    for scope in (kept.flow, kept.ids[2]):
        assert after[scope] == [generation + 1 for generation in before[scope]]
    assert after[kept.ids[0]] == before[kept.ids[0]]  # it has ended: nothing is written any more


async def test_restored_where_the_environment_is_gone(kept: KeptStore) -> None:
    file = await backed_up(kept)

    async def end(vault: Vault) -> None:
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)

    await kept.use(end)
    await kept.with_store(lambda store: store.delete_environment(ENVIRONMENT))
    assert not list(kept.keys.home.glob("environments/*"))
    with pytest.raises(InvalidBackup):
        await restored(kept, file)
    await restored(kept, file, "again")
    async with kept.keys.vault("again") as vault:
        assert [flow.name for flow in await vault.flows()] == ["flow"]
        assert len(await vault.runs()) == 3


async def test_only_into_the_same_environment_under_the_same_key(kept: KeptStore) -> None:
    file = await backed_up(kept)
    await kept.with_store(lambda store: store.create_environment("other"))
    for name in ("other", "new"):
        with pytest.raises(Conflict, match="cannot become another one beside it"):
            await restored(kept, file, name)
    await kept.administer(lambda acts: acts.apply("two", ENVIRONMENT))
    with pytest.raises(Conflict) as caught:
        await restored(kept, file)
    assert "another key" in caught.value.message


async def test_not_while_locked_nor_without_the_customer_s_key_nor_in_use(kept: KeptStore) -> None:
    file = await backed_up(kept)
    async with kept.keys.vault() as vault:
        assert await vault.try_become_executor()
        with pytest.raises(StoreBusy):
            await restored(kept, file)
    await kept.administer(lambda acts: acts.lock(ENVIRONMENT))
    with pytest.raises(EnvironmentLocked):
        await restored(kept, file)
    with pytest.raises(EnvironmentLocked):
        await kept.administer(
            lambda acts: create_backup(acts, ENVIRONMENT, kept.keys.folder / "second", expires_days=1)
        )
    disable_key(kept.keys.file, "one")
    with pytest.raises(KeyDenied, match="disabled"):
        await restored(kept, file)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _later(file: Path) -> None:
    """Keeps a backup that should have expired."""
    with zipfile.ZipFile(file) as archive:
        manifest, content = json.loads(archive.read("manifest.json")), archive.read("keys.db")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", json.dumps({**manifest, "expires": None}))
        archive.writestr("keys.db", content)


@pytest.mark.parametrize("change", [_cut, _flip, Path.unlink, _later])
async def test_a_changed_or_missing_part_is_refused(kept: KeptStore, change: Callable[[Path], object]) -> None:
    file = await backed_up(kept)
    change(keys_file(file))
    with pytest.raises((InvalidBackup, RecordNotFound) if change is Path.unlink else InvalidBackup):
        await restored(kept, file)
    assert (await kept.verify()).ok


async def test_parts_of_two_backups_do_not_go_together(kept: KeptStore) -> None:
    file = await backed_up(kept)
    second = kept.keys.folder / "second"
    await kept.administer(lambda acts: create_backup(acts, ENVIRONMENT, second, expires_days=None))
    keys_file(second).replace(keys_file(file))
    with pytest.raises(InvalidBackup):
        await restored(kept, file)
