"""Evaluations per second of the expression language, on one core; one JSON line.

`evaluate`: compiled once, evaluated many times, each time in another context out of 64, so that no value repeats from
one evaluation to the next; `whole`: parsed, compiled and evaluated every time.

    python benchmarks/expressions.py [seconds per case]
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from sealflow.engine.expressions import ContextScope, compile_string

CASES = {
    "concat_tolower": "@concat('order-', toLower(variables('text')), '-x')",
    "condition": "@and(equals(variables('text'), 'Order 7'), greater(variables('n'), 3))",
    "condition_numbers": "@and(equals(variables('n'), variables('n')), greater(variables('m'), 3))",
    "arithmetic": "@add(mul(variables('n'), 3), sub(variables('m'), 1))",
    "first_length": "@add(first(variables('list')), length(variables('list')))",
    "date": "@formatDateTime(addDays(variables('time'), 1), 'yyyy-MM-dd')",
    "five_links": "@body('Get')?['a']?['b']?['c']?['d']?['e']",
    "alias_path": "@outputs('Get')?['body/a/b']",
    "template": "Order @{variables('n')} of @{variables('text')} at @{variables('time')}.",
}


def contexts() -> list[dict[str, Any]]:
    """64 contexts that differ in every value."""
    return [
        {
            "variables": {
                "text": f"Order {n}",
                "n": n,
                "m": n * 7 + 1,
                "list": list(range(n, n + 100)),
                "time": f"2026-01-{n % 28 + 1:02d}T03:04:05.{n:07d}Z",
            },
            "actions": {"Get": {"outputs": {"body": {"a": {"b": {"c": {"d": {"e": n}}}}}}}},
        }
        for n in range(64)
    ]


def rate(run: Any, frames: list[dict[str, Any]], seconds: float) -> int:
    """Calls of `run` per second, the best of three."""
    best = 0.0
    for _ in range(3):
        count = 0
        start = now = time.perf_counter()
        while now - start < seconds / 3:
            for frame in frames:
                run(frame)
            count += len(frames)
            now = time.perf_counter()
        best = max(best, count / (now - start))
    return round(best)


def whole(text: str, frame: dict[str, Any]) -> Any:
    """Parse, compile and evaluate."""
    return compile_string(text, ContextScope()).evaluate(frame)


def main() -> None:
    """Print the rates."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.6
    frames = contexts()
    result: dict[str, Any] = {"benchmark": "expressions", "unit": "evaluations/s", "evaluate": {}, "whole": {}}
    for name, text in CASES.items():
        compiled = compile_string(text, ContextScope())
        result["evaluate"][name] = rate(compiled.evaluate, frames, seconds)
        result["whole"][name] = rate(
            lambda frame, t=text: compile_string(t, ContextScope()).evaluate(frame), frames, seconds
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
