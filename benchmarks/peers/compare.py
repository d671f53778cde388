"""Sealflow beside its peers, pair by pair on this machine in the same minutes: what each measures, then the ratios.

Both sides do the work of benchmarks/steps.py, in turns, so that a busy machine is busy for both. A line of JSON for
everything that was measured, then one for each pair with the median of the ratios; above 1 Sealflow is better. What is
compared is as each product comes: Sealflow seals everything, embedded in the process that calls it; DBOS and Prefect
run in the process too, Temporal and Restate are asked over a socket.

    python benchmarks/peers/compare.py [PEER ...] [--rounds N] [--quick] [--table]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from install import NotInstalled, python_of

HERE = Path(__file__).resolve().parent
OURS = HERE.parent / "steps.py"

Measured = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A peer with its arguments, and the store in which Sealflow does the same. `wanted`: the ratios aimed at."""

    peer: str
    arguments: tuple[str, ...]
    store: str
    wanted: dict[str, float]


FOUR_TIMES = {"w2": 4.0, "w3": 10.0, "w4": 4.0}
PAIRS = {
    "dbos-sqlite": Pair("dbos", ("--store", "sqlite"), "sqlite", {"w1": 80.0, **FOUR_TIMES}),
    "dbos-postgres": Pair("dbos", ("--store", "postgres"), "postgres", {"w1": 30.0, **FOUR_TIMES}),
    "restate": Pair("restate", (), "sqlite", {"w1": 10.0, **FOUR_TIMES}),
    "temporal": Pair("temporal", (), "sqlite", FOUR_TIMES),
    "temporal-local": Pair("temporal", ("--local",), "sqlite", FOUR_TIMES),
    "prefect": Pair("prefect", (), "sqlite", FOUR_TIMES),
}

Ratio = Callable[[Measured, Measured], float]
RATIOS: dict[str, tuple[str, Ratio]] = {
    "w1": ("steps a second, many flows", lambda ours, peer: ours["w1"]["steps_per_s"] / peer["w1"]["steps_per_s"]),
    "w2": ("one flow of ten steps", lambda ours, peer: peer["w2"]["p50_ms"] / ours["w2"]["p50_ms"]),
    "w3": ("1,000 parallel steps", lambda ours, peer: peer["w3_s"] / ours["w3_s"]),
    "w4": ("one flow of one step", lambda ours, peer: peer["w4"]["p50_ms"] / ours["w4"]["p50_ms"]),
    "cpu": (
        "processor time",
        lambda ours, peer: peer["w1"]["cpu_s_per_1k_steps"] / ours["w1"]["cpu_s_per_1k_steps"],
    ),
    "bytes": ("bytes on disk", lambda ours, peer: peer["w1"]["bytes_per_step"] / ours["w1"]["bytes_per_step"]),
    "memory": ("memory", lambda ours, peer: peer["peak_mb"] / ours["peak_mb"]),
}


def run(command: list[str]) -> Measured:
    """The line of JSON that a benchmark prints last."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}")
    found: Measured = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(name: str, pair: Pair, rounds: int, quick: bool) -> dict[str, Any]:
    """Both sides in turns; the ratios."""
    script = HERE / f"{pair.peer}_steps.py"
    small = ["--quick"] if quick else []
    found: dict[str, list[float]] = {key: [] for key in RATIOS}
    for number in range(rounds):
        sides = {
            "sealflow": [sys.executable, str(OURS), "--store", pair.store, *small],
            name: [sys.executable, str(script), *pair.arguments, *small],
        }
        measured = {}
        for side in sides if number % 2 == 0 else reversed(sides):
            measured[side] = run(sides[side])
            print(json.dumps({"side": side, "round": number + 1, **measured[side]}), flush=True)
        for key, (_, ratio) in RATIOS.items():
            found[key].append(ratio(measured["sealflow"], measured[name]))
    return {
        "pair": name,
        "store": pair.store,
        "rounds": rounds,
        "ratios": {key: round(median(each), 2) for key, each in found.items()},
        "lowest": {key: round(min(each), 2) for key, each in found.items()},
        "wanted": pair.wanted,
        "load": round(os.getloadavg()[0], 1),
    }


def table(lines: list[dict[str, Any]]) -> str:
    """The ratios as Markdown."""
    head = ["how many times better", *(line["pair"] for line in lines)]
    rows = [head, ["---", *["--:"] * len(lines)]]
    for key, (label, _) in RATIOS.items():
        cells = []
        for line in lines:
            wanted = line["wanted"].get(key)
            cells.append(f"{line['ratios'][key]:g}" + (f" (wanted {wanted:g})" if wanted is not None else ""))
        rows.append([label, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"{', '.join(PAIRS)}; all of them unless named")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured (3)")
    parser.add_argument("--quick", action="store_true", help="very little work: to see that everything runs")
    parser.add_argument("--table", action="store_true", help="print a Markdown table of the ratios too")
    given = parser.parse_args()
    names = given.peers or list(PAIRS)
    if unknown := [name for name in names if name not in PAIRS]:
        parser.error(f"there is no peer '{unknown[0]}': {', '.join(PAIRS)}")
    lines, left_out = [], 0
    for name in names:
        try:
            python_of(PAIRS[name].peer)
            line = compare(name, PAIRS[name], given.rounds, given.quick)
        except (NotInstalled, RuntimeError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            left_out += 1
            continue
        lines.append(line)
        print(json.dumps(line), flush=True)
    if given.table and lines:
        print(table(lines))
    return 2 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
