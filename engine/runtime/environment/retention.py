"""What an environment does not keep: runs and flows that are deleted, and runs that are over their retention.

What is deleted is shredded: it goes with the key that alone can open it. `Shredded` says what is known of its copies.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from ....storage import Conflict, Retention, Shredded, StorageError, Vault
from ...errors import SealflowError
from ...kernel.contract.timing import SECOND
from ..keys.scopes import keyed
from ..observe.lists import find_run
from ..triggers.registration import Registration

if TYPE_CHECKING:
    from ..flows.library import Library
    from ..workers.clock import Clock
    from .session import Access

log = logging.getLogger("sealflow")

PERIOD: Final = 3600 * SECOND
"""Ticks between two looks at what is over."""


class RunRetention:
    """Deleting, as a host uses it. `switch` disables and enables a flow, wherever the environment is executed."""

    def __init__(self, access: Access, switch: Callable[[str, bool], Awaitable[None]]) -> None:
        self._access = access
        self._switch = switch

    @property
    def _vault(self) -> Vault:
        return self._access.vault

    @property
    def _library(self) -> Library:
        return self._access.library

    @keyed
    async def delete_runs(self, *runs: str) -> Shredded:
        """Shred runs with their histories: each by its id, or by an unambiguous beginning of it.

        Raises NotFound, and SealflowError, code `RunInFlight`, for one that has not ended, or whose parent has not.
        Those before it are gone then.
        """
        found = [await find_run(self._vault, run) for run in runs]
        try:
            return await self._vault.shred_runs([info.run_id for info in found])
        except Conflict as error:
            raise _in_flight(error) from error

    @keyed
    async def delete_flow(self, name: str) -> Shredded:
        """Shred a flow with all its versions, its trigger, what waits for it, and all its runs.

        It is disabled first, so that nothing starts meanwhile. Runs that its runs have started belong to their own
        flows and stay. Raises NotFound, and SealflowError, code `RunInFlight`, while a run of it has not ended.
        """
        flow = await self._library.find(name)
        enabled = Registration.of(flow.id, await self._vault.trigger(flow.id)).enabled
        if enabled:
            await self._switch(name, False)
        try:
            return await self._vault.shred_flow(flow.id)
        except Conflict as error:
            if enabled:
                await self._switch(name, True)
            raise _in_flight(error) from error

    @keyed
    async def limits(self, flow: str) -> Retention:
        """How long the runs of a flow are kept. Raises NotFound."""
        return await self._vault.retention((await self._library.find(flow)).id)

    @keyed
    async def set_limits(self, flow: str, retention: Retention) -> None:
        """Set how long the runs of a flow are kept. The executor deletes older runs when it starts and every hour.

        Durable on return. Raises NotFound.
        """
        await self._vault.set_retention((await self._library.find(flow)).id, retention)


class Upkeep:
    """The executor's side: what is over goes, once when it starts and then every hour by its clock."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._next = 0

    async def look(self) -> None:
        """Do what is due."""
        now = self._clock.now()
        if now < self._next:
            return
        self._next = now + PERIOD
        try:
            if gone := await self._vault.apply_retention(now // 10_000):
                log.info("%d runs were over their retention", gone)
            await self._vault.sweep_values(PERIOD // 10_000)
            await self._vault.finish_shredding()
        except StorageError as error:
            log.warning("the retention could not be applied: %s", error.code)


def _in_flight(error: Conflict) -> SealflowError:
    return SealflowError(error.message, code="RunInFlight", hint=error.hint or "Wait for its end, or cancel it first.")
