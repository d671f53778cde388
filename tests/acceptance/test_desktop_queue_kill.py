"""kill -9 among consumers of a work queue: no item is lost, none is dealt with twice, and what was in process comes back
with the run that had it. In a store in a file, and with several workers in PostgreSQL.
"""

# ruff: noqa: E501 (a row of a script is one line)

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from desktop_callers import deploy
from postgres_server import PostgresServer, shared_server
from processes import Place
from sealflow.engine.kernel.contract.timing import SECOND
from thorough import LONG
from worker_fleet import WorkerFleet, fleet_of

ITEMS = 4
CONSUMER = """@OUTPUT Done : { 'Description': '', 'FriendlyName': 'Done', 'Type': 'List' }
SET Done TO []
LOOP WHILE (WorkQueues.ProcessWorkQueueItem.ProcessWorkQueueItem WorkQueue: $'''Orders''' WorkQueueItem=> Item)
    EFFECT
    WorkQueues.UpdateProcessingNotes.WithProcessingNotes WorkQueueItem: Item ProcessingNotes: $'''seen'''
    Variables.AddItemToList Item: Item.Name List: Done
    WorkQueues.UpdateWorkQueueItem.UpdateWithProcessingNotes WorkQueueItem: Item Status: WorkQueues.WorkQueueItemStatus.Processed ProcessingResult: $'''done'''
END
"""
WRITES = """File.WriteText File: $'''C:\\\\%Item.Name%.txt''' TextToWrite: Item.Value AppendNewLine: True IfFileExists: File.IfFileExists.Append Encoding: File.FileEncoding.UTF8
        ON ERROR ActionInterrupted
        END"""
PRODUCER = f"""LOOP Number FROM 1 TO {ITEMS}
    WorkQueues.EnqueueWorkQueueItem.WithoutUniqueId WorkQueue: $'''Orders''' Status: WorkQueues.WorkQueueItemEnqueueStatus.Queued Priority: WorkQueues.WorkQueueItemPriority.Normal Name: $'''R%Number%''' Value: Number
END
"""
NAMES = [f"R{number}" for number in range(1, ITEMS + 1)]


@pytest.fixture
def desk(place: Place) -> Place:
    (place.folder / "drive").mkdir()
    place.write("consumer.robin", CONSUMER.replace("EFFECT", WRITES))
    place.write("producer.robin", PRODUCER)
    place("env", "create", "default").expect(0)
    place("env", "permissions", "set", "default", "--map", f"C:={place.folder / 'drive'}").expect(0)
    place("queue", "create", "Orders").expect(0)
    place.prepare = [] if LONG else [["hasten", 100, time.time_ns() // 100]]
    return place


def resumed(desk: Place) -> None:
    """What was killed goes on, and everything else too."""
    desk("runs", "resume", "--all").expect(0)


def items(desk: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk("queue", "list", "Orders", "--json").expect(0).json
    return found


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_consumer_that_is_killed_goes_on_with_its_item(desk: Place, moment: str) -> None:
    killed = 0
    for number in count(1) if LONG else (3, 8):
        desk("run", "producer.robin").expect(0)
        died = desk("run", "consumer.robin", "--json", prepare=[["die_at_commit", number, moment]])
        killed += died.killed
        if died.killed:
            resumed(desk)
        desk("run", "consumer.robin").expect(0)  # whoever comes next finds what was never claimed
        found = items(desk)
        assert Counter(item["status"] for item in found) == {"Processed": len(found)}
        assert all((item["result"], item["notes"]) == ("done", "seen") for item in found)
        written = [len(path.read_text("utf-8-sig").split()) for path in (desk.folder / "drive").iterdir()]
        rounds = len(found) // ITEMS
        assert len(found) == rounds * ITEMS
        assert sum(written) >= len(found) - killed  # what was under way when it was killed is not repeated
        assert max(written) <= rounds
        if not died.killed:
            break
    assert killed >= 2


def test_a_producer_that_is_killed_adds_each_item_once(desk: Place) -> None:
    died = desk("run", "producer.robin", prepare=[["die_at_commit", 4, "after"]])
    assert died.killed
    resumed(desk)
    assert sorted(item["name"] for item in items(desk)) == NAMES


# ---- several workers


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")
    return shared_server()


@pytest.fixture
async def workers(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[WorkerFleet]:
    async with fleet_of(WorkerFleet, tmp_path, postgres) as fleet:
        yield fleet


async def test_two_workers_share_a_queue_and_one_goes_on_for_the_other(workers: WorkerFleet, tmp_path: Path) -> None:
    first, second = await workers.join(), await workers.join()
    await first.queues.create("Orders")
    await deploy(first, tmp_path, "producer", PRODUCER)
    await deploy(first, tmp_path, "consumer", CONSUMER.replace("EFFECT", "WAIT 20"))
    for _ in range(2):
        (run,) = await first.start("producer")
        assert (await run.result()).status == "Succeeded"
    consumers = [*await first.start("consumer"), *await second.start("consumer")]

    async def both_have_one() -> bool:
        return len(await first.queues.items("Orders", status="Processing")) == 2

    await workers.until(both_have_one)
    await workers.dies(first)

    async def all_done() -> bool:
        workers.clock.advance(20 * SECOND)
        await asyncio.sleep(0.01)
        return len(await second.queues.items("Orders", status="Processed")) == 2 * ITEMS

    await workers.until(all_done)
    results: list[Any] = [await (await second.run(run.id)).result() for run in consumers]
    done = [name for result in results for name in result.outputs["Done"]]
    assert Counter(done) == dict.fromkeys(NAMES, 2)
    assert [result.status for result in results] == ["Succeeded"] * 2
    found = await second.queues.items("Orders")
    assert all((item.status, item.notes) == ("Processed", "seen") for item in found)
