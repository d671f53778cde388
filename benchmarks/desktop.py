"""How fast a desktop flow is interpreted: a loop of SET and IF in the machine, every record made; one JSON line.

Statements are rows that run: SET, IF, ELSE, END and the loop's own. No store takes part: what sealing and writing
cost is told by the benchmarks of steps and of storage.

- `statements_per_s`: rows in a second of processor time; the best of the tries.
- `records_per_s`: records made in it.
- `fold_per_s`: records in a second when the same run is brought back.
- `watched_per_s`: rows in a second while somebody follows the run's log.
- `packed_bytes`: of a record, as the store's codec writes it, before sealing.

    python benchmarks/desktop.py [--iterations N] [--quick] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time

from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.records import Record
from sealflow.engine.kernel.desktop import decide as script
from sealflow.engine.kernel.desktop.build import build_script
from sealflow.engine.kernel.desktop.history import LogSettings, ScriptHistory
from sealflow.engine.kernel.desktop.plan import ScriptPlan
from sealflow.engine.kernel.desktop.state import ScriptState
from sealflow.storage.format.codec import pack

FLOW = """
SET total TO 0
SET odd TO 0
LOOP i FROM 1 TO {count}
    SET total TO total + i * 2
    IF i mod 2 = 1 THEN
        SET odd TO odd + 1
    END
    IF total > 1000000 THEN
        SET total TO total - 1000000
    ELSE
        SET label TO $'''no. %i%'''
    END
END
"""
TRIES = 3
SEED = bytes(32)


def run(plan: ScriptPlan, state: ScriptState) -> list[Record]:
    """Run a flow to its end, with a tick whenever a turn is over."""
    made, _ = script.decide(plan, state, event.start(0, None, {"seed": SEED, "revision": script.SCRIPT_REVISION}))
    found = list(made)
    while script.needs_tick(state):
        made, _ = script.decide(plan, state, event.tick(state.now))
        found += made
    assert state.end is not None
    return found


def rows(plan: ScriptPlan) -> int:
    """How many rows run."""
    history = ScriptHistory(plan, settings=LogSettings(limit=0))
    run(plan, ScriptState(plan, history))
    return history.left_out


def best(tries: int, work: object) -> float:
    """The least processor time of so many tries, in seconds."""
    found = []
    for _ in range(tries):
        began = time.process_time()
        work()  # type: ignore[operator]
        found.append(time.process_time() - began)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=50_000)
    parser.add_argument("--quick", action="store_true", help="few iterations: to see that it works")
    parser.add_argument("--profile", action="store_true", help="print where the time goes, too")
    options = parser.parse_args()
    count = 2_000 if options.quick else options.iterations
    plan = build_script(parse(FLOW.format(count=count)).script)
    done = rows(plan)
    records = run(plan, ScriptState(plan))

    def fold() -> None:
        state = ScriptState(plan)
        for record in records:
            script.apply(plan, state, record)
        assert state.end is not None

    seconds = best(TRIES, lambda: run(plan, ScriptState(plan)))
    folding = best(TRIES, fold)
    watched = best(1, lambda: run(plan, ScriptState(plan, ScriptHistory(plan, settings=LogSettings(limit=0)))))
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(run, plan, ScriptState(plan))
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)
    found = {
        "bench": "desktop",
        "statements": done,
        "statements_per_s": round(done / seconds),
        "records_per_s": round(len(records) / seconds),
        "fold_per_s": round(len(records) / folding),
        "watched_per_s": round(done / watched),
        "packed_bytes": round(sum(len(pack(record)) for record in records) / len(records), 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
