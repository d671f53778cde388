"""What sealing costs, and what it costs to exchange keys; one JSON line.

- `page_us`: processor time to seal and link one page with one record of 200 bytes, the most that a step may need.
- `engine`: flows of Compose actions through the engine as it is embedded, SQLite, in processes of their own, in turn
  with the real suite and with one that does nothing (null_cipher): processor time of a step, the difference of the
  two, and that difference as a share. The median of some pairs.
- `store`: rotation, swap and fast migration of a store with 10,000 runs and 1,000,000 records: seconds, and how often
  the customer's key store was asked to wrap or unwrap.

    python benchmarks/sealing.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import sealflow
from sealflow.storage import Keystore, Store, Vault
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.format.envelope import FIRST_LINK, ScopeKey, random_key
from sealflow.storage.keys.providers import provider_for
from sealflow.storage.keys.providers.file import add_version, create_key, uri_of
from sealflow.storage.port import KeyFacts, KeyProvider, Wrapped

ENVIRONMENT = "bench"
RECORD = [3, 17, 1, 1_700_000_000_000_000, "Succeeded", "OK", {"body": "x" * 20}]


# --- sealing


def page_us(rounds: int) -> float:
    """Microseconds to seal and link one page; the best of five."""
    key = ScopeKey(random_key(), bytes(16), 1, bytes(16))
    place, data = key.place(1, bytes(16)), bytes(200)
    best = float("inf")
    for _ in range(5):
        link = FIRST_LINK
        began = time.process_time()
        for seq in range(rounds):
            link = key.link(link, seq, key.seal(place, seq, 0, data))
        best = min(best, time.process_time() - began)
    return best / rounds * 1e6


async def flows(folder: Path, runs: int) -> None:
    """Prints the processor time of one step, in microseconds."""
    actions = {
        f"a{n}": {
            "type": "Compose",
            "inputs": "@concat(triggerBody()?['n'], 'text')",
            "runAfter": {f"a{n - 1}": ["Succeeded"]} if n else {},
        }
        for n in range(100)
    }
    definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json") as engine:
        environment = await engine.environment(ENVIRONMENT)
        flow = await environment.deploy("flow", definition)
        (warm,) = await environment.start(flow, {"n": 1})
        await warm.wait()
        began = time.process_time()
        for _ in range(runs // 20):
            started = [(await environment.start(flow, {"n": n}))[0] for n in range(20)]
            for run in started:
                assert await run.wait() == "Succeeded"
        print((time.process_time() - began) / (runs // 20 * 20) / len(actions) * 1e6)


def measured(runs: int, null: bool) -> float:
    """The processor time of a step in a process of its own, with the real suite or with the one that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, __file__, "--flows", folder, "--runs", str(runs), *(["--null"] if null else [])]
        return float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def engine(runs: int, pairs: int) -> dict[str, Any]:
    real, null = [], []
    for _ in range(pairs):
        real.append(measured(runs, null=False))
        null.append(measured(runs, null=True))
    step, nothing = statistics.median(real), statistics.median(null)
    return {
        "step_us": round(step, 2),
        "null_us": round(nothing, 2),
        "sealing_us": round(step - nothing, 2),
        "share": round((step - nothing) / step, 4),
    }


# --- exchanging keys


class Counted:
    """A customer's keys, where each use is counted."""

    name = "file"

    def __init__(self, provider: KeyProvider, count: list[str]) -> None:
        self._provider, self._count = provider, count
        self.uri = provider.uri

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        self._count.append("wrap")
        return await self._provider.wrap(payload, context)

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        self._count.append("unwrap")
        return await self._provider.unwrap(wrapped, context)

    async def facts(self) -> KeyFacts:
        return await self._provider.facts()

    async def aclose(self) -> None:
        await self._provider.aclose()


async def build(vault: Vault, runs: int, records: int) -> None:
    """Runs that have ended, with so many records each, and some flows."""
    ids = [(await vault.put_flow(f"flow {n}", {"definition": {"n": n}})).flow_id for n in range(100)]
    for n in range(runs):
        log = vault.create_run(os.urandom(16), ids[n % 100], 1, 5, {"flow": f"flow {n % 100}"})
        log.append([[*RECORD[:1], seq, *RECORD[2:]] for seq in range(records)], status=2, ended_ms=9)
        if n % 200 == 199:
            await vault.flush()
    await vault.flush()


async def store(folder: Path, runs: int, records: int) -> dict[str, Any]:
    file, count = folder / "customer.json", []
    for key in ("one", "two"):
        create_key(file, key)
    opened = await Store.open(folder / "home", Keystore(folder / "keystore.json"))
    opened.customers = lambda uri: Counted(provider_for(uri), count)
    administration = Administration(opened, Actor("bench"))
    await opened.create_environment(ENVIRONMENT)
    for key in ("one", "two"):
        await administration.create_policy(key, uri_of(file, key))
    vault = await opened.open_vault(ENVIRONMENT)
    await vault.try_become_executor()
    found: dict[str, Any] = {"runs": runs, "records": runs * records}

    async def timed(name: str, doing: Awaitable[object]) -> None:
        count.clear()
        began = time.perf_counter()
        await doing
        found[name] = {"seconds": round(time.perf_counter() - began, 3), "calls": len(count)}

    await timed("build", build(vault, runs, records))
    await timed("apply", administration.apply("one", ENVIRONMENT))
    await vault.begin_migration()
    await timed("migrate", vault.migrate())
    add_version(file, "one")
    await timed("rotate", administration.rotate(ENVIRONMENT))
    await timed("swap", administration.apply("two", ENVIRONMENT))
    await vault.close()
    await opened.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small store and few runs")
    parser.add_argument("--flows", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--null", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flows is not None:
        if options.null:
            import null_cipher

            null_cipher.install()
        asyncio.run(flows(Path(options.flows), options.runs))
        return
    quick = options.quick
    with tempfile.TemporaryDirectory() as folder:
        kept = asyncio.run(store(Path(folder), *((200, 20) if quick else (10_000, 100))))
    print(
        json.dumps(
            {
                "benchmark": "sealing",
                "page_us": round(page_us(5_000 if quick else 100_000), 2),
                "engine": engine(20 if quick else 200, 1 if quick else 5),
                "store": kept,
            }
        )
    )


if __name__ == "__main__":
    main()
