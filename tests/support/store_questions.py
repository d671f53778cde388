"""What is asked of a store with very many rows, for tests of what it costs: lists and reads, by what they are.

Runs that have ended are numbered from 1: of each hundred one is of the flow OTHER, the others are of FLOW; the first
ten have status 2, all others 1; those with even numbers are children of PARENT. Further runs sleep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sealflow.storage import Backend
from sealflow.storage.testing.rows import ALL

LIMIT: Final = 20
FLOW, OTHER, PARENT = (letter * 16 for letter in (b"F", b"G", b"P"))

Ask = Callable[[Backend], Awaitable[object]]


def ended(number: int) -> bytes:
    """The id of a run that has ended, and of other rows."""
    return number.to_bytes(16, "big")


def asleep(number: int) -> bytes:
    """The id of a run that sleeps."""
    return b"\xff" + number.to_bytes(15, "big")


def _list(
    flow_id: bytes | None = None,
    statuses: Sequence[int] | None = None,
    parent: bytes | None = None,
    before: bytes | None = None,
) -> Ask:
    return lambda backend: backend.runs.find(
        flow_id=flow_id, statuses=statuses, parent=parent, limit=LIMIT, before=before
    )


def lists(runs: int) -> dict[str, Ask]:
    """Lists of runs, of which so many have ended."""
    return {
        "the newest runs": _list(),
        "a page further on": _list(before=ended(runs // 2)),
        "of a flow": _list(OTHER),
        "of a flow, further on": _list(OTHER, before=ended(runs // 2)),
        "of a rare status": _list(statuses=[2]),
        "of a frequent status": _list(statuses=[1]),
        "of none": _list(statuses=[4]),
        "of several statuses": _list(statuses=[2, 4, 5, 0]),
        "of a flow and a rare status": _list(FLOW, [2]),
        "of a flow and a status that it does not have": _list(OTHER, [2, 6]),
        "of a flow and a status, further on": _list(FLOW, [1], before=ended(runs // 2)),
        "of a parent": _list(parent=PARENT),
        "of a parent and a status, further on": _list(parent=PARENT, statuses=[1], before=ended(runs // 2)),
    }


def reads(runs: int, sleeping: int) -> dict[str, Ask]:
    """What else is read, one thing or a page of them."""
    return {
        "a run": lambda backend: backend.runs.get(ended(7)),
        "run ids": lambda backend: backend.runs.ids(runs // 2, LIMIT),
        "a long history": lambda backend: backend.runs.pages(ended(1), 1, LIMIT, ALL),
        "a long history, further on": lambda backend: backend.runs.pages(ended(1), runs // 2, LIMIT, ALL),
        "a few bytes of a long history": lambda backend: backend.runs.pages(ended(1), runs // 2, 3 * LIMIT, 100),
        "a snapshot": lambda backend: backend.runs.snapshot(ended(1)),
        "keys": lambda backend: backend.keys.newest(1, [ended(number) for number in range(1, LIMIT)]),
        "generations of a key": lambda backend: backend.keys.generations(1, ended(7)),
        "keys of a version": lambda backend: backend.keys.wrapped_by(1, 1, LIMIT, 0),
        "what may not be removed": lambda backend: backend.runs.needed([ended(number) for number in range(1, LIMIT)]),
        "unfinished runs of a flow": lambda backend: backend.runs.unfinished_of(OTHER),
        "a trigger": lambda backend: backend.triggers.get(ended(7)),
        "triggers that are due": lambda backend: backend.triggers.due(1_000 + LIMIT, LIMIT),
        "messages": lambda backend: backend.messages.waiting(FLOW, None, LIMIT, runs // 8),
        "messages of a partition": lambda backend: backend.messages.waiting(FLOW, [ended(1)], LIMIT, 0),
        "a message": lambda backend: backend.messages.get(ended(7)),
        "the inbox": lambda backend: backend.inbox.waiting(LIMIT, sleeping // 2),
        "a request": lambda backend: backend.inbox.get(ended(7)),
    }
