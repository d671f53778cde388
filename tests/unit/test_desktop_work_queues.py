"""Work queues: items wait in the store, are claimed once, and move on with the action that says so."""

# ruff: noqa: E501 (a row of a script is one line)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.errors import DefinitionError, NotFound
from sealflow.engine.runtime.desktop.work_queues import KIND
from sealflow.engine.runtime.flows.scripts import can_run
from sealflow.engine.runtime.runs.live_run import LiveRun

ENQUEUE = """WorkQueues.EnqueueWorkQueueItem.WithoutUniqueId WorkQueue: $'''4B22C5AB-0000-0000-0000-000000000001''' Status: WorkQueues.WorkQueueItemEnqueueStatus.Queued Priority: WorkQueues.WorkQueueItemPriority.Normal Name: $'''Invoice 7''' Value: { 'total': 12.5 }
"""
CONSUME = """@OUTPUT Seen : { 'Description': '', 'FriendlyName': 'Seen', 'Type': 'List' }
SET Seen TO []
LOOP WHILE (WorkQueues.ProcessWorkQueueItem.ProcessWorkQueueItem WorkQueue: $'''Invoices''' WorkQueueItem=> WorkQueueItem)
    Variables.AddItemToList Item: $'''%WorkQueueItem.Name% %WorkQueueItem.Value%''' List: Seen
    WorkQueues.UpdateProcessingNotes.WithProcessingNotes WorkQueueItem: WorkQueueItem ProcessingNotes: $'''looked at'''
    WorkQueues.UpdateProcessingNotes.WithProcessingNotes WorkQueueItem: WorkQueueItem ProcessingNotes: $'''and again'''
    IF WorkQueueItem.Value = $'''bad''' THEN
        WorkQueues.UpdateWorkQueueItem.UpdateWithProcessingNotes WorkQueueItem: WorkQueueItem Status: WorkQueues.WorkQueueItemStatus.BusinessException ProcessingResult: $'''refused'''
    ELSE
        WorkQueues.UpdateWorkQueueItem.UpdateWithProcessingNotes WorkQueueItem: WorkQueueItem Status: WorkQueues.WorkQueueItemStatus.Processed ProcessingResult: $'''done'''
    END
END
"""
CLAIM = """@OUTPUT Name : { 'Description': '', 'FriendlyName': 'Name', 'Type': 'String' }
WorkQueues.ProcessWorkQueueItem.ProcessWorkQueueItem WorkQueue: $'''Invoices''' WorkQueueItem=> Claimed
SET Name TO Claimed.Name
"""
EMPTY = """@OUTPUT Name : { 'Description': '', 'FriendlyName': 'Name', 'Type': 'String' }
SET Name TO $'''none'''
WorkQueues.ProcessWorkQueueItem.ProcessWorkQueueItem WorkQueue: $'''Invoices''' WorkQueueItem=> Claimed
ON ERROR WorkQueueItemNotFoundError
    SET Name TO $'''empty'''
END
"""


async def run(env: Any, tmp_path: Path, text: str) -> Any:
    path = tmp_path / "flow.robin"
    path.write_text(text)
    (started,) = await env.start(await env.deploy("flow", path), {})
    return await started.result()


def test_all_four_actions_run() -> None:
    for action in (
        "WorkQueues.EnqueueWorkQueueItem.WithoutUniqueId",
        "WorkQueues.ProcessWorkQueueItem.ProcessWorkQueueItem",
        "WorkQueues.UpdateProcessingNotes.WithProcessingNotes",
        "WorkQueues.UpdateWorkQueueItem.UpdateWithProcessingNotes",
    ):
        assert can_run(action)


