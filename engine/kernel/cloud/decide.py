"""The contract: `decide(plan, state, event) -> records and commands`, `apply(plan, state, record)`, `pending(state)`.

`decide` advances the state as it goes, through the same functions that `apply` uses on stored records; it evaluates,
`apply` never does. Neither does any I/O, reads a clock or draws chance, and no fault of the flow leaves them as an
exception.

Determinism: ready actions are taken first in, first out; successors and the first actions of a container queue in
document order, iterations in theirs, results in the order of their events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ...effort import CURRENT
from ...errors import ExpressionError
from ...expressions import Suspend
from ..contract.commands import Abandon, Command, Expire, Invoke, Listen, Respond, Sleep
from ..contract.large_values import NeedValues
from ..contract.records import (
    CALLBACK,
    DEADLINE,
    DONE,
    EVENTS,
    LIMIT,
    RESULT,
    RESUME,
    SCHEDULED,
    START,
    STOP,
    TIMER,
    VERSION,
    Record,
)
from ..contract.status import FAILED, SUCCEEDED
from . import limits
from . import transitions as moves
from .actions import webhook
from .pacing import ACTIONS
from .plan.plan import CALL, RESPONSE, UNTIL, WAIT, Node, Outcome, Plan
from .retry import retry_due
from .state import BACKING_OFF, CALLING, DELAYED, SUBSCRIBED, Frame, Open, State

ABOUT_OPEN: Final = frozenset({RESULT, TIMER, DEADLINE, CALLBACK})
"""Events about an action that is open."""

STEPS: Final = 256
"""Actions decided in one turn; then the host has to feed a `tick`, so that one run cannot keep the others waiting."""

REVISION: Final = 3
"""The revision of these semantics, pinned by each run's start record: a run in flight keeps its own."""

REVISIONS: Final = frozenset({1, 2, REVISION})
"""The revisions that runs may be of. 2: what is skipped since its runAfter is not met is ActionConditionFailed.
3: a static result without a code has that of its status, a Wait of less than nothing fails, and messages about JSON and
its schemas are in words of their own (`replay` compares them by their codes before)."""


class MismatchError(Exception):
    """A stored record that does not follow from the ones before it: the history is not this plan's."""


def decide(plan: Plan, state: State, event: Record) -> tuple[list[Record], list[Command]]:
    """Take one event in. Returns the new records, in order, and the commands that become due when they are durable.

    An event for an action or attempt that is over, or for a run that has ended, gives nothing. While the turn is
    `unfinished` the host holds events back: `supply` where `state.need` names missing values, then `records.resume()`.
    That leaves no record: where a turn pauses does not matter. `needs_tick` says whether the run wants another turn.
    """
    kind = event[1]
    records: list[Record] = []
    commands: list[Command] = []
    state.produced = 0
    if kind == RESUME:
        if state.end is not None or state.need:
            return records, commands
    else:
        taken = _take(state, event, commands)
        state.small = False
        if taken is None:
            return records, commands
        records.append(taken)
        state.left = STEPS if kind != START else _steps(taken)
    if state.ready:
        pace = state.pace
        if pace is None:
            _run(state, records, commands)
        else:
            pace.due, pace.budget.left = None, pace.share
            CURRENT.budget = pace.budget
            try:
                _run(state, records, commands)
            finally:
                CURRENT.budget = None
    if state.end is not None:
        commands += _partings(state, state.open.values())
    return records, commands


def _take(state: State, event: Record, commands: list[Command]) -> Record | None:
    """Apply an event; None when it comes too late."""
    kind = event[1]
    if state.end is not None or state.need or (kind == START) != (state.seq == 0):
        return None
    if kind == DEADLINE and (event[2], event[3]) in state.limits:
        inside = limits.open_inside(state, state.limits[(event[2], event[3])])
        commands += [Abandon(state.context, entry.node, entry.frame.it, entry.attempt) for entry in inside]
        commands += _partings(state, inside)
        _move(state, event)
        return event
    if kind in ABOUT_OPEN:
        key = (event[2], event[3])
        entry = state.open.get(key)
        if entry is None or not _expects(entry, kind, event[4]):
            return None
        if kind == RESULT:
            if event[5] > state.now:
                _advance(state, event[5])
            if event[6] != SUCCEEDED and entry.ending is None:
                event = _with_retry(state, entry, event)
            moves.resulted(state, entry, event)
            state.seq += 1
        else:
            _advance(state, event[5])
            _move(state, event)
        # An action that is still open asks for something else now - but for one that was called back during its own
        # call.
        if key in state.open and (kind != CALLBACK or entry.leaving):
            commands.append(_command(state, entry))
        return event
    _move(state, event)
    return event


