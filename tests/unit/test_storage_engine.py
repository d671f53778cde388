"""What the engine does with the vault's answers: one object for an environment, one definition for a run."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.storage import IntegrityError, StoreFull


def flow(text: str) -> dict[str, Any]:
    return {
        "definition": {
            "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
            "contentVersion": "1.0.0.0",
            "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}},
            "actions": {"A": {"type": "Compose", "inputs": text, "runAfter": {}}},
            "outputs": {},
        }
    }


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SEALFLOW_PASSPHRASE", raising=False)
    monkeypatch.setenv("SEALFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEALFLOW_KEYSTORE", str(tmp_path / "keys" / "keystore.json"))
    return tmp_path


async def test_tasks_that_ask_at_once_get_one_environment() -> None:
    async with sealflow.open() as engine:
        new = await asyncio.gather(*(engine.environment("x") for _ in range(3)))
        assert len({id(environment) for environment in new}) == 1
    async with sealflow.open() as engine:
        known = await asyncio.gather(*(engine.environment("X") for _ in range(3)))
        assert len({id(environment) for environment in known}) == 1
        assert len(await engine.environments()) == 1


async def test_engines_that_make_an_environment_at_once_share_it(place: Path) -> None:
    async with sealflow.open() as one, sealflow.open() as two:
        first, second = await asyncio.gather(one.environment("x"), two.environment("x"))
        assert first.id == second.id
        assert len(list((place / "home" / "environments").iterdir())) == 1
        deployed = await first.deploy("f", flow("hello"))
        assert [known.name for known in await second.flows()] == ["f"]
        (run,) = await first.start(deployed)
        assert (await run.result()).status == "Succeeded"


async def test_a_named_keystore_is_sealed_by_the_environments_passphrase(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "hunter2")
    async with sealflow.open(keystore=place / "named.json") as engine:
        await engine.environment("x")
    assert "sealed" in json.loads((place / "named.json").read_bytes())


async def test_a_run_is_shown_and_resumed_with_the_definition_it_started_with_only(place: Path) -> None:
    async def life(text: str) -> str:
        async with sealflow.open(resume=False) as engine:
            environment = await engine.environment("x")
            (run,) = await environment.start(await environment.deploy("f", flow(text)))
            await run.result()
            await environment.deploy("f", flow("later"))
            return run.id

    async with sealflow.open() as engine:
        await (await engine.environment("x")).deploy("f", flow("before"))
    (path,) = (place / "home" / "environments").glob("*/store.db")
    backup = path.read_bytes()
    await life("first life")
    connection = sqlite3.connect(path)
    version = connection.execute("SELECT created_ms, record FROM versions WHERE number = 2").fetchone()
    connection.close()
    path.write_bytes(backup)
    run_id = await life("second life")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE versions SET created_ms = ?, record = ? WHERE number = 2", version)
    connection.close()
    async with sealflow.open(resume=False) as engine:
        environment = await engine.environment("x")
        run = await environment.run(run_id)
        with pytest.raises(IntegrityError, match="started with"):
            await run.snapshot()
        # Asked for as such, it is a version of the flow; a run that was started with another one is still refused.
        await environment.flow("f", 2)
        with pytest.raises(IntegrityError, match="started with"):
            await run.snapshot()


async def test_an_engine_goes_on_once_a_full_disk_has_room() -> None:
    async with sealflow.open() as engine:
        environment = await engine.environment("x")
        deployed = await environment.deploy("f", flow("text" * 20_000))
        database: Any = environment._vault._backend
        database.database.writer._conn.execute("PRAGMA max_page_count = 1")  # rounded up to the present size

        async def run_until_it_is_full() -> None:
            for _ in range(20):
                (run,) = await environment.start(deployed)
                await run.result()

        with pytest.raises(StoreFull):
            await run_until_it_is_full()
        database.database.writer._conn.execute("PRAGMA max_page_count = 1000000")
        (run,) = await environment.start(deployed)
        assert (await run.result()).status == "Succeeded"
