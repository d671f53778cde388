"""What each kind of record does to a state.

`decide` and `apply` both come through here, so a run read back moves as it did live.
"""

from __future__ import annotations

from typing import Any, Final

from ..contract.large_values import large_of
from ..contract.records import Record
from ..contract.run_context import RunContext
from ..contract.status import CANCELLED, FAILED, SKIPPED, SUCCEEDED, TIMED_OUT, WAITING, code_of
from . import control, limits, memory
from .action_views import DEPENDENCY, note_end, note_skip, note_start, note_subscribed
from .actions import variables, webhook
from .plan.plan import FOREACH, IF, RESPONSE, SCOPE, SIMPLE, SWITCH, TERMINATE, UNTIL, VARIABLE, WAIT, Node
from .retry import most_retries
from .state import BACKING_OFF, CALLING, DELAYED, SUBSCRIBED, Ending, Frame, Open, State
from .stopping import TERMINATED, stop

# Where records have their values.
_DONE_INPUTS: Final = 6
_DONE_OUTPUTS: Final = 7
_EVENT_OUTPUTS: Final = 8  # of RESULT and CALLBACK
_SCHEDULED_INPUTS: Final = 5


def started(state: State, at: int, trigger: Any, pins: dict[str, Any]) -> None:
    state.started = at
    state.trigger = trigger
    state.trigger_large = large = None if state.small else large_of(trigger, state.seq, 3)
    if large is not None and large.part is not None:
        state.trigger, state.apart = large, True
    state.pins = pins
    state.context = RunContext(state.plan, pins, at)
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
        note_skip(state, frame, node, error["code"] if error else code, code)
        control.ended(state, frame, node, SKIPPED)
        return
    noted = node.keep or state.watch is not None
    if status != SUCCEEDED:
        if outputs is not None:
            memory.keep(state, frame, node, outputs, state.seq, _DONE_OUTPUTS)
        if noted:
            note_start(state, frame, node, inputs)
        if node.boxes and (state.watch is not None or node.noted):
            for box in node.boxes:
                for inner in box.nodes:
                    note_skip(state, frame, inner, DEPENDENCY)
        if noted:
            note_end(state, frame, node, status, code, outputs, error)
        control.ended(state, frame, node, status)
        return
    _SUCCEED[node.op](state, frame, node, code, inputs, outputs, noted)


def _simple(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    memory.keep(state, frame, node, outputs, state.seq, _DONE_OUTPUTS)
    if noted:
        large = None
        if node.keep:
            large = frame.large.get(node.index) if inputs is None else large_of(inputs, state.seq, _DONE_INPUTS)
        shown = _shown_inputs(node, inputs, outputs)
        note_start(state, frame, node, shown, large if shown is inputs or shown is outputs else None)
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


def _scope(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    if noted:
        note_start(state, frame, node)
    control.start_scope(state, frame, node)


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
    if node.releases_early:
        memory.release(frame, node.releases_early)
    control.start_foreach(state, frame, node, outputs, inputs["repetitions"] if inputs is not None else None)


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
        error = {"code": TERMINATED, "message": f"The run was ended by '{node.name}'."}
    code_of_end = error["code"] if error else (TERMINATED if name != "Succeeded" else None)
    stop(state, code_of(name), code_of_end, error, caught=TERMINATED)


def _response(state: State, frame: Frame, node: Node, code: str, inputs: Any, outputs: Any, noted: bool) -> None:
    state.response = outputs
    _simple(state, frame, node, code, outputs, outputs, noted)


_SUCCEED = {
    SIMPLE: _simple,
    VARIABLE: _variable,
    SCOPE: _scope,
    IF: _if,
    SWITCH: _switch,
    FOREACH: _foreach,
    UNTIL: _until,
    TERMINATE: _terminate,
    RESPONSE: _response,
}


def scheduled(state: State, frame: Frame, node: Node, record: Record, *, held: bool = False) -> Open:
    """An action goes outside: SCHEDULED. `held`: the call that follows holds its inputs in any case."""
    _, _, _, _, attempt, inputs, due, deadline, retry = record
    entry = Open(frame, node, attempt, inputs, DELAYED if node.op == WAIT else CALLING, state.now, state.seq)
    if not held:
        let_inputs_go(entry)
    entry.due, entry.deadline, entry.retry = due, deadline, retry
    state.open[(node.index, frame.it)] = entry
    if node.keep or state.watch is not None:
        large = large_of(inputs, state.seq, _SCHEDULED_INPUTS) if node.keep and not _webhook(entry) else None
        note_start(state, frame, node, inputs, large)
    return entry


def let_inputs_go(entry: Open) -> None:
    """Only name the inputs from now on, where they are large: only another attempt needs them again.

    A webhook action tells from them how it leaves.
    """
    if not _webhook(entry):
        large = large_of(entry.inputs, entry.seq, _SCHEDULED_INPUTS)
        if large is not None:
            entry.inputs = large


def _webhook(entry: Open) -> bool:
    return entry.node.operation is not None and entry.node.operation.webhook


def resulted(state: State, entry: Open, record: Record) -> None:
    """An attempt has ended: RESULT. With a `retry_due` the action goes on, with the status Waiting it is subscribed.

    A callback that came before this answer counts, whatever the answer says.
    """
    _, _, _, _, attempt, _, status, code, outputs, error, retry_due = record
    frame, node = entry.frame, entry.node
    if retry_due is not None:
        let_inputs_go(entry)
        entry.phase = BACKING_OFF
        entry.due = retry_due
        if state.watch is not None:
            state.watch.retrying(frame, node, state.now, attempt, retry_due, code, most_retries(entry.retry))
        return
    if entry.ending is not None:
        _leave(state, entry, entry.ending)
    elif status == WAITING:
        entry.phase = SUBSCRIBED
        note_subscribed(state, frame, node, code)
    else:
        _ended(state, entry, state.seq, status, code, outputs, error)


def called_back(state: State, entry: Open, record: Record) -> None:
    """A webhook action has its answer: CALLBACK. While its own call is under way it waits for the end of that."""
    _, _, _, _, _, _, status, code, outputs, error = record
    entry.ending = Ending(state.seq, status, code, outputs, error)
    if entry.phase != CALLING:
        _leave(state, entry, entry.ending)


def timer_fired(state: State, entry: Open) -> None:
    """A delay is over, or the pause before another attempt: TIMER."""
    if entry.phase == DELAYED:
        _ended(state, entry, state.seq, SUCCEEDED, "OK", None, None)
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
    if entry.ending is None:
        entry.ending = Ending(state.seq, TIMED_OUT, limits.LAPSED, None, limits.lapse_error(entry.node))
    _leave(state, entry, entry.ending)


def _leave(state: State, entry: Open, ending: Ending) -> None:
    """The action ends, after its unsubscribe request where it has one to make."""
    if not webhook.leave(entry):
        _ended(state, entry, *ending)


def _ended(
    state: State, entry: Open, seq: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
) -> None:
    frame, node = entry.frame, entry.node
    del state.open[(node.index, frame.it)]
    memory.keep(state, frame, node, outputs, seq, _EVENT_OUTPUTS)
    if node.keep or state.watch is not None:
        note_end(state, frame, node, status, code, outputs, error)
    control.ended(state, frame, node, status)


def stopped(state: State, status: int, code: str, message: str) -> None:
    """The run is cancelled or has run out of time: STOP."""
    stop(state, status if status in (CANCELLED, TIMED_OUT) else FAILED, code, {"code": code, "message": message})