async def test_items_are_processed_once_by_priority_and_age(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.queues.create("Invoices")
        for number, (value, priority) in enumerate((("a", "Low"), ("bad", "Normal"), ("c", "High"), ("d", "Normal"))):
            await env.queues.add("Invoices", f"I{number}", value, priority=priority, id=str(number))
        result = await run(env, tmp_path, CONSUME)
        assert result.outputs == {"Seen": ["I2 c", "I1 bad", "I3 d", "I0 a"]}
        items = {item.name: item for item in await env.queues.items("invoices")}
        assert len(items) == 4
        assert {name: item.status for name, item in items.items()} == {
            "I0": "Processed",
            "I1": "BusinessException",
            "I2": "Processed",
            "I3": "Processed",
        }
        assert (items["I1"].notes, items["I1"].result) == ("looked at\nand again", "refused")
        assert (await run(env, tmp_path, CONSUME)).outputs == {"Seen": []}


async def test_an_item_that_a_flow_enqueues_waits_with_its_value(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(17_000_000_000_000_000)) as engine:
        env = await engine.environment()
        await env.queues.create("Invoices", id="{4b22c5ab-0000-0000-0000-000000000001}")
        assert (await run(env, tmp_path, ENQUEUE)).status == "Succeeded"
        (item,) = await env.queues.items("Invoices", status="queued")
        assert (item.name, item.status, item.priority) == ("Invoice 7", "Queued", "Normal")
        assert float(item.value["total"]) == 12.5
        assert item.enqueued == "2023-11-14T22:13:20"


async def test_what_a_run_has_claimed_nobody_else_gets(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.queues.create("Invoices")
        for name in ("first", "second"):
            await env.queues.add("Invoices", name, None, id=name)
        assert (await run(env, tmp_path, CLAIM)).outputs == {"Name": "first"}
        assert (await run(env, tmp_path, CLAIM)).outputs == {"Name": "second"}
        assert (await run(env, tmp_path, EMPTY)).outputs == {"Name": "empty"}
        assert {item.status for item in await env.queues.items("Invoices")} == {"Processing"}


async def test_adding_again_under_the_same_id_adds_nothing(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.queues.create("Invoices")
        for _ in range(2):
            await env.queues.add("Invoices", "x", 1, id="one")
        assert len(await env.queues.items("Invoices")) == 1


async def test_a_queue_or_a_status_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        result = await run(env, tmp_path, CLAIM)
        assert (result.status, result.code) == ("Failed", "WorkQueueNotFoundError")
        with pytest.raises(NotFound):
            await env.queues.items("Invoices")
        await env.queues.create("Invoices")
        with pytest.raises(DefinitionError, match="none of"):
            await env.queues.items("Invoices", status="x")
        with pytest.raises(DefinitionError, match="none of"):
            await env.queues.add("Invoices", "x", 1, priority="Queued", id="1")
        assert (await env.flow("queue:Invoices")).kind == KIND


async def test_the_store_holds_nothing_of_an_item(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.queues.create("plantedqueue")
        await env.queues.add("plantedqueue", "plantedname", {"v": "plantedvalue"}, id="plantedid")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert kept
    assert b"planted" not in kept


async def claimed_by(env: Any, run: str, item: Any, claim: str) -> None:
    """Leave the claim of a call that was never answered, as a process that ended there does."""
    flow = await env.queues.find("Invoices")
    kept = {**item.to_json(), "status": "Processing", "run": run, "claim": claim}
    await env._vault.add_message(flow.id, "Processing", kept, dedupe=b"claim:" + item.id.encode())


async def test_the_claim_of_a_run_that_goes_on_is_respected(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.queues.create("Invoices")
        first = await env.queues.add("Invoices", "first", None, id="1")
        await env.queues.add("Invoices", "second", None, id="2")
        path = tmp_path / "waiting.robin"
        path.write_text("WAIT 3600\n")
        (waiting,) = await env.start(await env.deploy("waiting", path), {})
        await claimed_by(env, waiting.id, first, "theirs")
        assert (await run(env, tmp_path, CLAIM)).outputs == {"Name": "second"}
        assert len(await env.queues.items("Invoices")) == 2


async def test_the_claim_of_a_run_that_has_ended_without_the_item_is_void(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.queues.create("Invoices")
        first = await env.queues.add("Invoices", "first", None, id="1")
        await claimed_by(env, "00000000-0000-7000-8000-000000000001", first, "theirs")
        assert (await run(env, tmp_path, CLAIM)).outputs == {"Name": "first"}
        assert len(await env.queues.items("Invoices")) == 1


async def test_a_run_that_is_resumed_gets_the_item_it_had_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def lost(*_: Any) -> None:
            raise OSError("the process ends here")

        async with sealflow.open(tmp_path / "home") as engine:
            env = await engine.environment()
            await env.queues.create("Invoices")
            await env.queues.add("Invoices", "first", None, id="1")
            path = tmp_path / "flow.robin"
            path.write_text(CLAIM)
            patched.setattr(LiveRun, "with_result", lost)
            (started,) = await env.start(await env.deploy("flow", path), {})
            with pytest.raises(OSError, match="ends here"):
                await started.result()
            await env.queues.add("Invoices", "more urgent", None, priority="High", id="2")
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await env.resume_unfinished()
        assert (await (await env.run(started.id)).result()).outputs == {"Name": "first"}
        assert [(item.name, item.status) for item in await env.queues.items("Invoices")] == [
            ("more urgent", "Queued"),
            ("first", "Processing"),
        ]
