"""Clocks: the machine's, and the one that tests turn."""

from __future__ import annotations

import asyncio
import time

import pytest
from sealflow.engine.runtime.workers.clock import Clock, SystemClock, VirtualClock

SECOND = 10_000_000


def test_both_are_clocks() -> None:
    made: list[Clock] = [SystemClock(), VirtualClock()]
    assert all(isinstance(each.now(), int) for each in made)


async def test_the_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time() * SECOND) < SECOND
    await clock.sleep_until(clock.now() - 1)
    due = clock.now() + SECOND // 1000
    await clock.sleep_until(due)
    assert clock.now() >= due


async def test_a_long_sleep_is_made_of_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    now = [0]

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        now[0] += round(seconds * SECOND)

    monkeypatch.setattr(time, "time_ns", lambda: now[0] * 100)
    monkeypatch.setattr(asyncio, "sleep", nap)
    await SystemClock().sleep_until(70 * SECOND)
    assert naps == [30, 30, 10]


async def test_a_virtual_clock_moves_by_hand() -> None:
    clock = VirtualClock(100)
    woken: list[tuple[int, int]] = []

    async def sleeper(due: int) -> None:
        await clock.sleep_until(due)
        woken.append((due, clock.now()))

    tasks = [asyncio.ensure_future(sleeper(due)) for due in (300, 200, 100, 200)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == [(100, 100)]
    assert clock.next_due == 200
    clock.advance(99)
    assert (clock.now(), clock.next_due) == (199, 200)
    clock.advance_to(250)
    await asyncio.sleep(0)
    assert woken[1:] == [(200, 250), (200, 250)]
    clock.advance_to(10)
    assert clock.now() == 250
    tasks[0].cancel()
    await asyncio.sleep(0)
    assert clock.next_due is None
    clock.advance(1000)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(woken) == 3


async def test_a_jumping_clock_moves_by_itself() -> None:
    clock = VirtualClock(jumps=True)
    order: list[str] = []

    async def sleeper(name: str, *pauses: int) -> None:
        for pause in pauses:
            await clock.sleep_until(clock.now() + pause)
            order.append(f"{name}@{clock.now()}")

    await asyncio.gather(sleeper("a", 3600 * SECOND, 5), sleeper("b", 10, 10), sleeper("c", 15))
    assert order == ["b@10", "c@15", "b@20", "a@36000000000", "a@36000000005"]
