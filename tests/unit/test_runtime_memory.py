"""What runs keep in memory on a real store: bounded, read back when needed, the same history whatever was let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.kernel import Large
from sealflow.engine.kernel.cloud.state import live_frames
from sealflow.engine.kernel.contract.large_values import rough_size
from sealflow.engine.kernel.contract.records import DONE
from sealflow.engine.runtime.environment import executor
from sealflow.storage import RunLog, TamperedHistory

S = ["Succeeded"]
BODY = 100_000


def call(*after: str, **parameters: Any) -> dict[str, Any]:
    host = {"apiId": "/providers/Microsoft.PowerApps/apis/shared_test", "connectionName": "c", "operationId": "Do"}
    inputs = {"host": host, "parameters": parameters}
    return {"type": "OpenApiConnection", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


def compose(value: Any, *after: str) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "runAfter": dict.fromkeys(after, S)}


def collecting(count: int) -> dict[str, Any]:
    """Calls with large answers one after the other, of which all are read at the end."""
    actions = {"call0": call()}
    for number in range(1, count):
        actions[f"call{number}"] = call(f"call{number - 1}")
    texts = ", ".join(f"body('call{number}')" for number in range(count))
    actions["all"] = compose(f"@length(concat({texts}))", f"call{count - 1}")
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


@asynccontextmanager
async def opened(folder: Path, service: Any) -> AsyncIterator[Any]:
    async with sealflow.open(folder / "home", keystore=folder / "k.json", resume=False) as engine:
        engine.connectors.register("test", service)
        yield await engine.environment("env")


def in_memory(run: Any) -> int:
    frames = live_frames(run._live.state)
    values = [frame.out[index] for frame in frames for index in frame.large if index in frame.out]
    return sum(rough_size(value) for value in values if not isinstance(value, Large))


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "RESIDENT", 3 * BODY)
    monkeypatch.setattr(executor, "LEAST_ROOM", 3 * BODY)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the records that are read back."""
    read: list[int] = []
    record = RunLog.record

    async def counted(log: RunLog, seq: int) -> Any:
        read.append(seq)
        return await record(log, seq)

    monkeypatch.setattr(RunLog, "record", counted)
    return read


@pytest.mark.usefixtures("little_memory")
async def test_a_run_holds_no_more_than_its_share_and_reads_the_rest_back(tmp_path: Path, loads: list[int]) -> None:
    held: list[int] = []
    runs: list[Any] = []

    async def service(asked: Any) -> Any:
        if runs:
            held.append(in_memory(runs[0]))
        return "x" * BODY

    async with opened(tmp_path, service) as env:
        await env.deploy("f", collecting(12))
        runs += await env.start("f")
        assert await runs[0].wait() == "Succeeded"
        result = await runs[0].result()
        assert result.actions[-1]["outputs"] == 12 * BODY
        assert max(held) <= 4 * BODY + 1000
        assert len(loads) == len(set(loads)) >= 8
        report = await sealflow.replay(await runs[0].export(plaintext=True))
        assert report.differences == []


async def test_nothing_is_read_back_while_there_is_room(tmp_path: Path, loads: list[int]) -> None:
    async def service(asked: Any) -> Any:
        return "x" * BODY

    async with opened(tmp_path, service) as env:
        await env.deploy("f", collecting(12))
        (run,) = await env.start("f")
        assert (await run.result()).actions[-1]["outputs"] == 12 * BODY
        assert loads == []


@pytest.mark.usefixtures("little_memory")
async def test_a_run_that_is_resumed_holds_no_more_either(tmp_path: Path, loads: list[int]) -> None:
    reached = asyncio.Event()
    count = 0

    async def service(asked: Any) -> Any:
        nonlocal count
        count += 1
        if count == 30:
            reached.set()
            await asyncio.Event().wait()
        return "x" * BODY

    async with opened(tmp_path, service) as env:
        await env.deploy("f", collecting(30))
        (run,) = await env.start("f")
        await reached.wait()
    async with opened(tmp_path, service) as env:
        run = await env.run(run.id)
        await run.resume()
        assert in_memory(run) <= 3 * BODY + 1000
        result = await run.result()
        assert result.actions[-1]["outputs"] == 30 * BODY
        assert count == 31
        assert (await sealflow.replay(await run.export(plaintext=True))).differences == []


@pytest.mark.usefixtures("little_memory")
async def test_a_turn_with_large_outputs_is_written_in_parts_and_replays_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[list[int]] = []
    append = RunLog.append

    def noted(log: RunLog, records: Any, **more: Any) -> int:
        parts.append([record[1] for record in records])
        return append(log, records, **more)

    monkeypatch.setattr(RunLog, "append", noted)

    async def service(asked: Any) -> Any:
        return "y" * BODY

    actions = {"call": call(), "c0": compose("@body('call')", "call")}
    for number in range(1, 12):
        actions[f"c{number}"] = compose(f"@concat('', outputs('c{number - 1}'))", f"c{number - 1}")
    async with opened(tmp_path, service) as env:
        await env.deploy("f", {"triggers": {"manual": {"type": "Request"}}, "actions": actions})
        (run,) = await env.start("f")
        assert await run.wait() == "Succeeded"
        # Three outputs are more than there is room for: the result and two, then three at a time.
        assert [part.count(DONE) for part in parts] == [0, 2, 3, 3, 3, 1]
        assert (await sealflow.replay(await run.export(plaintext=True))).differences == []


async def test_large_inputs_of_a_call_are_read_back_for_another_attempt(tmp_path: Path, loads: list[int]) -> None:
    seen: list[str] = []

    async def service(asked: Any) -> Any:
        seen.append(asked.inputs["parameters"]["text"])
        if len(seen) == 1:
            return sealflow.ConnectorResponse(429)
        return "done"

    policy = {"retryPolicy": {"type": "fixed", "count": 1, "interval": "PT1S"}}
    action = call(text="@concat(triggerBody(), '!')")
    action["inputs"] |= policy
    clock = sealflow.VirtualClock(17_000_000_000_000_000, jumps=True)
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json", clock=clock) as engine:
        engine.connectors.register("test", service)
        env = await engine.environment("env")
        await env.deploy("f", {"triggers": {"manual": {"type": "Request"}}, "actions": {"a": action}})
        (run,) = await env.start("f", "x" * BODY)
        assert await run.wait() == "Succeeded"
        assert seen == ["x" * BODY + "!"] * 2
        assert loads == [2]


async def test_a_value_that_was_altered_meanwhile_is_noticed(tmp_path: Path) -> None:
    async def service(asked: Any) -> Any:
        await asyncio.Event().wait()

    async with opened(tmp_path, service) as env:
        await env.deploy("f", collecting(1))
        (run,) = await env.start("f", "x" * BODY)
        log = run._live.log
        assert (await log.record(1))[1] == 1
        assert (await log.record(2))[1] == 2
        with pytest.raises(TamperedHistory):
            await log.record(3)
        pages = env._vault._backend.runs.pages

        async def altered(*given: Any) -> Any:
            return [row._replace(record=row.record[:-1] + b"\0") for row in await pages(*given)]

        env._vault._backend.runs.pages = altered
        with pytest.raises(TamperedHistory):
            await log.record(1)
