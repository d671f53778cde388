"""What compiling gives: an evaluator, and whether it needs a frame at all. And what may go wrong in one.

The frame is whatever the scope's evaluators take; nothing in this package looks into it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..effort import Suspend
from ..errors import ExpressionError
from ..values import Value

__all__ = ["Compiled", "Evaluator", "Suspend", "constant", "failing", "located"]

# The argument, the frame, is opaque here: its type is the scope's own business.
Evaluator = Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled expression or JSON value. With `constant`, `evaluate` ignores its frame and gives one value always.

    `moment`, where there is one, gives the moment that the value (a text then) stands for: no JSON value, so only for
    functions that ask for it.
    """

    evaluate: Evaluator
    constant: bool = False
    moment: Callable[[Any], Any] | None = None

    @property
    def value(self) -> Value:
        """The value of a constant."""
        if not self.constant:
            raise ValueError("not a constant")
        return self.evaluate(None)


def constant(value: Value) -> Compiled:
    """A value that needs no evaluation. Callers never change it: every evaluation gives the same object."""
    return Compiled(lambda frame: value, True)


def failing(make: Callable[[], ExpressionError], at: int | None, source: str | None) -> Compiled:
    """An expression that is wrong, but only where it is evaluated: `and(false, nope())` is false on the host."""

    def fail(frame: Any) -> Value:
        error = make()
        if error.position is None:
            error.position = at
        error.expression = source
        raise error

    return Compiled(fail)


def located(error: Exception, name: str, at: int | None, source: str | None) -> Exception:
    """What to raise for an error out of the function `name`: an ExpressionError that knows its place, or a Suspend."""
    if isinstance(error, Suspend):
        return error
    if not isinstance(error, ExpressionError):
        error = ExpressionError(
            f"The template language function '{name}' was invoked with a parameter that is not valid: {_reason(error)}",
            hint=f"Please see https://aka.ms/logicexpressions#{name} for usage details.",
        )
    if error.position is None:
        error.position = at
    if error.expression is None:
        error.expression = source
    return error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the value is nested too deeply."
    if isinstance(error, MemoryError):
        return "the result is too large."
    if isinstance(error, ArithmeticError):
        return "a number is out of range."
    return "the value cannot be converted to the target type."
