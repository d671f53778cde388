"""The machine of desktop flows, behind the contract of the cloud machine (`decide`); `machine` offers both.

A row that evaluates something leaves one record, a call two; what follows from the state (jumps, iterations, ENDs)
leaves none and is derived by `apply` as `decide` did it.

| record | of a row of a script |
|---|---|
| SCHEDULED | `inputs` of a call by name, `due` of a WAIT, `deadline` of a WAIT FOR, `retry` [how often, ticks] |
| RESULT | `outputs` as connectors answer; `retry_due` where the call is made again, after an error or a no |
| DONE | `inputs` is the row's choice (of a failed row its `retry`), `outputs` the variables it has changed |

Choices are explained in `script_moves`, changes of variables in `script_delta`.

`node` is the instruction's number, `it` of a call (number of its SCHEDULED,): every execution has its own name.

Determinism: a script does one thing after the other. Time and chance come with events, as in cloud flows.
"""

from __future__ import annotations

from typing import Any, Final

from ...datatypes import Datum, restored
from ...effort import CURRENT, Costly, Suspend
from ...values import HIGHEST_INTEGER, LOWEST_INTEGER
from ..cloud.decide import MismatchError
from ..cloud.state import BACKING_OFF, CALLING, DELAYED
from ..contract.commands import CONDITION, Command, Invoke, Sleep
from ..contract.records import (
    DEADLINE,
    DONE,
    EVENTS,
    RESULT,
    RESUME,
    SCHEDULED,
    START,
    STOP,
    TICK,
    TIMER,
    VERSION,
    Record,
)
from ..contract.status import FAILED, SUCCEEDED
from ..contract.timing import SECOND
from . import error_handling as errors
from . import transitions as moves
from .delta import taken
from .error_scopes import handlers_around
from .plan import ACTION, ASK, DERIVED, EACH, SET, SWITCH, TEST, Instruction, ScriptPlan
from .rows import COST, decide_row, failed, kept_of
from .state import ScriptOpen, ScriptState

STEPS: Final = 1_000
"""Steps of one turn; then the host has to feed a `tick`, so that a cancel gets through and others have their turn."""

POLL: Final = SECOND
"""Ticks between two looks at what a WAIT waits for."""

SCRIPT_REVISION: Final = 1
"""The revision of these semantics, pinned by each run's start record."""

SCRIPT_REVISIONS: Final = frozenset({SCRIPT_REVISION})


def decide(plan: ScriptPlan, state: ScriptState, event: Record) -> tuple[list[Record], list[Command]]:
    """Take one event in. Returns the new records, in order, and the commands that become due when they are durable.

    An event for a row that is over, or for a run that has ended, gives nothing. While the turn is `unfinished` the host
    holds events back, has what was decided stored, and feeds `records.resume()`, which leaves no record.
    """
    records: list[Record] = []
    state.produced = 0
    if event[1] == RESUME:
        if not state.ready:
            return records, []
    else:
        entry = state.open.get((event[2], event[3])) if event[1] in _ABOUT_OPEN else None
        if not _expected(state, event, entry):
            return records, []
        if event[1] == RESULT and entry is not None:
            event = _with_retry(state, entry, event)
        records.append(event)
        _move(state, event)
        state.seq += 1
        state.left = _steps(event)
    _run(plan, state, records)
    return records, pending(state)


_ABOUT_OPEN: Final = frozenset({RESULT, TIMER, DEADLINE})


def _expected(state: ScriptState, event: Record, entry: ScriptOpen | None) -> bool:
    kind = event[1]
    if state.end is not None or (kind == START) != (state.seq == 0):
        return False
    if kind not in _ABOUT_OPEN:
        return state.ready if kind == TICK else kind in (START, STOP)
    if entry is None or entry.attempt != event[4]:
        return False
    if kind == RESULT:
        return entry.phase == CALLING
    if kind == TIMER:
        return entry.phase in (DELAYED, BACKING_OFF)
    return entry.deadline is not None


