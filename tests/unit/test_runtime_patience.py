"""A worker that starts while its environment is locked or suspended: it waits, sweeps, and begins by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sealflow
from makers import compose, flow
from revocable import NAME, PROBE
from sealflow.engine.errors import NotFound
from sealflow.engine.runtime.keys.unlock_wait import FIRST, LAST
from sealflow.engine.runtime.keys.watch import SWEEP
from sealflow.storage import EnvironmentLocked, EnvironmentSuspended
from sealflow.storage.keys.providers.file import create_key, disable_key, uri_of


class Waiting:
    """Boot time that passes when somebody waits for it, with something that happens after so many waits."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.waits: list[float] = []
        self.then: dict[int, Callable[[], Awaitable[object]]] = {}

    def now(self) -> float:
        return self.at

    async def sleep_until(self, due: float) -> None:
        self.waits.append(due - self.at)
        self.at = max(self.at, due)
        if (act := self.then.pop(len(self.waits), None)) is not None:
            await act()


class Quiet:
    """A clock of the process that watches: nothing happens by itself there."""

    def now(self) -> float:
        return 0.0

    async def sleep_until(self, due: float) -> None:
        await asyncio.Event().wait()


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "customer.json"

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[sealflow.Engine]:
        async with sealflow.open(self.folder / "home", keystore=self.folder / "keys" / "k.json") as engine:
            engine.boot_clock = Quiet()
            yield engine

    @asynccontextmanager
    async def waiter(self) -> AsyncIterator[tuple[sealflow.Engine, Waiting]]:
        """The process that starts."""
        async with self.engine() as engine:
            engine.boot_clock = clock = Waiting()
            yield engine, clock
            engine.boot_clock = Quiet()

    async def unlock(self) -> None:
        async with self.engine() as engine:
            await engine.administration("maria").unlock(NAME)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """An environment under a policy, with an unfinished run."""
    place = Place(tmp_path)
    create_key(place.keys, "main")
    async with place.engine() as engine:
        admin = engine.administration("maria")
        await engine.create_environment(NAME)
        await admin.create_policy("main", uri_of(place.keys, "main"), probe=PROBE, delete_after=7)
        await admin.apply("main", NAME)
        env = await engine.environment(NAME)
        await env.deploy("f", flow(c=compose(1)))
        (run,) = await env.start("f")
        await run.result()
    return place


async def given(engine: sealflow.Engine, clock: Waiting, told: list[EnvironmentLocked]) -> sealflow.Environment:
    """The environment; its own watch has another clock, which stands still."""

    def tell(error: EnvironmentLocked) -> None:
        told.append(error)

    async def open_() -> sealflow.Environment:
        return await engine.wait_until_unlocked(NAME, told=tell)

    env = await open_()
    await env._watch.close()
    return env


async def test_it_begins_when_it_is_unlocked(place: Place) -> None:
    async with place.engine() as engine:
        await engine.administration("maria").lock(NAME)
    told: list[EnvironmentLocked] = []
    async with place.waiter() as (engine, clock):
        clock.then[5] = place.unlock
        env = await given(engine, clock, told)
        assert clock.waits[:5] == [1.0] * 5
        assert [run.status for run in await env.runs()] == ["Succeeded"]
    assert [type(each) for each in told] == [EnvironmentLocked]  # once, whatever often it looked
    assert "unlock" in str(told[0].hint)


async def test_an_outage_is_waited_for_ever_less_often_and_ends_by_itself(place: Place) -> None:
    away = place.keys.with_suffix(".away")
    place.keys.rename(away)

    async def back() -> None:
        away.rename(place.keys)

    told: list[EnvironmentLocked] = []
    async with place.waiter() as (engine, clock):
        clock.then[9] = back
        env = await given(engine, clock, told)
        assert [run.status for run in await env.runs()] == ["Succeeded"]
        assert clock.waits[:9] == [FIRST, 10.0, 20.0, 40.0, 80.0, 160.0, LAST, LAST, LAST]
    assert [type(each) for each in told] == [EnvironmentSuspended]


async def test_a_denied_key_locks_and_is_waited_for(place: Place) -> None:
    disable_key(place.keys, "main")
    told: list[EnvironmentLocked] = []

    async def restored() -> None:
        from sealflow.storage.keys.providers.file import enable_key

        enable_key(place.keys, "main")
        await place.unlock()

    async with place.waiter() as (engine, clock):
        clock.then[6] = restored
        env = await given(engine, clock, told)
        assert [run.status for run in await env.runs()] == ["Succeeded"]
    assert [type(each) for each in told] == [EnvironmentLocked, EnvironmentLocked]  # that, and then why


async def test_what_is_overdue_is_deleted_meanwhile(place: Place) -> None:
    async with place.engine() as engine:
        await engine.administration("maria").lock(NAME)
    disable_key(place.keys, "main")
    async with place.waiter() as (engine, clock):
        store = engine.store
        real = store.now_ms

        async def later() -> None:
            store._now_ms = lambda: real() + 8 * 86_400_000
            clock.at += SWEEP

        clock.then[3] = later
        with pytest.raises(EnvironmentLocked, match="was deleted"):
            await engine.wait_until_unlocked(NAME)
        assert len(clock.waits) == 3  # it looks every hour
        assert await engine.environments() == []
        with pytest.raises(NotFound):
            await engine.wait_until_unlocked(NAME)
