"""A new version of the customer's key is picked up by whoever executes the environment, without anybody's doing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from customer_keys import CountedKeys, counted
from makers import compose, flow
from revocable import NAME, HandClock, Revocable, change, revocable
from sealflow.engine.runtime.keys.watch import FOLLOW
from sealflow.storage import KeyUnavailable
from sealflow.storage.keys.providers.file import FileKeys, add_version, create_key, disable_key, uri_of


def wrapped_by(world: Revocable) -> set[bytes]:
    """The versions of the customer's key that wrap environment keys."""
    return {kek for (kek,) in change(world, "SELECT kek FROM environment_keys WHERE domain > 1")}


def asked(calls: list[CountedKeys]) -> list[str]:
    """What the key store was asked since the last time."""
    found = [call for each in calls for call in each.calls]
    for each in calls:
        each.calls.clear()
    return found


def sealed(world: Revocable) -> list[Any]:
    """All that the environment's key wraps or a scope's key seals, but for what tells of acts."""
    return change(world, "SELECT wrapped FROM keys WHERE kind IN (1, 2) UNION ALL SELECT record FROM pages")


async def ran(world: Revocable) -> None:
    """The process executes the environment."""
    await world.env.deploy("f", flow(c=compose(1)))
    (run,) = await world.env.start("f")
    assert (await run.result()).status == "Succeeded"


async def test_a_new_version_is_picked_up_in_the_background(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        await ran(world)
        first, before = wrapped_by(world), sealed(world)
        calls = counted(world.engine.store)
        await world.env._watch.follow()
        assert wrapped_by(world) == first
        assert asked(calls) == []  # its own provider was there before, and asked once for its version
        add_version(world.keys, "main")
        await world.env._watch.follow()
        newest = wrapped_by(world)
        assert len(newest) == 1
        assert newest != first
        # The one environment key is unwrapped, wrapped and looked at: nothing by the number of flows, runs or records.
        assert sorted(set(asked(calls))) == ["unwrap", "wrap"]
        assert sealed(world) == before
        for _ in range(2):  # before this process has seen it, and after that
            await world.env._watch.follow()
            assert "wrap" not in asked(calls)
            await world.look()
            await world.after(0)
        await ran(world)
        assert [run.status for run in await world.env.runs()] == ["Succeeded"] * 2
        acts = [act async for act in world.admin.audit.acts() if act.kind == "key rotate"]
        assert [(act.actor, act.status) for act in acts] == [("sealflow", "Running"), ("sealflow", "Succeeded")]


async def test_what_it_costs_does_not_follow_from_how_much_there_is(tmp_path: Path) -> None:
    counts = []
    for runs in (1, 12):
        async with revocable(tmp_path / str(runs)) as world:
            for _ in range(runs):
                await ran(world)
            calls = counted(world.engine.store)
            add_version(world.keys, "main")
            await world.env._watch.follow()
            counts.append(len(asked(calls)))
    assert counts[0] == counts[1] <= 4


async def test_who_does_not_execute_changes_nothing_and_a_refusal_is_the_probe_s(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        first = wrapped_by(world)
        add_version(world.keys, "main")
        await world.env._watch.follow()  # this process has executed nothing
        assert wrapped_by(world) == first
        await ran(world)
        await world.lock()
        await world.env._watch.follow()
        assert wrapped_by(world) == first
        await world.unlock()
        disable_key(world.keys, "main")
        await world.env._watch._quietly(world.env._watch.follow)
        assert wrapped_by(world) == first
        assert not world.env._access.locked


async def test_a_recovery_key_that_is_not_given_stands_in_no_new_version_s_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with revocable(tmp_path) as world:
        create_key(world.keys, "spare")
        await world.admin.create_policy("safe", uri_of(world.keys, "main"), recovery=uri_of(world.keys, "spare"))
        await world.admin.apply("safe", NAME)
        await world.look()
        await world.after(0)
        await ran(world)
        first = wrapped_by(world)
        disable_key(world.keys, "spare")
        add_version(world.keys, "main")
        await world.env._watch.follow()
        assert wrapped_by(world).isdisjoint(first)
        assert "recovery copies were not made anew: their key is not given (KeyDenied)" in caplog.text


async def test_a_rotation_that_fails_is_told_of_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with revocable(tmp_path) as world:
        await ran(world)
        first = wrapped_by(world)
        add_version(world.keys, "main")

        async def unavailable(*_: Any) -> Any:
            raise KeyUnavailable("No answer.")

        with monkeypatch.context() as patch:
            patch.setattr(FileKeys, "wrap", unavailable)
            await world.env._watch.follow()
        assert wrapped_by(world) == first
        assert "could not go over to a new version of the key above: KeyUnavailable" in caplog.text
        operation = (await world.engine.environment_status(NAME)).operations[-1]
        assert (operation.kind, operation.status, operation.error) == ("rotate", "Failed", "KeyUnavailable")
        assert not world.env._access.locked
        await world.env._watch.follow()
        assert wrapped_by(world).isdisjoint(first)


async def test_it_happens_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that opens an environment looks once an hour of its clock."""
    waited: list[float] = []
    real = HandClock.sleep_until

    async def sleep_until(self: HandClock, due: float) -> None:
        waited.append(due - self.now())
        await real(self, due)

    monkeypatch.setattr(HandClock, "sleep_until", sleep_until)
    async with revocable(tmp_path):
        while len(waited) < 3:
            await asyncio.sleep(0)
        assert FOLLOW in waited
        assert FOLLOW <= 24 * 3600
