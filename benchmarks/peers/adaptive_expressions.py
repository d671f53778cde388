"""Our expression language beside the npm package `adaptive-expressions`, on one machine in the same minutes.

Development only: it installs the package with npm into a folder outside of the repository and needs node. Each case is
one expression in both spellings over the same 64 contexts, which differ in every value; neither side caches a result.
The values are compared first, then both sides are timed in turns. One JSON line; `--table` adds Markdown.

    python benchmarks/peers/adaptive_expressions.py [--seconds 0.5] [--rounds 5] [--folder DIR] [--table]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sealflow.engine.expressions import ContextScope, compile_string

VERSION = "4.23.3"


@dataclass(frozen=True, slots=True)
class Case:
    """One expression, as a value of a flow and as the peer spells it; `wanted` is the ratio aimed at."""

    name: str
    ours: str
    theirs: str
    wanted: float


CASES = [
    Case(
        "first/length", "@add(first(variables('list')), length(variables('list')))", "add(first(list), count(list))", 1
    ),
    Case(
        "arithmetic",
        "@add(mul(variables('n'), 3), sub(variables('m'), 1))",
        "add(mul(n, 3), sub(m, 1))",
        1,
    ),
    Case("div/mod", "@add(div(variables('m'), 3), mod(variables('m'), 3))", "add(div(m, 3), mod(m, 3))", 1),
    Case("contains (array)", "@contains(variables('list'), variables('m'))", "contains(list, m)", 1),
    Case(
        "concat/toLower",
        "@concat('order-', toLower(variables('text')), '-x')",
        "concat('order-', toLower(text), '-x')",
        3,
    ),
    Case(
        "replace/substring",
        "@replace(substring(variables('text'), 0, 5), 'r', variables('city'))",
        "replace(substring(text, 0, 5), 'r', city)",
        3,
    ),
    Case("split/join", "@join(split(variables('line'), ','), ';')", "join(split(line, ','), ';')", 3),
    Case(
        "indexOf/length",
        "@add(indexOf(variables('line'), 'delta'), length(variables('line')))",
        "add(indexOf(line, 'delta'), length(line))",
        3,
    ),
    Case(
        "formatDateTime/addDays",
        "@formatDateTime(addDays(variables('time'), 1), 'yyyy-MM-dd')",
        "formatDateTime(addDays(time, 1), 'yyyy-MM-dd')",
        3,
    ),
    Case(
        "addHours",
        "@addHours(variables('time'), variables('n'), 'yyyy-MM-ddTHH:mm:ss')",
        "addHours(time, n, 'yyyy-MM-ddTHH:mm:ss')",
        3,
    ),
    Case("startOfMonth", "@startOfMonth(variables('time'), 'yyyy-MM-dd')", "startOfMonth(time, 'yyyy-MM-dd')", 3),
    Case("ticks", "@ticks(variables('time'))", "string(ticks(time))", 3),
    Case(
        "template of three",
        "Order @{variables('n')} of @{variables('text')} at @{variables('time')}.",
        "`Order ${n} of ${text} at ${time}.`",
        3,
    ),
    Case(
        "condition",
        "@and(equals(variables('text'), 'Order 7'), greater(variables('n'), 3))",
        "and(equals(text, 'Order 7'), greater(n, 3))",
        3,
    ),
    Case(
        "condition (numbers)",
        "@and(equals(variables('n'), variables('n')), greater(variables('m'), 3))",
        "and(equals(n, n), greater(m, 3))",
        3,
    ),
    Case(
        "if/less/or",
        "@if(or(less(variables('n'), 9), equals(variables('city'), 'Bergen')), variables('text'), variables('city'))",
        "if(or(less(n, 9), equals(city, 'Bergen')), text, city)",
        3,
    ),
    Case("coalesce", "@coalesce(variables('nothing'), variables('text'))", "coalesce(nothing, text)", 3),
    Case("five links", "@body('Get')?['a']?['b']?['c']?['d']?['e']", "body.a.b.c.d.e", 3),
    Case("json", "@json(variables('document'))", "json(document)", 1),
    Case("string of an object", "@string(variables('object'))", "string(object)", 1),
    Case("base64", "@base64ToString(base64(variables('text')))", "base64ToString(base64(text))", 3),
    Case("uriComponent", "@uriComponent(variables('line'))", "uriComponent(line)", 1),
    Case(
        "union",
        "@union(variables('list'), createArray(variables('n'), variables('m')))",
        "union(list, createArray(n, m))",
        1,
    ),
]


def variables() -> list[dict[str, Any]]:
    """64 sets of variables that differ in every value."""
    cities = ("Bergen", "Oslo", "Tromsø", "Bodø")
    return [
        {
            "text": f"Order {n}",
            "city": cities[n % 4] + str(n),
            "line": f"alpha {n},beta,gamma {n * 3},delta,epsilon",
            "n": n,
            "m": n * 7 + 1,
            "nothing": None,
            "list": list(range(n, n + 100)),
            "time": f"2026-01-{n % 28 + 1:02d}T03:04:05.{n:03d}Z",
            "document": json.dumps({"id": n, "name": f"item {n}", "tags": ["a", "b", n], "price": n + 0.5}),
            "object": {"id": n, "name": f"item {n}", "tags": ["a", "b", n], "price": n + 0.5},
        }
        for n in range(64)
    ]


class Peer:
    """The node process: one line of JSON in, one out."""

    def __init__(self, folder: Path, seconds: float) -> None:
        script = Path(__file__).with_suffix(".js")
        self._process = subprocess.Popen(
            ["node", str(script), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._seconds = seconds

    def ask(self, request: dict[str, Any]) -> Any:
        """The answer to one request."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("node has ended")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def install(folder: Path) -> None:
    """Install the peer unless it is there."""
    if not (folder / "node_modules" / "adaptive-expressions").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"adaptive-expressions@{VERSION}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def rate(run: Callable[[Any], Any], frames: list[Any], seconds: float) -> float:
    """Calls of `run` per second."""
    count = 0
    start = now = time.perf_counter()
    while now - start < seconds:
        for frame in frames:
            run(frame)
        count += len(frames)
        now = time.perf_counter()
    return count / (now - start)


