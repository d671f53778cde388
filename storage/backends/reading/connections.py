"""Reads connections."""

from __future__ import annotations

from collections.abc import Sequence

from ...port import ConnectionRow
from .queries import Reads


class ConnectionReads(Reads):
    """See `port.ConnectionStore`."""

    async def all(self) -> list[ConnectionRow]:
        return await self._each(ConnectionRow, "connections")

    async def find(self, name_indexes: Sequence[bytes]) -> ConnectionRow | None:
        return await self._one(ConnectionRow, "connection", list(name_indexes))
