"""How a run moves: the only code that changes a state, used alike for new records and for stored ones.

What follows from a record without evaluating anything lives here and leaves no record of its own: skips, the ends of
scopes, branches and iterations, the start of the next iteration. Everything works through an agenda, never by
recursion, so that thousands of empty iterations or cascading skips are ordinary.

Rules: Logic Apps, "Handle errors and exceptions" (run after, scopes, status of a run); "Create loops" (Foreach, Until).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from ..contract.large_values import Collected, LoopResults, large_of
from ..contract.status import FAILED, SKIPPED, SUCCEEDED, TIMED_OUT
from .action_views import action_record, note_end, note_skip, note_start, note_unmet
from .memory import release
from .plan.plan import FOREACH, SCOPE, UNTIL, Box, Node
from .state import Agenda, End, Frame, Loop, State

ACTION_FAILED: Final = {"code": "ActionFailed", "message": "An action failed. No dependent actions succeeded."}


def begin(state: State) -> None:
    """The start record is in: the root's first actions become ready."""
    agenda: Agenda = deque()
    enter(state, agenda, state.root, state.plan.root)
    settle(state, agenda)


def ended(state: State, frame: Frame, node: Node, status: int) -> None:
    """An action has ended with `status`: move on whatever waited for it."""
    agenda = state.agenda
    _finish(state, agenda, frame, node, status)
    if agenda:
        settle(state, agenda)


def settle(state: State, agenda: Agenda) -> None:
    """Work the agenda off, first in first out."""
    while agenda:
        frame, what, status = agenda.popleft()
        if type(what) is Node:
            _finish(state, agenda, frame, what, status)
        else:
            _close(state, agenda, frame, what)  # type: ignore[arg-type]


def enter(state: State, agenda: Agenda, frame: Frame, box: Box) -> None:
    """Start a list of sibling actions: its roots become ready in document order."""
    frame.left[box.index] = len(box.nodes)
    if not box.nodes:
        agenda.append((frame, box, SUCCEEDED))
        return
    for node in box.roots:
        _ready(state, agenda, frame, node)


def _ready(state: State, agenda: Agenda, frame: Frame, node: Node) -> None:
    """A scope with neither limit nor conditions needs no evaluation and starts at once; everything else queues."""
    if node.op == SCOPE and node.work is None:
        note_start(state, frame, node)
        enter(state, agenda, frame, node.boxes[0])
    else:
        state.ready.append((frame, node))


def start_scope(state: State, frame: Frame, node: Node) -> None:
    """Start a scope that had something to evaluate."""
    agenda: Agenda = deque()
    enter(state, agenda, frame, node.boxes[0])
    settle(state, agenda)


def _finish(state: State, agenda: Agenda, frame: Frame, node: Node, status: int) -> None:
    box = node.box
    if node.limit is not None:
        state.limits.pop((node.index, frame.it), None)
    if node.limited:
        frame.status[node.index] = status  # so that a lapse knows what is over
    if status != SUCCEEDED:
        frame.status[node.index] = status
        if frame.bad is None:
            frame.bad = set()
        frame.bad.add(box.index)
    for successor in node.successors:
        if len(successor.predecessors) == 1:
            runs = status in successor.predecessors[0][1]
        else:
            wait = frame.wait
            if wait is None:
                wait = frame.wait = {}
            missing = wait.get(successor.index, len(successor.predecessors)) - 1
            wait[successor.index] = missing
            if missing:
                continue
            get = frame.status.get
            runs = all(get(before.index, SUCCEEDED) in wanted for before, wanted in successor.predecessors)
        if runs:
            _ready(state, agenda, frame, successor)
        else:
            if state.watch is not None or successor.noted:
                note_unmet(state, frame, successor)
            agenda.append((frame, successor, SKIPPED))
    left = frame.left[box.index] = frame.left[box.index] - 1
    if not left:
        agenda.append((frame, box, SUCCEEDED))
    if node.releases:
        release(frame, node.releases)


