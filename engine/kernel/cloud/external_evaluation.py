"""Evaluating the next action of a run somewhere else: what goes there, what is done there, and what comes back.

An evaluation is pure, so it gives the same wherever it is made. What goes there is a snapshot of the state and the
large values that are in memory; what comes back is taken in by `decide` in place of its own evaluation, and leaves the
same record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from ..contract.large_values import Large, NeedValues
from ..contract.status import FAILED
from .decide import Given, evaluate_next
from .history.snapshot import dump, restore
from .memory import named_places, supply, value_at
from .plan.plan import Plan
from .state import State

TIME_LIMIT: Final = "EvaluationTimeLimit"
"""The code of an action whose expressions took longer than they may."""

CRASHED: Final = "EvaluationCrashed"
"""The code of an action whose evaluation ended its process, for example for want of memory."""


class Packed(NamedTuple):
    """A state on its way: the snapshot, and the large values that are in memory."""

    snapshot: dict[str, Any]
    values: dict[tuple[int, int], Any]


class Missing(NamedTuple):
    """What an evaluation needs of values that are only stored, by `Large.at`."""

    at: list[tuple[int, int]]


def pack(state: State) -> Packed:
    """What the evaluation of the next action may read."""
    values = {}
    for place in named_places(state):
        value = value_at(place)
        if value.__class__ is not Large:
            values[place[2].at] = value
    return Packed(dump(state), values)


def evaluate(plan: Plan, packed: Packed) -> Given | Missing:
    """Evaluate the next action of a state that was packed."""
    state = restore(plan, packed.snapshot)
    if state is None:
        raise ValueError("the snapshot is of another plan")
    state.need.clear()
    supply(state, packed.values)
    try:
        return evaluate_next(state)
    except NeedValues as stop:
        return Missing([large.at for large in stop.missing])


def ask_for(state: State, missing: Collection[tuple[int, int]]) -> None:
    """Have the values loaded that an evaluation missed."""
    wanted: Mapping[tuple[int, int], Large] = {place[2].at: place[2] for place in named_places(state)}
    state.need += [wanted[at] for at in dict.fromkeys(missing)]


def refused(code: str, message: str) -> Given:
    """The action fails with this, since its evaluation was given up."""
    return (FAILED, code, None, None, {"code": code, "message": message}), None, None
