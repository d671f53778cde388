"""The load of the chaos harness: one flow of each kind that a crash could hurt, and what every run of it must be.

The oracle knows nothing of the engine: what is expected of a run follows from the number in its trigger's body. An
effect is a call that reached the outside; whoever asks for it sends the number along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from actions import after, compose, terminate, variable, wait

OK: Final = "Succeeded"
ENDED: Final = [OK, "Failed", "Skipped", "TimedOut"]


@dataclass(frozen=True)
class Expected:
    """What a run must be in the end.

    `actions`: the status of every action by path. `effects`: how many attempts of it reached the outside, by path.
    `outputs`: what some actions give, by path. `once`: paths whose call is never repeated: interrupted by a crash it
    fails, and its effect is there once or not at all.
    """

    status: str
    actions: dict[str, str]
    effects: dict[str, int]
    outputs: dict[str, Any] = field(default_factory=dict)
    once: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Kind:
    """A flow of the load. `started`: by the load; others start by their trigger or from another flow."""

    definition: dict[str, Any]
    expected: Callable[[int], Expected]
    started: bool = True


def call(operation: str, *names: str, connector: str = "outside", retry: Any = None, **inputs: Any) -> dict[str, Any]:
    """A call to the outside, with the run's number."""
    host = {
        "apiId": f"/providers/Microsoft.PowerApps/apis/shared_{connector}",
        "connectionName": "c",
        "operationId": operation,
    }
    given: dict[str, Any] = {"host": host, "parameters": {"n": "@triggerBody()['n']", **inputs}}
    if retry is not None:
        given["retryPolicy"] = retry
    return {"type": "OpenApiConnection", "inputs": given, "runAfter": after(*names)}


def flow(**actions: dict[str, Any]) -> dict[str, Any]:
    """A flow that is started by hand. Its first action keeps the body, which tells a reader whose run it is."""
    body = {"id": compose("@triggerBody()"), **actions}
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": body}


def items_of(number: int) -> int:
    """How many items the loops of a run have."""
    return 2 + number % 4


def body_of(number: int) -> dict[str, int]:
    """The body that a run is started with."""
    return {"n": number, "items": items_of(number)}


ITEMS: Final = "@range(0, triggerBody()['items'])"
THRICE: Final = {"type": "fixed", "count": 3, "interval": "PT5S"}

FOREACH: Final = flow(
    sum=variable("sum", "integer", 0, "id"),
    each={
        "type": "Foreach",
        "foreach": ITEMS,
        "runAfter": after("sum"),
        "runtimeConfiguration": {"concurrency": {"repetitions": 3}},
        "actions": {
            "send": call("echo", item="@item()"),
            "add": {
                "type": "IncrementVariable",
                "inputs": {"name": "sum", "value": "@body('send')?['item']"},
                "runAfter": after("send"),
            },
        },
    },
    total=compose("@variables('sum')", "each"),
)


def _foreach(number: int) -> Expected:
    turns = range(items_of(number))
    actions = {"/id": OK, "/sum": OK, "/each": OK, "/total": OK}
    for turn in turns:
        actions |= {f"/each[{turn}]/send": OK, f"/each[{turn}]/add": OK}
    return Expected(OK, actions, {f"/each[{turn}]/send": 1 for turn in turns}, {"/total": sum(turns)})


RETRY: Final = flow(
    flaky=call("third", "id", retry=THRICE),
    guard={"type": "Scope", "runAfter": after("flaky"), "actions": {"broken": call("refused", retry=THRICE)}},
    caught=compose("@actions('broken')?['code']", "guard") | {"runAfter": after("guard", on=["Failed"])},
    last=call("echo", "caught"),
)


def _retry(number: int) -> Expected:
    actions = {"/id": OK, "/flaky": OK, "/guard": "Failed", "/guard/broken": "Failed", "/caught": OK, "/last": OK}
    return Expected(OK, actions, {"/flaky": 3, "/guard/broken": 1, "/last": 1}, {"/caught": "BadRequest"})


WAIT: Final = flow(
    first=call("echo", "id"),
    pause=wait(5, "Second", "first"),
    second=call("echo", "pause"),
    long=wait(45, "Second", "second"),
    third=call("echo", "long"),
)


def _wait(number: int) -> Expected:
    calls = dict.fromkeys(("/first", "/second", "/third"), 1)
    return Expected(OK, {"/id": OK, "/pause": OK, "/long": OK} | dict.fromkeys(calls, OK), calls)


CHILD: Final = flow(
    work=call("echo", "id"),
    answer={
        "type": "Response",
        "inputs": {"statusCode": 200, "body": "@body('work')?['n']"},
        "runAfter": after("work"),
    },
)


def _child(number: int) -> Expected:
    return Expected(OK, {"/id": OK, "/work": OK, "/answer": OK}, {"/work": 1})


PARENT: Final = flow(
    each={
        "type": "Foreach",
        "foreach": ITEMS,
        "runAfter": after("id"),
        "runtimeConfiguration": {"concurrency": {"repetitions": 2}},
        "actions": {
            "child": {
                "type": "Workflow",
                "inputs": {
                    "host": {"workflow": {"id": "/x/workflows/child"}},
                    "body": {"n": "@sub(0, add(mul(triggerBody()['n'], 10), item()))"},
                },
                "runAfter": {},
            }
        },
    },
    last=call("echo", "each"),
)


