"""How much memory long runs take: through the engine as it is embedded, SQLite, everything sealed; one JSON line.

Each case runs in a process of its own. `peak_mb` is that process's peak of resident memory, `base_mb` what it took
before the run started. `slower` compares the processor time of an iteration in the last quarter with the second
quarter (the first warms up): 1.0 is flat.

- `foreach`: a Foreach over 100,000 items with three actions each, one of them a call, 50 iterations at a time.
- `foreach_kib`: the same over 20,000 items of 1 KiB, which come from a call.
- `bodies`: ten calls in a row, each of which gets a body of 5 MB and hands it to the next, through a Compose.
- `resume`: what `foreach` left when it was given up near its end, brought back by another process.

    python benchmarks/memory.py [case ...] [--items N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sealflow

CASES = ("foreach", "foreach_kib", "bodies", "resume")
S = ["Succeeded"]
BODY = 5_000_000


def megabytes() -> float:
    """The peak of this process's resident memory so far. It is kibibytes on Linux and bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def call(operation: str, *after: str, **parameters: Any) -> dict[str, Any]:
    """One operation of the benchmark's connector."""
    host = {
        "apiId": "/providers/Microsoft.PowerApps/apis/shared_bench",
        "connectionName": "c",
        "operationId": operation,
    }
    inputs = {"host": host, "parameters": parameters}
    return {"type": "OpenApiConnection", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


def compose(value: Any, *after: str) -> dict[str, Any]:
    """A Compose action."""
    return {"type": "Compose", "inputs": value, "runAfter": dict.fromkeys(after, S)}


def each(items: str, *after: str) -> dict[str, Any]:
    """A Foreach with three actions, one of them a call, 50 at a time."""
    body = {
        "name": compose("@concat('item ', string(item()))"),
        "send": call("echo", "name", name="@outputs('name')"),
        "seen": compose("@body('send')?['name']", "send"),
    }
    limits = {"concurrency": {"repetitions": 50}}
    loop = {"type": "Foreach", "foreach": items, "actions": body, "runtimeConfiguration": limits}
    return {**loop, "runAfter": dict.fromkeys(after, S)}


def definition(case: str, items: int) -> dict[str, Any]:
    """The flow of a case."""
    if case == "bodies":
        actions = {"call0": call("body", text=""), "keep0": compose("@body('call0')", "call0")}
        for number in range(1, 10):
            before = f"keep{number - 1}"
            actions[f"call{number}"] = call("body", before, text=f"@outputs('{before}')")
            actions[f"keep{number}"] = compose(f"@body('call{number}')", f"call{number}")
    elif case == "foreach_kib":
        actions = {"list": call("list", count=items // 5), "each": each("@body('list')", "list")}
    else:
        actions = {"each": each(f"@range(0, {items})")}
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


class Service:
    """The connector, which answers at once. `times` is the processor time at each hundredth `echo`."""

    def __init__(self, most: int | None = None) -> None:
        self.times: list[float] = []
        self.calls = 0
        self.enough = asyncio.Event()
        self._most = most

    async def __call__(self, asked: Any) -> Any:
        given = asked.inputs["parameters"]
        if asked.operation == "list":
            return [{"number": number, "text": "x" * 1_000} for number in range(given["count"])]
        if asked.operation == "body":
            return chr(ord("a") + len(given["text"]) % 26) * BODY
        self.calls += 1
        if self.calls == self._most:
            self.enough.set()
        if self.calls % 100 == 0:
            self.times.append(time.process_time())
        return given

    def slower(self) -> float:
        """The time of an iteration at the end, as a multiple of that at the start."""
        quarter = (len(self.times) - 1) // 4
        second = self.times[2 * quarter] - self.times[quarter]
        last = self.times[-1] - self.times[-1 - quarter]
        return round(last / second, 2)


async def measure(case: str, items: int, folder: Path) -> dict[str, Any]:
    """Run one case in this process."""
    service = Service(items * 9 // 10 if case == "leave" else None)
    places = {"keystore": folder / "keys.json", "resume": False}
    async with sealflow.open(folder / "home", **places) as engine:  # type: ignore[arg-type]
        engine.connectors.register("bench", service)
        env = await engine.environment("bench")
        base = megabytes()
        begun = time.perf_counter()
        if case == "resume":
            run = await env.run("latest")
            await run.resume()
        else:
            await env.deploy("f", definition(case, items), dialect="logic-apps")
            (run,) = await env.start("f", {})
        ready = time.perf_counter()
        if case == "leave":
            await service.enough.wait()
            return {}
        status = await run.wait()
        seconds = time.perf_counter() - begun
    found: dict[str, Any] = {"status": status, "peak_mb": megabytes(), "base_mb": base}
    if case == "resume":
        found["fold_s"] = round(ready - begun, 2)
    elif case != "bodies":
        found["slower"] = service.slower()
    return {**found, "seconds": round(seconds, 2), "calls": service.calls}


def alone(case: str, items: int, folder: str) -> dict[str, Any]:
    """Run one case in a process of its own."""
    command = [sys.executable, __file__, "--alone", folder, "--items", str(items), case]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print what the cases took."""
    options = argparse.ArgumentParser()
    options.add_argument("cases", nargs="*", default=list(CASES))
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--alone")
    given = options.parse_args()
    if given.alone is not None:
        print(json.dumps(asyncio.run(measure(given.cases[0], given.items, Path(given.alone)))))
        return
    result: dict[str, Any] = {"benchmark": "memory", "items": given.items}
    for case in given.cases:
        with tempfile.TemporaryDirectory() as folder:
            if case == "resume":
                alone("leave", given.items, folder)
            result[case] = alone(case, given.items, folder)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
