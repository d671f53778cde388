"""Resetting an environment: everything in it goes, its backups too, and it is the service's again, as if it were new.

What stays is its name, its id, the audit, and the epochs of its keys, which go on. The store is exchanged in one
transaction; the files of backups go after that. Killed in between, the same command again does the rest.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..administration.administration import RESET, STATE, Administration, Opened
from ..backends.sqlite import SQLiteBackend
from ..errors import StoreBusy
from ..files import os_error
from ..format.purposes import Domain
from ..keys.key_state import KeyState, Lock, seal_state
from ..policies.audit import SUCCEEDED
from ..port import Backend, Batch, Guard, KeyChanges
from ..stores.ledger import Ledger
from ..vault.backup_register import EXPIRE, Backup, Registry, removed
from .backup.files import keys_file, read_manifest

_SAID: Final = "reset"
"""In the new ledger: the first entry."""


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset has removed. `wal`: whether the write-ahead log may still hold something of it (False: it may not).

    `backups` are the files of those that were destroyed. `left` are those that were not, each with the reason; they
    stay on record.
    """

    flows: int
    runs: int
    connections: int
    wal_pending: bool
    backups: list[str] = field(repr=False)
    left: list[tuple[str, str]] = field(repr=False)


async def reset_environment(administration: Administration, name: str) -> Reset:
    """Removes everything in an environment, runs in flight and registered backups included, and takes its policy away.

    The customer's key is not needed, and a locked environment can be reset. Raises NotPermitted, ApprovalNeeded,
    RecordNotFound, StoreBusy while a process executes its runs, and the errors of the stores.
    """
    administration.need_environment_administrator("reset it")
    store = administration.store
    info = await store.environment(name)
    approved = await administration.approval(RESET, info, await administration.approvals_of(info))
    async with administration.opened(info.name, locked=True) as opened:
        if not await opened.backend.workers.try_become_executor():
            raise StoreBusy(f"The environment {info.name} is in use.", hint="End the process that executes its runs.")
        async with administration.act(RESET, info.name, approved=approved):
            flows, connections = len(await opened.backend.flows.all()), len(await opened.backend.connections.all())
            runs = sum(count for _, count in await opened.backend.runs.counts())
            state = await _exchanged(administration, opened)
            administration.changed(info.id, state)
            await administration.record(STATE, info.name, SUCCEEDED, None)
            await store.remove_other(info)
            pending = not await opened.backend.settle()
            registry = Registry(store)
            destroyed, left = [], []
            for backup in await registry.all(info.id):
                problem = await asyncio.to_thread(_destroy, backup)
                if problem is None:
                    await administration.record(EXPIRE, backup.id.hex(), SUCCEEDED, None, removed(backup))
                    destroyed.append(backup.file)
                else:
                    left.append((backup.file, problem))
            return Reset(flows, runs, connections, pending, destroyed, left)


async def _exchanged(administration: Administration, opened: Opened) -> KeyState:
    """Puts an empty store in the place of everything, with a fresh environment key of the service; its state."""
    with tempfile.TemporaryDirectory(prefix="sealflow-reset-") as folder:
        content, keys = Path(folder) / "store.db", Path(folder) / "keys.db"
        scratch = await SQLiteBackend.open(Path(folder) / "empty.db")
        try:
            state = await _empty(administration, opened, scratch)
            await scratch.backups.copy_to(content, with_keys=keys)
        finally:
            await scratch.close()
        await opened.backend.backups.copy_from(content, with_keys=keys)
    return state


async def _empty(administration: Administration, opened: Opened, scratch: Backend) -> KeyState:
    """Fills a store with what a new environment has: one key, and a state that goes on after the last one.

    Its lock epoch goes on too: whoever has the environment open notices, and drops everything.
    """
    now_ms, last = administration.store.now_ms(), opened.state
    service, keyring = int(Domain.SERVICE), opened.keyring
    for row in opened.keyring.rows:
        if row.domain != service:
            keyring = keyring.without(row.domain, row.version)
    # The next number, not the first one again: nothing of an earlier copy is taken for something of now.
    keyring, made = await keyring.with_new_key(service, opened.source.service, now_ms, policy_epoch=last.epoch + 1)
    for row in opened.keyring.rows:
        if row.domain == service:
            keyring = keyring.without(row.domain, row.version)
    assert [row.version for row in keyring.rows] == [made.version]  # noqa: S101
    await scratch.commit(Batch(identity=opened.info.id, keys=KeyChanges(environment_keys=keyring.rows)))
    state, key_row = KeyState(highest=last.highest), None
    unlocked = last.lock_epoch + (1 if last.lock is not None else 2)
    while state.epoch <= last.epoch or state.lock_epoch < unlocked:  # step by step: a store takes no other ones
        guard = Guard(state.lock_epoch, state.epoch)
        if state.epoch <= last.epoch:
            state = state.next()
        else:
            state = state.locked(Lock("administrator", now_ms)) if state.lock is None else state.unlocked()
        batch = Batch(guard=guard)
        batch.keys.state, new = seal_state(keyring, state, key_row)
        if new is not None:
            key_row = new
            batch.keys.inserts.append(new)
        await scratch.commit(batch)
    keyring.epoch, keyring.lock_epoch = state.epoch, state.lock_epoch
    await Ledger(scratch, keyring, administration.store.now_ms).say([(_SAID, opened.info.id)], keyring.guard)
    return state


def _destroy(backup: Backup) -> str | None:
    """Removes both files of a backup, if they are what the register says; why not, otherwise. The keys go first."""
    file = Path(backup.file)
    try:
        parts = [part for part in (keys_file(file), file) if part.exists()]
        if not parts:
            return "it is not there any more"
        for part in parts:
            if _backup_in(part) != backup.id.hex():
                return f"{part.name} is not this backup, or cannot be read"
        for part in parts:
            part.unlink()
    except OSError as error:
        return os_error(error, file, "backup").message
    return None


def _backup_in(part: Path) -> str | None:
    """The id of the backup that a file is a part of."""
    try:
        with zipfile.ZipFile(part) as archive:
            manifest = json.loads(read_manifest(archive))
            return str(manifest["backup"])
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
        return None
