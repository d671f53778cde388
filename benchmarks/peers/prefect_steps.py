"""Prefect on the work of benchmarks/steps.py: its server with SQLite, flows in this process, results kept in files; one
JSON line.

Ten flows at a time instead of a hundred: more, and its server answers that it is unavailable.

    python benchmarks/peers/prefect_steps.py [--flows N] [--lone N] [--quick]
"""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sealflow-peer-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        os.environ |= {
            "PREFECT_HOME": folder,
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
            "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
        }
        program = Path(sys.executable).with_name("prefect")
        command = [program, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            healthy(f"http://127.0.0.1:{port}/api/health")
            measured(Path(folder))
        finally:
            server.terminate()
            server.wait()
    sys.stdout.flush()
    os._exit(0)  # its threads wait for nobody


def measured(folder: Path) -> None:
    from load import Running, measure, options, payload
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from usage import size_of

    given = options(__doc__, flows=20, lone=5, at_once=10)

    @task(persist_result=True, result_serializer="json", cache_policy=NO_CACHE)
    async def step(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return payload(number)

    @flow(persist_result=True, result_serializer="json")
    async def in_a_row(steps: int, body: dict[str, Any]) -> dict[str, Any]:
        for number in range(steps):
            body = await step(number, body)
        return body

    @flow(persist_result=False)
    async def side_by_side(steps: int, body: dict[str, Any]) -> int:
        return len(await asyncio.gather(*(step(number, body) for number in range(steps))))

    class Peer:
        async def row(self, name: str, steps: int, number: int) -> None:
            await in_a_row(steps, payload(number))

        async def fan(self, name: str, steps: int) -> int:
            return await side_by_side(steps, payload(0))

    with sqlite3.connect(folder / "prefect.db") as connection:
        journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    told = {
        "store": "sqlite",
        "version": version("prefect"),
        "durability": f"states in journal_mode={journal}, results in files without fsync",
    }
    running = Running([os.getpid()], lambda: size_of(folder), told)
    asyncio.run(measure("prefect", Peer(), running, given.work))


def healthy(url: str) -> None:
    """Return when the server answers."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise RuntimeError("Prefect's server does not answer")


if __name__ == "__main__":
    if "SEALFLOW_PEER" in os.environ:
        main()
    else:
        from install import main as launch

        sys.exit(launch("prefect", __file__))
