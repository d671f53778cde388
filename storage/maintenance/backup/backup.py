"""Backups of an environment: a consistent copy in two files, one without any key and one with the keys only (see
backup_files). Here they are made, put on record and taken off it; `restoring` puts them back.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from ...administration.administration import Administration, Opened
from ...backends.sqlite import SQLiteBackend
from ...errors import AlreadyThere
from ...format.envelope import random_id
from ...policies.audit import SUCCEEDED
from ...stores.retention import DAY_MS
from ...vault.backup_register import EXPIRE, REGISTER, Backup, Registry, removed
from .files import DATA, KEYS, digest, keys_file, scratch_folder, write_both


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
        async with (
            administration.act("backup create", opened.info.name, {"expires": expires_ms}),
            scratch_folder(file) as at,
        ):
            copy, keys = at / DATA[1], at / KEYS[1]
            await opened.backend.backups.copy_to(copy, with_keys=keys)
            where = str(await asyncio.to_thread(file.absolute))
            backup = await _described(opened, where, copy, keys, now_ms, expires_ms)
            await asyncio.to_thread(write_both, file, copy, keys, backup, opened.keyring)
            await administration.record(REGISTER, opened.info.name, SUCCEEDED, None, Registry(store).added(backup))
        return backup


async def expire_backup(administration: Administration, backup: Backup) -> None:
    """Takes a backup off the record, because its keys were destroyed. Raises NotPermitted, Conflict."""
    administration.need_environment_administrator("expire its backups")
    await administration.record(EXPIRE, backup.id.hex(), SUCCEEDED, None, removed(backup))


async def _described(opened: Opened, file: str, copy: Path, keys: Path, now_ms: int, expires_ms: int | None) -> Backup:
    part = await SQLiteBackend.open(keys)
    try:
        rows = await part.keys.environment_keys()
    finally:
        await part.close()
    digests = (await asyncio.to_thread(digest, copy), await asyncio.to_thread(digest, keys))
    needed = [(row.domain, row.version, row.kek) for row in rows]
    return Backup(random_id(), opened.info.id, now_ms, file, expires_ms, needed, digests)
