"""The register of backups, and copies of the whole database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from ....format.purposes import Kind
from ....port import BackupChanges
from ...reading.backups import BackupReads
from ..database import Database
from ..statements import SQL, remove_keys, removed_one


class SQLiteBackups(BackupReads):
    """See `port.BackupStore`. `replaced` is called once other rows have taken the place of all rows."""

    def __init__(self, database: Database, replaced: Callable[[], None]) -> None:
        super().__init__(database)
        self._database = database
        self._replaced = replaced

    async def copy_to(self, path: Path, *, with_keys: Path) -> None:
        from ..copies import copy_to

        await self._database.in_reader(copy_to, path, with_keys)

    async def copy_from(self, path: Path, *, with_keys: Path) -> None:
        from ..copies import copy_from

        await self._database.in_writer(copy_from, path, with_keys)
        self._replaced()


def write(connection: sqlite3.Connection, changes: BackupChanges) -> None:
    """Register backups."""
    for row in changes.inserts:
        connection.execute(SQL["insert_backup"], row)


def finish(connection: sqlite3.Connection, changes: BackupChanges) -> None:
    """Remove backups from the register."""
    for backup in changes.removed:
        removed_one(connection.execute(SQL["delete_backup"], (backup,)), "The backup's entry")
        remove_keys(connection, backup, Kind.BACKUP)