def _with_retry(state: ScriptState, entry: ScriptOpen, event: Record) -> Record:
    """The RESULT as it is recorded: with the time of the next call, where there is one."""
    at = max(event[5], state.now)
    due: int | None = None
    if event[6] != SUCCEEDED:
        if entry.retry is not None and not entry.node.waits and entry.attempt <= entry.retry[0]:
            due = at + entry.retry[1]
    elif entry.node.waits and not _answer(event[8]):
        due = at + POLL if entry.deadline is None else min(at + POLL, entry.deadline)
    return event if due is None else (*event[:10], due)


def _steps(event: Record) -> int:
    return 0 if event[1] == START and event[4].get("held") else STEPS


def _command(state: ScriptState, entry: ScriptOpen) -> Command:
    """What an open row asks of the host."""
    context, node = state.context, entry.node
    if entry.phase != CALLING:
        return Sleep(context, node, entry.frame.it, entry.attempt, entry.due or 0)
    command = Invoke(context, node, entry.frame.it, entry.attempt, entry.inputs, entry.deadline)
    if state.plan.screenshots:
        command.handlers = handlers_around(state, entry)
    return command


# --- the loop


def _run(plan: ScriptPlan, state: ScriptState, records: list[Record]) -> None:
    """Decide rows until something is open, the run ends, the turn is over or pauses."""
    pace = state.pace
    if pace is None:
        _rows(plan, state, records, 0)
        return
    pace.due, pace.budget.left = None, pace.share
    CURRENT.budget = pace.budget
    try:
        while True:
            floor = max(state.left - pace.rows, 0)
            _rows(plan, state, records, floor)
            if state.left > floor or floor == 0 or pace():
                return
    except Costly:
        state.heavy = not records  # it was the first of its turn
    finally:
        CURRENT.budget = None


def _rows(plan: ScriptPlan, state: ScriptState, records: list[Record], floor: int) -> None:
    """The same, until `floor` steps are left of the turn."""
    nodes, slots, room = plan.nodes, state.slots, state.room
    watched = state.watch is not None
    while state.left > floor and state.end is None and not state.open and (room is None or state.produced <= room):
        ins = nodes[state.pc]
        op = ins.op
        if op >= DERIVED:
            state.left -= 1
            moves.derive(state, ins)
        elif op == SET and not watched and not ins.target:
            # What loops consist of; the same as `decide_row`, in place.
            try:
                value: Any = ins.value(slots)  # type: ignore[misc]
                kind = value.__class__
                if kind is bool or (kind is int and LOWEST_INTEGER <= value <= HIGHEST_INTEGER):
                    delta: Any = value
                else:
                    delta = kept_of(state, ins, value)
            except Suspend:
                raise
            except Exception as error:
                failed(state, ins, error, records)
                continue
            state.left -= 1
            slots[ins.slot] = value
            records.append((VERSION, DONE, ins.pc, None, SUCCEEDED, None, None, {ins.variable: delta}, None))
            state.seq += 1
            state.pc = ins.next
        elif op == TEST and not watched:
            try:
                choice = ins.condition(slots)  # type: ignore[misc]
            except Suspend:
                raise
            except Exception as error:
                failed(state, ins, error, records)
                continue
            state.left -= 1
            records.append((VERSION, DONE, ins.pc, None, SUCCEEDED, None, choice, None, None))
            state.seq += 1
            state.pc = ins.next if choice else ins.jump
        else:
            decide_row(state, ins, records)


# --- events


def _answer(outputs: Any) -> bool:
    """What a call answers to a question; an answer that says nothing is a no."""
    body = outputs.get("body") if isinstance(outputs, dict) else None
    if isinstance(body, dict):
        named = {name.lower(): value for name, value in body.items()}
        body = named.get(CONDITION.lower(), named.get("result"))
    return body is True


