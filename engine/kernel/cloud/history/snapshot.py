"""A state as one plain value and back: a cache that spares reading a run's whole history, never its only copy.

A snapshot holds what the records before it led to. Large values are left where they are stored and named (`Large`),
whether they are in memory at the time or not. A snapshot of another format or plan is not read: the records are folded
instead.
"""

from __future__ import annotations

from typing import Any, Final

from ...contract.large_values import Collected, Large, LoopResults, large_of
from ...contract.run_context import RunContext
from ..decide import REVISIONS
from ..plan.plan import Node, Plan
from ..state import End, Ending, Frame, Info, Limit, Loop, Open, State, Variable, Watch, live_frames

FORMAT: Final = 2


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
        "revision": state.revision,
        "nodes": len(state.plan.nodes),
        "now": state.now,
        "started": state.started,
        "seq": state.seq,
        "left": state.left,
        "trigger": _held(state.trigger, state.trigger_large),
        "pins": state.pins,
        "response": state.response,
        "end": [state.end.status, state.end.code, state.end.error] if state.end else None,
        "vars": {key: [v.name, v.type, v.value] for key, v in state.vars.items()},
        "frames": [_dump_frame(frame, number, loop_number) for frame in frames],
        "loops": [_dump_loop(loop, number) for loop in loops],
        "limits": [[number[id(limit.frame)], limit.node.index, limit.due] for limit in state.limits.values()],
        "ready": [[number[id(frame)], node.index] for frame, node in state.ready],
        "open": [_dump_open(entry, number) for entry in state.open.values()],
    }


def _dump_frame(frame: Frame, number: dict[int, int], loop_number: dict[int, int]) -> list[Any]:
    return [
        number[id(frame.parent)] if frame.parent is not None else None,
        frame.item,
        list(frame.it) if frame.it is not None else None,
        loop_number.get(id(frame.loop)) if frame.loop is not None else None,
        [[index, _dump_output(value, frame.large.get(index))] for index, value in frame.out.items()],
        [list(pair) for pair in frame.status.items()],
        [list(pair) for pair in frame.left.items()],
        [list(pair) for pair in (frame.unread or {}).items()],
        [list(pair) for pair in (frame.wait or {}).items()],
        sorted(frame.bad or ()),
        [
            [index, i.started, i.ended, i.status, i.code, _held(i.inputs, i.large), i.error]
            for index, i in (frame.info or {}).items()
        ],
    ]


def _dump_open(entry: Open, number: dict[int, int]) -> list[Any]:
    ending = entry.ending
    return [
        number[id(entry.frame)],
        entry.node.index,
        entry.attempt,
        _held(entry.inputs, None if _is_webhook(entry.node) else large_of(entry.inputs, entry.seq, 5)),
        entry.phase,
        entry.started,
        entry.due,
        entry.deadline,
        entry.retry,
        entry.leaving,
        [
            ending.seq,
            ending.status,
            ending.code,
            _held(ending.outputs, large_of(ending.outputs, ending.seq, 8)),
            ending.error,
        ]
        if ending is not None
        else None,
    ]


def _is_webhook(node: Node) -> bool:
    return node.operation is not None and node.operation.webhook


def _dump_loop(loop: Loop, number: dict[int, int]) -> list[Any]:
    return [
        loop.node.index,
        number[id(loop.frame)],
        _held(loop.items, loop.large),
        loop.next,
        loop.active,
        loop.failed,
        loop.started,
        loop.count,
        loop.timeout,
        *(
            [[index, _dump_collected(each)] for index, each in found.items()] if found is not None else None
            for found in (loop.gathered, loop.results)
        ),
    ]


def _dump_output(value: Any, large: Large | None) -> list[Any]:
    """What a frame holds: [kind, ...] as `_restore_output` reads it."""
    if value.__class__ is Collected:
        return [_COLLECTED, *_dump_collected(value)]
    if value.__class__ is LoopResults:
        return [_RESULTS, *([name, _dump_collected(records)] for name, records in value.parts)]
    return [_PLAIN, *_held(value, large)]


_PLAIN: Final = 0
_COLLECTED: Final = 1
_RESULTS: Final = 2


def _dump_collected(collected: Collected) -> list[Any]:
    """[values without what is large, what is large]; records may hold the results of a loop within the loop, and may be
    such results where `result()` names the inner loop."""
    values = list(collected.values)
    nested = []
    for number, value in enumerate(values):
        if value.__class__ is LoopResults:
            values[number] = None
            nested.append([number, _dump_output(value, None)])
        elif isinstance(value, dict) and value.get("outputs").__class__ is LoopResults:
            values[number] = {**value, "outputs": None}
            nested.append([number, _dump_output(value["outputs"], None)])
    for number, part in collected.large:
        values[number] = {**values[number], part: None} if part else None
    large = [[number, part, *_held(None, each)] for (number, part), each in collected.large.items()]
    return [values, large, nested]


