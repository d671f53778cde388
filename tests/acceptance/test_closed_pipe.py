"""Whoever reads the progress of a run may stop reading: the run goes on to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = [str(Path(sys.executable).with_name("sealflow"))]


def test_a_run_ends_though_nobody_reads_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = "".join(f"SET a{number} TO {number}\n" for number in range(50))
    end = "File.WriteText File: $'''C:\\\\end.txt''' TextToWrite: $'''x''' Encoding: File.FileEncoding.UTF8NoBOM\n"
    (tmp_path / "f.robin").write_text(rows + end)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEALFLOW")}
    environment = {**kept, "SEALFLOW_KEYSTORE": str(tmp_path / "keystore.json")}

    def sealflow(*arguments: str, stdout: int) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, env=environment, stdout=stdout, stderr=subprocess.PIPE, check=False
        )

    assert sealflow("env", "create", "default", stdout=subprocess.DEVNULL).returncode == 0
    assert sealflow("env", "allow", "default", "--map", "C:=data", stdout=subprocess.DEVNULL).returncode == 0
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = sealflow("run", "f.robin", "--full", stdout=writer)
    finally:
        os.close(writer)
    assert (tmp_path / "data" / "end.txt").read_text().strip() == "x"
    assert (ran.returncode, b"BrokenPipe" in ran.stderr, b"Traceback" in ran.stderr) == (0, False, False)
