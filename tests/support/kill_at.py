"""`timeout` for shell scripts in tests that goes by what a command prints: kill -9 a while after the first such line.

    python -I -S kill_at.py TEXT COMMAND ARGUMENT...

A line is shown before what it says is durable; MEANWHILE it becomes that. Imports next to nothing, so that a start
costs milliseconds.
"""

import subprocess
import sys
import time

MEANWHILE = 2.5
"""Seconds: half of the pause in which the documents kill a command."""

with subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE) as process:
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        if sys.argv[1].encode() in line:
            time.sleep(MEANWHILE)
            process.kill()
sys.stdout.flush()
sys.exit(137)
