"""kill -9 among consumers of a work queue: no item is lost, none is dealt with twice, and what was in process comes back
with the run that had it. In a store in a file, and with several workers in PostgreSQL.
"""

# ruff: noqa: E501 (a row of a script is one line)

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sealflow
from desktop_callers import deploy
from postgres_server import PostgresServer, shared_server
from processes import Place
from sealflow.engine.kernel.timing import SECOND, from_iso
from sealflow.engine.runtime.environment import Environment
from thorough import LONG

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
    place("env", "allow", "default", "--map", f"C:={place.folder / 'drive'}").expect(0)
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


class Workers:
    """An environment in PostgreSQL, and its workers."""

    def __init__(self, folder: Path, postgres: PostgresServer, stack: AsyncExitStack) -> None:
        self.folder, self.postgres, self.stack = folder, postgres, stack
        self.clock = sealflow.VirtualClock(from_iso("2026-03-28T12:00:00Z"))

    async def join(self) -> Environment:
        first = not (self.folder / "home").exists()
        engine = sealflow.open(self.folder / "home", keystore=self.folder / "keys.json", clock=self.clock)
        await self.stack.enter_async_context(engine)
        if first:
            await engine.create_environment("prod", database=self.postgres.url)
        env = await engine.environment("prod")
        await env._execute()
        return env

    async def dies(self, env: Environment) -> None:
        """As if its process were stopped, and not heard of for longer than its lease."""
        import asyncpg

        backend: Any = env._vault._backend
        admin = await asyncpg.connect(self.postgres.url)
        await admin.execute(
            f"UPDATE \"sealflow_{env.id}\".workers SET expires = clock_timestamp() - interval '1 s' WHERE worker = $1",
            backend._lease.role.worker,
        )
        await admin.close()


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")
    return shared_server()


@pytest.fixture
async def workers(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Workers]:
    async with AsyncExitStack() as stack:
        yield Workers(tmp_path, postgres, stack)


async def _until(so: Any) -> None:
    async with asyncio.timeout(60):
        while not await so():
            await asyncio.sleep(0.005)


async def test_two_workers_share_a_queue_and_one_goes_on_for_the_other(workers: Workers, tmp_path: Path) -> None:
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

    await _until(both_have_one)
    await workers.dies(first)

    async def all_done() -> bool:
        workers.clock.advance(20 * SECOND)
        await asyncio.sleep(0.01)
        return len(await second.queues.items("Orders", status="Processed")) == 2 * ITEMS

    await _until(all_done)
    results: list[Any] = [await (await second.run(run.id)).result() for run in consumers]
    done = [name for result in results for name in result.outputs["Done"]]
    assert Counter(done) == dict.fromkeys(NAMES, 2)
    assert [result.status for result in results] == ["Succeeded"] * 2
    found = await second.queues.items("Orders")
    assert all((item.status, item.notes) == ("Processed", "seen") for item in found)
