"""Runs of flows that limit each other: several workers on PostgreSQL leave them to the one that leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import sealflow
from postgres_server import shared_server
from sealflow.engine.kernel.contract.timing import from_iso
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.environment.executor import Executor
from sealflow.engine.runtime.workers import polling

WAIT = {"type": "Wait", "inputs": {"interval": {"count": 20, "unit": "Second"}}}
LIMITS: list[dict[str, Any]] = [
    {"runtimeConfiguration": {"concurrency": {"runs": 3}}},
    {"operationOptions": "SingleInstance"},
]


def flow(**limit: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http", **limit}}, "actions": {"wait": WAIT}}


class Workers:
    """Engines on one PostgreSQL store, each of which stands for a process."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.clock = sealflow.VirtualClock(from_iso("2026-03-28T12:00:00Z"))
        self._folder = folder
        self._stack = stack

    async def open(self, **options: Any) -> tuple[Environment, Executor]:
        engine = await self._stack.enter_async_context(
            sealflow.open(self._folder / "home", keystore=self._folder / "k.json", clock=self.clock, **options)
        )
        if not [each for each in await engine.environments() if each.name == "env"]:
            await engine.create_environment("env", database=shared_server().url)
        env = await engine.environment("env")
        executor = await env._execute()
        assert executor is not None
        return env, executor


@pytest.fixture
async def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    monkeypatch.setattr(polling, "INBOX_PERIOD", 0.01)
    async with AsyncExitStack() as stack:
        yield Workers(tmp_path, stack)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("limit", LIMITS, ids=["concurrency", "single"])
async def test_the_worker_that_leads_has_them(workers: Workers, limit: dict[str, Any]) -> None:
    _, leader = await workers.open()
    assert await leader.lead()
    env, other = await workers.open()
    await env.deploy("limited", flow(**limit))
    await env.deploy("free", flow())
    (limited,) = await env.start("limited")
    (free,) = await env.start("free")
    await until(lambda: limited._id in leader.live)
    assert limited._id not in other.live
    assert free._id in other.live


async def test_a_worker_without_room_does_not_look_again_and_again(workers: Workers) -> None:
    env, executor = await workers.open(concurrency=1)
    await workers.open()
    await env.deploy("free", flow())
    await env.start("free")
    await until(lambda: len(executor.live) == 1)
    async with asyncio.timeout(30):
        await executor.claims.look()
    assert len(executor.live) == 1
