"""How runs of many actions go: through the embedded engine, SQLite, everything sealed; one JSON line for each shape.

Each shape runs in a process of its own. `us` is microseconds of processor time for an action; `slower` compares the
last quarter of the actions with the second (the first warms up): 1.0 is flat. `peak_mb` is the process's peak of
resident memory.

- `sequence`: an Until of 5,000 iterations with 20 actions in a row, 100,000 actions.
- `definition`: 500 actions in one definition, in a row, in 200 runs one after the other.
- `branches`: 1,000 parallel branches of a call and a Compose each, in ten runs.
- `scopes`: eight scopes within each other around three actions, in an Until of 2,500 iterations.
- `read`: the whole result of a run that wrote 300,000 records, as `sealflow runs show` reads it; an action is one of
  its 300,000 entries.

    python benchmarks/long_runs.py [shape ...]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import memory
import sealflow
from memory import call, compose, megabytes

SHAPES = ("sequence", "definition", "branches", "scopes", "read")
STAMPS = 100
"""Times that are taken within a run, evenly spread."""


def row(count: int, value: Any = "@utcNow()") -> dict[str, Any]:
    """So many Compose actions, one after the other."""
    names = [f"a{number}" for number in range(count)]
    return {name: compose(value, *names[max(0, number - 1) : number]) for number, name in enumerate(names)}


def until(count: int, actions: dict[str, Any]) -> dict[str, Any]:
    """An Until of so many iterations that reports every so many of them to the benchmark."""
    every = max(1, count // STAMPS)
    note = {"type": "If", "expression": f"@equals(mod(iterationIndexes('loop'), {every}), 0)"}
    note = {**note, "actions": {"stamp": call("echo")}, "runAfter": {}}
    limit = {"count": count, "timeout": "P1D"}
    loop = {"type": "Until", "expression": "@false", "limit": limit, "actions": {"note": note, **actions}}
    return {"loop": loop}


def scopes(depth: int, actions: dict[str, Any]) -> dict[str, Any]:
    """The actions within so many scopes."""
    for number in range(depth):
        actions = {f"scope{number}": {"type": "Scope", "actions": actions}}
    return actions


def shape_of(name: str) -> tuple[dict[str, Any], int, int]:
    """The actions of a shape, how many an iteration or a run of it goes through, and how many runs are made."""
    if name == "sequence":
        return until(5_000, row(20)), 100_000, 1
    if name == "definition":
        return row(500), 500, 200
    if name == "branches":
        branches: dict[str, Any] = {}
        for number in range(1_000):
            branches |= {
                f"call{number}": call("echo", n=number),
                f"kept{number}": compose(f"@body('call{number}')", f"call{number}"),
            }
        return branches, 2_000, 10
    return until(2_500, scopes(8, row(3))), 2_500 * 11, 1


class Service(memory.Service):
    """The connector; takes the time of every call."""

    async def __call__(self, asked: Any) -> Any:
        self.times.append(time.process_time())
        return asked.inputs["parameters"]


async def measure(name: str, folder: Path) -> dict[str, Any]:
    """Run one shape in this process."""
    service = Service()
    async with sealflow.open(folder / "home", keystore=folder / "keys.json") as engine:
        engine.connectors.register("bench", service)
        env = await engine.environment("bench")
        actions, count, runs = shape_of(name)
        definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
        flow = await env.deploy("f", definition, dialect="logic-apps")
        times = [time.process_time()]
        for _ in range(runs):
            (run,) = await env.start(flow, {})
            status = await run.wait()
            times.append(time.process_time())
    taken = (times[-1] - times[0]) / (count * runs) * 1e6
    service.times = service.times if runs == 1 else times
    found = {"status": status, "us": round(taken, 2), "slower": service.slower(), "peak_mb": megabytes()}
    return {"benchmark": "long_runs", "shape": name, "actions": count * runs, **found}


async def read(folder: Path) -> dict[str, Any]:
    """Read what the long Foreach of the memory benchmark left."""
    async with sealflow.open(folder / "home", keystore=folder / "keys.json") as engine:
        env = await engine.environment("bench")
        begun = time.process_time()
        result = await (await env.run("latest")).result()
        seconds = time.process_time() - begun
    count = len(result.actions)
    found = {"status": result.status, "us": round(seconds / count * 1e6, 2), "peak_mb": megabytes()}
    return {"benchmark": "long_runs", "shape": "read", "actions": count, **found}


def main() -> None:
    """Print one line for each shape."""
    options = argparse.ArgumentParser()
    options.add_argument("shapes", nargs="*", default=list(SHAPES))
    options.add_argument("--alone")
    given = options.parse_args()
    if given.alone is not None:
        name, folder = given.shapes[0], Path(given.alone)
        print(json.dumps(asyncio.run(read(folder) if name == "read" else measure(name, folder))))
        return
    for name in given.shapes:
        with tempfile.TemporaryDirectory() as place:
            if name == "read":
                memory.alone("foreach", 100_000, place)
            subprocess.run([sys.executable, __file__, "--alone", place, name], check=True)


if __name__ == "__main__":
    main()
