"""The command line as processes: interrupted, killed, and two at once on the same store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

S = ["Succeeded"]
# A test runner in the background may have SIGINT ignored, and children inherit that.
MAIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sealflow.engine.hosts.cli import main
sys.exit(main())
"""


class Folder:
    """A folder with flows that pause for `seconds`, and commands that run in it as processes of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.running: list[subprocess.Popen[str]] = []
        self.environment = {**os.environ, "SEALFLOW_KEYSTORE": str(path / "keys.json"), "PYTHONIOENCODING": "utf-8"}
        for name in ("SEALFLOW_HOME", "SEALFLOW_PASSPHRASE"):
            self.environment.pop(name, None)
        self.work = path / "work"
        self.work.mkdir()

    def flow(self, name: str, seconds: int) -> str:
        actions: dict[str, Any] = {
            "First": {"type": "Compose", "inputs": "@guid()", "runAfter": {}},
            "Pause": {
                "type": "Wait",
                "inputs": {"interval": {"count": seconds, "unit": "Second"}},
                "runAfter": {"First": S},
            },
            "Last": {"type": "Compose", "inputs": "@outputs('First')", "runAfter": {"Pause": S}},
        }
        definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
        (self.work / f"{name}.json").write_text(json.dumps(definition))
        return f"{name}.json"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            cwd=self.work,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.running.append(process)
        return process

    def started(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        """A run that has come to its pause; the process and the run's id."""
        process = self.start("run", *arguments)
        assert process.stdout is not None
        run = ""
        for line in process.stdout:
            if not run:
                run = line.strip().rpartition(" ")[2]
            if line.startswith("… Pause"):
                return process, run
        raise AssertionError("the run ended before its pause")

    def done(self, *arguments: str) -> Any:
        """The JSON that a command ends with."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        return json.loads(out.splitlines()[-1])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    for process in folder.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_ctrl_c_leaves_the_run_resumable_and_says_so(folder: Folder) -> None:
    process, run = folder.started(folder.flow("slow", 1))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"Run {run} is kept and can be resumed." in err
    assert f"sealflow runs resume {run}" in err
    assert "Traceback" not in err
    assert folder.done("runs", "resume", run)["status"] == "Succeeded"


def test_a_killed_run_goes_on_and_finished_actions_do_not_run_again(folder: Folder) -> None:
    process, run = folder.started(folder.flow("slow", 3))
    before = folder.done("runs", "show", run)
    process.kill()
    process.communicate()
    (listed,) = folder.done("runs", "list")
    assert (listed["run"], listed["end"]) == (run, None)
    assert [action["status"] for action in before["actions"]] == ["Succeeded", "Running"]
    after = folder.done("runs", "resume", run)
    assert (after["status"], len(after["actions"])) == ("Succeeded", 3)
    assert after["actions"][0] == before["actions"][0]
    assert after["actions"][2]["outputs"] == before["actions"][0]["outputs"]


def test_a_second_process_runs_shows_and_cancels_through_the_first(folder: Folder) -> None:
    first, run = folder.started(folder.flow("slow", 600))
    quick = folder.done("run", folder.flow("quick", 1))
    assert quick["status"] == "Succeeded"
    assert folder.done("runs", "show", run)["status"] == "Running"
    timed_out = folder.done("runs", "follow", run, "--timeout", "0.5")
    assert timed_out["error"]["code"] == "WaitTimedOut"
    cancelled = folder.done("runs", "cancel", run, "--reason", "enough")
    assert (cancelled["cancelled"], cancelled["status"]) == (True, "Cancelled")
    out, _ = first.communicate(timeout=30)
    assert first.returncode == 1
    assert "Cancelled: enough" in out
