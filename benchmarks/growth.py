"""Whether a step costs more where there are more of them: through the engine as it is embedded, sealed; one JSON line.

Microseconds of processor time for a step (`work`: a call with about 1 KiB in and out), by how many there were before.
Of some windows of the same size the cheapest counts, since other programs use the machine too. `slower` compares the
largest with the smallest: 1.0 is flat.

- `runs`: flows of ten steps in a store that holds so many runs.
- `steps`: one run, a Foreach of 50 calls at a time, after so many of them.
- `definition`: flows with so many calls in a row.

`--most` is the largest number of runs; a million of them take 1.2 GB. `mb` is the store then.

    python benchmarks/growth.py [case ...] [--store sqlite|postgres] [--most N] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import sealflow
from memory import call
from sealflow.engine.runtime.flows.start import new_run_id
from sealflow.storage import Vault
from work import ENVIRONMENT, STORES, Place, Service, definition, in_a_row, many, payloads, through_engine

CASES = ("runs", "steps", "definition")
AT_ONCE = 50
WINDOWS = 7


class Watched(Service):
    """The connector; takes the processor time of every call."""

    def __init__(self) -> None:
        super().__init__(payloads())
        self.times: list[float] = []

    async def __call__(self, asked: Any) -> Any:
        self.times.append(time.process_time())
        return await super().__call__(asked)


async def fill(vault: Vault, flow: sealflow.Flow, runs: int) -> None:
    """So many more runs that have ended, of one page each. Their ids are ordered by time, as those of all runs."""
    for number in range(runs):
        run_id = new_run_id(time.time_ns() // 100)
        log = vault.create_run(run_id, flow.id, flow.version, 5, {"flow": flow.name})
        log.append([[1, 0, "a record"]], status=2, ended_ms=9)
        log.close()
        if number % 500 == 499:
            await vault.flush()
    await vault.flush()


async def of_flows(env: sealflow.Environment, steps: int) -> float:
    """Microseconds for a step of flows with so many."""
    flow = await through_engine(env, in_a_row(steps))
    flows = max(AT_ONCE, 1_000 // steps)
    await many(flows, AT_ONCE, flow)
    taken = []
    for _ in range(WINDOWS):
        began = time.process_time()
        await many(flows, AT_ONCE, flow)
        taken.append((time.process_time() - began) / (flows * steps))
    return min(taken) * 1e6


async def in_one_run(env: sealflow.Environment, service: Watched, sizes: list[int]) -> dict[int, float]:
    """Microseconds for a step of one run, before it has had so many."""
    loop = {
        "type": "Foreach",
        "foreach": f"@range(0, {sizes[-1]})",
        "actions": {"step": call("echo", payload="@triggerBody()")},
        "runtimeConfiguration": {"concurrency": {"repetitions": AT_ONCE}},
    }
    flow = await env.deploy("loop", definition({"loop": loop}), dialect="logic-apps")
    (run,) = await env.start(flow, payloads()[0])
    if (status := await run.wait()) != "Succeeded":
        raise RuntimeError(f"the run ended as {status}")
    found = {}
    for size in sizes:
        window = max(AT_ONCE, size // 2 // WINDOWS // AT_ONCE * AT_ONCE)
        ends = [end for number in range(WINDOWS) if (end := size - 1 - number * window) >= window]
        found[size] = min(service.times[end] - service.times[end - window] for end in ends) / window * 1e6
    return found


async def measure(case: str, place: Place, sizes: list[int]) -> dict[str, Any]:
    """One case: what a step took by size."""
    service = Watched()
    found: dict[int, float] = {}
    async with place.engine() as engine:
        engine.connectors.register("bench", service)
        env = await engine.environment(ENVIRONMENT)
        if case == "steps":
            found = await in_one_run(env, service, sizes)
        else:
            there = 0
            flow = await env.deploy("filled", in_a_row(1))
            for size in sizes:
                if case == "runs":
                    await fill(env._vault, flow, size - there)
                    there = size
                found[size] = await of_flows(env, 10 if case == "runs" else size)
    us = {str(size): round(taken, 1) for size, taken in found.items()}
    return {"us": us, "slower": round(found[sizes[-1]] / found[sizes[0]], 2)}


def megabytes_in(folder: Path) -> int:
    """What the files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1_000_000


def up_to(most: int) -> list[int]:
    """A thousand, ten thousand and so on, and the largest."""
    return [*(size for size in (1_000, 10_000, 100_000, 1_000_000) if size < most), most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--store", choices=sorted(STORES), default="sqlite")
    parser.add_argument("--most", type=int, default=100_000, help="the largest number of runs")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    options = parser.parse_args()
    sizes = {
        "runs": [100, 500] if options.quick else up_to(options.most),
        "steps": [500, 1_000] if options.quick else [1_000, 10_000, 100_000],
        "definition": [10, 50] if options.quick else [10, 100, 500],
    }
    result: dict[str, Any] = {"bench": "growth", "store": options.store}
    for case in options.cases:
        with tempfile.TemporaryDirectory() as folder:
            result[case] = asyncio.run(measure(case, STORES[options.store](Path(folder)), sizes[case]))
            if options.store == "sqlite":
                result[case]["mb"] = megabytes_in(Path(folder))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
