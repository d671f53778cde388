"""Reads wrapped keys."""

from __future__ import annotations

from collections.abc import Sequence

from ...port import EnvironmentKeyRow, KeyCount, KeyRow, KeyStateRow
from .columns import checked
from .queries import Reads

_SCOPES_A_QUERY = 500


class KeyReads(Reads):
    """See `port.KeyStore`."""

    async def environment_keys(self) -> list[EnvironmentKeyRow]:
        return await self._each(EnvironmentKeyRow, "environment_keys")

    async def state(self) -> KeyStateRow | None:
        return await self._one(KeyStateRow, "key_state")

    async def newest(self, kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
        rows: list[KeyRow] = []
        for start in range(0, len(scopes), _SCOPES_A_QUERY):
            rows += await self._each(KeyRow, "keys", kind, list(scopes[start : start + _SCOPES_A_QUERY]))
        return rows

    async def generations(self, kind: int, scope: bytes) -> list[KeyRow]:
        return await self._each(KeyRow, "key_generations", scope, kind)

    async def wrapped_by(
        self, domain: int, key_version: int | None, limit: int, after: int = 0
    ) -> list[tuple[int, KeyRow]]:
        if key_version is None:
            rows = await self._queries.fetch("keys_of_domain", domain, after, limit)
        else:
            rows = await self._queries.fetch("keys_of_version", domain, key_version, after, limit)
        return [(row[0], checked(KeyRow, row[1:])) for row in rows]

    async def counts(self) -> list[KeyCount]:
        return [KeyCount(*row) for row in await self._queries.fetch("key_counts")]
