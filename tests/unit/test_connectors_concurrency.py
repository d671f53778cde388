"""Work that runs side by side ends together, and its errors are raised as they are."""

from __future__ import annotations

import asyncio

import pytest
from sealflow.connectors.concurrency import before, beside


async def forever(ended: list[str]) -> str:
    try:
        await asyncio.Event().wait()
        return "never"
    finally:
        ended.append("forever")


async def soon(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def failing() -> str:
    await asyncio.sleep(0)
    raise OSError("broken")


async def test_what_is_first_ends_the_other() -> None:
    ended: list[str] = []
    assert await before(forever(ended), soon("result")) == "result"
    assert ended == ["forever"]
    assert await before(soon("lapse"), forever(ended)) is None
    assert ended == ["forever", "forever"]


async def test_errors_are_those_of_the_work() -> None:
    ended: list[str] = []
    with pytest.raises(OSError, match="broken"):
        await before(forever(ended), failing())
    with pytest.raises(OSError, match="broken"):
        await before(failing(), forever(ended))
    assert ended == ["forever", "forever"]


async def test_work_beside_ends_with_the_body_and_with_the_task() -> None:
    ended: list[str] = []
    async with beside(forever(ended)):
        assert await soon("body") == "body"
    assert ended == ["forever"]

    async def body() -> None:
        async with beside(forever(ended)):
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(ended) == {"forever"}
