"""Ends that come from outside the graph: Terminate, a cancel, a run that has outlived its limit.

Source: Logic Apps, Terminate action: running actions are cancelled, the remaining ones are skipped.
"""

from __future__ import annotations

from typing import Any, Final

from .notes import note_skip
from .plan import IF, SCOPE, SWITCH, Node
from .state import End, Frame, State
from .status import CANCELLED

_CAUGHT: Final = {"code": "Cancelled", "message": "The run ended while the action was running."}


def stop(state: State, status: int, code: str | None, error: dict[str, Any] | None) -> None:
    """The run ends here with `status`; open actions stay in `state.open` for the host to give up on."""
    if state.watch is not None:
        _note_unfinished(state)
    state.end = End(status, code, error)
    state.ready.clear()
    state.need.clear()


def _note_unfinished(state: State) -> None:
    """Tell the watcher how the actions end that a stop catches: running ones are cancelled, the others skipped."""
    watch = state.watch
    assert watch is not None  # noqa: S101
    for frame in _live_frames(state):
        for index, left in list(frame.left.items()):
            if not left:
                continue
            for node in state.plan.boxes[index].nodes:
                if watch.is_over(frame, node):
                    continue
                if _is_running(state, frame, node):
                    watch.ended(frame, node, state.now, CANCELLED, "Cancelled", None, _CAUGHT)
                else:
                    note_skip(state, frame, node, "Terminated", "Terminated", told=False)


def _live_frames(state: State) -> list[Frame]:
    """Every frame with something unfinished, inner ones first."""
    seeds = [loop.frame for loop in state.loops.values()]
    seeds += [entry.frame for entry in state.open.values()]
    seeds += [frame for frame, _ in state.ready]
    known: dict[int, Frame] = {id(state.root): state.root}
    for seed in seeds:
        each: Frame | None = seed
        while each is not None and id(each) not in known:
            known[id(each)] = each
            each = each.parent
    return sorted(known.values(), key=lambda frame: (-len(frame.it or ()), frame.it or ()))


def _is_running(state: State, frame: Frame, node: Node) -> bool:
    if (node.index, frame.it) in state.open or (node.index, frame.it) in state.loops:
        return True
    return node.op in (SCOPE, IF, SWITCH) and any(box.index in frame.left for box in node.boxes)
