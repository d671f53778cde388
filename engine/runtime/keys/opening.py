"""How an environment is opened - again too, after a lock or an outage - and what the service does about its key by
itself: locking an environment whose key is denied, and putting on record that it was suspended.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ....storage import Conflict, EnvironmentLocked, EnvironmentSuspended, SealedInbox, StorageError, Store, Vault
from ....storage.keys.health import Answer, Decision, Health, answer_of, judge
from ..workers.clock import BootClock

if TYPE_CHECKING:
    from ....storage import Administration

log = logging.getLogger("sealflow")

SERVICE: Final = "sealflow"
"""Who acts where nobody did but the engine itself."""


class Opening:
    """Opens the environment `name` of a store."""

    def __init__(self, store: Store, name: str, clock: BootClock) -> None:
        self._store = store
        self.name = name
        self.clock = clock

    @cached_property
    def _administration(self) -> Administration:
        """What the engine does about the key by itself; loaded with the first of it, which most processes never see."""
        from ....storage import Actor, Administration

        return Administration(self._store, Actor(SERVICE))

    async def open(self) -> Vault:
        """The environment's vault.

        An environment whose key is denied, and once more after two seconds, is locked. Raises EnvironmentLocked,
        EnvironmentSuspended where the key store gives no answer, and the errors of `Store.open_vault`.
        """
        health = Health()
        while True:
            at = self.clock.now()
            try:
                return await self.attempt()
            except StorageError as error:
                answer = answer_of(error) if error.code in _OF_THE_KEY else None
                if answer is None:
                    raise
                verdict = judge(health, answer, at, probe=0, grace=0)
                if verdict.decision is Decision.SUSPEND:
                    raise self.suspended(answer) from error
                if verdict.decision is Decision.LOCK:
                    await self.lock()
                    raise self.locked() from error
            health = verdict.health
            await self.clock.sleep_until(verdict.due)

    async def attempt(self) -> Vault:
        """The same, at once or not at all. Raises KeyDenied and KeyUnavailable too, and locks nothing."""
        return await self._store.open_vault(self.name)

    async def settings(self) -> Mapping[str, Any] | None:
        """What administrators have set for the environment, as it is stored now. Raises RecordNotFound."""
        return (await self._store.environment(self.name)).settings

    async def sealed_inbox(self) -> SealedInbox:
        """What takes something in while the environment is locked. Raises as `Store.sealed_inbox`."""
        return await self._store.sealed_inbox(self.name)

    def exporting(self, what: str, acts: Administration | None) -> AbstractAsyncContextManager[None]:
        """What `what` (a run's id) is written in without encryption: an act of this administrator, or of who works
        here. Raises as `storage.exporting`.
        """
        from ....storage import exporting
        from .administration import administration

        return exporting(acts or administration(self._store, None, None), self.name, what)

    async def lock(self) -> bool:
        """Lock the environment, since its key is denied; False where that could not be written."""
        try:
            await self._administration.lock(self.name, "denied")
        except (EnvironmentLocked, Conflict):
            return True  # another process was faster, or it is seen at the next look that it was not
        except StorageError as error:
            log.error("an environment whose key is denied could not be locked: %s", error.code)
            return False
        return True

    async def rotate(self) -> bool:
        """Wrap the environment's keys by the newest version of the customer's key; False where that could not be done
        now.
        """
        try:
            await self._administration.rotate(self.name)
        except StorageError as error:
            log.warning("an environment's keys could not go over to a new version of the key above: %s", error.code)
            return False
        return True

    async def delete_overdue(self) -> bool:
        """Delete the environment if it was locked for longer than its policy allows, and its key is refused still;
        False where not, or where that could not be done now.
        """
        from ....storage import delete_overdue

        try:
            deleted = await delete_overdue(self._administration, self.name)
        except StorageError as error:
            log.error("an environment that is overdue could not be deleted: %s", error.code)
            return False
        if deleted is not None:
            log.warning("an environment was deleted: it was locked for longer than its policy allows")
        return deleted is not None

    def deleted(self) -> EnvironmentLocked:
        """The error of every use after that."""
        return EnvironmentLocked(
            f"The environment {self.name} was deleted: it was locked for longer than its policy allows.",
            hint="`sealflow audit list` says when. Its backups, if there are any, can be restored.",
        )

    async def record(self, kind: str, status: str, code: str | None = None) -> None:
        """Put on record what the engine did about the key by itself; a store that cannot be written stops nothing."""
        try:
            detail = {"code": code} if code is not None else None
            await self._administration.audit.record(SERVICE, kind, self.name, status, detail)
        except StorageError as error:
            log.error("an act on an environment's key could not be put on record: %s", error.code)

    def locked(self) -> EnvironmentLocked:
        """The error of every use while the environment is locked, as far as this process knows why."""
        return EnvironmentLocked(
            f"The environment {self.name} is locked.",
            hint=f"`sealflow env status {self.name}` says why; to unlock it: sealflow env unlock {self.name}",
        )

    def suspended(self, answer: Answer) -> EnvironmentSuspended:
        """The error of every use while the environment is suspended."""
        if answer is Answer.CORRUPT:
            return EnvironmentSuspended(
                f"The environment {self.name} is suspended: its key does not open what it sealed.",
                hint="Put the original key back, or restore the store from a backup; it goes on by itself then.",
            )
        return EnvironmentSuspended(f"The environment {self.name} is suspended: its key store gives no answer.")


_OF_THE_KEY: Final = frozenset({"KeyDenied", "KeyUnavailable"})
