"""Processes that die by kill -9 while they exchange keys under load, and the ones that come after them.

`live_and_die` is the process that dies: at one of its commits, right before or right after it is durable, or at any
moment. `check` is the next one: it completes what is on record and looks at everything that was acknowledged. Each runs
in a fork, see `forked`; the process that forks never opens a store, since threads and locks do not survive that.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import sealflow
from customer_keys import ENVIRONMENT, Customer
from makers import compose, flow
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import Batch, Conflict, EnvironmentLocked, StoreBusy
from sealflow.storage.administration.administration import Administration
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.format.purposes import Kind
from sealflow.storage.keys.providers.file import add_version
from sealflow.storage.stores.operations import SUCCEEDED

ACTS: Final = (
    "migrate", "migrate --full", "rotate", "rotate --data-keys", "swap", "revert", "lock", "unlock", "retire",
)  # fmt: skip
COMMITS: Final = {"migrate": 14, "migrate --full": 14}
"""By the commit with this number an act is done, the load's own commits included; by the eighth, where none is told."""
MOMENTS: Final = ("before", "after", "any")

PATIENCE: Final = 120
_AT_HOME: Final = {Kind.KEY_STATE, Kind.OPERATION, Kind.LEDGER, Kind.RETENTION}
"""What stays under the service's key whoever covers the environment."""


def forked(work: Callable[[], Coroutine[Any, Any, object]], kill_after: float | None = None) -> bool:
    """Does it in a process of its own, and kills that after so many seconds; whether it was killed, by itself or so.

    Anything else but a good end is a failure.
    """
    pid = os.fork()
    if not pid:
        signal.alarm(PATIENCE)
        code = 70
        try:
            asyncio.run(work())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)  # one that has ended is still there to be waited for
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the process ended with {code}"
    return code != 0


