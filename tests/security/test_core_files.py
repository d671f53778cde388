"""Processes crash while they hold keys and plain values. They leave no core file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from actions import compose, wait
from processes import PATIENCE, Place

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def allowed() -> Iterator[None]:
    """Processes that are started meanwhile may leave core files of any size."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] != resource.RLIM_INFINITY:
        pytest.skip("core files are disabled for this process")
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def limit(pid: int) -> list[str]:
    """The soft and the hard limit of a process's core files."""
    lines = Path(f"/proc/{pid}/limits").read_text("ascii").splitlines()
    (line,) = [each for each in lines if each.startswith("Max core file size")]
    return line.split()[4:6]


def cores(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("core*") if path.is_file()]


@linux
def test_a_command_that_crashes(place: Place, allowed: None) -> None:
    """A command crashes while it executes a run, on a system that keeps core files. It leaves no core file and none of
    its values.
    """
    canary = "kanarie-in-the-core-5127"
    file = place.flow("f", {"A": compose(canary), "W": wait(1, "Hour", "A")})
    process = place.begin("run", file)
    assert process.stdout is not None
    for line in process.stdout:
        if "W" in line and "…" in line:
            break
    assert limit(process.pid) == ["0", "0"]
    process.send_signal(signal.SIGABRT)
    assert process.wait(PATIENCE) == -signal.SIGABRT
    assert cores(place.folder) == []
    found = [path for path in place.folder.rglob("*") if path.is_file() and path.name != "f.json"]
    assert [path for path in found if canary.encode() in path.read_bytes()] == []


@linux
def test_the_memory_of_a_process(tmp_path: Path) -> None:
    """Another process of the same user, without special rights, reads the memory of a process that holds keys. The
    system refuses, because the files of that memory belong to root.
    """
    code = (
        "import ctypes, os, resource\nfrom sealflow.engine.hosts.core_files import disable_core_files\n"
        "if os.getuid() == 0: os.setuid(65534)\nctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "before = os.stat('/proc/self/mem').st_uid\ndisable_core_files()\n"
        "print(before == os.getuid(), os.stat('/proc/self/mem').st_uid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout.split() == ["True", "0"], done.stderr


@linux
@pytest.mark.parametrize("disabled", [True, False])
def test_a_program_that_embeds_the_engine_crashes(tmp_path: Path, allowed: None, disabled: bool) -> None:
    """A program that embeds the engine crashes. It and its children leave no core file if it called
    `disable_core_files`. Otherwise the program decides.
    """
    code = (
        f"import os, sealflow\nif {disabled}: sealflow.disable_core_files()\n"
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import os; os.abort()'])\nos.abort()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == -signal.SIGABRT, done.stderr
    if disabled:
        assert cores(tmp_path) == []
    elif not os.path.isabs(Path("/proc/sys/kernel/core_pattern").read_text("utf-8").strip().lstrip("|")):
        for path in cores(tmp_path):  # where the system keeps core files at all
            path.unlink()
