"""What the rows of a script evaluate: one row, and the record that comes of it.

Whatever goes wrong here becomes a failed row. What a row then does to the state is `script_moves`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from ...datatypes import DataRow, DataTable, Datum, stored
from ...desktop.actions.port import Given
from ...desktop.expressions import conversions
from ...desktop.expressions.errors import BROKEN, DURATION, ActionError, LogicError, ScriptError
from ...desktop.expressions.operators import RELATIONS
from ...desktop.expressions.properties import replaced
from ...effort import Suspend, spend
from ..contract.records import DONE, SCHEDULED, VERSION, Record
from ..contract.status import FAILED, SUCCEEDED
from ..contract.timing import SECOND
from . import error_handling as errors
from . import transitions as moves
from .delta import PLAIN, kept, part, same_as, storable, weight
from .plan import (
    ACTION,
    ASK,
    CASE,
    COUNT,
    DELAY,
    EACH,
    EXIT,
    LAST_ERROR,
    OUTSIDE,
    RETRIED_CALL,
    SET,
    SWITCH,
    TEST,
    THROW,
    Instruction,
)
from .state import ScriptState

COST: Final = 20
"""Steps that an action counts for: it may take longer than a row of the language."""

_LONGEST: Final = 366 * 86_400 * SECOND
_EPOCH: Final = datetime(1970, 1, 1)  # datetimes of a script have no zone


def decide_row(state: ScriptState, ins: Instruction, records: list[Record]) -> None:
    state.draws = 0
    values: Mapping[str, Datum] = {}
    delta: dict[str, Any] | None = None
    choice: Any = None
    shown: Any = None
    op, slots = ins.op, state.slots
    try:
        if op == SET:
            values, delta = _set(state, ins)
        elif op == TEST:
            choice = ins.condition(slots)  # type: ignore[misc]
        elif op == ACTION:
            values, delta = _act(state, ins)
        elif op in (OUTSIDE, ASK, DELAY):
            _schedule(state, ins, records)
            return
        elif op == CASE:
            subject = state.stack[-1][2]
            choice = RELATIONS[ins.relation](subject, ins.value(slots), slots[0])  # type: ignore[misc]
        elif op == SWITCH:
            choice = ins.value(slots)  # type: ignore[misc]
            shown = storable(choice)
        elif op == COUNT:
            choice = [conversions.to_number(work(slots), slots[0]) for _, work in ins.arguments]
        elif op == EACH:
            choice, shown = _items(ins, slots)
        elif op == EXIT:
            choice = _ending(ins, slots)
        elif op == LAST_ERROR:
            values = {ins.variable: errors.error_item(state)}
            delta = {ins.variable: stored(values[ins.variable])}
            choice = ins.reset is not None and ins.reset(slots)
        elif op == RETRIED_CALL:
            choice = _retry(ins, slots)
        elif op == THROW:
            code, message = (conversions.to_text(work(slots), slots[0]) for _, work in ins.arguments)
            raise ActionError(code, message)
    except Suspend:
        raise
    except Exception as error:
        failed(state, ins, error, records)
        return
    if shown is None:
        shown = choice
    state.left -= COST if op == ACTION else 1
    records.append((VERSION, DONE, ins.pc, None, SUCCEEDED, None, shown, delta or None, None))
    moves.done(state, ins, choice, values)
    state.seq += 1


def failed(state: ScriptState, ins: Instruction, error: Exception, records: list[Record]) -> None:
    """The row has failed; so it is recorded, with its handler's retries as they are now."""
    fault = fault_of(error)
    retry: list[int] | None = None
    if ins.handler is not None and ins.handler.kind != "block" and not fault.get("logic"):
        try:
            retry = _retry(ins, state.slots)
        except Exception as other:
            fault = fault_of(other)
    state.left -= 1
    records.append((VERSION, DONE, ins.pc, None, FAILED, fault["code"], retry, None, fault))
    errors.fail(state, ins, fault, retry)
    state.seq += 1


def fault_of(error: Exception) -> errors.Fault:
    """An exception as a record keeps it. What nobody foresaw fails its row, never the engine, and is not quoted."""
    if not isinstance(error, ScriptError):
        message = f"The row could not be carried out ({type(error).__name__})."
        return {"code": BROKEN, "message": message, "logic": True}
    fault: errors.Fault = {"code": error.code, "message": error.message}
    if error.details:
        fault["details"] = error.details
    if error.logic:
        fault["logic"] = True
    return fault


# --- what rows evaluate


def kept_of(state: ScriptState, ins: Instruction, value: Datum) -> Any:
    """What the record of a SET keeps of its value."""
    if ins.alias and value.__class__ not in PLAIN:
        return same_as(ins.alias)
    delta = kept(value, state.slots[ins.slot])
    if delta.__class__ is not Decimal:
        state.produced += weight(delta)
    return delta


