"""How much one evaluation may do in one go, judged before the work by the sizes of what it works on.

Whoever drives many runs on one thread sets a `Budget` for each turn. Functions whose work grows with their arguments
`spend` what they are about to need, in nanoseconds of a machine of 2024, roughly. Without a budget, as in a replay,
nothing is refused: a budget decides where something is evaluated, and never what comes of it.
"""

from __future__ import annotations

from math import inf
from typing import Any, Final


class Suspend(Exception):
    """Stops an evaluation from inside, for example to load a value first. It passes through untouched.

    `part` is what is at hand of the value that was read: links behind it need no more than that where they lead to
    something that is in it. None where nothing is.
    """

    part: Any = None


class Costly(Suspend):
    """What the evaluation is about to do would exceed its budget: it may be repeated with another."""


class Budget:
    """What the evaluation under way may still spend, in nanoseconds."""

    __slots__ = ("left",)

    def __init__(self, left: float = inf) -> None:
        self.left = left

    def applies(self) -> bool:
        """Whether it is for whoever asks: of several threads, only for the one that has set it."""
        return True


class Current:
    """The budget of the evaluation under way: set and cleared around it, by assignment, since that is done for every
    step of every run.
    """

    __slots__ = ("budget",)

    def __init__(self) -> None:
        self.budget: Budget | None = None


CURRENT: Final = Current()


def counts() -> bool:
    """Whether the evaluation under way has a budget, so that it may be repeated elsewhere."""
    budget = CURRENT.budget
    return budget is not None and budget.applies() and budget.left < inf


def spend(nanoseconds: float) -> None:
    """Take so much from the budget, where there is one. Raises Costly where that is more than is left."""
    budget = CURRENT.budget
    if budget is not None and budget.applies():
        if nanoseconds > budget.left:
            raise Costly
        budget.left -= nanoseconds
