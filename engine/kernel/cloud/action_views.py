"""What is told about actions: to expressions (`actions()`, `result()`), and to whoever watches the run.

Only actions that some expression names keep notes in the state (`Node.keep`); a watcher sees them all. Notes never
steer a run.
"""

from __future__ import annotations

from typing import Any, Final

from ..contract.large_values import Large
from ..contract.status import NAMES, SKIPPED, SUCCEEDED, WAITING
from ..contract.timing import iso
from .plan.plan import Node
from .state import Frame, Info, State

CONDITION: Final = "ActionConditionFailed"
"""The code of an action whose runAfter (revision 2) or whose conditions of the schema of 2015 are not met."""
DEPENDENCY: Final = "ActionDependencyFailed"
"""The code of what is in a container that was skipped or failed before it started; in revision 1 also of an action
whose runAfter is not met."""

_SKIPPED: Final = "'{name}' was skipped."
_CONTAINER: Final = "'{name}' was skipped: the container around it was skipped, or failed before it started."
_SKIP_TEXT: Final = {
    DEPENDENCY: "'{name}' was skipped: its run-after conditions were not met by the actions before it.",
    "ActionBranchingConditionNotSatisfied": "'{name}' was skipped: its branch was not taken.",
    "ActionResponseSkipped": "'{name}' was skipped: nobody waits for a response.",
    CONDITION: "'{name}' was skipped: one of its conditions is not true.",
    "ActionTimedOut": "'{name}' was skipped: the limit of a container around it had lapsed before it.",
    "Terminated": "'{name}' was skipped: the run had ended before it.",
}


def note_start(state: State, frame: Frame, node: Node, inputs: Any = None, large: Large | None = None) -> None:
    """An action starts now; `large` names its inputs where they may be elsewhere later."""
    if node.keep:
        if frame.info is None:
            frame.info = {}
        info = frame.info[node.index] = Info(state.now)
        info.inputs, info.large = inputs if large is None or large.part is None else large, large
    if state.watch is not None:
        state.watch.started(frame, node, state.now, inputs)


def note_subscribed(state: State, frame: Frame, node: Node, code: str) -> None:
    """An action waits for its callback from now on."""
    if node.keep and frame.info is not None:
        info = frame.info[node.index]
        info.status, info.code = WAITING, code
    if state.watch is not None:
        state.watch.subscribed(frame, node, state.now, code)


def note_end(
    state: State, frame: Frame, node: Node, status: int, code: str, outputs: Any, error: dict[str, Any] | None
) -> None:
    """An action that had started has ended now."""
    if node.keep and frame.info is not None:
        info = frame.info[node.index]
        info.ended, info.status, info.code, info.error = state.now, status, code, error
    if state.watch is not None:
        state.watch.ended(frame, node, state.now, status, code, outputs, error)


def note_unmet(state: State, frame: Frame, node: Node) -> None:
    """An action is skipped since its runAfter is not met.

    Source: run history, error of a skipped action: ActionConditionFailed names the action before it, the statuses
    that were expected and the one that it had.
    """
    if state.revision == 1:
        note_skip(state, frame, node, DEPENDENCY)
        return
    unmet = []
    for (before, wanted), expected in zip(node.predecessors, node.expected, strict=True):
        status = frame.status.get(before.index, SUCCEEDED)
        if status not in wanted:
            unmet.append(f"'{before.name}' ended as {NAMES[status]}, expected was {expected}")
    note_skip(state, frame, node, CONDITION, message=f"'{node.name}' was skipped: {'; '.join(unmet)}.")


def note_skip(
    state: State,
    frame: Frame,
    node: Node,
    reason: str,
    code: str = "ActionSkipped",
    *,
    told: bool = True,
    message: str | None = None,
) -> None:
    """An action, with all inside of it, is skipped for `reason`, the error's code.

    `told` False: only the watcher hears of it.
    """
    error = {"code": reason, "message": message or _skip_text(state, reason, node)}
    inner_reason = DEPENDENCY if reason == CONDITION and state.revision > 1 else reason
    todo = [node]
    while todo:
        each = todo.pop()
        if each is not node:
            error = {"code": inner_reason, "message": _skip_text(state, inner_reason, each)}
        if each.keep and told:
            if frame.info is None:
                frame.info = {}
            info = frame.info[each.index] = Info(state.now)
            info.ended, info.status, info.code, info.error = state.now, SKIPPED, code, error
        if state.watch is not None:
            state.watch.ended(frame, each, state.now, SKIPPED, code, None, error)
        todo.extend(inner for box in reversed(each.boxes) for inner in reversed(box.nodes))


def _skip_text(state: State, reason: str, node: Node) -> str:
    text = _CONTAINER if reason == DEPENDENCY and state.revision > 1 else _SKIP_TEXT.get(reason, _SKIPPED)
    return text.format(name=node.name)


def action_record(frame: Frame, node: Node) -> dict[str, Any]:
    """What `actions('name')` tells of an action in this frame; of one that never started, that it was skipped.

    Source: Logic Apps, "Handle errors and exceptions", the sample of a result() item.
    """
    info = frame.info.get(node.index) if frame.info is not None else None
    if info is None:
        info = Info(None)
        info.status, info.code = frame.status.get(node.index, SKIPPED), "ActionSkipped"
    return record_of(frame, node, info, frame.out.get(node.index))


def record_of(frame: Frame, node: Node, info: Info, outputs: Any) -> dict[str, Any]:
    """An action's record, of what is known of it and its outputs."""
    state = frame.state
    record: dict[str, Any] = {
        "name": node.name,
        "inputs": info.inputs,
        "outputs": outputs,
        "startTime": iso(info.started) if info.started is not None else None,
        "endTime": iso(info.ended) if info.ended is not None else None,
        "trackingId": state.tracking_id(frame, node),
        "clientTrackingId": state.pins.get("tracking"),
        "status": NAMES[info.status],
        "code": info.code,
    }
    if info.error is not None:
        record["error"] = info.error
    if info.status == SUCCEEDED and record["code"] is None:
        record["code"] = "OK"
    return record