def _expects(entry: Open, kind: int, attempt: int) -> bool:
    if kind == RESULT:
        return entry.phase == CALLING and entry.attempt == attempt
    if kind == TIMER:
        return entry.phase in (DELAYED, BACKING_OFF) and entry.attempt == attempt
    if kind == CALLBACK:
        return webhook.listens(entry)
    return not entry.leaving and (entry.phase != DELAYED or entry.deadline is not None)


def _with_retry(state: State, entry: Open, event: Record) -> Record:
    """The RESULT of a failure as it is recorded: with the time of the next attempt, where the policy grants one."""
    _, _, _, _, _, _, status, code, outputs, _, _ = event
    try:
        due = retry_due(state, entry, status, code, outputs)
    except Exception as error:
        _, fault_code, _, _, fault = failed(error)
        return (*event[:6], FAILED, fault_code, outputs, fault, None)
    return event if due is None else (*event[:10], due)


def _run(state: State, records: list[Record], commands: list[Command]) -> None:
    """Decide ready actions until none is left, the run ends, the turn is over or pauses."""
    ready = state.ready
    room = state.room
    pace = state.pace
    given = state.given
    forced = state.forced
    steps = 0
    while ready and state.left and state.end is None and (room is None or state.produced <= room):
        steps += 1
        if not steps & (ACTIONS - 1) and pace is not None and pace():
            return
        frame, node = ready[0]
        state.frame, state.node, state.draws = frame, node, 0
        try:
            if forced is not None and (node.index, frame.it) in forced:
                given = forced[(node.index, frame.it)]
            if given is None:
                early, lapse = _before(frame, node) if node.guard or node.limit else (None, None)
                prepared = None
            else:
                early, lapse, prepared = given
                given = state.given = state.progress = None
            if lapse is not None:
                state.left -= 1
                limit = (VERSION, LIMIT, node.index, frame.it, lapse)
                records.append(limit)
                limits.limited(state, frame, node, limit)
                state.seq += 1
                commands.append(Expire(state.context, node, frame.it, lapse))
                continue
            op = node.op
            if early is not None:
                outcome = early
            elif op in (CALL, WAIT):
                try:
                    inputs, due, deadline, retry = prepared or node.prepare(frame)  # type: ignore[misc]
                except Suspend:
                    raise
                except Exception as error:
                    outcome = failed(error)
                else:
                    state.left -= 1
                    ready.popleft()
                    if state.supplied:
                        state.supplied.clear()
                    scheduled = (VERSION, SCHEDULED, node.index, frame.it, 1, inputs, due, deadline, retry)
                    records.append(scheduled)
                    entry = moves.scheduled(state, frame, node, scheduled, held=True)
                    state.seq += 1
                    if op == CALL and not node.operation.webhook:  # type: ignore[union-attr]
                        commands.append(Invoke(state.context, node, frame.it, 1, inputs, deadline))
                    else:
                        commands.append(_command(state, entry))
                    continue
            else:
                outcome = _evaluate(frame, node)
        except Suspend as stop:
            if isinstance(stop, NeedValues):
                state.need += stop.missing
            elif not records and (state.progress is None or not state.progress.moved):
                state.heavy = True  # it was the first of its turn
            return
        state.left -= 1
        ready.popleft()
        if state.supplied:
            state.supplied.clear()
        record = (VERSION, DONE, node.index, frame.it, *outcome)
        records.append(record)
        moves.done(state, frame, node, record)
        state.seq += 1
        if node.op == RESPONSE and outcome[0] == SUCCEEDED:
            commands.append(Respond(state.context, node, frame.it, outcome[3]))


def _partings(state: State, cut_off: Iterable[Open]) -> list[Command]:
    """The unsubscribe requests of actions that are cut off: nobody waits for their answers."""
    return [left for entry in cut_off if (left := webhook.parting(state, entry)) is not None]


def _command(state: State, entry: Open) -> Command:
    """What an open action asks of the host."""
    if entry.phase == CALLING:
        return webhook.call(state, entry)
    if entry.phase == SUBSCRIBED:
        return Listen(state.context, entry.node, entry.frame.it, entry.attempt, entry.deadline)
    return Sleep(state.context, entry.node, entry.frame.it, entry.attempt, entry.due or 0)


