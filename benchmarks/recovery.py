"""How long a start takes to bring unfinished runs back: through the engine as it is embedded, everything sealed; one
JSON line.

A process starts runs of five calls, the third of which never answers, and is killed there. Another one opens the
environment; the calls are made again, and answer. Each phase is a process of its own.

- `ready_s`: from the start of opening until every run's call was made again; `runs_per_s` is that, by the runs.
- `ended_s`: until every run has ended, in the same time.
- `asleep`: the same number of runs that wait for an hour. `open_s`: until the environment can be used, and `peak_mb`;
  beside `base`, where there are none.
- `peak_mb`: the peak of resident memory of the process that brought the runs back.

With `--sleeping N` instead: N runs wait, each for an hour or, all but `--woken M` of them (a tenth), for ten. `open` is
what it takes to open their environment and to be ready for more, `base` the same where there are none; `woken` what it
takes an hour later until those that are due have made their call and ended. `cpu_s` is processor time of that process.

    python benchmarks/recovery.py [--store sqlite|postgres] [--runs N] [--quick]
    python benchmarks/recovery.py --sleeping N [--woken M] [--store sqlite|postgres]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sealflow
from memory import call, megabytes
from work import ENVIRONMENT, definition, payloads, postgres_server

STUCK = 2
"""The number of the call that does not answer at first."""


def flow() -> dict[str, Any]:
    actions = {"step0": call("echo", payload="@triggerBody()")}
    for number in range(1, 5):
        before = f"step{number - 1}"
        name = "stuck" if number == STUCK else "echo"
        actions[f"step{number}"] = call(name, before, payload=f"@body('{before}')")
    return definition(actions)


def sleeper() -> dict[str, Any]:
    nap = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"step0": ["Succeeded"]}}
    return definition({"step0": call("echo", payload="@triggerBody()"), "nap": nap})


def napper() -> dict[str, Any]:
    nap = {"type": "Wait", "inputs": {"interval": {"count": "@triggerBody()?['hours']", "unit": "Hour"}}}
    return definition({"nap": nap, "step0": call("stuck", "nap", payload="@triggerBody()")})


class Later(sealflow.SystemClock):
    """The machine's clock, a little more than an hour ahead."""

    def now(self) -> int:
        return super().now() + 3_660 * 10_000_000


class Service:
    """Answers at once; the calls of `stuck` only if it is told to. Counts them, and knows when all were made."""

    def __init__(self, expected: int, *, answers: bool) -> None:
        self.stuck = 0
        self.all = asyncio.Event()
        self._expected = expected
        self._answers = answers

    async def __call__(self, asked: Any) -> Any:
        if asked.operation == "stuck":
            self.stuck += 1
            if self.stuck == self._expected:
                self.all.set()
            if not self._answers:
                await asyncio.Event().wait()
        return {"ok": True}


def opened(folder: Path, runs: int) -> sealflow.Engine:
    return sealflow.open(folder / "home", keystore=folder / "keystore.json", concurrency=max(runs, 1_000))


async def prepare(folder: Path, runs: int, url: str | None) -> None:
    async with opened(folder, runs) as engine:
        if url is not None:
            await engine.create_environment(ENVIRONMENT, database=url)
        await engine.environment(ENVIRONMENT)


async def begin(folder: Path, runs: int, what: dict[str, Any]) -> None:
    """Start the runs, and die when all have come to where they wait."""
    async with opened(folder, runs) as engine:
        service = Service(runs, answers=False)
        engine.connectors.register("bench", service)
        env = await engine.environment(ENVIRONMENT)
        deployed, bodies = await env.deploy("f", what), payloads()
        for number in range(runs):
            await env.start(deployed, bodies[number % len(bodies)])
        if "nap" in what["actions"]:
            while (executor := env._executor) is not None and executor.live:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        else:
            await service.all.wait()
        await env._vault.flush()
        os._exit(0)


async def nap(folder: Path, runs: int, woken: int) -> None:
    """Start runs that wait, and die when all of them sleep."""
    async with opened(folder, 1_000) as engine:
        env = await engine.environment(ENVIRONMENT)
        deployed, bodies = await env.deploy("f", napper()), payloads()
        for first in range(0, runs, 100):
            numbers = range(first, min(first + 100, runs))
            await asyncio.gather(
                *(
                    env.start(deployed, {"hours": 1 if number < woken else 10, "body": bodies[number % len(bodies)]})
                    for number in numbers
                )
            )
        while (executor := env._executor) is not None and executor.live:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await env._vault.flush()
        os._exit(0)


