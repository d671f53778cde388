"""What administrators do to keys: policies applied, exchanged and taken away, keys rotated and retired, environments
locked and unlocked.

Each act is on record before it is done and after. The environment's own store is the truth: it changes in one commit,
and what the control store says beside it (assignments, audit) follows; `reconcile` repairs that after a crash in
between. Every process that has the environment open notices by its epochs, see keystate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .audit import FAILED, RUNNING, SUCCEEDED, Audit
from .backups import Registry
from .connections import Connections
from .errors import (
    Conflict,
    EnvironmentLocked,
    KeyDenied,
    NotPermitted,
    PolicyLimit,
    StorageError,
    UnsuitableKey,
)
from .keyring import Keyring
from .keysource import KeySource
from .keystate import Cover, KeyState, Lock, seal_state
from .migration import MIGRATE, remaining
from .operations import Operations
from .policy import Policy
from .port import Backend, KeyProvider
from .purposes import Domain
from .rows import Batch, Guard
from .shredding import Shredded
from .views import EnvironmentInfo

if TYPE_CHECKING:
    from .store import Store

DEFAULT_LIMIT = 25
"""Environments that may be covered at the same time."""


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


class Administration:
    """The acts on one store. `limit` is how many environments may be covered at the same time."""

    def __init__(self, store: Store, actor: Actor, *, limit: int = DEFAULT_LIMIT) -> None:
        self._store = store
        self._actor = actor
        self._limit = limit
        self.policies = store.policies
        self.audit = Audit(store.backend, store.keyring, store.now_ms)

    @property
    def store(self) -> Store:
        return self._store

    @property
    def actor(self) -> Actor:
        return self._actor

    # --- policies

    async def create_policy(
        self,
        name: str,
        uri: str,
        *,
        location: str = "local",
        readers: tuple[str, ...] = (),
        probe: float = 300.0,
        grace: float = 1800.0,
        all_connections: bool = False,
    ) -> Policy:
        """A new policy on a customer's key.

        Raises NotPermitted, InvalidKeyUri, KeyDenied, KeyUnavailable, UnsuitableKey, AlreadyThere, InvalidName,
        InvalidPolicy.
        """
        self.need_key_administrator()
        provider = self._store.customers(uri)
        try:
            uri = provider.uri
            await _suitable(provider)
        finally:
            await provider.aclose()
        policy, batch = await self.policies.create(
            name, uri, location=location, owner=self._actor.name, readers=readers, probe=probe, grace=grace,
            all_connections=all_connections,
        )  # fmt: skip
        await self._record("policy create", name, SUCCEEDED, {"key": uri, "location": location}, batch)
        return policy

    async def grant(self, name: str, reader: str) -> Policy:
        """Lets somebody attach environments to a policy. Raises NotPermitted, RecordNotFound."""
        self.need_key_administrator()
        policy = await self.policies.one(name)
        policy, batch = await self.policies.changed(
            replace(policy, readers=tuple(dict.fromkeys((*policy.readers, reader))))
        )
        await self._record("policy grant", name, SUCCEEDED, {"reader": reader}, batch)
        return policy

    async def delete_policy(self, name: str) -> None:
        """Removes a policy that covers nothing. Raises NotPermitted, RecordNotFound, Conflict."""
        self.need_key_administrator()
        policy = await self.policies.one(name)
        await self.reconcile()
        await self._record("policy delete", name, SUCCEEDED, None, await self.policies.removed(policy))

    async def apply(self, name: str, environment: str) -> KeyState:
        """Puts an environment under a policy: what is new belongs to the customer's key from now on.

        Flows that are there stay where they are. An environment under another policy goes over to this one at once: its
        customer's keys are wrapped by the new key. Raises NotPermitted, PolicyLimit, RecordNotFound, KeyDenied,
        KeyUnavailable, UnsuitableKey, EnvironmentLocked.
        """
        self.need_environment_administrator("put it under a policy")
        policy = await self.policies.one(name)
        if not policy.may_attach(self._actor.name):
            raise NotPermitted(
                f"{self._actor.name} may not use the policy {policy.name}.",
                hint=f"Its owner grants that: sealflow policy grant {policy.name} --reader {self._actor.name}",
            )
        async with self.opened(environment) as opened:
            info = opened.info
            await self.check_limit(info)
            await self._reconciled(opened)
            if opened.state.cover is not None and opened.state.cover.policy == policy.id:
                return opened.state
            async with self.act("policy apply", info.name, {"policy": policy.name, "key": policy.uri}):
                provider = opened.source.customer(policy.uri)
                await _suitable(provider)
                await self._cover(opened, policy, provider)
            return opened.state

    async def _cover(self, opened: Opened, policy: Policy, provider: KeyProvider) -> None:
        state, keyring, now = opened.state, opened.keyring, self._store.now_ms()
        epoch = state.epoch + 1
        batch = Batch(guard=keyring.deciding)
        domain = state.domain
        if state.cover is None:
            domain = max(row.domain for row in keyring.rows) + 1
        else:  # another policy's: what it sealed must open with the new key
            keyring = await keyring.rewrapped(domain, provider, policy_epoch=epoch)
            batch.replaced_environment_keys = [row for row in keyring.rows if row.domain == domain]
        keyring, row = await keyring.with_new_key(domain, provider, now, policy_epoch=epoch)
        batch.environment_keys = [row]
        cover = Cover(policy.id, policy.name, policy.uri, now, policy.all_connections, policy.probe, policy.grace)
        state = state.covered(domain, cover)
        keyring.domain, keyring.epoch, keyring.lock_epoch = domain, epoch, state.lock_epoch
        keyring.covered = frozenset(state.covers)
        await self._connections(opened, keyring, state).resealed(state, batch)
        await self._commit(opened, keyring, state, batch)

    async def remove(self, environment: str) -> KeyState:
        """Takes the policy away: everything is under the service's key again, at once and without rewriting anything.

        The customer's key must still be given. Raises NotPermitted, RecordNotFound, KeyDenied, KeyUnavailable,
        EnvironmentLocked.
        """
        self.need_key_administrator()
        async with self.opened(environment) as opened:
            await self._reconciled(opened)
            if opened.state.cover is None:
                return opened.state
            async with self.act("policy remove", opened.info.name, {"policy": opened.state.cover.name}):
                keyring, state = opened.keyring, opened.state.reverted()
                for domain in opened.state.covers:
                    keyring = await keyring.rewrapped(domain, opened.source.service, policy_epoch=state.epoch)
                rows = [row for row in keyring.rows if row.domain in opened.state.covers]
                batch = Batch(guard=opened.keyring.deciding, replaced_environment_keys=rows)
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
        batch = await self.policies.following(opened.info.id, opened.state)
        if batch is None:
            return False
        cover = opened.state.cover
        detail = {"policy": None if cover is None else cover.name}
        await self._record("assignment repair", opened.info.name, SUCCEEDED, detail, batch)
        return True

    # --- keys

    async def rotate(self, environment: str, *, data_keys: bool = False, service: bool = False) -> KeyState:
        """Wraps the environment's keys by the newest version of the key above them; with `data_keys` a new environment
        key seals what is new, and that everything is to be wrapped by it is on record (see `Vault.migrate`).

        Of an environment without a policy, and with `service`, it is the service's key, which gets a new version first.
        Costs one call to
        the key store for each environment key. Raises NotPermitted, RecordNotFound, KeyDenied, KeyUnavailable,
        EnvironmentLocked.
        """
        self.need_key_administrator()
        async with self.opened(environment) as opened:
            detail = {"data_keys": data_keys, "service": service}
            async with self.act("key rotate", opened.info.name, detail):
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
                    batch.environment_keys = [row]
                    # In the same commit: what is left after a crash is known to be left.
                    total = await remaining(opened.backend, state.domain, keyring)
                    Operations(opened.backend, keyring, self._store.now_ms).put(MIGRATE, total, batch)
                else:
                    # The service's key also wraps what was given back to it.
                    for each in sorted({row.domain for row in keyring.rows}):
                        if opened.source.provider(each) is provider:
                            keyring = await keyring.rewrapped(each, provider, policy_epoch=state.epoch)
                batch.replaced_environment_keys = [
                    row for row in keyring.rows if before.get((row.domain, row.version), row) != row
                ]
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
        """Removes environment keys that nothing needs any more, and says which (domain and version).

        Raises NotPermitted, RecordNotFound, EnvironmentLocked, and Conflict, which says what still needs an earlier
        one.
        """
        self.need_key_administrator()
        async with self.opened(environment) as opened:
            needed = {(count.domain, count.key_version): 0 for count in await opened.backend.key_counts()}
            for count in await opened.backend.key_counts():
                needed[count.domain, count.key_version] += count.scopes
            live = {row.domain: row.version for row in opened.keyring.rows}
            earlier = [(row.domain, row.version) for row in opened.keyring.rows if row.version != live[row.domain]]
            held = {place: needed[place] for place in earlier if needed.get(place)}
            if held:
                scopes = sum(held.values())
                raise Conflict(
                    f"{scopes:,} runs, flows and connections still need an earlier key of {opened.info.name}.",
                    hint=f"Wrap them anew first: sealflow policy migrate --environment {opened.info.name}",
                )
            await self._refuse_for_backups(opened)
            async with self.act("key retire", opened.info.name, {"keys": len(earlier)}):
                keyring, state = opened.keyring, opened.state.next()
                for place in earlier:
                    keyring = keyring.without(*place)
                kept = {(row.domain, row.version): row for row in opened.keyring.rows}
                batch = Batch(guard=opened.keyring.deciding, retired_environment_keys=earlier)
                batch.replaced_environment_keys = [row for row in keyring.rows if kept[row.domain, row.version] != row]
                await self._commit(opened, keyring, state, batch)
            return earlier

    async def _refuse_for_backups(self, opened: Opened) -> None:
        """A backup is opened by the keys of its time: neither they nor what wrapped them may go before it expires."""
        live = {row.domain: (row.domain, row.version, row.kek) for row in opened.keyring.rows}
        held = [
            backup
            for backup in await Registry(self._store).held(opened.info.id)
            if not set(backup.keys) <= set(live.values())
        ]
        if held:
            raise Conflict(
                f"{len(held)} backups of {opened.info.name} need an earlier key.",
                hint="Wait until they expire, or destroy their keys and say so: sealflow backup expire ID",
            )

    # --- locks

    async def lock(self, environment: str, reason: str = "administrator") -> KeyState:
        """Locks an environment: every process drops its keys, and nothing of it can be read until it is unlocked."""
        self.need_environment_administrator("lock it")
        async with self.opened(environment, locked=True) as opened:
            if opened.state.lock is None:
                async with self.act("environment lock", opened.info.name, {"reason": reason}):
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
                async with self.act("environment unlock", opened.info.name):
                    state = opened.state.unlocked()
                    # Each environment key is unwrapped and compared with the id that was certified before the lock.
                    await opened.source.load(unlocked=True)
                    guard = Guard(opened.state.lock_epoch, opened.state.epoch)
                    await self._commit(opened, opened.keyring, state, Batch(guard=guard))
            return opened.state

    async def delete_environment(self, name: str) -> Shredded:
        """Shreds an environment, see `Store.delete_environment`. Raises NotPermitted and what that raises."""
        self.need_environment_administrator("delete it")
        info = await self._store.environment(name)
        until = await Registry(self._store).until_ms(info.id)
        async with self.act("environment delete", info.name):
            runs = await self._store.delete_environment(info.name)
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

    @asynccontextmanager
    async def opened(self, environment: str, *, locked: bool = False) -> AsyncIterator[Opened]:
        """The environment for one act; with `locked`, its service keys are enough. Raises StoreRolledBack and what
        `Store.open_vault` does.
        """
        info = await self._store.environment(environment)
        backend, source = await self._store.open_backend(info)
        try:
            keyring = await source.load(locked=locked)
            if keyring.locked and not locked:
                raise EnvironmentLocked(
                    f"The environment {info.name} is locked.", hint=f"Unlock it first: sealflow env unlock {info.name}"
                )
            yield Opened(info, backend, source, keyring)
        finally:
            await source.aclose()
            await backend.close()

    async def _commit(self, opened: Opened, keyring: Keyring, state: KeyState, batch: Batch) -> None:
        batch.key_state, key_row = seal_state(keyring, state, opened.source.state_key)
        if key_row is not None:
            batch.keys.append(key_row)
        await opened.backend.commit(batch)
        opened.source.state, opened.keyring = state, keyring
        await self.policies.follow(opened.info.id, state)

    def _connections(self, opened: Opened, keyring: Keyring, state: KeyState) -> Connections:
        async def reload() -> None:
            return None  # the act's own guard refuses what is stale

        return Connections(opened.backend, keyring, self._store.now_ms, lambda: state, reload)

    @asynccontextmanager
    async def act(self, kind: str, subject: str, detail: Mapping[str, Any] | None = None) -> AsyncIterator[None]:
        """Puts an act on record before it is done in this block, and how it went after that."""
        value = dict(detail) if detail is not None else None
        await self._record(kind, subject, RUNNING, value)
        try:
            yield
        except StorageError as error:
            await self._record(kind, subject, FAILED, {**(value or {}), "code": error.code})
            raise
        await self._record(kind, subject, SUCCEEDED, value)

    async def _record(self, kind: str, subject: str, status: str, detail: Any, batch: Batch | None = None) -> None:
        await self.audit.record(self._actor.name, kind, subject, status, detail, batch)

    def need_environment_administrator(self, what: str) -> None:
        """Raises NotPermitted."""
        if not self._actor.environment_administrator:
            raise NotPermitted(f"Only an administrator of the environment may {what}.")

    def need_key_administrator(self, what: str = "do that") -> None:
        """Raises NotPermitted."""
        if not self._actor.key_administrator:
            raise NotPermitted(f"Only a key administrator may {what}.")

    async def check_limit(self, info: EnvironmentInfo) -> None:
        """Raises PolicyLimit where one more environment may not come under a policy."""
        covered = await self.policies.assignments()
        if info.id not in covered and len(covered) >= self._limit:
            raise PolicyLimit(
                f"{len(covered)} environments are under a policy already, which is the limit.",
                hint="An administrator raises it with SEALFLOW_POLICY_LIMIT.",
            )


async def _suitable(provider: KeyProvider) -> None:
    facts = await provider.facts()
    if facts.problem is not None:
        raise UnsuitableKey(facts.problem)
    if facts.recoverable is False:
        raise UnsuitableKey(
            f"The key {provider.uri} could be lost for good.",
            hint="Turn on soft delete and purge protection, or whatever your key store has against deletion.",
        )
