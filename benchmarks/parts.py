"""Where the processor time of a step goes, part by part: each measured alone, in windows of less than a millisecond, of
which the shortest counts. So the figures are those of an idle machine, even on a busy one; one JSON line, microseconds.

- `decide`: one turn of the kernel, from the result of a call to the inputs of the next one.
- `prepare`, `call`: what the connector is asked, and the call with the check of its answer.
- `pack`, `zip`, `name`: the two records of a turn packed, and compressed, or (where a run keeps secrets) packed with
  references and not compressed.
- `seal`: sealed and linked.
- `store`: a page's share of a commit of 100 pages to SQLite, without waiting for the disk.
- `run_start`, `run_end`: the same of what starts and what ends a run.

    python benchmarks/parts.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealflow.connectors import Registry, Services
from sealflow.engine.cloud import parse
from sealflow.engine.kernel import Invoke, State, build, decide
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import SUCCEEDED
from sealflow.engine.runtime.calls.dispatch import Performer
from sealflow.engine.runtime.calls.outgoing import Outgoing
from sealflow.engine.runtime.workers.clock import SystemClock
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.format.codec import pack_pages
from sealflow.storage.format.compression import zipped
from sealflow.storage.format.envelope import FIRST_LINK, ZIPPED, ScopeKey
from sealflow.storage.format.purposes import Kind, Purpose
from sealflow.storage.format.references import Referrer
from sealflow.storage.port import Batch, EnvironmentKeyRow, KeyChanges, KeyRow, PageRow, RunChanges, RunRow, RunUpdate
from work import Service, in_a_row, payloads

AT = 17_600_000_000_000_000
MANY = 20
ROWS = 100
RUN, ENVIRONMENT = b"r" * 16, b"e" * 16
BODIES = payloads()
ANSWERS: list[dict[str, Any]] = [{"statusCode": 200, "headers": {}, "body": body} for body in BODIES]
TRIGGER = {"name": "manual", "outputs": {"headers": {}, "body": BODIES[0]}}


def shortest(one: Callable[[], float], tries: int) -> float:
    """Microseconds: the shortest that `one` (seconds) took."""
    gc.collect()
    gc.disable()
    try:
        return round(min(one() for _ in range(tries)) * 1e6, 1)
    finally:
        gc.enable()


def timed(work: Callable[[int], object]) -> Callable[[], float]:
    """Seconds for one of some times in a row."""

    def one() -> float:
        began = time.perf_counter()
        for number in range(MANY):
            work(number)
        return (time.perf_counter() - began) / MANY

    return one


class Nobody:
    """The run that the calls are made for."""

    def now(self) -> int:
        return AT

    def feed(self, record: Any) -> None:
        pass


def begun() -> tuple[State, Invoke]:
    """A run of ten calls in a row, and its first one."""
    plan = build(parse(in_a_row(10)))
    state = State(plan)
    state.room = 1 << 20
    pins = {"seed": bytes(32), "parameters": {}, "revision": 3}
    _, (command,) = decide(plan, state, event.start(AT, TRIGGER, pins))
    assert isinstance(command, Invoke)
    return state, command


def turn() -> float:
    """Seconds for one turn."""
    state, command = begun()
    began = time.perf_counter()
    for number in range(9):
        state.small = True
        result = event.result(command.node.index, command.it, 1, AT + number, SUCCEEDED, "OK", ANSWERS[number], None)
        _, (command,) = decide(state.plan, state, result)  # type: ignore[assignment]
    return (time.perf_counter() - began) / 9


def of_calls(tries: int) -> dict[str, float]:
    registry = Registry()
    registry.register("bench", Service(BODIES))
    performer, clock, run = Performer(registry, Services(SystemClock())), SystemClock(), Nobody()
    _, command = begun()

    def call(number: int) -> None:
        try:
            Outgoing(run, RUN, command, performer, clock).make().send(None)
        except StopIteration:
            pass

    prepare = shortest(timed(lambda number: Outgoing(run, RUN, command, performer, clock)), tries)
    return {"prepare": prepare, "call": round(shortest(timed(call), tries) - prepare, 1)}


def of_pages(tries: int) -> dict[str, float]:
    inputs = in_a_row(2)["actions"]["step1"]["inputs"]
    turns = []
    for number in range(MANY):
        answer = event.result(0, None, 1, AT, SUCCEEDED, "OK", ANSWERS[number], None)
        sent = {**inputs, "parameters": {"payload": BODIES[number]}}
        turns.append([answer, (event.VERSION, event.SCHEDULED, 1, None, 1, sent, None, None, None)])
    plain, naming = Referrer(), Referrer()
    naming.naming, naming.named = event.NAMING, event.NAMED

    def packed(by: Referrer, number: int) -> bytes:
        ((_, page),) = pack_pages(by.pack(turns[number], 2 + 2 * number), 1 << 16)
        return page

    key = ScopeKey(bytes(32), ENVIRONMENT, Kind.RUN, RUN)
    place, page = key.place(Purpose.PAGE, RUN, ZIPPED), zipped(packed(plain, 0)) or b""
    pack = shortest(timed(lambda number: packed(plain, number)), tries)
    return {
        "pack": pack,
        "zip": round(shortest(timed(lambda number: zipped(packed(plain, number))), tries) - pack, 1),
        "name": shortest(timed(lambda number: packed(naming, number)), tries),
        "seal": shortest(timed(lambda number: key.seal_page(place, 1, page, FIRST_LINK)), tries),
    }


async def of_sqlite(folder: Path, tries: int) -> dict[str, float]:
    backend = await SQLiteBackend.open(folder / "store.db")
    wrapped = EnvironmentKeyRow(1, 1, b"k" * 16, b"k" * 32, b"w" * 60, 0, b"m" * 32, None, 1)
    await backend.commit(Batch(identity=ENVIRONMENT, keys=KeyChanges(environment_keys=[wrapped])))
    connection = backend._connection._conn
    found: dict[str, list[float]] = {"store": [], "run_start": [], "run_end": []}
    for _ in range(tries):
        runs = [os.urandom(16) for _ in range(ROWS)]
        batches = {
            "run_start": Batch(
                keys=KeyChanges(inserts=[KeyRow(1, run, 1, 1, 1, b"k" * 32, b"w" * 60) for run in runs]),
                runs=RunChanges(
                    inserts=[
                        RunRow(run, b"f" * 16, 1, 1, 0, 1, None, None, 1, b"h" * 173, 1, b"s" * 92) for run in runs
                    ]
                ),
            ),
            "store": Batch(runs=RunChanges(pages=[PageRow(run, 1, b"l" * 32, os.urandom(800)) for run in runs])),
            "run_end": Batch(
                runs=RunChanges(updates=[RunUpdate(run, 2, 9, 2, b"h" * 178, 2, b"s" * 92) for run in runs])
            ),
        }
        for name, batch in batches.items():
            began = time.thread_time()
            backend._commit(connection, batch)
            found[name].append((time.thread_time() - began) / ROWS)
    await backend.close()
    return {name: round(min(times) * 1e6, 1) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few tries: to see that it works")
    tries = 20 if parser.parse_args().quick else 2_000
    found: dict[str, Any] = {"bench": "parts", "decide": shortest(turn, tries), **of_calls(tries), **of_pages(tries)}
    with tempfile.TemporaryDirectory() as folder:
        found |= asyncio.run(of_sqlite(Path(folder), 2 + tries // 50))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
