"""Whoever reads the progress of a run may stop reading: the run goes on to its end."""

from __future__ import annotations

import os
import subprocess

from processes import SEALFLOW, Place


def test_a_run_ends_though_nobody_reads_it(place: Place) -> None:
    (place.work / "data").mkdir()
    rows = "".join(f"SET a{number} TO {number}\n" for number in range(50))
    end = "File.WriteText File: $'''C:\\end.txt''' TextToWrite: $'''x''' Encoding: File.FileEncoding.UTF8NoBOM\n"
    place.write("f.robin", rows + end)
    place("env", "create", "default").expect(0)
    place("env", "permissions", "set", "default", "--map", "C:=data").expect(0)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [str(SEALFLOW), "run", "f.robin", "--full"]
        ran = subprocess.run(
            command, cwd=place.work, env=place.environment, stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (place.work / "data" / "end.txt").read_text().strip() == "x"
    assert (ran.returncode, b"BrokenPipe" in ran.stderr, b"Traceback" in ran.stderr) == (0, False, False)
