"""What actions cost that are evaluated and call nobody: through the engine as it is embedded, sealed; one JSON line.

- `loop`: one Foreach with three such actions and an If for each item. `slower` compares the last quarter of the items
  with the second: 1.0 is flat. `first_fifth_us` is an item's cost before the run is long.
- `composed`: flows of ten Compose and one call, 100 of them at a time; a step is any of the eleven.

    python benchmarks/foreach.py [--store sqlite|postgres] [--items N] [--flows N] [--quick]
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
from memory import call, megabytes
from work import ENVIRONMENT, STORES, Place, Service, definition, many, payloads, through_engine

AT_ONCE = 100
S = ["Succeeded"]


def compose(inputs: Any, *after: str) -> dict[str, Any]:
    return {"type": "Compose", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


def loop(items: int) -> dict[str, Any]:
    """A Foreach over so many small objects, one after the other, with a call at each tenth of them to take the time."""
    body = {
        "double": compose("@mul(items('each')?['n'], 2)"),
        "text": compose("row @{items('each')?['n']}: @{outputs('double')}", "double"),
        "large": {
            "type": "If",
            "expression": {"and": [{"greater": ["@outputs('double')", 1000]}]},
            "actions": {"shout": compose("@concat(outputs('text'), '!')")},
            "else": {"actions": {"say": compose("@outputs('text')")}},
            "runAfter": {"text": S},
        },
        "tenth": {
            "type": "If",
            "expression": {"equals": [f"@mod(items('each')?['n'], {max(1, items // 10)})", 0]},
            "actions": {"note": call("echo", payload="@items('each')")},
            "runAfter": {"large": S},
        },
    }
    each = {"type": "Foreach", "foreach": "@triggerBody()", "actions": body, "operationOptions": "Sequential"}
    return definition({"each": each})


def composed() -> dict[str, Any]:
    """Ten Compose, each of which reads the one before it, and one call."""
    actions: dict[str, Any] = {}
    for number in range(10):
        before = f"outputs('c{number - 1}')" if number else "triggerBody()"
        inputs = {
            "id": "@triggerBody()?['id']",
            "n": f"@add(coalesce({before}?['n'], 0), 1)",
            "note": "Item @{triggerBody()?['id']} @{toLower(concat('A', triggerBody()?['field3']))}",
            "big": "@and(greater(triggerBody()?['amount'], 10), equals(triggerBody()?['ok'], true))",
        }
        actions[f"c{number}"] = compose(inputs, *([f"c{number - 1}"] if number else []))
    return definition({**actions, "send": call("echo", "c9", payload="@outputs('c9')")})


class Timed(Service):
    """The connector; takes the processor time of every call."""

    def __init__(self) -> None:
        super().__init__(payloads())
        self.times: list[float] = []

    async def __call__(self, asked: Any) -> Any:
        self.times.append(time.process_time())
        return await super().__call__(asked)


async def of_loop(place: Place, items: int) -> dict[str, Any]:
    """One run over so many items."""
    service = Timed()
    async with place.engine() as engine:
        engine.connectors.register("bench", service)
        env = await engine.environment(ENVIRONMENT)
        flow = await env.deploy("loop", loop(items))
        before = await place.size()
        cpu, began = time.process_time(), time.perf_counter()
        (run,) = await env.start(flow, [{"n": number, "text": f"item {number}"} for number in range(items)])
        if (status := await run.wait()) != "Succeeded":
            raise RuntimeError(f"the run ended as {status}")
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
    times = service.times[-10:]
    return {
        "items": items,
        "items_per_s": round(items / seconds),
        "cpu_us_per_item": round(cpu / items * 1e6, 1),
        "first_fifth_us": round((times[2] - times[0]) / (items / 5) * 1e6, 1),
        "slower": round((times[9] - times[7]) / max(times[4] - times[2], 1e-9), 2),
        "bytes_per_item": round((await place.size() - before) / items),
    }


async def of_flows(place: Place, flows: int) -> dict[str, Any]:
    """So many flows of ten Compose and a call."""
    async with place.engine() as engine:
        engine.connectors.register("bench", Service(payloads()))
        env: sealflow.Environment = await engine.environment(ENVIRONMENT)
        flow = await through_engine(env, composed())
        await many(AT_ONCE, AT_ONCE, flow)
        commits, cpu = env._vault.commits, time.process_time()
        seconds = await many(flows, AT_ONCE, flow)
        commits, cpu = env._vault.commits - commits, time.process_time() - cpu
    steps = flows * 11
    return {
        "steps_per_s": round(steps / seconds),
        "cpu_s_per_1k_steps": round(cpu / steps * 1e3, 4),
        "commits_per_step": round(commits / steps, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=sorted(STORES), default="sqlite")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--flows", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="few items: to see that it works")
    options = parser.parse_args()
    items, flows = (1_000, 50) if options.quick else (options.items, options.flows)
    with tempfile.TemporaryDirectory() as folder:
        place = STORES[options.store](Path(folder))
        found = {"loop": asyncio.run(of_loop(place, items)), "composed": asyncio.run(of_flows(place, flows))}
    print(json.dumps({"bench": "foreach", "store": options.store, **found, "peak_mb": megabytes()}))


if __name__ == "__main__":
    main()
