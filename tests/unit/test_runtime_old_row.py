"""A run's row that was put back to an earlier one, with all of its history kept: as if the run had not ended."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import compose, wait
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.storage import TamperedHistory, verify_environment

START = 17_000_000_000_000_000
FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"w": wait(3600), "c": compose("x", "w")},
}
COLUMNS = "status, ended_ms, head_version, head, summary_version, summary, wake_ms"


def row(folder: Path, put_back: Any = None) -> Any:
    (store,) = (folder / "home" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(store)) as connection, connection:
        if put_back is not None:
            places = ", ".join(f"{name} = ?" for name in COLUMNS.split(", "))
            connection.execute(f"UPDATE runs SET {places}", put_back)
        return connection.execute(f"SELECT {COLUMNS} FROM runs").fetchone()


async def test_it_is_refused_with_the_run_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = sealflow.VirtualClock(START)
    places: dict[str, Any] = {"keystore": tmp_path / "k" / "k.json", "clock": clock}
    async with sealflow.open(tmp_path / "home", **places) as engine:
        env = await engine.environment("env")
        [run] = await env.start(await env.deploy("f", FLOW))
        async with asyncio.timeout(60):
            while env._executor is None or env._executor.live:
                await asyncio.sleep(0.001)
        earlier = row(tmp_path)
        anchor = (await verify_environment(engine.store, "env", new_anchor=True)).anchor
        clock.advance(3600 * SECOND)
        assert (await run.result()).status == "Succeeded"
        later = (await verify_environment(engine.store, "env", new_anchor=True)).anchor
    row(tmp_path, earlier)
    async with sealflow.open(tmp_path / "home", **places) as engine:
        # By itself the store is as it was at some moment, but for the kernel, which knows what the history says.
        assert (await verify_environment(engine.store, "env")).ok
        assert (await verify_environment(engine.store, "env", anchor=anchor)).ok
        found = (await verify_environment(engine.store, "env", anchor=later)).findings
        assert [(each.run, "earlier row" in each.problem) for each in found] == [(run_id(run.id), True)]
        env = await engine.environment("env")
        stored = await env.run(run.id)
        for work in (stored.snapshot(), stored.resume(), stored.cancel()):
            with pytest.raises(TamperedHistory, match="its row is an earlier one") as refused:
                await work
            assert refused.value.run == run_id(run.id).hex()
        executor = env._executor
        assert executor is not None
        assert executor.live == {}
    assert "cannot be resumed: TamperedHistory" in caplog.text


def run_id(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))
