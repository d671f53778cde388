"""A large answer that comes in while the environment is locked: nothing of it is half there, and the call is made again
with its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from revocable import Revocable, revocable
from sealflow import Call, ConnectorResponse
from sealflow.connectors import Services
from sealflow.connectors.port import Recovery

S = ["Succeeded"]
PIECES = 12
PIECE = b"piece " * 20_000


class Streaming:
    """Gives a large text, and waits in the middle of it the first time."""

    recovery: Recovery = "keyed"
    streams = True

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.midway = asyncio.Event()
        self.go_on = asyncio.Event()

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        self.keys.append(call.key)
        first = len(self.keys) == 1

        async def pieces() -> AsyncIterator[bytes]:
            for number in range(PIECES):
                if first and number == PIECES // 2:
                    self.midway.set()
                    await self.go_on.wait()
                yield PIECE

        assert services.content is not None
        value: Any = await services.content.keep(pieces(), text=True)
        return ConnectorResponse(200, {}, value)


FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "call": {"type": "Http", "inputs": {"method": "GET", "uri": "https://example.org/"}},
        "size": {"type": "Compose", "inputs": "@length(body('call'))", "runAfter": {"call": S}},
    },
}


async def begun(world: Revocable, service: Streaming) -> Any:
    (run,) = await world.env.start(await world.env.deploy("f", FLOW))
    await service.midway.wait()
    return run


@pytest.mark.parametrize("when", ["while it is locked", "after it was unlocked", "in another lock"])
async def test_the_call_is_made_again(tmp_path: Path, when: str) -> None:
    service = Streaming()
    async with revocable(tmp_path, {"http": service}) as world:
        run = await begun(world, service)
        await world.lock()
        if when == "while it is locked":
            service.go_on.set()
            for _ in range(20):
                await asyncio.sleep(0)
        await world.unlock()
        if when == "in another lock":
            await world.lock()
            service.go_on.set()
            await world.unlock()
        service.go_on.set()
        result = await run.result(60)
        assert (result.status, result.actions[-1]["outputs"]) == ("Succeeded", PIECES * len(PIECE))
        assert len(set(service.keys)) == 1
        assert len(service.keys) == 2
        vault = world.env._vault
        await vault.flush()
        (row,) = [row for row in await vault._backend.values.of_run(run._id) if row.settled]
        await vault.sweep_values(run_id=run._id)
        assert await vault._backend.values.of_run(run._id) == [row]
        assert (await run.result()).actions[0]["outputs"]["body"] == (PIECES * PIECE).decode()
