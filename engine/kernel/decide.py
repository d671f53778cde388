"""The contract: `decide(plan, state, event) -> records and commands`, `apply(plan, state, record)`, `pending(state)`.

`decide` advances the state as it goes, through the same functions that `apply` uses on stored records; it evaluates,
`apply` never does. Neither does any I/O, reads a clock or draws chance, and no fault of the flow leaves them as an
exception.

Determinism: ready actions are taken first in, first out; successors and the first actions of a container queue in
document order, iterations in theirs, results in the order of their events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import ExpressionError
from ..expressions import Suspend
from . import moves
from .commands import Command, Invoke, Respond, Sleep
from .plan import CALL, RESPONSE, UNTIL, WAIT, Node, Outcome, Plan
from .records import (
    DEADLINE,
    DONE,
    EVENTS,
    RESULT,
    RESUME,
    SCHEDULED,
    START,
    STOP,
    TIMER,
    VERSION,
    Record,
)
from .retry import retry_due
from .state import BACKING_OFF, CALLING, DELAYED, Frame, Large, NeedValues, Open, State
from .status import FAILED, SUCCEEDED

STEPS: Final = 256
"""Actions decided in one turn; then the host has to feed a `tick`, so that one run cannot keep the others waiting."""

REVISION: Final = 1
"""The revision of these semantics, pinned by each run's start record: a run in flight keeps its own."""


class MismatchError(Exception):
    """A stored record that does not follow from the ones before it: the history is not this plan's."""


def decide(plan: Plan, state: State, event: Record) -> tuple[list[Record], list[Command]]:
    """Take one event in. Returns the new records, in order, and the commands that become due when they are durable.

    An event for an action or attempt that is over, or for a run that has ended, gives nothing. While `state.need`
    names missing values the host holds events back: first `supply`, then `records.resume()`. Afterwards
    `needs_tick(state)` and `state.need` say whether the run wants to go on at once.
    """
    kind = event[1]
    records: list[Record] = []
    commands: list[Command] = []
    if kind == RESUME:
        if state.end is not None or state.need:
            return records, commands
    else:
        taken = _take(state, event, commands)
        if taken is None:
            return records, commands
        records.append(taken)
        state.left = STEPS
    _run(state, records, commands)
    return records, commands


def _take(state: State, event: Record, commands: list[Command]) -> Record | None:
    """Apply an event; None when it comes too late."""
    kind = event[1]
    if state.end is not None or state.need or (kind == START) != (state.seq == 0):
        return None
    if kind in (RESULT, TIMER, DEADLINE):
        entry = state.open.get((event[2], event[3]))
        if entry is None or not _expects(entry, kind, event[4]):
            return None
        if kind == RESULT:
            _advance(state, event[5])
            event = _with_retry(state, entry, event)
        else:
            _advance(state, event[5])
    _move(state, event)
    if kind == TIMER:
        entry = state.open.get((event[2], event[3]))
        if entry is not None and entry.phase == CALLING:
            commands.append(_command(state, entry))
    elif kind == RESULT and event[10] is not None:
        commands.append(_command(state, state.open[(event[2], event[3])]))
    return event


def _expects(entry: Open, kind: int, attempt: int) -> bool:
    if kind == RESULT:
        return entry.phase == CALLING and entry.attempt == attempt
    if kind == TIMER:
        return entry.phase in (DELAYED, BACKING_OFF) and entry.attempt == attempt
    return entry.phase != DELAYED or entry.deadline is not None


def _with_retry(state: State, entry: Open, event: Record) -> Record:
    """The RESULT as it is recorded: with the time of the next attempt, where the policy grants one."""
    _, _, _, _, _, _, status, code, outputs, _, _ = event
    if status == SUCCEEDED:
        return event
    try:
        due = retry_due(state, entry, status, code, outputs)
    except Exception as error:
        _, fault_code, _, _, fault = failed(error)
        return (*event[:6], FAILED, fault_code, outputs, fault, None)
    return event if due is None else (*event[:10], due)


def _run(state: State, records: list[Record], commands: list[Command]) -> None:
    """Decide ready actions until none is left, the run ends, the turn is over or a value is missing."""
    ready = state.ready
    while ready and state.left and state.end is None:
        frame, node = ready[0]
        state.frame, state.node, state.draws = frame, node, 0
        try:
            if node.op == CALL or node.op == WAIT:
                try:
                    inputs, due, deadline, retry = node.prepare(frame)  # type: ignore[misc]
                except Suspend:
                    raise
                except Exception as error:
                    outcome = failed(error)
                else:
                    state.left -= 1
                    ready.popleft()
                    scheduled = (VERSION, SCHEDULED, node.index, frame.it, 1, inputs, due, deadline, retry)
                    records.append(scheduled)
                    entry = moves.scheduled(state, frame, node, scheduled)
                    state.seq += 1
                    commands.append(_command(state, entry))
                    continue
            else:
                outcome = _evaluate(frame, node)
        except NeedValues as stop:
            state.need.append(stop.large)
            return
        state.left -= 1
        ready.popleft()
        record = (VERSION, DONE, node.index, frame.it, *outcome)
        records.append(record)
        moves.done(state, frame, node, record)
        state.seq += 1
        if node.op == RESPONSE and outcome[0] == SUCCEEDED:
            commands.append(Respond(state, node, frame.it, outcome[3]))


