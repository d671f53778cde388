"""One problem of a flow's file, as checkers of cloud and desktop flows report it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

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
