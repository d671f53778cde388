"""Backups of an environment: a consistent copy in two files, one without any key and one with the keys only.

    FILE        zip: manifest.json, store.db    what is sealed; useless without the other
    FILE.keys   zip: manifest.json, keys.db     the wrapped keys; to be destroyed when the backup expires

Both manifests carry a format, the backup's id and the digest of their database; that of the keys also the other one's
digest and a MAC by the environment's service key, so that parts cannot be exchanged.

Ids of environments are sealed into every record, so a backup goes back into its own environment only: in the home it
came from or in another, with the keystore and under the customer's key that it had (Power Platform, customer-managed
keys: restore only into the same environment or one under the same key).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .administration import Administration, Opened
from .backends.sqlite import SQLiteBackend
from .backups import Backup, Registry
from .envelope import lp, number, random_id, same
from .errors import AlreadyThere, Conflict, EnvironmentLocked, InvalidBackup, RecordNotFound, StoreBusy
from .folders import os_error, sync_folder
from .keyring import Keyring
from .keysource import KeySource
from .keystate import Floor, KeyState, Lock, seal_state
from .ledger import FLOW, RESTORED, RUN, Ledger
from .policy import Assignment
from .port import Backend
from .retention import DAY_MS
from .rows import Batch, Guard
from .views import EnvironmentInfo

if TYPE_CHECKING:
    from .store import Store

_FORMAT: Final = 1
_DATA: Final = ("sealflow backup", "store.db")
_KEYS: Final = ("sealflow backup keys", "keys.db")
_MANIFEST: Final = "manifest.json"
_TRIED: Final = "tried.db"


def keys_file(file: Path) -> Path:
    """Where the keys of a backup are."""
    return file.with_name(f"{file.name}.keys")


async def create_backup(
    administration: Administration, environment: str, file: Path, *, expires_days: int | None
) -> Backup:
    """Writes both files and puts the backup on record; `expires_days` says when its keys are to be destroyed.

    Raises RecordNotFound, EnvironmentLocked, NotPermitted, AlreadyThere (one of the files), StoreFull,
    StoreNotWritable.
    """
    administration.need_environment_administrator("make a backup of it")
    for path in (file, keys_file(file)):
        if path.exists():
            raise AlreadyThere(f"There is a file {path} already.", hint="Choose another name.")
    store = administration.store
    async with administration.opened(environment) as opened:
        now_ms = store.now_ms()
        expires_ms = None if expires_days is None else now_ms + expires_days * DAY_MS
        async with administration.act("backup create", opened.info.name, {"expires": expires_ms}), _folder(file) as at:
            copy, keys = at / _DATA[1], at / _KEYS[1]
            await opened.backend.copy_to(copy, with_keys=keys)
            where = str(await asyncio.to_thread(file.absolute))
            backup = await _described(opened, where, copy, keys, now_ms, expires_ms)
            await asyncio.to_thread(_write_both, file, copy, keys, backup, opened.keyring)
            await store.backend.commit(Registry(store).added(backup))
        return backup


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
    async with _folder(file) as at:
        data = await asyncio.to_thread(_read, file, _DATA, at)
        keys = await asyncio.to_thread(_read, keys_file(file), _KEYS, at)
        if (keys["backup"], keys["environment"], keys["data"]) != (data["backup"], data["environment"], data["digest"]):
            raise InvalidBackup(f"{keys_file(file)} belongs to another backup.")
        opened = await _tried(store, at, keys)
        found = next((each for each in await store.environments() if each.id == opened.environment), None)
        if found is None and name is None:
            raise InvalidBackup(
                "The environment of this backup is not here.", hint="Say how to call it: --environment NAME"
            )
        if found is not None and name is not None and name.casefold() != found.name.casefold():
            raise Conflict(
                f"The backup is one of the environment {found.name}, and cannot become another one beside it.",
                hint=f"Restore it into {found.name}, or delete that first.",
            )
        info = found or EnvironmentInfo(opened.environment, str(name), store.now_ms())
        async with administration.act("backup restore", info.name, {"backup": data["backup"], "revive": revive}):
            last = await store.policies.assignment(info.id)
            await _cover_allowed(administration, info, opened, last if found is None else None)
            if found is None:
                info = await store.adopt_environment(info)
            await _put_back(store, info, at, opened, last, existing=found is not None, revive=revive)
        return info


@dataclass(frozen=True, slots=True)
class _Tried:
    """A backup whose keys open here: of which environment, and which policy covered it."""

    environment: bytes
    backup: bytes
    state: KeyState


async def expire_backup(administration: Administration, backup: Backup) -> None:
    """Takes a backup off the record, because its keys were destroyed. Raises NotPermitted, Conflict."""
    administration.need_environment_administrator("expire its backups")
    async with administration.act("backup expire", backup.id.hex()):
        await Registry(administration.store).expire(backup)


async def _tried(store: Store, at: Path, keys: dict[str, Any]) -> _Tried:
    """Opens the keys of a backup that was unpacked to a folder. Raises InvalidBackup for one with another MAC."""
    environment, backup = bytes.fromhex(keys["environment"]), bytes.fromhex(keys["backup"])
    scratch = await SQLiteBackend.open(at / _TRIED)
    try:
        await scratch.copy_from(at / _DATA[1], with_keys=at / _KEYS[1])
        source = store.key_source(environment, scratch)
        try:
            keyring = await source.load()
        finally:
            await source.aclose()
        if not same(_mac(keyring, keys), bytes.fromhex(keys["mac"])):
            raise InvalidBackup("The backup was altered, or put together from several.")
        if source.state.lock is not None:
            raise EnvironmentLocked("The environment was locked when this backup was made.")
        return _Tried(environment, backup, source.state)
    finally:
        await scratch.close()


async def _cover_allowed(
    administration: Administration, info: EnvironmentInfo, tried: _Tried, deleted: Assignment | None
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
        await store.backend.commit(await store.policies.recreated(cover, administration.actor.name))


async def _put_back(
    store: Store,
    info: EnvironmentInfo,
    at: Path,
    tried: _Tried,
    last: Assignment | None,
    *,
    existing: bool,
    revive: bool,
) -> None:
    backend, guarded = await store.open_backend(info, unidentified=not existing)
    await guarded.aclose()
    # Without the floor: a restore is what helps where an earlier copy was put back.
    source = store.key_source(info.id, backend)
    shredded: list[tuple[str, bytes]] = []
    try:
        if not await backend.try_become_executor():
            raise StoreBusy(f"The environment {info.name} is in use.", hint="End the process that executes its runs.")
        if existing:
            shredded, last = await _existing(backend, source, store, tried.state, last)
        state = await _prepared(store, info, at, tried, last, [] if revive else shredded)
        # With everything that has to come with it: there is no moment at which the backup's own state counts.
        await backend.copy_from(at / _DATA[1], with_keys=at / _KEYS[1])
        await store.policies.follow(info.id, state)
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
    tried: _Tried,
    last: Assignment | None,
    shredded: list[tuple[str, bytes]],
) -> KeyState:
    """Makes of the copy that was tried what is to be put back, in the two files of before, and gives its state."""
    scratch = await SQLiteBackend.open(at / _TRIED)
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
    scratch = await SQLiteBackend.open(at / _TRIED)
    source = store.key_source(info.id, scratch)
    try:
        keyring = await source.load()
        state = source.state
        if last is not None:
            state = await _raised(scratch, source, keyring, last.floor, store.now_ms())
        for name in (_DATA[1], _KEYS[1]):
            (at / name).unlink()
        await scratch.copy_to(at / _DATA[1], with_keys=at / _KEYS[1])
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
        batch = Batch(guard=Guard(before.lock_epoch, before.epoch), key_state=row)
        if key_row is not None:
            batch.keys.append(key_row)
            source.state_key = key_row
        await scratch.commit(batch)
    return state


# --- files


async def _described(opened: Opened, file: str, copy: Path, keys: Path, now_ms: int, expires_ms: int | None) -> Backup:
    part = await SQLiteBackend.open(keys)
    try:
        rows = await part.environment_keys()
    finally:
        await part.close()
    digests = (await asyncio.to_thread(_digest, copy), await asyncio.to_thread(_digest, keys))
    needed = [(row.domain, row.version, row.kek) for row in rows]
    return Backup(random_id(), opened.info.id, now_ms, file, expires_ms, needed, digests)


def _write_both(file: Path, copy: Path, keys: Path, backup: Backup, keyring: Keyring) -> None:
    manifest: dict[str, Any] = {
        "format": _DATA[0],
        "version": _FORMAT,
        "backup": backup.id.hex(),
        "environment": backup.environment.hex(),
        "created": backup.created_ms,
        "digest": backup.digests[0].hex(),
    }
    _write(file, copy, manifest)
    manifest |= {
        "format": _KEYS[0],
        "data": manifest["digest"],
        "digest": backup.digests[1].hex(),
        "expires": backup.expires_ms,
    }
    _write(keys_file(file), keys, {**manifest, "mac": _mac(keyring, manifest).hex()})


def _mac(keyring: Keyring, manifest: dict[str, Any]) -> bytes:
    ids = [bytes.fromhex(manifest[name]) for name in ("backup", "environment", "data", "digest")]
    expires = b"" if manifest["expires"] is None else number(manifest["expires"])
    return keyring.certify(b"backup", lp(*ids, number(manifest["created"]), expires))


def _write(path: Path, content: Path, manifest: dict[str, Any]) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
                archive.write(content, content.name)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise os_error(error, path, "backup") from error


def _read(path: Path, kind: tuple[str, str], folder: Path) -> dict[str, Any]:
    """Unpacks one part and gives its manifest. Raises InvalidBackup, RecordNotFound."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
            archive.extract(kind[1], folder)
        bytes.fromhex(manifest["environment"])
    except FileNotFoundError as error:
        raise RecordNotFound(f"'{path}' is not there.", hint="A backup is FILE, with its keys in FILE.keys.") from error
    except OSError as error:
        raise InvalidBackup(f"{path} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise InvalidBackup(f"{path} is no backup, or it was damaged.") from error
    if manifest.get("format") != kind[0]:
        raise InvalidBackup(f"{path} is not what it should be: a file of the format '{kind[0]}'.")
    if manifest.get("version") != _FORMAT:
        raise InvalidBackup(f"{path} has version {manifest.get('version')}; this Sealflow knows {_FORMAT}.")
    if _digest(folder / kind[1]).hex() != manifest.get("digest"):
        raise InvalidBackup(f"{path} was damaged: its content is not what its manifest says.")
    return manifest


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@asynccontextmanager
async def _folder(file: Path) -> AsyncIterator[Path]:
    """A folder of its owner only, beside the file, for the time of one act."""
    try:
        made = tempfile.TemporaryDirectory(dir=file.parent, prefix=".sealflow-backup-")
    except OSError as error:
        raise os_error(error, file, "backup") from error
    with made as folder:
        yield Path(folder)
