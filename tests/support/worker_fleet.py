"""Several processes on one environment in PostgreSQL, played by engines that share the store and the clock only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import sealflow
from postgres_server import PostgresServer
from sealflow.engine.kernel.contract.timing import from_iso
from sealflow.engine.runtime.environment.environment import Environment

START = from_iso("2026-03-28T12:00:00Z")


class WorkerFleet:
    """The environment `prod` and who executes it."""

    def __init__(self, folder: Path, postgres: PostgresServer, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.postgres = postgres
        self.stack = stack
        self.clock = sealflow.VirtualClock(START)

    async def open(self, **options: Any) -> sealflow.Engine:
        """Another process; the first makes the environment."""
        first = not (self.folder / "home").exists()
        engine = sealflow.open(self.folder / "home", keystore=self.folder / "keys.json", clock=self.clock, **options)
        await self.stack.enter_async_context(engine)
        if first:
            await engine.create_environment("prod", database=self.postgres.url)
        return engine

    async def join(self, engine: sealflow.Engine | None = None) -> Environment:
        """A process that executes runs."""
        env = await (engine if engine is not None else await self.open()).environment("prod")
        await env._execute()
        return env

    async def dies(self, env: Environment) -> None:
        """As if its process were stopped, and not heard of for longer than its lease."""
        backend: Any = env._vault._backend
        await expire(self.postgres, env.id, backend._lease.role.worker)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Until it does, for a minute at most."""
        async with asyncio.timeout(60):
            while not await holds():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def fleet_of(kind: type[WorkerFleet], folder: Path, postgres: PostgresServer) -> AsyncIterator[Any]:
    """A fleet of this kind, which ends with the test."""
    async with AsyncExitStack() as stack:
        yield kind(folder, postgres, stack)


async def expire(postgres: PostgresServer, environment: str, worker: bytes) -> None:
    """End the lease of a worker."""
    import asyncpg

    admin = await asyncpg.connect(postgres.url)
    await admin.execute(
        f"UPDATE \"sealflow_{environment}\".workers SET expires = clock_timestamp() - interval '1 s' WHERE worker = $1",
        worker,
    )
    await admin.close()