def leaf_status(frame: Frame, box: Box) -> int:
    """Succeeded or Failed by the leaf rule: a skipped leaf is judged by what came before it, and so on;

    any failure fails.

    Source: Logic Apps, "Handle errors and exceptions": the last action of each branch decides; a skipped one passes
    the question on.
    """
    if frame.bad is None or box.index not in frame.bad:
        return SUCCEEDED
    get = frame.status.get
    todo = [node for node in box.nodes if not node.successors]
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        status = get(node.index, SUCCEEDED)
        if status == SKIPPED:
            for before, _ in node.predecessors:
                if before.index not in seen:
                    seen.add(before.index)
                    todo.append(before)
        elif status in (FAILED, TIMED_OUT):
            return FAILED
    return SUCCEEDED


def _close(state: State, agenda: Agenda, frame: Frame, box: Box) -> None:
    """The last action of a box has ended."""
    owner = box.owner
    if owner is None:
        _end(state, leaf_status(frame, box))
    elif owner.op == FOREACH:
        _iterated(state, agenda, frame, box)
    elif owner.op == UNTIL:
        state.ready.append((frame, owner))  # its condition is evaluated in the iteration's frame
    else:
        _container_ended(state, agenda, frame, owner, leaf_status(frame, box))


def _container_ended(state: State, agenda: Agenda, frame: Frame, node: Node, status: int) -> None:
    # Without outputs: what is in a container tells of itself, and hides of itself what is secured.
    if status == SUCCEEDED:
        note_end(state, frame, node, SUCCEEDED, "NotSpecified", None, None)
    else:
        note_end(state, frame, node, status, "ActionFailed", None, ACTION_FAILED)
    agenda.append((frame, node, status))


def _end(state: State, status: int) -> None:
    if status == SUCCEEDED:
        state.end = End(SUCCEEDED, None, None)
    else:
        state.end = End(status, "ActionFailed", ACTION_FAILED)


# ---- branches


def branch(state: State, frame: Frame, node: Node, taken: int) -> None:
    """An If or Switch has chosen the box number `taken`; -1 is none of them. The others are skipped."""
    agenda: Agenda = deque()
    if state.watch is not None or node.noted:
        for number, box in enumerate(node.boxes):
            if number != taken:
                for inner in box.nodes:
                    note_skip(state, frame, inner, "ActionBranchingConditionNotSatisfied")
    if taken < 0:
        _container_ended(state, agenda, frame, node, SUCCEEDED)
    else:
        enter(state, agenda, frame, node.boxes[taken])
    settle(state, agenda)


# ---- loops


def start_foreach(state: State, frame: Frame, node: Node, items: list[Any], repetitions: int | None = None) -> None:
    """Launch the first iterations: `repetitions` of them, or as many as the loop's own concurrency allows."""
    agenda: Agenda = deque()
    loop = Loop(node, frame, items, state.now, large_of(items, state.seq, 7))
    if node.gathers:
        loop.gathered = {index: Collected([None] * len(items), {}) for index in node.gathers}
    if node.results:
        loop.results = {inner.index: Collected([None] * len(items), {}) for inner in node.boxes[0].nodes}
    state.loops[(node.index, frame.it)] = loop
    if not items:
        _foreach_ended(state, agenda, loop)
    for _ in range(min(repetitions or node.concurrency, len(items))):
        _launch(state, agenda, loop)
    settle(state, agenda)


def start_until(state: State, frame: Frame, node: Node, count: int, timeout: int) -> None:
    """Start the first iteration; `count` iterations and `timeout` ticks are the loop's limits."""
    agenda: Agenda = deque()
    loop = Loop(node, frame, None, state.now)
    loop.count = count
    loop.timeout = timeout
    state.loops[(node.index, frame.it)] = loop
    _launch(state, agenda, loop)
    settle(state, agenda)


