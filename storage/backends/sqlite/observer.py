"""Reads a SQLite store's key epochs from another thread, on a connection of its own for each look."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from .connection import BUSY_SECONDS, mapped
from .queries import named_queries

_SQL = named_queries()


class SQLiteObserver:
    """See `port.Observer`. Nothing stays open between two looks: the vault's own connections close last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def key_epochs(self) -> tuple[int, int]:
        with mapped(self._path):
            # Read only: a store that was removed is not made again.
            uri = f"file:{quote(str(self._path))}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                row = connection.execute(_SQL["key_state"]).fetchone()
            finally:
                connection.close()
        return (int(row[0]), int(row[1])) if row is not None else (0, 0)

    async def keep_lease(self) -> None:
        """The lock of a SQLite store ends with its process only."""

    async def close(self) -> None:
        """Nothing is open."""
