"""A whole store as files and back: the content without keys in one, the keys in another, so that the latter can be
destroyed sooner.

Both are made with SQLite's backup interface, which copies a database as of one moment while others use it
(https://sqlite.org/backup.html).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ...errors import StoreTooOld
from .connection import connect

_KEY_TABLES = ("environment_keys", "keys")
"""Those that hold keys, in the order in which they refer to each other."""


def copy_to(connection: sqlite3.Connection, path: Path, with_keys: Path) -> None:
    """Copies the database to the new file `path`, and moves the rows of its keys to `with_keys`."""
    with closing(connect(path)) as copy:
        connection.backup(copy)
        with closing(connect(with_keys)) as keys:
            for table in _KEY_TABLES:
                _move(copy, keys, table)
            alone(keys)
        for table in reversed(_KEY_TABLES):
            copy.execute(f"DELETE FROM {table}")  # noqa: S608 (one of _KEY_TABLES)
        alone(copy)


def copy_from(connection: sqlite3.Connection, path: Path, with_keys: Path) -> None:
    """Puts a copy in the place of the whole database, in one transaction. `path` is changed on the way."""
    with closing(open_copy(path)) as copy, closing(open_copy(with_keys)) as keys:
        copy.execute("BEGIN IMMEDIATE")
        for table in _KEY_TABLES:
            _move(keys, copy, table)
        copy.execute("COMMIT")
        copy.backup(connection)


def open_copy(path: Path) -> sqlite3.Connection:
    """Open a copy that a backup contains. One of the last schema before the first release is brought up to date.

    Raises StoreTooOld for an earlier one.
    """
    try:
        return connect(path)
    except StoreTooOld:
        current = path.with_name(f"{path.name}.current")
        with closing(connect(current)) as copy:
            _carry_over(path, copy)
            alone(copy)
        os.replace(current, path)
        return connect(path)


def _carry_over(path: Path, copy: sqlite3.Connection) -> None:
    """Insert all rows of an old copy into a new one, if its tables have the same columns."""
    tables = [name.decode() for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    copy.execute("PRAGMA foreign_keys = OFF")
    copy.execute("ATTACH ? AS old", (str(path),))
    try:
        copy.execute("BEGIN IMMEDIATE")
        for table in tables:
            if table == "schema_version":
                continue
            copy.execute(f"DELETE FROM main.{table}")  # noqa: S608 (names of our own schema)
            columns = ", ".join(name.decode() for _, name, *_ in copy.execute(f"PRAGMA main.table_info({table})"))
            copy.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}")  # noqa: S608
        copy.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise StoreTooOld(f"The copy {path.name} was made by a version before the last unreleased one.") from error
    finally:
        if copy.in_transaction:
            copy.execute("ROLLBACK")
        copy.execute("DETACH old")


def _move(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    found = source.execute(f"SELECT * FROM {table}")  # noqa: S608 (one of _KEY_TABLES)
    target.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(found.description))})", found)  # noqa: S608


def alone(connection: sqlite3.Connection) -> None:
    """Leaves one file, without what was deleted from it and without a write-ahead log."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()
