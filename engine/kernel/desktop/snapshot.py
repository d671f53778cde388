"""A script's state as one plain value and back: a cache that spares reading a run's whole history, never its only copy.

A snapshot of another format, revision or plan is not read: the records are folded instead.
"""

from __future__ import annotations

from typing import Any, Final

from ...datatypes import Datum, restored, stored
from ...desktop.expressions.culture import DEFAULT, culture_of
from ..cloud.state import End
from ..contract.run_context import RunContext
from .decide import SCRIPT_REVISIONS
from .plan import ScriptPlan
from .state import ITEMS, SUBJECT, ScriptOpen, ScriptState, ScriptWatch

FORMAT: Final = 1


def dump(state: ScriptState) -> dict[str, Any]:
    """The state as JSON-like values (bytes in the seed). Must not be called within a turn."""
    values = {name: stored(state.slots[place]) for name, place in state.plan.scope.places.items()}
    return {
        "format": FORMAT,
        "machine": "script",
        "revision": state.revision,
        "nodes": len(state.plan.nodes),
        "now": state.now,
        "started": state.started,
        "began": state.began,
        "seq": state.seq,
        "left": state.left,
        "pc": state.pc,
        "base": state.base,
        "attempt": state.attempt,
        "trigger": state.trigger,
        "pins": state.pins,
        "error": state.error,
        "end": [state.end.status, state.end.code, state.end.error] if state.end is not None else None,
        "stack": [_frame(frame, stored) for frame in state.stack],
        "open": [
            [e.node.pc, list(e.frame.it or ()), e.attempt, e.inputs, e.phase, e.started, e.due, e.deadline, e.retry]
            for e in state.open.values()
        ],
        "values": values,
    }


def restore(plan: ScriptPlan, dumped: Any, watch: ScriptWatch | None = None) -> ScriptState | None:
    """The state of a snapshot; None where it is of another format, revision or plan."""
    if (
        not isinstance(dumped, dict)
        or dumped.get("machine") != "script"
        or dumped.get("format") != FORMAT
        or dumped.get("revision") not in SCRIPT_REVISIONS
        or dumped.get("nodes") != len(plan.nodes)
        or dumped["values"].keys() != plan.scope.places.keys()
    ):
        return None
    state = ScriptState(plan, watch)
    for name in ("now", "started", "seq", "left", "pc", "base", "attempt", "trigger", "pins", "error"):
        setattr(state, name, dumped[name])
    state.context = RunContext(plan, state.pins, state.started)
    state.began = dumped.get("began", state.started)
    state.slots = plan.scope.fresh(culture_of(state.pins.get("culture") or DEFAULT))
    for name, value in dumped["values"].items():
        state.slots[plan.scope.places[name]] = restored(value)
    state.stack = [_frame(frame, restored) for frame in dumped["stack"]]
    state.end = End(*dumped["end"]) if dumped["end"] is not None else None
    for pc, it, attempt, inputs, phase, started, due, deadline, retry in dumped["open"]:
        entry = ScriptOpen(plan.nodes[pc], tuple(it), attempt, inputs, phase, started)
        entry.due, entry.deadline, entry.retry = due, deadline, retry
        state.open[(pc, tuple(it))] = entry
    return state


def _frame(frame: list[Any], form: Any) -> list[Any]:
    """A frame with its values in another form."""
    if frame[0] not in (ITEMS, SUBJECT):
        return list(frame)
    value: Datum = frame[2]
    return [frame[0], frame[1], form(value), *frame[3:]]
