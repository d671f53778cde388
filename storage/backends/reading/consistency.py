"""Finds rows that do not belong together."""

from __future__ import annotations

from ...format.purposes import Kind
from .columns import identifier
from .queries import Reads

_OWNED_ROWS = ("pages", "snapshots", "versions", "triggers", "messages", "retentions", "large_values")
_ORPHANED_KEYS: dict[int, str] = {
    Kind.RUN: "orphaned_run_keys",
    Kind.FLOW: "orphaned_flow_keys",
    Kind.CONNECTION: "orphaned_connection_keys",
    Kind.INBOX: "orphaned_inbox_keys",
    Kind.TRIGGER: "orphaned_trigger_keys",
    Kind.MESSAGE: "orphaned_message_keys",
    Kind.OPERATION: "orphaned_operation_keys",
    Kind.RETENTION: "orphaned_retention_keys",
    Kind.INBOX_KEY: "orphaned_inbox_key_keys",
    Kind.POLICY: "orphaned_policy_keys",
    Kind.ASSIGNMENT: "orphaned_assignment_keys",
}


class ConsistencyReads(Reads):
    """See `port.ConsistencyStore`."""

    async def mixed_scopes(self, kind: int) -> list[bytes]:
        return await self._identifiers("mixed_scopes", kind)

    async def flow_scopes(self) -> list[bytes]:
        return await self._identifiers("flow_scopes")

    async def environment_scopes(self) -> list[bytes]:
        return await self._identifiers("environment_scopes")

    async def orphaned_keys(self, kind: int) -> list[bytes]:
        return await self._identifiers(_ORPHANED_KEYS[kind])

    async def orphaned_rows(self) -> dict[str, int]:
        counts = {what: (await self._queries.fetch(f"stray_{what}"))[0][0] for what in _OWNED_ROWS}
        return {what: count for what, count in counts.items() if count}

    async def _identifiers(self, name: str, *parameters: int) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._queries.fetch(name, *parameters)]
