"""Whether a store's files are still those that were opened: what is committed to a file without a name is lost."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import StoreGone

_Identity = tuple[int, int]


class StoreFiles:
    """The database file and its write-ahead log, by device and inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._known = _identity(path)
        self._known_log: _Identity | None = None

    def check(self) -> None:
        """Compare the files with those that were opened. Raises StoreGone.

        The log is known from the first check on: it is there after a commit, and stays as long as it is open.
        """
        if _identity(self._path) != self._known:
            raise StoreGone(f"The store {self._path} was removed, or another file took its place.")
        log = _identity(self._log)
        if self._known_log is None:
            self._known_log = log
        elif log != self._known_log:
            raise StoreGone(f"The write-ahead log of the store {self._path} was removed, or replaced.")


def _identity(path: Path) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
