"""The long form of the chaos tests: `./dev chaos --kills 1000 [--store sqlite|postgres] [--seed N] [--key-work]`.

Progress goes to stderr, one JSON line to stdout. Exit code 1 where anything does not hold; the folder with the store
and everything that was told is kept then.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from chaos_harness import Chaos, Plan, Report
from chaos_keys import BACKUP, MIGRATE, MOVE, ROTATE
from postgres_server import PostgresServer

PATIENCE = 300.0
"""Seconds that the end may take, and a move on the way."""
MOST_TOLD = 20
"""How many problems are printed."""
WORKS = (ROTATE, BACKUP, MIGRATE, ROTATE, BACKUP, MIGRATE, MOVE)
"""In turn. A move is rarer: it stops everybody."""
RESTARTS = 25
"""The database server is killed after so many lives."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many processes that execute runs are killed")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="chooses flows and moments")
    parser.add_argument("--runs", type=int, default=60, help="nothing is started while so many runs are unfinished")
    parser.add_argument("--workers", type=int, default=1, help="processes that execute at the same time (postgres)")
    parser.add_argument("--stops", type=int, default=0, help="how many workers are stopped beyond their lease")
    parser.add_argument(
        "--key-work", action="store_true", help="rotate and migrate keys, back up and (postgres) move meanwhile"
    )
    given = parser.parse_args()
    if given.kills < 1 or given.workers < 1 or given.runs < 1:
        parser.error("--kills, --workers and --runs are at least 1")
    if given.stops and (given.store == "sqlite" or given.workers < 2):
        parser.error("--stops needs --store postgres and several --workers: a lease is theirs")
    if given.store == "sqlite" and given.workers != 1:
        parser.error("an environment in SQLite has one executor; --workers is for --store postgres")
    plan = Plan(
        given.kills, given.seed, given.runs, given.workers, RESTARTS if given.store == "postgres" else 0,
        stops=given.stops, patience=PATIENCE, works=WORKS if given.key_work else (),
    )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="sealflow-chaos-"))
    with ExitStack() as stack:
        server = None
        if given.store == "postgres":
            try:
                server = PostgresServer({"fsync": "on"})
            except OSError as error:
                parser.exit(2, f"chaos: PostgreSQL does not run here: {error}\n")
            stack.callback(server.stop)
        report = Chaos(folder, plan, server=server, progress=tell).run()
    print(file=sys.stderr)
    print(json.dumps(summary(given, report)))
    if report.problems:
        print(f"chaos: {folder} is kept", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


def tell(died: int, left: int) -> None:
    """Progress: one line that is written over on a terminal, a line for every hundred deaths elsewhere."""
    if sys.stderr.isatty():
        print(f"\r{died} killed, {left} runs under way   ", end="", file=sys.stderr, flush=True)
    elif died % 100 == 0:
        print(f"{died} killed, {left} runs under way", file=sys.stderr, flush=True)


def summary(given: argparse.Namespace, report: Report) -> dict[str, object]:
    found = report.to_json()
    told = found.pop("problems")
    asked = {"store": given.store, "workers": given.workers, "seed": given.seed, "cpus": os.cpu_count()}
    return {"chaos": "kill -9", **asked, **found, "problems": len(told), "first": told[:MOST_TOLD]}


if __name__ == "__main__":
    sys.exit(main())
