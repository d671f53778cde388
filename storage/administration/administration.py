"""What administrators do to keys: policies applied, exchanged and taken away, keys rotated and retired, environments
locked and unlocked.

Each act is on record before it is done and after. The environment's own store is the truth: it changes in one commit.
What the control store says beside it (the assignment, and the act's end) follows in one commit. After a crash in
between, whoever opens the environment next puts it on record. Every process that has the environment open notices by
its epochs, see keystate.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from ..errors import Conflict, KeyDenied, LocationMismatch, NotPermitted, PolicyLimit, StorageError, UnsuitableKey
from ..format.purposes import Domain
from ..keys.closing import close, reopen
from ..keys.key_state import MOVING, KeyState, Lock, seal_state
from ..keys.keyring import Keyring
from ..keys.recovery_copies import recovered, with_copies, with_renewed_copies
from ..models import EnvironmentInfo, Value
from ..policies.audit import SUCCEEDED
from ..policies.policy import NO_LOCATION, REPAIR, Policy
from ..port import Batch, Guard, KeyChanges, KeyProvider
from ..stores.connections import Connections
from ..stores.operations import Operations
from ..stores.reencryption import MIGRATE, NEW_DATA_KEYS, remaining
from ..stores.shredding import Shredded
from ..vault.backup_register import Registry
from ..vault.home import locked
from .authorization import DEFAULT_LIMIT, Acting, Actor, Opened
from .retirement import removable

__all__ = ["DEFAULT_LIMIT", "Actor", "Administration", "Opened"]

log = logging.getLogger("sealflow")

APPLY: Final = "policy apply"
REMOVE: Final = "policy remove"
RESET: Final = "environment reset"
ROTATE: Final = "key rotate"
RETIRE: Final = "key retire"
RECOVER: Final = "key recover"
LOCK: Final = "environment lock"
UNLOCK: Final = "environment unlock"
STATE: Final = "key state"
"""The keys of an environment are other ones from now on, before the act that has changed them is done."""
DELETE: Final = "environment delete"

_ATTEMPTS: Final = 20
"""How often somebody may delete a connection while a policy comes."""


class Administration(Acting):
    """The acts on one store."""

    # --- policies

    async def create_policy(
        self,
        name: str,
        uri: str,
        *,
        location: str = NO_LOCATION,
        readers: tuple[str, ...] = (),
        probe: float = 300.0,
        grace: float = 1800.0,
        all_connections: bool = False,
        approvals: int = 1,
        delete_after: int | None = None,
        recovery: str | None = None,
    ) -> Policy:
        """A new policy on a customer's key; see `Policy` for what the facts say.

        Raises NotPermitted, InvalidKeyUri, KeyDenied, KeyUnavailable, UnsuitableKey, AlreadyThere, InvalidName,
        InvalidPolicy.
        """
        self.need_key_administrator()
        uri = await self._asked_for(uri)
        recovery = None if recovery is None else await self._asked_for(recovery)
        policy, batch = await self.policies.create(
            name, uri, location=location, owner=self._actor.name, readers=readers, probe=probe, grace=grace,
            all_connections=all_connections, approvals=approvals, delete_after=delete_after, recovery=recovery,
        )  # fmt: skip
        detail: dict[str, Any] = {"key": uri, "location": location}
        if approvals > 1:
            detail["approvals"] = approvals
        if delete_after is not None:
            detail["deleteAfter"] = delete_after
        if recovery is not None:
            detail["recovery"] = recovery
        await self.record("policy create", name, SUCCEEDED, detail, batch)
        return policy

    async def allow(
        self,
        environment: str,
        change: Callable[[dict[str, Value]], dict[str, Value]],
        *,
        told: Mapping[str, Any] | None = None,
        act: str = "environment allow",
    ) -> EnvironmentInfo:
        """Changes what the flows of an environment are allowed, such as the folders that they see. `told` is what goes
        on record of it, without secrets; otherwise what there is of settings. `act` is its name on record.

        Raises NotPermitted, RecordNotFound, Conflict.
        """
        self.need_environment_administrator("decide what its flows are allowed")
        info, batch = await self._store.changed_settings(environment, change)
        detail = {"settings": sorted(info.settings or {})} if told is None else dict(told)
        await self.record(act, info.name, SUCCEEDED, detail, batch)
        return info

    async def _asked_for(self, uri: str) -> str:
        """A key's address as its provider writes it, if a policy may use the key."""
        provider = self._store.customers(uri)
        try:
            await _suitable(provider)
            return provider.uri
        finally:
            await provider.aclose()

    async def grant(self, name: str, reader: str) -> Policy:
        """Lets somebody attach environments to a policy. Raises NotPermitted, RecordNotFound."""
        self.need_key_administrator()
        policy = await self.policies.one(name)
        policy, batch = await self.policies.changed(
            replace(policy, readers=tuple(dict.fromkeys((*policy.readers, reader))))
        )
        await self.record("policy grant", name, SUCCEEDED, {"reader": reader}, batch)
        return policy

    async def delete_policy(self, name: str) -> None:
        """Removes a policy that covers nothing. Raises NotPermitted, RecordNotFound, Conflict."""
        self.need_key_administrator()
        policy = await self.policies.one(name)
        await self.reconcile()
        await self.record("policy delete", name, SUCCEEDED, None, await self.policies.removed(policy))

    async def apply(self, name: str, environment: str) -> KeyState:
        """Puts an environment under a policy: what is new belongs to the customer's key from now on.

        Flows that are there stay where they are. An environment under another policy goes over to this one at once: its
        customer's keys are wrapped by the new key, which takes a key administrator too. Raises NotPermitted,
        ApprovalNeeded, PolicyLimit, LocationMismatch, RecordNotFound, KeyDenied, KeyUnavailable, UnsuitableKey,
        EnvironmentLocked.
        """
        self.need_environment_administrator("put it under a policy")
        policy = await self.policies.one(name)
        if not policy.may_attach(self._actor.name):
            raise NotPermitted(
                f"{self._actor.name} may not use the policy {policy.name}.",
                hint=f"Its owner grants that: sealflow policy grant {policy.name} --reader {self._actor.name}",
            )
        async with self.opened(environment) as opened:
            info, before = opened.info, opened.state.cover
            await self.check_limit(info)
            await self._reconciled(opened)
            if before is not None and (before.policy, before.uri) == (policy.id, policy.uri):
                return opened.state
            if before is not None:  # whose customer loses the environment by it
                self.need_key_administrator("put an environment under another policy")
            if policy.elsewhere(info.location):
                raise LocationMismatch(
                    f"The environment {info.name} is in {info.location}, the policy {policy.name} in another region: "
                    f"{policy.location}.",
                    hint="Take a policy on a key of the same region: sealflow policy list",
                )
            detail = {"policy": policy.name, "key": policy.uri}
            if before is not None:
                detail["instead"] = before.name
            needed = max(policy.approvals, approvals_in(opened.state))
            approved = await self.approval(APPLY, info, needed, detail)
            async with self.act(APPLY, info.name, detail, approved=approved):
                provider = opened.source.customer(policy.uri)
                await _suitable(provider)
                await self._cover(opened, policy, provider)
            return opened.state

    async def _cover(self, opened: Opened, policy: Policy, provider: KeyProvider) -> None:
        epoch = opened.state.epoch
        for attempt in range(_ATTEMPTS):
            try:
                await self._covered(opened, policy, provider)
            except Conflict:
                # A connection was deleted, or changed, after it had been read; or the keys were, by somebody else.
                opened.keyring = await opened.source.load()
                if opened.state.epoch != epoch or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    async def _covered(self, opened: Opened, policy: Policy, provider: KeyProvider) -> None:
        state, keyring, now = opened.state, opened.keyring, self._store.now_ms()
        epoch = state.epoch + 1
        batch = Batch(guard=keyring.deciding)
        domain = state.domain
        if state.cover is None:
            domain = max(state.highest, *(row.domain for row in keyring.rows)) + 1
        else:  # another policy's: what it sealed must open with the new key
            keyring = await keyring.rewrapped(domain, provider, policy_epoch=epoch)
            batch.keys.replaced = [row for row in keyring.rows if row.domain == domain]
        keyring, row = await keyring.with_new_key(domain, provider, now, policy_epoch=epoch)
        batch.keys.environment_keys = [row]
        state = state.covered(domain, policy.cover(now))
        keyring.domain, keyring.epoch, keyring.lock_epoch = domain, epoch, state.lock_epoch
        keyring.covered = frozenset(state.covers)
        await self._connections(opened, keyring, state).resealed(state, batch, coming=True)
        await self._commit(opened, keyring, state, batch)
        # From the first commit on, nothing new comes under the earlier keys of an environment that has no flows; and a
        # connection may have been made meanwhile.
        batch = Batch(guard=opened.keyring.deciding)
        await self._connections(opened, opened.keyring, state).resealed(state, batch, coming=True)
        await close(opened.backend, opened.keyring, batch)
        if batch.rows():
            await opened.backend.commit(batch)

    async def remove(self, environment: str) -> KeyState:
        """Takes the policy away: everything is under the service's key again, at once and without rewriting anything.

        The customer's key must still be given. Raises NotPermitted, ApprovalNeeded, RecordNotFound, KeyDenied,
        KeyUnavailable, EnvironmentLocked.
        """
        self.need_key_administrator()
        async with self.opened(environment) as opened:
            await self._reconciled(opened)
            if opened.state.cover is None:
                return opened.state
            detail = {"policy": opened.state.cover.name}
            approved = await self.approval(REMOVE, opened.info, approvals_in(opened.state), detail)
            async with self.act(REMOVE, opened.info.name, detail, approved=approved):
                keyring, state = opened.keyring, opened.state.reverted()
                for domain in opened.state.covers:
                    keyring = await keyring.rewrapped(domain, opened.source.service, policy_epoch=state.epoch)
                rows = [row for row in keyring.rows if row.domain in opened.state.covers]
                batch = Batch(guard=opened.keyring.deciding, keys=KeyChanges(replaced=rows))
                reopen(opened.info.id, batch)
                await self._commit(opened, keyring, state, batch)
            return opened.state

    async def reconcile(self) -> list[str]:
        """Makes the assignments say what each environment's own store says, and names those that said otherwise: a
        crash came between the two commits of an act. They only ever follow a later state. Raises IntegrityError,
        StoreRolledBack (an environment's store is an earlier one) and the errors of the stores.
        """
        repaired = []
        for info in await self._store.environments():
            async with self.opened(info.name, locked=True) as opened:
                if await self._reconciled(opened):
                    repaired.append(info.name)
        return repaired

    async def _reconciled(self, opened: Opened) -> bool:
        if await self.policies.following(opened.info.id, opened.state) is None:
            return False
        cover = opened.state.cover
        detail = {"policy": None if cover is None else cover.name}
        self.changed(opened.info.id, opened.state)
        await self.record(REPAIR, opened.info.name, SUCCEEDED, detail)
        return True

    # --- keys

    async def rotate(self, environment: str, *, data_keys: bool = False, service: bool = False) -> KeyState:
        """Wraps the environment's keys by the newest version of the key above them; with `data_keys` a new environment
        key seals what is new, and that everything is to be wrapped by it is on record (see `Vault.migrate`).

        Of an environment without a policy, and with `service`, it is the service's key, which gets a new version first.
        Costs one call to the key store for each environment key. Recovery copies are made anew if their key is given;
        those that there are stay otherwise. Raises NotPermitted, RecordNotFound, KeyDenied and KeyUnavailable (with
        `data_keys`, of the recovery key too), EnvironmentLocked.
        """
        self.need_key_administrator()
        async with self.opened(environment) as opened:
            detail = {"data_keys": data_keys, "service": service}
            async with self.act(ROTATE, opened.info.name, detail) as facts:
                state = opened.state.next()
                domain = int(Domain.SERVICE) if service else state.domain
                provider = opened.source.provider(domain)
                if domain == Domain.SERVICE and not data_keys:
                    await self._store.new_service_key(opened.info.id)
                batch = Batch(guard=opened.keyring.deciding)
                before = {(row.domain, row.version): row for row in opened.keyring.rows}
                keyring = opened.keyring
                if data_keys:
                    keyring, row = await keyring.with_new_key(
                        domain, provider, self._store.now_ms(), policy_epoch=state.epoch
                    )
                    batch.keys.environment_keys = [row]
                    # In the same commit: what is left after a crash is known to be left.
                    stays = state.cover is not None  # what a policy found here is moved by a migration only
                    total = await remaining(opened.backend, state.domain, keyring, stays=stays)
                    kind = NEW_DATA_KEYS if stays else MIGRATE
                    Operations(opened.backend, keyring, self._store.now_ms).put(kind, total, batch)
                else:
                    # The service's key also wraps what was given back to it.
                    for each in sorted({row.domain for row in keyring.rows}):
                        if opened.source.provider(each) is provider:
                            keyring = await keyring.rewrapped(each, provider, policy_epoch=state.epoch)
                batch.keys.replaced = [row for row in keyring.rows if before.get((row.domain, row.version), row) != row]
                if domain != Domain.SERVICE:
                    state, problem = await with_renewed_copies(opened.source, keyring, state)
                    if problem is not None:
                        facts["recoveryCopies"] = problem.code
                        log.warning("recovery copies were not made anew: their key is not given (%s)", problem.code)
                await self._commit(opened, keyring, state, batch)
            return opened.state

    @asynccontextmanager
    async def migrating(self, environment: str, *, full: bool) -> AsyncIterator[None]:
        """Puts it on record that a migration is begun in this block; see `Vault.begin_migration`. Raises NotPermitted,
        RecordNotFound.
        """
        self.need_key_administrator()
        info = await self._store.environment(environment)
        async with self.act("policy migrate", info.name, {"full": full}):
            yield

    async def retire(self, environment: str) -> list[tuple[int, int]]:
        """Removes environment keys that nothing needs any more, and says which (domain and version): earlier ones, and
        those of policies that were taken away, once everything they sealed was moved.

        Raises NotPermitted, ApprovalNeeded, RecordNotFound, EnvironmentLocked, and Conflict, which says what still
        needs an earlier one.
        """
        self.need_key_administrator()
        async with self.opened(environment) as opened:
            earlier = await removable(opened, Registry(self._store))
            detail = {"keys": len(earlier)}
            approved = None
            if earlier:
                approved = await self.approval(RETIRE, opened.info, approvals_in(opened.state), detail)
            async with self.act(RETIRE, opened.info.name, detail, approved=approved):
                keyring, state = opened.keyring, opened.state.next()
                for place in earlier:
                    keyring = keyring.without(*place)
                kept = {(row.domain, row.version): row for row in opened.keyring.rows}
                batch = Batch(guard=opened.keyring.deciding, keys=KeyChanges(retired=earlier))
                batch.keys.replaced = [row for row in keyring.rows if kept[row.domain, row.version] != row]
                await self._commit(opened, keyring, state, batch)
            return earlier

    async def recover(self, environment: str) -> KeyState:
        """Opens an environment by the recovery copies of its keys, and unlocks it: the recovery key takes the place of
        the key, until a policy is applied. Its policy stays in force.

        Raises NotPermitted, ApprovalNeeded, RecordNotFound (no copies), KeyDenied, KeyUnavailable, WrongKey.
        """
        self.need_key_administrator("open it by its recovery copy")
        self.need_environment_administrator("unlock it")
        async with self.opened(environment, locked=True) as opened:
            info, before = opened.info, opened.state
            detail = {"policy": None if before.cover is None else before.cover.name}
            approved = await self.approval(RECOVER, info, approvals_in(before), detail)
            async with self.act(RECOVER, info.name, detail, approved=approved):
                keyring, state = await recovered(opened.source, opened.keyring, before.next().epoch)
                rows = [row for row in keyring.rows if row.domain in before.covers]
                guard = Guard(before.lock_epoch, before.epoch)
                await self._commit(opened, keyring, state, Batch(guard=guard, keys=KeyChanges(replaced=rows)))
        return await self.unlock(environment)

    # --- locks

    async def lock(self, environment: str, reason: str = "administrator") -> KeyState:
        """Locks an environment: every process drops its keys, and nothing of it can be read until it is unlocked."""
        self.need_environment_administrator("lock it")
        async with self.opened(environment, locked=True) as opened:
            if opened.state.lock is None:
                async with self.act(LOCK, opened.info.name, {"reason": reason}):
                    state = opened.state.locked(Lock(reason, self._store.now_ms()))
                    guard = Guard(opened.state.lock_epoch, opened.state.epoch)
                    await self._commit(opened, opened.keyring, state, Batch(guard=guard))
            else:
                await self._reconciled(opened)
            return opened.state

    async def unlock(self, environment: str) -> KeyState:
        """Unlocks an environment, if its original keys are given again.

        Raises NotPermitted, RecordNotFound, KeyDenied, KeyUnavailable, WrongKey (another key has the name now).
        """
        self.need_environment_administrator("unlock it")
        async with self.opened(environment, locked=True) as opened:
            if opened.state.lock is not None:
                if opened.state.lock.reason == MOVING:  # a copy of it may be about to take its place
                    raise locked(opened.info.name, opened.state)
                async with self.act(UNLOCK, opened.info.name):
                    state = opened.state.unlocked()
                    # Each environment key is unwrapped and compared with the id that was certified before the lock.
                    await opened.source.load(unlocked=True)
                    guard = Guard(opened.state.lock_epoch, opened.state.epoch)
                    await self._commit(opened, opened.keyring, state, Batch(guard=guard))
            return opened.state

    async def delete_environment(self, name: str) -> Shredded:
        """Shreds an environment, see `Store.delete_environment`. Raises NotPermitted, ApprovalNeeded and what that
        raises.
        """
        self.need_environment_administrator("delete it")
        info = await self._store.environment(name)
        until = await Registry(self._store).until_ms(info.id)
        approved = await self.approval(DELETE, info, await self.approvals_of(info))
        async with self.act(DELETE, info.name, approved=approved):
            runs = await self._store.delete_environment(info.name, actor=self._actor.name)
        return Shredded(runs, "done", until)

    async def health(self, name: str) -> str:
        """`healthy`, `denied: …` or `unavailable: …`: whether a policy's key can be used now."""
        policy = await self.policies.one(name)
        provider = self._store.customers(policy.uri)
        try:
            await _suitable(provider)
        except (KeyDenied, UnsuitableKey) as error:
            return f"denied: {error.message}"
        except StorageError as error:
            return f"unavailable: {error.message}"
        finally:
            await provider.aclose()
        return "healthy"

    # --- for other acts, and inside

    async def approvals_of(self, info: EnvironmentInfo) -> int:
        """How many administrators an act on the environment as a whole takes; also where its store cannot be opened."""
        try:
            async with self.opened(info.name, locked=True) as opened:
                return approvals_in(opened.state)
        except StorageError:
            assignment = await self.policies.assignment(info.id)
            known = {policy.id: policy.approvals for policy in await self.policies.all()}
            return 1 if assignment is None or assignment.policy is None else known.get(assignment.policy, 1)

    async def _commit(self, opened: Opened, keyring: Keyring, state: KeyState, batch: Batch) -> None:
        if not keyring.locked:  # a lock waits for nobody's key
            state = await with_copies(opened.source, keyring, state)
        batch.keys.state, key_row = seal_state(keyring, state, opened.source.state_key)
        if key_row is not None:
            batch.keys.inserts.append(key_row)
        await opened.backend.commit(batch)
        opened.source.state, opened.keyring = state, keyring
        self.changed(opened.info.id, state)

    def _connections(self, opened: Opened, keyring: Keyring, state: KeyState) -> Connections:
        async def reload() -> None:
            return None  # the act's own guard refuses what is stale

        return Connections(opened.backend, keyring, self._store.now_ms, lambda: state, reload)

    async def check_limit(self, info: EnvironmentInfo) -> None:
        """Raises PolicyLimit where one more environment may not come under a policy."""
        covered = await self.policies.assignments()
        if info.id not in covered and len(covered) >= self._limit:
            raise PolicyLimit(
                f"{len(covered)} environments are under a policy already, which is the limit.",
                hint="An administrator raises it with SEALFLOW_POLICY_LIMIT.",
            )


def approvals_in(state: KeyState) -> int:
    """How many administrators an act on the keys of an environment takes, by its policies."""
    return max((cover.approvals for cover in state.covers.values()), default=1)


async def _suitable(provider: KeyProvider) -> None:
    facts = await provider.facts()
    if facts.problem is not None:
        raise UnsuitableKey(facts.problem)
    if facts.recoverable is False:
        raise UnsuitableKey(
            f"The key {provider.uri} could be lost for good.",
            hint="Turn on soft delete and purge protection, or whatever your key store has against deletion.",
        )
