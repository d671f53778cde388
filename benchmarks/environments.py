"""What an environment costs while nothing happens in it: one JSON line.

So many environments in one store, each with its own file and keys, all open and executing in this process.

- `create_ms`, `open_ms`: processor time for one.
- `disk_kb`: of one that has nothing in it yet. `memory_kb`, `threads`, `files`: of one that is open.
- `idle_percent`: of a processor, for one that waits for triggers and requests.

    python benchmarks/environments.py [--count N] [--seconds S]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import sealflow


def resident_kb() -> float:
    """This process's resident memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024


def taken() -> dict[str, float]:
    """What the process has of everything that an open environment takes."""
    gc.collect()
    return {
        "memory_kb": resident_kb(),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
    }


async def measure(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    home = folder / "home"
    async with sealflow.open(home, keystore=folder / "keystore.json") as engine:
        await engine.environment("first")  # what is loaded once
        before = size(home)
        cpu = time.process_time()
        for number in range(count):
            await engine.create_environment(f"environment {number}")
        found: dict[str, Any] = {"create_ms": round((time.process_time() - cpu) / count * 1e3, 2)}
        found["disk_kb"] = round((size(home) - before) / count / 1024)
        earlier, cpu = taken(), time.process_time()
        opened = [await engine.environment(f"environment {number}") for number in range(count)]
        found["open_ms"] = round((time.process_time() - cpu) / count * 1e3, 2)
        for environment in opened:
            await environment.watch_triggers()
        found |= {key: round((value - earlier[key]) / count, 1) for key, value in taken().items()}
        cpu = time.process_time()
        await asyncio.sleep(seconds)
        found["idle_percent"] = round((time.process_time() - cpu) / seconds / (count + 1) * 100, 3)
    return found


def size(folder: Path) -> int:
    """Bytes that the files below a folder take on disk."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="environments")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to watch them do nothing")
    given = parser.parse_args()
    if sys.platform != "linux":
        parser.error("memory and files are read from /proc, which is Linux's")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given.count, given.seconds))
    print(json.dumps({"bench": "environments", "count": given.count, **found}))


if __name__ == "__main__":
    main()
