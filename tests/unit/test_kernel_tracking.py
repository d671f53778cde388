"""Tracked properties of actions and the client tracking id of a run."""

from __future__ import annotations

from typing import Any

import pytest
from kernel_driver import Driver, compose, fail
from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.errors import ExpressionError
from sealflow.engine.kernel.cloud.plan.tracking import client_tracking_id


def tracked(properties: Any, value: Any = 5, *after: str, on: list[str] | None = None) -> dict[str, Any]:
    return {**compose(value, *after, on=on), "trackedProperties": properties}


def test_they_are_evaluated_when_the_action_has_ended() -> None:
    properties = {"fixed": "a", "out": "@action().outputs", "status": "@action()['status']"}
    run = Driver({"c": tracked(properties)}).run()
    assert run.entry("/c").tracked == {"fixed": "a", "out": 5, "status": "Succeeded"}
    assert run.entry("/c").to_json()["trackedProperties"] == {"fixed": "a", "out": 5, "status": "Succeeded"}
    assert "trackedProperties" not in Driver({"c": compose(1)}).run().entry("/c").to_json()


def test_a_text_that_gives_an_object_and_parameters_will_do() -> None:
    call = {"type": "Http", "inputs": {"method": "POST", "uri": "http://x", "body": '{"a":1}'}}
    run = Driver({"h": {**call, "trackedProperties": "@json(action().inputs.body)"}}).run()
    assert run.entry("/h").tracked == {"a": 1}
    run = Driver({"c": tracked({"p": "@parameters('p')"})}, pins={"parameters": {"p": "here"}}).run()
    assert run.entry("/c").tracked == {"p": "here"}


def test_failed_actions_are_tracked_too_and_skipped_ones_are_not() -> None:
    flow = {
        "bad": {**fail(), "trackedProperties": {"code": "@action()?['error']?['code']"}},
        "no": tracked({"x": 1}, 1, "bad"),
    }
    run = Driver(flow).run()
    assert run.entry("/bad").tracked == {"code": "InvalidTemplate"}
    assert run.entry("/no").tracked is None


@pytest.mark.parametrize(
    "properties",
    [{"x": "@body('c')"}, {"x": "@triggerBody()"}, {"x": "@utcNow()"}, {"x": "@variables('v')"}, {"x": "@int('x')"}],
)
def test_a_fault_fails_nothing_and_is_shown(properties: Any) -> None:
    run = Driver({"c": tracked(properties)}).run()
    assert run.status == "Succeeded"
    shown = run.entry("/c").to_json()
    assert (shown["trackedProperties"], shown["trackingError"]["code"]) == (None, "InvalidTrackedProperties")


def test_they_have_at_most_8000_characters() -> None:
    run = Driver({"c": tracked({"x": "@action().outputs"}, "a" * 7_992)}).run()
    assert run.entry("/c").tracked == {"x": "a" * 7_992}
    run = Driver({"c": tracked({"x": "@action().outputs"}, "a" * 7_993)}).run()
    assert "8,000" in run.entry("/c").to_json()["trackingError"]["message"]


def test_records_tell_them() -> None:
    flow = {
        "c": tracked({"x": "@action().outputs"}),
        "read": compose("@actions('c')['trackedProperties']['x']", "c"),
        "l": {"type": "Foreach", "foreach": [1, 2], "actions": {"i": tracked({"n": "@action().outputs"}, "@item()")}},
        "all": compose("@result('l')[0]['outputs'][1]['trackedProperties']['n']", "l"),
        "s": {"type": "Scope", "actions": {"j": tracked({"m": 1})}},
        "of_s": compose("@result('s')[0]['trackedProperties']['m']", "s"),
    }
    run = Driver(flow).run()
    assert (run.outputs("/read"), run.outputs("/all"), run.outputs("/of_s")) == (5, 2, 1)


def test_containers_and_iterations_have_their_own() -> None:
    loop = {"type": "Foreach", "foreach": [1, 2], "actions": {"i": tracked({"n": "@action().outputs"}, "@item()")}}
    run = Driver({"l": {**loop, "trackedProperties": {"s": "@action().status"}}}).run()
    assert run.entry("/l").tracked == {"s": "Succeeded"}
    assert [run.entry(f"/l[{number}]/i").tracked for number in (0, 1)] == [{"n": 1}, {"n": 2}]


# ---- the client tracking id


def tracking(trigger: dict[str, Any], body: Any = None, headers: dict[str, Any] | None = None) -> str | None:
    plan = kernel.build(parse({"triggers": {"t": {"type": "Request", **trigger}}, "actions": {}}))
    pins = {"seed": b"\x01" * 32, "parameters": {}}
    (record,) = kernel.fire(plan, body, at=0, pins=pins, headers=headers)
    return client_tracking_id(plan, record, pins, 0)


CORRELATED = {"correlation": {"clientTrackingId": "@triggerBody()?['id']"}}


def test_where_the_client_tracking_id_comes_from() -> None:
    header = {"X-MS-Client-Tracking-ID": "h"}
    assert tracking({}) is None
    assert tracking({}, headers=header) == "h"
    assert tracking(CORRELATED, {"id": 7}, header) == "7"
    assert tracking(CORRELATED, {}) is None


def test_a_correlation_that_cannot_be_evaluated_is_an_error() -> None:
    with pytest.raises(ExpressionError):
        tracking({"correlation": {"clientTrackingId": "@int('x')"}})


def test_what_is_secured_is_not_tracked_in_the_open() -> None:
    secure = {"runtimeConfiguration": {"secureData": {"properties": ["inputs", "outputs"]}}}
    run = Driver({"c": {**tracked({"x": "@action().outputs"}, "secret"), **secure}}).run()
    shown = run.entry("/c").to_json(kernel.Secured(run.plan.definition))
    assert "secret" not in str(shown)


def test_records_of_a_loop_in_a_loop_tell_them() -> None:
    inner = {
        "type": "Foreach",
        "foreach": [1, 2],
        "actions": {"plain": compose(0), "i": tracked({"n": "@action().outputs"}, "@item()")},
    }
    outer = {"type": "Foreach", "foreach": [1, 2, 3], "actions": {"in": inner}}
    run = Driver({"out": outer, "all": compose("@result('in')", "out")}).run()
    told = run.outputs("/all")
    assert len(told) == 3
    assert [[record.get("trackedProperties") for record in each["outputs"]] for each in told[2]] == [
        [None, None],
        [{"n": 1}, {"n": 2}],
    ]
