"""Several processes on one environment in PostgreSQL: `w1` of steps.py shared out, for `steps.py --workers N`.

Each process starts its share of the flows and drives it, all at the same time, each with as many at a time as one has
alone. The time is from the word to begin until the last one is done. Beside it stands the same with one process,
measured right before, how many times as much the several did, and how many times as much they could have done: see
`most` in limits.py.
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
from limits import Taken, cpu_of, machine_cpu, most, scale
from work import ENVIRONMENT, Postgres, Service, in_a_row, many, payloads, through_engine

WARM = 50
"""Flows of each process that go first and do not count."""
ROUNDS = 3
"""How often one and several are measured in turn; the round whose ratio is the median is told."""


async def one_and_several(place: Postgres, flows: int, at_once: int, steps: int, workers: int) -> dict[str, Any]:
    """The report. Each side has all the flows."""
    async with place.engine() as engine:
        await engine.environment(ENVIRONMENT)
    rounds = []
    for _ in range(ROUNDS):
        processors = await asyncio.to_thread(scale)
        alone, _ = await _measure(place, flows, at_once, steps, 1)
        together, more = await _measure(place, flows, at_once, steps, workers)
        rounds.append((together.rate / alone.rate, processors, alone, together, more))
    ratio, processors, alone, together, more = sorted(rounds, key=lambda each: each[0])[len(rounds) // 2]
    return {
        "w1": {**together.to_json(), **more},
        "one": alone.to_json(),
        "ratio": round(ratio, 2),
        "ratios": [round(each[0], 2) for each in rounds],
        "machine_processors": round(processors, 2),
        "ratio_possible": round(most(alone, workers, processors), 2),
    }


async def _measure(
    place: Postgres, flows: int, at_once: int, steps: int, workers: int
) -> tuple[Taken, dict[str, float]]:
    before = await place.size()
    processes = await asyncio.to_thread(_started, place, flows // workers, at_once, steps, workers)
    for process in processes:
        await asyncio.to_thread(_line, process)  # that it is ready
    server, everybody, began = cpu_of([place.server_pid]), machine_cpu(), time.perf_counter()
    for process in processes:
        _write(process)
    done = [json.loads(await asyncio.to_thread(_line, process)) for process in processes]
    seconds = time.perf_counter() - began
    server, everybody = cpu_of([place.server_pid]) - server, machine_cpu() - everybody
    for process in processes:
        process.communicate()
    made = flows // workers * workers * steps
    cpus, committing = [each["cpu"] for each in done], [each["committing"] for each in done]
    more = {
        "flows_per_s": round(made / steps / seconds),
        "bytes_per_step": round((await place.size() - before) / (made + WARM * workers * steps)),
        "commits_per_step": round(sum(each["commits"] for each in done) / made, 4),
    }
    return Taken(made, seconds, cpus, server, everybody, committing), more


def _started(place: Postgres, flows: int, at_once: int, steps: int, workers: int) -> list[subprocess.Popen[str]]:
    command = [sys.executable, __file__, str(place.folder), *map(str, (flows, at_once, steps))]
    pipe = subprocess.PIPE
    return [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(workers)]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _write(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("begin\n")
    process.stdin.flush()


class Commits:
    """How long a backend had a commit under way."""

    def __init__(self, backend: Any) -> None:
        self.seconds = 0.0
        real = backend.commit

        async def commit(batch: Any) -> Any:
            began = time.perf_counter()
            try:
                return await real(batch)
            finally:
                self.seconds += time.perf_counter() - began

        backend.commit = commit


async def work(folder: Path, flows: int, at_once: int, steps: int) -> None:
    """One of the processes."""
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json") as engine:
        engine.connectors.register("bench", Service(payloads()))
        env = await engine.environment(ENVIRONMENT)
        flow = await through_engine(env, in_a_row(steps))
        await many(WARM, at_once, flow)
        under_way = Commits(env._vault._backend)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        commits, cpu = env._vault.commits, time.process_time()
        await many(flows, at_once, flow)
        found = {"commits": env._vault.commits - commits, "cpu": time.process_time() - cpu}
        print(json.dumps({**found, "committing": under_way.seconds}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name in ("flows", "at_once", "steps"):
        parser.add_argument(name, type=int)
    asyncio.run(work(**vars(parser.parse_args())))
