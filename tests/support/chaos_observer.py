"""Looks at the environment of the chaos harness from outside: a process that executes nothing, and opens it again when
it was moved or the server was gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import sealflow
from chaos_worker import ENVIRONMENT
from sealflow.storage import StorageError, verify_environment

T = TypeVar("T")

ATTEMPTS: Final = 600
"""A move verifies everything twice, which takes a minute where there is much."""
PAUSE: Final = 0.25
OTHER: Final = "chaos_other"
"""The second database, to which the environment is moved and back."""


class Observer:
    """`opening` gives an engine and the environment, as often as that is needed."""

    def __init__(self, opening: Callable[[], Awaitable[tuple[sealflow.Engine, sealflow.Environment]]]) -> None:
        self._opening = opening
        self._opened: tuple[sealflow.Engine, sealflow.Environment] | None = None

    async def does(self, work: Callable[[sealflow.Environment], Awaitable[T]]) -> T:
        """Do something with the environment. Raises the last error of many attempts."""
        for attempt in range(ATTEMPTS):
            try:
                if self._opened is None:
                    self._opened = await self._opening()
                return await work(self._opened[1])
            except StorageError:
                await self.close()
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(PAUSE)
        raise AssertionError

    async def verified(self) -> list[str]:
        """What `verify` finds in the environment."""
        assert self._opened is not None
        result = await verify_environment(self._opened[0].store, ENVIRONMENT)
        return [f"verify: {each.at}: {each.problem}" for each in result.findings]

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(StorageError):
                await opened[0].close()


async def another_database(url: str) -> str:
    """A second database of the server, made for this."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{OTHER}"')
        await connection.execute(f'CREATE DATABASE "{OTHER}"')
    finally:
        await connection.close()
    return urlunsplit(urlsplit(url)._replace(path=f"/{OTHER}"))
