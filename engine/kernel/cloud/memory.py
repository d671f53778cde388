"""What a run holds in memory: large values come, are let go when nothing can name them any more, or when memory is
short, and come back when an expression needs them.

Nothing here changes what a run decides. An expression that needs a value which is elsewhere stops its action before
anything happened (`NeedValues`), and goes on when the value is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...values import holds_elsewhere
from ..contract.large_values import Collected, Large, LoopResults, large_of
from .plan.plan import Node
from .state import Frame, Loop, State, live_frames

Place = tuple[Any, Any, Large]
"""Where a large value is held or stood for: a list, dict or object, the key or attribute, and the value's name."""


def keep(state: State, frame: Frame, node: Node, outputs: Any, seq: int, field: int) -> None:
    """An action's outputs, from record `seq`: they stay as long as some expression may name them."""
    if not node.named and state.room is None:
        return
    large = None if state.small else large_of(outputs, seq, field)
    if large is not None and large.part is None:
        state.produced += large.size
    if not node.named or (frame.unread is not None and frame.unread.get(node.index) == 0):
        return
    frame.out[node.index] = outputs
    if large is not None:
        frame.large[node.index] = large
        if large.part is None:
            state.resident += large.size
        else:
            frame.out[node.index] = large
            state.apart = True


def release(frame: Frame, releases: tuple[tuple[int, int], ...]) -> None:
    """A reader of other actions' outputs is over (`Node.releases`): what it was the last to name is gone."""
    if frame.unread is None:
        frame.unread = {}
    unread = frame.unread
    for index, readers in releases:
        left = unread[index] = unread.get(index, readers) - 1
        if not left:
            frame.out.pop(index, None)
            if frame.large:
                frame.large.pop(index, None)
            info = frame.info.get(index) if frame.info is not None else None
            if info is not None and info.ended is not None:
                del frame.info[index]  # type: ignore[union-attr]


def relieve(state: State, budget: int) -> None:
    """Let large values go, those first that were written first, until about `budget` bytes of them are left.

    They must be stored by now, or be about to be. The newest one stays, for it is about to be used more often than not,
    and so does what was supplied for the action that is next.
    """
    found: dict[tuple[int, int], list[Place]] = {}
    for place in named_places(state):
        if not _is_away(place):
            found.setdefault(place[2].at, []).append(place)
    state.resident = sum(places[0][2].size for places in found.values())
    for at in sorted(found)[:-1]:
        if state.resident <= budget:
            break
        if at not in state.supplied:
            for place in found[at]:
                _put(place, place[2])
            state.resident -= found[at][0][2].size


def supply(state: State, values: Mapping[tuple[int, int], Any]) -> None:
    """Put loaded values where they are missing; `values` maps `Large.at` to the value.

    Then feed `resume`.
    """
    for place in list(named_places(state)):
        if place[2].at in values:
            _put(place, values[place[2].at])
    for loop in state.loops.values():
        if isinstance(loop.items, Large) and loop.items.at in values:
            loop.items = [None] * loop.next + values[loop.items.at][loop.next :]
    state.supplied.update(values)
    state.resident += sum(large.size for large in state.need)
    state.need.clear()


def name_parts(state: State, seq: int, record: Sequence[Any]) -> None:
    """Record `seq` was stored as this: with names of values that are stored apart. Who only passes them on need not
    have them.
    """
    for _, _, large in named_places(state):
        if large.seq == seq and large.part is None and holds_elsewhere(record[large.field]):
            large.part = record[large.field]
            state.apart = True


def named_places(state: State) -> Iterator[Place]:
    """Where the state has values with names, whether they are in memory or not."""
    if state.trigger_large is not None:
        yield state, "trigger", state.trigger_large
    for frame in live_frames(state):
        for index, large in frame.large.items():
            yield frame.out, index, large
        for value in frame.out.values():
            yield from _collected(value)
        for info in (frame.info or {}).values():
            if info.large is not None:
                yield info, "inputs", info.large
    for loop in state.loops.values():
        for collected in _of_loop(loop):
            yield from collected.places()


def _of_loop(loop: Loop) -> Iterator[Collected]:
    yield from (loop.gathered or {}).values()
    yield from (loop.results or {}).values()


def _collected(value: Any) -> Iterator[Place]:
    if value.__class__ is Collected:
        yield from value.places()
    elif value.__class__ is LoopResults:
        for _, records in value.parts:
            yield from records.places()


def value_at(place: Place) -> Any:
    """What is there: the value, or its name."""
    holder, key, _ = place
    return holder[key] if isinstance(holder, dict | list) else getattr(holder, key)


def _is_away(place: Place) -> bool:
    return value_at(place).__class__ is Large


def _put(place: Place, value: Any) -> None:
    holder, key, _ = place
    if isinstance(holder, dict | list):
        holder[key] = value
    else:
        setattr(holder, key, value)
