"""Rules about triggers, callbacks and requests that one line of the engine holds: each test fails without it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from revocable import Revocable, revocable
from sealflow.connectors import ConnectorResponse
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.calls.callback_deliveries import Deliveries
from sealflow.engine.runtime.calls.dispatch import Answer
from sealflow.engine.runtime.environment import command_inbox as asked
from sealflow.engine.runtime.environment import executor as executor_module
from sealflow.engine.runtime.flows.start import plan_starts
from sealflow.engine.runtime.workers.requests import START as START_REQUEST
from sealflow.storage import StoreBusy, Vault
from trigger_world import HOUR, HOURLY, KEEP, MINUTE, START, World, opened, recurring

S = ["Succeeded"]
REQUEST = {"method": "POST", "uri": "https://example.org/", "body": "@listCallbackUrl()"}
HOOK = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "hook": {"type": "HttpWebhook", "inputs": {"subscribe": REQUEST}},
        "told": {"type": "Compose", "inputs": "@body('hook')", "runAfter": {"hook": S}},
    },
}
CALLED = {
    "triggers": {"called": {"type": "HttpWebhook", "inputs": {"subscribe": REQUEST}}},
    "actions": {"told": {"type": "Compose", "inputs": "@triggerBody()"}},
}


async def _subscribed(call: sealflow.Call) -> ConnectorResponse:
    return ConnectorResponse(202, {}, None)


# ---- triggers


async def test_enabling_a_flow_makes_up_for_the_windows_that_were_missed(tmp_path: Path) -> None:
    sliding = {"type": "SlidingWindow", "recurrence": HOURLY}
    async with opened(tmp_path) as world:
        await world.env.deploy("f", {"triggers": {"T": sliding}, "actions": KEEP})
        await world.watch()
        await world.pass_to(START + HOUR, 1)
        await world.env.disable("f")
        world.clock.advance_to(START + 4 * HOUR)
        await world.asleep()
        assert len(world.fired) == 1
        await world.env.enable("f")
        await world.until(lambda: len(world.fired) == 4)
        assert await world.times() == ["13:00", "14:00", "15:00", "16:00"]
        ends = [trigger["outputs"]["windowEndTime"][11:16] for trigger in await world.triggers()]
        assert ends == ["13:00", "14:00", "15:00", "16:00"]


async def test_enabling_a_flow_fires_no_recurrence_of_the_time_when_it_was_disabled(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.watch()
        await world.env.disable("f")
        world.clock.advance_to(START + HOUR + 30 * SECOND)
        await world.env.enable("f")
        await world.asleep()
        assert world.fired == []
        await world.pass_to(START + 2 * HOUR, 1)
        assert await world.times() == ["14:00"]


@pytest.mark.parametrize(("late", "fires"), [(60 * SECOND, True), (60 * SECOND + 1, False), (5 * MINUTE, False)])
async def test_an_occurrence_fires_up_to_a_minute_late_and_no_later(tmp_path: Path, late: int, fires: bool) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.watch()
    async with opened(tmp_path, START + HOUR + late) as world:
        await world.watch()
        await world.asleep()
        assert await world.times() == (["13:00"] if fires else [])


@pytest.mark.parametrize(
    ("retry_after", "following"),
    [("0", 5 * MINUTE), ("-3", 5 * MINUTE), ("Sat, 28 Mar 2026 11:00:00 GMT", 5 * MINUTE), ("1", SECOND),
     ("99999999", 24 * HOUR)],
)  # fmt: skip
async def test_a_poll_waits_whatever_retry_after_says(tmp_path: Path, retry_after: str, following: int) -> None:
    """Never at once, and for a day at most."""

    async def service(call: sealflow.Call) -> ConnectorResponse:
        return ConnectorResponse(200, {"Retry-After": retry_after}, 1)

    polling = {"type": "Http", "inputs": {"method": "GET", "uri": "http://there/"}}
    trigger = {**polling, "recurrence": {"frequency": "Minute", "interval": 5}}
    async with opened(tmp_path) as world:
        world.engine.connectors.register("http", service)
        await world.env.deploy("f", {"triggers": {"T": trigger}, "actions": KEEP})
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        await world.asleep()
        assert len(world.fired) == 1
        assert (await world.env.trigger("f")).next_ms == (START + following) // 10_000


async def test_a_call_for_an_earlier_trigger_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook trigger is called while the environment is locked; before the call is carried out, the flow gets
    another trigger.
    """
    async with revocable(tmp_path, {"http": _subscribed}) as world:
        await world.env.deploy("f", CALLED)
        await world.env.watch_triggers()
        async with asyncio.timeout(60):
            while (url := (await world.env.trigger("f")).callback_url) is None:
                await asyncio.sleep(0)
        await _take(world)
        await world.lock()
        await world.env.trigger_callback(url, body={"order": 7})
        with monkeypatch.context() as patch:
            patch.setattr(executor_module, "take_inbox", _nothing)
            await world.unlock()
            await world.env.deploy("f", recurring(HOURLY | {"startTime": "2999-01-01T00:00:00Z"}))
        await _take(world)
        assert await world.env.runs() == []


# ---- callbacks


