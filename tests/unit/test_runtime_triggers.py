"""Triggers that fire by themselves: recurrences, windows, polls and webhooks on a clock that is turned by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.connectors import ConnectorError, ConnectorResponse, Recovery, Subscribed
from sealflow.engine.errors import Denied, NotFound, SealflowError
from sealflow.engine.kernel.contract.timing import SECOND, iso
from sealflow.engine.runtime.triggers.triggers import Triggers
from sealflow.storage import StoreBusy
from trigger_world import HOUR, HOURLY, KEEP, MINUTE, START, opened, recurring

# ---- recurrence


async def test_a_recurrence_fires_at_its_times(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring({**HOURLY, "startTime": "2026-01-01T00:30:00Z"}))
        await world.watch()
        assert (await world.env.trigger("f")).next_ms == (START + 30 * MINUTE) // 10_000
        await world.pass_to(START + 30 * MINUTE, 1)
        await world.pass_to(START + 90 * MINUTE, 2)
        (first, second) = await world.triggers()
        assert first["scheduledTime"] == "2026-03-28T12:30:00.0000000Z"
        assert second["scheduledTime"] == "2026-03-28T13:30:00.0000000Z"
        assert first["outputs"] == {}
        assert first["name"] == "T"
        found = await world.env.trigger("f")
        assert [each["code"] for each in found.history] == ["OK", "OK"]
        assert found.history[0]["time"] == "2026-03-28T13:30:00.0000000Z"
        assert found.history[0]["runs"] == [(await world.env.run("latest")).id]


async def test_without_a_start_time_it_fires_when_it_is_first_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring({"frequency": "Day", "interval": 1}))
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        await world.pass_to(START + 24 * HOUR, 2)
    async with opened(tmp_path, START + 25 * HOUR) as world:
        await world.watch()
        await world.asleep()
        assert world.fired == []
        assert (await world.env.trigger("f")).next_ms == (START + 48 * HOUR) // 10_000


async def test_a_flow_that_is_deployed_later_is_watched_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.watch()
        await world.env.deploy("f", recurring(HOURLY))
        await world.pass_to(START + HOUR, 1)
        assert world.fired == [("Succeeded", "OK")]


async def test_missed_occurrences_are_not_made_up_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.watch()
    async with opened(tmp_path, START + 5 * HOUR + 2 * MINUTE) as world:
        await world.watch()
        await world.asleep()
        assert world.fired == []
        await world.pass_to(START + 6 * HOUR, 1)
        assert await world.times() == ["18:00"]


async def test_one_that_was_due_a_moment_ago_still_fires_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.watch()
    for _ in range(2):
        async with opened(tmp_path, START + HOUR + 30 * SECOND) as world:
            await world.watch()
            await world.asleep()
            assert await world.times() == ["13:00"]


EACH_SECOND: dict[str, Any] = {"frequency": "Second", "interval": 1, "startTime": "2026-03-28T12:00:01Z"}


@pytest.mark.parametrize(("down", "fired"), [(3.2, 3), (10, 10), (60, 60), (61, 61), (75.5, 60), (600, 61)])
async def test_every_occurrence_within_the_grace_fires_once(tmp_path: Path, down: float, fired: int) -> None:
    """Nothing executes the environment for so many seconds: what is at most a minute late fires, and nothing twice."""
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(EACH_SECOND))
        await world.watch()
    now = START + round(down * SECOND)
    for _ in range(2):
        async with opened(tmp_path, now) as world:
            await world.watch()
            await world.asleep()
            first = max(START + SECOND, now - 60 * SECOND)
            first += -(first - START) % SECOND
            expected = [iso(first + number * SECOND)[:19] for number in range(fired)]
            assert [trigger["scheduledTime"][:19] for trigger in await world.triggers()] == expected


async def test_one_that_is_owed_fires_with_those_within_the_grace(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring({**HOURLY, "frequency": "Minute"}))
        await world.once()
    async with opened(tmp_path, START + HOUR + 10 * MINUTE + 30 * SECOND) as world:
        await world.once()
        assert await world.times() == ["13:00", "13:10"]


async def test_once_fires_what_is_due_and_waits_for_the_runs(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.once()
        assert world.fired == []
    async with opened(tmp_path, START + 5 * HOUR + 20 * MINUTE) as world:
        await world.once()
        assert world.fired == [("Succeeded", "OK")]  # late, and not five times
        assert [run.status for run in await world.env.runs()] == ["Succeeded"]
        assert await world.times() == ["13:00"]
        await world.once()
        assert len(world.fired) == 1


async def test_a_new_version_keeps_what_has_not_changed(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        rule = {"frequency": "Minute", "interval": 10}
        await world.env.deploy("f", recurring(rule))
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        await world.asleep()
        world.clock.advance_to(START + 5 * MINUTE)
        await world.env.deploy("f", recurring(rule, {"other": {"type": "Compose", "inputs": "@trigger()"}}))
        await world.pass_to(START + 10 * MINUTE, 2)
        assert {run.version for run in await world.env.runs()} == {1, 2}
        await world.env.deploy("f", recurring({"frequency": "Minute", "interval": 20}))
        await world.until(lambda: len(world.fired) == 3)  # another recurrence begins anew
        assert (await world.env.trigger("f")).next_ms == (START + 30 * MINUTE) // 10_000


async def test_an_expression_may_give_the_recurrence_and_what_is_none_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        rule = {"frequency": "@parameters('unit')", "interval": 2, "startTime": "2026-03-28T00:00:00Z"}
        parameters = {"unit": {"type": "String", "defaultValue": "Hour"}}
        await world.env.deploy("f", {**recurring(rule), "parameters": parameters})
        parameters = {"unit": {"type": "String", "defaultValue": "Fortnight"}}
        await world.env.deploy("g", {**recurring(rule), "parameters": parameters})
        await world.watch()
        assert (await world.env.trigger("f")).next_ms == START // 10_000
        found = await world.env.trigger("g")
        assert found.problem is not None
        assert found.problem["code"] == "InvalidRecurrence"
        assert found.next_ms is None


async def test_a_condition_that_is_false_is_remembered(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        never = [{"expression": "@equals(1, 2)"}]
        await world.env.deploy("f", recurring(HOURLY, conditions=never))
        broken = [{"expression": "@bool('x')"}]
        await world.env.deploy("g", recurring(HOURLY, conditions=broken))
        await world.watch()
        await world.pass_to(START + HOUR, 2)
        assert sorted(world.fired)[1] == ("Skipped", "TriggerConditionNotMet")
        assert sorted(world.fired)[0][0] == "Failed"
        assert await world.env.runs() == []


# ---- sliding windows


def sliding(recurrence: dict[str, Any], **trigger: Any) -> dict[str, Any]:
    return {"triggers": {"T": {"type": "SlidingWindow", "recurrence": recurrence, **trigger}}, "actions": KEEP}


async def test_windows_that_were_missed_are_made_up_for_in_order(tmp_path: Path) -> None:
    rule = {"frequency": "Hour", "interval": 1, "startTime": "2026-03-28T10:00:00Z"}
    async with opened(tmp_path) as world:
        await world.env.deploy("f", sliding(rule))
        await world.watch()
        await world.until(lambda: len(world.fired) == 3)
        await world.asleep()
    async with opened(tmp_path, START + 2 * HOUR) as world:
        await world.watch()
        await world.until(lambda: len(world.fired) == 2)
        windows = [trigger["outputs"] for trigger in await world.triggers()]
        assert [each["windowEndTime"][11:16] for each in windows] == ["10:00", "11:00", "12:00", "13:00", "14:00"]
        assert [each["windowStartTime"] for each in windows[1:]] == [each["windowEndTime"] for each in windows[:-1]]
        assert windows[0]["windowStartTime"] == "2026-03-28T09:00:00.0000000Z"


async def test_a_window_can_be_delayed(tmp_path: Path) -> None:
    rule = {"frequency": "Hour", "interval": 1, "startTime": "2026-03-28T13:00:00Z"}
    async with opened(tmp_path) as world:
        await world.env.deploy("f", sliding(rule, inputs={"delay": "PT10M"}))
        await world.watch()
        await world.asleep()
        world.clock.advance_to(START + 69 * MINUTE)
        await world.asleep()
        assert world.fired == []
        await world.pass_to(START + 70 * MINUTE, 1)
        (trigger,) = await world.triggers()
        assert trigger["scheduledTime"] == "2026-03-28T13:00:00.0000000Z"
        assert trigger["startTime"] == "2026-03-28T13:10:00.0000000Z"


async def test_windows_wait_for_room_instead_of_being_skipped(tmp_path: Path) -> None:
    rule = {"frequency": "Hour", "interval": 1, "startTime": "2026-03-28T09:00:00Z"}
    async with opened(tmp_path) as world:
        limits = {"concurrency": {"runs": 1, "maximumWaitingRuns": 1}}
        await world.env.deploy("f", sliding(rule, runtimeConfiguration=limits))
        await world.once()
        assert world.fired == [("Succeeded", "OK")] * 4
        assert await world.times() == ["09:00", "10:00", "11:00", "12:00"]


# ---- polling


def polling(recurrence: dict[str, Any] | None = None, **trigger: Any) -> dict[str, Any]:
    host = {"apiId": "/apis/shared_test", "connectionName": "c", "operationId": "New"}
    return {
        "triggers": {
            "T": {
                "type": "OpenApiConnection",
                "inputs": {"host": host, "parameters": {"at": "@utcNow()"}},
                "recurrence": recurrence or {"frequency": "Minute", "interval": 5},
                **trigger,
            }
        },
        "actions": KEEP,
    }


class Service:
    """Answers polls one after the other; the last answer is repeated."""

    recovery: Recovery = "keyed"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[Any] = []

    async def invoke(self, call: Any, services: Any) -> Any:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_polls_that_were_missed_are_made_up_for_by_one(tmp_path: Path) -> None:
    service = Service(*[(200, {}, None)] * 3)
    for at in (START, START + 10 * MINUTE):
        async with opened(tmp_path, at) as world:
            world.engine.connectors.register("test", service)
            await world.env.deploy("f", polling())
            await world.watch()
            await world.until(lambda: len(world.fired) == 1)
            await world.asleep()
    assert len(service.calls) == 2


async def test_a_poll_starts_runs_only_when_it_is_answered_with_200(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        service = Service(
            ConnectorResponse(202),
            ConnectorResponse(200, {"x": "y"}, {"n": 1}),
            ConnectorResponse(500),
            ConnectorError("ConnectionFailed", "no"),
        )
        world.engine.connectors.register("test", service)
        await world.env.deploy("f", polling())
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        for number in (2, 3, 4):
            await world.pass_to(START + (number - 1) * 5 * MINUTE, number)
        assert world.fired == [
            ("Skipped", "Accepted"),
            ("Succeeded", "OK"),
            ("Failed", "InternalServerError"),
            ("Failed", "ConnectionFailed"),
        ]
        (trigger,) = await world.triggers()
        assert trigger["outputs"] == {"statusCode": 200, "headers": {"x": "y"}, "body": {"n": 1}}
        assert trigger["inputs"]["parameters"]["at"] == "2026-03-28T12:05:00.0000000Z"
        assert len({call.key for call in service.calls}) == 4
        assert {call.operation for call in service.calls} == {"New"}


async def test_an_answer_says_where_and_when_the_next_poll_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        service = Service(
            ConnectorResponse(202, {"Location": "http://there/2", "retry-after": "30"}),
            ConnectorResponse(202, {"Retry-After": "3600"}),
            ConnectorResponse(200, {"Retry-After": "10"}, 1),
            ConnectorResponse(200, {}, 2),
        )
        world.engine.connectors.register("http", service)
        inputs = {"method": "GET", "uri": "http://there/1", "queries": {"a": "b"}}
        flow = polling(type="Http", inputs=inputs)
        await world.env.deploy("f", flow)
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        await world.pass_to(START + 5 * MINUTE, 2)  # 30 seconds are less than the recurrence
        await world.pass_to(START + 65 * MINUTE, 3)  # an hour is more
        await world.pass_to(START + 65 * MINUTE + 10 * SECOND, 4)  # there is more to fetch
        uris = [call.inputs["uri"][-1] for call in service.calls]
        assert uris == ["1", "2", "1", "1"]
        assert "queries" not in service.calls[1].inputs
        assert len(await world.env.runs()) == 2


async def test_a_condition_about_the_status_replaces_the_rule_of_200(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        service = Service(ConnectorResponse(404, {}, "none"), ConnectorResponse(200, {}, "some"))
        world.engine.connectors.register("test", service)
        condition = [{"expression": "@equals(trigger().outputs.statusCode, 404)"}]
        await world.env.deploy("f", polling(conditions=condition))
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        await world.pass_to(START + 5 * MINUTE, 2)
        assert world.fired == [("Succeeded", "NotFound"), ("Skipped", "TriggerConditionNotMet")]


async def test_a_poll_splits_its_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        world.engine.connectors.register(
            "test", Service(ConnectorResponse(200, {}, {"value": [1, 2, 3]}), ConnectorResponse(200, {}, 1))
        )
        await world.env.deploy("f", polling(splitOn="@triggerOutputs()?['body/value']"))
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        assert sorted(trigger["outputs"]["body"] for trigger in await world.triggers()) == [1, 2, 3]
        await world.pass_to(START + 5 * MINUTE, 2)
        assert world.fired[1][0] == "Failed"  # nothing to split: told, and the next poll comes
        assert (await world.env.trigger("f")).next_ms == (START + 10 * MINUTE) // 10_000


# ---- webhooks


def hooked(**trigger: Any) -> dict[str, Any]:
    subscribe = {"method": "POST", "uri": "http://there/hooks", "body": {"url": "@{listCallbackUrl()}"}}
    unsubscribe = {"method": "DELETE", "uri": "http://there/hooks/1"}
    inputs = {"subscribe": subscribe, "unsubscribe": unsubscribe}
    return {"triggers": {"T": {"type": "HttpWebhook", "inputs": inputs, **trigger}}, "actions": KEEP}


async def test_a_webhook_trigger_subscribes_is_called_back_and_unsubscribes(tmp_path: Path) -> None:
    service = Service(ConnectorResponse(201))
    async with opened(tmp_path) as world:
        world.engine.connectors.register("http", service)
        await world.env.deploy("f", hooked())
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        url = service.calls[0].inputs["body"]["url"]
        assert (await world.env.trigger("f")).callback_url == url
        (run,) = await world.env.trigger_callback(url, body={"n": 1}, headers={"h": "1"})
        trigger = (await run.result()).actions[0]["outputs"]
        assert trigger["outputs"] == {"statusCode": 200, "headers": {"h": "1"}, "body": {"n": 1}}
        with pytest.raises(NotFound):
            await world.env.trigger_callback(url[:-1] + ("0" if url[-1] != "0" else "1"))
        with pytest.raises(NotFound):
            await world.env.trigger_callback("somewhere")
        await world.env.deploy("f", hooked(conditions=[{"expression": "@true"}]))
        await world.until(lambda: len(service.calls) == 3)  # its trigger has changed: out, and in again
        await world.asleep()
        await world.env.disable("f")
        await world.until(lambda: len(service.calls) == 4)
        assert [call.inputs["method"] for call in service.calls] == ["POST", "DELETE", "POST", "DELETE"]
        await world.asleep()
        with pytest.raises(Denied, match="is disabled"):
            await world.env.trigger_callback(url)
        await world.env.enable("f")
        await world.until(lambda: len(service.calls) == 5)


async def test_a_subscription_that_fails_is_tried_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        service = Service(ConnectorResponse(503), Subscribed({"id": 1}))
        world.engine.connectors.register("test", service)
        host = {"apiId": "/apis/shared_test", "connectionName": "c", "operationId": "Watch"}
        await world.env.deploy("f", hooked(type="OpenApiConnectionWebhook", inputs={"host": host, "parameters": {}}))
        await world.watch()
        await world.until(lambda: len(world.fired) == 1)
        await world.pass_to(START + MINUTE, 2)
        assert world.fired == [("Failed", "ServiceUnavailable"), ("Skipped", "Subscribed")]
        assert service.calls[1].callback_url == (await world.env.trigger("f")).callback_url


# ---- enabled and disabled


async def test_a_disabled_flow_starts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        await world.env.deploy("g", recurring(HOURLY))
        await world.watch()
        await world.env.disable("F")
        assert [flow.enabled for flow in await world.env.flows()] == [False, True]
        await world.pass_to(START + HOUR, 1)
        with pytest.raises(Denied) as refused:
            await world.env.start("f")
        assert refused.value.code == "FlowDisabled"
        assert [run.flow for run in await world.env.runs()] == ["g"]
    async with opened(tmp_path, START + 90 * MINUTE) as world:
        with pytest.raises(Denied, match="is disabled"):
            await world.env.start("f")
        await world.env.enable("f")
        await world.env.enable("f")
        await world.watch()
        await world.pass_to(START + 2 * HOUR, 2)
        assert (await world.env.trigger("f")).history[0]["scheduledTime"] == "2026-03-28T14:00:00.0000000Z"


async def test_a_disabled_child_fails_its_caller(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        reply = {"r": {"type": "Response", "kind": "Http", "inputs": {"statusCode": 200}}}
        await world.env.deploy("child", {"triggers": {"m": {"type": "Request", "kind": "Http"}}, "actions": reply})
        inputs = {"host": {"workflow": {"id": "/workflows/child"}}}
        await world.env.deploy(
            "parent", {"triggers": {"m": {"type": "Request"}}, "actions": {"c": {"type": "Workflow", "inputs": inputs}}}
        )
        await world.env.disable("child")
        (run,) = await world.env.start("parent")
        assert (await run.result()).actions[0]["code"] == "FlowDisabled"


# ---- concurrency


def limited(runs: int, waiting: int | None = None) -> dict[str, Any]:
    limits: dict[str, Any] = {"runs": runs}
    if waiting is not None:
        limits["maximumWaitingRuns"] = waiting
    trigger = {"type": "Request", "runtimeConfiguration": {"concurrency": limits}}
    host = {"apiId": "/apis/shared_test", "connectionName": "c", "operationId": "Do"}
    call = {"type": "OpenApiConnection", "inputs": {"host": host, "parameters": {"n": "@triggerBody()"}}}
    return {"triggers": {"m": trigger}, "actions": {"call": call}}


class Gate:
    """Calls that wait to be let through, one by one."""

    recovery: Recovery = "rerun"

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Event] = {}
        self.order: list[int] = []

    async def invoke(self, call: Any, services: Any) -> ConnectorResponse:
        number = call.inputs["parameters"]["n"]
        self.order.append(number)
        await self.waiting.setdefault(number, asyncio.Event()).wait()
        return ConnectorResponse(200, {}, number)

    def open(self, number: int) -> None:
        self.waiting.setdefault(number, asyncio.Event()).set()


async def test_runs_beyond_the_limit_wait_and_begin_in_order(tmp_path: Path) -> None:
    gate = Gate()
    async with opened(tmp_path) as world:
        world.engine.connectors.register("test", gate)
        await world.env.deploy("f", limited(2))
        runs = [(await world.env.start("f", number))[0] for number in range(5)]
        await world.until(lambda: len(gate.order) == 2)
        assert [(await run.snapshot()).status for run in runs] == ["Running"] * 2 + ["Waiting"] * 3
        assert [run.status for run in await world.env.runs(status="Waiting")] == ["Waiting"] * 3
        gate.open(1)
        await world.until(lambda: len(gate.order) == 3)
        assert gate.order == [0, 1, 2]
    gate.order.clear()
    async with opened(tmp_path) as world:  # the process has ended with two that go on and two that wait
        world.engine.connectors.register("test", gate)
        await world.env.resume_unfinished()
        await world.until(lambda: len(gate.order) == 2)
        assert gate.order == [0, 2]
        assert await (await world.env.run(runs[4].id)).cancel()
        gate.open(0)
        await world.until(lambda: len(gate.order) == 3)
        assert gate.order == [0, 2, 3]
        gate.open(2)
        gate.open(3)
        for run in runs:
            await (await world.env.run(run.id)).result()
        assert sorted(run.status for run in await world.env.runs()) == ["Cancelled"] + ["Succeeded"] * 4


async def test_a_held_run_replays(tmp_path: Path) -> None:
    gate = Gate()
    async with opened(tmp_path) as world:
        world.engine.connectors.register("test", gate)
        await world.env.deploy("f", limited(1))
        runs = [(await world.env.start("f", number))[0] for number in range(2)]
        gate.open(0)
        gate.open(1)
        for run in runs:
            assert (await run.result()).status == "Succeeded"
        report = await sealflow.replay(await runs[1].export(plaintext=True))
        assert report.differences == []


async def test_beyond_the_waiting_runs_a_start_is_refused(tmp_path: Path) -> None:
    gate = Gate()
    async with opened(tmp_path) as world:
        world.engine.connectors.register("test", gate)
        await world.env.deploy("f", limited(1, 1))
        await world.env.start("f", 0)
        await world.env.start("f", 1)
        with pytest.raises(SealflowError) as refused:
            await world.env.start("f", 2)
        assert refused.value.code == "TooManyWaitingRuns"
        gate.open(0)
        await world.until(lambda: gate.order == [0, 1])
        await world.env.start("f", 2)


async def test_a_single_instance_is_skipped_while_a_run_goes_on(tmp_path: Path) -> None:
    gate = Gate()
    async with opened(tmp_path) as world:
        world.engine.connectors.register("test", gate)
        host = {"apiId": "/apis/shared_test", "connectionName": "c", "operationId": "Do"}
        call = {"call": {"type": "OpenApiConnection", "inputs": {"host": host, "parameters": {"n": 1}}}}
        await world.env.deploy("f", recurring(HOURLY, call, operationOptions="SingleInstance"))
        await world.watch()
        await world.pass_to(START + HOUR, 1)
        await world.pass_to(START + 2 * HOUR, 2)
        gate.open(1)
        await world.until(lambda: world.ended == ["Succeeded"])
        await world.pass_to(START + 3 * HOUR, 3)
        assert world.fired == [("Succeeded", "OK"), ("Skipped", "WorkflowRunInProgress"), ("Succeeded", "OK")]


async def test_a_flow_that_is_disabled_while_its_first_start_looks_stays_disabled(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        flow = await world.env.deploy("f", recurring(HOURLY))
        executor: Any = await world.env._execute()
        executor.triggers._enabled.clear()  # as in a process that has just begun
        looked, go_on, read = asyncio.Event(), asyncio.Event(), executor.triggers._stored._look

        async def slow(flow_id: bytes) -> bool:
            found = await read(flow_id)
            looked.set()
            await go_on.wait()
            return bool(found)

        executor.triggers._stored._look = slow
        start = asyncio.create_task(world.env.start("f"))
        await looked.wait()
        await world.env.disable("f")
        go_on.set()
        with pytest.raises(Denied, match="disabled"):
            await start
        with pytest.raises(Denied, match="disabled"):
            await world.env.start(flow)


async def test_a_trigger_that_could_not_be_registered_is_registered_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as world:
        await world.env.deploy("f", recurring(HOURLY))
        with monkeypatch.context() as patch:

            async def busy(*_: object) -> None:
                raise StoreBusy("The store is busy.")

            patch.setattr(Triggers, "register", busy)
            await world.watch()
            await world.asleep()
        assert (await world.env.trigger("f")).next_ms is None
        world.clock.advance(5 * SECOND)
        await world.pass_to(START + HOUR, 1)
        assert await world.times() == ["13:00"]
