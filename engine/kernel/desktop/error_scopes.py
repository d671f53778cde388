"""Who would take the error of an open action: what has to be known before it fails, outside of the machine."""

from __future__ import annotations

from .plan import Handler
from .state import CALLED, HANDLING, INSIDE, ScriptOpen, ScriptState


def handlers_around(state: ScriptState, entry: ScriptOpen) -> tuple[Handler, ...] | None:
    """The handlers that an error of the action would be offered to, the nearest first; None where it would be tried
    again.

    With a section for the error in none of them the run ends. The same way as `script_errors` takes.
    """
    if entry.retry is not None and (entry.node.waits or entry.attempt <= entry.retry[0]):
        return None
    found = [entry.node.handler]
    level = len(state.stack) - 1
    while level >= 0:
        frame = state.stack[level]
        if frame[0] == HANDLING:
            level = frame[4] - 1
            continue
        if frame[0] in (INSIDE, CALLED):
            if frame[0] == CALLED and frame[4] is not None and frame[3] <= frame[4][0]:
                return None
            found.append(state.plan.nodes[frame[1]].handler)
        level -= 1
    return tuple(handler for handler in found if handler is not None)