def _launch(state: State, agenda: Agenda, loop: Loop) -> None:
    number = loop.next
    loop.next = number + 1
    loop.active += 1
    outer = loop.frame
    it = (number,) if outer.it is None else (*outer.it, number)
    enter(state, agenda, Frame(state, outer, loop.take(number), it, loop), loop.node.boxes[0])


def _iterated(state: State, agenda: Agenda, frame: Frame, box: Box) -> None:
    """An iteration of a Foreach has ended: remember what is read from outside, launch the next one or end the loop."""
    loop = frame.loop
    assert loop is not None  # noqa: S101
    assert loop.items is not None  # noqa: S101
    loop.active -= 1
    if leaf_status(frame, box) != SUCCEEDED:
        loop.failed = True
    collect(state, loop, frame)
    if loop.next < len(loop.items):
        _launch(state, agenda, loop)
    elif not loop.active:
        _foreach_ended(state, agenda, loop)


def collect(state: State, loop: Loop, frame: Frame) -> None:
    """Remember what expressions outside of the loop read of the iteration in `frame`."""
    assert frame.it is not None  # noqa: S101
    number = frame.it[-1]
    if loop.gathered is not None:
        for index, collected in loop.gathered.items():
            collected.values[number] = frame.out.get(index)
            if index in frame.large:
                collected.large[number, ""] = frame.large[index]
    if loop.results is not None:
        for index, collected in loop.results.items():
            collected.values[number] = action_record(frame, state.plan.nodes[index])
            if index in frame.large:
                collected.large[number, "outputs"] = frame.large[index]
            info = frame.info.get(index) if frame.info is not None else None
            if info is not None and info.large is not None:
                collected.large[number, "inputs"] = info.large


def publish(state: State, loop: Loop) -> None:
    """Let what was collected of the iterations that have started be read after the loop."""
    frame = loop.frame
    if loop.gathered is not None:
        for index, collected in loop.gathered.items():
            _publish(frame, index, collected.first(loop.next))
    if loop.results is not None:
        nodes = state.plan.nodes
        parts = [(nodes[index].name, collected.first(loop.next)) for index, collected in loop.results.items()]
        _publish(frame, loop.node.index, LoopResults(parts))


def _publish(frame: Frame, index: int, value: Collected | LoopResults) -> None:
    if frame.unread is None or frame.unread.get(index) != 0:  # there is somebody left to read it
        frame.out[index] = value


def surface(loop: Loop, frame: Frame) -> None:
    """What an Until's last iteration produced can be read after the loop, as if its actions stood there."""
    outer = loop.frame
    outer.out.update(frame.out)
    outer.status.update(frame.status)
    outer.large.update(frame.large)
    if frame.info is not None:
        outer.info = {**(outer.info or {}), **frame.info}


def _foreach_ended(state: State, agenda: Agenda, loop: Loop) -> None:
    frame, node = loop.frame, loop.node
    del state.loops[(node.index, frame.it)]
    publish(state, loop)
    _container_ended(state, agenda, frame, node, FAILED if loop.failed else SUCCEEDED)


def until_checked(state: State, frame: Frame, node: Node, done: bool, failed: bool = False) -> None:
    """An Until's condition was evaluated after the iteration in `frame`; `failed` when it could not be.

    The last iteration decides the loop's status. Reaching a limit is a success unless the definition says
    FailWhenLimitsReached.
    """
    agenda: Agenda = deque()
    loop = frame.loop
    assert loop is not None  # noqa: S101
    loop.active -= 1
    limit = loop.next >= loop.count or state.now - loop.started >= loop.timeout
    if not (done or failed or limit):
        _launch(state, agenda, loop)
    else:
        outer = loop.frame
        del state.loops[(node.index, outer.it)]
        surface(loop, frame)
        status = leaf_status(frame, node.boxes[0])
        if failed or (limit and not done and node.fail_at_limit):
            status = FAILED
        if not failed:
            _container_ended(state, agenda, outer, node, status)
        else:
            agenda.append((outer, node, FAILED))
    settle(state, agenda)
