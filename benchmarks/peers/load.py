"""The work that a peer is measured by, which is that of benchmarks/steps.py; one JSON line with the same keys.

Runs in the peer's environment and so needs nothing but Python. A peer brings a `Peer`: how it does one flow of so many
steps in a row, and one of so many steps at once; a step gives the payload with its number, which is known beforehand.

- `w1`: so many flows of ten steps, 100 at a time.
- `w2`: one such flow at a time, from its start until its end is known.
- `w3_s`: one flow of 1,000 parallel steps, seconds.
- `w4`: a flow of one step, like `w2`.
- processor time is that of all processes of the peer; a database server's is told apart; `peak_mb` is the sum of their
  peaks of resident memory. `other_cores`: what everybody else took meanwhile; figures of a busy machine are ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from usage import cpu, machine_cpu, peak_megabytes

STEPS = 10
AT_ONCE = 100
PATIENCE = 600.0

PAYLOADS: list[dict[str, Any]] = json.loads(Path(os.environ["SEALFLOW_PEER_PAYLOADS"]).read_text("utf-8"))
"""What goes in and out of steps, about 1 KiB each."""


def payload(number: int) -> dict[str, Any]:
    """The payload with this number, round and round."""
    return PAYLOADS[number % len(PAYLOADS)]


class Peer(Protocol):
    """How the peer does the work."""

    async def row(self, name: str, steps: int, number: int) -> None:
        """A flow of this unique name with so many steps in a row, from its start to its end."""
        ...

    async def fan(self, name: str, steps: int) -> int:
        """A flow of this unique name with so many steps at once; how many came back."""
        ...


@dataclass(frozen=True)
class Running:
    """The peer as it runs: the processes whose time and memory count, and how large what it keeps is, in bytes."""

    processes: list[int]
    size: Callable[[], int]
    told: dict[str, Any] = field(default_factory=dict)
    database: int | None = None


@dataclass(frozen=True)
class Options:
    """How much work it is: `lone` are the flows of `w2` and `w4`, `tries` those of `w3`, `at_once` those of `w1`."""

    flows: int
    lone: int
    fan: int
    tries: int
    warm: int
    at_once: int = AT_ONCE


def options(
    description: str | None, *, flows: int, lone: int, tries: int = 1, at_once: int = AT_ONCE, **more: Any
) -> argparse.Namespace:
    """The command line of a peer's script, with what suits its speed as the default. Gives `.work` as well."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=flows, help=f"flows of w1 ({flows})")
    parser.add_argument("--lone", type=int, default=lone, help=f"flows of w2 and of w4 ({lone})")
    parser.add_argument("--quick", action="store_true", help="very few flows: to see that it works")
    for name, given in more.items():
        parser.add_argument(f"--{name}", **given)
    found = parser.parse_args()
    quick = found.quick
    found.work = Options(
        flows=10 if quick else found.flows,
        lone=3 if quick else found.lone,
        fan=50 if quick else 1_000,
        tries=tries,
        warm=3 if quick else min(20, at_once),
        at_once=at_once,
    )
    return found


async def measure(bench: str, peer: Peer, running: Running, work: Options) -> None:
    """Do all of it and print the line."""
    await _many(peer, "warm", work.warm, work.at_once)
    size, busy, database = running.size(), cpu(running.processes), _database(running)
    everybody, began = machine_cpu(), time.perf_counter()
    await _many(peer, "w1", work.flows, work.at_once)
    seconds = time.perf_counter() - began
    busy, database = cpu(running.processes) - busy, _database(running) - database
    steps = work.flows * STEPS
    found: dict[str, Any] = {
        "bench": bench,
        "flows": work.flows,
        "at_once": work.at_once,
        **running.told,
        "w1": {
            "steps_per_s": round(steps / seconds, 1),
            "flows_per_s": round(work.flows / seconds, 1),
            "cpu_s_per_1k_steps": round(busy / steps * 1e3, 4),
            "bytes_per_step": round((running.size() - size) / steps),
        },
        "other_cores": round(max(0.0, machine_cpu() - everybody - busy - database) / seconds, 2),
    }
    if running.database is not None:
        found["w1"]["database_cpu_s_per_1k_steps"] = round(database / steps * 1e3, 4)
    for key, length in (("w2", STEPS), ("w4", 1)):
        taken = [await _timed(peer.row(f"{key}-{number}", length, number)) for number in range(work.lone)]
        found[key] = {"p50_ms": percentile(taken, 0.5), "p99_ms": percentile(taken, 0.99)}
    found["w3_s"] = round(min([await _timed(_fan(peer, f"w3-{n}", work.fan)) for n in range(work.tries)]), 4)
    found["peak_mb"] = peak_megabytes(running.processes)
    print(json.dumps(found), flush=True)


async def _many(peer: Peer, name: str, flows: int, at_once: int) -> None:
    numbers = iter(range(flows))

    async def lane() -> None:
        for number in numbers:
            await peer.row(f"{name}-{number}", STEPS, number)

    await asyncio.wait_for(asyncio.gather(*(lane() for _ in range(min(flows, at_once)))), PATIENCE)


async def _fan(peer: Peer, name: str, steps: int) -> None:
    came = await asyncio.wait_for(peer.fan(name, steps), PATIENCE)
    if came != steps:
        raise RuntimeError(f"{came} of {steps} parallel steps came back")


async def _timed(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def percentile(seconds: list[float], share: float) -> float:
    """Milliseconds that this share of them does not exceed."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2)


def _database(running: Running) -> float:
    return cpu([running.database]) if running.database is not None else 0.0
