"""What one worker of an environment does for all: fire triggers, work on keys, delete what is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....storage import Vault
    from ..keys.operations import KeyWork
    from ..triggers.watching import TriggerWatching
    from .retention import Upkeep


class Role:
    """The lead of one worker. `stays` says whether the worker has something that keeps it from handing the role over.

    `wanted` is called when another process wants to fire the triggers and this one does not.
    """

    def __init__(
        self, vault: Vault, key_work: KeyWork, upkeep: Upkeep, watching: TriggerWatching, stays: Callable[[], bool]
    ) -> None:
        self._vault = vault
        self._key_work = key_work
        self._upkeep = upkeep
        self._watching = watching
        self._stays = stays
        self._begun = False
        self.wanted: Callable[[], None] | None = None

    @property
    def leads(self) -> bool:
        """Whether this worker leads."""
        return self._vault.workers.leads

    async def lead(self) -> bool:
        """Lead from now on, unless another worker does, or one that fires triggers wants to where this one does not.

        Return whether this worker leads.
        """
        if not self.leads and self.wanted is not None and await self._vault.workers.role_wanted():
            return False
        if await self._vault.workers.lead():
            await self.look_after()
        return self.leads

    async def look_after(self) -> None:
        """Do what is to be done once in an environment, where this worker leads."""
        if not self.leads:
            return
        if not self._begun:
            await self._key_work.resume()
            self._begun = True
        await self._watching.resume()
        if self.wanted is not None and await self._is_wanted():
            self.wanted()
            return
        self._key_work.look()
        await self._upkeep.look()

    async def _is_wanted(self) -> bool:
        busy = self._watching.active or self._stays()
        return not busy and await self._vault.workers.role_wanted()
