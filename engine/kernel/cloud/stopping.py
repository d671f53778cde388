"""Ends that come from outside the graph: Terminate, a cancel, a run that has outlived its limit; and which actions a
sudden end catches, of a run or of a container whose limit lapses (`limits`).

Source: Logic Apps, Terminate action: running actions are cancelled, the remaining ones are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..contract.status import CANCELLED
from .action_views import note_skip
from .plan.plan import IF, SCOPE, SWITCH, Box, Node
from .state import End, Frame, State, live_frames

TERMINATED: Final = "Terminated"
"""The code of what had not started when its run ended, and of what a Terminate action catches."""
_CANCELLED: Final = "Cancelled"

Meet = Callable[[Frame, Node], None]


def stop(
    state: State, status: int, code: str | None, error: dict[str, Any] | None, *, caught: str = _CANCELLED
) -> None:
    """The run ends here with `status`; open actions stay in `state.open` for the host to give up on.

    In the history they are Cancelled with the code `caught`.
    """
    if state.watch is not None:
        _note_unfinished(state, caught)
    state.end = End(status, code, error)
    state.ready.clear()
    state.need.clear()
    state.limits.clear()


def _note_unfinished(state: State, caught: str) -> None:
    """Tell the watcher how the actions end that a stop catches: running ones are cancelled, the others skipped."""
    watch = state.watch
    assert watch is not None  # noqa: S101
    error = {"code": caught, "message": "The run ended while the action was running."}

    def running(frame: Frame, node: Node) -> None:
        watch.ended(frame, node, state.now, CANCELLED, caught, None, error)

    def waiting(frame: Frame, node: Node) -> None:
        note_skip(state, frame, node, TERMINATED, TERMINATED, told=False)

    meet_unfinished(state, inner_first(state), lambda box: True, watch.is_over, running, waiting)


def meet_unfinished(
    state: State,
    frames: list[Frame],
    within: Callable[[Box], bool],
    is_over: Callable[[Frame, Node], bool],
    running: Meet,
    waiting: Meet,
) -> None:
    """Call `running` or `waiting` for every unfinished action of those boxes in `frames` that are `within`.

    What is inside of a container comes before it.
    """
    for frame in frames:
        boxes = [state.plan.boxes[index] for index, left in frame.left.items() if left]
        for box in sorted(boxes, key=_inner_box_first):
            if not within(box):
                continue
            for node in box.nodes:
                if not is_over(frame, node):
                    (running if _is_running(state, frame, node) else waiting)(frame, node)


def _inner_box_first(box: Box) -> tuple[int, int]:
    return (-len(box.owner.segments) if box.owner is not None else 0), box.index


def inner_first(state: State) -> list[Frame]:
    """Every frame with something unfinished, inner ones first."""
    return sorted(live_frames(state), key=lambda frame: (-len(frame.it or ()), frame.it or ()))


def _is_running(state: State, frame: Frame, node: Node) -> bool:
    if (node.index, frame.it) in state.open or (node.index, frame.it) in state.loops:
        return True
    return node.op in (SCOPE, IF, SWITCH) and any(box.index in frame.left for box in node.boxes)
