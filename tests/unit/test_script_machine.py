"""The machine of desktop flows: turns, events that come late, pauses, what is recorded, recovery."""

from __future__ import annotations

import pytest
from robin_run import NOW, SECOND, ScriptRun, plan_of
from sealflow.engine.cloud import parse
from sealflow.engine.kernel import Invoke, MismatchError, Sleep, build
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.records import DONE, SCHEDULED, from_stored
from sealflow.engine.kernel.contract.status import CANCELLED, FAILED, SUCCEEDED
from sealflow.engine.kernel.desktop import decide as script
from sealflow.engine.kernel.desktop import delta as script_delta
from sealflow.engine.kernel.desktop import snapshot as script_snapshot
from sealflow.engine.kernel.desktop.history import ScriptHistory
from sealflow.engine.kernel.desktop.machine import SCRIPT
from sealflow.engine.kernel.desktop.state import ScriptState
from sealflow.engine.kernel.machines import CLOUD, machine_of
from sealflow.storage.format.codec import pack, unpack

ENDLESS = "LABEL Top\nGOTO Top"
COUNTING = "SET n TO 0\nLOOP WHILE True\n    SET n TO n + 1\nEND"
READ = "SET a TO 1\nFile.ReadTextFromFile.ReadText File: 'a.txt' Contents=> text\nSET b TO 2"


def test_an_endless_loop_of_jumps_ends_its_turn_without_a_record() -> None:
    run = ScriptRun(ENDLESS)
    assert [record[1] for record in run.records] == [event.START]
    assert script.needs_tick(run.state)
    assert run.feed(event.tick(NOW + 1)) == [event.tick(NOW + 1)]
    assert script.needs_tick(run.state)
    assert run.state.stack == []


def test_an_endless_loop_can_be_cancelled_between_two_turns() -> None:
    run = ScriptRun(COUNTING)
    for _ in range(3):
        assert len(run.feed(event.tick(NOW))) <= script.STEPS + 1
    run.feed(event.stop(NOW + 5, CANCELLED, "Cancelled", "enough"))
    assert run.state.end is not None
    assert (run.state.end.status, run.state.end.code) == (CANCELLED, "Cancelled")
    assert run.feed(event.tick(NOW + 6)) == []


def test_what_an_endless_loop_holds_does_not_grow() -> None:
    run = ScriptRun(COUNTING)
    sizes = set()
    for _ in range(5):
        run.feed(event.tick(NOW))
        sizes.add((len(run.state.stack), len(run.state.open), len(run.state.slots)))
    assert len(sizes) == 1


def test_a_row_leaves_one_record_and_a_call_two() -> None:
    run = ScriptRun(READ)
    assert [record[1] for record in run.records] == [event.START, DONE, SCHEDULED]
    (command,) = run.commands
    assert isinstance(command, Invoke)
    assert (command.operation.connector, command.operation.name) == ("desktop.file", "File.ReadTextFromFile.ReadText")
    assert command.inputs == {"File": "a.txt"}
    assert command.path == "/Main/2[2]"
    assert [record[1] for record in run.answer({"Contents": "x"})] == [event.RESULT, DONE]
    assert run["text"] == "x"
    assert run.state.end is not None
    assert run.state.end.status == SUCCEEDED


def test_each_execution_of_a_call_has_a_key_of_its_own() -> None:
    run = ScriptRun("LOOP i FROM 1 TO 2\n    File.Delete Files: 'a'\nEND")
    keys = []
    for _ in range(2):
        (command,) = run.commands
        assert isinstance(command, Invoke)
        keys.append(command.key)
        run.answer({})
    assert len(set(keys)) == 2


def test_attempts_of_one_execution_have_the_same_key() -> None:
    run = ScriptRun("File.Delete Files: 'a'\nON ERROR REPEAT 1 TIMES WAIT 2\nEND")
    (first,) = run.commands
    assert isinstance(first, Invoke)
    run.answer(status=FAILED, code="FileNotFoundError")
    (pause,) = run.commands
    assert isinstance(pause, Sleep)
    assert pause.due == NOW + 2 * SECOND
    run.feed(event.timer(pause.node.index, pause.it, pause.attempt, pause.due))
    (second,) = run.commands
    assert isinstance(second, Invoke)
    assert (second.key, second.attempt) == (first.key, 2)


