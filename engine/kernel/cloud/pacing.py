"""How a turn pauses within an action: between two elements of an array, and before work that is too much for it.

Where a turn pauses leaves no record and changes nothing of what is decided: an evaluation is pure, no event comes in
between, and what was evaluated already is kept in the state until the action is over.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from ...effort import Budget, Suspend
from ..contract.large_values import NeedValues
from .state import Frame

ELEMENTS: Final = 32
"""Elements of an array between two questions to the pace; a power of two."""

ACTIONS: Final = 16
"""The same for actions, ELEMENTS for the rows of a script."""


class Pace(Protocol):
    """Says when a turn has taken its share. It belongs to the host, which may ask a clock or count.

    A turn that begins, or goes on after a pause, clears `due`, and may spend `share` of `budget` by the estimates of
    `effort`.
    """

    budget: Budget
    share: float
    due: float | None

    @property
    def rows(self) -> int:
        """Rows of a script between two questions."""
        ...

    def __call__(self) -> bool:
        """Whether the turn is to pause now. The first answer of a turn, while `due` is None, is no."""
        ...


class OneRow:
    """The pace of a turn that is made elsewhere: it takes one row of a script, whatever that costs, and pauses."""

    rows: Final = 1

    def __init__(self) -> None:
        self.budget = Budget()
        self.share = inf
        self.due: float | None = None

    def __call__(self) -> bool:
        """Whether the turn is to pause now."""
        return True


class Pause(NeedValues):
    """Raised between two elements: the turn pauses, and no value is missing."""

    def __init__(self) -> None:
        super().__init__([])


class Progress:
    """How far a data operation has come: its elements, what was made of them, the number of the next one, what else was
    evaluated at its beginning, and how many draws of chance the action had made before the next element. `moved`: the
    turn has evaluated some.
    """

    __slots__ = ("begun", "draws", "items", "made", "moved", "number")

    def __init__(self, items: list[Any], begun: Any, made: list[Any], number: int, draws: int, moved: bool) -> None:
        self.items = items
        self.begun = begun
        self.made = made
        self.number = number
        self.draws = draws
        self.moved = moved


def each(
    frame: Frame,
    source: Callable[[Frame], list[Any]],
    step: Callable[[Any, list[Any], Any], None],
    begin: Callable[[list[Any]], Any] = lambda items: None,
) -> tuple[list[Any], list[Any], Any]:
    """Apply `step` to every element of what `source` gives, with the list of what was made so far, to which it appends,
    and what `begin` gave for the elements.

    Returns the elements, what was made and what `begin` gave. Raises Suspend with the state's `progress` set; the next
    call goes on from there.
    """
    state = frame.state
    pace, progress = state.pace, state.progress
    if progress is None:
        items = source(frame)
        begun, made, first = begin(items), [], 0
    else:
        items, begun, made, first = progress.items, progress.begun, progress.made, progress.number
        state.draws = progress.draws
        state.progress = None
    number, draws = first, state.draws
    try:
        for number in range(first, len(items)):
            draws = state.draws
            if pace is not None and not number & (ELEMENTS - 1) and number > first and pace():
                raise Pause
            element = state.element = items[number]
            step(element, made, begun)
        if len(items) > ELEMENTS and first < len(items) and pace is not None and pace():
            number, draws = len(items), state.draws
            raise Pause  # before what is made of all of them
    except Suspend:
        state.progress = Progress(items, begun, made, number, draws, number > first)
        raise
    return items, made, begun