async def test_a_callback_after_the_time_of_the_run_is_gone(tmp_path: Path) -> None:
    """Nothing has looked at the run since it expired: the callback finds out."""
    async with _engine(tmp_path, run_duration=HOUR) as world:
        run, url = await _waiting(world)
        world.clock.advance(2 * HOUR)
        assert (await world.env.callback(url, body=1)).status == 410
        assert (await run.result(60)).status == "TimedOut"


async def test_a_callback_that_is_accepted_as_the_run_expires_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _engine(tmp_path, run_duration=HOUR) as world:
        run, url = await _waiting(world)
        _between(monkeypatch, lambda: world.clock.advance(2 * HOUR))
        assert (await world.env.callback(url, body=1)).status == 410
        assert (await run.result(60)).status == "TimedOut"


async def test_a_callback_of_an_action_that_ended_meanwhile_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _engine(tmp_path) as world:
        run, url = await _waiting(world)
        live = run._live
        _between(monkeypatch, live.expire)
        assert (await world.env.callback(url, body=1)).status == 410
        assert (await run.result(60)).status == "TimedOut"
        assert await world.env._vault.inbox() == []


# ---- requests


async def test_a_start_that_was_carried_out_before_a_crash_is_not_repeated(tmp_path: Path) -> None:
    """Its run is there, and has ended; the request is in the inbox again."""
    async with opened(tmp_path) as world:
        flow = await world.env.deploy("f", {"triggers": HOOK["triggers"], "actions": KEEP})
        executor = await world.env._execute()
        assert executor is not None
        plan = await executor.library.plan(flow.id, flow.version)
        (start,) = plan_starts(plan, flow, environment="env", at=START)
        for _ in range(2):
            await world.env._vault.inbox_add(START_REQUEST, start.to_json(), run_id=start.run_id)
            await executor.take_inbox()
            assert await world.env._vault.inbox() == []
        (summary,) = await world.env.runs()
        assert (await (await world.env.run(summary.id)).result(60)).status == "Succeeded"


async def test_what_was_carried_out_before_a_fault_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is busy in the middle of the inbox: what came first is durable and gone, the rest waits."""
    async with _engine(tmp_path) as world:
        executor = await world.env._execute()
        assert executor is not None
        monkeypatch.setattr(executor_module, "take_inbox", _nothing)
        vault: Vault = world.env._vault
        first, second = [await vault.inbox_add(99, name) for name in ("first", "second")]
        carried_out: list[Any] = []

        async def carry_out(executor: Any, item: Any) -> None:
            if item.value == "second" and carried_out.count("second") < 1:
                carried_out.append("second")
                raise StoreBusy("The store is busy.")
            carried_out.append(item.value)

        monkeypatch.setattr(asked, "_carry_out", carry_out)
        with pytest.raises(StoreBusy, match="The store is busy"):
            await asked.take_inbox(executor)
        assert [row.number for row in await vault._backend.inbox.waiting(10)] == [second]
        assert await asked.take_inbox(executor) == 1
        assert carried_out == ["first", "second", "second"]
        assert first < second


async def test_a_callback_that_cannot_be_given_to_its_run_yet_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run cannot be resumed, e.g. by this release: an acknowledged callback waits, ever longer, and is not lost."""
    async with _engine(tmp_path) as world:
        run, url = await _waiting(world)
        executor = await world.env._execute()
        assert executor is not None
        attempts: list[Any] = []

        async def fails(deliveries: Any, live: Any, entry: Any, answer: Answer) -> None:
            attempts.append(answer)
            raise sealflow.SealflowError("It was started under another revision.", code="RevisionMismatch")

        with monkeypatch.context() as patch:
            patch.setattr(Deliveries, "_give", fails)
            assert (await world.env.callback(url, body="kept")).status == 202
            for _ in range(3):
                await executor.take_inbox()
            assert len(attempts) == 2  # when it came, and once from the inbox
            assert len(await world.env._vault.inbox()) == 1
        world.clock.advance(HOUR)
        await executor.take_inbox()
        assert (await run.result(60)).actions[-1]["outputs"] == "kept"


# ---- what they need


def _engine(folder: Path, *, run_duration: int | None = None) -> Any:
    from datetime import timedelta

    options: dict[str, Any] = (
        {} if run_duration is None else {"run_duration": timedelta(microseconds=run_duration // 10)}
    )
    return opened(folder, **options)


async def _waiting(world: World) -> tuple[Any, str]:
    world.engine.connectors.register("http", _subscribed)
    executor = await world.env._execute()
    assert executor is not None
    executor.claims.staying = 1
    (run,) = await world.env.start(await world.env.deploy("f", HOOK))
    async for entry in run.follow():
        if entry.code == "Subscribed":
            break
    (url,) = (await run.callbacks()).values()
    return run, url


def _between(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """Between the acceptance of a callback and its record."""
    from sealflow.engine.runtime.calls import callback_deliveries as deliveries
    from sealflow.engine.runtime.calls import callbacks

    before = callbacks.is_late

    async def late(*arguments: Any) -> bool:
        happens()
        return await before(*arguments)

    monkeypatch.setattr(deliveries, "is_late", late)


async def _nothing(executor: Any) -> int:
    return 0


async def _take(world: Revocable) -> None:
    executor = await world.env._execute()
    assert executor is not None
    await executor.take_inbox()
