"""A customer's key is revoked while one process executes a run and another one reads it."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import pytest
from processes import PATIENCE, Place

READER: Final = Path(__file__).parents[1] / "support" / "reader_process.py"
PROBE: Final = 1.0
BOUND: Final = PROBE + 2.0
SLACK: Final = 60.0
"""Seconds that a busy machine may take on top."""


class Process:
    """A reader whose lines are awaited with a bound."""

    def __init__(self, place: Place, role: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, str(READER), str(place.home), "contoso", role],
            env=place.environment, stdout=subprocess.PIPE, stderr=None, text=True,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self, seconds: float = PATIENCE) -> str:
        """The next line, within so many seconds."""
        return self._lines.get(timeout=seconds)

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


@pytest.mark.parametrize("revoked", ["disabled", "locked"])
def test_both_stop_reading_and_go_on_when_the_key_is_given_again(place: Place, revoked: str) -> None:
    """Both processes stop reading. They continue when the key is granted again."""
    for command in (
        ["env", "create", "contoso"],
        ["key", "create", "file:keys.json#main"],
        ["policy", "create", "main", "--key", "file:keys.json#main", "--probe", str(PROBE)],
        ["policy", "apply", "main", "--environment", "contoso"],
    ):
        place(*command).expect(0)
    processes = [Process(place, "executes")]
    try:
        run, url = processes[0].line().split(" ")[1:]
        processes.append(Process(place, "reads"))
        for process in processes:
            assert process.line() == "reads Running"
        if revoked == "disabled":
            place("key", "disable", "file:keys.json#main").expect(0)
        else:
            place("env", "lock", "contoso").expect(0)
        for process in processes:
            assert process.line(BOUND + SLACK) == "refused EnvironmentLocked"
        assert place("runs", "show", run, "--environment", "contoso", "--json").expect(4).error["code"] == (
            "EnvironmentLocked"
        )
        if revoked == "disabled":
            place("env", "unlock", "contoso").expect(4)
            place("key", "enable", "file:keys.json#main").expect(0)
        place("env", "unlock", "contoso").expect(0)
        for process in processes:
            assert process.line(BOUND + SLACK) == "reads Running"
        place("runs", "callback", url, "--environment", "contoso", "--body", '{"answer":42}').expect(0)
        for process in processes:
            assert process.line() == "reads Succeeded"
            assert process.popen.wait(PATIENCE) == 0
        shown = place("runs", "show", run, "--environment", "contoso", "--json").expect(0).json
        first, _, last = shown["actions"]
        assert last["outputs"] == [first["outputs"], {"answer": 42}]
    finally:
        for process in processes:
            process.close()
