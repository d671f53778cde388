"""What is found wrong with a script, placed by line and column: the error of a row, and the list rules write to.

No rules stand here.
"""

from __future__ import annotations

from ...errors import DefinitionError
from ...problem import Problem, Severity
from .tree import Place

__all__ = ["Problem", "Problems", "RobinError", "Severity", "in_order"]


class RobinError(DefinitionError):
    """A script, or a part of one, that cannot be read. `at` is `line:column`."""

    code = "InvalidSyntax"

    def __init__(self, message: str, place: Place, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, at=str(place), code=code, hint=hint)
        self.place = place

    def problem(self) -> Problem:
        return Problem(self.code, "error", self.at, self.message, self.hint)


class Problems:
    """The growing list that the parser and every rule write to."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def error(self, code: str, at: Place, message: str, hint: str | None = None) -> None:
        self.found.append(Problem(code, "error", str(at), message, hint))

    def warning(self, code: str, at: Place, message: str, hint: str | None = None) -> None:
        self.found.append(Problem(code, "warning", str(at), message, hint))

    def info(self, code: str, at: Place, message: str, hint: str | None = None) -> None:
        self.found.append(Problem(code, "info", str(at), message, hint))


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Without repetitions, from the top of the text to its end; at one place as they were found."""

    def placed(problem: Problem) -> tuple[int, int]:
        line, _, column = problem.at.partition(":")
        return (int(line), int(column)) if column else (0, 0)

    return tuple(sorted(dict.fromkeys(problems), key=placed))
