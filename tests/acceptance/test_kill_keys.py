"""kill -9 at any commit of an administrator's act, or of the work that follows it, while flows are deployed and run:
nothing acknowledged is lost, nothing opens that should not, and every operation completes in the next process.

A sample in the suite, 200 deaths with SEALFLOW_TEST_LONG=1. One store goes through all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import traceback
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sealflow
from customer_keys import ENVIRONMENT, Customer, customer
from makers import compose, flow
from processes import PATIENCE
from sealflow.storage import migration as migration_module
from sealflow.storage.administration import Administration
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.operations import SUCCEEDED
from sealflow.storage.providers.file import add_version
from sealflow.storage.purposes import Kind
from thorough import LONG

DEATHS = 200 if LONG else 10
ACTS = ["migrate", "migrate --full", "rotate", "rotate --data-keys", "swap", "remove"]
MOST_COMMITS = 14


def die_at_commit(number: int, moment: str) -> None:
    """This process dies right before or right after its commit number `number` from now on."""
    real = SQLiteBackend._commit
    count = 0

    def commit(self: SQLiteBackend, connection: sqlite3.Connection, batch: Any) -> list[int]:
        nonlocal count
        count += 1
        if (count, moment) == (number, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        numbers = real(self, connection, batch)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return numbers

    SQLiteBackend._commit = commit  # type: ignore[method-assign]


async def administer(administration: Administration, env: Any, place: Customer, act: str) -> None:
    """One act, whatever state the store is in."""
    assigned = set((await administration.policies.assignments()).values())
    one = (await administration.policies.one("one")).id
    if act == "remove":
        await administration.remove(ENVIRONMENT)
    elif act == "rotate":
        add_version(place.file, "one")
        await administration.rotate(ENVIRONMENT)
    elif act == "rotate --data-keys":
        await administration.rotate(ENVIRONMENT, data_keys=True)
    else:
        await administration.apply("two" if one in assigned else "one", ENVIRONMENT)
    if act.startswith("migrate"):
        operation = await env.keys.begin_migration(full=act.endswith("--full"))
        await env.keys.follow(operation)


async def live_and_die(place: Customer, act: str, number: int, moment: str, told: int) -> None:
    """What the process does that dies: load, the act, and its death. What was acknowledged is written to `told`."""

    async def load(env: Any) -> None:
        count = 0
        while True:
            name = f"flow {count % 5}"
            deployed = await env.deploy(name, flow(c=compose("@mul(triggerBody(), 2)"), n=compose(count, "c")))
            os.write(told, json.dumps(["flow", name, deployed.version]).encode() + b"\n")
            (run,) = await env.start(name, count)
            os.write(told, json.dumps(["run", run.id, count * 2]).encode() + b"\n")
            count += 1
            await asyncio.sleep(0.02)

    async with (
        sealflow.open(place.home, keystore=place.keystore) as engine,
        place.administration() as administration,
    ):
        env = await engine.environment(ENVIRONMENT)
        await env.deploy("first", flow(c=compose(1)))
        await env.start("first")
        loading = asyncio.create_task(load(env))
        await asyncio.sleep(0.05)
        die_at_commit(number, moment)
        await administer(administration, env, place, act)
        loading.cancel()
        with suppress(asyncio.CancelledError):
            await loading


def forked(work: Callable[[], Coroutine[Any, Any, object]]) -> bool:
    """Does it in a process of its own; whether that was killed. Anything else but a good end is a failure.

    The process that forks never opens a store itself: threads and locks do not survive a fork.
    """
    pid = os.fork()
    if not pid:
        signal.alarm(int(PATIENCE))
        code = 70
        try:
            asyncio.run(work())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def acknowledged(told: Path) -> list[Any]:
    """What the processes that died had been told is done."""
    return [json.loads(line) for line in told.read_text().splitlines()]


async def check(place: Customer, lines: list[Any]) -> None:
    """The next process: it completes what there is to do, and everything that was acknowledged is there."""
    async with sealflow.open(place.home, keystore=place.keystore) as engine, place.administration() as administration:
        env = await engine.environment(ENVIRONMENT)
        await env.resume_all()
        async with asyncio.timeout(60):
            for operation in await env.keys.operations():
                assert (await env.keys.follow(operation)).status == SUCCEEDED
            await env.idle()
        versions = {each.name: each.version for each in await env.flows()}
        runs = {run.id: run.status for run in await env.runs(limit=100_000)}
        assert set(runs.values()) == {"Succeeded"}
        for what, name, value in lines:
            if what == "flow":
                assert versions[name] >= value
        for run_id, value in [(name, value) for what, name, value in lines if what == "run"][-10:]:
            shown = await (await env.run(run_id)).snapshot()
            assert shown.actions[0]["outputs"] == value
        assert {name for what, name, _ in lines if what == "run"} <= runs.keys()
        await administration.reconcile()
        async for _ in administration.audit.acts():
            pass
        for policy in (await administration.policies.assignments()).values():
            assert await administration.policies.one(policy)


async def nothing_is_left_with_the_service(place: Customer) -> None:
    """After one more full migration under a policy: no scope key but those that belong there, and no earlier one in the
    file.
    """
    with closing(sqlite3.connect(place.database())) as connection:
        before = {wrapped for (wrapped,) in connection.execute("SELECT wrapped FROM keys WHERE kind = ?", (Kind.RUN,))}
    async with sealflow.open(place.home, keystore=place.keystore) as engine, place.administration() as administration:
        env = await engine.environment(ENVIRONMENT)
        await administration.apply("one", ENVIRONMENT)
        operation = await env.keys.follow(await env.keys.begin_migration(full=True))
        assert operation.status == SUCCEEDED
    with closing(sqlite3.connect(place.database())) as connection:
        kinds = {kind for (kind,) in connection.execute("SELECT kind FROM keys WHERE domain = 1")}
        assert kinds <= {Kind.KEY_STATE, Kind.OPERATION, Kind.LEDGER, Kind.RETENTION}
    data = b"".join(path.read_bytes() for path in place.database().parent.glob("store.db*"))
    assert before
    assert [wrapped for wrapped in before if wrapped in data] == []


def test_killed_while_keys_are_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.001)
    chance = random.Random(5)
    assert not forked(lambda: customer(tmp_path))
    place, told = Customer(tmp_path), tmp_path / "told"
    killed, acts = 0, dict.fromkeys(ACTS, 0)
    while killed < DEATHS:
        act = ACTS[killed % len(ACTS)] if not LONG else chance.choice(ACTS)
        number, moment = chance.randrange(1, MOST_COMMITS), chance.choice(["before", "after"])
        with open(told, "ab", buffering=0) as file:
            dies = partial(live_and_die, place, act, number, moment, file.fileno())
            if forked(dies):
                killed += 1
                acts[act] += 1
        assert not forked(partial(check, place, acknowledged(told)))
    print(f"killed {killed} times: {acts}")
    assert not forked(partial(nothing_is_left_with_the_service, place))
    assert not forked(partial(check, place, acknowledged(told)))
