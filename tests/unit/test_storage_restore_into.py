"""A backup in another environment: only an empty one under the same key, sealed anew, all of it or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from key_changes import content, fill, migrated
from sealflow.storage import (
    Conflict,
    Copied,
    EnvironmentLocked,
    Retention,
    RunInfo,
    StoreBusy,
    StoreFull,
    TamperedHistory,
    create_backup,
    restore_into,
    verify_environment,
)
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.backends.sqlite.stores.backups import SQLiteBackups
from sealflow.storage.format.purposes import Kind
from sealflow.storage.maintenance.backup import copy_reencryption as resealing

OTHER = "other"
COPIED = ("flows", "documents", "by name", "connections")


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def filled(place: Customer, *policies: str | None) -> dict[str, Any]:
    """Both environments, each under a policy or none; the first one full, the other empty. What the first one has."""
    async with place.administration() as acts:
        await acts.store.create_environment(OTHER)
        for name, policy in zip((ENVIRONMENT, OTHER), policies, strict=True):
            if policy is not None:
                await acts.apply(policy, name)
    async with place.vault() as vault:
        await fill(vault)
        await vault.set_retention((await vault.flow("flow 0")).flow_id, Retention(days=9))
        return {**await content(vault), "ended": [run for run in await vault.runs() if run.ended_ms is not None]}


async def backed_up(place: Customer) -> Path:
    file = place.folder / "backup"
    async with place.administration() as acts:
        await create_backup(acts, ENVIRONMENT, file, expires_days=None)
    return file


async def restored(place: Customer, file: Path, name: str = OTHER, **options: Any) -> Copied:
    async with place.administration() as acts:
        return await restore_into(acts, file, name, **options)


async def problems(place: Customer, name: str = OTHER) -> list[Any]:
    store = await place.store()
    try:
        return (await verify_environment(store, name)).findings
    finally:
        await store.close()


def database(place: Customer, environment: bytes) -> Path:
    return place.home / "environments" / environment.hex() / "store.db"


@pytest.mark.parametrize("policy", [None, "one"])
async def test_everything_is_there_sealed_by_keys_of_its_own(place: Customer, policy: str | None) -> None:
    before = await filled(place, policy, policy)
    told: list[tuple[int, int]] = []
    copied = await restored(place, await backed_up(place), progress=lambda done, total: told.append((done, total)))
    assert (copied.flows, copied.runs, copied.connections, copied.left_out) == (3, 3, 2, 3)
    assert told[-1] == (3, 3)
    assert await problems(place) == await problems(place, ENVIRONMENT) == []
    async with place.vault(OTHER) as vault:
        after = await content(vault)
        assert {name: after[name] for name in COPIED} == {name: before[name] for name in COPIED}
        runs: list[RunInfo] = await vault.runs()
        assert runs == before["ended"]
        assert after["histories"] == [
            history for history, (_, summary) in zip(before["histories"], before["runs"], strict=True)
            if summary == {"s": "ended"}
        ]  # fmt: skip
        assert (after["triggers"], after["messages"], after["inbox"]) == ([], [], [])
        flow = await vault.flow("flow 0")
        assert await vault.retention(flow.flow_id) == Retention(days=9)
        domains = {each.domain for each in await vault.flows()} | {
            c.domain for c in await vault.connections() if c.oauth
        }
        assert domains == {vault.keys.domain}
        assert (await vault.put_flow("flow 0", {"v": 2})).created is False
        assert (await vault.put_flow("flow 0", {"v": 3})).version == 3
    with closing(sqlite3.connect(database(place, copied.environment.id))) as connection:
        kinds = connection.execute("SELECT domain, kind FROM keys").fetchall()
    if policy is not None:
        assert {kind for domain, kind in kinds if domain == 1} <= {
            Kind.KEY_STATE, Kind.LEDGER, Kind.RETENTION, Kind.CONNECTION, Kind.OPERATION,
        }  # fmt: skip


async def test_a_large_history_comes_part_by_part(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "_BYTES", 300)
    before = await filled(place, None, None)
    async with place.vault() as vault:
        log = vault.create_run(b"L" * 16, (await vault.flow("flow 0")).flow_id, 2, 5, {"s": "large"})
        for number in range(9):
            log.append([[number, "x" * 100]])
        log.append([], status=2, ended_ms=9, summary={"s": "ended"})
        await vault.flush()
        before["ended"].insert(0, await vault.run(log.run_id))
    sizes: list[int] = []
    real = SQLiteBackend.commit

    async def commit(self: SQLiteBackend, batch: Any) -> list[int]:
        sizes.append(sum(len(page.record) for page in batch.runs.pages))
        return await real(self, batch)

    monkeypatch.setattr(SQLiteBackend, "commit", commit)
    await restored(place, await backed_up(place))
    assert len([size for size in sizes if size]) > 5
    assert max(sizes) < 600
    async with place.vault(OTHER) as vault:
        assert await vault.runs() == before["ended"]
    assert await problems(place) == []


async def test_what_has_gone_over_to_the_customer_s_key_goes_over_here_too(place: Customer) -> None:
    """Two generations of keys and two domains in the backup, one of each in the copy."""
    await filled(place, None, "one")
    async with place.administration() as acts:
        await acts.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await migrated(vault)
        for run_id in await vault.unfinished():
            (await vault.open_run(run_id)).append([["end", "x"]], status=2, ended_ms=9)
        await vault.flush()
        histories = (await content(vault))["histories"]
    assert (await restored(place, await backed_up(place))).runs == 6
    async with place.vault(OTHER) as vault:
        assert (await content(vault))["histories"] == histories
    assert await problems(place) == []


@pytest.mark.parametrize("policies", [(None, "one"), ("one", None), ("one", "two")])
async def test_not_under_another_key(place: Customer, policies: tuple[str | None, str | None]) -> None:
    await filled(place, *policies)
    file = await backed_up(place)
    with pytest.raises(Conflict, match="under"):
        await restored(place, file)
    async with place.vault(OTHER) as vault:
        assert (await vault.flows(), await vault.connections()) == ([], [])


async def test_only_into_an_empty_one_that_nobody_uses(place: Customer) -> None:
    await filled(place, None, None)
    file = await backed_up(place)
    with pytest.raises(Conflict, match="itself"):
        await restored(place, file, ENVIRONMENT)
    async with place.vault(OTHER) as vault:
        assert await vault.try_become_executor()
        with pytest.raises(StoreBusy):
            await restored(place, file)
    async with place.administration() as acts:
        await acts.lock(OTHER)
        with pytest.raises(EnvironmentLocked):
            await restore_into(acts, file, OTHER)
        await acts.unlock(OTHER)
    async with place.vault(OTHER) as vault:
        await vault.put_flow("mine", {})
    with pytest.raises(Conflict, match="not empty"):
        await restored(place, file)
    async with place.vault(OTHER) as vault:
        assert [flow.name for flow in await vault.flows()] == ["mine"]


async def test_what_is_deployed_there_meanwhile_is_not_lost(place: Customer) -> None:
    await filled(place, None, None)
    file = await backed_up(place)
    store = await place.store()
    vault = await store.open_vault(OTHER)
    real = SQLiteBackups.copy_to

    async def copy_to(self: SQLiteBackups, path: Path, *, with_keys: Path) -> None:
        await real(self, path, with_keys=with_keys)
        if not await vault.flows():
            await vault.put_flow("mine", {})

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SQLiteBackups, "copy_to", copy_to)
            with pytest.raises(Conflict, match="not empty"):
                await restored(place, file)
        assert [flow.name for flow in await vault.flows()] == ["mine"]
    finally:
        await vault.close()
        await store.close()


async def test_a_crash_on_the_way_leaves_it_empty(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(place, None, None)
    file = await backed_up(place)
    with monkeypatch.context() as patch:

        async def adopt(*_: Any) -> int:
            raise StoreFull("The disk is full.")

        patch.setattr("sealflow.storage.stores.runs.runs.Runs.adopt", adopt)
        with pytest.raises(StoreFull):
            await restored(place, file)
    async with place.vault(OTHER) as vault:
        assert (await vault.flows(), await vault.connections(), await vault.runs()) == ([], [], [])
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".sealflow")] == []
    assert (await restored(place, file)).runs == 3


async def test_what_was_damaged_before_the_backup_is_named(place: Customer) -> None:
    await filled(place, None, None)
    store = await place.store()
    environment = database(place, (await store.environment(ENVIRONMENT)).id)
    await store.close()
    with closing(sqlite3.connect(environment)) as connection, connection:
        connection.execute("UPDATE pages SET record = zeroblob(200) WHERE run = 1 AND seq = 1")
        (run_id,) = connection.execute("SELECT run_id FROM runs WHERE id = 1").fetchone()
    with pytest.raises(TamperedHistory) as caught:
        await restored(place, await backed_up(place))
    assert caught.value.run == run_id.hex()
    async with place.vault(OTHER) as vault:
        assert await vault.runs() == []
