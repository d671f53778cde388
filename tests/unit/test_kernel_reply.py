"""What a caller gets: 202, 504, 502 or the Response, in time or too late, with which headers."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SECOND, START, SUCCEEDED, Driver, compose
from sealflow.engine.kernel.cloud.reply import ANSWER_WITHIN, answer_within, failed_reply, location, reply_of

MINUTES_3 = {"type": "Wait", "inputs": {"interval": {"count": 3, "unit": "Minute"}}}


def respond(inputs: Any = None, *after: str, on: list[str] | None = None, **more: Any) -> dict[str, Any]:
    run_after = dict.fromkeys(after, on or SUCCEEDED)
    return {"type": "Response", "kind": "Http", "inputs": inputs or {"body": 1}, "runAfter": run_after, **more}


def driven(actions: dict[str, Any], **options: Any) -> Driver:
    pins = {"answer_within": ANSWER_WITHIN, **options.pop("pins", {})}
    return Driver(actions, pins=pins, **options)


def status(reply: Any) -> int | None:
    return reply["statusCode"] if reply is not None else None


def test_a_caller_waits_for_the_response_and_no_longer() -> None:
    run = driven(
        {"w": {**MINUTES_3, "runAfter": {"r": SUCCEEDED}}, "r": respond({"statusCode": 201, "body": {"a": 1}})}
    )
    run.start()
    reply = reply_of(run.state, run.now)
    assert reply is not None
    assert (reply["statusCode"], reply["body"]) == (201, {"a": 1})
    assert run.state.end is None


def test_after_two_minutes_the_caller_has_had_a_504_and_the_response_fails() -> None:
    run = driven({"w": MINUTES_3, "r": respond(None, "w")}).start()
    assert reply_of(run.state, START + ANSWER_WITHIN - 1) is None
    assert status(reply_of(run.state, START + ANSWER_WITHIN)) == 504
    run.run()
    entry = run.entry("/r")
    assert (run.statuses["/r"], entry.code) == ("Failed", "ActionResponseTimedOut")
    assert "120 seconds" in entry.error["message"]
    assert run.responses == []
    assert status(failed_reply(run.state)) == 504


def test_a_parent_waits_for_its_child_however_long() -> None:
    run = driven({"w": MINUTES_3, "r": respond(None, "w")}, pins={"answer_within": None}).run()
    assert status(reply_of(run.state, run.now)) == 200
    assert failed_reply(run.state) is None


def test_a_run_that_ended_without_an_answer_is_a_502() -> None:
    run = driven({"c": compose(1), "r": respond(None, "c", on=["Failed"])}).run()
    reply = reply_of(run.state, run.now + 3600 * SECOND)
    assert status(reply) == 502
    assert status(failed_reply(run.state)) == 502


def test_without_a_caller_it_is_accepted() -> None:
    run = driven({"w": MINUTES_3}, pins={"caller": False}).start()
    assert status(reply_of(run.state, run.now)) == 202
    assert failed_reply(run.run().state) is None


def test_an_asynchronous_response_is_asked_for_later() -> None:
    flow = {"w": MINUTES_3, "r": respond(None, "w", operationOptions="Asynchronous")}
    run = driven(flow, pins={"answer_within": None}).start()
    assert answer_within(run.plan, nested=False) is None
    first = reply_of(run.state, run.now)
    assert first is not None
    assert (first["statusCode"], first["headers"]["Location"]) == (202, location(run.state))
    assert status(reply_of(run.state, run.now + 3600 * SECOND, polled=True)) == 202
    run.run()
    assert status(reply_of(run.state, run.now)) == 202
    assert status(reply_of(run.state, run.now, polled=True)) == 200


def test_who_waits_how_long() -> None:
    plan = driven({"r": respond()}).plan
    assert answer_within(plan, nested=False) == 120 * SECOND
    assert answer_within(plan, nested=True) is None


def test_the_headers_of_a_reply() -> None:
    run = driven({"r": respond({"body": "x", "headers": {"X-Own": "1", "Allow": "GET", "Content-Length": "3"}})}).run()
    reply = reply_of(run.state, run.now)
    assert reply is not None
    assert reply["headers"] == {
        "x-ms-workflow-name": "test",
        "x-ms-workflow-run-id": "run",
        "x-ms-client-tracking-id": "run",
        "X-Own": "1",
        "Content-Type": "text/plain; charset=utf-8",
    }
    trigger = {"type": "Request", "kind": "Http", "operationOptions": "SuppressWorkflowHeadersOnResponse"}
    quiet = driven({"r": respond()}, trigger=trigger).run()
    reply = reply_of(quiet.state, quiet.now)
    assert reply is not None
    assert list(reply["headers"]) == ["Content-Type"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("text", "text/plain; charset=utf-8"),
        ({"a": 1}, "application/json; charset=utf-8"),
        ([1], "application/json; charset=utf-8"),
        ({"$content-type": "image/png", "$content": "AAAA"}, "image/png"),
    ],
)
def test_the_content_type_follows_the_body(body: Any, content_type: str) -> None:
    run = driven({"r": respond({"body": body})}).run()
    assert run.responses[0]["headers"]["Content-Type"] == content_type


def test_a_second_response_fails() -> None:
    run = driven({"a": respond(), "b": respond({"body": 2}, "a")}).run()
    assert run.statuses == {"/a": "Succeeded", "/b": "Failed"}
    assert run.responses[0]["body"] == 1


@pytest.mark.parametrize("code", [301, 302, 399, 99, 600, "x"])
def test_statuses_that_are_refused(code: Any) -> None:
    run = driven({"r": respond({"statusCode": code})}).run()
    assert run.statuses == {"/r": "Failed"}


def test_runs_recorded_before_there_was_a_limit_have_none() -> None:
    run = Driver({"w": MINUTES_3, "r": respond(None, "w")}).run()
    assert run.statuses["/r"] == "Succeeded"
