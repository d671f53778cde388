"""Environments that are locked for longer than their policy allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from key_changes import acts, fill
from sealflow.storage import (
    InvalidPolicy,
    Keystore,
    RecordNotFound,
    Store,
    StoreBusy,
    delete_overdue,
    find_overdue,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.keys.providers.file import disable_key, enable_key

DAY = 86_400_000


class Calendar:
    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    made = await copied_customer(tmp_path)
    async with made.administration() as administration:
        await administration.create_policy("brief", made.uri("one"), delete_after=7)
    return made


@asynccontextmanager
async def at(place: Customer, now: Calendar) -> AsyncIterator[Administration]:
    store = await Store.open(place.home, Keystore(place.keystore), now_ms=now)
    try:
        yield Administration(store, Actor("ada"))
    finally:
        await store.close()


async def test_seven_days_after_the_lock_it_is_deleted(place: Customer) -> None:
    now = Calendar()
    async with at(place, now) as ada:
        await ada.apply("brief", ENVIRONMENT)
        async with place.vault() as vault:
            await fill(vault, flows=1)  # one run is in flight
        disable_key(place.file, "one")
        await ada.lock(ENVIRONMENT, "denied")
        now.ms += 7 * DAY - 1
        assert await find_overdue(ada) == []
        assert await delete_overdue(ada, ENVIRONMENT) is None
        now.ms += 1
        assert await find_overdue(ada) == [ENVIRONMENT]
        deleted = await delete_overdue(ada, ENVIRONMENT)
        assert deleted is not None
        assert deleted.runs == 2
        assert await ada.store.environments() == []
        assert (await acts(ada))[-1] == ("environment delete", ENVIRONMENT, "Succeeded")
        *_, last = [act async for act in ada.audit.acts()]
        assert last.detail == {"lockedSince": now.ms - 7 * DAY, "days": 7, "policy": "brief"}
        assert await delete_overdue(ada, ENVIRONMENT) is None  # it is gone
        with pytest.raises(RecordNotFound):
            await ada.unlock(ENVIRONMENT)


async def test_not_while_the_key_is_given_or_out_of_reach(place: Customer) -> None:
    """It could be unlocked, or nobody knows."""
    now = Calendar()
    async with at(place, now) as ada:
        await ada.apply("brief", ENVIRONMENT)
        await ada.lock(ENVIRONMENT)
        now.ms += 400 * DAY
        assert await find_overdue(ada) == []
        place.file.rename(place.file.with_suffix(".away"))
        assert await delete_overdue(ada, ENVIRONMENT) is None
        place.file.with_suffix(".away").rename(place.file)
        disable_key(place.file, "one")
        assert await find_overdue(ada) == [ENVIRONMENT]
        enable_key(place.file, "one")
        assert await delete_overdue(ada, ENVIRONMENT) is None
        await ada.unlock(ENVIRONMENT)
    async with place.vault() as vault:
        assert await vault.flows() == []


async def test_never_unless_the_policy_says_so(place: Customer) -> None:
    now = Calendar()
    async with at(place, now) as ada:
        await ada.store.create_environment("free")
        await ada.apply("one", ENVIRONMENT)
        for name in (ENVIRONMENT, "free"):
            await ada.lock(name)
        disable_key(place.file, "one")
        now.ms += 10_000 * DAY
        assert await find_overdue(ada) == []
        for name in (ENVIRONMENT, "free"):
            assert await delete_overdue(ada, name) is None
        with pytest.raises(InvalidPolicy, match="1 at least"):
            await ada.create_policy("new", place.uri("two"), delete_after=0)


async def test_not_while_a_process_executes_it(place: Customer) -> None:
    now = Calendar()
    async with at(place, now) as ada:
        await ada.apply("brief", ENVIRONMENT)
        async with place.vault() as vault:
            assert await vault.try_become_executor()
            disable_key(place.file, "one")
            await ada.lock(ENVIRONMENT)
            now.ms += 7 * DAY
            with pytest.raises(StoreBusy):
                await delete_overdue(ada, ENVIRONMENT)
        assert await delete_overdue(ada, ENVIRONMENT) is not None