def machine() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def main() -> None:
    """Compare, and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=0.5, help="how long one measurement takes")
    arguments.add_argument("--rounds", type=int, default=5, help="measurements of each side; the median counts")
    arguments.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sealflow-peers")
    arguments.add_argument("--table", action="store_true", help="print a Markdown table too")
    given = arguments.parse_args()
    install(given.folder)
    peer = Peer(given.folder, given.seconds)
    sets = variables()
    body = [{"a": {"b": {"c": {"d": {"e": values["n"]}}}}} for values in sets]
    frames = [
        {"variables": values, "actions": {"Get": {"outputs": {"body": each}}}}
        for values, each in zip(sets, body, strict=True)
    ]
    peer.ask({"frames": [{**values, "body": each} for values, each in zip(sets, body, strict=True)]})
    results: dict[str, Any] = {}
    for case in CASES:
        evaluate = compile_string(case.ours, ContextScope()).evaluate
        values = [evaluate(frame) for frame in frames]
        theirs = peer.ask({"values": case.theirs})
        same = [str(value) if case.name == "ticks" else value for value in values] == theirs
        ours_rates, their_rates = [], []
        for _ in range(given.rounds):
            ours_rates.append(rate(evaluate, frames, given.seconds))
            their_rates.append(peer.ask({"rate": case.theirs, "seconds": given.seconds})["rate"])
        ours, other = median(ours_rates), median(their_rates)
        results[case.name] = {
            "ours": round(ours),
            "peer": round(other),
            "ratio": round(ours / other, 2),
            "wanted": case.wanted,
            "same": same,
        }
        if not same:
            print(f"{case.name}: values differ: {values[0]!r} {theirs[0]!r}", file=sys.stderr)
    versions = peer.ask({"versions": True})
    peer.close()
    line = {
        "benchmark": "expressions beside adaptive-expressions",
        "unit": "evaluations/s",
        "machine": machine(),
        "python": platform.python_version(),
        "node": versions["node"],
        "adaptive-expressions": versions["package"],
        "cases": results,
    }
    print(json.dumps(line, ensure_ascii=False))
    if given.table:
        print("\n| expression | Sealflow | adaptive-expressions | ratio | wanted |\n|---|---|---|---|---|")
        for name, row in results.items():
            print(f"| {name} | {row['ours']:,} | {row['peer']:,} | {row['ratio']:.2f} | {row['wanted']:g} |")


if __name__ == "__main__":
    main()
