"""What every act of an administrator goes through: who acts and in which role, whether somebody else has to approve,
the environment opened for the time of the act, and its record before and after.

The acts themselves are in `administration`, `backup` and `reset`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import ApprovalNeeded, Conflict, EnvironmentLocked, NotPermitted, RecordNotFound, StorageError
from ..keys.key_source import KeySource
from ..keys.key_state import KeyState
from ..keys.keyring import Keyring
from ..models import EnvironmentInfo
from ..policies.approvals import APPROVED, PENDING, REFUSED, USED, Request, Requests
from ..policies.audit import FAILED, RUNNING, SUCCEEDED, Audit
from ..policies.policy import Assignment
from ..port import Backend, Batch

if TYPE_CHECKING:
    from ..vault.home import Store

DEFAULT_LIMIT: Final = 25
"""Environments that may be covered at the same time."""

_ATTEMPTS: Final = 5
"""How often somebody else may write the same assignment first."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and in which roles. In an embedded engine roles are advisory: whoever may read the keystore holds the
    keys.
    """

    name: str = field(repr=False)
    key_administrator: bool = True
    environment_administrator: bool = True


@dataclass(slots=True)
class Opened:
    """An environment's store with its keys as they are now, for the time of one act."""

    info: EnvironmentInfo
    backend: Backend
    source: KeySource
    keyring: Keyring

    @property
    def state(self) -> KeyState:
        return self.source.state