def _set(state: ScriptState, ins: Instruction) -> tuple[Mapping[str, Datum], dict[str, Any]]:
    slots = state.slots
    value = ins.value(slots)  # type: ignore[misc]
    if not ins.target:
        return {ins.variable: value}, {ins.variable: kept_of(state, ins, value)}
    path = [work(slots) for work in ins.target]
    delta = part(path, value)
    state.produced += weight(delta)
    return {ins.variable: replaced(slots[ins.slot], path, value, slots[0])}, {ins.variable: delta}


def _act(state: ScriptState, ins: Instruction) -> tuple[Mapping[str, Datum], dict[str, Any]]:
    """Carry a pure action out."""
    slots = state.slots
    arguments = _arguments(ins, slots)
    _spend_on(arguments.values())
    given = Given(arguments, slots[0], moment(state.now), state.draw, state.zone)
    found = ins.action.run(given)  # type: ignore[union-attr]
    named = {name.lower(): value for name, value in found.items()}
    values: dict[str, Datum] = {}
    delta: dict[str, Any] = {}
    for output, variable, slot in ins.outputs:
        if output in named:
            values[variable] = value = named[output]
            delta[variable] = kept(value, slots[slot])
            state.produced += weight(delta[variable])
    return values, delta


def _spend_on(arguments: Iterable[Datum]) -> None:
    """What an action costs, by the sizes of what it is given."""
    cost = 0.0
    for value in arguments:
        kind = value.__class__
        if kind is str and len(value) > _LONG:  # type: ignore[arg-type]
            cost += len(value) * _CHARACTER  # type: ignore[arg-type]
        elif kind is list and len(value) > _MANY:  # type: ignore[arg-type]
            cost += len(value) * _ITEM  # type: ignore[arg-type]
        elif kind is DataTable and len(value.rows) > _MANY:  # type: ignore[union-attr]
            cost += len(value.rows) * len(value.columns) * _ITEM  # type: ignore[union-attr]
    if cost:
        spend(cost)


_LONG: Final = 100_000
_MANY: Final = 1_000
_CHARACTER: Final = 50.0
_ITEM: Final = 2_000.0
"""Nanoseconds of an action for a character of a text, and for an item of a list or a cell of a table."""


def _arguments(ins: Instruction, slots: list[Any]) -> dict[str, Datum]:
    """The evaluated arguments of an action. Raises ActionError where one has no value for want of its type."""
    return {name: work(slots) for name, work in ins.arguments}


def _items(ins: Instruction, slots: list[Any]) -> tuple[Datum, Any]:
    """What a FOREACH goes through, and how it is recorded: by name where it is a variable's value."""
    value = ins.value(slots)  # type: ignore[misc]
    items = value if isinstance(value, DataTable | DataRow) else conversions.to_list(value)
    return items, same_as(ins.alias) if ins.alias else storable(items)


def _ending(ins: Instruction, slots: list[Any]) -> list[Any]:
    given = {name: work(slots) for name, work in ins.arguments}
    code = given.get("code")
    message = given.get("message")
    return [
        conversions.to_integer(code, slots[0]) if code is not None else 0,
        conversions.to_text(message, slots[0]),
    ]


def _retry(ins: Instruction, slots: list[Any]) -> list[int] | None:
    """[how often, ticks between] of the row's handler, None where it has no retries."""
    handler = ins.handler
    if handler is None or handler.times is None:
        return None
    times = conversions.to_integer(handler.times(slots), slots[0])
    interval = handler.interval(slots) if handler.interval is not None else 0
    return [max(times, 0), _ticks(interval, slots)]


def _ticks(seconds: Datum, slots: list[Any]) -> int:
    """Ticks in so many seconds. Raises LogicError for less than nothing and more than a year."""
    ticks = int(conversions.to_number(seconds, slots[0]) * SECOND)
    if not 0 <= ticks <= _LONGEST:
        raise LogicError(DURATION, f"A flow cannot wait for {seconds} seconds.")
    return ticks


def moment(at: int) -> datetime:
    """A time in ticks as a datetime in UTC, without a zone."""
    return _EPOCH + timedelta(microseconds=at // 10)


def _schedule(state: ScriptState, ins: Instruction, records: list[Record]) -> None:
    slots = state.slots
    due = deadline = None
    retry = _retry(ins, slots)
    if ins.op == DELAY:
        seconds = ins.value(slots)  # type: ignore[misc]
        due = state.now + _ticks(seconds, slots)
        inputs: Any = {"seconds": stored(seconds)}
    else:
        inputs = {name: storable(value) for name, value in _arguments(ins, slots).items()}
        if ins.deadline is not None:
            deadline = state.now + _ticks(ins.deadline(slots), slots)
    it = (state.seq,)
    record: Record = (VERSION, SCHEDULED, ins.pc, it, 1, inputs, due, deadline, retry)
    records.append(record)
    moves.scheduled(state, ins, record)
    state.left -= COST
    state.seq += 1
