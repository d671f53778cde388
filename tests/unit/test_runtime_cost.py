"""What a run does not cost: looks at the store that tell nothing new, and memory after its end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sealflow

DEFINITION = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "call": {
            "type": "OpenApiConnection",
            "inputs": {"host": {"apiId": "/providers/Microsoft.PowerApps/apis/shared_test", "operationId": "Do"}},
        }
    },
}


async def answer(call: sealflow.Call) -> dict[str, Any]:
    return {"key": call.key}


def opened(folder: Path) -> sealflow.Engine:
    engine = sealflow.open(folder / "home", keystore=folder / "keys.json")
    engine.connectors.register("test", answer)
    return engine


async def test_the_end_of_a_run_of_this_process_is_known_without_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as engine:
        env = await engine.environment("e")
        (run,) = await env.start(await env.deploy("f", DEFINITION))
        monkeypatch.setattr(env._vault, "run", None)
        assert await run.wait() == "Succeeded"
        monkeypatch.undo()
        assert await (await env.run(run.id)).wait() == "Succeeded"  # what the store says


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_a_run_that_has_ended_does_not_wait_for_the_collector(tmp_path: Path, no_collector: None) -> None:
    async with opened(tmp_path) as engine:
        env = await engine.environment("e")
        (run,) = await env.start(await env.deploy("f", DEFINITION))
        assert await run.wait() == "Succeeded"
        await env.idle()
        assert run._live is not None
        live, log = weakref.ref(run._live), weakref.ref(run._live.log)
        del run
        assert live() is None
        assert log() is None
