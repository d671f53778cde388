"""Calls, retries, delays, deadlines, responses: what the kernel asks of its host and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SECOND, SUCCEEDED, Driver, compose, failing, ok
from sealflow.engine import kernel
from sealflow.engine.errors import ExpressionError
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract import timing


def http(*after: str, **more: object) -> dict[str, Any]:
    inputs = {"method": "GET", "uri": "http://x", **more.pop("inputs", {})}  # type: ignore[dict-item]
    return {"type": "Http", "inputs": inputs, "runAfter": dict[str, Any].fromkeys(after, SUCCEEDED), **more}


def test_a_call_is_scheduled_with_its_inputs_before_it_happens() -> None:
    run = Driver({"c": http(inputs={"body": "@triggerBody()"})}).start({"x": 1})
    kinds = [record[1] for record in run.records]
    assert kinds == [event.START, event.SCHEDULED]
    assert run.records[1][5] == {"method": "GET", "uri": "http://x", "body": {"x": 1}}


def test_inputs_keep_the_value_they_had_when_they_were_decided() -> None:
    actions = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "n", "type": "integer", "value": 1}]}},
        "c": http("v", inputs={"body": "@variables('n')"}),
        "s": {"type": "SetVariable", "inputs": {"name": "n", "value": 2}, "runAfter": {"v": SUCCEEDED}},
    }
    run = Driver(actions, answer=lambda c, n: failing(500) if n == 1 else ok()).run()
    assert [inputs["body"] for _, _, inputs in run.calls] == [1, 1]


def test_the_outcome_of_a_call() -> None:
    run = Driver(
        {"c": http(), "after": compose("@outputs('c')?['body/a']", "c")},
        answer=lambda c, n: ok({"statusCode": 201, "body": {"a": 5}}),
    ).run()
    assert run.outputs("/after") == 5
    assert run.entry("/c").attempts == 1


@pytest.mark.parametrize("code", [408, 429, 500, 503, 599])
def test_what_is_retried_by_default(code: Any) -> None:
    run = Driver({"c": http()}, answer=lambda c, n: failing(code)).run()
    assert [attempt for _, attempt, _ in run.calls] == [1, 2, 3, 4, 5]
    assert run.statuses == {"/c": "Failed"}
    assert run.entry("/c").attempts == 5
    assert all(5 * SECOND <= delay <= 45 * SECOND for _, delay in run.sleeps)


@pytest.mark.parametrize("code", [400, 404, 409])
def test_what_is_not_retried(code: Any) -> None:
    run = Driver({"c": http()}, answer=lambda c, n: failing(code)).run()
    assert len(run.calls) == 1


def test_lost_connections_are_retried() -> None:
    lost = (2, "ConnectionFailed", None, {"code": "ConnectionFailed", "message": "no"})
    run = Driver({"c": http()}, answer=lambda c, n: lost if n < 3 else ok()).run()
    assert run.status == "Succeeded"
    assert run.entry("/c").attempts == 3


def test_no_retries() -> None:
    run = Driver({"c": http(inputs={"retryPolicy": {"type": "none"}})}, answer=lambda c, n: failing(500)).run()
    assert len(run.calls) == 1


def test_a_fixed_policy_with_expressions() -> None:
    policy = {"type": "Fixed", "count": "@int(triggerBody())", "interval": "PT20S"}
    run = Driver({"c": http(inputs={"retryPolicy": policy})}, answer=lambda c, n: failing(500)).run("2")
    assert [delay for _, delay in run.sleeps] == [20 * SECOND, 20 * SECOND]
    assert "retryPolicy" not in run.calls[0][2]


def test_an_exponential_policy_stays_in_its_ranges_and_comes_from_the_seed() -> None:
    policy = {
        "type": "exponential",
        "count": 6,
        "interval": "PT10S",
        "minimumInterval": "PT5S",
        "maximumInterval": "PT1M",
    }
    actions = {"c": http(inputs={"retryPolicy": policy})}
    run = Driver(actions, answer=lambda c, n: failing(500)).run()
    delays = [delay / SECOND for _, delay in run.sleeps]
    low_high = [(5, 10), (10, 20), (20, 40), (40, 60), (60, 60), (60, 60)]
    assert len(delays) == 6
    assert all(low <= delay <= high for delay, (low, high) in zip(delays, low_high, strict=True))
    again = Driver(actions, answer=lambda c, n: failing(500)).run()
    assert again.sleeps == run.sleeps
    other = Driver(actions, answer=lambda c, n: failing(500), pins={"seed": b"x" * 32}).run()
    assert other.sleeps != run.sleeps


def test_retry_after_is_honoured() -> None:
    run = Driver({"c": http()}, answer=lambda c, n: failing(429, **{"Retry-After": "120"}) if n == 1 else ok()).run()
    assert run.sleeps[0][1] == 120 * SECOND


def test_a_policy_of_an_unknown_type_fails_the_action() -> None:
    run = Driver({"c": http(inputs={"retryPolicy": {"type": "often"}})}, answer=lambda c, n: failing(500)).run()
    assert run.statuses == {"/c": "Failed"}
    assert run.entry("/c").code == "InvalidTemplate"


def test_late_and_doubled_results_are_ignored() -> None:
    run = Driver({"c": http()}).run()
    before = len(run.records)
    node = run.plan.by_key["c"].index
    run.feed(event.result(node, None, 1, run.now, 1, "OK", None, None))
    assert len(run.records) == before
    two = Driver({"c": http(), "d": http("c")}).start()
    two.feed(event.result(0, None, 2, two.now, 1, "OK", None, None))
    two.feed(event.result(1, None, 1, two.now, 1, "OK", None, None))
    assert [record[1] for record in two.records] == [event.START, event.SCHEDULED]


def test_a_deadline_times_the_action_out() -> None:
    run = Driver({"c": http(limit={"timeout": "PT30S"}), "t": {**compose(1), "runAfter": {"c": ["TimedOut"]}}}).start()
    assert run._queue[0].deadline == run.now + 30 * SECOND
    run._queue.clear()
    run.feed(event.deadline(0, None, 1, run.now + 30 * SECOND))
    run.feed(event.result(0, None, 1, run.now + 31 * SECOND, 1, "OK", None, None))
    run.run()
    assert run.statuses == {"/c": "TimedOut", "/t": "Succeeded"}
    assert run.entry("/c").code == "ActionTimedOut"
    assert run.status == "Succeeded"


def test_an_unhandled_timeout_fails_the_run() -> None:
    run = Driver({"c": http(limit={"timeout": "PT30S"})}).start()
    run._queue.clear()
    run.feed(event.deadline(0, None, 1, run.now + 30 * SECOND))
    assert run.run().status == "Failed"


def test_cancel_stops_a_run() -> None:
    run = Driver({"c": http(), "d": compose(1, "c")}).start()
    run.feed(event.stop(run.now + 5, 5, "Cancelled", "by hand"))
    assert run.status == "Cancelled"
    assert run.statuses == {"/c": "Cancelled", "/d": "Skipped"}
    assert not kernel.pending(run.state)
    run.feed(event.result(0, None, 1, run.now, 1, "OK", None, None))
    run.verify()
    assert len(run.records) == 3


# ---- delays


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        ({"count": 5, "unit": "Second"}, 5),
        ({"count": "2", "unit": "minute"}, 120),
        ({"count": 1, "unit": "Week"}, 604800),
        ({"count": "@triggerBody()", "unit": "Hour"}, 3 * 3600),
    ],
)
def test_a_delay(interval: Any, seconds: Any) -> None:
    run = Driver({"w": {"type": "Wait", "inputs": {"interval": interval}}}).run(3)
    assert run.sleeps == [("/w", seconds * SECOND)]
    assert run.statuses == {"/w": "Succeeded"}


def test_delay_until_a_past_time_goes_on_at_once() -> None:
    run = Driver({"w": {"type": "Wait", "inputs": {"until": {"timestamp": "2001-01-01T00:00:00Z"}}}}).run()
    assert run.sleeps == [("/w", 0)]


def test_a_month_ends_where_the_calendar_does() -> None:
    at = timing.from_iso("2024-01-31T10:00:00.1234567Z")
    assert timing.iso(timing.later(at, 1, "Month")) == "2024-02-29T10:00:00.1234567Z"
    assert timing.iso(timing.later(at, -11, "month")) == "2023-02-28T10:00:00.1234567Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT5S", 5), ("PT1H30M", 5400), ("P1D", 86400), ("P1DT1S", 86401), ("PT0.5S", 0.5), ("P1W", 604800)],
)
def test_durations(text: Any, seconds: Any) -> None:
    assert timing.duration(text) == seconds * SECOND


@pytest.mark.parametrize("text", ["", "P", "PT", "5S", "PT5", "P5S", "P1DT", None, 5])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ExpressionError):
        timing.duration(text)


def test_time_never_goes_back_within_a_run() -> None:
    run = Driver({"c": http(), "t": compose("@utcNow()", "c")}).start()
    run._queue.clear()
    run.feed(event.result(0, None, 1, run.now - 10 * SECOND, 1, "OK", None, None))
    assert run.outputs("/t") == timing.iso(run.now)


# ---- responses


def response(body: object, *after: str, **inputs: object) -> dict[str, Any]:
    return {
        "type": "Response",
        "kind": "Http",
        "inputs": {"statusCode": 200, "body": body, **inputs},
        "runAfter": {name: ["Succeeded", "Failed"] for name in after},
    }


def test_the_first_response_answers_and_a_second_one_fails() -> None:
    run = Driver({"one": response({"a": 1}), "two": response("late", "one")}).run()
    assert run.responses == [
        {"statusCode": 200, "headers": {"Content-Type": "application/json; charset=utf-8"}, "body": {"a": 1}}
    ]
    assert run.statuses == {"/one": "Succeeded", "/two": "Failed"}


def test_a_response_without_a_caller_is_skipped() -> None:
    run = Driver({"r": response(1)}, pins={"caller": False}).run()
    assert run.statuses == {"/r": "Skipped"}
    assert run.entry("/r").code == "ActionResponseSkipped"
    assert run.responses == []


def test_headers_of_a_response() -> None:
    given = {"X-A": "1", "Content-Length": "5", "content-type": "text/csv", "Set-Cookie": "c", "Transfer-Encoding": "x"}
    run = Driver({"r": response("a,b", headers=given)}).run()
    assert run.responses[0]["headers"] == {"X-A": "1", "content-type": "text/csv"}


@pytest.mark.parametrize(
    ("code", "status"), [("201", "Succeeded"), (404, "Succeeded"), (302, "Failed"), ("x", "Failed"), (99, "Failed")]
)
def test_status_codes_of_a_response(code: Any, status: Any) -> None:
    assert Driver({"r": response(1, statusCode=code)}).run().statuses == {"/r": status}


# ---- chance


def test_guid_and_rand_repeat_in_a_replay_and_differ_between_places() -> None:
    actions = {
        "a": compose("@guid()@{guid()}".replace("@guid()", "@{guid()}|")),
        "b": compose("@rand(0,1000000000)"),
        "l": {"type": "Foreach", "foreach": "@createArray(1,2)", "actions": {"g": compose("@guid()")}},
    }
    run = Driver(actions).run()
    first, second = run.outputs("/a").split("|")
    assert first != second
    assert run.outputs("/l[0]/g") != run.outputs("/l[1]/g")
    assert Driver(actions).run().outputs("/a") == run.outputs("/a")
    assert Driver(actions, pins={"seed": b"y" * 32}).run().outputs("/a") != run.outputs("/a")


# ---- large values


def test_a_large_output_is_left_in_the_store_and_asked_for_when_it_is_needed() -> None:
    big = "x" * 20_000
    actions = {
        "c": http(),
        "w": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"c": SUCCEEDED}},
        "use": compose("@length(body('c'))", "w"),
    }
    run = Driver(actions, answer=lambda c, n: ok({"statusCode": 200, "body": big}), check=False).start()
    run.step()
    snapshot = kernel.dump(run.state)
    assert big not in str(snapshot)
    restored = kernel.restore(run.plan, snapshot)
    assert restored is not None
    (sleep,) = kernel.pending(restored)
    assert isinstance(sleep, kernel.Sleep)
    records, commands = kernel.decide(run.plan, restored, event.timer(sleep.node.index, None, 1, sleep.due))
    assert [record[1] for record in records] == [event.TIMER]
    (large,) = restored.need
    assert large.size > 16_384
    assert not kernel.needs_tick(restored)
    kernel.supply(restored, {large.at: run.records[large.seq][large.field]})
    more, _ = kernel.decide(run.plan, restored, event.resume())
    assert more[0][7] == 20_000
    assert restored.end is not None
    assert restored.end.status == 1
    # The records are those of a run that never left memory.
    assert kernel.replay([*run.records, *records, *more], run.plan).difference is None


def test_pending_repeats_what_was_under_way() -> None:
    run = Driver({"c": http(), "w": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}}}).start()
    folded = kernel.State(run.plan)
    for record in run.records:
        kernel.apply(run.plan, folded, record)
    call, sleep = kernel.pending(folded)
    assert isinstance(call, kernel.Invoke)
    assert isinstance(sleep, kernel.Sleep)
    assert call.inputs == {"method": "GET", "uri": "http://x"}
    assert call.key == run._queue[0].key
    assert sleep.due == run.now + 3600 * SECOND


# ---- what hosts and servers may send


@pytest.mark.parametrize("value", ["²", "9" * 5000, "-5", "soon", "", None, [1], "Fri, 99 Xyz 2038 23:59:59 GMT"])
def test_a_strange_retry_after_is_as_good_as_none(value: Any) -> None:
    answers = [failing(429, **{"Retry-After": value}), ok()]
    run = Driver({"c": http()}, answer=lambda c, n: answers[n - 1]).run()
    assert run.status == "Succeeded"
    assert 5 * SECOND <= run.sleeps[0][1] <= 45 * SECOND


def test_retry_after_as_a_date() -> None:
    at = timing.iso(17_000_000_000_000_000 + 301 * SECOND)
    assert at == "2023-11-14T22:18:21.0000000Z"
    answers = [failing(503, **{"retry-after": "Tue, 14 Nov 2023 22:18:21 GMT"}), ok()]
    run = Driver({"c": http()}, answer=lambda c, n: answers[n - 1]).run()
    assert run.sleeps[0][1] == 300 * SECOND


@pytest.mark.parametrize(
    "policy",
    [
        {"type": "fixed", "count": "²", "interval": "PT7S"},
        {"type": "fixed", "count": 2, "interval": "P" + "9" * 400 + "D"},
        {"type": "exponential", "count": 2, "interval": []},
    ],
)
def test_a_strange_policy_fails_the_action(policy: Any) -> None:
    run = Driver({"c": http(inputs={"retryPolicy": policy})}, answer=lambda c, n: failing(500)).run()
    assert run.statuses == {"/c": "Failed"}


def test_a_policy_is_that_of_the_time_when_the_call_was_decided() -> None:
    policy = {"type": "fixed", "count": "@variables('n')", "interval": "PT10S"}
    variables = [{"name": "n", "type": "integer", "value": 2}]
    actions = {
        "v": {"type": "InitializeVariable", "inputs": {"variables": variables}},
        "c": http("v", inputs={"retryPolicy": policy}),
        "s": {"type": "SetVariable", "inputs": {"name": "n", "value": 0}, "runAfter": {"v": SUCCEEDED}},
    }
    run = Driver(actions, answer=lambda c, n: failing(500)).run()
    assert len(run.calls) == 3


def test_attempts_count_the_calls_that_were_made() -> None:
    run = Driver({"c": http()}, answer=lambda c, n: failing(500)).start()
    run.step()
    entry = run.entry("/c")
    assert (entry.attempts, entry.retries) == (1, 4)
    assert entry.retry_due is not None
    run.feed(event.stop(run.now, 5, "Cancelled", "by hand"))
    assert run.entry("/c").attempts == 1


def test_large_values_that_become_part_of_others_come_back() -> None:
    big = "x" * 20_000
    body = {
        "A": http(),
        "w": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"A": SUCCEEDED}},
    }
    actions = {
        "l": {"type": "Foreach", "foreach": "@range(0,2)", "actions": body},
        "all": compose("@length(body('A'))", "l"),
        "told": compose("@length(result('l'))", "l"),
    }
    run = Driver(actions, answer=lambda c, n: ok({"statusCode": 200, "body": big}), check=False).start()
    run.step()
    run.step()
    restored = kernel.restore(run.plan, kernel.dump(run.state), run.history)
    assert restored is not None
    run.state = restored
    run.run()
    assert run.status == "Succeeded"
    assert run.outputs("/all") == 2


# ---- names that are computed


def test_a_computed_name_reads_the_same_on_every_run_of_a_plan() -> None:
    actions = {
        "l": {"type": "Foreach", "foreach": "@range(1,2)", "actions": {"a": compose("@item()")}},
        "o": compose("@outputs(triggerBody()['n'])", "l"),
    }
    first = Driver(actions).run({"n": "a"})
    assert first.outputs("/o") == [1, 2]
    again = Driver(actions)
    again.plan = first.plan
    again.state = kernel.State(first.plan, again.history)
    assert again.run({"n": "a"}).outputs("/o") == [1, 2]


def test_chance_in_a_condition_differs_between_iterations() -> None:
    condition = "@greater(rand(0,1000),990)"
    counts = set()
    for seed in range(6):
        until = {
            "u": {"type": "Until", "expression": condition, "limit": {"count": 5000}, "actions": {"a": compose(1)}}
        }
        run = Driver(until, pins={"seed": bytes([seed]) * 32}).run()
        counts.add(sum(path.startswith("/u[") for path in run.statuses))
    assert len(counts) > 3
    assert max(counts) < 5000
