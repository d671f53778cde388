"""A key is revoked while a flow blocks the event loop. The thread of the key guard drops the keys in time."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
import sealflow
from revocable import GRACE, NAME, PROBE, Revocable, revocable
from sealflow.connectors import ConnectorResponse
from sealflow.engine.runtime.keys.guard import LEAD, PERIOD, SLACK
from sealflow.storage import EnvironmentLocked, EnvironmentSuspended
from sealflow.storage.format.envelope import EnvironmentKey, ScopeKey

FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "call": {"type": "Http", "inputs": {"method": "POST", "uri": "https://example.org/", "body": "x"}},
        "last": {"type": "Compose", "inputs": "@body('call')", "runAfter": {"call": ["Succeeded"]}},
    },
}


class Service:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.answer = asyncio.Event()
        self.keys: set[str] = set()

    async def __call__(self, call: sealflow.Call) -> ConnectorResponse:
        self.keys.add(call.key)
        self.called.set()
        await self.answer.wait()
        return ConnectorResponse(200, {}, {"answer": 42})


async def _begun(world: Revocable, service: Service) -> Any:
    (run,) = await world.env.start(await world.env.deploy("f", FLOW))
    await service.called.wait()
    return run


def _usable_keys(world: Revocable) -> list[object]:
    """The key objects in memory that still seal or open something of the environment."""
    environment = bytes.fromhex(world.env.id)
    found: list[object] = []
    for key in gc.get_objects():
        if type(key) is ScopeKey and key.environment == environment:
            place = key.place(1, b"r" * 16)
            try:
                key.seal(place, 1, 1, b"x")
            except EnvironmentLocked:
                try:
                    key.seal_page(place, 1, b"x", bytes(32))
                except EnvironmentLocked:
                    continue
            found.append(key)
        elif type(key) is EnvironmentKey and key.environment == environment:
            try:
                key.payload()
            except EnvironmentLocked:
                continue
            found.append(key)
    return found


async def test_a_revocation_while_a_flow_computes(tmp_path: Path, database: str | None) -> None:
    """The owner revokes the key while a computation blocks the event loop for minutes. All keys in memory are unusable
    within the probe time plus two seconds, although the computation continues.
    """
    service = Service()
    async with revocable(tmp_path, {"http": service}, database=database) as world:
        run = await _begun(world, service)
        assert _usable_keys(world)
        world.disable()
        world.while_busy(PROBE - LEAD)  # denied once
        assert _usable_keys(world)
        world.while_busy(2)
        assert not _usable_keys(world)
        await world.noticed()
        await world.refused(run.snapshot())
        assert (await world.engine.environment_status(NAME)).state.lock is not None
        world.enable()
        await world.unlock()
        service.answer.set()
        assert (await run.result()).status == "Succeeded"
        assert len(service.keys) == 1


async def test_an_administrator_locks_while_a_flow_computes(tmp_path: Path, database: str | None) -> None:
    """Another process locks the environment while a computation blocks the event loop. All keys in memory are unusable
    at the next check, within two seconds.
    """
    service = Service()
    async with revocable(tmp_path, {"http": service}, database=database) as world:
        run = await _begun(world, service)
        await world.look()
        await world.admin.lock(NAME)
        world.while_busy(PERIOD + SLACK)
        assert not _usable_keys(world)
        await world.noticed()
        await world.refused(run.snapshot())
        await world.unlock()
        service.answer.set()
        assert (await run.result()).status == "Succeeded"


async def test_an_outage_that_ends_its_grace_while_a_flow_computes(tmp_path: Path) -> None:
    """The key store is unreachable for longer than the grace time while a computation blocks the event loop. The keys
    are dropped at the end of the grace time, and the environment is suspended.
    """
    async with revocable(tmp_path) as world:
        world.lose()
        world.while_busy(PROBE, GRACE - PROBE - 1)
        assert _usable_keys(world)
        world.while_busy(1)
        assert not _usable_keys(world)
        await world.noticed()
        await world.refused(world.env.flows(), EnvironmentSuspended)
        world.find()
        await world.after(PROBE)
        assert await world.env.flows() == []


async def test_what_is_computed_after_the_bound_is_not_written(tmp_path: Path, database: str | None) -> None:
    """The owner revokes the key, and nothing in the process runs before the time limit, not even the thread of the
    guard. A later result waits for the answer of the key store, and is not written if the key is denied.
    """
    service = Service()
    async with revocable(tmp_path, {"http": service}, database=database) as world:
        run = await _begun(world, service)
        vault = world.env._access.vault
        world.disable()
        world.clock.at += PROBE + 2.1
        service.answer.set()
        while vault._journal.pending_bytes == 0 and world.env._watch._asking is None:  # queued, or held already
            await asyncio.sleep(0)
        written = vault.commits
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(vault.flush(), 0.01)
        await world.after(2)
        await world.refused(run.snapshot())
        assert vault.commits == written


async def test_a_process_closes_while_a_commit_waits_for_the_key(tmp_path: Path) -> None:
    """The owner revokes the key, and the process closes while a result waits for the second answer of the key store.
    The process ends, and the result is not written.
    """
    service = Service()
    async with revocable(tmp_path, {"http": service}) as world:
        await _begun(world, service)
        vault = world.env._access.vault
        await vault.flush()
        written = vault.commits
        world.disable()
        world.clock.at += PROBE + 2.1
        service.answer.set()
        while not world.env._watch.denied:
            await asyncio.sleep(0)
    assert vault.commits == written


async def test_a_loop_that_answers_is_not_asked_twice(tmp_path: Path) -> None:
    """No attack: while the event loop is not busy, the guard does not contact the key store, which would double its
    load.
    """
    async with revocable(tmp_path) as world:
        world.disable()
        for seconds in (PROBE, 2.0, PROBE):
            world.clock.at += seconds
            await world.env._watch.guard.tend()
        assert _usable_keys(world)
        assert not world.env._watch.denied
