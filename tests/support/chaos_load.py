"""The load of the chaos harness inside of one process, for faults that come from below: a disk, a clock, a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import sealflow
from chaos_flows import KINDS, STARTED, body_of, decision_of
from chaos_oracle import GRACE, Memory, problems
from chaos_reading import everything, unfinished
from chaos_worker import ENVIRONMENT, Fast, Life, Outside
from sealflow.engine.errors import SealflowError
from sealflow.storage import StorageError

RATE = 400
"""How much faster the time of the flows passes."""


class Told:
    """Takes what the outside sees into the oracle's memory. `life` is one more each time the engine is opened."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.life = 0
        self.arrived = asyncio.Event()

    def tell(self, what: str, **more: Any) -> None:
        self.memory.told.append({"what": what, "life": self.life, **more})
        self.arrived.set()


class Load:
    """Runs of every kind on one environment, and what is known of them. `clock` is everybody's time."""

    def __init__(self, folder: Path, clock: Fast | None = None, *, database: str | None = None) -> None:
        self._home, self._keystore = folder / "home", folder / "keys" / "keystore.json"
        self._database = database
        self.clock = clock if clock is not None else Fast(time.time_ns() // 100, RATE)
        self.memory = Memory()
        self.told = Told(self.memory)
        self._number = 0
        self._before = 0
        self._made = False
        self._answered: set[str] = set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[sealflow.Environment]:
        """The environment in an engine of its own, with its flows."""
        async with sealflow.open(self._home, keystore=self._keystore, clock=self.clock) as engine:
            self.told.life += 1
            if not self._made:
                await engine.create_environment(ENVIRONMENT, database=self._database)
            life = Life(self.told.life, "", "", "", "", 0, 1, seed=self.told.life, executes=True)
            outside = Outside(life, self.told)
            engine.connectors.register("outside", outside)
            engine.connectors.register("once", outside, recovery="never")
            env = await engine.environment(ENVIRONMENT)
            if not self._made:
                for name, kind in KINDS.items():
                    await env.deploy(name, kind.definition)
                self._made = True
            yield env

    async def start(self, env: sealflow.Environment) -> None:
        """One run of each kind; what is refused is not acknowledged."""
        self._before = len(self.memory.effects)
        for flow in STARTED:
            self._number += 1
            (run,) = await env.start(flow, body_of(self._number))
            self.told.tell("ack", act="start", flow=flow, number=self._number, run=run.id)

    async def effects(self, count: int) -> None:
        """Return when so many effects have arrived since the runs were started that were started last."""
        wanted = self._before + count
        async with asyncio.timeout(60):
            while len(self.memory.effects) < wanted:
                self.told.arrived.clear()
                await self.told.arrived.wait()

    async def look(self, env: sealflow.Environment) -> None:
        """Remember what is durable: it must not happen again."""
        self.memory.look(await unfinished(env))

    async def finish(self, env: sealflow.Environment) -> None:
        """Answer and cancel what waits for that, until every run has ended."""
        async with asyncio.timeout(120):
            await env.resume_unfinished()
            while left := await unfinished(env):
                for effect in self.memory.effects:
                    if "url" in effect and effect["url"] not in self._answered:
                        delivery = await env.callback(effect["url"], body=decision_of(effect["inputs"]["n"]))
                        self._answered.add(effect["url"])
                        self.told.tell("ack", act="callback", url=effect["url"], status=delivery.status)
                for run in left:
                    if run.flow == "cancelled" and any(action["path"] == "/forever" for action in run.actions):
                        await (await env.run(run.run)).cancel("enough")
                        self.told.tell("ack", act="cancel", run=run.run, done=True)
                await asyncio.sleep(0.01)

    async def problems(self, env: sealflow.Environment, *, grace: timedelta | None = GRACE) -> list[str]:
        """What does not hold of what is there now, see `chaos_oracle.problems`."""
        return problems(self.memory, await everything(env), grace=grace)

    async def start_until_refused(self, env: sealflow.Environment) -> SealflowError | StorageError:
        """Start runs until that is refused; why. What is under way meanwhile goes on as far as it can."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.start(env)
                except (SealflowError, StorageError) as error:
                    return error
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.told.arrived.wait(), 0.01)
