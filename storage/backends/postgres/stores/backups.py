"""The register of backups, and copies of the whole schema."""

from __future__ import annotations

from pathlib import Path

from ....format.purposes import Kind
from ....port import BackupChanges
from ...reading.backups import BackupReads
from ..connection import Connection, mapped
from ..copies import copy_from, copy_to
from ..readers import Readers
from ..statements import SQL, changed, each, remove_keys


class PostgresBackups(BackupReads):
    """See `port.BackupStore`."""

    def __init__(self, readers: Readers) -> None:
        super().__init__(readers)
        self._readers = readers

    async def copy_to(self, path: Path, *, with_keys: Path) -> None:
        self._readers.check_open()
        with mapped(self._readers.target):
            async with self._readers.pool.acquire() as connection:
                await copy_to(connection, path, with_keys)

    async def copy_from(self, path: Path, *, with_keys: Path) -> None:
        self._readers.check_open()
        with mapped(self._readers.target):
            async with self._readers.pool.acquire() as connection:
                await copy_from(connection, path, with_keys)


async def after(connection: Connection, changes: BackupChanges) -> None:
    """Register backups."""
    await each(connection, "backups_new", changes.inserts)


async def finish(connection: Connection, changes: BackupChanges) -> None:
    """Remove backups from the register."""
    for backup in changes.removed:
        changed(await connection.execute(SQL["delete_backup"], backup), 1, "the backup's entry")
        await remove_keys(connection, backup, Kind.BACKUP)
