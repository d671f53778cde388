"""Several workers on one environment in PostgreSQL, played by engines that share the store and the clock only."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import sealflow
from postgres_server import PostgresServer
from sealflow.engine.kernel.contract.timing import SECOND, from_iso
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.workers.clock import BootClock

START: Final = from_iso("2026-03-28T12:00:00Z")
HOUR: Final = 3600 * SECOND
S: Final = ["Succeeded"]


def flow(actions: dict[str, Any], **trigger: Any) -> dict[str, Any]:
    return {"triggers": {"T": {"type": "Request", "kind": "Http", **trigger}}, "actions": actions}


def http(uri: str, *after: str) -> dict[str, Any]:
    return {"type": "Http", "inputs": {"method": "POST", "uri": uri}, "runAfter": dict.fromkeys(after, S)}


@dataclass
class Service:
    """What all workers call: which worker called, and how many calls went on at once."""

    calls: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, worker: str) -> Callable[[sealflow.Call], Awaitable[Any]]:
        async def answer(call: sealflow.Call) -> Any:
            self.calls[worker] += 1
            self.keys.append(call.key)
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                if "/quick" not in str(call.inputs):
                    await self.gate.wait()
            finally:
                self.now -= 1
            return sealflow.ConnectorResponse(200, {}, "done")

        return answer


class Fleet:
    """An environment and its workers; the first one leads."""

    def __init__(self, folder: Path, postgres: PostgresServer, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.postgres = postgres
        self.stack = stack
        self.clock = sealflow.VirtualClock(START)
        self.service = Service()
        self.engines: list[sealflow.Engine] = []

    async def join(self, *, boot_clock: BootClock | None = None, **options: Any) -> Environment:
        """One more worker; with a `boot_clock`, a test says when it looks at locks and leases."""
        number = len(self.engines)
        engine = sealflow.open(self.folder / "home", keystore=self.folder / "keys.json", clock=self.clock, **options)
        await self.stack.enter_async_context(engine)
        self.engines.append(engine)
        if boot_clock is not None:
            engine.boot_clock = boot_clock
        engine.connectors.register("http", self.service.of(f"w{number}"))
        if not number:
            await engine.create_environment("prod", database=self.postgres.url)
        env = await engine.environment("prod")
        await env._execute()
        return env

    async def kill(self, env: Environment) -> None:
        """As if its process were stopped, and not heard of for longer than its lease."""
        backend: Any = env._vault._backend
        admin = await asyncpg.connect(self.postgres.url)
        await admin.execute(
            f"UPDATE \"sealflow_{env.id}\".workers SET expires = clock_timestamp() - interval '1 s' WHERE worker = $1",
            backend._lease.role.worker,
        )
        await admin.close()

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await holds():
                await asyncio.sleep(0.005)
