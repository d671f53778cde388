"""What `check` reports of a cloud flow: the list of problems that rules write to."""

from __future__ import annotations

from ...errors import SealflowError
from ...problem import Problem, Severity

__all__ = ["Problem", "Problems", "Severity", "problem_of"]


class Problems:
    """The growing list of problems that every rule writes to."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def error(self, code: str, at: str, message: str, hint: str | None = None) -> None:
        self.found.append(Problem(code, "error", at, message, hint))

    def warning(self, code: str, at: str, message: str, hint: str | None = None) -> None:
        self.found.append(Problem(code, "warning", at, message, hint))

    def info(self, code: str, at: str, message: str, hint: str | None = None) -> None:
        self.found.append(Problem(code, "info", at, message, hint))

    def without_effect(self, at: str, what: str) -> None:
        """What the hosts have and this version leaves out while the run goes on."""
        self.warning("NotYetSupported", at, f"{what} is not supported yet: the run goes on without it.")


def problem_of(error: SealflowError, at: str = "") -> Problem:
    """An exception as a problem; one without a place of its own is `at` the given one."""
    return Problem(error.code, "error", getattr(error, "at", "") or at, error.message, error.hint)
