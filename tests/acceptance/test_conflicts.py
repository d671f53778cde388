"""A commit that fails for a row of one thing: the runs that shared it are brought back and end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import sealflow
from chaos_worker import Fast
from postgres_server import shared_server
from revocable import revocable
from sealflow.storage import Batch, Conflict

S = ["Succeeded"]
CALL = {"type": "Http", "inputs": {"method": "POST", "uri": "https://example.org/", "body": "@triggerBody()"}}
FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "first": {"type": "Compose", "inputs": 1},
        "call": {**CALL, "runAfter": {"first": S}},
        "last": {"type": "Compose", "inputs": "@body('call')", "runAfter": {"call": S}},
    },
}


class Service:
    def __init__(self) -> None:
        self.keys: list[str] = []
        self.gate = asyncio.Event()

    async def __call__(self, call: sealflow.Call) -> sealflow.ConnectorResponse:
        self.keys.append(call.key)
        await self.gate.wait()
        return sealflow.ConnectorResponse(200, {}, "done")


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_runs_of_a_commit_that_conflicts_are_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    service, database = Service(), shared_server().url if store == "postgres" else None
    async with revocable(
        tmp_path, {"http": service}, database=database, clock=Fast(time.time_ns() // 100, 20)
    ) as world:
        await world.env.deploy("f", FLOW)
        await world.env.watch_triggers()
        runs = [(await world.env.start("f", number))[0] for number in range(3)]
        async with asyncio.timeout(30):
            while len(service.keys) < len(runs):
                await asyncio.sleep(0)
            waiting = asyncio.ensure_future(runs[0].result())  # the others have nobody who waits for them
            backend: Any = world.env._vault._backend
            real = backend.commit

            async def commit(batch: Batch) -> list[int]:
                if batch.runs.pages:
                    monkeypatch.setattr(backend, "commit", real)
                    raise Conflict("A row of something else was changed.")
                numbers: list[int] = await real(batch)
                return numbers

            monkeypatch.setattr(backend, "commit", commit)
            service.gate.set()
            assert (await waiting).status == "Succeeded"
            assert backend.commit == real
            while {run.status for run in await world.env.runs()} != {"Succeeded"}:
                await asyncio.sleep(0.01)
        assert len(set(service.keys)) == len(runs)  # what is called again has the same key
