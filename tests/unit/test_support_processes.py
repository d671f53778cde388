"""What tests of processes lean on: a process that does not do what is waited for fails the test, and says so."""

from __future__ import annotations

import subprocess

import processes
import pytest
from processes import until_line


def shell(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_lines_are_read_up_to_the_one_that_is_waited_for() -> None:
    with shell("echo one; echo two three; echo four") as process:
        assert until_line(process, "two") == ["one", "two three"]


def test_a_process_that_ends_before_is_a_failure_with_what_it_said() -> None:
    expected = r"(?s)it ended before a line 'two', but \['one'\].*sorry"
    with shell("echo one; echo sorry >&2") as process, pytest.raises(AssertionError, match=expected):
        until_line(process, "two")


def test_a_process_that_goes_on_without_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.1)
    with shell("echo one; exec sleep 600") as process:
        with pytest.raises(AssertionError, match=r"no line 'two' in 0\.1 seconds"):
            until_line(process, "two")
        assert process.wait(60) < 0
