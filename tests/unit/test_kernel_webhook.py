"""Webhook actions in the kernel: they subscribe, wait for one callback, leave; nothing of that is lost."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_driver import SECOND, Driver, compose, fail, failing, ok
from sealflow.engine import kernel
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import CANCELLED, WAITING

SUBSCRIBED = (WAITING, "Subscribed", {"statusCode": 201, "headers": {}, "body": {"id": 7}}, None)
ANSWER = {"statusCode": 200, "headers": {}, "body": {"decision": "approve"}}
NEVER = {"type": "none"}


def webhook(*, unsubscribe: bool = True, retry: Any = NEVER, **more: Any) -> dict[str, Any]:
    subscribe = {
        "method": "POST",
        "uri": "http://x/subscribe",
        "body": {"url": "@listCallbackUrl()"},
        "retryPolicy": retry,
    }
    inputs: dict[str, Any] = {"subscribe": subscribe}
    if unsubscribe:
        inputs["unsubscribe"] = {"method": "DELETE", "uri": "http://x/subscribe", "body": "@listCallbackUrl()"}
    return {"type": "HttpWebhook", "inputs": inputs, **more}


def waits(command: Any, number: int) -> Any:
    """Whoever is asked to subscribe does; whoever is told to leave says so."""
    return ok() if command.unsubscribes else SUBSCRIBED


def waiting(actions: dict[str, Any], answer: Any = waits) -> Driver:
    return Driver(actions, answer=answer).run()


def test_it_subscribes_and_stays_open_until_it_is_called_back() -> None:
    run = waiting({"w": webhook(unsubscribe=False), "after": compose("@body('w')?['decision']", "w")})
    assert run.status == "Running"
    assert run.entry("/w").status == WAITING
    assert run.entry("/w").code == "Subscribed"
    assert run.listening == [("/w", None)]
    run.call_back("w", ok(ANSWER)).run()
    assert run.status == "Succeeded"
    assert run.outputs("/w") == ANSWER
    assert run.outputs("/after") == "approve"


def test_the_address_is_the_hosts_the_runs_and_a_token_apart_from_the_key() -> None:
    run = Driver({"w": webhook()}, answer=waits, pins={"callback": "https://host/callbacks"}).start()
    (command,) = run._queue
    assert command.inputs["body"]["url"] == command.callback_url
    base, _, token = command.callback_url.rpartition("/")
    assert base == "https://host/callbacks/run"
    assert len(token) == 32
    assert command.key not in command.callback_url
    other = Driver({"w": webhook()}, answer=waits, pins={"seed": b"x" * 32}).start()
    assert other._queue[0].callback_url.rpartition("/")[2] != token


def test_its_requests_are_evaluated_when_it_starts() -> None:
    run = waiting({"w": webhook()})
    assert "retryPolicy" not in run.records[1][5]["subscribe"]
    run.call_back("w", ok(ANSWER)).run()
    assert [inputs["method"] for _, _, inputs in run.calls] == ["POST", "DELETE"]
    assert run.calls[1][2]["body"] == run.calls[0][2]["body"]["url"]


def test_it_ends_when_it_has_left() -> None:
    run = waiting({"w": webhook(), "after": compose(1, "w")})
    run.call_back("w", ok(ANSWER))
    assert run.status == "Running"
    (leaving,) = run._queue
    assert leaving.unsubscribes
    assert leaving.attempt == 2
    subscribing = Driver({"w": webhook()}).start()._queue[0]
    assert leaving.key != subscribing.key
    run.run()
    assert run.status == "Succeeded"
    assert run.entry("/w").attempts == 1


@pytest.mark.parametrize("answer", [failing(500), failing(404)])
def test_what_comes_of_leaving_does_not_matter_and_is_not_tried_again(answer: Any) -> None:
    run = waiting({"w": webhook()}, lambda command, number: answer if command.unsubscribes else SUBSCRIBED)
    run.call_back("w", ok(ANSWER)).run()
    assert run.status == "Succeeded"
    assert run.outputs("/w") == ANSWER
    assert len(run.calls) == 2


def test_a_callback_that_tells_of_a_failure_fails_the_action() -> None:
    run = waiting({"w": webhook(), "handle": compose("@outputs('w')['statusCode']", "w", on=["Failed"])})
    run.call_back("w", failing(502)).run()
    assert run.statuses == {"/w": "Failed", "/handle": "Succeeded"}
    assert run.outputs("/handle") == 502
    assert len(run.calls) == 2


def test_only_the_first_callback_counts() -> None:
    run = waiting({"w": webhook()})
    run.call_back("w", ok(ANSWER))
    before = len(run.records)
    run.call_back("w", ok({"body": "another"}))
    assert len(run.records) == before
    run.run()
    run.call_back("w", ok({"body": "late"}))
    assert run.outputs("/w") == ANSWER
    run.verify()


def test_a_callback_during_the_subscription_waits_for_its_end() -> None:
    run = Driver({"w": webhook(), "after": compose(1, "w")}, answer=waits).start()
    run.call_back("w", ok(ANSWER))
    assert [record[1] for record in run.records] == [event.START, event.SCHEDULED, event.CALLBACK]
    assert len(run._queue) == 1
    (pending,) = kernel.pending(run.state)
    assert isinstance(pending, kernel.Invoke)
    assert not pending.unsubscribes
    run.run()
    assert run.outputs("/w") == ANSWER
    assert [inputs["method"] for _, _, inputs in run.calls] == ["POST", "DELETE"]
    assert run.listening == []


def test_a_callback_counts_even_if_the_subscription_seems_to_fail() -> None:
    lost = (2, "ConnectionFailed", None, {"code": "ConnectionFailed", "message": "no"})
    run = Driver(
        {"w": webhook(retry=None)}, answer=lambda command, number: ok() if command.unsubscribes else lost
    ).start()
    run.call_back("w", ok(ANSWER)).run()
    assert run.status == "Succeeded"
    assert len(run.calls) == 2


def test_a_callback_between_two_attempts_ends_the_attempts() -> None:
    run = Driver({"w": webhook(retry=None)}, answer=lambda command, number: failing(503)).start()
    run.step()
    assert run.state.open[(0, None)].phase == 3
    run.call_back("w", ok(ANSWER)).run()
    assert run.status == "Succeeded"
    assert [inputs["method"] for _, _, inputs in run.calls] == ["POST", "DELETE"]


def test_a_subscription_that_fails_fails_the_action_without_leaving() -> None:
    run = waiting({"w": webhook(retry={"type": "fixed", "count": 2, "interval": "PT5S"})}, lambda c, n: failing(500))
    assert run.statuses == {"/w": "Failed"}
    assert [attempt for _, attempt, _ in run.calls] == [1, 2, 3]


def test_an_answer_at_once_needs_no_callback() -> None:
    run = waiting({"w": webhook()}, lambda command, number: ok(ANSWER))
    assert run.status == "Succeeded"
    assert len(run.calls) == 1


def test_its_limit_lapses_and_it_leaves_first() -> None:
    run = waiting({"w": webhook(limit={"timeout": "P1D"}), "late": compose(1, "w", on=["TimedOut"])})
    start = run.records[0][2]
    assert run.listening == [("/w", start + 86_400 * SECOND)]
    run.now = start + 86_400 * SECOND
    run.feed(event.deadline(0, None, 1, run.now))
    assert run.status == "Running"
    assert run.state.open[(0, None)].deadline is None
    run.feed(event.deadline(0, None, 2, run.now))
    run.call_back("w", ok(ANSWER))
    run.run()
    assert run.statuses == {"/w": "TimedOut", "/late": "Succeeded"}
    assert run.entry("/w").code == "ActionTimedOut"
    assert run.outputs("/w") is None


def test_its_limit_lapses_while_a_callback_is_held() -> None:
    run = Driver({"w": webhook(limit={"timeout": "PT1M"})}, answer=waits).start()
    run.call_back("w", ok(ANSWER))
    run.now += 60 * SECOND
    run.feed(event.deadline(0, None, 1, run.now))
    run._queue.pop(0)
    run.run()
    assert run.status == "Succeeded"
    assert run.outputs("/w") == ANSWER


@pytest.mark.parametrize("late", [False, True])
def test_a_cancelled_run_leaves_with_nobody_waiting(late: bool) -> None:
    run = waiting({"w": webhook(), "never": compose(1, "w")})
    if late:
        run.call_back("w", ok(ANSWER))
    under_way = [command.key for command in kernel.pending(run.state) if isinstance(command, kernel.Invoke)]
    run._queue.clear()
    run.feed(event.stop(run.now, CANCELLED, "Cancelled", "enough"))
    (leaving,) = run._queue
    assert leaving.unsubscribes
    assert under_way == ([leaving.key] if late else [])
    assert run.status == "Cancelled"
    assert run.statuses == {"/w": "Cancelled", "/never": "Skipped"}
    before = len(run.records)
    run.run()
    assert len(run.records) == before


def test_terminate_leaves_too() -> None:
    actions = {
        "w": webhook(),
        "no": fail(),
        "end": {
            "type": "Terminate",
            "inputs": {"runStatus": "Cancelled"},
            "runAfter": {"no": ["Failed"]},
        },
    }
    run = Driver(actions, answer=waits).start()
    assert [(type(command).__name__, command.unsubscribes) for command in run._queue] == [
        ("Invoke", False),
        ("Invoke", True),
    ]
    assert run.status == "Cancelled"


def test_a_container_whose_limit_lapses_leaves_too() -> None:
    scope = {"type": "Scope", "actions": {"w": webhook()}, "limit": {"timeout": "PT1H"}}
    run = Driver({"s": scope}, answer=waits).run()
    assert run.abandoned == ["/s/w"]
    assert [inputs["method"] for _, _, inputs in run.calls] == ["POST", "DELETE"]
    assert run.statuses == {"/s": "TimedOut", "/s/w": "Cancelled"}


def test_connector_webhooks_wait_too_and_have_nothing_to_leave() -> None:
    host = {"apiId": "/apis/shared_approvals", "operationId": "StartAndWaitForAnApproval"}
    approval = {"type": "OpenApiConnectionWebhook", "inputs": {"host": host, "parameters": {"title": "A"}}}
    run = waiting({"a": approval, "after": compose("@body('a')", "a")})
    assert run.calls[0][2] == {"host": host, "parameters": {"title": "A"}}
    run.call_back("a", ok(ANSWER)).run()
    assert run.outputs("/after") == {"decision": "approve"}
    assert len(run.calls) == 1


def test_other_calls_cannot_be_called_back() -> None:
    run = Driver({"c": {"type": "Http", "inputs": {"method": "GET", "uri": "http://x"}}}).start()
    assert run._queue[0].callback_url == ""
    run.call_back("c", ok(ANSWER))
    assert [record[1] for record in run.records] == [event.START, event.SCHEDULED]


def test_each_iteration_has_an_address_of_its_own() -> None:
    loop = {"type": "Foreach", "foreach": [1, 2], "actions": {"w": webhook(unsubscribe=False)}}
    run = Driver({"l": loop}, answer=waits, dialect="logic-apps").run()
    first, second = (inputs["body"]["url"] for _, _, inputs in run.calls)
    assert first != second
    run.call_back("w", ok({"body": 2}), (1,)).call_back("w", ok({"body": 1}), (0,)).run()
    assert run.status == "Succeeded"
    assert (run.outputs("/l[0]/w"), run.outputs("/l[1]/w")) == ({"body": 1}, {"body": 2})


def test_a_large_answer_that_is_held_stays_where_it_is_stored() -> None:
    run = waiting({"w": webhook(), "after": compose("@length(body('w'))", "w")})
    run.call_back("w", ok({"body": "x" * 20_000}))
    number = next(place for place, record in enumerate(run.records) if record[1] == event.CALLBACK)
    dumped = kernel.dump(run.state)
    assert "x" * 100 not in repr(dumped)
    other = Driver(run.definition["actions"], answer=waits, check=False)
    restored = kernel.restore(other.plan, dumped, other.history)
    assert restored is not None
    other.state, other.now, other.records = restored, run.now, list(run.records)
    other._queue = list(kernel.pending(restored))
    other.step()
    assert [large.seq for large in other.state.need] == [number]
    kernel.supply(other.state, {(number, 8): run.records[number][8]})
    other.feed(event.resume())
    assert other.outputs("/after") == 20_000


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_whatever_happens_in_whatever_order_folding_and_replay_agree(seed: int, unsubscribe: bool) -> None:
    chance = random.Random(seed)
    actions = {
        "a": webhook(unsubscribe=unsubscribe, retry=None, limit={"timeout": "PT10M"}),
        "b": webhook(unsubscribe=unsubscribe),
        "end": compose("@actions('a')", "a", "b", on=["Succeeded", "Failed", "TimedOut", "Cancelled"]),
    }
    run = Driver(
        actions,
        answer=lambda command, number: failing(500) if chance.random() < 0.4 else waits(command, number),
        check=False,
    ).start()
    for _ in range(60):
        name = chance.choice("ab")
        node = run.plan.by_key[name].index
        happens = chance.randrange(7)
        if happens == 0:
            run.call_back(name, ok({"body": chance.random()}))
        elif happens == 1 and (node, None) in run.state.open and name == "a":
            run.feed(event.deadline(node, None, 1, run.now))
        elif happens == 2:
            run.feed(event.result(node, None, chance.randrange(4), run.now, *chance.choice([SUBSCRIBED, failing(500)])))
        elif happens == 3 and chance.random() < 0.05:
            run.feed(event.stop(run.now, CANCELLED, "Cancelled", "test"))
        else:
            run.step()
        folded = kernel.State(run.plan)
        for record in run.records:
            kernel.apply(run.plan, folded, record)
        assert kernel.dump(folded) == kernel.dump(run.state)
        assert {repr(each) for each in kernel.pending(folded)} == {repr(each) for each in kernel.pending(run.state)}
    run.verify()
    if run.state.end is not None:
        assert all(entry.end is not None for entry in run.history.entries)


def test_credentials_of_both_requests_are_not_shown() -> None:
    request = {"method": "POST", "uri": "http://x", "authentication": {"type": "Basic", "password": "canary"}}
    run = Driver({"h": {"type": "HttpWebhook", "inputs": {"subscribe": request, "unsubscribe": request}}}).run()
    shown = run.entry("/h").to_json(kernel.Secured(run.plan.definition))
    assert shown["inputs"]["subscribe"]["authentication"] == {"type": "Basic"}
    assert "canary" not in repr(shown)
