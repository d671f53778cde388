"""Runs that sleep while their environment is locked and unlocked, its keys are rotated, exchanged and given back, and
all is moved: at any step of falling asleep and waking. Whatever the order, every run ends as it has to, everything on
record is done, and all that is stored verifies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import wait
from postgres_server import PostgresServer, shared_server
from revocable import HandClock
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.observe.run import Run
from sealflow.storage import EnvironmentLocked, verify_environment
from sealflow.storage.keys.providers.file import add_version, create_key, uri_of
from sleep_schedule import FLOWS, Schedule, flow, lost, settled, statuses

MOST_STEPS = 16
"""Of a minute each, in which all runs end."""

_LIMITED = flow(w=wait(60))
_LIMITED["triggers"]["manual"]["runtimeConfiguration"] = {"concurrency": {"runs": 1}}
_SINGLE = flow(w=wait(60), v=wait(60, "w"))
_SINGLE["triggers"]["manual"]["operationOptions"] = "SingleInstance"


class KeySchedule(Schedule):
    """A schedule with an administrator in it."""

    def __init__(self, folder: Path, seed: int, database: str | None = None) -> None:
        super().__init__(folder, seed)
        self.keys = folder / "customer.json"
        self._database = database
        self._either: set[str] = set()
        self._urls: dict[str, str] = {}
        self._engine: sealflow.Engine | None = None

    @property
    def _admin(self) -> Any:
        assert self._engine is not None
        return self._engine.administration("maria")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Environment]:
        home, keys = self.folder / "home", self.folder / "k" / "k.json"
        async with sealflow.open(home, keystore=keys, clock=self.clock) as engine:
            engine.boot_clock = HandClock()
            engine.connectors.register("http", _service)
            self._engine = engine
            if not self.keys.exists():
                for name in ("one", "two"):
                    create_key(self.keys, name)
                    await self._admin.create_policy(name, uri_of(self.keys, name))
                await engine.create_environment("env", database=self._database)
            env = await engine.environment("env")
            await env._execute()
            self._disturb(env)
            yield env

    async def play(self, env: Environment, runs: dict[str, Run]) -> None:
        watchers: list[asyncio.Future[Any]] = []
        for _ in range(24):
            run = self.chance.choice(list(runs.values()))
            act = self.chance.choice((self._flow_act, self._key_act))
            try:
                await act(env, run, watchers)
            except EnvironmentLocked:
                pass
            await self.turns(self.chance.choice((0, 0, 1, 5, 40)))
        for each in watchers:
            each.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        await self.unlocked(env)

    async def _flow_act(self, env: Environment, run: Run, watchers: list[asyncio.Future[Any]]) -> None:
        act = self.chance.choice((0, 1, 2, 3, 3, 4))
        if act == 0:
            watchers.append(asyncio.ensure_future(run.wait()))
        elif act == 1 and watchers:
            watchers.pop(self.chance.randrange(len(watchers))).cancel()
        elif act == 2 and self.expected[run.id] != "Cancelled" and await self._cancel(run):
            self.expected[run.id] = "Cancelled"
        elif act == 3 and (url := await self._url(env, run)) is not None:
            answers = await asyncio.gather(env.callback(url), env.callback(url))
            if any(each.status == 200 for each in answers):
                self.expected[run.id] = "Succeeded"
            elif any(each.status == 202 for each in answers):
                self._either.add(run.id)  # whether it comes before the limit is for the clock to say
        elif act == 4:
            self.clock.advance(self.chance.choice((1, 29, 31)) * SECOND)

    async def _url(self, env: Environment, run: Run) -> str | None:
        """Also while the environment is locked: whoever was given it before, has it."""
        if run.id not in self._urls and not env._access.locked:
            for url in (await run.callbacks()).values():
                self._urls[run.id] = url
        return self._urls.get(run.id)

    async def _key_act(self, env: Environment, run: Run, watchers: list[asyncio.Future[Any]]) -> None:
        act: Callable[[], Awaitable[Any]] = self.chance.choice(
            (
                lambda: self._admin.lock("env"), lambda: self.unlocked(env), lambda: self._admin.rotate("env"),
                lambda: self._new_version(env), lambda: self._new_data_keys(env), lambda: self._admin.remove("env"),
                lambda: self._admin.apply("one", "env"), lambda: self._admin.apply("two", "env"),
                lambda: env.keys.begin_migration(), lambda: env.keys.begin_migration(),
            )
        )  # fmt: skip
        if env._access.locked and self.chance.random() < 0.4:
            await self.unlocked(env)
        await act()
        await self.turns(self.chance.choice((0, 1, 8, 40)))
        await self.seen(env)

    async def _new_version(self, env: Environment) -> None:
        add_version(self.keys, self.chance.choice(("one", "two")))
        await env._watch.follow()

    async def _new_data_keys(self, env: Environment) -> None:
        await self._admin.rotate("env", data_keys=True)
        await env.keys.pick_up()

    async def seen(self, env: Environment) -> None:
        """What the watch sees every second."""
        await env._watch.look()
        await env._watch.ask()
        if (retaking := env._watch._retaking) is not None:
            await retaking
        executor = None if env._access.locked else env._executor
        if executor is not None and executor.vault.workers.claim.__name__ != "slow":
            self._disturb(env)

    async def unlocked(self, env: Environment) -> None:
        await self._admin.unlock("env")
        await self.seen(env)
        await self.seen(env)  # it has noticed the lock only now

    async def end(self, env: Environment) -> None:
        """Everything comes to its end, as it has to."""
        for _ in range(MOST_STEPS):
            await settled(env, self.clock)
            if self._database is None:
                executor = env._executor
                assert executor is not None
                assert lost(self.folder, executor.live) == []
            found = await statuses(env)
            if not set(found.values()) & {"Running", "Waiting"}:
                break
            self.clock.advance(61 * SECOND)
        wrong = {each: found[each] for each in self.expected if not self._right(each, found[each])}
        assert wrong == {}
        executor = env._executor
        assert executor is not None
        assert executor.live == {}
        assert executor.claims._retries._failed == {}
        await env.keys.begin_migration()
        await env.keys.finish()
        assert {each.status for each in await env.keys.operations()} == {"Succeeded"}
        assert self._engine is not None
        verified = await verify_environment(self._engine.store, "env")
        assert [(each.at, each.problem) for each in verified.findings] == []

    def _right(self, run_id: str, status: str) -> bool:
        return status == self.expected[run_id] or (run_id in self._either and status in ("Succeeded", "Failed"))


async def _service(call: sealflow.Call) -> Any:
    return sealflow.ConnectorResponse(200, {}, None)


async def played(schedule: KeySchedule) -> None:
    ids: list[str] = []
    for opened in range(2):
        async with schedule.open() as env:
            if not opened:
                for name, definition in {**FLOWS, "limited": _LIMITED, "single": _SINGLE}.items():
                    await env.deploy(name, definition)
                for name in ("waits", "parent", "hook", "limited", "single") * 2:
                    (run,) = await env.start(name)
                    ids.append(run.id)
                    schedule.expected[run.id] = "Failed" if name == "hook" else "Succeeded"
            await schedule.play(env, {each: await env.run(each) for each in ids})
    async with schedule.open() as env, asyncio.timeout(120):
        await schedule.end(env)


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.mark.parametrize("seed", range(4))
async def test_no_order_of_events_and_acts_on_keys_loses_a_run(tmp_path: Path, seed: int) -> None:
    await played(KeySchedule(tmp_path, seed))


@pytest.mark.parametrize("seed", range(100, 101))
async def test_the_same_on_postgresql(tmp_path: Path, postgres: PostgresServer, seed: int) -> None:
    await played(KeySchedule(tmp_path, seed, postgres.url))