def restore(plan: Plan, value: Any, watch: Watch | None = None) -> State | None:
    """The state of a snapshot, or None where it was made by another format, revision or plan."""
    if not isinstance(value, dict) or (value.get("format"), value.get("nodes")) != (FORMAT, len(plan.nodes)):
        return None
    if value.get("revision") not in REVISIONS:
        return None
    state = State(plan, watch)
    for name in ("now", "started", "seq", "left", "pins", "response"):
        setattr(state, name, value[name])
    state.trigger = _given(value["trigger"])
    state.trigger_large = _large(state.trigger)
    state.context = RunContext(plan, state.pins, state.started)
    state.params = state.pins.get("parameters") or {}
    state.end = End(*value["end"]) if value["end"] else None
    state.vars = {key: Variable(*parts) for key, parts in value["vars"].items()}
    frames = [Frame(state, None, None, None, None) for _ in value["frames"]]
    loops = []
    for stored in value["loops"]:
        node: Node = plan.nodes[stored[0]]
        loop = Loop(node, frames[stored[1]], None, stored[6])
        loop.items = _given(stored[2])
        loop.large = _large(loop.items)
        if loop.large is not None:
            state.need.append(loop.large)
        loop.next, loop.active, loop.failed, loop.count, loop.timeout = (
            stored[3],
            stored[4],
            stored[5],
            stored[7],
            stored[8],
        )
        loop.gathered, loop.results = (
            {index: _restore_collected(each) for index, each in found} if found is not None else None
            for found in stored[9:]
        )
        loops.append(loop)
    for frame, stored in zip(frames, value["frames"], strict=True):
        _restore_frame(frame, stored, frames, loops)
    state.root = state.frame = frames[0]
    names = [large for frame in frames for large in frame.large.values()]
    state.apart = any(large is not None and large.part is not None for large in [state.trigger_large, *names])
    state.loops = {(loop.node.index, loop.frame.it): loop for loop in loops}
    for place, index, due in value["limits"]:
        state.limits[(index, frames[place].it)] = Limit(frames[place], plan.nodes[index], due)
    state.ready.extend((frames[place], plan.nodes[index]) for place, index in value["ready"])
    for place, index, attempt, inputs, phase, started, due, deadline, retry, leaving, ending in value["open"]:
        entry = Open(frames[place], plan.nodes[index], attempt, _given(inputs), phase, started)
        entry.due, entry.deadline, entry.retry, entry.leaving = due, deadline, retry, leaving
        if ending is not None:
            seq, status, code, outputs, error = ending
            entry.ending = Ending(seq, status, code, _given(outputs), error)
        state.open[(index, frames[place].it)] = entry
    return state


def _restore_frame(frame: Frame, stored: list[Any], frames: list[Frame], loops: list[Loop]) -> None:
    parent, item, it, loop, out, status, left, unread, wait, bad, info = stored
    frame.parent = frames[parent] if parent is not None else None
    frame.item = item
    frame.it = tuple(it) if it is not None else None
    frame.loop = loops[loop] if loop is not None else None
    frame.out = {index: _restore_output(value) for index, value in out}
    frame.large = {index: large for index, value in frame.out.items() if (large := _large(value)) is not None}
    frame.status, frame.left, frame.unread = dict(status), dict(left), dict(unread) or None
    frame.wait = dict(wait) or None
    frame.bad = set(bad) or None
    for index, started, ended, state, code, inputs, error in info:
        note = Info(started)
        note.inputs = _given(inputs)
        note.large = _large(note.inputs)
        note.ended, note.status, note.code, note.error = ended, state, code, error
        if frame.info is None:
            frame.info = {}
        frame.info[index] = note


def _restore_output(stored: list[Any]) -> Any:
    kind, *rest = stored
    if kind == _COLLECTED:
        return _restore_collected(rest)
    if kind == _RESULTS:
        return LoopResults([(name, _restore_collected(records)) for name, records in rest])
    return _given(rest)


def _restore_collected(stored: list[Any]) -> Collected:
    values, large, nested = stored
    collected = Collected(values, {(number, part): Large(*named) for number, part, *named in large})
    for container, key, each in collected.places():
        container[key] = each
    for number, results in nested:
        if values[number] is None:
            values[number] = _restore_output(results)
        else:
            values[number]["outputs"] = _restore_output(results)
    return collected


def _held(value: Any, large: Large | None) -> list[Any]:
    """[value] itself, or [record number, field, size] of a large one, and what the record holds of it where that is
    only a part.
    """
    named = value if isinstance(value, Large) else large
    if named is None:
        return [value]
    return [named.seq, named.field, named.size, *([] if named.part is None else [named.part])]


def _given(stored: list[Any]) -> Any:
    return stored[0] if len(stored) == 1 else Large(*stored)


def _large(value: Any) -> Large | None:
    return value if isinstance(value, Large) else None
