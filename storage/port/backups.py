"""Backups: the register of backups in the control store, and copies of a whole store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from .changes import Changes


class BackupRow(NamedTuple):
    """A backup of an environment, in the control store."""

    backup_id: bytes
    environment_id: bytes
    created_ms: int
    record: bytes


@dataclass(slots=True)
class BackupChanges(Changes):
    """What a commit does to the register of backups. A removed backup must exist; its key goes with it."""

    inserts: list[BackupRow] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)


class BackupStore(Protocol):
    """Reads the register of backups, and copies a store to files and back."""

    async def all(self) -> list[BackupRow]:
        """Return the registered backups, oldest first."""
        ...

    async def copy_to(self, path: Path, *, with_keys: Path) -> None:
        """Write the store as of one moment to two new files: `path` without any key, and `with_keys` with the keys."""
        ...

    async def copy_from(self, path: Path, *, with_keys: Path) -> None:
        """Replace everything in the store by what `copy_to` wrote, in one transaction."""
        ...
