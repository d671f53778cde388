"""Reads administrative operations and the ledger."""

from __future__ import annotations

from ...port import LinkedRow, OperationRow
from .queries import Reads


class OperationReads(Reads):
    """See `port.OperationStore`."""

    async def all(self) -> list[OperationRow]:
        return await self._each(OperationRow, "operations")

    async def ledger(self, after: int, limit: int) -> list[LinkedRow]:
        return await self._each(LinkedRow, "ledger", after, limit)

    async def last_ledger(self) -> LinkedRow | None:
        return await self._one(LinkedRow, "last_ledger")
