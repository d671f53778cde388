"""What the PostgreSQL server works and writes for a step, while one worker is kept busy: one JSON line.

The work is `w1` of steps.py. How many steps a second a database can take follows from it: processors over
`server_cpu_s_per_1k_steps`, and the log's bandwidth over `wal_bytes_per_step`, whichever is less.

    python benchmarks/database.py [--flows N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sealflow
from steps import AT_ONCE, ROW, STEPS, WARM
from work import ENVIRONMENT, Service, many, payloads, postgres_server, through_engine

sys.path.insert(0, str(Path(__file__).with_name("peers")))
from usage import cpu


async def logged(url: str) -> tuple[int, int]:
    """How many bytes of write-ahead log there were so far, and how large the database is."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        position: int = await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()
    return position, size


async def measure(folder: Path, flows: int) -> dict[str, Any]:
    server = postgres_server()
    postmaster = int((server.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0])
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json") as engine:
        await engine.create_environment(ENVIRONMENT, database=server.url)
        engine.connectors.register("bench", Service(payloads()))
        flow = await through_engine(await engine.environment(ENVIRONMENT), ROW)
        await many(WARM, AT_ONCE, flow)
        log, size = await logged(server.url)
        theirs, ours = cpu([postmaster]), time.process_time()
        seconds = await many(flows, AT_ONCE, flow)
        theirs, ours = cpu([postmaster]) - theirs, time.process_time() - ours
        log_after, size_after = await logged(server.url)
    steps = flows * STEPS
    return {
        "steps_per_s": round(steps / seconds),
        "worker_cpu_s_per_1k_steps": round(ours / steps * 1e3, 4),
        "server_cpu_s_per_1k_steps": round(theirs / steps * 1e3, 4),
        "wal_bytes_per_step": round((log_after - log) / steps),
        "bytes_per_step": round((size_after - size) / steps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=1_000)
    given = parser.parse_args()
    if sys.platform != "linux":
        parser.error("processor time of the server is read from /proc, which is Linux's")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given.flows))
    print(json.dumps({"bench": "database", "flows": given.flows, **found}))


if __name__ == "__main__":
    main()
