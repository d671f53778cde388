"""How fast durable steps are: through the engine as it is embedded, everything sealed; one JSON line.

A step is a call of a connector that does nothing, with about 1 KiB of JSON in and out, and it is durable before the
next one begins.

- `w1`: 1,000 flows of ten steps in a row, 100 of them at a time: throughput; processor time, bytes on disk, and
  commits for a step.
- `w2`: one such flow at a time, from its start to the answer of `wait`.
- `w3_s`: one flow of 1,000 parallel steps, seconds; the best of three.
- `w4`: a flow of one step, like `w2`; its median.
- `peak_mb`: the process's peak of resident memory.
- `storage`, with `--bound`: the upper bound. Storage alone writes what `w1` has written, record by record as equal: no
  definition, no expressions, no calls.

In PostgreSQL `w1` also has the server's processor time. With `--workers N` above one there is `w1` alone, of N
processes together, beside that of one; see workers.py.

    python benchmarks/steps.py [--store sqlite|postgres] [--workers N] [--flows N] [--bound] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import sealflow
from limits import cpu_of
from memory import megabytes
from sealflow.engine.kernel.contract.records import NAMED, NAMING
from work import (
    ENVIRONMENT,
    STORES,
    Lane,
    Place,
    Postgres,
    Service,
    in_a_row,
    many,
    payloads,
    percentile,
    side_by_side,
    through_engine,
)
from workers import one_and_several

STEPS = 10
ROW = in_a_row(STEPS)
AT_ONCE = 100
WARM = 50
"""Flows that go first and do not count."""
FANS = 3
"""How often `w3` is tried; the best counts."""


async def w1(place: Place, flows: int, opened: Callable[[sealflow.Environment], Awaitable[Lane]]) -> dict[str, Any]:
    """Throughput of what `opened` gives, on a store of its own session: closed, everything is in its files."""
    async with place.engine() as engine:
        await engine.environment(ENVIRONMENT)  # an empty store has a size, too
    before = await place.size()
    async with place.engine() as engine:
        engine.connectors.register("bench", Service(payloads()))
        env = await engine.environment(ENVIRONMENT)
        flow = await opened(env)
        await many(WARM, AT_ONCE, flow)
        commits, cpu, theirs = env._vault.commits, time.process_time(), _server_cpu(place)
        seconds = await many(flows, AT_ONCE, flow)
        commits, cpu = env._vault.commits - commits, time.process_time() - cpu
        theirs = _server_cpu(place) - theirs
    steps = flows * STEPS
    return {
        "steps_per_s": round(steps / seconds),
        "flows_per_s": round(flows / seconds),
        "cpu_s_per_1k_steps": round(cpu / steps * 1e3, 4),
        **({"server_cpu_s_per_1k_steps": round(theirs / steps * 1e3, 4)} if theirs else {}),
        "bytes_per_step": round((await place.size() - before) / (steps + WARM * STEPS)),
        "commits_per_step": round(commits / steps, 4),
    }


def _server_cpu(place: Place) -> float:
    """The processor time of a server that the store is in, so far."""
    return cpu_of([place.server_pid]) if isinstance(place, Postgres) and sys.platform == "linux" else 0.0


async def storage_alone(env: sealflow.Environment) -> Lane:
    """What such a run writes, without anybody who decides it: the pages of the latest one, each durable before the
    next.
    """
    vault = env._vault
    (info,) = await vault.runs(flow_id=(await env.deploy(f"{STEPS} steps", ROW)).id, limit=1)
    *pages, last = [page.records async for page in vault.read_run(info.run_id)]

    async def flow(number: int) -> None:
        log = vault.create_run(os.urandom(16), info.flow_id, info.version, info.started_ms, info.summary)
        log.zips = True
        log.name_values(NAMING, NAMED)
        for records in pages:
            await durable(partial(log.append, records))
        end = partial(log.append, last, status=info.status, ended_ms=info.ended_ms, summary=info.summary, head=True)
        await durable(end)
        log.close()

    return flow


async def durable(append: Callable[..., object]) -> None:
    """Append and wait until it is on disk."""
    done = asyncio.get_running_loop().create_future()
    append(on_durable=partial(done.set_result, None))
    await done


async def latencies(place: Place, lone: int, fan: int) -> dict[str, Any]:
    """One run at a time."""
    found: dict[str, Any] = {}
    async with place.engine() as engine:
        engine.connectors.register("bench", Service(payloads()))
        env = await engine.environment(ENVIRONMENT)
        for key, definition, times in (("w2", ROW, lone), ("w3", side_by_side(fan), FANS), ("w4", in_a_row(1), lone)):
            flow = await through_engine(env, definition)
            await flow(0)
            taken = []
            for number in range(times):
                began = time.perf_counter()
                await flow(number)
                taken.append(time.perf_counter() - began)
            if key == "w3":
                found["w3_s"] = round(min(taken), 4)
            else:
                found[key] = {"p50_ms": percentile(taken, 0.5)}
                if key == "w2":
                    found[key]["p99_ms"] = percentile(taken, 0.99)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=sorted(STORES), default="sqlite")
    parser.add_argument("--workers", type=int, default=1, help="processes that share w1 (PostgreSQL only)")
    parser.add_argument("--flows", type=int, default=1_000, help="flows of w1")
    parser.add_argument("--bound", action="store_true", help="also what storage alone reaches")
    parser.add_argument("--quick", action="store_true", help="few flows: to see that it works")
    options = parser.parse_args()
    flows, lone, fan = (100, 20, 100) if options.quick else (options.flows, 300, 1_000)
    if options.workers > 1 and options.store != "postgres":
        parser.error("a store in SQLite has one worker")
    with tempfile.TemporaryDirectory() as folder:
        place = STORES[options.store](Path(folder))
        if isinstance(place, Postgres) and options.workers > 1:
            shared = asyncio.run(one_and_several(place, flows, AT_ONCE, STEPS, options.workers))
            print(json.dumps({"bench": "steps", "store": options.store, "workers": options.workers, **shared}))
            return
        found = {"w1": asyncio.run(w1(place, flows, lambda env: through_engine(env, ROW)))}
        found |= asyncio.run(latencies(place, lone, fan))
        found["peak_mb"] = megabytes()
        if options.bound:
            found["storage"] = asyncio.run(w1(place, flows, storage_alone))
    print(json.dumps({"bench": "steps", "store": options.store, **found}))


if __name__ == "__main__":
    main()
