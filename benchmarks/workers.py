"""Several processes on one environment in PostgreSQL: `w1` of steps.py shared out, for `steps.py --workers N`.

Each process starts its share of the flows and drives it, all at the same time. The time is from the word to begin until
the last one is done; processor time is that of all of them, the server's not included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import sealflow
from work import ENVIRONMENT, Place, Postgres, Service, in_a_row, many, payloads, through_engine

WARM = 50
"""Flows of each process that go first and do not count."""


async def w1_of_workers(place: Postgres, flows: int, at_once: int, steps: int, workers: int) -> dict[str, Any]:
    """As steps.py has it, of all processes together."""
    await _prepare(place)
    before = await place.size()
    processes = await asyncio.to_thread(_started, place, flows // workers, at_once // workers, steps, workers)
    for process in processes:
        await asyncio.to_thread(_line, process)  # that it is ready
    began = time.perf_counter()
    for process in processes:
        _write(process)
    done = [json.loads(await asyncio.to_thread(_line, process)) for process in processes]
    seconds = time.perf_counter() - began
    for process in processes:
        process.communicate()
    made = flows // workers * workers * steps
    return {
        "steps_per_s": round(made / seconds),
        "flows_per_s": round(made / steps / seconds),
        "cpu_s_per_1k_steps": round(sum(each["cpu"] for each in done) / made * 1e3, 4),
        "bytes_per_step": round((await place.size() - before) / (made + WARM * workers * steps)),
        "commits_per_step": round(sum(each["commits"] for each in done) / made, 4),
    }


def _started(place: Postgres, flows: int, at_once: int, steps: int, workers: int) -> list[subprocess.Popen[str]]:
    command = [sys.executable, __file__, str(place.folder), *map(str, (flows, at_once, steps))]
    pipe = subprocess.PIPE
    return [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(workers)]


async def _prepare(place: Place) -> None:
    async with place.engine() as engine:
        await engine.environment(ENVIRONMENT)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _write(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("begin\n")
    process.stdin.flush()


async def work(folder: Path, flows: int, at_once: int, steps: int) -> None:
    """One of the processes."""
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json") as engine:
        engine.connectors.register("bench", Service(payloads()))
        env = await engine.environment(ENVIRONMENT)
        flow = await through_engine(env, in_a_row(steps))
        await many(WARM, at_once, flow)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        commits, cpu = env._vault.commits, time.process_time()
        await many(flows, at_once, flow)
        found = {"commits": env._vault.commits - commits, "cpu": time.process_time() - cpu}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name in ("flows", "at_once", "steps"):
        parser.add_argument(name, type=int)
    asyncio.run(work(**vars(parser.parse_args())))
