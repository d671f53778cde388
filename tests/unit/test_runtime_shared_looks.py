"""One look for all who want it at the same moment, as fresh for each as one of his own."""

from __future__ import annotations

import asyncio

import pytest
from sealflow.engine.runtime.workers.coalesced_reads import SharedLooks

KEY = b"k"


class Store:
    """Answers a look with what it had when the look began, as soon as the gate is open."""

    def __init__(self) -> None:
        self.value = 0
        self.looks = 0
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def look(self, key: bytes) -> tuple[bytes, int]:
        self.looks += 1
        seen = self.value
        self.begun.set()
        await self.gate.wait()
        if seen < 0:
            raise ValueError(seen)
        return key, seen


async def test_all_who_ask_before_a_look_begins_share_it() -> None:
    store = Store()
    looks = SharedLooks(store.look)
    store.gate.set()
    assert await asyncio.gather(*(looks.at(KEY) for _ in range(10))) == [(KEY, 0)] * 10
    assert store.looks == 1
    assert await asyncio.gather(*map(looks.at, (b"a", b"b"))) == [(b"a", 0), (b"b", 0)]
    assert not looks._next
    assert not looks._turns


async def test_who_asks_during_a_look_sees_what_was_there_when_he_asked() -> None:
    store = Store()
    looks = SharedLooks(store.look)
    early = asyncio.create_task(looks.at(KEY))
    await store.begun.wait()
    store.value = 1
    late = [asyncio.create_task(looks.at(KEY)) for _ in range(10)]
    await asyncio.sleep(0)
    store.gate.set()
    assert await early == (KEY, 0)
    assert await asyncio.gather(*late) == [(KEY, 1)] * 10
    assert store.looks == 2


async def test_an_error_is_told_to_all_of_them_and_the_next_look_is_another() -> None:
    store = Store()
    looks = SharedLooks(store.look)
    store.gate.set()
    store.value = -1
    told = await asyncio.gather(*(looks.at(KEY) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in told] == [ValueError] * 3
    store.value = 2
    assert await looks.at(KEY) == (KEY, 2)


async def test_who_is_cancelled_cancels_nobody_else() -> None:
    store = Store()
    looks = SharedLooks(store.look)
    first, second = (asyncio.create_task(looks.at(KEY)) for _ in range(2))
    await store.begun.wait()
    first.cancel()
    store.gate.set()
    assert await second == (KEY, 0)
    with pytest.raises(asyncio.CancelledError):
        await first
