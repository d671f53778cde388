"""Limits on containers: a Scope, Foreach, If or Switch whose `limit.timeout` lapses before it has ended.

What runs inside of it is cancelled, the rest is skipped, and the container is TimedOut; actions that run after it with
TimedOut go on. The limit is evaluated when the container starts (LIMIT) and lapses by an event (DEADLINE).

Source: Logic Apps, "Schema reference for trigger and action types", limit; run history, status TimedOut with code
ActionTimedOut, which is a status that runAfter may name.
"""

from __future__ import annotations

from typing import Any, Final

from ..contract.records import Iteration, Record
from ..contract.status import CANCELLED, TIMED_OUT
from . import control
from .action_views import note_end, note_skip, note_start
from .plan.plan import Box, Node
from .state import Frame, Limit, Open, State
from .stopping import inner_first, meet_unfinished

LAPSED: Final = "ActionTimedOut"
"""The code of what did not end within its limit, and the reason for which what had not started is skipped."""
_CAUGHT: Final = {
    "code": "Cancelled",
    "message": "The limit of a container around it lapsed while the action was running.",
}


def limited(state: State, frame: Frame, node: Node, record: Record) -> None:
    """A container starts whose limit is set: LIMIT. It stays the next to be evaluated."""
    state.limits[(node.index, frame.it)] = Limit(frame, node, record[4])


def lapse_error(node: Node) -> dict[str, Any]:
    """The error of an action, container or not, that did not end within its limit."""
    return {"code": LAPSED, "message": f"'{node.name}' did not finish within its limit."}


def open_inside(state: State, limit: Limit) -> list[Open]:
    """The calls and delays under way inside of a container, oldest first."""
    return [entry for entry in state.open.values() if _holds(limit, entry.node, entry.frame.it)]


def lapsed(state: State, limit: Limit) -> None:
    """The limit of a container has lapsed: DEADLINE. Everything inside of it ends here."""
    frame, node = limit.frame, limit.node
    if (frame, node) in state.ready:  # its limit was set, but nothing of it has started
        note_start(state, frame, node)
        for box in node.boxes:
            for inner in box.nodes:
                note_skip(state, frame, inner, LAPSED)
    _meet(state, limit)
    _end_loops(state, limit)
    waiting = [pair for pair in state.ready if pair != (frame, node) and not _holds(limit, pair[1], pair[0].it)]
    state.ready.clear()
    state.ready.extend(waiting)
    for entry in open_inside(state, limit):
        del state.open[(entry.node.index, entry.frame.it)]
    for inside in [each for each in state.limits.values() if _holds(limit, each.node, each.frame.it)]:
        del state.limits[(inside.node.index, inside.frame.it)]
    for index in frame.left:
        if _owned(limit, state.plan.boxes[index]):
            frame.left[index] = 0
    note_end(state, frame, node, TIMED_OUT, LAPSED, None, lapse_error(node))
    control.ended(state, frame, node, TIMED_OUT)


def _meet(state: State, limit: Limit) -> None:
    """Note how the actions end that are caught: running ones are cancelled, the others skipped."""

    def running(frame: Frame, node: Node) -> None:
        note_end(state, frame, node, CANCELLED, "Cancelled", None, _CAUGHT)

    def waiting(frame: Frame, node: Node) -> None:
        note_skip(state, frame, node, LAPSED)

    meet_unfinished(
        state,
        [frame for frame in inner_first(state) if _is_around(limit, frame.it)],
        lambda box: _owned(limit, box),
        lambda frame, node: node.index in frame.status,
        running,
        waiting,
    )


def _end_loops(state: State, limit: Limit) -> None:
    """Loops inside end as they stand: what their iterations produced can be read, as after any loop."""
    loops = [
        loop
        for loop in state.loops.values()
        if limit.node.index <= loop.node.index <= limit.node.last and _is_around(limit, loop.frame.it)
    ]
    known = {id(loop) for loop in loops}
    for frame in inner_first(state):
        loop = frame.loop
        if loop is None or id(loop) not in known:
            continue
        if loop.items is None:
            control.surface(loop, frame)
        else:
            control.collect(state, loop, frame)
    for loop in reversed(loops):
        control.publish(state, loop)
        del state.loops[(loop.node.index, loop.frame.it)]


def _holds(limit: Limit, node: Node, it: Iteration) -> bool:
    """Whether an action in this iteration is inside of the container (and not the container itself)."""
    return limit.node.index < node.index <= limit.node.last and _is_around(limit, it)


def _is_around(limit: Limit, it: Iteration) -> bool:
    own = limit.frame.it or ()
    return (it or ())[: len(own)] == own


def _owned(limit: Limit, box: Box) -> bool:
    return box.owner is not None and limit.node.index <= box.owner.index <= limit.node.last
