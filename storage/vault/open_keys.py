"""The keys of an open store: which policy covers it, looking again when they were exchanged, and work on them.

The part of `Vault` that knows of keys; what they seal is the rest of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ..errors import EnvironmentLocked, IntegrityError, StaleKeys
from ..keys.key_source import KeySource
from ..keys.key_state import KeyState
from ..keys.keyring import Keyring
from ..port import Backend
from ..stores.operations import RUNNING, Operation, Operations
from ..stores.reencryption import MIGRATE, MIGRATE_FULL, Migration

if TYPE_CHECKING:
    from ..keys.probe import KeyProbe

T = TypeVar("T")


class OpenKeys:
    """What a vault does with its keys. It is the vault that has the parts below."""

    _backend: Backend
    _keyring: Keyring
    _source: KeySource
    _operations: Operations
    _migration: Migration

    # --- keys

    @property
    def keys(self) -> KeyState:
        """Which policy covers the environment, as this process saw it last."""
        return self._source.state

    async def key_epochs(self) -> tuple[int, int]:
        """Epoch and lock epoch of the store as it is now (see keystate): a cheap look, which proves nothing."""
        row = await self._backend.keys.state()
        return (row.epoch, row.lock_epoch) if row is not None else (0, 0)

    async def reload_keys(self) -> None:
        """Looks again at policy and keys. Raises EnvironmentLocked, KeyDenied, KeyUnavailable, IntegrityError."""
        keyring = await self._source.load()
        if keyring.locked or self._source.state.lock is not None:
            raise EnvironmentLocked("The environment is locked.")
        self._keyring.adopt(keyring)

    # --- work on the keys

    async def operations(self) -> list[Operation]:
        """The work on this environment's keys that there was and that goes on, oldest first."""
        return await self._fresh(lambda: self._operations.all())

    async def begin_migration(self, *, full: bool = False) -> Operation:
        """Puts it on record that everything here is to go over to the key that covers it now; see `migrate`. Gives what
        is under way already.
        """
        await self.reload_keys()
        total = await self._migration.remaining()
        if full:
            total += sum(runs for _, runs in await self._backend.runs.counts())
        return await self._operations.begin(MIGRATE_FULL if full else MIGRATE, total)

    async def migrate(self, progress: Callable[[Operation], None] = lambda operation: None) -> None:
        """Does the work on record, or what a crash has left of it, and what is begun meanwhile.

        For the executor only.
        """
        while running := [each for each in await self.operations() if each.status == RUNNING]:
            await self.reload_keys()
            with suppress(StaleKeys):  # an administrator changed keys or policy: go on from what is on record now
                await self._migration.run(running[0], progress)

    # --- keys in memory

    async def _fresh(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does it, and again with the keys as they are now if they were exchanged since this process looked."""
        unchanged = 0
        while True:
            try:
                return await work()
            except StaleKeys as error:
                before = self._keyring.epoch
                await self.reload_keys()
                unchanged = unchanged + 1 if self._keyring.epoch == before else 0
                if unchanged == 2:  # once: another task has looked in the meantime
                    raise IntegrityError("A key row names an environment key that the store does not have.") from error

    async def keys_are_behind(self) -> bool:
        """Whether the customer's key has a newer version than the one that wraps the environment's keys. Raises
        KeyDenied, KeyUnavailable.
        """
        return await self._source.behind(self._keyring)

    async def probe_keys(self) -> None:
        """Asks the customer's key store whether the keys in use are still given.

        Raises KeyDenied (a definite refusal), KeyUnavailable (an outage), IntegrityError or WrongKey (what is stored
        cannot be opened), EnvironmentLocked (another process has locked the environment).
        """
        await self._source.probe(self._keyring)

    def key_probe(self, post: Callable[[Callable[[], None]], None]) -> KeyProbe:
        """Asks the same as `key_epochs` and `probe_keys`, from the event loop of another thread. `post` has something
        done by the thread of this vault.
        """
        return self._source.aside(self._keyring, post)

    @property
    def keys_forgotten(self) -> bool:
        """Whether `forget_keys` was called."""
        return self._keyring.forgotten

    def forget_keys(self) -> None:
        """Forget every key at once, those in use included: nothing is sealed, opened or written any more.

        Safe to call from another thread, whatever this vault's thread is doing.
        """
        self._keyring.forget()

    async def tell_key_calls(self) -> None:
        """Puts on record what customers' key stores were asked, where it is to be there by now."""
        await self._source.calls.tell()
