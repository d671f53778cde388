"""DBOS Transact on the work of benchmarks/steps.py, in SQLite as it comes or in PostgreSQL; one JSON line.

Workflows are called in this process and nobody polls for their results: the best case for DBOS.

    python benchmarks/peers/dbos_steps.py [--store sqlite|postgres] [--flows N] [--lone N] [--quick]
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

STORES = {"choices": ("sqlite", "postgres"), "default": "sqlite"}


def main() -> None:
    from dbos import DBOS
    from load import Running, measure, options, payload
    from usage import size_of

    given = options(__doc__, flows=200, lone=50, tries=3, store=STORES)

    @DBOS.step()
    async def step(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return payload(number)

    @DBOS.workflow()
    async def in_a_row(steps: int, body: dict[str, Any]) -> dict[str, Any]:
        for number in range(steps):
            body = await step(number, body)
        return body

    @DBOS.workflow()
    async def side_by_side(steps: int, body: dict[str, Any]) -> int:
        return len(await asyncio.gather(*(step(number, body) for number in range(steps))))

    class Peer:
        async def row(self, name: str, steps: int, number: int) -> None:
            await in_a_row(steps, payload(number))

        async def fan(self, name: str, steps: int) -> int:
            came: int = await side_by_side(steps, payload(0))
            return came

    with tempfile.TemporaryDirectory(prefix="sealflow-peer-") as folder:
        file = Path(folder) / "dbos.sqlite"
        url = f"sqlite:///{file}" if given.store == "sqlite" else database()
        DBOS(
            config={
                "name": "bench",
                "system_database_url": url,
                "log_level": "ERROR",
                "run_admin_server": False,
            }
        )
        DBOS.launch()
        told = {"store": given.store, "version": version("dbos"), "durability": "fsync, synchronous_commit"}
        if given.store == "sqlite":
            with sqlite3.connect(file) as connection:
                told["durability"] = f"journal_mode={connection.execute('PRAGMA journal_mode').fetchone()[0]}"
            running = Running([os.getpid()], lambda: size_of(Path(folder)), told)
        else:
            pid = int(os.environ["SEALFLOW_PEER_DATABASE_PID"])
            running = Running([os.getpid()], lambda: database_size(url), told, pid)
        asyncio.run(measure("dbos", Peer(), running, given.work))
        DBOS.destroy()
    sys.stdout.flush()
    os._exit(0)  # threads of its pool wait for nobody


def database() -> str:
    """A new database on the server that runs for this."""
    import psycopg

    server = os.environ["SEALFLOW_PEER_DATABASE"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dbos_bench")
    return server.rpartition("/")[0] + "/dbos_bench"


def database_size(url: str) -> int:
    """Bytes of the database on disk, without the write-ahead log."""
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    if "SEALFLOW_PEER" in os.environ:
        main()
    else:
        from install import main as launch

        sys.exit(launch("dbos", __file__, postgres="postgres" in sys.argv))
