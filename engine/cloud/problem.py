"""What `check` reports: one record for each problem, and the list that rules write them to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import SealflowError

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a file.

    `error`: the flow will not be run. `warning`: it runs, but the hosts would refuse it or it does not do what it says.
    `info`: worth knowing. `at` is a JSON pointer into the file, or `line:column` where the file is no JSON.
    """

    code: str
    severity: Severity
    at: str
    message: str
    hint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The problem as JSON; `hint` only where there is one."""
        data: dict[str, Any] = {"code": self.code, "severity": self.severity, "at": self.at, "message": self.message}
        if self.hint:
            data["hint"] = self.hint
        return data


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
