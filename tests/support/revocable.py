"""An environment under a customer's key that a test can take away, on a boot clock that it turns by hand.

Nothing of the watch happens by itself here: `look` and `ask` do what it does every second, and when the key is due.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import sealflow
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import Administration, EnvironmentLocked
from sealflow.storage.keys.providers.file import create_key, disable_key, enable_key, uri_of

PROBE: Final = 300.0
GRACE: Final = 1800.0
NAME: Final = "contoso"


class HandClock:
    """Boot time that stands still, but for whoever has to wait for it while an environment is opened."""

    def __init__(self, *, jumps: bool = False) -> None:
        self.at = 1000.0
        self.jumps = jumps

    def now(self) -> float:
        return self.at

    async def sleep_until(self, due: float) -> None:
        if not self.jumps:
            await asyncio.Event().wait()
        self.at = max(self.at, due)


class Revocable:
    """The engine, its environment and the customer's key file."""

    def __init__(self, engine: sealflow.Engine, env: Environment, clock: HandClock, keys: Path) -> None:
        self.engine = engine
        self.env = env
        self.clock = clock
        self.keys = keys

    @property
    def admin(self) -> Administration:
        return self.engine.administration("maria")

    def disable(self) -> None:
        disable_key(self.keys, "main")

    def enable(self) -> None:
        enable_key(self.keys, "main")

    def lose(self) -> None:
        """The key file is out of reach."""
        self.keys.rename(self.keys.with_suffix(".away"))

    def find(self) -> None:
        self.keys.with_suffix(".away").rename(self.keys)

    async def after(self, seconds: float) -> None:
        """So much later, the key is asked for if it is due."""
        self.clock.at += seconds
        await self.env._watch.ask()

    async def look(self) -> None:
        """What happens every second."""
        await self.env._watch.look()

    async def lock(self) -> None:
        """Locked by an administrator, and noticed."""
        await self.admin.lock(NAME)
        await self.look()

    async def unlock(self) -> None:
        """Unlocked by an administrator, and noticed: what went on goes on."""
        await self.admin.unlock(NAME)
        await self.look()
        await self.back()

    async def back(self) -> None:
        """Return when this process has taken up again what it did."""
        if (retaking := self.env._watch._retaking) is not None:
            await retaking

    def while_busy(self, *steps: float) -> None:
        """Hold the event loop, as a long computation does, and let the guard's thread do what is due after each of
        these seconds.
        """

        async def tend() -> None:
            guard = self.env._watch.guard
            for seconds in steps:
                self.clock.at += seconds
                await guard.tend()
            await guard.close()

        thread = threading.Thread(target=lambda: asyncio.run(tend()))
        thread.start()
        thread.join()

    async def noticed(self) -> None:
        """Return when the event loop has done what follows from the guard's work."""
        await asyncio.sleep(0)
        if (following := self.env._watch._following) is not None:
            await following

    async def refused(self, work: Any, kind: type[EnvironmentLocked] = EnvironmentLocked) -> None:
        """The work is refused by exactly this error."""
        with pytest.raises(EnvironmentLocked) as caught:
            await work
        assert type(caught.value) is kind
        assert NAME in caught.value.message


def database(world: Revocable) -> Path:
    (path,) = world.engine.home.glob("environments/*/store.db")
    return path


def change(world: Revocable, sql: str, *values: Any) -> list[Any]:
    """What somebody does who can write the database."""
    with sqlite3.connect(database(world)) as connection:
        rows = connection.execute(sql, values).fetchall()
    connection.close()
    return rows


@asynccontextmanager
async def revocable(
    folder: Path, connectors: dict[str, Any] | None = None, *, database: str | None = None, **options: Any
) -> AsyncIterator[Revocable]:
    """An environment that was put under a policy before it had flows; in a PostgreSQL database where one is named."""
    keys = folder / "customer.json"
    create_key(keys, "main")
    async with sealflow.open(folder / "home", keystore=folder / "keys" / "k.json", **options) as engine:
        for name, connector in (connectors or {}).items():
            engine.connectors.register(name, connector)
        clock = HandClock()
        engine.boot_clock = clock
        admin = engine.administration("maria")
        await engine.create_environment(NAME, database=database)
        await admin.create_policy("main", uri_of(keys, "main"), probe=PROBE, grace=GRACE)
        await admin.apply("main", NAME)
        yield Revocable(engine, await engine.environment(NAME), clock, keys)
