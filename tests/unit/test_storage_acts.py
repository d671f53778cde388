"""Acts on an environment's keys as operations: Running, Succeeded or Failed, from what is on record."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from sealflow.storage import KeyDenied, Keystore, Operation, Store, environment_status, reset_environment
from sealflow.storage.administration import audit_events as acts
from sealflow.storage.administration.audit_events import MOST, PATIENCE_MS
from sealflow.storage.keys.providers.file import disable_key, enable_key


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def operations(place: Customer, later_ms: int = 0) -> list[Operation]:
    """What the status tells, so much later."""
    store = await Store.open(place.home, Keystore(place.keystore))
    real: Callable[[], int] = store.now_ms
    try:
        store._now_ms = lambda: real() + later_ms
        return (await environment_status(store, ENVIRONMENT)).operations
    finally:
        await store.close()


async def told(place: Customer) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.status, each.error) for each in await operations(place)]


async def test_every_act_on_the_keys_is_an_operation(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.store.create_environment("second")
        await administration.apply("one", "second")  # another one's
        await administration.apply("one", ENVIRONMENT)
        await administration.rotate(ENVIRONMENT)
        async with place.vault() as vault:
            assert await vault.try_become_executor()
            await vault.begin_migration()
            await vault.migrate()
        await administration.apply("two", ENVIRONMENT)
        await administration.remove(ENVIRONMENT)
        disable_key(place.file, "one")
        with pytest.raises(KeyDenied):
            await administration.apply("one", ENVIRONMENT)
        enable_key(place.file, "one")
        await administration.retire(ENVIRONMENT)
    assert await told(place) == [
        ("apply", "Succeeded", None),
        ("rotate", "Succeeded", None),
        ("migrate", "Succeeded", None),
        ("swap", "Succeeded", None),
        ("revert", "Succeeded", None),
        ("apply", "Failed", "KeyDenied"),
        ("retire", "Succeeded", None),
    ]
    for each in await operations(place):
        assert (each.done, each.total) == (
            (0, 1) if each.status == "Failed" else (each.done, max(each.done, each.total))
        )
        assert each.ended_ms is not None
    async with place.administration() as administration:
        await reset_environment(administration, ENVIRONMENT)
    assert (await told(place))[-1] == ("reset", "Succeeded", None)


async def test_what_goes_on_is_running_and_what_died_is_failed(place: Customer) -> None:
    async def dies() -> None:
        async with place.administration() as administration, administration.act("environment reset", ENVIRONMENT):
            assert (await operations(place))[-1].status == "Running"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await dies()
    [running] = await operations(place, PATIENCE_MS - 60_000)
    assert (running.kind, running.status, running.ended_ms) == ("reset", "Running", None)
    [died] = await operations(place, PATIENCE_MS + 60_000)
    assert (died.status, died.error) == ("Failed", "Interrupted")


async def test_the_history_is_bounded(place: Customer) -> None:
    async with place.administration() as administration:
        for _ in range(MOST + 2):
            async with administration.act("key rotate", ENVIRONMENT):
                pass
        await administration.apply("one", ENVIRONMENT)
    found = await operations(place)
    assert len(found) == MOST
    assert found[-1].kind == "apply"
    assert [each.created_ms for each in found] == sorted(each.created_ms for each in found)


async def test_calls_of_key_stores_push_no_act_out_of_sight(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that opens an environment leaves some; how many are read has a bound of its own."""
    monkeypatch.setattr(acts, "_LOOKED_AT", 3)
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    for _ in range(5):
        async with place.vault():
            pass
    assert [each.kind for each in await operations(place)] == ["apply"]
    monkeypatch.setattr(acts, "_READ", 3)
    assert await operations(place) == []


async def test_an_environment_of_that_name_which_is_gone_has_left_nothing(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        await administration.delete_environment(ENVIRONMENT)
        store = administration.store
        real = store._now_ms
        store._now_ms = lambda: real() + 1000
        await store.create_environment(ENVIRONMENT)
    assert await operations(place) == []


@pytest.mark.parametrize(
    "change", ["DELETE FROM audit WHERE number = 3", "UPDATE audit SET record = zeroblob(80) WHERE number = 4"]
)
async def test_an_audit_that_was_changed_is_told_and_hides_nothing_else(place: Customer, change: str) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    with closing(sqlite3.connect(place.home / "control.db")) as connection, connection:
        connection.execute(change)
    async with place.administration() as administration:
        found = await environment_status(administration.store, ENVIRONMENT)
    assert found.audit_problem is not None
    assert (found.operations, found.policy) == ([], "one")
