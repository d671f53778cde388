"""A backup goes back into its own environment: in the home it came from or in another, with the keystore and under the
customer's key that it had. For another environment see `restoring_elsewhere`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...administration.administration import Administration
from ...backends.sqlite import SQLiteBackend
from ...errors import Conflict, EnvironmentLocked, InvalidBackup, StoreBusy
from ...format.envelope import same
from ...keys.key_source import KeySource
from ...keys.key_state import Floor, KeyState, Lock, seal_state
from ...keys.keyring import Keyring
from ...models import EnvironmentInfo
from ...policies.audit import SUCCEEDED
from ...policies.policy import Assignment
from ...port import Backend, Batch, Guard, KeyChanges
from ...stores.ledger import FLOW, RESTORED, RUN, Ledger
from .files import DATA, KEYS, mac_of, scratch_folder, unpacked

if TYPE_CHECKING:
    from ...vault.home import Store

TRIED: Final = "tried.db"
"""In the folder of a backup that was unpacked: both parts together."""


async def restore_backup(
    administration: Administration, file: Path, name: str | None = None, *, revive: bool = False
) -> EnvironmentInfo:
    """Puts a backup in the place of everything in its environment; where the home does not have that any more, it is
    made again, and called `name`. What was shredded since is shredded again, unless `revive` brings it back.

    The keys' state becomes the one after the last that is known here: what was locked when it was deleted is locked
    again. No process may have the environment open. Raises InvalidBackup, EnvironmentLocked, NotPermitted (also for
    another policy than was in force when the environment was deleted), PolicyLimit, Conflict (another name or key than
    the environment has now), StoreBusy, KeyMissing, WrongKey, KeyDenied, KeyUnavailable.
    """
    administration.need_environment_administrator("restore it")
    store = administration.store
    async with scratch_folder(file) as at:
        keys = await unpacked(file, at)
        opened = await try_backup(store, at, keys)
        found = next((each for each in await store.environments() if each.id == opened.environment), None)
        if found is None and name is None:
            raise InvalidBackup(
                "The environment of this backup is not here.", hint="Say how to call it: --environment NAME"
            )
        if found is not None and name is not None and name.casefold() != found.name.casefold():
            raise Conflict(
                f"The backup is one of the environment {found.name}, and cannot become another one beside it.",
                hint=f"Restore it into {found.name}; what it holds goes into another one with --into {name}.",
            )
        info = found or EnvironmentInfo(opened.environment, str(name), store.now_ms())
        async with administration.act("backup restore", info.name, {"backup": keys["backup"], "revive": revive}):
            last = await store.policies.assignment(info.id)
            await _cover_allowed(administration, info, opened, last if found is None else None)
            if found is None:
                info = await store.adopt_environment(info, actor=administration.actor.name)
            await _put_back(administration, info, at, opened, last, existing=found is not None, revive=revive)
        return info


@dataclass(frozen=True, slots=True)
class Tried:
    """A backup whose keys open here: of which environment, and which policy covered it."""

    environment: bytes
    backup: bytes
    state: KeyState


async def try_backup(store: Store, at: Path, keys: dict[str, Any]) -> Tried:
    """Opens the keys of a backup that was unpacked to a folder. Raises InvalidBackup for one with another MAC."""
    environment, backup = bytes.fromhex(keys["environment"]), bytes.fromhex(keys["backup"])
    scratch = await SQLiteBackend.open(at / TRIED)
    try:
        await scratch.backups.copy_from(at / DATA[1], with_keys=at / KEYS[1])
        source = store.key_source(environment, scratch)
        try:
            keyring = await source.load()
        finally:
            await source.aclose()
        if not same(mac_of(keyring, keys), bytes.fromhex(keys["mac"])):
            raise InvalidBackup("The backup was altered, or put together from several.")
        if source.state.lock is not None:
            raise EnvironmentLocked("The environment was locked when this backup was made.")
        return Tried(environment, backup, source.state)
    finally:
        await scratch.close()


async def _cover_allowed(
    administration: Administration, info: EnvironmentInfo, tried: Tried, deleted: Assignment | None
) -> None:
    """Whether the backup's policy may come (again) to its environment; a policy that is gone is made again.

    `deleted` is what was in force when the environment was deleted. Raises NotPermitted, PolicyLimit.
    """
    cover = tried.state.cover
    policy = None if cover is None else cover.policy
    if deleted is not None and deleted.policy != policy:
        administration.need_key_administrator(
            "restore this backup: another policy than it was made under was in force when the environment was deleted"
        )
    if cover is None:
        return
    await administration.check_limit(info)
    if policy not in {each.id for each in await administration.policies.all()}:
        administration.need_key_administrator("restore this backup: the policy it was made under is not here")
        store = administration.store
        batch = await store.policies.recreated(cover, administration.actor.name)
        await administration.record("policy create", cover.name, SUCCEEDED, {"key": cover.uri, "restored": True}, batch)


async def _put_back(
    administration: Administration,
    info: EnvironmentInfo,
    at: Path,
    tried: Tried,
    last: Assignment | None,
    *,
    existing: bool,
    revive: bool,
) -> None:
    store = administration.store
    backend, guarded = await store.open_backend(info, unidentified=not existing)
    await guarded.aclose()
    # Without the floor: a restore is what helps where an earlier copy was put back.
    source = store.key_source(info.id, backend)
    shredded: list[tuple[str, bytes]] = []
    try:
        if not await backend.workers.try_become_executor():
            raise StoreBusy(f"The environment {info.name} is in use.", hint="End the process that executes its runs.")
        if existing:
            shredded, last = await _existing(backend, source, store, tried.state, last)
        state = await _prepared(store, info, at, tried, last, [] if revive else shredded)
        # With everything that has to come with it: there is no moment at which the backup's own state counts.
        await backend.backups.copy_from(at / DATA[1], with_keys=at / KEYS[1])
        administration.changed(info.id, state)
    finally:
        await source.aclose()
        await backend.close()


async def _existing(
    backend: Backend, source: KeySource, store: Store, then: KeyState, last: Assignment | None
) -> tuple[list[tuple[str, bytes]], Assignment]:
    """What has a tombstone in the environment as it is, and its last assignment; refused where it is locked, or another
    key covers it than `then`.
    """
    keyring = await source.load()
    if last is None or last.floor.bears(source.state):
        last = Assignment.of(source.state)
    if last.floor.locked or source.state.lock is not None:
        raise EnvironmentLocked("The environment is locked: nothing is restored into it.")
    if last.policy != Assignment.of(then).policy:
        raise Conflict(
            "The environment is under another key than when the backup was made.",
            hint="Put it under that policy again, or remove the policy, and restore then.",
        )
    said = Ledger(backend, keyring, store.now_ms).statements()
    return [(each.kind, each.subject) async for each in said if each.kind in (RUN, FLOW)], last


async def _prepared(
    store: Store,
    info: EnvironmentInfo,
    at: Path,
    tried: Tried,
    last: Assignment | None,
    shredded: list[tuple[str, bytes]],
) -> KeyState:
    """Makes of the copy that was tried what is to be put back, in the two files of before, and gives its state."""
    scratch = await SQLiteBackend.open(at / TRIED)
    source = store.key_source(info.id, scratch)
    try:
        keyring = await source.load()
        vault = store.vault(info, scratch, keyring, source)
        await vault.try_become_executor()
        await Ledger(scratch, keyring, store.now_ms).say([(RESTORED, tried.backup)], keyring.guard)
        await vault.shred_again(shredded)
        await vault.renew_keys()
        await vault.close()
    finally:
        await source.aclose()
        await scratch.close()
    scratch = await SQLiteBackend.open(at / TRIED)
    source = store.key_source(info.id, scratch)
    try:
        keyring = await source.load()
        state = source.state
        if last is not None:
            state = await _raised(scratch, source, keyring, last.floor, store.now_ms())
        for name in (DATA[1], KEYS[1]):
            (at / name).unlink()
        await scratch.backups.copy_to(at / DATA[1], with_keys=at / KEYS[1])
    finally:
        await source.aclose()
        await scratch.close()
    return state


async def _raised(scratch: Backend, source: KeySource, keyring: Keyring, floor: Floor, now_ms: int) -> KeyState:
    """Takes the state above the floor, locked or not as that says, step by step: a store takes no other ones."""
    state = source.state
    while state.epoch <= floor.epoch or state.lock_epoch < floor.lock_epoch:
        before = state
        if state.epoch <= floor.epoch:
            state = state.next()
        else:
            state = state.locked(Lock("administrator", now_ms)) if state.lock is None else state.unlocked()
        row, key_row = seal_state(keyring, state, source.state_key)
        batch = Batch(guard=Guard(before.lock_epoch, before.epoch), keys=KeyChanges(state=row))
        if key_row is not None:
            batch.keys.inserts.append(key_row)
            source.state_key = key_row
        await scratch.commit(batch)
    return state
