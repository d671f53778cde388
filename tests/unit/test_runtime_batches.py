"""Batches on a real store: what flows send waits, and goes to one run as soon as a criterion is met - once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.storage import Batch, StoreFull

START = 17_000_000_000_000_000
MINUTE = 60 * SECOND
HOURLY = {"frequency": "Hour", "interval": 1}


def receiver(more: dict[str, Any] | None = None, **criteria: Any) -> dict[str, Any]:
    inputs = {"mode": "Inline", "configurations": {"Orders": {"releaseCriteria": criteria}}}
    trigger = {"type": "Batch", "inputs": inputs, **(more or {})}
    return {
        "triggers": {"Batch_messages": trigger},
        "actions": {"Got": {"type": "Compose", "inputs": "@triggerBody()"}},
    }


def send(to: str = "receiver", **more: Any) -> dict[str, Any]:
    host = {"triggerName": "Batch_messages", "workflow": {"id": f"/subscriptions/s/workflows/{to}"}}
    return {"type": "SendToBatch", "inputs": {"batchName": "orders", "content": "@triggerBody()", "host": host, **more}}


def sender(**more: Any) -> dict[str, Any]:
    actions = {"Send": send(**more)}
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


class Place:
    """An environment that can be opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = sealflow.VirtualClock(START)

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[Any]:
        home, keys = self.folder / "home", self.folder / "keys" / "k.json"
        async with sealflow.open(home, keystore=keys, clock=self.clock, **options) as engine:
            yield await engine.environment("env")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def sent(env: Any, *bodies: Any, flow: str = "sender") -> list[Any]:
    """The actions that sent these, one run after the other."""
    found = []
    for body in bodies:
        (run,) = await env.start(flow, body)
        found.append((await run.result()).actions[0])
    return found


async def got(env: Any) -> list[dict[str, Any]]:
    """What the receiver's runs got, the oldest first."""
    runs = [await env.run(summary.id) for summary in await env.runs(flow="receiver")]
    return [(await run.result()).actions[0]["outputs"] for run in reversed(runs)]


def contents(batches: list[dict[str, Any]]) -> list[list[Any]]:
    return [[item["content"] for item in batch["items"]] for batch in batches]


async def waiting(env: Any) -> int:
    flow = await env.flow("receiver")
    return len(await env._vault.messages(bytes.fromhex(flow.id)))


async def test_a_batch_is_released_when_it_has_enough_messages(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=3))
        await env.deploy("sender", sender())
        actions = await sent(env, "a", "b")
        assert {action["status"] for action in actions} == {"Succeeded"}
        body = actions[0]["outputs"]["body"]
        assert body == {"batchName": "orders", "messageId": body["messageId"], "partitionName": "DEFAULT"}
        await env.fire_due()
        assert await got(env) == []
        await sent(env, "c", "d")
        await env.fire_due()
        (batch,) = await got(env)
        assert (batch["batchName"], batch["partitionName"]) == ("Orders", "DEFAULT")
        assert contents([batch]) == [["a", "b", "c"]]
        assert batch["items"][0] == {"content": "a", "messageId": body["messageId"]}
        assert await waiting(env) == 1


async def test_many_messages_make_several_batches(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=2))
        await env.deploy("sender", sender())
        await sent(env, *range(5))
        await env.fire_due()
        assert contents(await got(env)) == [[0, 1], [2, 3]]


async def test_size_releases_as_well(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=100, batchSize=2000))
        await env.deploy("sender", sender())
        await sent(env, "x" * 900, "y" * 900)
        await env.fire_due()
        assert await got(env) == []
        await sent(env, "z" * 900)
        await env.fire_due()
        assert [len(batch["items"]) for batch in await got(env)] == [3]


async def test_partitions_are_collected_apart(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=2))
        await env.deploy("sender", sender(partitionName="@triggerBody()['p']", messageId="@triggerBody()['id']"))
        await sent(env, {"p": "x", "id": "1"}, {"p": "y", "id": "2"}, {"p": "x", "id": "3"})
        await env.fire_due()
        (batch,) = await got(env)
        assert batch["partitionName"] == "x"
        assert [item["messageId"] for item in batch["items"]] == ["1", "3"]


