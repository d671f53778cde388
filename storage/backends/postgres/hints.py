"""Hints between the workers of an environment, over LISTEN and NOTIFY: that it is worth looking now, and nothing more.

A hint carries nothing and may get lost: whoever listens looks every now and then anyhow. It is never sent by a commit
of runs, since a commit that notifies waits for every other one that does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from ...errors import StorageError
from .connection import Connection, Target, connect, mapped

log = logging.getLogger("sealflow")

_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds before a lost connection is made again; the last one repeats."""


class Listener:
    """A connection that listens, and comes back, from `start` to `stop`. `tell` is called with each hint."""

    def __init__(self, target: Target, tell: Callable[[], None]) -> None:
        self._target = target
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listens from now on."""
        self._task = asyncio.get_running_loop().create_task(self._listen(), name="sealflow hints")

    async def stop(self) -> None:
        """Listens no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                await self._until_lost()
                failures = 0
            except StorageError as error:
                log.debug("hints cannot be listened to: %s", error.code)
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def _until_lost(self) -> None:
        connection: Connection = await connect(self._target)
        lost = asyncio.Event()
        try:
            with mapped(self._target):
                connection.add_termination_listener(lambda _: lost.set())
                await connection.add_listener(self._target.schema, lambda *_: self._tell())
            self._tell()  # whatever was said meanwhile
            await lost.wait()
        finally:
            connection.terminate()
