"""What other processes ask for is done in the end, also where the store is out of reach while it is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.runtime.workers.requests import CANCEL
from sealflow.storage import StoreBusy, TamperedHistory

WAITS: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
    "contentVersion": "1.0.0.0",
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"W": {"type": "Wait", "inputs": {"interval": {"count": 20, "unit": "Second"}}}},
}
CLOCK = 17_000_000_000_000_000


async def refused(
    env: Any, runs: list[Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> tuple[Any, list[str]]:
    """The executor, which meets this error with the second run, once, and whom it was asked to cancel."""
    executor = await env._execute()
    executor.polling._task.cancel()  # it looks when it is told to
    cancel, asked = executor.cancel, list[str]()

    async def meets(run_id: bytes, reason: str) -> bool:
        asked.append("first" if run_id.hex() == runs[0].id.replace("-", "") else "second")
        if asked.count("second") == 1 and asked[-1] == "second":
            raise error
        return bool(await cancel(run_id, reason))

    monkeypatch.setattr(executor, "cancel", meets)
    for run in runs:
        await env._vault.inbox_add(CANCEL, "why", run_id=bytes.fromhex(run.id.replace("-", "")))
    return executor, asked


async def test_a_request_that_meets_a_store_out_of_reach_is_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(CLOCK)) as engine:
        env = await engine.environment()
        await env.deploy("f", WAITS)
        runs = [*await env.start("f"), *await env.start("f")]
        executor, asked = await refused(env, runs, monkeypatch, StoreBusy("The database is busy."))
        with pytest.raises(StoreBusy):
            await executor.take_inbox()
        assert await executor.take_inbox() == 1
        assert asked == ["first", "second", "second"]
        assert [(await run.result()).status for run in runs] == ["Cancelled"] * 2
        assert await executor.take_inbox() == 0


async def test_a_request_that_can_never_be_done_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(CLOCK)) as engine:
        env = await engine.environment()
        await env.deploy("f", WAITS)
        runs = [*await env.start("f"), *await env.start("f")]
        executor, asked = await refused(env, runs, monkeypatch, TamperedHistory("changed", run="00", seq=0))
        assert await executor.take_inbox() == 2
        assert await executor.take_inbox() == 0
        assert asked == ["first", "second"]
