"""What a worker does for its runs while nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ....storage import StorageError
from ...kernel import Invoke

if TYPE_CHECKING:
    from ....storage import Vault
    from ..calls.dispatch import Performer


class BackgroundTasks:
    """The tasks of one worker that nobody waits for, until `cancel` and `finish`."""

    def __init__(self, vault: Vault, performer: Performer) -> None:
        self._vault = vault
        self._performer = performer
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether something is to be done yet, unsubscribe requests aside."""
        return bool(self._tasks)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this soon. It is lost when the worker closes."""
        _keep(self._tasks, work)

    def hint(self) -> None:
        """Let the other workers look for work."""
        self.run(self._vault.workers.hint())

    def unsubscribe(self, command: Invoke) -> None:
        """Make the unsubscribe request of a run that has ended: once, and its answer is dropped."""
        _keep(self._unsubscribing, self._unsubscribe(command))

    async def _unsubscribe(self, command: Invoke) -> None:
        with suppress(StorageError):  # another worker took over: the one that has the run makes the request
            await self._performer.perform(command)

    async def cancel(self) -> None:
        """Cancel everything but the unsubscribe requests."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def finish(self, patience: float) -> None:
        """Wait this many seconds for the unsubscribe requests, then cancel them."""
        if self._unsubscribing:
            await asyncio.wait(self._unsubscribing, timeout=patience)
            for task in self._unsubscribing:
                task.cancel()


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
