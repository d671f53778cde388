"""Migrations as the executor carries them out: here, for another process, after an interruption, at a fault."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.hosts.cli.commands.keys.migrating import OperationProgress, progress_text
from sealflow.engine.runtime.keys.operations import Keys
from sealflow.engine.runtime.workers.retry_backoff import LAST, Retries
from sealflow.storage import Operation, RecordNotFound, StoreBusy, Vault
from sealflow.storage.keys.providers.file import create_key

FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"A": {"type": "Compose", "inputs": "x", "runAfter": {}}},
}
OPERATION = Operation(b"o", "migrate", "Running", 0, 10_000, 0, 0)


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[tuple[sealflow.Engine, sealflow.Environment]]:
    async with sealflow.open(folder / "home", keystore=folder / "keys" / "k.json", **options) as engine:
        yield engine, await engine.environment("contoso")


@pytest.fixture
async def covered(tmp_path: Path) -> Path:
    """A folder with a run under the service's key, in an environment under a policy."""
    async with opened(tmp_path) as (_, env):
        [run] = await env.start(await env.deploy("f", FLOW))
        await run.result()
    create_key(tmp_path / "c.json", "main")
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
        acts = engine.administration("ann")
        await acts.create_policy("p", f"file:{tmp_path}/c.json#main")
        await acts.apply("p", "contoso")
    return tmp_path


async def moved(engine: sealflow.Engine) -> bool:
    """Whether everything is sealed by the customer's key."""
    status = await engine.environment_status("contoso")
    return {flow.domain for flow in status.flows} == {2} and set(status.runs) == {2}


async def test_it_is_done_here_and_told_of(covered: Path) -> None:
    async with opened(covered) as (engine, env):
        told: list[Operation] = []
        operation = await env.keys.begin_migration()
        ended = await env.keys.follow(operation, told.append)
        assert (ended.status, ended.id) == ("Succeeded", operation.id)
        assert told[-1] == ended == (await env.keys.operations())[0]
        assert await moved(engine)


async def test_what_is_under_way_is_not_begun_twice(covered: Path) -> None:
    async with opened(covered, resume=False) as (_, env):
        first, second = await env.keys.begin_migration(), await env.keys.begin_migration()
        assert first.id == second.id
        assert first.status == "Running"
        full = await env.keys.begin_migration(full=True)
        assert full.id != first.id
        assert [each.status for each in await env.keys.operations()] == ["Running", "Running"]
        await env.keys.follow(full)
        assert {each.status for each in await env.keys.operations()} == {"Succeeded"}


async def test_another_process_is_asked_and_followed(covered: Path) -> None:
    async with opened(covered) as (engine, worker):
        [run] = await worker.start("f")  # it executes the environment from now on
        await run.result()
        async with opened(covered) as (_, asking):
            operation = await asking.keys.begin_migration(full=True)
            assert (await asking.keys.follow(operation)).status == "Succeeded"
        assert await moved(engine)


async def test_an_interrupted_one_goes_on_with_the_next_executor(covered: Path) -> None:
    async with opened(covered, resume=False) as (_, env):
        operation = await env.keys.begin_migration()
    async with opened(covered, resume=False) as (engine, env):
        assert not await moved(engine)
        [run] = await env.start("f")
        await run.result()
        assert (await env.keys.follow(operation)).status == "Succeeded"
        assert await moved(engine)


async def test_what_is_begun_meanwhile_is_done_as_well(covered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate = Vault.migrate
    begun = asyncio.Event()

    async def slow(self: Vault, progress: Callable[[Operation], None] = lambda operation: None) -> None:
        begun.set()
        await migrate(self, progress)

    monkeypatch.setattr(Vault, "migrate", slow)
    async with opened(covered) as (_, env):
        first = await env.keys.begin_migration()
        await begun.wait()
        second = await env.keys.begin_migration(full=True)
        for operation in (first, second):
            assert (await env.keys.follow(operation)).status == "Succeeded"


async def test_a_fault_of_the_store_reaches_whoever_waits_and_leaves_the_rest_on_record(
    covered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(self: Vault, progress: Callable[[Operation], None] = lambda operation: None) -> None:
        raise StoreBusy("busy")

    monkeypatch.setattr(Retries, "after", lambda *_: LAST)  # not by itself while this looks
    async with opened(covered) as (engine, env):
        with monkeypatch.context() as patched:
            patched.setattr(Vault, "migrate", busy)
            operation = await env.keys.begin_migration()
            with pytest.raises(StoreBusy):
                await env.keys.follow(operation)
            assert [each.status for each in await env.keys.operations()] == ["Running"]
        again = await env.keys.begin_migration()
        assert again.id == operation.id
        assert (await env.keys.follow(again)).status == "Succeeded"
        assert await moved(engine)


async def test_what_has_stopped_is_tried_again_by_itself(covered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = 0
    migrate = Vault.migrate

    async def busy(self: Vault, progress: Callable[[Operation], None] = lambda operation: None) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise StoreBusy("busy")
        await migrate(self, progress)

    monkeypatch.setattr(Vault, "migrate", busy)
    monkeypatch.setattr(Retries, "after", lambda *_: 0)
    async with opened(covered) as (engine, env):
        await env.keys.begin_migration()
        async with asyncio.timeout(60):
            while [each.status for each in await env.keys.operations()] != ["Succeeded"]:
                await asyncio.sleep(0.01)  # the executor looks by itself
        assert attempts == 3
        assert await moved(engine)


async def test_an_operation_that_is_not_there(covered: Path) -> None:
    async with opened(covered) as (_, env):
        with pytest.raises(RecordNotFound):
            await env.keys.follow(OPERATION)


async def test_keys_are_reached_through_the_environment(covered: Path) -> None:
    async with opened(covered) as (_, env):
        assert isinstance(env.keys, Keys)


# ---- progress


def test_progress_tells_count_rate_and_what_is_left() -> None:
    assert progress_text(OPERATION, 0, 0.0) == "migrate: 0 of 10,000"
    assert progress_text(replace(OPERATION, done=512), 512, 4.0) == "migrate: 512 of 10,000, 128/s, 1 min 14 s left"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_over_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream, times = Terminal(), iter([0.0, 1.0])
    progress = OperationProgress(stream, now=lambda: next(times))
    progress.show(OPERATION)
    progress.show(replace(OPERATION, done=100))
    progress.end()
    progress.end()
    drawn = stream.getvalue().split("\r\x1b[K")
    assert drawn == ["", "migrate: 0 of 10,000", "migrate: 100 of 10,000, 100/s, 1 min 39 s left", ""]


def test_progress_is_a_line_now_and_then_elsewhere() -> None:
    stream, times = io.StringIO(), iter([0.0, 1.0, 2.5, 3.0])
    progress = OperationProgress(stream, now=lambda: next(times))
    for done in (0, 100, 250, 300):
        progress.show(replace(OPERATION, done=done))
    progress.end()
    assert stream.getvalue() == "migrate: 250 of 10,000, 100/s, 1 min 38 s left\n"