def children_of(number: int) -> list[int]:
    """The numbers of the runs that a run of `parent` starts: below zero, so that nobody else has them."""
    return [-(number * 10 + turn) for turn in range(items_of(number))]


def _parent(number: int) -> Expected:
    actions = {"/id": OK, "/each": OK, "/last": OK}
    outputs = {}
    for turn, child in enumerate(children_of(number)):
        actions[f"/each[{turn}]/child"] = OK
        outputs[f"/each[{turn}]/child"] = {"body": child}
    return Expected(OK, actions, {"/last": 1}, outputs)


BRANCHES: Final = 4
PARALLEL: Final = flow(
    count=variable("count", "integer", 0, "id"),
    **{f"call{branch}": call("echo", "count", branch=branch) for branch in range(BRANCHES)},
    **{
        f"add{branch}": {
            "type": "IncrementVariable",
            "inputs": {"name": "count", "value": 1},
            "runAfter": after(f"call{branch}"),
        }
        for branch in range(BRANCHES)
    },
    joined=compose("@variables('count')", *(f"add{branch}" for branch in range(BRANCHES))),
)


def _parallel(number: int) -> Expected:
    calls = [f"/call{branch}" for branch in range(BRANCHES)]
    actions = {"/id": OK, "/count": OK, "/joined": OK, **dict.fromkeys(calls, OK)}
    actions |= {f"/add{branch}": OK for branch in range(BRANCHES)}
    return Expected(OK, actions, dict.fromkeys(calls, 1), {"/joined": BRANCHES})


TURNS: Final = 3
UNTIL: Final = flow(
    turn=variable("turn", "integer", 0, "id"),
    again={
        "type": "Until",
        "expression": f"@equals(variables('turn'), {TURNS})",
        "limit": {"count": 10, "timeout": "PT10H"},
        "runAfter": after("turn"),
        "actions": {
            "poll": call("echo", turn="@variables('turn')"),
            "next": {
                "type": "IncrementVariable",
                "inputs": {"name": "turn", "value": 1},
                "runAfter": after("poll"),
            },
        },
    },
)


def _until(number: int) -> Expected:
    polls = {f"/again[{turn}]/poll": 1 for turn in range(TURNS)}
    actions = {"/id": OK, "/turn": OK, "/again": OK, **dict.fromkeys(polls, OK)}
    return Expected(OK, actions | {f"/again[{turn}]/next": OK for turn in range(TURNS)}, polls)


WEBHOOK: Final = flow(
    approval=call("subscribe", "id") | {"type": "OpenApiConnectionWebhook"},
    told=call("echo", "approval", decision="@body('approval')?['decision']"),
)


def decision_of(number: int) -> dict[str, str]:
    """What calls a run of `webhook` back."""
    return {"decision": f"approved {number}"}


def _webhook(number: int) -> Expected:
    return Expected(OK, {"/id": OK, "/approval": OK, "/told": OK}, {"/approval": 1, "/told": 1})


NEVER: Final = flow(
    once=call("echo", "id", connector="once"),
    handled=call("echo", "once") | {"runAfter": after("once", on=["Succeeded", "Failed"])},
)


def _never(number: int) -> Expected:
    actions = {"/id": OK, "/once": OK, "/handled": OK}
    return Expected(OK, actions, {"/once": 1, "/handled": 1}, once=frozenset({"/once"}))


TERMINATED: Final = flow(
    work=call("echo", "id"),
    end=terminate("Failed", "work", code="Enough", message="So be it."),
    unreached=call("echo", "end"),
)


def _terminated(number: int) -> Expected:
    return Expected("Failed", {"/id": OK, "/work": OK, "/end": OK, "/unreached": "Skipped"}, {"/work": 1})


CANCELLED: Final = flow(work=call("echo", "id"), forever=wait(20, "Day", "work"), unreached=call("echo", "forever"))


def _cancelled(number: int) -> Expected:
    actions = {"/id": OK, "/work": OK, "/forever": "Cancelled", "/unreached": "Skipped"}
    return Expected("Cancelled", actions, {"/work": 1})


TICK: Final = {
    "triggers": {"every": {"type": "Recurrence", "recurrence": {"frequency": "Minute", "interval": 1}}},
    "actions": {
        "id": compose({"n": "@trigger()?['scheduledTime']", "fired": "@trigger()?['startTime']"}),
        "work": call("echo", "id", n="@trigger()?['scheduledTime']"),
    },
}


def _tick(number: int) -> Expected:
    return Expected(OK, {"/id": OK, "/work": OK}, {"/work": 1})


KINDS: Final[dict[str, Kind]] = {
    "child": Kind(CHILD, _child, started=False),
    "foreach": Kind(FOREACH, _foreach),
    "retry": Kind(RETRY, _retry),
    "wait": Kind(WAIT, _wait),
    "parent": Kind(PARENT, _parent),
    "parallel": Kind(PARALLEL, _parallel),
    "until": Kind(UNTIL, _until),
    "webhook": Kind(WEBHOOK, _webhook),
    "never": Kind(NEVER, _never),
    "terminated": Kind(TERMINATED, _terminated),
    "cancelled": Kind(CANCELLED, _cancelled),
    "tick": Kind(TICK, _tick, started=False),
}
"""Every flow by name; `child` is deployed before whoever calls it."""

STARTED: Final = [name for name, kind in KINDS.items() if kind.started]
"""What the load starts."""