def test_events_that_come_too_late_give_nothing() -> None:
    run = ScriptRun(READ)
    (command,) = run.commands
    place = (command.node.index, command.it)
    late = event.result(*place, 2, NOW, SUCCEEDED, "OK", None, None)
    assert run.feed(late) == []
    assert run.feed(event.timer(*place, 1, NOW)) == []
    assert run.feed(event.deadline(*place, 1, NOW)) == []
    assert run.feed(event.tick(NOW)) == []
    assert run.feed(event.start(NOW, None, {})) == []
    assert run.feed(event.callback(*place, 1, NOW, SUCCEEDED, "OK", None, None)) == []
    run.answer({"Contents": "x"})
    assert run.feed(event.result(*place, 1, NOW, SUCCEEDED, "OK", None, None)) == []


def test_time_never_goes_back() -> None:
    run = ScriptRun("WAIT 1\nWAIT 1")
    (pause,) = run.commands
    assert isinstance(pause, Sleep)
    run.feed(event.timer(pause.node.index, pause.it, 1, NOW - 5))
    (pause,) = run.commands
    assert isinstance(pause, Sleep)
    assert pause.due == NOW + SECOND


def test_a_run_that_is_held_takes_no_step_before_its_tick() -> None:
    run = ScriptRun("SET a TO 1", held=True)
    assert len(run.records) == 1
    assert script.needs_tick(run.state)
    run.feed(event.tick(NOW))
    assert run["a"] == 1


def test_large_values_pause_a_turn_and_leave_the_same_records() -> None:
    text = "SET t TO 'x'\nLOOP FROM 1 TO 14\n    SET t TO t + t\nEND\nSET a TO t + 'a'\nSET b TO t + 'b'"
    plan = plan_of(text)
    whole = ScriptRun(plan)
    paused = ScriptRun(plan, room=20_000)
    assert script.unfinished(paused.state)
    assert len(paused.records) < len(whole.records)
    paused.to_the_end()
    assert paused.records == whole.records


def test_a_crash_within_a_turn_leads_to_the_same_records() -> None:
    plan = plan_of(COUNTING)
    whole = ScriptRun(plan)
    state = ScriptState(plan)
    cut = len(whole.records) // 2
    for record in whole.records[:cut]:
        script.apply(plan, state, record)
    assert script.unfinished(state)
    rest, _ = script.decide(plan, state, event.resume())
    assert whole.records[:cut] + rest == whole.records


def test_whoever_watches_changes_nothing() -> None:
    text = """
SET big TO 9223372036854775807
SET big TO big + 1
SET L TO [1, 'x', True, 2.5, {'a': [1]}]
SET M TO L
SET t TO $'''%L%'''
LOOP FOREACH x IN L
    IF x = 1 THEN
        NEXT LOOP
    END
    Variables.AddItemToList Item: x List: M
END
BLOCK
ON BLOCK ERROR all CaptureLogicErrors: True
END
    SET y TO L[9]
END
"""
    plan = plan_of(text)
    assert ScriptRun(plan).records == ScriptRun(plan, history=ScriptHistory(plan)).records


def test_records_survive_the_store() -> None:
    run = ScriptRun('SET big TO 9223372036854775807\nSET big TO big * 4\nSET d TO 0.1\nSET at TO d"2024-01-01"')
    assert [from_stored(unpack(pack(record))) for record in run.records] == run.records


def test_a_history_of_another_script_is_told() -> None:
    run = ScriptRun("SET a TO 1\nSET b TO 2")
    other = plan_of("SET a TO 1")
    state = ScriptState(other)
    script.apply(other, state, run.records[0])
    script.apply(other, state, run.records[1])
    with pytest.raises(MismatchError):
        script.apply(other, state, run.records[2])
    call = ScriptRun(READ)
    result = event.result(7, (1,), 1, NOW, SUCCEEDED, "OK", None, None)
    with pytest.raises(MismatchError):
        script.apply(call.plan, call.state, result)


