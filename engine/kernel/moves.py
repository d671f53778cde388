"""What each kind of record does to a state.

`decide` and `apply` both come through here, so a run read back moves as it did live.
"""

from __future__ import annotations

from typing import Any

from . import control, variables
from .notes import note_end, note_skip, note_start
from .plan import FOREACH, IF, RESPONSE, SIMPLE, SWITCH, TERMINATE, UNTIL, VARIABLE, WAIT, Node
from .records import Record
from .retry import most_retries
from .state import BACKING_OFF, CALLING, DELAYED, Frame, Open, State
from .status import CANCELLED, FAILED, SKIPPED, SUCCEEDED, TIMED_OUT, code_of
from .stopping import stop


def started(state: State, at: int, trigger: Any, pins: dict[str, Any]) -> None:
    state.started = at
    state.trigger = trigger
    state.pins = pins
    state.params = pins.get("parameters") or {}
    control.begin(state)


def done(state: State, frame: Frame, node: Node, record: Record) -> None:
    """An action was evaluated: DONE."""
    _, _, _, _, status, code, inputs, outputs, error = record
    if node.op == UNTIL and frame.loop is not None and frame.loop.node is node:
        failed = status != SUCCEEDED
        if failed:
            note_end(state, frame.loop.frame, node, status, code, None, error)
        control.until_checked(state, frame, node, outputs is True, failed)
        return
    if status == SKIPPED:
        note_skip(state, frame, node, code, code)
        control.ended(state, frame, node, SKIPPED)
        return
    noted = node.keep or state.watch is not None
    if status != SUCCEEDED:
        if outputs is not None and node.named:
            frame.out[node.index] = outputs
        if noted:
            note_start(state, frame, node, inputs)
        if node.boxes and (state.watch is not None or node.noted):
            for box in node.boxes:
                for inner in box.nodes:
                    note_skip(state, frame, inner, "ActionDependencyFailed")
        if noted:
            note_end(state, frame, node, status, code, outputs, error)
        control.ended(state, frame, node, status)
        return
    _SUCCEED[node.op](state, frame, node, code, inputs, outputs, noted)


def _simple(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    if node.named:
        frame.out[node.index] = outputs
        frame.seqs[node.index] = state.seq
    if noted:
        note_start(state, frame, node, _shown_inputs(node, inputs, outputs))
        note_end(state, frame, node, SUCCEEDED, code, outputs, None)
    control.ended(state, frame, node, SUCCEEDED)


def _shown_inputs(node: Node, inputs: Any, outputs: Any) -> Any:
    """Inputs that were not stored because the outputs tell them."""
    if inputs is not None:
        return inputs
    if node.type == "compose":
        return outputs
    if node.type == "parsejson" and isinstance(outputs, dict):
        return {"content": outputs.get("body")}
    return None


def _variable(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    variables.change(state, node, outputs)
    if noted or node.named:
        told_inputs, told_outputs = variables.told(state, node, outputs)
        if node.named:
            frame.out[node.index] = told_outputs
        if noted:
            note_start(state, frame, node, told_inputs)
            note_end(state, frame, node, SUCCEEDED, code, told_outputs, None)
    control.ended(state, frame, node, SUCCEEDED)


def _if(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    if noted:
        note_start(state, frame, node, {"expressionResult": outputs})
    control.branch(state, frame, node, 0 if outputs else 1)


def _switch(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    value, taken = outputs
    if noted:
        note_start(state, frame, node, {"expression": value})
    if node.named:
        frame.out[node.index] = {"expression": value}
    control.branch(state, frame, node, taken)


def _foreach(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    if noted:
        note_start(state, frame, node, outputs)
    control.start_foreach(state, frame, node, outputs)


def _until(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    if noted:
        note_start(state, frame, node)
    control.start_until(state, frame, node, outputs[0], outputs[1])


def _terminate(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    if noted:
        note_start(state, frame, node, outputs)
        note_end(state, frame, node, SUCCEEDED, code, None, None)
    error = outputs.get("runError")
    name = outputs["runStatus"]
    if error is None and name == "Failed":
        error = {"code": "Terminated", "message": f"The run was ended by '{node.name}'."}
    stop(state, code_of(name), error["code"] if error else ("Terminated" if name != "Succeeded" else None), error)


def _response(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    state.response = outputs
    _simple(state, frame, node, code, outputs, outputs, noted)


_SUCCEED = {
    SIMPLE: _simple,
    VARIABLE: _variable,
    IF: _if,
    SWITCH: _switch,
    FOREACH: _foreach,
    UNTIL: _until,
    TERMINATE: _terminate,
    RESPONSE: _response,
}


def scheduled(state: State, frame: Frame, node: Node, record: Record) -> Open:
    """An action goes outside: SCHEDULED."""
    _, _, _, _, attempt, inputs, due, deadline, retry = record
    entry = Open(frame, node, attempt, inputs, DELAYED if node.op == WAIT else CALLING, state.now)
    entry.due, entry.deadline, entry.retry = due, deadline, retry
    state.open[(node.index, frame.it)] = entry
    if node.keep or state.watch is not None:
        note_start(state, frame, node, inputs)
    return entry


def resulted(state: State, entry: Open, record: Record) -> None:
    """An attempt has ended: RESULT. With a `retry_due` the action goes on."""
    _, _, _, _, attempt, _, status, code, outputs, error, retry_due = record
    frame, node = entry.frame, entry.node
    if retry_due is not None:
        entry.phase = BACKING_OFF
        entry.due = retry_due
        if state.watch is not None:
            state.watch.retrying(frame, node, state.now, attempt, retry_due, code, most_retries(entry.retry))
        return
    _ended(state, entry, status, code, outputs, error)


def timer_fired(state: State, entry: Open) -> None:
    """A delay is over, or the pause before another attempt: TIMER."""
    if entry.phase == DELAYED:
        _ended(state, entry, SUCCEEDED, "OK", None, None)
    else:
        entry.phase = CALLING
        entry.due = None
        entry.attempt += 1
        if state.watch is not None:
            state.watch.retried(entry.frame, entry.node, state.now, entry.attempt)


def deadline_passed(state: State, entry: Open) -> None:
    """An action's `limit.timeout` has lapsed: DEADLINE. Source:

    run history, status TimedOut with code ActionTimedOut.
    """
    message = f"'{entry.node.name}' did not finish within its limit."
    _ended(state, entry, TIMED_OUT, "ActionTimedOut", None, {"code": "ActionTimedOut", "message": message})


def _ended(state: State, entry: Open, status: int, code: str, outputs: Any, error: dict[str, Any] | None) -> None:
    frame, node = entry.frame, entry.node
    del state.open[(node.index, frame.it)]
    if node.named:
        frame.out[node.index] = outputs
        frame.seqs[node.index] = state.seq
    if node.keep or state.watch is not None:
        note_end(state, frame, node, status, code, outputs, error)
    control.ended(state, frame, node, status)


def stopped(state: State, status: int, code: str, message: str) -> None:
    """The run is cancelled or has run out of time: STOP."""
    stop(state, status if status in (CANCELLED, TIMED_OUT) else FAILED, code, {"code": code, "message": message})