def _resulted(state: ScriptState, entry: ScriptOpen, record: Record) -> None:
    _, _, _, _, _, _, status, code, outputs, error, retry_due = record
    ins = entry.node
    if retry_due is not None:
        moves.retrying(state, entry, retry_due, code)
        return
    moves.close(state, entry)
    if status != SUCCEEDED:
        message = error.get("message") if isinstance(error, dict) else None
        fault = {"code": code, "message": message or f"'{ins.word}' failed with {code}."}
        errors.fail(state, ins, fault, entry.retry if ins.waits else None)
        return
    body = outputs.get("body") if isinstance(outputs, dict) else None
    named = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    values = {variable: restored(named[output]) for output, variable, _ in ins.outputs if output in named}
    moves.done(state, ins, _answer(outputs) if ins.op == ASK else None, values)


def _move(state: ScriptState, record: Record) -> None:
    """What a record from outside does; the time of the state never goes back."""
    kind = record[1]
    if kind in _ABOUT_OPEN:
        state.now = max(state.now, record[5])
        entry = state.open[(record[2], record[3])]
        if kind == RESULT:
            _resulted(state, entry, record)
        elif kind == TIMER:
            moves.timer_fired(state, entry)
        else:
            moves.lapsed(state, entry)
        return
    state.now = max(state.now, record[2])
    if kind == START:
        moves.started(state, record[2], record[3], record[4])
    elif kind == STOP:
        moves.stopped(state, record[3], record[4], record[5])
    elif kind == TICK and not state.began:
        state.began = state.now  # it was held


# --- folding


def apply(plan: ScriptPlan, state: ScriptState, record: Record) -> None:
    """Fold one stored record into the state. Evaluates nothing.

    Raises MismatchError for a record that cannot follow.
    """
    kind = record[1]
    if kind in EVENTS:
        if kind in _ABOUT_OPEN and (record[2], record[3]) not in state.open:
            raise MismatchError(f"record {state.seq} is about a row that is not open")
        _move(state, record)
        state.left = _steps(record)
        state.seq += 1
        _settle(plan, state)
        return
    ins = plan.nodes[state.pc]
    if ins.pc != record[2] or not state.ready:
        raise MismatchError(f"record {state.seq} is not about {ins.path}, which is next")
    if kind == SCHEDULED:
        moves.scheduled(state, ins, record)
        state.left -= COST
    elif record[4] == FAILED:
        state.left -= 1
        errors.fail(state, ins, record[8], record[6])
    else:
        state.left -= COST if ins.op == ACTION else 1
        moves.done(state, ins, _choice(state, ins, record[6]), _values(state, record[7]))
    state.seq += 1
    _settle(plan, state)


def _settle(plan: ScriptPlan, state: ScriptState) -> None:
    """Take the steps that leave no record, up to one that does."""
    nodes = plan.nodes
    while state.left > 0 and state.end is None and not state.open:
        ins = nodes[state.pc]
        if ins.op < DERIVED:
            return
        state.left -= 1
        moves.derive(state, ins)


def _choice(state: ScriptState, ins: Instruction, recorded: Any) -> Any:
    if ins.op in (SWITCH, EACH):
        return taken(recorded, None, state.slots[0], lambda name: state.slots[state.plan.scope.places[name]])
    return recorded


def _values(state: ScriptState, delta: dict[str, Any] | None) -> dict[str, Datum]:
    if delta is None:
        return {}
    slots, places = state.slots, state.plan.scope.places
    return {
        name: taken(record, slots[places[name]], slots[0], lambda other: slots[places[other]])
        for name, record in delta.items()
    }


def pending(state: ScriptState) -> list[Command]:
    """The commands of what is open: for recovery, after the records have been folded."""
    return [_command(state, entry) for entry in state.open.values()] if state.end is None else []


def needs_tick(state: ScriptState) -> bool:
    """Whether the run has something to decide and waits only for its next turn."""
    return state.ready and state.left <= 0


def unfinished(state: ScriptState) -> bool:
    """Whether `decide` has paused within a turn, to have what it decided so far stored."""
    return state.ready and state.left > 0
