"""Where an error of a script goes: to its action's handler, then to the blocks around it, the innermost first, through

the CALLs that led here; or it ends the run. These are mutators like those of `script_moves`: they evaluate nothing.

Sources: desktop flows, "Handle errors in desktop flows" and "Flow control actions" (On block error); the precedence of
handlers is documented there only in part, the rest is decided here: the action's own handler first, its retries before
its sections; an error in a handler's rules goes to what is around the handler.
"""

from __future__ import annotations

from typing import Any, Final

from ...datatypes import Item
from ..cloud.state import BACKING_OFF, End
from ..contract.status import FAILED
from .plan import Handler, Instruction
from .state import CALLED, HANDLING, INSIDE, ScriptOpen, ScriptState

Fault = dict[str, Any]
"""{"code", "message"}, "logic" True of an error of logic, "details" where there are any."""


def fail(state: ScriptState, ins: Instruction, error: Fault, retry: Any = None) -> None:
    """A row has failed. `retry` is [how often, ticks between] of its handler, evaluated, or None.

    Where another attempt is due, the row is open until then.
    """
    if retry is not None and not error.get("logic") and state.attempt <= retry[0]:
        back_off(state, ins, retry, error)
        return
    if state.watch is not None:
        state.watch.failed(state, ins, error)
    state.error = {**error, "row": ins.pc}
    state.attempt = 1
    handler = ins.handler
    if handler is not None and handler.kind != "block" and not error.get("logic"):
        place = handler.section(error["code"])
        if place >= 0:
            _handle(state, ins.pc, place, len(state.stack), state.base)
            return
    _propagate(state, len(state.stack), state.base)


def back_off(state: ScriptState, ins: Instruction, retry: list[int], error: Fault) -> None:
    """The row waits for its next attempt, which repeats it as a whole."""
    entry = ScriptOpen(ins, (state.seq,), state.attempt, None, BACKING_OFF, state.now)
    entry.due, entry.retry = state.now + retry[1], retry
    state.open[(ins.pc, entry.frame.it)] = entry
    if state.watch is not None:
        state.watch.retrying(state, entry, error["code"])


def rethrow(state: ScriptState) -> None:
    """THROW ERROR: the error goes on to what is around the handler."""
    state.error = state.stack[_handler_frame(state)][3]
    _propagate(state, len(state.stack), state.base)


def _propagate(state: ScriptState, top: int, base: int) -> None:
    """Look for who takes the error among the frames below `top`."""
    error = state.error
    assert error is not None  # noqa: S101
    nodes, stack = state.plan.nodes, state.stack
    level = top - 1
    while level >= 0:
        frame = stack[level]
        if frame[0] == HANDLING:
            level, base = frame[4] - 1, frame[5]
            continue
        if frame[0] == INSIDE:
            handler = nodes[frame[1]].handler
            if handler is not None and (handler.logic or not error.get("logic")):
                place = handler.section(error["code"])
                if place >= 0:
                    _handle(state, frame[1], place, level, base)
                    return
        elif frame[0] == CALLED:
            base = frame[2]
            ins = nodes[frame[1]]
            if ins.handler is not None and not error.get("logic") and _handled_at_call(state, ins, level, base):
                return
        level -= 1
    ins = nodes[error["row"]]
    message = state.plan.message(ins, error["message"])  # the run's end is shown in many places, and read by none
    shown = {"code": error["code"], "message": message, "location": location_of(ins)}
    state.stack.clear()
    state.base = 0
    state.end = End(FAILED, error["code"], shown)
    if state.watch is not None:
        state.watch.ended(state)


def _handled_at_call(state: ScriptState, ins: Instruction, level: int, base: int) -> bool:
    """Whether the handler of a CALL takes the error: with another attempt of the whole subflow, or a section."""
    error, handler = state.error, ins.handler
    assert error is not None  # noqa: S101
    assert handler is not None  # noqa: S101
    frame = state.stack[level]
    attempt, retry = frame[3], frame[4]
    if retry is not None and attempt <= retry[0]:
        del state.stack[level:]
        state.base, state.pc, state.attempt = base, ins.pc, attempt
        back_off(state, ins, retry, error)
        return True
    place = handler.section(error["code"])
    if place < 0:
        return False
    _handle(state, ins.pc, place, level, base)
    return True


def _handle(state: ScriptState, owner: int, place: int, below: int, base: int) -> None:
    """Start a handler's rules. What is above `below` frames stays until it is known how the flow goes on."""
    error = state.error
    assert error is not None  # noqa: S101
    state.stack.append([HANDLING, owner, error["row"], error, below, base])
    state.base, state.pc = base, place


def handled(state: ScriptState) -> None:
    """A handler's rules are done: the flow goes on behind the action, or at the end of the block."""
    frame = state.stack[_handler_frame(state)]
    handler = _handler(state, frame)
    del state.stack[frame[4] :]
    state.base, state.pc = frame[5], handler.after


def next_action(state: ScriptState) -> None:
    """NEXT ACTION: behind what failed; of a block, behind the action inside of it, which may be a CALL."""
    stack = state.stack
    place = _handler_frame(state)
    frame = stack[place]
    if _handler(state, frame).kind != "block":
        handled(state)
        return
    failed = frame[2]
    level = frame[4] + 1
    while level < place:
        each = stack[level]
        if each[0] == CALLED:
            del stack[level:]
            state.base, state.pc = frame[5], state.plan.nodes[each[1]].next
            return
        level += 1
    ins = state.plan.nodes[failed]
    del stack[place:]
    state.base = frame[5]
    del stack[state.base + ins.depth :]
    state.pc = ins.after


def repeat(state: ScriptState) -> None:
    """REPEAT ACTION, or REPEAT BLOCK: from its start."""
    frame = state.stack[_handler_frame(state)]
    handler = _handler(state, frame)
    below = frame[4] + 1 if handler.kind == "block" else frame[4]
    del state.stack[below:]
    state.base, state.pc, state.attempt = frame[5], handler.start, 1


def _handler_frame(state: ScriptState) -> int:
    """The innermost handler that is at work in the present subflow."""
    for level in range(len(state.stack) - 1, -1, -1):
        if state.stack[level][0] == HANDLING:
            return level
    raise AssertionError("a rule of a handler runs outside of one")


def _handler(state: ScriptState, frame: list[Any]) -> Handler:
    handler: Handler | None = state.plan.nodes[frame[1]].handler
    assert handler is not None  # noqa: S101
    return handler


def location_of(ins: Instruction) -> str:
    """Where a row stands, in the words of the error's property Location.

    Source: desktop flows, "Datatype properties", Error.
    """
    return f"Subflow: {ins.subflow}, Action: {ins.row}, Action name: {ins.name}"


NO_ERROR: Final = Item(
    "Error",
    "",
    {"ActionIndex": 0, "ActionName": "", "ErrorDetails": "", "Location": "", "Message": "", "SubflowName": ""},
)
"""What `ERROR =>` gives where nothing has failed."""


def error_item(state: ScriptState) -> Item:
    """The last error as a value."""
    error = state.error
    if error is None:
        return NO_ERROR
    ins = state.plan.nodes[error["row"]]
    details = error.get("details") or f"{error['code']}: {error['message']}"
    properties = {
        "ActionIndex": ins.row,
        "ActionName": ins.name,
        "ErrorDetails": details,
        "Location": location_of(ins),
        "Message": error["message"],
        "SubflowName": ins.subflow,
    }
    return Item("Error", details, properties)