async def test_a_recurrence_releases_whatever_there_is(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=100, recurrence=HOURLY))
        await env.deploy("sender", sender(partitionName="@string(triggerBody())"))
        await env.fire_due()
        await sent(env, 1, 2, 1)
        place.clock.advance(59 * MINUTE)
        await env.fire_due()
        assert await got(env) == []
        place.clock.advance(MINUTE)
        await env.fire_due()
        assert contents(await got(env)) == [[1, 1], [2]]
        await env.fire_due()
        place.clock.advance(60 * MINUTE)  # nothing waits: no run
        await env.fire_due()
        assert len(await got(env)) == 2


async def test_a_worker_releases_by_itself(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=2, recurrence=HOURLY))
        await env.deploy("sender", sender())
        fired: asyncio.Queue[Any] = asyncio.Queue()
        await env.watch_triggers(fired=fired.put_nowait)
        await sent(env, 1, 2, 3)
        told = await asyncio.wait_for(fired.get(), 60)
        assert (told.flow, told.told["status"]) == ("receiver", "Succeeded")
        place.clock.advance(60 * MINUTE)
        await asyncio.wait_for(fired.get(), 60)
        assert contents(await got(env)) == [[1, 2], [3]]
        await env.deploy("receiver", receiver(messageCount=1))
        await sent(env, 4)
        await asyncio.wait_for(fired.get(), 60)
        assert contents(await got(env))[2:] == [[4]]
        assert await waiting(env) == 0


async def test_a_disabled_flow_collects_and_does_not_release(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=1))
        await env.deploy("sender", sender())
        await env.disable("receiver")
        await sent(env, 1, 2)
        await env.fire_due()
        assert await got(env) == []
        await env.enable("receiver")
        await env.fire_due()
        assert contents(await got(env)) == [[1], [2]]


async def test_split_on_and_conditions_apply_to_the_batch(place: Place) -> None:
    more = {
        "splitOn": "@triggerBody()['items']",
        "conditions": [{"expression": "@not(equals(triggerBody()['content'], 2))"}],
    }
    async with place.open() as env:
        await env.deploy("receiver", receiver(more, messageCount=3))
        await env.deploy("sender", sender())
        await sent(env, 1, 2, 3)
        await env.fire_due()
        assert sorted(item["content"] for item in await got(env)) == [1, 3]
        assert await waiting(env) == 0


async def test_a_batch_waits_where_the_trigger_limits_runs(place: Place) -> None:
    more = {"operationOptions": "SingleInstance"}
    slow = receiver(more, messageCount=1)
    slow["actions"]["Wait"] = {
        "type": "Wait",
        "inputs": {"interval": {"count": 1, "unit": "Minute"}},
        "runAfter": {"Got": ["Succeeded"]},
    }
    async with place.open() as env:
        await env.deploy("receiver", slow)
        await env.deploy("sender", sender())
        fired: asyncio.Queue[Any] = asyncio.Queue()
        await env.watch_triggers(fired=fired.put_nowait)
        await sent(env, 1, 2)
        await asyncio.wait_for(fired.get(), 60)
        assert await waiting(env) == 1
        while not fired.qsize():
            place.clock.advance(MINUTE)
            await asyncio.sleep(0)
        assert await waiting(env) == 0


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (send(to="nobody"), "WorkflowNotFound"),
        (send(to="sender"), "TriggerNotFound"),
        (send(batchName="Invoices"), "BatchNotFound"),
        (send(batchName="@null"), "InvalidTemplate"),
        (send(partitionName="@triggerBody()"), "InvalidTemplate"),
        (send(host={"triggerName": "other", "workflow": {"id": "receiver"}}), "TriggerNotFound"),
    ],
)
async def test_a_message_that_goes_nowhere_fails_its_action(place: Place, action: dict[str, Any], code: str) -> None:
    definition = {"triggers": {"manual": {"type": "Request"}}, "actions": {"Send": action}}
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=1))
        await env.deploy("sender", definition)
        (found,) = await sent(env, {})
        assert (found["status"], found["code"]) == ("Failed", code)
        assert await waiting(env) == 0


