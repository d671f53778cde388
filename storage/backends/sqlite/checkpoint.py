"""Takes what was deleted out of the write-ahead log. The connection has `secure_delete` on: in the database, what is
deleted is overwritten.
"""

from __future__ import annotations

import sqlite3


def settle(connection: sqlite3.Connection) -> bool:
    """Empties the write-ahead log into the database; False where a reader, or another writer, is in the way.

    With a reader open this reports busy and raises nothing (https://sqlite.org/pragma.html#pragma_wal_checkpoint).
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")  # who waits here keeps every commit waiting
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(before)}")
    return bool(busy == 0)
