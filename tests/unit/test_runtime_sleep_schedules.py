"""Runs that sleep, under schedules drawn by chance: waits, children, callbacks, cancels, watchers and restarts come
between any two steps of falling asleep and waking. What has to come of each run is known beforehand; nobody may need
a later event to be looked at.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.runs.claims import Claims, Pins
from sleep_schedule import FLOWS, MOST_STEPS, START, Schedule, lost, settled, statuses


@pytest.mark.parametrize("seed", range(6))
async def test_no_order_of_events_loses_a_run(tmp_path: Path, seed: int) -> None:
    schedule = Schedule(tmp_path, seed)
    ids: list[str] = []
    for opened in range(2):
        async with schedule.open() as env:
            if not opened:
                for name, definition in FLOWS.items():
                    await env.deploy(name, definition)
                for _ in range(4):
                    for name in ("waits", "parent", "hook"):
                        (run,) = await env.start(name)
                        ids.append(run.id)
                        schedule.expected[run.id] = "Failed" if name == "hook" else "Succeeded"
            await schedule.play(env, {each: await env.run(each) for each in ids})
    async with schedule.open() as env:
        executor = env._executor
        assert executor is not None
        async with asyncio.timeout(60):
            for _ in range(MOST_STEPS):
                await settled(env, schedule.clock)
                assert lost(tmp_path, executor.live) == []
                found = await statuses(env)
                if not set(found.values()) & {"Running", "Waiting"}:
                    break
                schedule.clock.advance(61 * SECOND)
        assert {each: found[each] for each in schedule.expected} == schedule.expected
        assert executor.live == {}
        assert (executor.claims._told, executor.admission._flows) == ({}, {})


# ---- looks that cross


class _Store:
    """What claims ask of the store, answered when the test lets them."""

    shared = paused = False
    leads = True

    def __init__(self) -> None:
        self.ready: list[bytes] = []
        self.next: int | None = None
        self.looks = 0
        self.let = asyncio.Event()
        self.asked = asyncio.Event()
        self.let_next = asyncio.Event()
        self.asked_next = asyncio.Event()

    async def claim(self, limit: int, now_ms: int, without: Any, *, here: Any) -> list[bytes]:
        self.looks += 1
        found, self.ready = self.ready, []
        self.asked.set()
        await self.let.wait()
        return found

    async def signalled(self) -> list[bytes]:
        return []

    async def next_wake(self) -> int | None:
        found = self.next
        self.asked_next.set()
        await self.let_next.wait()
        return found


class _Executor:
    def __init__(self) -> None:
        self.store = _Store()
        self.live: dict[bytes, Any] = {}
        self.clock = sealflow.VirtualClock(START)
        self.resumed: list[bytes] = []

    @property
    def vault(self) -> Any:
        return self

    @property
    def workers(self) -> Any:
        return self.store

    @property
    def queue(self) -> Any:
        return self

    alone = False

    async def take(self) -> bool:
        return False

    wanted = False

    def with_room(self) -> list[bytes]:
        return []

    async def resume(self, run_id: bytes, *, ending: bool) -> None:
        self.resumed.append(run_id)


async def test_who_asks_for_a_look_during_one_gets_another() -> None:
    executor = _Executor()
    claims = Claims(executor, 10, Pins())  # type: ignore[arg-type]
    claims.active = True
    executor.store.let_next.set()
    first = asyncio.ensure_future(claims.look())
    await executor.store.asked.wait()  # it has found nothing
    executor.store.ready = [b"told"]
    claims.look_soon()
    executor.store.let.set()
    await first
    await asyncio.gather(*claims._looks)
    assert executor.resumed == [b"told"]
    assert executor.store.looks == 2
    await claims.close()


async def test_who_falls_asleep_during_a_look_is_not_forgotten() -> None:
    executor = _Executor()
    claims = Claims(executor, 10, Pins())  # type: ignore[arg-type]
    claims.active = True
    executor.store.let.set()
    executor.store.next = START // 10_000 + 90_000
    look = asyncio.ensure_future(claims.look())
    await executor.store.asked_next.wait()  # the store has been read
    claims.asleep(START + 60 * SECOND)
    executor.store.let_next.set()
    await look
    assert claims._next == START // 10_000 + 60_000
    await claims.close()


async def test_what_only_another_worker_may_take_is_not_asked_for_again_and_again() -> None:
    executor = _Executor()
    executor.store.shared, executor.store.next = True, START // 10_000 - 1
    executor.store.let.set()
    executor.store.let_next.set()
    claims = Claims(executor, 10, Pins())  # type: ignore[arg-type]
    await claims.begin()
    for _ in range(100):
        await asyncio.sleep(0)
    assert executor.store.looks == 1
    executor.clock.advance(SECOND)
    for _ in range(100):
        await asyncio.sleep(0)
    assert executor.store.looks == 2
    await claims.close()
