"""Watching an evaluation: every call and link of an expression with its value, or the error that arose in it.

An observer costs an indirection at every node, so only a trace compiles with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..values import Value
from .evaluators import Compiled, Suspend
from .syntax import Node


@dataclass(frozen=True, slots=True)
class Step:
    """One call or link that was evaluated: its value, or the error that arose in it."""

    node: Node
    value: Value = None
    error: Exception | None = None


class Observer:
    """Is told what an evaluation does. An error is told by every part that it passes, innermost first.

    Of a JSON value, each string with an expression in it (and each operator of a condition in object form) is told
    before and after it is evaluated, with its steps between, innermost first.
    """

    def began(self, text: str, frame: Any) -> None:
        """The evaluation of a string begins, in the scope's own frame."""

    def step(self, step: Step) -> None:
        """A part has been evaluated."""

    def ended(self, value: Value, error: Exception | None) -> None:
        """The string that began last has this value, or cannot be evaluated."""


class Steps(Observer):
    """Collects the steps of an evaluation, with an error only where it arose."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, step: Step) -> None:
        if step.error is None or not self.steps or self.steps[-1].error is not step.error:
            self.steps.append(step)


def observed(node: Node, compiled: Compiled, observer: Observer) -> Compiled:
    """The expression, telling the observer what comes of it."""
    evaluate = compiled.evaluate

    def step(frame: Any) -> Value:
        try:
            value = evaluate(frame)
        except Suspend:
            raise
        except Exception as error:
            observer.step(Step(node, error=error))
            raise
        observer.step(Step(node, value))
        return value

    return Compiled(step)


def observed_string(text: str, compiled: Compiled, observer: Observer) -> Compiled:
    """A string of a JSON value, or an operator of a condition, telling the observer when it begins and ends."""
    evaluate = compiled.evaluate

    def string(frame: Any) -> Value:
        observer.began(text, frame)
        try:
            value = evaluate(frame)
        except Suspend:
            raise
        except Exception as error:
            observer.ended(None, error)
            raise
        observer.ended(value, None)
        return value

    return Compiled(string)