async def test_a_message_that_no_run_could_hold_is_not_taken(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=1))
        depths = {"Deep": 391, "Deeper": 396}
        actions = {name: send(content=f"@json('{'[' * depth}{']' * depth}')") for name, depth in depths.items()}
        await env.deploy("sender", {"triggers": {"manual": {"type": "Request"}}, "actions": actions})
        (run,) = await env.start("sender", 1)
        codes = {action["name"]: action["code"] for action in (await run.result()).actions}
        await env.fire_due()
        assert (codes, await waiting(env)) == ({"Deep": "Accepted", "Deeper": "NotStorable"}, 0)


async def test_a_simulation_sends_nothing(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=1))
        await env.deploy("sender", sender())
        (run,) = await env.start("sender", 1, simulate=True)
        assert (await run.result()).actions[0]["outputs"]["body"]["partitionName"] == "DEFAULT"
        assert await waiting(env) == 0


# --- whatever happens in between


class Disk:
    """Fails one commit: the first that `which` picks. Whoever waits for it is told, nothing of it is stored."""

    def __init__(self, env: Any, monkeypatch: pytest.MonkeyPatch, which: Callable[[Batch], bool]) -> None:
        self.failed: list[Batch] = []
        self._which = which
        self._commit = env._vault._backend.commit
        monkeypatch.setattr(env._vault._backend, "commit", self.commit)

    async def commit(self, batch: Batch) -> list[int]:
        if not self.failed and self._which(batch):
            self.failed.append(batch)
            raise StoreFull("The disk is full.")
        numbers: list[int] = await self._commit(batch)
        return numbers


async def test_a_message_is_in_the_commit_of_its_actions_result(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=10))
        await env.deploy("sender", sender())
        disk = Disk(env, monkeypatch, lambda batch: bool(batch.messages.inserts))
        (run,) = await env.start("sender", 1)
        with pytest.raises(StoreFull):
            await run.result()
        assert [(len(batch.messages.inserts), len(batch.runs.pages)) for batch in disk.failed] == [(1, 1)]
        assert await waiting(env) == 0
    async with place.open() as env:
        await env.resume_unfinished()
        assert (await (await env.run("latest")).result()).status == "Succeeded"
        assert await waiting(env) == 1


async def test_messages_and_the_run_that_gets_them_are_one_commit(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=2))
        await env.deploy("sender", sender())
        await sent(env, 1, 2, 3, 4)
        disk = Disk(env, monkeypatch, lambda batch: bool(batch.messages.consumed))
        await env.fire_due()
        (batch,) = disk.failed
        assert (len(batch.runs.inserts), len(batch.triggers.upserts), len(batch.messages.consumed)) == (1, 1, 2)
        assert (await got(env), await waiting(env)) == ([], 4)
    async with place.open() as env:
        await env.fire_due()
        assert contents(await got(env)) == [[1, 2], [3, 4]]
        assert await waiting(env) == 0


@pytest.mark.parametrize("fatal", range(12))
async def test_whichever_commit_fails_every_message_arrives_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    """The engine is closed after the failure and opened again, and what was not acknowledged is done again."""
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=2))
        await env.deploy("sender", sender())
        commits = iter(range(1000))
        Disk(env, monkeypatch, lambda batch: next(commits) == fatal)
        missing = list(range(5))
        with suppress(StoreFull):
            for body in list(missing):
                (run,) = await env.start("sender", body)
                missing.remove(body)
                await run.result()
                await env.fire_due()
    monkeypatch.undo()
    async with place.open() as env:
        for run in await env.resume_unfinished():
            await run.result()
        await sent(env, *missing)
        await env.fire_due()
        arrived = [content for batch in contents(await got(env)) for content in batch]
        left = await env._vault.messages(bytes.fromhex((await env.flow("receiver")).id))
        assert sorted(arrived + [message.value["content"] for message in left]) == list(range(5))
        assert {len(batch) for batch in contents(await got(env))} == {2}


async def test_messages_survive_the_process(place: Place) -> None:
    async with place.open() as env:
        await env.deploy("receiver", receiver(messageCount=2))
        await env.deploy("sender", sender())
        await sent(env, 1)
    async with place.open() as env:
        await sent(env, 2)
    async with place.open() as env:
        await env.fire_due()
        assert contents(await got(env)) == [[1, 2]]
