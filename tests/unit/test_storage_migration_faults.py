"""A migration that fails: what a crash leaves, what was damaged, and what another fault means."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from customer_keys import Customer, copied_customer
from key_changes import change, content, fill, migrated, stray
from refusals import REFUSED_ROW
from sealflow.storage import Batch, ExecutorLost, IntegrityError, StoreFull, TamperedHistory
from sealflow.storage.format.purposes import Kind
from sealflow.storage.keys.providers.file import disable_key
from sealflow.storage.stores import reencryption as migration_module
from sealflow.storage.stores.operations import FAILED, RUNNING, SUCCEEDED


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.0)


async def test_a_crash_leaves_an_operation_that_goes_on(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each of its commits in turn: what was not moved stays readable, and all is moved in the end."""
    monkeypatch.setattr(migration_module, "_STEP", 2)
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        for run_id in await fill(vault):
            log = await vault.open_run(run_id)
            log.append([], status=2, ended_ms=9)
        await vault.flush()
        before = await content(vault)
        await change(place, "apply")
        await vault.begin_migration(full=True)
    crashes = 0
    while True:
        async with place.vault() as vault:
            assert await vault.try_become_executor()
            real, left = vault._backend.commit, [1]

            async def commit(batch: Batch, real: Any = real, left: list[int] = left) -> list[int]:
                if not left:
                    raise StoreFull("The disk is full.")
                left.pop()
                return await real(batch)  # type: ignore[no-any-return]

            with monkeypatch.context() as patch:
                patch.setattr(vault._backend, "commit", commit)
                try:
                    await vault.migrate()
                    break
                except StoreFull:
                    crashes += 1
            assert await content(vault) == before
            (operation,) = await vault.operations()
            if operation.status == SUCCEEDED:
                break
    assert crashes > 10
    async with place.vault() as vault:
        await vault.reload_keys()
        assert stray(place, vault) == []
        assert await content(vault) == before
        (operation,) = await vault.operations()
        assert (operation.status, await vault._backend.consistency.mixed_scopes(Kind.RUN)) == (SUCCEEDED, [])


DAMAGE = {
    "a flow": "UPDATE flows SET record = zeroblob(200) WHERE id = 1",
    "the key of a run": "UPDATE keys SET wrapped = zeroblob(60) WHERE id = (SELECT min(id) FROM keys WHERE kind = 1)",
    "a message": "UPDATE messages SET record = zeroblob(200)",
    "a connection": "UPDATE connections SET record = zeroblob(200)",
    "a page": "UPDATE pages SET record = zeroblob(200) WHERE run = 1 AND seq = 1",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_what_was_damaged_is_named_and_stops_nothing_else(
    place: Customer, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        for run_id in await fill(vault):
            log = await vault.open_run(run_id)
            log.append([], status=2, ended_ms=9)
        await vault.flush()
        await change(place, "data keys")
        with closing(sqlite3.connect(place.database())) as connection, connection:
            assert connection.execute(DAMAGE[damage]).rowcount > 0
        operation = await migrated(vault, full=True)
        assert (operation.status, operation.error) == (FAILED, "IntegrityError")
        assert "was changed outside of Sealflow" in caplog.text
        # A rewritten run's key is where it belongs even so; what is damaged stays where it was.
        assert {"a flow": 2, "the key of a run": 1, "a message": 3, "a connection": 2, "a page": 0}[damage] == len(
            stray(place, vault)
        )
        with pytest.raises((IntegrityError, TamperedHistory), match=REFUSED_ROW):
            await content(vault)


async def test_who_is_no_executor_any_more_calls_nothing_damaged(
    place: Customer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process changes rows between two looks of the former executor: the next one goes on."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault)
        await change(place, "data keys")
        with closing(sqlite3.connect(place.database())) as connection, connection:
            connection.execute(DAMAGE["a message"])
        with monkeypatch.context() as patch:
            patch.setattr(vault._backend.workers, "executor_lost", True)
            with pytest.raises(ExecutorLost):
                await migrated(vault)
        assert "was changed outside of Sealflow" not in caplog.text
        (operation,) = await vault.operations()
        assert operation.status == RUNNING


async def test_another_fault_ends_the_operation_and_the_next_one_goes_on(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault)
        await change(place, "apply")
        with monkeypatch.context() as patch:
            patch.setattr(vault._definitions, "move", None)
            with pytest.raises(TypeError, match="not callable"):
                await migrated(vault)
        (operation,) = await vault.operations()
        assert (operation.status, operation.error) == (FAILED, "TypeError")
        assert len((await content(vault))["flows"]) == 3
        assert (await migrated(vault)).status == SUCCEEDED
        assert stray(place, vault) == []


async def test_what_is_under_way_is_not_begun_twice(place: Customer) -> None:
    async with place.vault() as vault:
        await fill(vault)
        first = await vault.begin_migration()
        assert await vault.begin_migration() == first
        full = await vault.begin_migration(full=True)
        assert (full.kind, full.status, full.total) == ("migrate --full", RUNNING, 6)


async def test_the_customers_key_is_not_asked_for_each_thing(place: Customer) -> None:
    """Once the environment keys are there, all goes on without the key store."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault)
        await change(place, "apply")
        await vault.begin_migration()
        await vault.reload_keys()
        asked: list[str] = []
        provider = vault._source.customer(place.uri("one"))
        real = provider.unwrap

        async def unwrap(*arguments: Any) -> bytes:
            asked.append("unwrap")
            return await real(*arguments)

        provider.unwrap = unwrap  # type: ignore[method-assign, assignment]
        await vault.migrate()
        assert asked == ["unwrap"]  # as it begins
        disable_key(place.file, "one")
        assert len(await vault.flows()) == 3
