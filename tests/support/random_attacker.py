"""Attack a store at random, again and again, and print one JSON line.

    python tests/support/random_attacker.py --count 2000 --seed 1 [--postgres]

Every sequence takes one moment of an honest history, changes rows of both stores by rows of that moment and of earlier
ones, and compares what is served then. `violations` is what neither an honest history serves nor the threat model
publishes; each has the smallest list of changes that shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attack_judge import deviations, published
from attacked_history import History, honest_history
from random_attack import Change, changed, random_changes

_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
_PATIENCE = 60
"""Seconds. What takes longer is counted as a violation."""


@dataclass(slots=True)
class Outcome:
    """What came of many sequences. `impossible` are those that the database itself refuses."""

    sequences: int = 0
    unchanged: int = 0
    impossible: int = 0
    deviated: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)


async def attack(history: History, moment: int, changes: Sequence[Change]) -> list[tuple[str, str]] | None:
    """The deviations after these changes of one moment; None where the database refuses the rows."""
    rows = changed(history.moments[: moment + 1], changes)
    if rows == history.moments[moment]:
        return []
    try:
        await history.put(history.moments[moment])
        await history.put(rows)
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("sqlite3", "asyncpg"):
            return None
        raise
    try:
        got = await asyncio.wait_for(history.look(), _PATIENCE)
    except Exception as error:
        return [(f"!{type(error).__name__}", "uncaught")]
    return list(deviations(history, moment, rows, got))


async def smallest(history: History, moment: int, changes: Sequence[Change], name: str) -> list[Change]:
    """The changes without those that the deviation does not need."""
    kept = list(changes)
    for change in list(changes):
        fewer = [each for each in kept if each is not change]
        if fewer and name in {each for each, _ in await attack(history, moment, fewer) or ()}:
            kept = fewer
    return kept


async def campaign(
    history: History, source: random.Random, count: int, outcome: Outcome, seconds: float = float("inf")
) -> None:
    """So many sequences, or as many as the time allows."""
    end = time.monotonic() + seconds
    allowed = published()
    for _ in range(count):
        if time.monotonic() > end:
            return
        moment = source.randrange(1, len(history.moments))
        changes = random_changes(source)
        found = await attack(history, moment, changes)
        outcome.sequences += 1
        if found is None:
            outcome.impossible += 1
            continue
        outcome.unchanged += not found
        for name, where in found:
            outcome.deviated[name] += 1
            if name not in allowed and not any(each["name"] == name for each in outcome.violations):
                few = await smallest(history, moment, changes, name)
                outcome.violations.append(
                    {"name": name, "where": where, "moment": moment, "changes": [repr(each) for each in few]}
                )


async def _main(count: int, seed: int, seconds: float, *, postgres: bool) -> int:
    url = None
    if postgres:
        from postgres_server import PostgresServer

        server = PostgresServer()
        url = server.url
    folder = Path(tempfile.mkdtemp(prefix="sealflow-attacker-", dir=_MEMORY))
    outcome, began = Outcome(), time.monotonic()
    try:
        history = await honest_history(folder, url)
        await campaign(history, random.Random(seed), count, outcome, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if postgres:
            server.stop()
    print(
        json.dumps(
            {
                "backend": "postgres" if postgres else "sqlite", "seed": seed, "sequences": outcome.sequences,
                "unchanged": outcome.unchanged, "impossible": outcome.impossible,
                "deviations": dict(sorted(outcome.deviated.items())), "violations": outcome.violations,
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )  # fmt: skip
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="How many sequences of changes. Default: 200.")
    parser.add_argument("--seed", type=int, default=1, help="The same seed gives the same changes. Default: 1.")
    parser.add_argument("--postgres", action="store_true", help="Store the environment in PostgreSQL.")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="Stop after this time. Default: never.")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    sys.exit(asyncio.run(_main(given.count, given.seed, given.seconds, postgres=given.postgres)))
