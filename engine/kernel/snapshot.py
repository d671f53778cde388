"""A state as one plain value and back: a cache that spares reading a run's whole history, never its only copy.

A snapshot holds what the records before it led to. Outputs over 16 KiB are left where they are stored and named by
record number (`Large`). A snapshot of another format or plan is not read: the records are folded instead.
"""

from __future__ import annotations

from typing import Any, Final

from ..values import digest
from .decide import REVISION, live_frames
from .plan import Node, Plan
from .state import End, Frame, Info, Large, Loop, Open, State, Variable, Watch

FORMAT: Final = 1
LARGE: Final = 16_384
"""Bytes from which an output is named rather than held."""


def dump(state: State) -> dict[str, Any]:
    """The state as JSON-like values (bytes in the seed). Must not be called within a turn."""
    for variable in state.vars.values():
        variable.shared = True  # the snapshot holds its value from now on
    frames = live_frames(state)
    number = {id(frame): place for place, frame in enumerate(frames)}
    loops = list(state.loops.values())
    loop_number = {id(loop): place for place, loop in enumerate(loops)}
    return {
        "format": FORMAT,
        "revision": REVISION,
        "nodes": len(state.plan.nodes),
        "now": state.now,
        "started": state.started,
        "seq": state.seq,
        "left": state.left,
        "trigger": _held(state.trigger, 0),
        "pins": state.pins,
        "response": state.response,
        "end": [state.end.status, state.end.code, state.end.error] if state.end else None,
        "vars": {key: [v.name, v.type, v.value] for key, v in state.vars.items()},
        "frames": [_dump_frame(frame, number, loop_number) for frame in frames],
        "loops": [_dump_loop(loop, number) for loop in loops],
        "ready": [[number[id(frame)], node.index] for frame, node in state.ready],
        "open": [
            [number[id(o.frame)], o.node.index, o.attempt, o.inputs, o.phase, o.started, o.due, o.deadline, o.retry]
            for o in state.open.values()
        ],
    }


def _dump_frame(frame: Frame, number: dict[int, int], loop_number: dict[int, int]) -> list[Any]:
    nodes = frame.state.plan.nodes
    return [
        number[id(frame.parent)] if frame.parent is not None else None,
        frame.item,
        list(frame.it) if frame.it is not None else None,
        loop_number.get(id(frame.loop)) if frame.loop is not None else None,
        [
            [index, _held(value, None if nodes[index].inline else frame.seqs.get(index))]
            for index, value in frame.out.items()
        ],
        [list(pair) for pair in frame.status.items()],
        [list(pair) for pair in frame.left.items()],
        [list(pair) for pair in frame.seqs.items()],
        [list(pair) for pair in (frame.wait or {}).items()],
        sorted(frame.bad or ()),
        [[index, i.started, i.ended, i.status, i.code, i.inputs, i.error] for index, i in (frame.info or {}).items()],
    ]


def _dump_loop(loop: Loop, number: dict[int, int]) -> list[Any]:
    return [
        loop.node.index,
        number[id(loop.frame)],
        loop.items,
        loop.next,
        loop.active,
        loop.failed,
        loop.started,
        loop.count,
        loop.timeout,
        [[index, values] for index, values in loop.gathered.items()] if loop.gathered is not None else None,
        [[index, values] for index, values in loop.results.items()] if loop.results is not None else None,
    ]


def restore(plan: Plan, value: Any, watch: Watch | None = None) -> State | None:
    """The state of a snapshot, or None where it was made by another format, revision or plan."""
    if not isinstance(value, dict) or (value.get("format"), value.get("revision"), value.get("nodes")) != (
        FORMAT,
        REVISION,
        len(plan.nodes),
    ):
        return None
    state = State(plan, watch)
    for name in ("now", "started", "seq", "left", "pins", "response"):
        setattr(state, name, value[name])
    state.trigger = _given(value["trigger"])
    state.params = state.pins.get("parameters") or {}
    state.end = End(*value["end"]) if value["end"] else None
    state.vars = {key: Variable(*parts) for key, parts in value["vars"].items()}
    frames = [Frame(state, None, None, None, None) for _ in value["frames"]]
    loops = []
    for stored in value["loops"]:
        node: Node = plan.nodes[stored[0]]
        loop = Loop(node, frames[stored[1]], stored[2], stored[6])
        loop.next, loop.active, loop.failed, loop.count, loop.timeout = (
            stored[3],
            stored[4],
            stored[5],
            stored[7],
            stored[8],
        )
        loop.gathered = dict(stored[9]) if stored[9] is not None else None
        loop.results = dict(stored[10]) if stored[10] is not None else None
        loops.append(loop)
    for frame, stored in zip(frames, value["frames"], strict=True):
        _restore_frame(frame, stored, frames, loops)
    state.root = state.frame = frames[0]
    state.loops = {(loop.node.index, loop.frame.it): loop for loop in loops}
    state.ready.extend((frames[place], plan.nodes[index]) for place, index in value["ready"])
    for place, index, attempt, inputs, phase, started, due, deadline, retry in value["open"]:
        entry = Open(frames[place], plan.nodes[index], attempt, inputs, phase, started)
        entry.due, entry.deadline, entry.retry = due, deadline, retry
        state.open[(index, frames[place].it)] = entry
    return state


def _restore_frame(frame: Frame, stored: list[Any], frames: list[Frame], loops: list[Loop]) -> None:
    parent, item, it, loop, out, status, left, seqs, wait, bad, info = stored
    frame.parent = frames[parent] if parent is not None else None
    frame.item = item
    frame.it = tuple(it) if it is not None else None
    frame.loop = loops[loop] if loop is not None else None
    frame.out = {index: _given(value) for index, value in out}
    frame.status, frame.left, frame.seqs = dict(status), dict(left), dict(seqs)
    frame.wait = dict(wait) or None
    frame.bad = set(bad) or None
    for index, started, ended, state, code, inputs, error in info:
        note = Info(started)
        note.ended, note.status, note.code, note.inputs, note.error = ended, state, code, inputs, error
        if frame.info is None:
            frame.info = {}
        frame.info[index] = note


def _held(value: Any, seq: int | None) -> list[Any]:
    """[value] itself, or [record number, size, digest] of one that is large and stored."""
    if isinstance(value, Large):
        return [value.seq, value.size, value.digest]
    if seq is not None:
        size = rough_size(value, LARGE)
        if size > LARGE:
            return [seq, size, digest(value)]
    return [value]


def _given(stored: list[Any]) -> Any:
    return stored[0] if len(stored) == 1 else Large(*stored)


def rough_size(value: Any, enough: int) -> int:
    """About how many bytes a value takes when stored; counting stops beyond `enough`."""
    total = 0
    todo = [value]
    while todo and total <= enough:
        each = todo.pop()
        if isinstance(each, str | bytes):
            total += len(each) + 3
        elif isinstance(each, dict):
            total += 3
            todo.extend(each)
            todo.extend(each.values())
        elif isinstance(each, list):
            total += 3
            todo.extend(each)
        else:
            total += 5
    return total
