"""What a durable step may cost, in calls: counted, so that it is the same on a busy machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_a_step_stays_within_its_budget() -> None:
    command = [sys.executable, str(BENCHMARKS / "instructions.py"), "--no-valgrind"]
    done = subprocess.run(
        [*command, "--budget", str(BENCHMARKS / "budget.json")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["over_budget"] == {}
    assert {"python_calls", "c_calls", "commits", "tasks"} <= found.keys()


def test_a_count_above_the_budget_is_reported(tmp_path: Path) -> None:
    budget = {"python_calls": 1.0, "c_calls": 1e6, "commits": 1e6, "tasks": 1e6}
    (tmp_path / "budget.json").write_text(json.dumps(budget), "utf-8")
    command = [sys.executable, str(BENCHMARKS / "instructions.py"), "--no-valgrind"]
    done = subprocess.run(
        [*command, "--budget", str(tmp_path / "budget.json")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1, done.stderr
    assert list(json.loads(done.stdout)["over_budget"]) == ["python_calls"]
