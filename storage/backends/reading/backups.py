"""Reads the register of backups."""

from __future__ import annotations

from ...port import BackupRow
from .queries import Reads


class BackupReads(Reads):
    """See `port.BackupStore`; copies are each backend's own."""

    async def all(self) -> list[BackupRow]:
        return await self._each(BackupRow, "backups")
