"""The records of a run: plain tuples, and events are records too.

What is stored of a run is this sequence and nothing else; folding it gives the state back. A record that was caused
from outside (`START`, `RESULT`, `CALLBACK`, `TIMER`, `DEADLINE`, `TICK`, `STOP`) *is* its event; `SCHEDULED`, `DONE`
and `LIMIT` are what `decide` concluded from it.

Every record starts with the version of its layout and its kind. Times are ticks: 100 nanoseconds since
1970-01-01T00:00Z. `node` is the action's number in its plan, `it` the iteration indexes of the loops around it
(outermost first) or None outside of loops.

| kind | fields after (version, kind) |
|---|---|
| START | at, trigger, pins |
| SCHEDULED | node, it, attempt, inputs, due, deadline, retry |
| RESULT | node, it, attempt, at, status, code, outputs, error, retry_due |
| DONE | node, it, status, code, inputs, outputs, error |
| TIMER | node, it, attempt, at |
| DEADLINE | node, it, attempt, at |
| TICK | at |
| STOP | at, status, code, message |
| CALLBACK | node, it, attempt, at, status, code, outputs, error |
| LIMIT | node, it, due |

`due` of SCHEDULED is when a delay ends (None for a call), `deadline` when the action's `limit.timeout` lapses, `retry`
the call's retry policy as it was evaluated then, None for the default. `retry_due` is None in an event: `decide`
fills it in when the action's retry policy grants another attempt. A RESULT of status Waiting says that the action
has subscribed: a CALLBACK ends it. A DONE happened at the time of the event before it.
A LIMIT says when the `limit.timeout` of a container that starts now lapses; that it lapsed is a DEADLINE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

VERSION: Final = 1

START: Final = 1
SCHEDULED: Final = 2
RESULT: Final = 3
DONE: Final = 4
TIMER: Final = 5
DEADLINE: Final = 6
TICK: Final = 7
STOP: Final = 8
RESUME: Final = 9
"""Not a record: continues a decision that stopped for values which are loaded by now. It leaves no trace."""
CALLBACK: Final = 10
LIMIT: Final = 11

KIND_NAMES: Final = {
    START: "Start",
    SCHEDULED: "Scheduled",
    RESULT: "Result",
    DONE: "Done",
    TIMER: "Timer",
    DEADLINE: "Deadline",
    TICK: "Tick",
    STOP: "Stop",
    CALLBACK: "Callback",
    LIMIT: "Limit",
}

_LENGTHS: Final = {
    START: 5,
    SCHEDULED: 9,
    RESULT: 11,
    DONE: 9,
    TIMER: 6,
    DEADLINE: 6,
    TICK: 3,
    STOP: 6,
    CALLBACK: 10,
    LIMIT: 5,
}

Record = tuple[Any, ...]
Iteration = tuple[int, ...] | None

NAMED: Final = {START: 3, RESULT: 8, DONE: 7, CALLBACK: 8}
"""Where records have the value that others are likely to repeat: what came in, or what an action gave."""
NAMING: Final = {SCHEDULED: 5, DONE: 7}
"""Where records are likely to repeat one: what is sent, or made of others."""

EVENTS: Final = frozenset({START, RESULT, TIMER, DEADLINE, TICK, STOP, CALLBACK})


_ABOUT_ACTION: Final = frozenset({RESULT, TIMER, DEADLINE, CALLBACK})


def start(at: int, trigger: Any, pins: dict[str, Any]) -> Record:
    """The run begins. `trigger` is the trigger's record, `pins` all that must stay the same for the life of the run."""
    return (VERSION, START, at, trigger, pins)


def result(
    node: int, it: Iteration, attempt: int, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
) -> Record:
    """An outside action has ended, this attempt of it."""
    return (VERSION, RESULT, node, it, attempt, at, status, code, outputs, error, None)


def callback(
    node: int, it: Iteration, attempt: int, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
) -> Record:
    """A webhook action was called back: how it ends, as a result would tell it. `attempt` is the action's latest."""
    return (VERSION, CALLBACK, node, it, attempt, at, status, code, outputs, error)


def timer(node: int, it: Iteration, attempt: int, at: int) -> Record:
    """A delay or a pause before a retry is over."""
    return (VERSION, TIMER, node, it, attempt, at)


def deadline(node: int, it: Iteration, attempt: int, at: int) -> Record:
    """An action's `limit.timeout` has lapsed."""
    return (VERSION, DEADLINE, node, it, attempt, at)


def tick(at: int) -> Record:
    """Time passes: lets a run go on that had decided enough for one turn."""
    return (VERSION, TICK, at)


def stop(at: int, status: int, code: str, message: str) -> Record:
    """The run is cancelled or has outlived its limit."""
    return (VERSION, STOP, at, status, code, message)


def resume() -> Record:
    """Goes on after `supply`; not recorded."""
    return (VERSION, RESUME)


def from_stored(stored: Sequence[Any]) -> Record:
    """The record of a stored list: the codec keeps lists, records are tuples with tuples of iteration indexes.

    Raises ValueError for what is no record of a version that this release knows.
    """
    if not isinstance(stored, list | tuple) or len(stored) < 2 or stored[0] != VERSION or stored[1] not in KIND_NAMES:
        raise ValueError("a record of another version, or none at all, cannot be read by this release")
    record = tuple(stored)
    if len(record) != _LENGTHS[record[1]]:
        raise ValueError(f"a {KIND_NAMES[record[1]]} record has {len(record)} fields, not {_LENGTHS[record[1]]}")
    if record[1] in (SCHEDULED, RESULT, DONE, TIMER, DEADLINE, LIMIT, CALLBACK) and record[3] is not None:
        record = (*record[:3], tuple(record[3]), *record[4:])
    return record


def time_of(event: Record) -> int:
    """When an event happened, in ticks."""
    return event[5] if event[1] in _ABOUT_ACTION else event[2]  # type: ignore[no-any-return]


def event_of(record: Record) -> Record:
    """The event that caused `record`: the same, without what `decide` added to it."""
    return (*record[:10], None) if record[1] == RESULT else record