class Acting:
    """One administrator on one store. `limit` is how many environments may be covered at the same time, `approvals` how
    many administrators an act on keys takes at least, whatever the policies say: 1, or 2.
    """

    def __init__(self, store: Store, actor: Actor, *, limit: int = DEFAULT_LIMIT, approvals: int = 1) -> None:
        self._store = store
        self._actor = actor
        self._limit = limit
        self._approvals = approvals
        self.policies = store.policies
        self.audit = Audit(store.backend, store.keyring, store.now_ms)
        self._changed: tuple[bytes, KeyState] | None = None
        self.requests = Requests(store.backend, store.keyring, store.now_ms)

    @property
    def store(self) -> Store:
        return self._store

    @property
    def actor(self) -> Actor:
        return self._actor

    @asynccontextmanager
    async def opened(self, environment: str, *, locked: bool = False) -> AsyncIterator[Opened]:
        """The environment for one act; with `locked`, its service keys are enough. Raises StoreRolledBack and what
        `Store.open_vault` does.
        """
        info = await self._store.environment(environment)
        backend, source = await self._store.open_backend(info)
        source.calls.actor = self._actor.name
        try:
            keyring = await source.load(locked=locked)
            await source.calls.tell()
            if keyring.locked and not locked:
                raise EnvironmentLocked(
                    f"The environment {info.name} is locked.", hint=f"Unlock it first: sealflow env unlock {info.name}"
                )
            yield Opened(info, backend, source, keyring)
        finally:
            await source.aclose()
            await backend.close()

    # --- on record

    def changed(self, environment: bytes, state: KeyState) -> None:
        """An environment has this state from now on: it goes on record with the next act, e.g. the end of this one."""
        self._changed = environment, state

    async def record(self, kind: str, subject: str, status: str, detail: Any, batch: Batch | None = None) -> None:
        """Puts an act on record, with what else is in the batch, and with the state that an environment has by now.
        Raises Conflict, IntegrityError.
        """
        changed, self._changed = self._changed, None
        for attempt in range(_ATTEMPTS):
            both, keys = Batch(), None
            if batch is not None:
                both.add(batch)
            if changed is not None:
                following = await self.policies.following(*changed)
                if following is not None:
                    both.add(following)
                    keys = Assignment.of(changed[1]).keys_in(changed[0])
            try:
                await self.audit.record(self._actor.name, kind, subject, status, detail, both, keys=keys)
                return
            except Conflict:  # somebody else's act on the same environment was on record first
                if changed is None or attempt == _ATTEMPTS - 1:
                    raise

    @asynccontextmanager
    async def act(
        self, kind: str, subject: str, detail: Mapping[str, Any] | None = None, *, approved: Request | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Puts an act on record before it is done in this block, and how it went after that, with what the block has
        put into the given facts. The approval it needed is used up by it, unless it fails.
        """
        value = dict(detail) if detail is not None else None
        more: dict[str, Any] = {}
        batch = None
        if approved is not None:
            value = {**(value or {}), "approvedBy": approved.approver}
            approved, batch = await self.requests.changed(approved, USED)
        await self.record(kind, subject, RUNNING, value, batch)
        try:
            yield more
        except StorageError as error:
            batch = None if approved is None else (await self.requests.changed(approved, APPROVED))[1]
            await self.record(kind, subject, FAILED, {**(value or {}), "code": error.code}, batch)
            raise
        await self.record(kind, subject, SUCCEEDED, {**(value or {}), **more} if more else value)

    # --- in which role

    def need_environment_administrator(self, what: str) -> None:
        """Raises NotPermitted."""
        if not self._actor.environment_administrator:
            raise NotPermitted(f"Only an administrator of the environment may {what}.")

    def need_key_administrator(self, what: str = "do that") -> None:
        """Raises NotPermitted."""
        if not self._actor.key_administrator:
            raise NotPermitted(f"Only a key administrator may {what}.")

    # --- with a second administrator's approval

    async def approval(
        self, kind: str, info: EnvironmentInfo, needed: int, detail: Mapping[str, Any] | None = None
    ) -> Request | None:
        """The approval by which this administrator may do an act; None where it takes nobody else.

        The first time the act is asked for it is put on record as a request. Raises ApprovalNeeded until another
        administrator has approved exactly this act.
        """
        if max(needed, self._approvals) < 2:
            return None
        value = dict(detail) if detail is not None else None
        found = await self.requests.of(self._actor.name, kind, info.id, value)
        if found is None:
            found, batch = self.requests.new(self._actor.name, kind, info, value)
            told = {"request": found.id.hex(), "act": kind, "expires": found.expires_ms}
            await self.record("approval request", info.name, SUCCEEDED, told, batch)
        if found.status == PENDING:
            raise ApprovalNeeded(
                f"'{kind}' of {info.name} needs the approval of a second administrator: request {found.id.hex()}.",
                hint=f"Another key administrator: sealflow policy approve {found.id.hex()} --as NAME; then the same "
                f"command again, within {-((self._store.now_ms() - found.expires_ms) // 3_600_000)} hours.",
            )
        return found

    async def approve(self, request: str) -> Request:
        """Approves a request, whose id begins like this: the one who made it may do the act then, once. Raises
        NotPermitted (in any role but that of a key administrator, and for one's own), RecordNotFound.
        """
        return await self._decided(request, APPROVED)

    async def refuse(self, request: str) -> Request:
        """Refuses a request; one's own can be taken back by it. Raises NotPermitted, RecordNotFound."""
        return await self._decided(request, REFUSED)

    async def _decided(self, request: str, status: str) -> Request:
        self.need_key_administrator("decide what others ask for")
        found = await self.requests.one(request)
        if found.status != PENDING:
            raise RecordNotFound(
                f"The request {found.id.hex()} is {found.status.lower()}: it does not wait for a decision.",
                hint="`sealflow policy requests` shows those that do.",
            )
        if status == APPROVED and found.by.casefold() == self._actor.name.casefold():
            raise NotPermitted(
                f"{self._actor.name} has asked for this; it takes a second administrator to approve it.",
                hint=f"Another one: sealflow policy approve {found.id.hex()} --as NAME",
            )
        changed, batch = await self.requests.changed(found, status, approver=self._actor.name)
        kind = "approval grant" if status == APPROVED else "approval refuse"
        detail = {"request": found.id.hex(), "act": found.kind, "by": found.by}
        await self.record(kind, found.environment, SUCCEEDED, detail, batch)
        return changed
