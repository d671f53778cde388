"""What comes while an environment is locked: callbacks of actions and of triggers, kept unread and carried out once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sealflow
from revocable import GRACE, NAME, PROBE, Revocable, change, database, revocable
from sealflow.engine.errors import NotFound
from sealflow.storage import EnvironmentLocked, InboxFull, IntegrityError
from sealflow.storage.format.envelope import InboxKey, seal_to
from sealflow.storage.stores.inbox import sealed_items

S = ["Succeeded"]
REQUEST = {"method": "POST", "uri": "https://example.org/", "body": "@listCallbackUrl()"}
HOOK = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "hook": {"type": "HttpWebhook", "inputs": {"subscribe": REQUEST}},
        "told": {"type": "Compose", "inputs": "@body('hook')", "runAfter": {"hook": S}},
    },
}
TRIGGER = {
    "triggers": {"called": {"type": "HttpWebhook", "inputs": {"subscribe": REQUEST}}},
    "actions": {"told": {"type": "Compose", "inputs": "@triggerBody()"}},
}
CANARY = "canary-9041"


class Subscriptions:
    """Remembers where to call back."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.asked = asyncio.Event()

    async def __call__(self, call: sealflow.Call) -> sealflow.ConnectorResponse:
        inputs: Any = call.inputs
        self.urls.append(inputs["body"])
        self.asked.set()
        return sealflow.ConnectorResponse(202, {}, None)


async def waiting(world: Revocable) -> tuple[Any, str]:
    """A run that waits for its callback, and the URL; the inbox has its key."""
    (run,) = await world.env.start(await world.env.deploy("f", HOOK))
    async for entry in run.follow():
        if entry.code == "Subscribed":
            break
    await world.env._executor.take_inbox()  # type: ignore[union-attr]
    (url,) = (await run.callbacks()).values()
    return run, url


async def subscribed(world: Revocable, service: Subscriptions) -> str:
    """The URL of a webhook trigger; the inbox has its key."""
    await world.env.deploy("f", TRIGGER)
    await world.env.watch_triggers()
    await service.asked.wait()
    while (url := (await world.env.trigger("f")).callback_url) is None:
        await asyncio.sleep(0)
    await world.env._executor.take_inbox()  # type: ignore[union-attr]
    return url


async def drained(world: Revocable) -> None:
    await world.unlock()
    await world.env._executor.take_inbox()  # type: ignore[union-attr]


