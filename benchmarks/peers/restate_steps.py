"""Restate on the work of benchmarks/steps.py: its server, a service by its Python SDK, and a client over HTTP that
waits for each flow's result; one JSON line.

Processor time and memory are those of server and service; this process, the client, is left out.

    python benchmarks/peers/restate_steps.py [--flows N] [--lone N] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

HERE = Path(__file__).resolve().parent
MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Peer:
    """A client of the server's ingress."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{port}"

    async def row(self, name: str, steps: int, number: int) -> None:
        from load import payload

        await self._call(f"InARow/{name}", {"steps": steps, "body": payload(number)})

    async def fan(self, name: str, steps: int) -> int:
        return int(await self._call(f"SideBySide/{name}", {"steps": steps}))

    async def _call(self, what: str, asked: dict[str, Any]) -> Any:
        async with self._session.post(f"{self._url}/{what}/run", json=asked) as answer:
            if answer.status != 200:
                raise RuntimeError(f"Restate answered {answer.status}: {(await answer.text())[:200]}")
            return await answer.json()


def main() -> None:
    from load import options

    given = options(__doc__, flows=500, lone=50, tries=3)
    node, ingress, admin, service = free_ports(4)
    system = f"{sys.platform}-{MACHINE.get(os.uname().machine, os.uname().machine)}"
    program = Path(sys.prefix).parent / f"node_modules/@restatedev/restate-server-{system}/bin/restate-server"
    with tempfile.TemporaryDirectory(prefix="sealflow-peer-") as folder:
        settings = {
            "RESTATE_BASE_DIR": f"{folder}/data",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_ADVERTISED_HOST": "127.0.0.1",
            "RESTATE_BIND_PORT": str(node),
            "RESTATE_INGRESS__BIND_PORT": str(ingress),
            "RESTATE_ADMIN__BIND_PORT": str(admin),
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "warn",
        }
        hypercorn = Path(sys.executable).with_name("hypercorn")
        serve = [hypercorn, "-k", "uvloop", "-b", f"127.0.0.1:{service}", "restate_service:application"]
        with (Path(folder) / "log").open("wb") as log:
            processes = [
                subprocess.Popen([program, "--no-logo"], env=os.environ | settings, cwd=folder, stdout=log, stderr=log),
                subprocess.Popen(serve, cwd=HERE, stdout=log, stderr=log),
            ]
        told = {
            "store": "its own",
            "version": version("restate-sdk"),
            "server": json.loads((program.parents[1] / "package.json").read_bytes())["version"],
            "durability": "its defaults",
        }
        pids = [process.pid for process in processes]
        try:
            asyncio.run(measured(given, pids, Path(folder) / "data", told, (ingress, admin, service)))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


async def measured(
    given: argparse.Namespace, pids: list[int], data: Path, told: dict[str, Any], ports: tuple[int, int, int]
) -> None:
    import aiohttp
    from load import Running, measure
    from usage import size_of

    ingress, admin, service = ports
    timeout = aiohttp.ClientTimeout(600)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200), timeout=timeout) as session:
        await registered(session, admin, service)
        running = Running(pids, lambda: size_of(data), told)
        await measure("restate", Peer(session, ingress), running, given.work)


async def registered(session: aiohttp.ClientSession, admin: int, service: int) -> None:
    """Tell the server of the service, once both are there."""
    import aiohttp

    said = "nothing"
    for _ in range(300):
        try:
            asked = {"uri": f"http://127.0.0.1:{service}"}
            async with session.post(f"http://127.0.0.1:{admin}/deployments", json=asked) as answer:
                said = await answer.text()
                if answer.status < 300:
                    return
        except aiohttp.ClientError as error:
            said = str(error)
        await asyncio.sleep(0.1)
    raise RuntimeError(f"Restate does not take the service: {said[:300]}")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody has."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return found


if __name__ == "__main__":
    if "SEALFLOW_PEER" in os.environ:
        main()
    else:
        from install import main as launch

        sys.exit(launch("restate", __file__))
