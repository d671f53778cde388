"""Rows of completed requests and callbacks are put back. Each request counts once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sealflow
from attacked_store import AttackedStore, Row
from customer_keys import ENVIRONMENT
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import IntegrityError, Vault

CALLBACK = 1


async def _accepted(attacked: AttackedStore, run: bytes, value: object) -> None:
    """Let a locked environment accept an item, then unlock it."""
    async with attacked.keys.administration() as administration:
        await administration.lock(ENVIRONMENT)
    store = await attacked.keys.store()
    try:
        async with await store.sealed_inbox(ENVIRONMENT) as inbox:
            await inbox.accept(CALLBACK, run, {"value": value})
    finally:
        await store.close()
    async with attacked.keys.administration() as administration:
        await administration.unlock(ENVIRONMENT)


async def _drain(vault: Vault) -> list[object]:
    items = await vault.inbox_items(100)
    for item in items:
        vault.sealed_items.consume(item.place)
    await vault.flush()
    await vault.renew_inbox(drained=bool(items))
    return [item.value for item in items]


async def _drained(attacked: AttackedStore, *tables: str) -> dict[str, list[Row]]:
    """An item is accepted during a lock and carried out after it; these tables as they were in between."""
    run = b"r" * 16
    async with attacked.keys.vault() as vault:
        flow = await vault.put_flow("flow", {"v": 1})
        vault.create_run(run, flow.flow_id, 1, 5, {"s": 1}, status=1)
        vault.sealed_items.expect(run, b"token")
        await vault.sealed_items.renew()
        await vault.flush()
    await _accepted(attacked, run, 7)
    copy = await attacked.copy(*tables)
    async with attacked.keys.vault() as vault:
        assert await _drain(vault) == [{"value": 7}]
    return copy


async def test_a_drained_item_of_the_locked_environment_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back an item that a locked environment accepted and that was carried out later. It does not open,
    because the inbox key was replaced when the inbox was processed.
    """
    await attacked.put_back(await _drained(attacked, "sealed_inbox"))
    async with attacked.keys.vault() as vault:
        assert await _drain(vault) == []


async def test_a_drained_item_is_put_back_with_its_inbox_key(attacked: AttackedStore) -> None:
    """The writer puts back such an item together with its inbox key. Both are refused, because the scope key of that
    inbox key is gone.
    """
    await attacked.put_back(await _drained(attacked, "sealed_inbox", "inbox_keys"))
    async with attacked.keys.vault() as vault:
        with pytest.raises(IntegrityError, match="The key of the sealed inbox was altered or planted"):
            await vault.inbox_items(100)


FLOW: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"told": {"type": "Compose", "inputs": "@triggerBody()"}},
}


@asynccontextmanager
async def _environment(attacked: AttackedStore) -> AsyncIterator[tuple[sealflow.Engine, Environment]]:
    """The environment in a process of its own, which executes its runs."""
    async with sealflow.open(attacked.keys.home, keystore=attacked.keys.keystore) as engine:
        env = await engine.environment(ENVIRONMENT)
        yield engine, env


async def _take(env: Environment) -> None:
    executor = await env._execute()
    assert executor is not None
    await executor.take_inbox()
    await env._vault.flush()


async def test_a_start_that_was_kept_during_a_lock_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back a start that a locked environment accepted and that was carried out later, with its inbox
    key and all scope keys of that time. No second run starts.
    """
    async with _environment(attacked) as (engine, env):
        admin = engine.administration("ada")
        flow = await env.deploy("f", FLOW)
        await _take(env)
        await admin.lock(ENVIRONMENT)
        await env._watch.look()
        started = await env.start(flow, {"n": 1})
        assert started.queued
        copy = await attacked.copy("sealed_inbox", "inbox_keys", "keys")
        await admin.unlock(ENVIRONMENT)
        await env._watch.look()
        if (retaking := env._watch._retaking) is not None:
            await retaking
        await _take(env)
        (run,) = await env.runs()
        assert (await (await env.run(run.id)).result(timeout=60)).status == "Succeeded"
    now = {row["scope"]: row for row in await attacked.rows("keys")}
    for table in ("sealed_inbox", "inbox_keys"):
        await attacked.put_back({table: copy[table]})
    for row in copy["keys"]:
        if row["scope"] not in now:
            await attacked.insert("keys", row)
    async with _environment(attacked) as (_, env):
        await _take(env)
        assert [each.id for each in await env.runs()] == [run.id]


async def _nobody() -> None:
    return None


async def test_a_start_of_another_process_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back a request to start a run that was carried out, with its key. The run exists and does not
    start again.
    """
    async with _environment(attacked) as (_, env):
        flow = await env.deploy("f", FLOW)
        executor = await env._execute()
        assert executor is not None
        with pytest.MonkeyPatch.context() as patch:  # another process has no executor, and leaves its starts
            patch.setattr(env, "_execute", _nobody)
            (run,) = await env.start(flow, {"n": 1})
        copy = await attacked.copy("inbox", "keys")
        await _take(env)
        assert (await (await env.run(run.id)).result(timeout=60)).status == "Succeeded"
    assert await attacked.rows("inbox") == []
    now = {row["scope"] for row in await attacked.rows("keys")}
    for row in copy["keys"]:
        if row["scope"] not in now:
            await attacked.insert("keys", row)
    await attacked.put_back({"inbox": copy["inbox"]})
    async with _environment(attacked) as (_, env):
        await _take(env)
        assert [each.id for each in await env.runs()] == [run.id]
    assert await attacked.rows("inbox") == []