async def test_a_callback_is_kept_and_carried_out_after_the_lock(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        await world.lock()
        delivery = await world.env.callback(url, body={"secret": CANARY})
        assert (delivery.status, delivery.run, delivery.accepted) == (202, run.id, True)
        for file in database(world).parent.iterdir():
            assert CANARY.encode() not in file.read_bytes()
        await drained(world)
        result = await run.result()
        assert result.actions[-1]["outputs"] == {"secret": CANARY}
        assert (await world.env.callback(url, body=1)).status == 410
        assert change(world, "SELECT count(*) FROM sealed_inbox") == [(0,)]
        assert change(world, "SELECT count(*) FROM callback_tokens WHERE scope = ?", run._id) == [(0,)]  # it has ended


async def test_the_first_of_two_callbacks_counts(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        await world.lock()
        answers = [(await world.env.callback(url, body=number)).status for number in range(3)]
        assert answers == [202, 410, 410]
        await drained(world)
        assert (await run.result()).actions[-1]["outputs"] == 0


async def test_nobody_else_is_let_in(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        _, url = await waiting(world)
        await world.lock()
        other = url[:-1] + ("0" if url[-1] != "0" else "1")
        assert (await world.env.callback(other, body=1)).status == 404
        assert (await world.env.callback("nonsense", body=1)).status == 404
        assert change(world, "SELECT count(*) FROM sealed_inbox") == [(0,)]
        hashes = change(world, "SELECT token_hash FROM callback_tokens")
        assert bytes.fromhex(url[-32:]) not in [each for (each,) in hashes]


async def test_a_callback_that_meets_the_lock_before_it_was_noticed(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        await world.admin.lock(NAME)
        assert (await world.env.callback(url, body=7)).status == 202
        await world.look()
        await drained(world)
        assert (await run.result()).actions[-1]["outputs"] == 7


async def test_a_callback_in_an_outage(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        world.lose()
        await world.after(PROBE)
        await world.after(GRACE)
        assert (await world.env.callback(url, body=7)).status == 202
        world.find()
        await world.after(PROBE)
        await world.back()
        await world.env._executor.take_inbox()  # type: ignore[union-attr]
        assert (await run.result()).actions[-1]["outputs"] == 7


async def test_a_trigger_that_is_called_while_locked_starts_its_run_afterwards(tmp_path: Path) -> None:
    service = Subscriptions()
    async with revocable(tmp_path, {"http": service}) as world:
        url = await subscribed(world, service)
        await world.lock()
        assert await world.env.trigger_callback(url, body={"order": 7}, headers={"x-who": "maria"}) == []
        with pytest.raises(NotFound):
            await world.env.trigger_callback(url[:-1] + ("0" if url[-1] != "0" else "1"))
        await drained(world)
        (summary,) = await world.env.runs()
        result = await (await world.env.run(summary.id)).result()
        assert result.actions[-1]["outputs"] == {"order": 7}


async def test_no_more_is_taken_in_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        urls = [(await waiting(world))[1] for _ in range(3)]
        url = urls[-1]
        await world.lock()
        monkeypatch.setattr(sealed_items, "MOST_ITEMS", 2)
        statuses = [(await world.env.callback(each, body=0)).status for each in urls]
        assert statuses == [202, 202, 503]
        assert (await world.env.callback(url, body=0)).retry_after == InboxFull.retry_after
        monkeypatch.setattr(sealed_items, "MOST_ITEMS", 9)
        monkeypatch.setattr(sealed_items, "MOST_BYTES", 5000)
        assert (await world.env.callback(url, body="x" * 5000)).status == 503


async def test_the_bytes_that_are_taken_in_are_limited_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        urls = [(await waiting(world))[1] for _ in range(4)]
        await world.lock()
        monkeypatch.setattr(sealed_items, "MOST_BYTES", 5000)
        bodies = ["x" * 4000, "x" * 2000, "x" * 100, "x" * 1000]
        statuses = [(await world.env.callback(url, body=body)).status for url, body in zip(urls, bodies, strict=True)]
        assert statuses == [202, 503, 202, 503]


async def test_the_key_is_exchanged_after_each_drain_and_belongs_to_the_customer(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        (before,) = change(world, "SELECT key_id FROM inbox_keys")
        assert change(world, "SELECT domain FROM keys WHERE kind = 16 AND scope = ?", *before) == [(2,)]
        await world.lock()
        await world.env.callback(url, body=1)
        (copied,) = change(world, "SELECT * FROM sealed_inbox")
        await drained(world)
        await run.result()
        (after,) = change(world, "SELECT key_id FROM inbox_keys")
        assert after != before
        assert change(world, "SELECT scope FROM keys WHERE kind = 16") == [after]
        change(world, "INSERT INTO sealed_inbox VALUES (?, ?, ?, ?, ?, ?, ?)", *copied)
        assert await world.env._vault.sealed_items.items() == []  # what was drained opens no more


def forged(item: dict[str, Any], key: bytes) -> None:
    item["sealed"] = item["sealed"][:-1] + bytes([item["sealed"][-1] ^ 1])


def moved(item: dict[str, Any], key: bytes) -> None:
    item["sequence"] += 5


def readdressed(item: dict[str, Any], key: bytes) -> None:
    item["scope"] = bytes(16)


def resealed(item: dict[str, Any], key: bytes) -> None:
    item["sealed"] = seal_to(key, b"mine", b"sealed inbox")


def uncertified(item: dict[str, Any], key: bytes) -> None:
    item["mac"] = bytes(32)


def damaged(item: dict[str, Any], key: bytes) -> None:
    item["kind"] = "no number"


@pytest.mark.parametrize("how", [forged, moved, readdressed, resealed, uncertified, damaged])
async def test_a_changed_item_is_refused_and_the_others_are_not(
    tmp_path: Path, how: Callable[[dict[str, Any], bytes], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        other, other_url = await waiting(world)
        await world.lock()
        await world.env.callback(url, body="first")
        await world.env.callback(other_url, body="second")
        names = ["key_id", "sequence", "kind", "scope", "created_ms", "mac", "sealed"]
        row = change(world, "SELECT * FROM sealed_inbox WHERE sequence = 1")[0]
        ((public,),) = change(world, "SELECT public FROM inbox_keys")
        item = dict(zip(names, row, strict=True))
        how(item, public)
        change(world, "DELETE FROM sealed_inbox WHERE sequence = 1")
        change(world, "INSERT INTO sealed_inbox VALUES (?, ?, ?, ?, ?, ?, ?)", *item.values())
        await drained(world)
        assert (await other.result()).actions[-1]["outputs"] == "second"
        assert (await run.snapshot()).status == "Running"
        assert "an item of the sealed inbox was refused" in caplog.text
        assert change(world, "SELECT count(*) FROM sealed_inbox") == [(0,)]


async def test_an_item_that_is_put_in_twice_or_in_another_order_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        _, other_url = await waiting(world)
        await world.lock()
        await world.env.callback(url, body="first")
        await world.env.callback(other_url, body="second")
        rows = change(world, "SELECT * FROM sealed_inbox ORDER BY sequence")
        change(world, "DELETE FROM sealed_inbox")
        for sequence, row in ((1, rows[1]), (2, rows[0]), (3, rows[0])):
            change(world, "INSERT INTO sealed_inbox VALUES (?, ?, ?, ?, ?, ?, ?)", row[0], sequence, *row[2:])
        await drained(world)
        assert (await run.snapshot()).status == "Running"
        assert caplog.text.count("an item of the sealed inbox was refused") == 3
        assert (await world.env.callback(url, body="third")).status == 200
        assert (await run.result()).actions[-1]["outputs"] == "third"


async def test_a_removed_item_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        urls = [url, *[(await waiting(world))[1] for _ in range(2)]]
        await world.lock()
        for number in range(3):
            await world.env.callback(urls[number], body=number)
        change(world, "DELETE FROM sealed_inbox WHERE sequence = 2")
        await drained(world)
        assert (await run.result()).actions[-1]["outputs"] == 0
        assert "missing before number 3" in caplog.text


async def test_a_planted_public_key_is_refused(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        _, url = await waiting(world)
        await world.lock()
        change(world, "UPDATE inbox_keys SET public = ?", InboxKey().public)
        with pytest.raises(IntegrityError, match="public key of the inbox was altered"):
            await world.env.callback(url, body=CANARY)
        assert change(world, "SELECT count(*) FROM sealed_inbox") == [(0,)]
        change(world, "DELETE FROM inbox_keys")
        with pytest.raises(EnvironmentLocked):
            await world.env.callback(url, body=CANARY)


async def test_a_program_that_starts_while_it_is_locked_takes_callbacks_in(tmp_path: Path) -> None:
    async with revocable(tmp_path, {"http": Subscriptions()}) as world:
        run, url = await waiting(world)
        await world.lock()
        async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
            with pytest.raises(EnvironmentLocked):
                await engine.environment(NAME)
            with pytest.raises(NotFound):
                await engine.inbox("nobody")
            inbox = await engine.inbox(NAME)
            delivery = await inbox.callback(url, body=7)
            assert (delivery.status, delivery.run, delivery.path) == (202, run.id, None)
            other = url[:-1] + ("0" if url[-1] != "0" else "1")
            assert [(await inbox.callback(each)).status for each in (other, "nonsense")] == [404, 404]
            with pytest.raises(NotFound):
                await inbox.trigger_callback(url)
        await drained(world)
        assert (await run.result()).actions[-1]["outputs"] == 7


async def test_a_trigger_is_called_by_way_of_a_program_that_cannot_open_the_environment(tmp_path: Path) -> None:
    service = Subscriptions()
    async with revocable(tmp_path, {"http": service}) as world:
        url = await subscribed(world, service)
        await world.lock()
        async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
            await (await engine.inbox(NAME)).trigger_callback(url, body={"order": 8})
        await drained(world)
        (summary,) = await world.env.runs()
        result = await (await world.env.run(summary.id)).result()
        assert result.actions[-1]["outputs"] == {"order": 8}


QUIET = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"told": {"type": "Compose", "inputs": ["@triggerBody()", "@triggerOutputs()?['queries']"]}},
}
ANSWERING = {
    **QUIET,
    "actions": {"answer": {"type": "Response", "inputs": {"statusCode": 200, "body": "@triggerBody()"}}},
}


async def told(world: Revocable) -> list[Any]:
    """What the runs of the quiet flow were started with, the oldest first."""
    runs = [await world.env.run(summary.id) for summary in reversed(await world.env.runs())]
    return [(await run.result()).actions[-1]["outputs"] for run in runs]


async def with_a_key(world: Revocable) -> None:
    """The inbox has its key, as soon as somebody executes the environment."""
    await world.env.resume_unfinished()
    await world.env._executor.take_inbox()  # type: ignore[union-attr]


async def test_a_flow_that_nobody_waits_for_is_started_afterwards_once(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        flow = await world.env.deploy("quiet", QUIET)
        await with_a_key(world)
        await world.lock()
        for number in range(2):
            runs = await world.env.start(flow, {"order": number, "secret": CANARY}, queries={"q": "1"})
            assert (runs, runs.queued) == ([], True)
        for file in database(world).parent.iterdir():
            assert CANARY.encode() not in file.read_bytes()
        assert not [row for row in change(world, "SELECT * FROM callback_tokens") if flow.id in row]
        await drained(world)
        await world.env._executor.take_inbox()  # type: ignore[union-attr]
        assert await told(world) == [[{"order": number, "secret": CANARY}, {"q": "1"}] for number in range(2)]
        assert not (await world.env.start(flow, 1)).queued


async def test_a_start_is_kept_through_the_end_of_every_process(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        flow = await world.env.deploy("quiet", QUIET)
        await with_a_key(world)
        await world.lock()
    options = {"keystore": tmp_path / "keys" / "k.json"}
    async with sealflow.open(tmp_path / "home", **options) as engine:  # type: ignore[arg-type]
        inbox = await engine.inbox(NAME)
        await inbox.start(flow.id.hex(), 7)
        for unknown in ("quiet", "nonsense", bytes(16).hex()):
            with pytest.raises(EnvironmentLocked):
                await inbox.start(unknown, 7)
        await engine.administration("maria").unlock(NAME)
    for _ in range(2):  # the second one finds nothing more to do
        async with sealflow.open(tmp_path / "home", **options) as engine:  # type: ignore[arg-type]
            world.env = await engine.environment(NAME)
            await world.env.resume_unfinished()
            await world.env._executor.take_inbox()  # type: ignore[union-attr]
            assert await told(world) == [[7, {}]]


async def test_what_somebody_waits_for_is_refused(tmp_path: Path) -> None:
    async with revocable(tmp_path) as world:
        quiet = await world.env.deploy("quiet", QUIET)
        changed = await world.env.deploy("changed", QUIET)
        await world.env.deploy("changed", ANSWERING)
        gone = await world.env.deploy("gone", QUIET)
        await world.env.retention.delete_flow("gone")
        await with_a_key(world)
        await world.lock()
        for flow in (changed, gone, "quiet"):
            with pytest.raises(EnvironmentLocked):
                await world.env.start(flow, 1)
        with pytest.raises(EnvironmentLocked):
            await world.env.start(quiet, 1, simulate=True)
        assert change(world, "SELECT count(*) FROM sealed_inbox") == [(0,)]
