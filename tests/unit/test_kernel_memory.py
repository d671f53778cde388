"""What a run holds in memory: what nobody can name is gone, what is large comes and goes, and no record says so."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_driver import SUCCEEDED, Driver, compose, ok
from sealflow.engine import kernel
from sealflow.engine.kernel.cloud.state import live_frames
from sealflow.engine.kernel.contract import large_values as large
from sealflow.engine.kernel.contract import records as event
from thorough import LONG

BIG = 20_000


def http(*after: str, **inputs: Any) -> dict[str, Any]:
    return {
        "type": "Http",
        "inputs": {"method": "GET", "uri": "http://x", **inputs},
        "runAfter": dict.fromkeys(after, SUCCEEDED),
    }


def foreach(items: Any, actions: dict[str, Any], *after: str) -> dict[str, Any]:
    return {"type": "Foreach", "foreach": items, "actions": actions, "runAfter": dict.fromkeys(after, SUCCEEDED)}


def until(actions: dict[str, Any], condition: str, *after: str) -> dict[str, Any]:
    limit = {"count": 3, "timeout": "PT1H"}
    kept = {"expression": condition, "limit": limit, "runAfter": dict.fromkeys(after, SUCCEEDED)}
    return {"type": "Until", "actions": actions, **kept}


def big(number: int) -> Any:
    return ok({"statusCode": 200, "headers": {}, "body": f"{number:05}" * (BIG // 5)})


def held(run: Driver) -> set[str]:
    """The names of the actions whose outputs a frame of the run still holds."""
    return {run.plan.nodes[index].name for frame in live_frames(run.state) for index in frame.out}


def in_memory(run: Driver) -> int:
    """How many bytes of large outputs the frames hold."""
    frames = live_frames(run.state)
    values = [frame.out[index] for frame in frames for index in frame.large]
    return sum(large.rough_size(value) for value in values if not isinstance(value, kernel.Large))


# ---- what nothing can name any more


def chain(count: int) -> dict[str, Any]:
    """Calls in a row; each hands on to the next what it got."""
    actions = {"call0": http()}
    for number in range(1, count):
        actions[f"call{number}"] = http(f"call{number - 1}", body=f"@body('call{number - 1}')")
    return actions


def test_outputs_are_gone_with_their_last_reader() -> None:
    run = Driver(chain(6), answer=lambda command, number: big(number)).start()
    most = 0
    while run.step():
        most = max(most, in_memory(run))
    assert run.status == "Succeeded"
    assert BIG <= most < 2 * BIG
    assert held(run) == set()
    run.verify()


def gone_after(actions: dict[str, Any]) -> dict[str, set[str]]:
    """What is held whenever an action has ended, by its path."""
    found: dict[str, set[str]] = {}
    run = Driver(actions)
    run.start()
    while True:
        over = [entry.path for entry in run.history.entries if entry.end is not None]
        found.update((path, held(run)) for path in over if path not in found)
        if not run.step():
            break
    assert run.status == "Succeeded"
    run.verify()
    return found


def test_a_reader_in_a_branch_counts_until_the_branching_is_over() -> None:
    found = gone_after(
        {
            "a": http(),
            "choose": {
                "type": "If",
                "expression": "@equals(1, 1)",
                "actions": {"call": http()},
                "else": {"actions": {"read": compose("@body('a')")}},
                "runAfter": {"a": SUCCEEDED},
            },
            "last": http("choose"),
        }
    )
    assert "a" in found["/a"]
    assert "a" not in found["/choose"]


def test_a_reader_that_is_skipped_counts_as_over() -> None:
    found = gone_after(
        {
            "a": http(),
            "b": http("a"),
            "read": {**compose("@body('a')"), "runAfter": {"b": ["Failed"]}},
            "last": {**http(), "runAfter": {"read": ["Skipped"]}},
        }
    )
    assert "a" in found["/a"]
    assert "a" not in found["/b"]


def test_a_reader_within_a_loop_counts_until_the_loop_is_over() -> None:
    inner = {"wait": http(), "read": compose("@body('a')", "wait")}
    found = gone_after({"a": http(), "loop": foreach("@range(0, 3)", inner, "a"), "last": http("loop")})
    assert "a" in found["/loop[0]/read"]
    assert "a" not in found["/loop"]


def test_the_items_of_a_loop_are_not_held_twice() -> None:
    loop = foreach("@createArray(body('a'), 2)", {"wait": http()}, "b")
    found = gone_after({"a": http(), "b": http("a"), "loop": loop})
    assert "a" in found["/a"]
    assert "a" not in found["/b"]  # by then the loop has started


def test_what_a_loop_gathered_is_gone_with_its_last_reader() -> None:
    run = Driver(
        {
            "loop": foreach("@range(0, 3)", {"get": http()}),
            "all": compose("@body('get')", "loop"),
            "last": http("all"),
        }
    ).start()
    run.run()
    assert run.outputs("/all") == [{}, {}, {}]
    assert held(run) == set()


BODY = {"a": http(), "b": compose("@body('a')", "a"), "c": http("b")}


@pytest.mark.parametrize(
    ("actions", "path"),
    [
        ({"a": http(), "read": compose("@outputs(coalesce(triggerBody(), 'a'))", "a"), "b": http("read")}, "/b"),
        ({"loop": until(BODY, "@equals(body('a'), null)")}, "/loop[0]/b"),
        ({"loop": until(BODY, "@true"), "read": compose("@body('a')", "loop")}, "/loop[0]/b"),
        ({"loop": foreach("@range(0, 2)", BODY), "read": compose("@result('loop')", "loop")}, "/loop[0]/b"),
    ],
    ids=["computed name", "condition of an Until", "behind an Until", "result of a loop"],
)
def test_what_is_hard_to_tell_stays(actions: dict[str, Any], path: str) -> None:
    assert "a" in gone_after(actions)[path]


@st.composite
def readers(draw: Any, depth: int = 0, count: list[int] | None = None) -> dict[str, Any]:
    """Actions in any arrangement, each of which reads what some action of the flow has produced."""
    number = count if count is not None else [0]
    actions: dict[str, Any] = {}
    for _ in range(draw(st.integers(1, 4))):
        name = f"n{number[0]}"
        number[0] += 1
        other = f"n{draw(st.integers(0, 9))}"
        read = draw(st.sampled_from([f"outputs('{other}')", f"actions('{other}')?['inputs']", f"result('{other}')"]))
        kind = draw(
            st.sampled_from(["Compose", "Http", "Scope", "If", "Foreach", "Until"] if depth < 3 else ["Compose"])
        )
        if kind == "Compose":
            action = compose(f"@concat('{name}', string({read}))")
        elif kind == "Http":
            action = http(body=f"@{read}")
        else:
            action = container(kind, draw(readers(depth + 1, number)), read)
        if actions and draw(st.booleans()):
            before = draw(st.sampled_from(sorted(actions)))
            action = {**action, "runAfter": {before: ["Succeeded", "Failed", "Skipped"]}}
        actions[name] = action
    return actions


def container(kind: str, actions: dict[str, Any], read: str) -> dict[str, Any]:
    if kind == "Foreach":
        return foreach(f"@createArray(1, length(string({read})))", actions)
    if kind == "Until":
        return until(actions, f"@greater(length(string({read})), 60)")
    branching = {"type": kind, "actions": actions}
    return branching if kind == "Scope" else {**branching, "expression": f"@greater(length(string({read})), 30)"}


@settings(max_examples=1000 if LONG else 60, deadline=None)
@given(readers())
def test_what_is_let_go_is_never_missed(actions: dict[str, Any]) -> None:
    def answer(command: Any, number: int) -> Any:
        return ok({"body": command.inputs})

    keeping = Driver(actions, answer=answer)
    for node in keeping.plan.nodes:
        node.releases = node.releases_early = ()
    assert Driver(actions, answer=answer).run().records == keeping.run().records


def test_an_action_that_ends_after_its_readers_leaves_nothing() -> None:
    run = Driver({"slow": http(), "read": compose("@coalesce(body('slow'), 'none')")}).run()
    assert run.outputs("/read") == "none"
    assert held(run) == set()


# ---- what is let go and comes back


class Forgetful(Driver):
    """Lets go of large values after every step, by chance all of them, and pauses its turns after few."""

    chance = random.Random(0)

    def feed(self, record: Any) -> None:
        self.state.room = self.chance.choice([0, 1, 3 * BIG, 1 << 30])
        super().feed(record)
        kernel.relieve(self.state, self.chance.choice([-1, 0, 2 * BIG]))


CASES: dict[str, dict[str, Any]] = {
    "outputs": chain(4) | {"all": compose("@concat(body('call0'), body('call2'))", "call3")},
    "gathered": {
        "loop": foreach("@range(0, 4)", {"get": http(), "seen": compose("@length(body('get'))", "get")}),
        "all": compose("@join(body('get'), '')", "loop"),
        "one": compose("@outputs('get')[2]", "all"),
    },
    "results": {
        "loop": foreach(
            "@range(0, 3)",
            {"get": http(body="@{outputs('long')}"), "inner": foreach("@range(0, 2)", {"in": http()}, "get")},
            "long",
        ),
        "long": compose("y" * BIG),
        "told": compose("@result('loop')", "loop"),
        "again": compose("@string(result(concat('lo', 'op')))", "told"),
    },
    "records": {
        "scope": {"type": "Scope", "actions": {"get": http(body="x" * BIG), "kept": compose("@body('get')", "get")}},
        "told": compose("@result('scope')", "scope"),
        "one": compose("@actions('get')['inputs']['body']", "told"),
    },
    "until": {
        "loop": until(
            {"get": http(), "seen": compose("@length(body('get'))", "get")},
            "@equals(length(body('get')), 1)",
        ),
        "after": compose("@body('get')", "loop"),
    },
    "trigger": {
        "a": http(),
        "read": compose("@length(triggerBody())", "a"),
        "again": compose("@triggerBody()", "read"),
    },
    "items": {
        "list": http(),
        "loop": foreach("@split(body('list'), '0')", {"get": http(), "seen": compose("@item()", "get")}, "list"),
    },
}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_letting_go_changes_no_record(case: str, seed: int) -> None:
    def answer(command: Any, number: int) -> Any:
        return ok({"body": ("a" * BIG + "0") * 3}) if command.path == "/list" else big(number)

    body = "t" * BIG
    plain = Driver(CASES[case], answer=answer).run(body)
    Forgetful.chance = random.Random(seed)
    forgetful = Forgetful(CASES[case], answer=answer).run(body)
    assert forgetful.records == plain.records
    assert plain.status == "Succeeded"


def test_the_oldest_go_first_and_the_newest_stays() -> None:
    actions = {f"a{number}": compose(f"{number}" * BIG, *([f"a{number - 1}"] if number else [])) for number in range(4)}
    run = Driver({**actions, "w": http("a3"), "read": compose("@actions(triggerBody())", "w")}).start("a0")
    kernel.relieve(run.state, 2 * BIG + 1000)
    away = [index for index, value in run.state.root.out.items() if isinstance(value, kernel.Large)]
    assert away == [0, 1]
    kernel.relieve(run.state, 0)
    away = [index for index, value in run.state.root.out.items() if isinstance(value, kernel.Large)]
    assert away == [0, 1, 2]
    run.run()


def test_a_turn_pauses_when_it_has_produced_enough_and_goes_on_after_a_crash() -> None:
    actions = {f"a{number}": compose(f"{number}" * BIG, *([f"a{number - 1}"] if number else [])) for number in range(6)}
    whole = Driver(actions).run()
    run = Driver(actions)
    run.state.room = 2 * BIG
    run.start()
    assert kernel.unfinished(run.state)
    assert not kernel.needs_tick(run.state)
    assert len(run.records) == 1 + 2
    # Another process finds a part of the turn, and decides the rest of it.
    folded = kernel.State(run.plan)
    for record in run.records:
        kernel.apply(run.plan, folded, record)
    assert kernel.unfinished(folded)
    more, _ = kernel.decide(run.plan, folded, event.resume())
    assert [*run.records, *more] == whole.records


def test_the_inputs_of_a_call_are_only_named_until_they_are_needed_again() -> None:
    policy = {"type": "fixed", "count": 1, "interval": "PT10S"}
    run = Driver({"call": http(body="x" * BIG, retryPolicy=policy)}, check=False).start()
    (first,) = run._queue
    assert first.inputs["body"] == "x" * BIG
    (entry,) = run.state.open.values()
    assert entry.inputs is first.inputs  # the call has them in any case
    folded = kernel.State(run.plan)
    for record in run.records:
        kernel.apply(run.plan, folded, record)
    assert isinstance(next(iter(folded.open.values())).inputs, kernel.Large)
    run.feed(event.result(0, None, 1, run.now, 2, "500", {"statusCode": 500}, {"code": "500", "message": ""}))
    assert isinstance(entry.inputs, kernel.Large)
    run.feed(event.timer(0, None, 1, run.now))
    again = run._queue[-1]
    assert again.inputs.at == (1, 5)
    assert run.records[1][5]["body"] == "x" * BIG


def test_large_items_are_let_go_as_their_iterations_start() -> None:
    loop = {**foreach("@triggerBody()", {"call": http()}), "operationOptions": "Sequential"}
    run = Driver({"loop": loop}, check=False).start(["x" * BIG, "y" * BIG, "z"])
    (live,) = run.state.loops.values()
    assert live.items == [None, "y" * BIG, "z"]
    restored = kernel.restore(run.plan, kernel.dump(run.state))
    assert restored is not None
    (needed,) = restored.need
    kernel.supply(restored, {needed.at: run.records[needed.seq][needed.field]})
    (again,) = restored.loops.values()
    assert again.items == live.items
    run.run()
    assert run.status == "Succeeded"


def test_a_snapshot_holds_the_results_of_a_loop_that_another_loop_repeats() -> None:
    inner = foreach("@createArray(1, 2)", {"in": compose("@item()")})
    interval = {"interval": {"count": 1, "unit": "Second"}}
    flow = {
        "outer": foreach("@createArray('a', 'b')", {"inner": inner}),
        "pause": {"type": "Wait", "inputs": interval, "runAfter": {"outer": SUCCEEDED}},
        "seen": compose("@result('inner')", "pause"),
    }
    run = Driver(flow).start()
    while not run.state.open:
        assert run.step()
    dumped = kernel.dump(run.state)
    assert " object at " not in repr(dumped)
    restored = kernel.restore(run.plan, dumped)
    assert restored is not None
    run.state = restored
    assert run.run().records == Driver(flow).run().records


def test_that_an_event_is_small_says_nothing_of_what_is_decided_then() -> None:
    run = Driver({"call": http(), "big": compose("x" * BIG, "call"), "read": compose("@outputs('big')", "big")})
    run.state.small = True
    run.start()
    command = run._queue.pop()
    run.state.small = True
    run.feed(event.result(command.node.index, None, 1, run.now, 4, "OK", {"body": "small"}, None))
    assert not run.state.small
    assert [large.size > BIG for large in run.state.root.large.values()] == [True] * len(run.state.root.large)
