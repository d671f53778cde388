"""What one flow can do to the others: the worst flows there are, one after the other, beside runs of a short flow.

    ./dev bench fairness [--only NAME] [--scale 1.0] [--seconds 10] [--stacks 50]

One JSON line. For each flow:

- `stretch_ms`: the longest processor time of the event loop's thread between two of its turns for others, `wall_ms` the
  same by the clock, which counts what other programs do on the machine too; `garbage_ms` is the longest look of
  Python's own for garbage, which is part of either;
- `wait_ms`: the longest that a run of the short flow took;
- `dropped_s`: how long after its revocation the customer's key was unusable, with a probe time of 2 s (the bound is 4);
- `seconds`: how long the flow took, or was watched.

`--stacks MS` writes to stderr where the loop stood whenever its thread had worked for so long.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import sealflow
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage.keys.providers.file import create_key, disable_key, uri_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from worst_flows import WORST, definition, script

ENVIRONMENT = "bench"
PROBE = 2.0
BEAT = 0.005

SHORT: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "one": {"type": "Compose", "inputs": "@triggerBody()"},
        "two": {"type": "Compose", "inputs": "@outputs('one')", "runAfter": {"one": ["Succeeded"]}},
    },
}


class Meter:
    """Watches the event loop it is started on."""

    def __init__(self, stacks: float | None) -> None:
        self.longest = self.wall = self.collected = 0.0
        self._collecting = 0.0
        gc.callbacks.append(self._collect)
        self._stacks = stacks
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._beat = time.thread_time()
        self._thread = threading.get_ident()
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._ended = threading.Event()
        if stacks is not None:
            threading.Thread(target=self._sample, daemon=True).start()

    async def _run(self) -> None:
        while True:
            self._beat, before = time.thread_time(), time.perf_counter()
            await asyncio.sleep(BEAT)
            self.longest = max(self.longest, time.thread_time() - self._beat)
            self.wall = max(self.wall, time.perf_counter() - before - BEAT)

    def _collect(self, phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self.collected = max(self.collected, time.perf_counter() - self._collecting)

    def _sample(self) -> None:
        assert self._stacks is not None
        told = 0.0
        while not self._ended.wait(0.005):
            beat = self._beat
            late = time.clock_gettime(self._clock) - beat
            if late > self._stacks and beat != told:
                told = beat
                stack = traceback.extract_stack(sys._current_frames().get(self._thread))[-9:]
                calls = [f"{Path(each.filename).stem}.{each.name}:{each.lineno}" for each in stack]
                print(f"{late * 1e3:.0f} ms", " ".join(calls), file=sys.stderr)

    async def stop(self) -> None:
        self._ended.set()
        gc.callbacks.remove(self._collect)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _neighbours(env: Environment, flow: Any, waits: list[float]) -> None:
    while True:
        before = time.perf_counter()
        (run,) = await env.start(flow, {"n": 1})
        await run.wait()
        waits.append(time.perf_counter() - before)
        await asyncio.sleep(0.01)


def _forgotten(env: Environment) -> bool:
    opened = env._access._opened
    return opened is None or opened.vault._keyring._forgotten


def _watch_drop(env: Environment, keys: Path, dropped: list[float]) -> None:
    disable_key(keys, "main")
    before = time.perf_counter()
    while not _forgotten(env) and time.perf_counter() < before + 120:
        time.sleep(0.005)
    dropped.append(time.perf_counter() - before)


async def _case(name: str, folder: Path, scale: float, seconds: float, stacks: float | None) -> dict[str, Any]:
    keys = folder / "customer.json"
    create_key(keys, "main")
    async with sealflow.open(folder / "home", keystore=folder / "keys" / "k.json") as engine:
        admin = engine.administration("bench")
        await engine.create_environment(ENVIRONMENT)
        await admin.create_policy("main", uri_of(keys, "main"), probe=PROBE, grace=1800)
        await admin.apply("main", ENVIRONMENT)
        env = await engine.environment(ENVIRONMENT)
        short = await env.deploy("short", SHORT)
        if name == "script":
            path = folder / "worst.robin"
            path.write_text(script(scale), "utf-8")
            worst = await env.deploy("worst", path)
        else:
            worst = await env.deploy("worst", definition(name, scale))
        (run,) = await env.start(short, {"n": 1})
        await run.wait()
        waits: list[float] = []
        meter = Meter(stacks)
        neighbours = asyncio.ensure_future(_neighbours(env, short, waits))
        await asyncio.sleep(0.1)
        before = time.perf_counter()
        status = "Running"

        async def work() -> str:
            (run,) = await env.start(worst)
            await run.wait()
            return await run.wait()

        working = asyncio.ensure_future(work())
        with contextlib.suppress(TimeoutError):
            status = await asyncio.wait_for(asyncio.shield(working), seconds)
        took = time.perf_counter() - before
        waited = max(waits, default=took)
        again = working if not working.done() else asyncio.ensure_future(work())
        dropped: list[float] = []
        watching = threading.Thread(target=_watch_drop, args=(env, keys, dropped))
        watching.start()
        while watching.is_alive():
            await asyncio.sleep(0.01)
            if again.done() and not _forgotten(env):
                again = asyncio.ensure_future(work())
        await asyncio.gather(again, return_exceptions=True)
        neighbours.cancel()
        await asyncio.gather(neighbours, return_exceptions=True)
        await meter.stop()
    return {
        "stretch_ms": round(meter.longest * 1e3),
        "wall_ms": round(meter.wall * 1e3),
        "garbage_ms": round(meter.collected * 1e3),
        "wait_ms": round(max(waited, max(waits, default=0)) * 1e3),
        "dropped_s": round(dropped[0], 2),
        "seconds": round(took, 2),
        "status": status,
    }


async def _all(arguments: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in [*WORST, "script"] if arguments.only is None else arguments.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            stacks = arguments.stacks / 1e3 if arguments.stacks else None
            found[name] = await _case(name, Path(folder), arguments.scale, arguments.seconds, stacks)
        if arguments.verbose:
            print(name, found[name], file=sys.stderr)
    return {
        "longest_stretch_ms": max(each["stretch_ms"] for each in found.values()),
        "longest_wait_ms": max(each["wait_ms"] for each in found.values()),
        "latest_drop_s": max(each["dropped_s"] for each in found.values()),
        "bound_s": PROBE + 2,
        "flows": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names of flows, with commas between them")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--stacks", type=float)
    parser.add_argument("--verbose", action="store_true")
    print(json.dumps(asyncio.run(_all(parser.parse_args()))))


if __name__ == "__main__":
    main()
