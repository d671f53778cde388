"""A whole store as files and back: the content without keys in one, the keys in another, so that the latter can be
destroyed sooner.

Both are made with SQLite's backup interface, which copies a database as of one moment while others use it
(https://sqlite.org/backup.html).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

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
    with closing(connect(path)) as copy, closing(connect(with_keys)) as keys:
        copy.execute("BEGIN IMMEDIATE")
        for table in _KEY_TABLES:
            _move(keys, copy, table)
        copy.execute("COMMIT")
        copy.backup(connection)


def _move(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    found = source.execute(f"SELECT * FROM {table}")  # noqa: S608 (one of _KEY_TABLES)
    target.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(found.description))})", found)  # noqa: S608


def alone(connection: sqlite3.Connection) -> None:
    """Leaves one file, without what was deleted from it and without a write-ahead log."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()