def _before(frame: Frame, node: Node) -> tuple[Outcome | None, int | None]:
    """What stands before an action with conditions or a container with a limit: it is skipped or fails (an outcome),

    or its limit is to be set (ticks). Neither where it may simply start.
    """
    if (node.index, frame.it) in frame.state.limits or _checking(frame, node):
        return None, None
    try:
        skipped = node.guard(frame) if node.guard is not None else None
        if skipped is not None or node.limit is None:
            return skipped, None
        return None, node.limit(frame)
    except Suspend:
        raise
    except Exception as error:
        return failed(error), None


def _checking(frame: Frame, node: Node) -> bool:
    """Whether this is an Until whose iteration in `frame` has ended."""
    return node.op == UNTIL and frame.loop is not None and frame.loop.node is node


Given = tuple[Outcome | None, int | None, Any]
"""What is found out of the next action: its outcome, when its limit lapses, or what `Node.prepare` gave of its call."""


def evaluate_next(state: State) -> Given:
    """What `decide` would find out of the action that is next; nothing comes of it. Raises NeedValues."""
    frame, node = state.ready[0]
    state.frame, state.node, state.draws = frame, node, 0
    early, lapse = _before(frame, node)
    if early is not None or lapse is not None:
        return early, lapse, None
    if node.op not in (CALL, WAIT):
        return _evaluate(frame, node), None, None
    try:
        return None, None, node.prepare(frame)  # type: ignore[misc]
    except Suspend:
        raise
    except Exception as error:
        return failed(error), None, None


def rehearse(state: State) -> None:
    """Evaluate what is next once more, for the observers of the plan; nothing comes of it.

    Raises NeedValues where a value is not in memory.
    """
    frame, node = state.ready[0]
    state.frame, state.node, state.draws = frame, node, 0
    early, lapse = _before(frame, node)
    if early is not None or lapse is not None:
        return
    if node.prepare is None:
        _evaluate(frame, node)
        return
    try:
        node.prepare(frame)
    except Suspend:
        raise
    except Exception:
        return  # the action failed with it when it was decided


def _evaluate(frame: Frame, node: Node) -> Outcome:
    work = node.check if _checking(frame, node) else node.work
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


def _steps(event: Record) -> int:
    """The steps of the turn that an event begins: none where a run starts that has to wait for others to end."""
    return 0 if event[1] == START and event[4].get("held") else STEPS


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
    elif kind == CALLBACK:
        _advance(state, record[5])
        moves.called_back(state, state.open[(record[2], record[3])], record)
    elif kind == TIMER:
        _advance(state, record[5])
        moves.timer_fired(state, state.open[(record[2], record[3])])
    elif kind == DEADLINE:
        _advance(state, record[5])
        limit = state.limits.get((record[2], record[3]))
        if limit is not None:
            limits.lapsed(state, limit)
        else:
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
        lapses = kind == DEADLINE and (record[2], record[3]) in state.limits
        if kind in ABOUT_OPEN and (record[2], record[3]) not in state.open and not lapses:
            raise MismatchError(f"record {state.seq} is about an action that is not open")
        _move(state, record)
        state.left = _steps(record)
        return
    if not state.ready:
        raise MismatchError(f"record {state.seq} decides an action, and none is ready")
    frame, node = state.ready[0] if kind == LIMIT else state.ready.popleft()
    if node.index != record[2] or frame.it != record[3]:
        raise MismatchError(f"record {state.seq} is not about {plan.path(node, frame.it)}, which is next")
    state.left -= 1
    if kind == LIMIT:
        limits.limited(state, frame, node, record)
    elif kind == DONE:
        moves.done(state, frame, node, record)
    else:
        moves.scheduled(state, frame, node, record)
    state.seq += 1


def pending(state: State) -> list[Command]:
    """The commands of everything that is open: for recovery, after the records have been folded."""
    if state.end is not None:
        return []
    expiring: list[Command] = [
        Expire(state.context, limit.node, limit.frame.it, limit.due) for limit in state.limits.values()
    ]
    return expiring + [_command(state, entry) for entry in state.open.values()]


def needs_tick(state: State) -> bool:
    """Whether the run has something to decide and waits only for its next turn."""
    return bool(state.ready) and state.left <= 0 and state.end is None


def unfinished(state: State) -> bool:
    """Whether `decide` has paused within a turn: because a value is missing, or to have what it decided so far stored.

    The host holds other events back, sees to that, and feeds `records.resume()`. After a crash a folded state says the
    same where the turn was only stored in part.
    """
    return bool(state.ready) and state.left > 0 and state.end is None
