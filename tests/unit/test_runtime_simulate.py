"""Simulation: mocks, static results, and what there is without them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from sealflow.engine.cloud import Definition, parse
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel import Invoke, Sleep, State, build, decide
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import CANCELLED, FAILED, SKIPPED, SUCCEEDED, TIMED_OUT
from sealflow.engine.runtime.calls.simulation import Simulation

PINS: dict[str, Any] = {"seed": b"s" * 32, "parameters": {"p": 7}, "caller": False, "workflow": {}}
TRIGGER: dict[str, Any] = {"name": "manual", "outputs": {"body": {"n": 1}}}
HTTP = {"type": "Http", "inputs": {"method": "GET", "uri": "https://example.org/"}}


def definition(actions: dict[str, Any], **more: Any) -> Definition:
    return parse({"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions, **more})


def simulate(made: Definition, mocks: Any = None) -> tuple[State, list[tuple[Any, ...]]]:
    """Run to the end; every RESULT as (path, attempt, status, code, outputs, error)."""
    simulation = Simulation.from_json(json.loads(json.dumps(Simulation(mocks).to_json())))
    simulation.check(made)
    plan = build(made)
    state = State(plan)
    todo: list[Any] = [event.start(0, TRIGGER, PINS)]
    calls: Counter[str] = Counter()
    results = []
    while todo:
        records, commands = decide(plan, state, todo.pop(0))
        assert records
        for command in commands:
            node, it, attempt = command.node.index, command.it, command.attempt
            if isinstance(command, Invoke):
                answer = simulation.answer(command, calls[command.node.key], state.root)
                calls[command.node.key] += 1
                results.append((command.path, attempt, *answer))
                todo.append(event.result(node, it, attempt, state.now, *answer))
            elif isinstance(command, Sleep):
                todo.append(event.timer(node, it, attempt, command.due))
    return state, results


def outcome(mock: Any) -> Any:
    inputs = {"method": "GET", "uri": "https://example.org/", "retryPolicy": {"type": "none"}}
    _, results = simulate(definition({"Get": {"type": "Http", "inputs": inputs}}), {"get": mock})
    [(_, _, *answer)] = results
    return tuple(answer)


# ---- answers


@pytest.mark.parametrize(
    ("mock", "expected"),
    [
        ({}, (SUCCEEDED, "OK", None, None)),
        ({"outputs": {"body": 5}}, (SUCCEEDED, "OK", {"body": 5}, None)),
        ({"status": "SUCCEEDED", "outputs": None}, (SUCCEEDED, "OK", None, None)),
        ({"outputs": {"statusCode": 201}}, (SUCCEEDED, "Created", {"statusCode": 201}, None)),
        (
            {"outputs": {"statusCode": 404}},
            (
                FAILED,
                "NotFound",
                {"statusCode": 404},
                {"code": "NotFound", "message": "The call was answered with status 404 (NotFound)."},
            ),
        ),
        (
            {"outputs": {"statusCode": 400, "body": {"error": {"code": "Bad", "message": "No."}}}},
            (
                FAILED,
                "BadRequest",
                {"statusCode": 400, "body": {"error": {"code": "Bad", "message": "No."}}},
                {"code": "Bad", "message": "No."},
            ),
        ),
        (
            {"status": "failed", "error": {"code": "E", "message": "m"}},
            (FAILED, "E", None, {"code": "E", "message": "m"}),
        ),
        ({"error": {"code": "E", "message": "m"}}, (FAILED, "E", None, {"code": "E", "message": "m"})),
        ({"status": "Succeeded", "outputs": {"statusCode": 404}}, (SUCCEEDED, "OK", {"statusCode": 404}, None)),
        (
            {"status": "Failed"},
            (
                FAILED,
                "ActionFailed",
                None,
                {"code": "ActionFailed", "message": "The action's fixed result is a failure."},
            ),
        ),
        (
            {"status": "Failed", "code": "Mine", "outputs": {"errors": [{"code": "E", "message": "m"}]}},
            (FAILED, "Mine", {"errors": [{"code": "E", "message": "m"}]}, {"code": "E", "message": "m"}),
        ),
    ],
)
def test_mocks(mock: Any, expected: Any) -> None:
    assert outcome(mock) == expected


@pytest.mark.parametrize(
    ("status", "code", "number"),
    [
        ("timedOut", "ActionTimedOut", TIMED_OUT),
        ("Skipped", "ActionSkipped", SKIPPED),
        ("cancelled", "ActionCancelled", CANCELLED),
    ],
)
def test_other_endings(status: str, code: str, number: int) -> None:
    assert outcome({"status": status})[:2] == (number, code)


def test_without_a_mock_calls_succeed_with_nothing() -> None:
    host = {"apiId": "/apis/shared_teams", "operationId": "Post"}
    actions = {
        "Get": HTTP,
        "Post": {"type": "OpenApiConnection", "inputs": {"host": host, "parameters": {}}},
        "Approve": {"type": "OpenApiConnectionWebhook", "inputs": {"host": host, "parameters": {}}},
    }
    state, results = simulate(definition(actions))
    assert [result[2:] for result in results] == [
        (SUCCEEDED, "OK", {"statusCode": 200, "headers": {}, "body": {}}, None)
    ] * 3
    assert state.end is not None


def test_names_are_matched_as_the_language_does() -> None:
    made = definition({"Get the Thing": HTTP})
    for name in ("Get the Thing", "get_the_thing", "GET_THE_THING"):
        _, results = simulate(made, {name: {"outputs": {"statusCode": 202}}})
        assert results[0][3] == "Accepted"


def test_a_list_answers_one_call_after_the_other() -> None:
    made = definition({"Each": {"type": "Foreach", "foreach": "@createArray(1, 2, 3)", "actions": {"Get": HTTP}}})
    _, results = simulate(made, {"Get": [{"outputs": {"body": 1}}, {"outputs": {"body": 2}}]})
    assert sorted((path, outputs["body"]) for path, _, _, _, outputs, _ in results) == [
        ("/Each[0]/Get", 1),
        ("/Each[1]/Get", 2),
        ("/Each[2]/Get", 2),
    ]


def test_a_list_answers_attempts() -> None:
    mocks = {"Get": [{"outputs": {"statusCode": status}} for status in (503, 429, 200)]}
    state, results = simulate(definition({"Get": HTTP}), mocks)
    assert [(attempt, code) for _, attempt, _, code, _, _ in results] == [
        (1, "ServiceUnavailable"),
        (2, "TooManyRequests"),
        (3, "OK"),
    ]
    assert state.end is not None
    assert state.end.status == SUCCEEDED
    assert state.now >= 10 * 10_000_000  # the pauses between attempts have passed on the run's own clock


# ---- static results


def with_static(fixed: Any, options: str = "Disabled") -> Definition:
    chosen = {"staticResult": {"name": "s0", "staticResultOptions": options}}
    return definition({"Get": {**HTTP, "runtimeConfiguration": chosen}}, staticResults={"s0": fixed})


def test_static_results_answer_even_if_they_are_not_switched_on() -> None:
    made = with_static({"status": "Succeeded", "outputs": {"statusCode": "OK", "body": "fixed"}})
    _, results = simulate(made)
    assert results[0][2:] == (SUCCEEDED, "OK", {"statusCode": "OK", "body": "fixed"}, None)
    _, results = simulate(made, {"Get": {"outputs": {"body": "mock"}}})
    assert results[0][4] == {"body": "mock"}


def test_static_results_may_read_the_trigger_and_the_parameters() -> None:
    made = with_static({"outputs": {"body": "@add(triggerBody()?['n'], parameters('p'))"}})
    _, results = simulate(made)
    assert results[0][4] == {"body": 8}


def test_a_static_result_that_cannot_be_evaluated_fails_its_action() -> None:
    _, results = simulate(with_static({"outputs": {"body": "@div(1, 0)"}}))
    assert results[0][2:4] == (FAILED, "InvalidTemplate")
    _, results = simulate(with_static({"outputs": {"body": "@outputs('Get')"}}))
    assert results[0][2:4] == (FAILED, "InvalidTemplate")


# ---- what is refused


@pytest.mark.parametrize(
    ("mocks", "word"),
    [
        ([], "names of actions"),
        ({"Get": 5}, "must be an object"),
        ({"Get": []}, "empty"),
        ({"Get": [{}, "x"]}, "must be an object"),
        ({"Get": {"body": 5}}, "'body'"),
        ({"Get": {"Status": "Failed"}}, "'Status'"),
        ({"Get": {"status": "Done"}}, "status"),
        ({"Get": {"status": "Running"}}, "status"),
        ({"Get": {"status": 200}}, "status"),
        ({"Get": {"error": "text"}}, "error"),
        ({"Get": {"code": 404}}, "code"),
        ({"Get": {}, "get": {}}, "another"),
    ],
)
def test_mocks_of_another_shape(mocks: Any, word: str) -> None:
    with pytest.raises(DefinitionError, match=word) as caught:
        Simulation(mocks)
    assert caught.value.code == "InvalidMock"
    if word != "names of actions":
        assert caught.value.hint
        assert "get" in caught.value.message.lower()


def test_a_misspelt_member_names_the_right_one() -> None:
    with pytest.raises(DefinitionError) as caught:
        Simulation({"Get": {"output": {}}})
    assert caught.value.hint == "Did you mean 'outputs'?"


def test_mocks_for_actions_that_are_not_there() -> None:
    inner = {"Scope": {"type": "Scope", "actions": {"Get the thing": HTTP}}}
    simulation = Simulation({"Get_the_thing": {}})
    simulation.check(definition(inner))
    with pytest.raises(DefinitionError) as caught:
        Simulation({"Get_the_thnig": {}}).check(definition(inner))
    assert (caught.value.code, caught.value.hint) == ("UnknownAction", "Did you mean 'Get the thing'?")
    with pytest.raises(DefinitionError, match="no action of that name"):
        simulation.check(definition({"Other": HTTP}))
    simulation.check(definition({"Other": HTTP}), definition(inner))


def test_which_actions_are_covered() -> None:
    made = definition({"Get": HTTP, "Put": HTTP})
    plan = build(made)
    _, commands = decide(plan, State(plan), event.start(0, TRIGGER, PINS))
    simulation = Simulation({"put": {}})
    assert [simulation.covers(command) for command in commands if isinstance(command, Invoke)] == [False, True]