class Told:
    """What the processes that died had been told is done, in a file that each adds to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, *facts: object) -> None:
        with open(self._path, "ab", buffering=0) as file:
            file.write(json.dumps(facts).encode() + b"\n")

    def all(self) -> list[list[Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []


def die_at_commit(number: int, moment: str) -> None:
    """This process dies right before or right after its commit number `number` from now on, in whichever store."""
    count = 0

    def die(at: str) -> None:
        if count == number and moment == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def of(commit: Callable[..., Awaitable[list[int]]]) -> Callable[..., Awaitable[list[int]]]:
        async def counted(self: Any, batch: Batch) -> list[int]:
            nonlocal count
            count += 1
            die("before")
            mine = count
            numbers = await commit(self, batch)
            if mine == number and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return numbers

        return counted

    real = SQLiteBackend._commit

    def in_thread(self: SQLiteBackend, connection: sqlite3.Connection, batch: Batch) -> list[int]:
        # In the thread: nobody has been told yet that the commit is durable.
        nonlocal count
        count += 1
        die("before")
        numbers = real(self, connection, batch)
        die("after")
        return numbers

    SQLiteBackend._commit = in_thread  # type: ignore[method-assign]
    with suppress(ImportError):
        from sealflow.storage.backends.postgres import PostgresBackend

        PostgresBackend.commit = of(PostgresBackend.commit)  # type: ignore[method-assign, assignment]


async def live_and_die(place: Customer, act: str, number: int, moment: str, told: Told) -> None:
    """Load, the act, and death at that commit; or whenever somebody else kills it, where `moment` is `any`."""
    async with (
        sealflow.open(place.home, keystore=place.keystore) as engine,
        place.administration() as administration,
    ):
        env = await engine.environment(ENVIRONMENT)
        await _executing(env)
        await prepare(administration, env, act)
        loading = asyncio.create_task(_load(env, told))
        await asyncio.sleep(0.03)
        if moment != "any":
            die_at_commit(number, moment)
        await administer(administration, env, place, act)
        told.add("act", act)
        await asyncio.sleep(0.1)  # the load's commits are counted too
        loading.cancel()
        with suppress(asyncio.CancelledError):
            await loading


async def _load(env: Environment, told: Told) -> None:
    count = 0
    while True:
        name = f"flow {count % 5}"
        with suppress(EnvironmentLocked):
            deployed = await env.deploy(name, flow(c=compose("@mul(triggerBody(), 2)"), n=compose(count, "c")))
            told.add("flow", name, deployed.version)
            (run,) = await env.start(name, count)
            told.add("run", run.id, count * 2)
        count += 1
        await asyncio.sleep(0.01)


async def prepare(administration: Administration, env: Environment, act: str) -> None:
    """What has to be there before the act can be done."""
    if act == "retire":
        await administration.rotate(ENVIRONMENT, data_keys=True)
        await env.keys.finish()
    elif act == "unlock":
        await administration.lock(ENVIRONMENT)


async def administer(administration: Administration, env: Environment, place: Customer, act: str) -> None:
    """One act, whatever state the store is in."""
    if act == "revert":
        await administration.remove(ENVIRONMENT)
    elif act == "lock":
        await administration.lock(ENVIRONMENT)
    elif act == "unlock":
        await administration.unlock(ENVIRONMENT)
    elif act == "retire":
        with suppress(Conflict):  # a run that was just started may still have an earlier key
            await administration.retire(ENVIRONMENT)
    elif act == "rotate":
        add_version(place.file, "one")
        await administration.rotate(ENVIRONMENT)
    elif act == "rotate --data-keys":
        await administration.rotate(ENVIRONMENT, data_keys=True)
    else:
        assigned = set((await administration.policies.assignments()).values())
        one = (await administration.policies.one("one")).id
        await administration.apply("two" if one in assigned else "one", ENVIRONMENT)
    if act.startswith("migrate"):
        await env.keys.follow(await env.keys.begin_migration(full=act.endswith("--full")))


async def check(place: Customer, lines: list[list[Any]]) -> None:
    """The next process: it completes what there is to do, and everything that was acknowledged is there."""
    async with place.administration() as administration:
        async with administration.opened(ENVIRONMENT, locked=True) as opened:
            state = opened.state
        act = _act(lines)
        if act in ("lock", "unlock"):
            assert (state.lock is not None) == (act == "lock"), f"an acknowledged {act} is gone"
        elif act in ("migrate", "migrate --full", "swap", "revert"):
            assert (state.cover is None) == (act == "revert"), f"an acknowledged {act} is gone"
        if state.lock is not None:
            await _refused(place)
            await administration.unlock(ENVIRONMENT)
    async with sealflow.open(place.home, keystore=place.keystore) as engine, place.administration() as administration:
        env = await engine.environment(ENVIRONMENT)
        await _executing(env)
        async with asyncio.timeout(60):
            for operation in await env.keys.operations():
                assert (await env.keys.follow(operation)).status == SUCCEEDED
        started = _of("run", lines)
        await _all_end(env, {run_id for _, run_id, _ in started})
        versions = {each.name: each.version for each in await env.flows()}
        assert all(versions[name] >= version for what, name, version in _of("flow", lines))
        for _, run_id, value in started[-10:]:
            shown = await (await env.run(run_id)).snapshot()
            assert shown.actions[0]["outputs"] == value
        await administration.reconcile()
        async for _ in administration.audit.acts():
            pass
        for policy in (await administration.policies.assignments()).values():
            assert await administration.policies.one(policy)


def _act(lines: list[list[Any]]) -> str | None:
    """The act that the last process was told is done, if it was."""
    last = max((number for number, line in enumerate(lines) if line[0] == "checked"), default=-1)
    acts = [line[1] for line in lines[last + 1 :] if line[0] == "act"]
    return acts[0] if acts else None


def _of(what: str, lines: list[list[Any]]) -> list[list[Any]]:
    return [line for line in lines if line[0] == what]


async def _refused(place: Customer) -> None:
    """Nothing of a locked environment opens."""
    try:
        async with place.vault() as vault:
            raise AssertionError(f"{vault!r} was opened although it is locked")
    except EnvironmentLocked:
        pass


async def _all_end(env: Environment, started: set[str]) -> None:
    """Returns when these runs have ended, and all others. One that was started while another process had the role of
    the executor may wait in the inbox: on PostgreSQL that role outlives who died.
    """
    async with asyncio.timeout(60):
        while True:
            await _executing(env)
            await env.idle()
            runs = {run.id: run.status for run in await env.runs(limit=100_000)}
            if started <= runs.keys() and set(runs.values()) <= {"Succeeded"}:
                return
            assert set(runs.values()) <= {"Succeeded", "Running", "Waiting"}
            await asyncio.sleep(0.1)


async def _executing(env: Environment) -> None:
    """Takes up what goes on: on PostgreSQL, once the lease of who died is over."""
    async with asyncio.timeout(60):
        while True:
            try:
                await env.resume_unfinished()
                return
            except StoreBusy:
                await asyncio.sleep(0.1)


async def nothing_is_left_with_the_service(place: Customer) -> None:
    """After one more full migration under a policy: no scope key but those that belong there, and no earlier one in the
    file.
    """
    async with place.vault() as vault:
        before = [
            row.wrapped for _, row in await vault._backend.keys.wrapped_by(1, None, 1_000_000) if row.kind == Kind.RUN
        ]
    async with sealflow.open(place.home, keystore=place.keystore) as engine, place.administration() as administration:
        env = await engine.environment(ENVIRONMENT)
        await _executing(env)
        await administration.apply("one", ENVIRONMENT)
        operation = await env.keys.follow(await env.keys.begin_migration(full=True))
        assert operation.status == SUCCEEDED
    async with place.vault() as vault:
        assert {count.kind for count in await vault._backend.keys.counts() if count.domain == 1} <= _AT_HOME
    for path in place.home.glob("environments/*/store.db*"):
        data = path.read_bytes()
        assert [wrapped for wrapped in before if wrapped in data] == []


async def with_runs_of_the_service(place: Customer) -> None:
    """Runs that the service's key seals, before any policy comes."""
    async with sealflow.open(place.home, keystore=place.keystore) as engine:
        env = await engine.environment(ENVIRONMENT)
        await env.deploy("first", flow(c=compose(1)))
        for _ in range(3):
            await env.start("first")
        await env.idle()
