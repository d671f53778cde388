"""Rules of the kernel that one line holds: each test fails without it."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import SECOND, Driver, compose, failing, ok
from sealflow.engine import kernel
from sealflow.engine.kernel.cloud.retry import retry_after
from sealflow.engine.kernel.contract import records as event

DAY = 86_400 * SECOND


def calling(**policy: Any) -> dict[str, Any]:
    return {"type": "Http", "inputs": {"method": "GET", "uri": "http://x", "retryPolicy": policy}}


def test_a_timer_of_an_earlier_attempt_wakes_nothing() -> None:
    """The pause before the second attempt ends twice; the third attempt waits for its own pause all the same."""
    run = Driver({"h": calling(type="fixed", count=3, interval="PT10S")}, answer=lambda command, number: failing(503))
    run.start()
    while run.sleeps != [("/h", 10 * SECOND)]:
        assert run.step()
    while len(run.calls) < 2:
        assert run.step()
    node = run.plan.by_key["h"].index
    entry = run.state.open[(node, None)]
    assert (entry.attempt, entry.due) == (2, run.now + 10 * SECOND)
    before = len(run.records)
    for attempt in (1, 3):
        run.feed(event.timer(node, None, attempt, run.now))
    assert len(run.records) == before
    assert len(run.calls) == 2
    run.run()
    assert [attempt for _, attempt, _ in run.calls] == [1, 2, 3, 4]


def test_an_answer_of_an_earlier_attempt_counts_for_nothing() -> None:
    run = Driver({"h": calling(type="fixed", count=1, interval="PT10S")}, answer=lambda command, number: failing(503))
    run.start()
    while len(run.calls) < 1:
        assert run.step()
    node = run.plan.by_key["h"].index
    run.feed(event.timer(node, None, 1, run.now + 10 * SECOND))
    assert run.state.open[(node, None)].attempt == 2
    before = len(run.records)
    run.feed(event.result(node, None, 1, run.now + 11 * SECOND, *ok()))
    assert len(run.records) == before


@pytest.mark.parametrize("more", [1, 2])
def test_replay_finds_actions_behind_the_end_of_a_history(more: int) -> None:
    """The last actions of the recorded turn are missing from it: deciding again comes to more than was recorded."""
    run = Driver({"a": compose(1), "b": compose(2, "a"), "c": compose(3, "b")}).run()
    kinds = [event.KIND_NAMES[record[1]] for record in run.records]
    assert kinds == ["Start", "Done", "Done", "Done"]
    found = kernel.replay(run.records[:-more], run.plan).difference
    assert found is not None
    assert (found.kind, found.path) == ("unexpected", ["/c", "/b"][more - 1])
    assert found.at == len(run.records) - more


def test_replay_finds_actions_that_deciding_again_does_not_come_to() -> None:
    run = Driver({"a": compose(1), "b": compose(2, "a")}).run()
    extra = Driver({"a": compose(1), "b": compose(2, "a"), "c": compose(3, "b")}).run()
    found = kernel.replay(extra.records, run.plan, extra.plan).difference
    assert found is not None
    assert (found.kind, found.path) == ("missing", "/c")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("86400", DAY),
        ("86401", DAY),
        ("999999999999", DAY),
        ("Fri, 31 Dec 2999 23:59:59 GMT", DAY),
        ("86399", DAY - SECOND),
        ("0", 0),
        ("-5", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", 0),
    ],
)
def test_a_pause_that_a_service_asks_for_is_a_day_at_most(asked: str, given: int) -> None:
    assert retry_after(17_000_000_000_000_000, {"headers": {"Retry-After": asked}}) == given


def test_a_pause_that_grows_is_a_day_at_most() -> None:
    policy = {
        "type": "exponential",
        "count": 9,
        "interval": "PT20H",
        "minimumInterval": "P9D",
        "maximumInterval": "P9D",
    }
    run = Driver({"h": calling(**policy)}, answer=lambda command, number: failing(503)).run()
    assert run.sleeps == [("/h", DAY)] * 9


def test_a_service_that_asks_for_a_long_pause_is_called_again_after_a_day() -> None:
    busy = failing(429, **{"Retry-After": "31536000"})
    run = Driver({"h": calling(type="fixed", count=2, interval="PT10S")}, answer=lambda command, number: busy).run()
    assert run.sleeps == [("/h", DAY)] * 2
