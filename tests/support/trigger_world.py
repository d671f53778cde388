"""An environment whose triggers fire on a clock that is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import sealflow
from sealflow.engine.kernel.contract.timing import SECOND, from_iso
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.triggers.triggers import TriggerFiring

START: Final = from_iso("2026-03-28T12:00:00Z")
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
KEEP: Final = {"keep": {"type": "Compose", "inputs": "@trigger()"}}
HOURLY: Final = {"frequency": "Hour", "interval": 1, "startTime": "2026-03-28T13:00:00Z"}


class World:
    """One environment on a clock that stands still, and everything that its triggers did."""

    def __init__(self, env: Environment, clock: sealflow.VirtualClock, engine: sealflow.Engine) -> None:
        self.env = env
        self.clock = clock
        self.engine = engine
        self.fired: list[tuple[str, str]] = []
        self.ended: list[str] = []

    async def watch(self) -> None:
        await self.env.watch_triggers(fired=self._fired, ended=lambda run, flow, status: self.ended.append(status))

    async def once(self) -> None:
        await self.env.fire_due(fired=self._fired)

    def _fired(self, fired: TriggerFiring) -> None:
        self.fired.append((fired.told["status"], fired.told["code"]))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the event loop turn until something holds; commits happen in a thread."""
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.001)

    async def pass_to(self, at: int, firings: int) -> None:
        """Turn the clock, until there were so many firings in all."""
        await self.asleep()
        self.clock.advance_to(at)
        await self.until(lambda: len(self.fired) >= firings)
        await self.asleep()

    async def asleep(self) -> None:
        """Until the scheduler has nothing to do but to wait."""
        executor = self.env._executor
        assert executor is not None
        scheduler = executor.watching.scheduler
        assert scheduler is not None
        await self.until(lambda: not scheduler._busy and not scheduler._wake.is_set())

    async def triggers(self) -> list[dict[str, Any]]:
        """The trigger records of all runs, in the order of their scheduled times."""
        found = []
        for summary in await self.env.runs(limit=1000):
            result = await (await self.env.run(summary.id)).result()
            found.append(result.actions[0]["outputs"])
        return sorted(found, key=lambda trigger: str(trigger["scheduledTime"]))

    async def times(self) -> list[str]:
        return [trigger["scheduledTime"][11:16] for trigger in await self.triggers()]


@asynccontextmanager
async def opened(folder: Path, at: int = START, **options: Any) -> AsyncIterator[World]:
    clock = sealflow.VirtualClock(at)
    async with sealflow.open(folder / "home", keystore=folder / "k" / "k.json", clock=clock, **options) as engine:
        yield World(await engine.environment("env"), clock, engine)


def recurring(recurrence: dict[str, Any], actions: dict[str, Any] | None = None, **trigger: Any) -> dict[str, Any]:
    return {
        "triggers": {"T": {"type": "Recurrence", "recurrence": recurrence, **trigger}},
        "actions": actions or KEEP,
    }