def test_a_snapshot_of_another_plan_or_format_is_not_read() -> None:
    run = ScriptRun(READ)
    dumped = script_snapshot.dump(run.state)
    assert script_snapshot.restore(run.plan, dumped) is not None
    assert script_snapshot.restore(plan_of("SET a TO 1"), dumped) is None
    assert script_snapshot.restore(run.plan, {**dumped, "format": 99}) is None
    assert script_snapshot.restore(run.plan, {**dumped, "revision": 99}) is None
    assert script_snapshot.restore(run.plan, None) is None


def test_an_exception_nobody_foresaw_fails_its_row_and_is_not_quoted() -> None:
    run = ScriptRun("SET a TO 1\nSET b TO a + 1", start=False)

    def broken(slots: object) -> object:
        raise RuntimeError("a secret")

    run.plan.nodes[1].value = broken  # type: ignore[assignment]
    run.feed(event.start(NOW, None, {"seed": bytes(32)}))
    assert run.state.end is not None
    assert run.state.end.code == "ActionFailedError"
    assert "secret" not in str(run.records)


def test_the_machine_is_chosen_by_the_plan() -> None:
    plan = plan_of("SET a TO 1")
    assert machine_of(plan) is SCRIPT
    assert (SCRIPT.kind, CLOUD.kind) == ("desktop", "cloud")
    assert not plan.listens
    assert not plan.answers
    assert plan.definition.actions == ()
    assert not plan.secretive
    state = SCRIPT.state(plan, SCRIPT.history(plan, None, keep=5))
    start = event.start(NOW, None, {"seed": bytes(32), "revision": SCRIPT.revision})
    records, commands = SCRIPT.decide(plan, state, start)
    SCRIPT.relieve(state, 0)
    SCRIPT.supply(state, {})
    assert state.end.status == SUCCEEDED
    assert commands == SCRIPT.pending(state) == []
    assert not SCRIPT.needs_tick(state)
    assert not SCRIPT.unfinished(state)
    assert state.revision in SCRIPT.revisions
    assert SCRIPT.restore(plan, SCRIPT.dump(state)).end.status == SUCCEEDED
    assert SCRIPT.replay(records, plan).difference is None
    again = SCRIPT.state(plan)
    for record in records:
        SCRIPT.apply(plan, again, record)
    assert again.end.status == SUCCEEDED


def test_a_cloud_flow_is_driven_by_the_same_functions() -> None:
    plan = build(parse({"actions": {"C": {"type": "Compose", "inputs": 1}}, "triggers": {}}, dialect="logic-apps"))
    assert machine_of(plan) is CLOUD
    state = CLOUD.state(plan, CLOUD.history(plan, None))
    records, _ = CLOUD.decide(plan, state, event.start(NOW, None, {"seed": bytes(32), "revision": CLOUD.revision}))
    assert state.end.status == SUCCEEDED
    assert CLOUD.replay(records, plan).difference is None


def test_a_value_that_doubles_is_stopped_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_delta, "MOST_ITEMS", 10_000)
    run = ScriptRun("SET L TO [1]\nLOOP FROM 1 TO 60\n    SET L TO [L, L]\nEND").to_the_end()
    assert run.state.end is not None
    assert run.state.end.code == "ValueTooLargeError"


def test_a_text_too_long_for_a_variable_is_an_error_of_logic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_delta, "LONGEST_TEXT", 1_000)
    run = ScriptRun("SET t TO 'x'\nLOOP FROM 1 TO 60\n    SET t TO t + t\nEND").to_the_end()
    assert run.state.end is not None
    assert run.state.end.code == "ValueTooLargeError"
    assert len(run["t"]) == 512


def test_a_value_nested_without_end_is_an_error_of_logic() -> None:
    run = ScriptRun("SET L TO [1]\nSET n TO 1\nLOOP WHILE True\n    SET L TO [L]\n    SET n TO n + 1\nEND").to_the_end()
    assert run.state.end is not None
    assert run.state.end.code == "ValueTooLargeError"
    assert run["n"] == 100
    assert pack(run.records[-4])


def test_so_is_one_that_grows_inside_of_itself() -> None:
    run = ScriptRun("SET o TO {'k': 1}\nLOOP WHILE True\n    SET o.k TO o\nEND").to_the_end()
    assert run.state.end is not None
    assert run.state.end.code == "ValueTooLargeError"
