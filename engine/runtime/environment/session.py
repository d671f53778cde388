"""An environment's vault, library and executor for as long as its key is given: dropped at once when it is not, and
opened again when it is.

What a host holds (an `Environment`, its runs) stays the same object all the time and asks here for what it needs now.
`keywatch` decides when; here is what is dropped and what comes back.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet, WeakValueDictionary

from ....connectors import Egress, Services
from ....connectors.desktop import Settings
from ....storage import EnvironmentLocked, SealedInbox, StorageError, StoreClosed, Vault
from ...errors import Denied, NotFound
from ...revocable import Revocable
from ..calls.dispatch import Performer
from ..calls.outgoing import Underway
from ..desktop.machine_groups import groups_of
from ..desktop.settings import settings_of
from ..flows.library import Library
from ..keys.access import Dropped, Holder, R
from ..runs.claims import CONCURRENCY, Pins, RunElsewhereError
from .egress_settings import LOCAL_DEFAULT, egress_of
from .executor import Executor

if TYPE_CHECKING:
    from ....connectors import Registry
    from ..desktop.machine_groups import Serving
    from ..triggers.triggers import TriggerFiring
    from ..workers.clock import Clock

log = logging.getLogger("sealflow")


_TURNS: Final = 10
"""Turns of the event loop in which readings that were interrupted are closed, one inside of another."""


@dataclass(slots=True)
class _Opened:
    vault: Vault
    library: Library
    lock_epoch: int
    executor: Executor | None = None


class Access:
    """What one environment needs in one process. `doubt` is called when something hints at a lock."""

    def __init__(
        self,
        vault: Vault,
        connectors: Registry,
        clock: Clock,
        inbox: Callable[[], Awaitable[SealedInbox]],
        *,
        resume: bool,
        run_duration: int | None,
        concurrency: int = CONCURRENCY,
        desktop: Settings | None = None,
        egress: Egress | None = None,
        egress_default: str = LOCAL_DEFAULT,
        serving: Serving | None = None,
    ) -> None:
        self.info = vault.environment
        self.clock = clock
        self.resume = resume
        self.watching = False
        self._concurrency = concurrency
        self.pins = Pins()
        self.doubt: Callable[[], None] = lambda: None
        self._connectors = connectors
        self._fixed_egress = egress
        self._egress_default = egress_default
        self.egress = self._egress_of(vault.environment.settings)
        self._desktop = desktop if desktop is not None else settings_of(vault.environment.settings)
        self.groups = groups_of(vault.environment.settings)
        self._serving = serving
        self._run_duration = run_duration
        self._opened: _Opened | None = _open(vault)
        self._error: Dropped | None = None
        self._turn = asyncio.Lock()
        self._fired: Callable[[TriggerFiring], None] | None = None
        self._ended: Callable[[str, str, str], None] | None = None
        self._holders: WeakSet[Holder] = WeakSet()
        self._given: WeakValueDictionary[int, Revocable] = WeakValueDictionary()
        self._executes = False
        self._paused: set[bytes] = set()
        self._underway = Underway(inbox)
        self._handing_over: asyncio.Task[None] | None = None

    # ---- what is there now

    @property
    def vault(self) -> Vault:
        """Raises EnvironmentLocked, EnvironmentSuspended."""
        return self._current().vault

    @property
    def library(self) -> Library:
        """Raises EnvironmentLocked, EnvironmentSuspended."""
        return self._current().library

    @property
    def executor(self) -> Executor | None:
        """The executor, where this process is it. Raises EnvironmentLocked, EnvironmentSuspended."""
        return self._current().executor

    @property
    def lock_epoch(self) -> int | None:
        """That of the store when it was opened; None while it is not."""
        return self._opened.lock_epoch if self._opened is not None else None

    @property
    def locked(self) -> bool:
        """Whether everything was dropped and nothing is open now: what is given is kept then, or refused."""
        return self._opened is None and isinstance(self._error, EnvironmentLocked)

    def _current(self) -> _Opened:
        if self._opened is None:
            raise self.refusal()
        return self._opened

    def refusal(self) -> Dropped | StoreClosed:
        """The error of every use while nothing is open."""
        if self._error is None:
            return StoreClosed("The environment is closed.")
        return _bare(self._error)

    def explained(self, error: Dropped | StoreClosed) -> Dropped | None:
        """The error to tell instead of one that arose because keys and store were dropped under way."""
        if self._error is not None:
            told = self.refusal()
            return None if isinstance(told, StoreClosed) else told
        if not isinstance(error, StoreClosed):
            self.doubt()
        return None

    def holds(self, holder: Holder) -> None:
        """Tell this one when everything is dropped."""
        self._holders.add(holder)

    @property
    def forgotten(self) -> bool:
        """Whether the keys were dropped, by the guard of a busy event loop too."""
        return self._opened is None or self._opened.vault.keys_forgotten

    def given(self, value: R) -> R:
        """Empty this object, which a host gets, when the key is revoked."""
        self._given[id(value)] = value
        return value

    def telling(self, on_change: Callable[[R], None] | None) -> Callable[[R], None] | None:
        """The callback of a host, whose arguments are emptied when the key is revoked."""
        return None if on_change is None else lambda value: on_change(self.given(value))

    def revoked(self) -> Dropped | StoreClosed:
        """The error of an object that was read before the key was revoked."""
        if self._opened is None:
            return self.refusal()
        return EnvironmentLocked(
            f"The environment '{self.info.name}' was locked after this had been read.", hint="Read it again."
        )

    def _revoke_given(self) -> None:
        for value in list(self._given.values()):
            value.revoke(self.revoked)

    # ---- what flows may reach

    def _egress_of(self, settings: Mapping[str, Any] | None) -> Egress:
        if self._fixed_egress is not None:
            return self._fixed_egress
        return egress_of(settings, self.info.name, self._egress_default)

    def use_settings(self, settings: Mapping[str, Any] | None) -> None:
        """Judge new connections by these settings of the environment from now on."""
        egress = self._egress_of(settings)
        if egress == self.egress:
            return
        self.egress = egress
        if self._opened is not None and self._opened.executor is not None:
            self._opened.executor.performer.use_egress(egress)

    # ---- the executor

    async def execute(self) -> Executor | None:
        """The executor, if this process is or becomes it; None while another process is. Raises EnvironmentLocked."""
        opened = self._current()
        if opened.executor is not None and not self._turn.locked():
            return opened.executor  # nearly always
        async with self._turn:
            opened = self._current()
            if opened.executor is None and await self._joins(opened):
                await opened.vault.look_again()
                self._still(opened)
                await self._underway.look(opened.vault.sealed_items.kept)
                self._still(opened)
                services = Services(clock=self.clock, egress=self.egress)
                performer = Performer(self._connectors, services, self._desktop, opened.vault.workers)
                executor = Executor(
                    opened.vault, opened.library, self.clock, performer, self._underway, self._run_duration,
                    self._concurrency, self.pins, self.groups, self._serving,
                )  # fmt: skip
                if not self.resume or opened.vault.workers.shared:
                    executor.role.wanted = self._hand_over_soon
                opened.executor = executor
                self._executes = True
                self._tell(executor)
                await executor.role.look_after()
                if self.resume:
                    await executor.claims.begin()
                await self._go_on(executor)
                self._still(opened)
                executor.polling.begin()  # last: whoever asked for the executor has the first turn with it
            self._still(opened)
            return opened.executor

    async def _joins(self, opened: _Opened) -> bool:
        """Become a worker, unless another process has the environment for itself, or wants to fire triggers for which
        it has to have the environment for itself.
        """
        workers = opened.vault.workers
        if self.watching or (self.resume and self.info.database is None):
            return await workers.join(lead=self._leads)
        wanted = await workers.role_wanted()
        if wanted and self.info.database is None:
            return False
        return await workers.join(lead=self._leads and not wanted)

    def _hand_over_soon(self) -> None:
        if self._handing_over is None or self._handing_over.done():
            self._handing_over = asyncio.get_running_loop().create_task(self._hand_over())

    async def _hand_over(self) -> None:
        async with self._turn:
            opened = self._opened
            executor = opened.executor if opened is not None else None
            if opened is None or executor is None or self.watching:
                return
            try:
                from .leadership import hand_over

                await hand_over(executor)
            except StorageError as error:
                log.warning("the environment could not be handed to the worker that asks for it: %s", error.code)
            opened.executor = None

    @property
    def _leads(self) -> bool:
        """Whether this process may do what is to be done once."""
        return self.resume and self._serving is None

    def _still(self, opened: _Opened) -> None:
        if self._opened is not opened:
            raise self.refusal()

    async def executing(
        self, fired: Callable[[TriggerFiring], None] | None, ended: Callable[[str, str, str], None] | None
    ) -> Executor:
        """The executor, and whom it tells of firings and of runs that end: from now on, and after a lock.

        Raises Denied `ExecutedElsewhere`.
        """
        executor = await self.execute()
        if executor is None and self._leads:
            from .leadership import ask_for

            executor = await ask_for(self.vault, self.execute)
        if executor is None:
            raise self.elsewhere()
        self._fired, self._ended = fired, ended if ended is not None else self._ended
        self._tell(executor)
        return executor

    def elsewhere(self) -> Denied:
        """The refusal to do here what another process does."""
        return Denied(
            f"Another process executes the environment '{self.info.name}': triggers fire there, or nowhere.",
            code="ExecutedElsewhere",
            hint="End that process first; an environment in PostgreSQL can have several workers.",
        )

    def _tell(self, executor: Executor) -> None:
        executor.triggers.fired = self.telling(self._fired)
        ended = self._ended
        if ended is not None:
            loop = asyncio.get_running_loop()
            # Two turns later, so that whoever waits for the same commit is told first: a firing comes before its runs.
            executor.eviction.ended = lambda run: loop.call_soon(loop.call_soon, ended, run.id, run.flow, run.outcome)

    # ---- dropped, and back

    async def drop(self, error: Dropped) -> None:
        """Forget everything that the key has opened, at once; every use raises `error` from now on."""
        self._error = _bare(error)
        opened, self._opened = self._opened, None
        if opened is None:
            return
        opened.vault.forget_keys()
        for holder in list(self._holders):
            holder.let_go()
        executor = opened.executor
        if executor is not None:
            self._paused |= executor.interrupt(error)
        revoked = isinstance(error, EnvironmentLocked)
        if revoked:
            self._revoke_given()
        await opened.vault.drop_keys()
        if executor is not None:
            await executor.close(patience=0)
        del opened, executor
        if revoked:
            self._revoke_given()  # what an action wrote into one while it was interrupted
        for _ in range(_TURNS):  # what has ended lets go in its next turn
            await asyncio.sleep(0)
        gc.collect()  # what only cycles keep
        if revoked:
            from ..keys.memory_scrubbing import scrub

            await scrub()

    def admit(self, vault: Vault) -> None:
        """The key is given again: everything may be used again, and `retake` brings back what went on here."""
        self._opened, self._error = _open(vault), None

    @property
    def executes(self) -> bool:
        """Whether this process was the executor at any time: it looks after the environment."""
        return self._executes

    @property
    def vacant(self) -> bool:
        """Whether this process was the executor before, and nobody here is it now."""
        return self._executes and self._opened is not None and self._opened.executor is None

    async def retake(self) -> None:
        """Be the executor again, unless another process has become it."""
        await self.execute()

    async def _go_on(self, executor: Executor) -> None:
        """After a lock: runs go on that went on here, and triggers fire if they did."""
        paused, self._paused = self._paused, set()
        for run_id in paused:
            try:
                await executor.resume(run_id)
            except (RunElsewhereError, NotFound):  # another worker has it, or its start was never stored
                continue
            except Exception as error:
                await executor.claims.later(run_id, error)
        if self.watching:
            await executor.watching.begin()

    async def close(self) -> None:
        """Stop driving runs and close the store."""
        opened, self._opened = self._opened, None
        await self._underway.close()
        if self._handing_over is not None:
            self._handing_over.cancel()
            await asyncio.gather(self._handing_over, return_exceptions=True)
        if opened is None:
            return
        if opened.executor is not None:
            await opened.executor.close()
            if opened.vault.sealed_items.lacks_key:  # something may come in after a lock
                with suppress(StorageError):
                    await opened.vault.renew_inbox()
        await opened.vault.close()


def _bare(error: Dropped) -> Dropped:
    """The error without its traceback, whose frames hold what they worked with."""
    return type(error)(error.message, hint=error.hint)


def _open(vault: Vault) -> _Opened:
    return _Opened(vault, Library(vault), vault.keys.lock_epoch)
