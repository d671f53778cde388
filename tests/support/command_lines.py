"""What a command line left behind: its exit code and what it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CommandLine:
    """A command line that has ended. `code` is minus the signal's number where one ended a process."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[Any]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:
        """The error of `--json`: it has a code, a message and a hint, and stderr tells the same."""
        error: dict[str, Any] = self.json["error"]
        assert {"code", "message", "hint"} <= set(error)
        assert f"({error['code']})" in self.err
        return error
