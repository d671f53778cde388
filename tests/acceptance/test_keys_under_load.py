"""Flows are made, edited, started, run and followed without a pause, by the process that executes them and by another
one, while administrators apply, exchange, rotate, migrate and take away keys: nothing is refused, nothing is lost.

Seconds in the suite; minutes with SEALFLOW_TEST_LONG=1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from customer_keys import ENVIRONMENT, Customer, customer
from makers import call, compose, flow
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage.administration.administration import Administration
from sealflow.storage.keys.providers.file import add_version
from sealflow.storage.stores import reencryption as migration_module
from sealflow.storage.stores.operations import SUCCEEDED
from thorough import LONG

START = 17_000_000_000_000_000
ROUNDS = 25 if LONG else 1


class Load:
    """What makers do all the time. `expected`: the result of every run that was started, by its id."""

    def __init__(self, executor: Environment, other: Environment) -> None:
        self._executor, self._other = executor, other
        self._on = True
        self.expected: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self.followed = 0

    def stop(self) -> None:
        self._on = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._make(self._executor, "here"))
            tasks.create_task(self._make(self._other, "there"))
            tasks.create_task(self._start("here", 0))
            tasks.create_task(self._start("there", 1))
            tasks.create_task(self._follow())
            tasks.create_task(self._connect())

    async def _make(self, env: Environment, owner: str) -> None:
        """A new flow now and then, and an edit of each."""
        number = 0
        while self._on:
            for name in (f"{owner} {number // 8}", f"{owner} 0"):
                version = self.versions.get(name, 0) + 1
                definition = flow(
                    c=call("Do", n="@triggerBody()"), sum=compose(f"@add(body('c')?['n'], {version})", "c")
                )
                assert (await env.deploy(name, definition)).version == version
                self.versions[name] = version
            number += 1
            await asyncio.sleep(0.03)

    async def _start(self, owner: str, offset: int) -> None:
        number = offset
        while self._on:
            for name in [name for name in self.versions if name.startswith(owner)][-2:]:
                (run,) = await self._executor.start(name, number)
                self.expected[run.id] = number + run.version
                number += 1
            await asyncio.sleep(0.03)

    async def _follow(self) -> None:
        """Runs from beginning to end, from the other process, and whatever lists show of them."""
        while self._on:
            await asyncio.sleep(0.002)
            for listed in await self._other.runs(limit=3):
                run = await self._other.run(listed.id)
                async for _ in run.follow():
                    pass
                self.followed += 1

    async def _connect(self) -> None:
        number = 0
        connections = self._other.connections
        properties = {"properties": {"connectionParameters": {"token": {"type": "oauthSetting"}}}}
        while self._on:
            name = f"c{number}"
            await connections.create(name, properties, {"token": name}, connector="test")
            assert await self._executor.connections.values(name) == {"token": name}
            if number % 2:
                await connections.delete(name)
            number += 1
            await asyncio.sleep(0.005)


@asynccontextmanager
async def both(place: Customer) -> AsyncIterator[tuple[Environment, Environment]]:
    """The environment twice: in the process that executes it, and in another one."""
    clock = sealflow.VirtualClock(START, jumps=True)

    async def service(call: sealflow.Call) -> Any:
        inputs: Any = call.inputs
        await asyncio.sleep(0)
        return inputs["parameters"]

    async with (
        sealflow.open(place.home, keystore=place.keystore, clock=clock) as one,
        sealflow.open(place.home, keystore=place.keystore, clock=clock) as two,
    ):
        one.connectors.register("test", service)
        yield await one.environment(ENVIRONMENT), await two.environment(ENVIRONMENT)


async def administer(administration: Administration, environment: Environment, place: Customer) -> None:
    """Every act there is, each while the load goes on."""

    async def migrated(*, full: bool = False) -> None:
        operation = await environment.keys.begin_migration(full=full)
        assert (await environment.keys.follow(operation)).status == SUCCEEDED

    await administration.apply("one", ENVIRONMENT)
    await migrated()
    add_version(place.file, "one")
    await administration.rotate(ENVIRONMENT)
    await administration.rotate(ENVIRONMENT, data_keys=True)
    await migrated(full=True)
    await administration.retire(ENVIRONMENT)
    await administration.apply("two", ENVIRONMENT)
    await migrated()
    await administration.remove(ENVIRONMENT)
    await migrated(full=True)


async def test_nothing_is_refused_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.001)
    place = await customer(tmp_path)
    async with both(place) as (executor, other), place.administration() as administration:
        await executor.deploy("first", flow(c=compose(1)))
        await executor.start("first")  # this process executes from now on
        load = Load(executor, other)
        going_on = asyncio.create_task(load.run())
        async with asyncio.timeout(600 * ROUNDS):
            while len(load.expected) < 10:
                await asyncio.sleep(0.01)
            for _ in range(ROUNDS):
                await administer(administration, executor, place)
        load.stop()
        await going_on
        await executor.idle()
        print(f"{len(load.expected)} runs of {len(load.versions)} flows, {load.followed} followed")
        assert load.followed > 0
    # A process that has seen nothing of it reads everything.
    async with both(place) as (executor, _):
        assert {each.name: each.version for each in await executor.flows()} == {**load.versions, "first": 1}
        for run_id, expected in load.expected.items():
            result = await (await executor.run(run_id)).snapshot()
            assert result.status == "Succeeded"
            assert result.actions[-1]["outputs"] == expected
        assert len(await executor.runs(limit=100_000)) == len(load.expected) + 1
        for connection in await executor.connections.all():
            assert await executor.connections.values(connection.info.name) == {"token": connection.info.name}