async def rouse(folder: Path, woken: int) -> dict[str, Any]:
    """Open the environment when these runs are due."""
    began = time.perf_counter()
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json", clock=Later()) as engine:
        service = Service(woken, answers=True)
        engine.connectors.register("bench", service)
        env = await engine.environment(ENVIRONMENT)
        await env._execute()
        await service.all.wait()
        while (executor := env._executor) is not None and executor.live:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        seconds = time.perf_counter() - began
    return {
        "runs": woken,
        "ended_s": round(seconds, 3),
        "runs_per_s": round(woken / seconds),
        "cpu_s": round(time.process_time(), 3),
        "peak_mb": megabytes(),
    }


async def resume(folder: Path, runs: int) -> dict[str, Any]:
    began = time.perf_counter()
    async with opened(folder, runs) as engine:
        service = Service(runs, answers=True)
        engine.connectors.register("bench", service)
        env = await engine.environment(ENVIRONMENT)
        await env._execute()
        await service.all.wait()
        ready = time.perf_counter() - began
        await env.idle()
        ended = time.perf_counter() - began
    return {
        "ready_s": round(ready, 3),
        "runs_per_s": round(runs / ready),
        "ended_s": round(ended, 3),
        "peak_mb": megabytes(),
    }


async def wake(folder: Path, runs: int) -> dict[str, Any]:
    """Open an environment whose runs all sleep."""
    began = time.perf_counter()
    async with opened(folder, 1_000) as engine:
        env = await engine.environment(ENVIRONMENT)
        executor = await env._execute()
        seconds = time.perf_counter() - began
        if executor is None or executor.live:
            raise RuntimeError("they were to sleep")
    return {"open_s": round(seconds, 3), "cpu_s": round(time.process_time(), 3), "peak_mb": megabytes()}


PHASES = ("prepare", "begin", "resume", "sleep", "wake", "nap", "rouse")


def phase(name: str, folder: Path, runs: int, url: str | None, woken: int = 0) -> dict[str, Any]:
    """One phase in a process of its own."""
    command = [sys.executable, __file__, "--phase", name, "--folder", str(folder), "--runs", str(runs)]
    command += ["--woken", str(woken)]
    done = subprocess.run([*command, *(["--url", url] if url else [])], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def carry_out(name: str, folder: Path, runs: int, url: str | None, woken: int) -> dict[str, Any]:
    match name:
        case "prepare":
            asyncio.run(prepare(folder, runs, url))
        case "begin":
            asyncio.run(begin(folder, runs, flow()))
        case "sleep":
            asyncio.run(begin(folder, runs, sleeper()))
        case "nap":
            asyncio.run(nap(folder, runs, woken))
        case "rouse":
            return asyncio.run(rouse(folder, woken))
        case "resume":
            return asyncio.run(resume(folder, runs))
        case "wake":
            return asyncio.run(wake(folder, runs))
    return {}


def sleeping(store: str, url: str | None, runs: int, woken: int) -> dict[str, Any]:
    """Measure an environment in which runs sleep."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        phase("prepare", folder, runs, url)
        base = phase("wake", folder, runs, url)
        phase("nap", folder, runs, url, woken)
        found = {"open": phase("wake", folder, runs, url), "base": base}
        if woken:
            found["woken"] = phase("rouse", folder, runs, url, woken)
    return {"bench": "recovery", "store": store, "sleeping": runs, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("postgres", "sqlite"), default="sqlite")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--sleeping", type=int, metavar="N", help="measure N sleeping runs")
    parser.add_argument("--woken", type=int, metavar="M", help="how many of them wake (a tenth)")
    parser.add_argument("--quick", action="store_true", help="few runs: to see that it works")
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        print(json.dumps(carry_out(options.phase, options.folder, options.runs, options.url, options.woken)))
        return
    runs = 200 if options.quick else options.runs
    url = postgres_server().url if options.store == "postgres" else None
    if options.sleeping is not None:
        many = 200 if options.quick else options.sleeping
        print(json.dumps(sleeping(options.store, url, many, many // 10 if options.woken is None else options.woken)))
        return
    with tempfile.TemporaryDirectory() as name:
        busy, quiet = Path(name) / "busy", Path(name) / "quiet"
        for folder in (busy, quiet):
            folder.mkdir()
            phase("prepare", folder, runs, url)
        base = phase("wake", quiet, runs, url)
        phase("begin", busy, runs, url)
        found = phase("resume", busy, runs, url)
        phase("sleep", quiet, runs, url)
        asleep = {**phase("wake", quiet, runs, url), "base": base}
    print(json.dumps({"bench": "recovery", "store": options.store, "runs": runs, **found, "asleep": asleep}))


if __name__ == "__main__":
    main()
