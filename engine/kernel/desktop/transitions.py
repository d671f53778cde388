"""How a run of a desktop flow moves on: what each row does to the state once its outcome is known.

The same functions serve new records and stored ones. They evaluate no expression; what a row needed to know (which way,
from where to where, through which items) is in its record as its *choice*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...datatypes import DataRow, DataTable, Datum, restored
from ...desktop.expressions import numbers
from ...desktop.expressions.culture import DEFAULT as USUAL
from ...desktop.expressions.culture import culture_of
from ...desktop.expressions.errors import RECURSION, TIMEOUT, LogicError
from ..cloud.state import BACKING_OFF, CALLING, DELAYED, End
from ..contract.run_context import RunContext
from ..contract.status import FAILED, SUCCEEDED
from . import error_handling as errors
from .plan import (
    ACTION,
    AGAIN,
    ASK,
    CALL,
    CASE,
    COUNT,
    DEFAULT,
    EACH,
    ENTER,
    EXIT,
    FINISH,
    HANDLED,
    JUMP,
    LAST_ERROR,
    LEAVE,
    NEXT,
    REPEAT,
    RETHROW,
    RETRIED_CALL,
    RETURN,
    SET,
    SWITCH,
    TEST,
    Instruction,
)
from .state import CALLED, DEEPEST, INSIDE, ITEMS, LOOP, SUBJECT, ScriptOpen, ScriptState

STOPPED = "StoppedWithError"
"""The code of a run that EXIT ended with a code other than 0."""


def started(state: ScriptState, at: int, trigger: Any, pins: dict[str, Any]) -> None:
    """The run begins: inputs get their values, or their defaults."""
    state.started = at
    state.began = 0 if pins.get("held") else at
    state.trigger = trigger
    state.pins = pins
    state.context = RunContext(state.plan, pins, at)
    state.slots = state.plan.scope.fresh(culture_of(pins.get("culture") or USUAL))
    given = trigger.get("inputs") if isinstance(trigger, dict) else None
    for name, value in (given or {}).items():
        place = state.plan.scope.places.get(name)
        if place is not None:
            state.slots[place] = restored(value)


def assign(state: ScriptState, values: Mapping[str, Datum]) -> None:
    """Variables take values, by their lower-case names."""
    places = state.plan.scope.places
    for name, value in values.items():
        state.slots[places[name]] = value


def done(state: ScriptState, ins: Instruction, choice: Any, values: Mapping[str, Datum]) -> None:
    """A row that evaluates has succeeded."""
    op = ins.op
    if state.watch is not None:
        state.watch.row(state, ins, choice)
    if values:
        assign(state, values)
    if state.watch is not None:
        state.watch.done(state, ins, values)
    if op == SET:
        state.pc = ins.next
    elif op == TEST:
        state.pc = ins.next if choice else ins.jump
    elif op == ACTION:
        state.attempt = 1
        state.pc = ins.next
    elif op == ASK:
        state.attempt = 1
        state.pc = ins.next if choice else ins.jump
    elif op == COUNT:
        _count(state, ins, choice)
    elif op == EACH:
        _each(state, ins, choice)
    elif op == SWITCH:
        state.stack.append([SUBJECT, ins.pc, choice])
        state.pc = ins.next
    elif op == CASE:
        _case(state, ins, choice)
    elif op == LAST_ERROR:
        if choice:
            state.error = None
        state.pc = ins.next
    elif op == EXIT:
        _exit(state, choice)
    elif op == RETRIED_CALL:
        _call(state, ins, choice)
    else:
        state.attempt = 1
        state.pc = ins.next


def _case(state: ScriptState, ins: Instruction, matches: bool) -> None:
    if matches:
        state.stack.pop()
    state.pc = ins.next if matches else ins.jump


def _exit(state: ScriptState, choice: Sequence[Any]) -> None:
    code, message = choice
    state.stack.clear()
    state.base = 0
    if code == 0:
        state.end = End(SUCCEEDED, None, None)
    else:
        ins = state.plan.nodes[state.pc]
        text = state.plan.message(ins, message) if message else f"The flow was stopped with code {code}."
        state.end = End(FAILED, STOPPED, {"code": STOPPED, "message": text, "exitCode": code})
    if state.watch is not None:
        state.watch.ended(state)


# --- loops


def _count(state: ScriptState, ins: Instruction, bounds: Sequence[Any]) -> None:
    start, stop, step = bounds
    if ins.slot:
        state.slots[ins.slot] = start
    if _within(start, stop, step):
        state.stack.append([LOOP, ins.pc, stop, step, start])
        state.pc = ins.next
    else:
        state.pc = ins.jump


def _within(value: Any, stop: Any, step: Any) -> bool:
    return bool(value <= stop if step >= 0 else value >= stop)


def _each(state: ScriptState, ins: Instruction, items: Datum) -> None:
    if length_of(items):
        state.stack.append([ITEMS, ins.pc, items, 0])
        state.slots[ins.slot] = item_of(items, 0)
        state.pc = ins.next
    else:
        state.pc = ins.jump


def length_of(items: Any) -> int:
    """How many iterations a FOREACH over this has."""
    if isinstance(items, DataTable):
        return len(items.rows)
    if isinstance(items, DataRow):
        return len(items.values)
    return len(items)


def item_of(items: Any, place: int) -> Datum:
    """What a FOREACH gives in one iteration: an item, a table's row, a row's value."""
    if isinstance(items, DataTable):
        return DataRow(items.columns, items.rows[place])
    if isinstance(items, DataRow):
        return items.values[place]
    return items[place]  # type: ignore[no-any-return]


def _again(state: ScriptState, ins: Instruction) -> None:
    """The end of an iteration. A counted loop adds to its variable, so that a body which sets it steers the loop."""
    stack = state.stack
    del stack[state.base + ins.depth :]
    frame = stack[-1]
    head = state.plan.nodes[frame[1]]
    if frame[0] == ITEMS:
        place = frame[3] = frame[3] + 1
        if place < length_of(frame[2]):
            state.slots[head.slot] = item_of(frame[2], place)
            state.pc = head.next
        else:
            stack.pop()
            state.pc = head.jump
        return
    _, _, stop, step, counter = frame
    if head.slot:
        value = state.slots[head.slot]
        if value.__class__ is int or value.__class__ is Decimal:
            counter = value
    try:
        frame[4] = counter = numbers.add(counter, step)
    except LogicError as error:
        stack.pop()
        errors.fail(state, head, {"code": error.code, "message": error.message, "logic": True})
        return
    if head.slot:
        state.slots[head.slot] = counter
    if _within(counter, stop, step):
        state.pc = head.next
    else:
        stack.pop()
        state.pc = head.jump


# --- subflows


def _call(state: ScriptState, ins: Instruction, retry: list[int] | None) -> None:
    if len(state.stack) >= DEEPEST:
        message = f"The subflow '{ins.variable}' is called from within itself too often: {DEEPEST} levels deep."
        errors.fail(state, ins, {"code": RECURSION, "message": message, "logic": True})
        return
    state.stack.append([CALLED, ins.pc, state.base, state.attempt, retry])
    state.base = len(state.stack)
    state.attempt = 1
    state.pc = ins.jump


def _return(state: ScriptState) -> None:
    place = state.base - 1
    frame = state.stack[place]
    del state.stack[place:]
    state.base = frame[2]
    state.pc = state.plan.nodes[frame[1]].next


# --- what follows from the state alone


def derive(state: ScriptState, ins: Instruction) -> None:
    """Take a step that evaluates nothing."""
    op = ins.op
    if state.watch is not None and ins.shown:
        state.watch.row(state, ins, None)
    if op == JUMP:
        del state.stack[state.base + ins.depth :]
        state.pc = ins.jump
    elif op == AGAIN:
        _again(state, ins)
    elif op == DEFAULT:
        del state.stack[state.base + ins.depth :]
        state.pc = ins.next
    elif op == ENTER:
        state.stack.append([INSIDE, ins.pc])
        state.pc = ins.next
    elif op == LEAVE:
        del state.stack[state.base + ins.depth :]
        state.pc = ins.next
    elif op == CALL:
        _call(state, ins, None)
    elif op == RETURN:
        _return(state)
    elif op == RETHROW:
        errors.rethrow(state)
    elif op == NEXT:
        errors.next_action(state)
    elif op == REPEAT:
        errors.repeat(state)
    elif op == HANDLED:
        errors.handled(state)
    elif op == FINISH:
        state.stack.clear()
        state.end = End(SUCCEEDED, None, None)
        if state.watch is not None:
            state.watch.ended(state)
    else:
        state.pc = ins.next


# --- what goes outside


def scheduled(state: ScriptState, ins: Instruction, record: tuple[Any, ...]) -> ScriptOpen:
    """A call or a delay is under way. `record` is its SCHEDULED."""
    _, _, _, it, attempt, inputs, due, deadline, retry = record
    entry = ScriptOpen(ins, it, attempt, inputs, CALLING if due is None else DELAYED, state.now)
    entry.due, entry.deadline, entry.retry = due, deadline, retry
    state.open[(ins.pc, it)] = entry
    if state.watch is not None:
        state.watch.opened(state, entry)
    return entry


def retrying(state: ScriptState, entry: ScriptOpen, due: int, code: str) -> None:
    """The answer was no, or an error, and the call is made again at `due`."""
    entry.phase, entry.due = BACKING_OFF, due
    if state.watch is not None:
        state.watch.retrying(state, entry, code)


def close(state: ScriptState, entry: ScriptOpen) -> None:
    """The row is not open any more."""
    del state.open[(entry.node.pc, entry.frame.it)]


def timer_fired(state: ScriptState, entry: ScriptOpen) -> None:
    """A delay is over, or the pause before another attempt."""
    ins = entry.node
    if entry.phase == DELAYED:
        close(state, entry)
        done(state, ins, None, {})
    elif entry.deadline is not None and state.now >= entry.deadline:
        lapsed(state, entry)
    elif entry.inputs is None:  # a row that is decided here, or a subflow: from its start
        close(state, entry)
        state.attempt = entry.attempt + 1
        state.pc = ins.pc
    else:
        entry.attempt += 1
        entry.phase, entry.due = CALLING, None


def lapsed(state: ScriptState, entry: ScriptOpen) -> None:
    """What a WAIT waits for has not come in time."""
    close(state, entry)
    message = "What the flow waited for did not come about in time."
    errors.fail(state, entry.node, {"code": TIMEOUT, "message": message}, entry.retry)


def stopped(state: ScriptState, status: int, code: str, message: str) -> None:
    """The run is ended from outside."""
    state.open.clear()
    state.stack.clear()
    state.base = 0
    state.end = End(status, code, {"code": code, "message": message})
    if state.watch is not None:
        state.watch.ended(state)