def _command(state: State, entry: Open) -> Command:
    """What an open action asks of the host."""
    if entry.phase == CALLING:
        return Invoke(state, entry.node, entry.frame.it, entry.attempt, entry.inputs, entry.deadline)
    return Sleep(state, entry.node, entry.frame.it, entry.attempt, entry.due or 0)


def _evaluate(frame: Frame, node: Node) -> Outcome:
    checking = node.op == UNTIL and frame.loop is not None and frame.loop.node is node
    work = node.check if checking else node.work
    assert work is not None  # noqa: S101
    try:
        return work(frame)
    except Suspend:
        raise
    except Exception as error:
        return failed(error)


def failed(error: Exception) -> Outcome:
    """The outcome of an action that could not be evaluated.

    Anything but an ExpressionError here is a definition of a shape nobody foresaw; it fails its action, never the
    engine.
    """
    if isinstance(error, ExpressionError):
        code, message = error.code, error.message
    else:
        code, message = "InvalidTemplate", f"The action could not be evaluated ({type(error).__name__})."
    return FAILED, code, None, None, {"code": code, "message": message}


def _advance(state: State, at: int) -> None:
    if at > state.now:
        state.now = at
        state.now_text = None


def _move(state: State, record: Record) -> None:
    """What a record from outside does; the time of the state never goes back."""
    kind = record[1]
    if kind == START:
        _advance(state, record[2])
        moves.started(state, record[2], record[3], record[4])
    elif kind == RESULT:
        _advance(state, record[5])
        moves.resulted(state, state.open[(record[2], record[3])], record)
    elif kind == TIMER:
        _advance(state, record[5])
        moves.timer_fired(state, state.open[(record[2], record[3])])
    elif kind == DEADLINE:
        _advance(state, record[5])
        moves.deadline_passed(state, state.open[(record[2], record[3])])
    elif kind == STOP:
        _advance(state, record[2])
        moves.stopped(state, record[3], record[4], record[5])
    else:
        _advance(state, record[2])
    state.seq += 1


def apply(plan: Plan, state: State, record: Record) -> None:
    """Fold one stored record into the state. Evaluates nothing.

    Raises MismatchError for a record that cannot follow.
    """
    kind = record[1]
    if kind in EVENTS:
        if kind in (RESULT, TIMER, DEADLINE) and (record[2], record[3]) not in state.open:
            raise MismatchError(f"record {state.seq} is about an action that is not open")
        _move(state, record)
        state.left = STEPS
        return
    if not state.ready:
        raise MismatchError(f"record {state.seq} decides an action, and none is ready")
    frame, node = state.ready.popleft()
    if node.index != record[2] or frame.it != record[3]:
        raise MismatchError(f"record {state.seq} is not about {plan.path(node, frame.it)}, which is next")
    state.left -= 1
    if kind == DONE:
        moves.done(state, frame, node, record)
    else:
        moves.scheduled(state, frame, node, record)
    state.seq += 1


def pending(state: State) -> list[Command]:
    """The commands of everything that is open: for recovery, after the records have been folded."""
    return [] if state.end is not None else [_command(state, entry) for entry in state.open.values()]


def needs_tick(state: State) -> bool:
    """Whether the run has something to decide now and waits only for its next turn."""
    return bool(state.ready) and state.end is None and not state.need


def supply(state: State, values: Mapping[int, Any]) -> None:
    """Put loaded values where they are missing; `values` maps the record number of a `Large` to the value.

    Then feed `resume`.
    """
    _replace(state, values)
    state.need.clear()


def _replace(state: State, values: Mapping[int, Any]) -> None:
    if isinstance(state.trigger, Large) and state.trigger.seq in values:
        state.trigger = values[state.trigger.seq]
    for frame in live_frames(state):
        for index, value in frame.out.items():
            if value.__class__ is Large and value.seq in values:
                frame.out[index] = values[value.seq]


def live_frames(state: State) -> list[Frame]:
    """Every frame that something in the run still refers to, each once."""
    seen: dict[int, Frame] = {id(state.root): state.root}
    seeds = [frame for frame, _ in state.ready] + [entry.frame for entry in state.open.values()]
    seeds += [loop.frame for loop in state.loops.values()]
    for seed in seeds:
        each: Frame | None = seed
        while each is not None and id(each) not in seen:
            seen[id(each)] = each
            each = each.parent
    return list(seen.values())
