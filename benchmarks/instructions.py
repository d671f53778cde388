"""Count what a durable step costs, instead of timing it: instructions, Python calls, commits, tasks. One JSON line.

The work is `w1` of steps.py: flows of ten calls in a row, 100 at a time, everything encrypted, in SQLite. Counts say on
a busy machine what times say on a quiet one. Instructions come from valgrind (callgrind), which has to be installed;
two runs of different length are subtracted, so that start-up does not count.

- `instructions`: thousands of instructions of the process for one step.
- `python_calls`, `c_calls`: calls of Python and of C functions for one step.
- `commits`, `tasks`: commits and asyncio tasks for one step.

`--budget FILE` compares the counts with a file of the same names and exits with 1 where one is more than 3 % above it;
`--write FILE` writes that file.

    python benchmarks/instructions.py [--no-valgrind] [--budget benchmarks/budget.json] [--write FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from work import ENVIRONMENT, Service, SQLite, in_a_row, payloads, through_engine

STEPS = 10
AT_ONCE = 100
WARM = 1
FEW, MANY = 1, 4
"""Waves of the two runs that are subtracted."""

SLOWNESS = 60
"""How much slower a process is under valgrind. Timers of the event loop run as much slower, so that what is done by the
clock (looks at the inbox, heads once a second) is done as often for a step as without it.
"""

TOLERANCE = 0.03


class SlowLoop(asyncio.SelectorEventLoop):
    """An event loop by a clock that is slower than the machine's."""

    def time(self) -> float:
        return super().time() / SLOWNESS


async def waves(folder: Path, number: int, started: Callable[[Any], None], ended: Callable[[Any], None]) -> None:
    """`number` waves of AT_ONCE flows each, after WARM waves that do not count."""
    async with SQLite(folder).engine() as engine:
        engine.connectors.register("bench", Service(payloads()))
        env = await engine.environment(ENVIRONMENT)
        flow = await through_engine(env, in_a_row(STEPS))
        for wave in range(WARM + number):
            if wave == WARM:
                started(env)
            await asyncio.gather(*(flow(each) for each in range(AT_ONCE)))
        ended(env)


def calls() -> dict[str, float]:
    """Calls, commits and tasks for a step, counted by the interpreter."""
    counts = {"call": 0, "c_call": 0, "commits": 0, "tasks": 0}

    def started(env: Any) -> None:
        counts["commits"] = -env._vault.commits
        loop = asyncio.get_running_loop()

        def task(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> Any:
            counts["tasks"] += 1
            return asyncio.Task(work, loop=loop, **more)

        loop.set_task_factory(task)

        def profile(frame: Any, event: str, argument: Any) -> None:
            if event in counts:
                counts[event] += 1

        sys.setprofile(profile)

    def ended(env: Any) -> None:
        sys.setprofile(None)
        counts["commits"] += env._vault.commits

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(waves(Path(folder), MANY, started, ended))
    steps = MANY * AT_ONCE * STEPS
    names = {"call": "python_calls", "c_call": "c_calls", "commits": "commits", "tasks": "tasks"}
    return {names[name]: round(count / steps, 3) for name, count in counts.items()}


def child(number: int) -> None:
    """What runs under valgrind."""
    from sealflow.storage.backends.sqlite import pace

    pace.QUICK_SECONDS = 1e9  # the disk is as fast as ever: only this process is slow
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=SlowLoop) as runner:
        runner.run(waves(Path(folder), number, lambda env: None, lambda env: None))


def counted(number: int) -> int:
    """The instructions of a process that makes so many waves."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet"]
        command = [*valgrind, sys.executable, __file__, "--child", str(number)]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"The process under valgrind failed:\n{done.stderr[-2000:]}")
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text("utf-8", "replace"), re.MULTILINE)
        if found is None:
            raise SystemExit("valgrind wrote no total.")
        return int(found.group(1))


def instructions() -> float:
    """Thousands of instructions for a step."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed. Install it, or count without it: --no-valgrind.")
    more = counted(MANY) - counted(FEW)
    return round(more / ((MANY - FEW) * AT_ONCE * STEPS) / 1e3, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-valgrind", action="store_true", help="count calls only")
    parser.add_argument("--budget", type=Path, help="compare with this file; exit with 1 above it")
    parser.add_argument("--write", type=Path, help="write the counts to this file")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child)
        return 0
    found = calls()
    if not options.no_valgrind:
        found["instructions"] = instructions()
    if options.write:
        options.write.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    over = {}
    if options.budget:
        budget = json.loads(options.budget.read_text("utf-8"))
        over = {name: [count, budget[name]] for name, count in found.items() if count > budget[name] * (1 + TOLERANCE)}
    print(json.dumps({"bench": "instructions", **found, **({"over_budget": over} if options.budget else {})}))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
