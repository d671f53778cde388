"""Bringing a run back reads what is stored of it once: from its snapshot on, else from the first record."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import wait
from sealflow.engine.kernel.cloud.history import snapshot
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import Page, RunReader, TamperedHistory
from sealflow.storage.backends.reading.keys import KeyReads
from sealflow.storage.backends.reading.runs import ValueReads
from sealflow.storage.backends.sqlite.stores.runs import SQLiteRuns
from sealflow.storage.stores.runs.history import Chain

START = 17_000_000_000_000_000
ID = "run"
CALLS = 6


def call(number: int, **more: Any) -> dict[str, Any]:
    after = {f"c{number - 1}": ["Succeeded"]} if number else {}
    host = {"connection": {"name": "@parameters('$connections')['echo']['connectionId']"}}
    inputs = {"host": host, "method": "post", "path": "/", "body": number}
    return {"type": "ApiConnection", "inputs": inputs, "runAfter": after, **more}


def flow(**actions: Any) -> dict[str, Any]:
    calls = {f"c{number}": call(number) for number in range(CALLS)}
    trigger = {"manual": {"type": "Request", "kind": "Http"}}
    return {"parameters": {"$connections": {"type": "Object"}}, "triggers": trigger, "actions": calls | actions}


SHORT = wait(29, f"c{CALLS - 1}")
"""It keeps the run in memory, so nothing but its records is stored when the process ends."""
LONG = wait(3600, f"c{CALLS - 1}")


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = sealflow.VirtualClock(START)
        self.answered = 0

    async def _echo(self, asked: sealflow.Call) -> Any:
        self.answered += 1
        return asked.inputs

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Environment]:
        home, keystore = self.folder / "home", self.folder / "k" / "k.json"
        async with sealflow.open(home, keystore=keystore, clock=self.clock) as engine:
            engine.connectors.register("echo", self._echo)
            yield await engine.environment("env")

    async def begin(self, definition: dict[str, Any], holds: Callable[[Environment], bool]) -> str:
        """Start a run and leave it when this holds."""
        async with self.open() as env:
            await env.deploy("f", definition)
            (run,) = await env.start("f", parameters={"$connections": {"echo": {"connectionId": "echo"}}})
            await until(lambda: holds(env))
            await env._vault.flush()
            return run.id


class Reads:
    """How often the store was asked for something of a run, how many pages that gave, and how many were opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self.pages = self.opened = 0
        for kind, method, name in (
            (KeyReads, "generations", "keys"),
            (SQLiteRuns, "get", "run"),
            (SQLiteRuns, "snapshot", "snapshot"),
            (SQLiteRuns, "pages", "pages"),
            (ValueReads, "of_run", "values"),
        ):
            monkeypatch.setattr(kind, method, self._counting(name, getattr(kind, method)))
        opening = Chain.open

        def opened(chain: Chain, row: Any) -> Page:
            self.opened += 1
            return opening(chain, row)

        monkeypatch.setattr(Chain, "open", opened)

    def _counting(self, name: str, of: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*given: Any) -> Any:
            found = await of(*given)
            self.asked[name] += 1
            if name == "pages":
                self.pages += len(found)
            return found

        return counted


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


def live(env: Environment) -> dict[bytes, Any]:
    return {} if env._executor is None else env._executor.live


async def stored(env: Environment, run: str) -> list[Page]:
    return [page async for page in env._vault.read_run(bytes.fromhex(run.replace("-", "")))]


async def brought_back(env: Environment) -> None:
    executor = await env._execute()
    assert executor is not None
    await until(lambda: bool(executor.live))


async def ended(world: World, env: Environment, run: str, seconds: int) -> None:
    found = await env.run(run)
    world.clock.advance(seconds * SECOND)
    assert (await found.result()).status == "Succeeded"
    assert world.answered >= CALLS


