"""Migrations of an environment's keys, as its executor carries them out in the background and as others follow them.

What there is to do is on record in the store (`Vault.begin_migration`), so it goes on wherever the environment has an
executor, and after a crash when it has one again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from ....storage import IntegrityError, Operation, RecordNotFound, StorageError, Vault
from ....storage.stores.operations import RUNNING
from ..workers.requests import MIGRATE
from ..workers.retry_backoff import Retries
from .access import Explains
from .scopes import keyed

if TYPE_CHECKING:
    from ..workers.clock import Clock

log = logging.getLogger("sealflow")

PERIOD: Final = 0.2
"""Seconds between two looks at how far the work is: of the machine's time, since it may go on in another process."""

_DEDUPE: Final = b"migrate"


class KeyWork:
    """The executor's side: one task at most, which does all that is on record. What has stopped is tried again."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._retries = Retries()
        self._due = 0
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._failure: Exception | None = None

    async def resume(self) -> None:
        """Go on with what a crash, or the end of a process, has interrupted."""
        if any(each.status == RUNNING for each in await self._vault.operations()):
            self.begin()

    def begin(self) -> None:
        """Do what is on record, and what is put on record until that is done."""
        self._again = True
        self._failure = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    def look(self) -> None:
        """Try again what a failure has stopped, if it is time to."""
        if self._failure is not None and self._clock.now() >= self._due:
            self.begin()

    async def settled(self, seconds: float) -> None:
        """Return when the work on record is done, or after that time. Raises what has stopped it."""
        if self._failure is None and (self._task is None or self._task.done()):
            self.begin()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Stop. What is left stays on record."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._vault.migrate()
            self._retries.over(_DEDUPE)
        except Exception as error:  # kept for whoever waits; nobody may
            failure = await self._judged(error)
            self._failure, self._due = failure, self._clock.now() + self._retries.after(_DEDUPE)
            log.warning("a migration stopped: %s", type(failure).__name__)

    async def _judged(self, error: Exception) -> Exception:
        """What stopped it. What another worker writes meanwhile fits nothing that is read here."""
        if isinstance(error, IntegrityError):
            try:
                await self._vault.workers.confirm_role()
            except StorageError as other:
                return other
        return error


class KeyWorker(Protocol):
    """A worker of the environment."""

    key_work: KeyWork

    async def lead(self) -> bool:
        """Become the worker that leads, if possible. Returns whether this worker leads."""


class KeyWorkers(Explains, Protocol):
    """Finds the worker of this process. `resume`: this process becomes one unasked."""

    resume: bool

    @property
    def vault(self) -> Vault:
        """The open vault. Raises EnvironmentLocked, EnvironmentSuspended."""

    @property
    def executor(self) -> KeyWorker | None:
        """The worker of this process; None where it has none."""

    async def execute(self) -> KeyWorker | None:
        """Return the worker of this process, which becomes one if no other process excludes it."""


class Keys:
    """Everybody's side: the work is done in this process if it is the environment's executor, or becomes it."""

    def __init__(self, access: KeyWorkers) -> None:
        self._access = access

    @property
    def _vault(self) -> Vault:
        return self._access.vault

    @keyed
    async def operations(self) -> list[Operation]:
        """The work on this environment's keys that there was and that goes on, oldest first."""
        return await self._vault.operations()

    @keyed
    async def begin_migration(self, *, full: bool = False) -> Operation:
        """Put it on record that everything here goes over to the key that covers it now, and have it done.

        With `full`, the histories of runs are sealed anew as well. Gives what is under way already. In an engine that
        was opened with `resume=False` nothing is done here before it is followed. See `Engine.administration` for who
        may do this: `Administration.migrating`.
        """
        operation = await self._vault.begin_migration(full=full)
        await self._have_done()
        return operation

    @keyed
    async def pick_up(self) -> Operation | None:
        """Have the work on record done, such as what new data keys leave; the newest, where there was any."""
        await self._have_done()
        return next(reversed(await self._vault.operations()), None)

    async def _have_done(self) -> None:
        executor = await self._access.execute() if self._access.resume else self._access.executor
        if executor is not None and await executor.lead():
            executor.key_work.begin()
        elif await self._vault.executor_pid() is not None:
            await self._vault.inbox_add(MIGRATE, None, dedupe=_DEDUPE)

    @keyed
    async def finish(self) -> None:
        """Return when all the work on record has ended. Raises as `follow`."""
        for operation in await self.operations():
            if operation.status == RUNNING:
                await self.follow(operation)

    @keyed
    async def follow(
        self, operation: Operation, progress: Callable[[Operation], None] = lambda operation: None
    ) -> Operation:
        """The operation at its end. The work is done here where no other process executes this environment.

        `progress` is told of each change. What is left when the waiting is given up stays on record. Raises what
        stopped the work in this process, and RecordNotFound for no such operation.
        """
        while True:
            found = next((each for each in await self._vault.operations() if each.id == operation.id), None)
            if found is None:
                raise RecordNotFound(f"There is no operation {operation.id.hex()}.")
            if found != operation:
                operation = found
                progress(operation)
            if operation.status != RUNNING:
                return operation
            executor = await self._access.execute()
            if executor is None or not await executor.lead():
                await asyncio.sleep(PERIOD)
            else:
                await executor.key_work.settled(PERIOD)
