"""Any script: no exception leaves the machine, and what is stored of a run leads back to it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from robin_run import ScriptRun, plan_of
from sealflow.engine.desktop.expressions.errors import BROKEN
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.records import from_stored
from sealflow.engine.kernel.contract.status import CANCELLED, FAILED
from sealflow.engine.kernel.desktop import decide as script
from sealflow.engine.kernel.desktop import snapshot as script_snapshot
from sealflow.engine.kernel.desktop.history import ScriptHistory
from sealflow.engine.kernel.desktop.replay import replay_script
from sealflow.engine.kernel.desktop.state import ScriptState
from sealflow.storage.format.codec import pack, unpack

EXPRESSIONS = st.sampled_from(
    ("1", "n + 1", "n * 3 - i", "n / (i - 2)", "'x' + n", "L[0]", "L[n]", "L.Count", "[n, i]", "o.k", "T[0]['A']", "i",
     "T + [n]", "n mod 3", "n = i", "n > 'a'", "IsEmpty(L)", "$'''%n%-%L%'''", "-n", "NOT (n = 1)", "{'k': n}",
     "L[1:2]")
)  # fmt: skip
TARGETS = st.sampled_from(("n", "i", "L", "o", "T", "L[0]", "o.k", "T[0]['A']", "x"))
CONDITIONS = st.sampled_from(("n > 2", "n = i", "IsEmpty(L)", "L[5] = 1", "True", "x", "n < 5 AND NOT IsEmpty(L)"))
SIMPLE = st.one_of(
    st.builds("SET {} TO {}".format, TARGETS, EXPRESSIONS),
    st.builds("Variables.AddItemToList Item: {} List: L".format, EXPRESSIONS),
    st.builds("Variables.IncreaseVariable Value: n IncrementValue: {}".format, EXPRESSIONS),
    st.sampled_from(
        ("CALL Sub", "EXIT LOOP", "NEXT LOOP", "ERROR => e", "GOTO Last", "File.Delete Files: n", "WAIT n")
    ),
)
HANDLERS = st.sampled_from(
    ("", "ON ERROR\nEND", "ON ERROR\nSET h TO n\nGOTO Last\nEND", "ON ERROR REPEAT 1 TIMES WAIT 1\nEND",
     "ON ERROR\nNEXT ACTION\nEND", "ON ERROR\nTHROW ERROR\nEND")
)  # fmt: skip
SECTIONS = st.sampled_from(("", "SET h TO 1\n", "NEXT ACTION\n", "THROW ERROR\n", "GOTO Last\n", "CALL Sub\n"))


def _rows(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=4).map("\n".join)
    return st.one_of(
        st.builds("IF {} THEN\n{}\nELSE\n{}\nEND".format, CONDITIONS, body, body),
        st.builds("LOOP i FROM 1 TO {}\n{}\nEND".format, st.integers(0, 3), body),
        st.builds("LOOP FOREACH i IN {}\n{}\nEND".format, st.sampled_from(("[1, 'b']", "L", "T", "n")), body),
        st.builds("SWITCH n\nCASE = 1\n{}\nCASE > 2\n{}\nDEFAULT\n{}\nEND".format, body, body, body),
        st.builds("BLOCK\nON BLOCK ERROR all{}\n{}END\n{}\nEND".format,
                  st.sampled_from(("", " CaptureLogicErrors: True")), SECTIONS, body),
        st.builds("{}\n{}".format, st.sampled_from(("File.Delete Files: n",)), HANDLERS),
    )  # fmt: skip


BODIES = st.lists(st.recursive(SIMPLE, _rows, max_leaves=8), max_size=5).map("\n".join)
HEAD = (
    "SET n TO 1\nSET i TO 1\nSET L TO [1, 2, 3]\nSET o TO {'k': 1}\nSET T TO { ^['A'], [1] }\nSET x TO ''\nSET h TO 0\n"
)
MOST_EVENTS = 40


def text_of(body: str, sub: str) -> str:
    """A script of these two bodies; what cannot stand where it is put is taken out."""
    loops, kept = 0, []
    for line in (HEAD + body).split("\n"):
        loops += line.startswith("LOOP")
        kept.append(line if loops or line not in ("EXIT LOOP", "NEXT LOOP") else "SET n TO n")
    inside = [line for line in sub.split("\n") if line not in ("EXIT LOOP", "NEXT LOOP", "CALL Sub")]
    return "\n".join([*kept, "LABEL Last", "FUNCTION Sub GLOBAL", *inside, "LABEL Last", "END FUNCTION"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(BODIES, st.lists(SIMPLE, max_size=3).map("\n".join), st.lists(st.booleans(), min_size=1, max_size=5), st.data())
def test_a_run_is_what_its_records_say(body: str, sub: str, answers: list[bool], data: st.DataObject) -> None:
    try:
        plan = plan_of(text_of(body, sub))
    except DefinitionError:
        return  # e.g. EXIT LOOP in an IF behind a loop
    run = ScriptRun(plan, history=ScriptHistory(plan))
    for number in range(MOST_EVENTS):
        if run.state.end is not None:
            break
        if script.needs_tick(run.state):
            run.feed(event.tick(run.state.now))
            continue
        (command,) = run.commands
        place = (command.node.index, command.it, command.attempt)
        if run.state.open[place[:2]].phase != 1:
            run.feed(event.timer(*place, run.state.open[place[:2]].due or 0))
        elif answers[number % len(answers)]:
            run.answer({})
        else:
            run.answer(status=FAILED, code="SomethingError", message="no")
    else:
        run.feed(event.stop(run.state.now, CANCELLED, "Cancelled", "enough"))
    assert run.state.end is not None
    assert not any(record[1] == event.DONE and record[5] == BROKEN for record in run.records)
    assert replay_script(run.records, plan).difference is None
    stored = [from_stored(unpack(pack(record))) for record in run.records]
    cut = data.draw(st.integers(0, len(stored)))
    state = ScriptState(plan)
    for record in stored[:cut]:
        script.apply(plan, state, record)
    if cut:
        restored = script_snapshot.restore(plan, unpack(pack(script_snapshot.dump(state))))
        assert restored is not None
        state = restored
    for record in stored[cut:]:
        script.apply(plan, state, record)
    assert script_snapshot.dump(state) == script_snapshot.dump(run.state)