async def test_a_run_that_was_cut_off_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await world.begin(flow(w=SHORT), lambda env: world.answered == CALLS)
    async with world.open() as env:
        pages = await stored(env, run)
        reads = Reads(monkeypatch)
        await brought_back(env)
        assert len(pages) > CALLS
        assert (reads.pages, reads.opened) == (len(pages), len(pages))
        # Twice its keys and its row: to find the plan, and when the run is this executor's.
        assert reads.asked == {"pages": 1, "snapshot": 1, "values": 1, "keys": 2, "run": 2}
        await ended(world, env, run, 30)
        assert world.answered == CALLS


async def test_a_run_that_sleeps_is_read_from_its_snapshot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await world.begin(flow(w=LONG), lambda env: world.answered == CALLS and not live(env))
    async with world.open() as env:
        await env._execute()
        assert live(env) == {}
        reads = Reads(monkeypatch)
        executor = env._executor
        assert executor is not None
        world.clock.advance(3600 * SECOND)
        await until(lambda: reads.asked["values"] > 0)
        assert (reads.pages, reads.opened) == (0, 0)
        assert (reads.asked["snapshot"], reads.asked["pages"]) == (1, 1)
        await ended(world, env, run, 1)
        assert world.answered == CALLS


async def test_what_came_after_the_snapshot_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    later = call(0, runAfter={"w": ["Succeeded"]})
    run = await world.begin(
        flow(w=LONG, d=later, v=wait(29, "d")), lambda env: world.answered == CALLS and not live(env)
    )
    async with world.open() as env:
        before = len(await stored(env, run))
        await env._execute()
        world.clock.advance(3600 * SECOND)
        await until(lambda: world.answered == CALLS + 1)
    async with world.open() as env:
        pages = len(await stored(env, run))
        reads = Reads(monkeypatch)
        await brought_back(env)
        assert pages > before
        assert reads.pages == reads.opened == pages - before
        assert reads.asked["pages"] == reads.asked["snapshot"] == 1
        await ended(world, env, run, 30)
        assert world.answered == CALLS + 1


async def test_a_snapshot_of_no_use_costs_the_history_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await world.begin(flow(w=LONG), lambda env: world.answered == CALLS and not live(env))
    monkeypatch.setattr(snapshot, "FORMAT", -1)  # it was taken by another release
    async with world.open() as env:
        pages = len(await stored(env, run))
        await env._execute()
        reads = Reads(monkeypatch)
        world.clock.advance(3600 * SECOND)
        await until(lambda: reads.asked["values"] > 0)
        assert (reads.pages, reads.opened, reads.asked["pages"]) == (pages, pages, 1)
        await ended(world, env, run, 1)
        assert world.answered == CALLS


async def test_an_opening_that_has_to_begin_anew_makes_the_state_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await world.begin(flow(w=SHORT), lambda env: world.answered == CALLS)
    reading, failed = RunReader.pages, list[str]()

    async def once_broken(reader: RunReader) -> AsyncIterator[Page]:
        async for page in reading(reader):
            yield page
            if not failed:
                failed.append(run)
                raise TamperedHistory("its key is another one by now.", run=run, seq=page.seq)

    async with world.open() as env:
        monkeypatch.setattr(RunReader, "pages", once_broken)
        await brought_back(env)
        assert failed
        await ended(world, env, run, 30)
        assert world.answered == CALLS


async def test_a_history_that_does_not_verify_brings_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await world.begin(flow(w=SHORT), lambda env: world.answered == CALLS)
    opening, opened = Chain.open, list[int]()

    def altered(chain: Chain, row: Any) -> Page:
        if row.seq not in opened:
            opened.append(row.seq)
        if opened.index(row.seq) == 3:  # whenever it is read
            row = row._replace(record=row.record[:-1] + bytes([row.record[-1] ^ 1]))
        return opening(chain, row)

    monkeypatch.setattr(Chain, "open", altered)
    async with world.open() as env:
        executor = await env._execute()
        assert executor is not None
        with pytest.raises(TamperedHistory):
            await executor.resume(bytes.fromhex(run.replace("-", "")))
        assert live(env) == {}
    assert world.answered == CALLS
