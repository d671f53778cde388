"""The reading half of a backend, the same for every database: named queries in, rows of the port out.

A backend supplies the queries by these names, and `_all`, which asks one. What differs between databases (how a list
is bound, how a page of bytes is cut) stays with the backend.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from ..format.purposes import Kind
from ..rows import (
    AssignmentRow,
    BackupRow,
    ChunkRow,
    ConnectionRow,
    EnvironmentKeyRow,
    EnvironmentRow,
    FlowRow,
    InboxKeyRow,
    InboxRow,
    KeyCount,
    KeyRow,
    KeyStateRow,
    LargeValueRow,
    LinkedRow,
    MessageRow,
    OperationRow,
    PartitionRow,
    PolicyRow,
    RetentionRow,
    RunRow,
    SealedItemRow,
    SealedSize,
    StoredInboxRow,
    StoredMessageRow,
    TriggerRow,
    VersionRow,
)
from .rows import all_checked, checked, identifier, of_run

Row = TypeVar("Row", bound=NamedTuple)

_SCOPES_A_QUERY = 500
_STRAYS = ("pages", "snapshots", "versions", "triggers", "messages", "retentions", "large_values")
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


class Reads(ABC):
    """What `port.Backend` reads, by way of named queries."""

    @abstractmethod
    async def _all(self, name: str, *parameters: Any) -> list[Any]:
        """The rows of a named query. A parameter that is a list stands for any of its values."""

    @abstractmethod
    async def _filtered(self, conditions: Sequence[tuple[str, Any]], limit: int) -> list[Any]:
        """The rows of the query `runs`, newest first, that meet all of these named conditions."""

    async def _one(self, kind: type[Row], name: str, *parameters: Any) -> Row | None:
        rows = await self._all(name, *parameters)
        return checked(kind, rows[0]) if rows else None

    async def identity(self) -> bytes | None:
        rows = await self._all("identity")
        return identifier(rows[0][0]) if rows else None

    # --- keys, and what administrators do

    async def environment_keys(self) -> list[EnvironmentKeyRow]:
        return all_checked(EnvironmentKeyRow, await self._all("environment_keys"))

    async def key_state(self) -> KeyStateRow | None:
        return await self._one(KeyStateRow, "key_state")

    async def keys(self, kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
        rows: list[KeyRow] = []
        for start in range(0, len(scopes), _SCOPES_A_QUERY):
            part = list(scopes[start : start + _SCOPES_A_QUERY])
            rows += all_checked(KeyRow, await self._all("keys", kind, part))
        return rows

    async def key_generations(self, kind: int, scope: bytes) -> list[KeyRow]:
        return all_checked(KeyRow, await self._all("key_generations", scope, kind))

    async def keys_of(
        self, domain: int, key_version: int | None, limit: int, after: int = 0
    ) -> list[tuple[int, KeyRow]]:
        if key_version is None:
            rows = await self._all("keys_of_domain", domain, after, limit)
        else:
            rows = await self._all("keys_of_version", domain, key_version, after, limit)
        return [(row[0], checked(KeyRow, row[1:])) for row in rows]

    async def key_counts(self) -> list[KeyCount]:
        return [KeyCount(*row) for row in await self._all("key_counts")]

    async def mixed_scopes(self, kind: int) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all("mixed_scopes", kind)]

    async def orphaned_keys(self, kind: int) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all(_ORPHANED_KEYS[kind])]

    async def strays(self) -> dict[str, int]:
        counts = {what: (await self._all(f"stray_{what}"))[0][0] for what in _STRAYS}
        return {what: count for what, count in counts.items() if count}

    async def policies(self) -> list[PolicyRow]:
        return all_checked(PolicyRow, await self._all("policies"))

    async def policy(self, name_index: bytes) -> PolicyRow | None:
        return await self._one(PolicyRow, "policy", name_index)

    async def assignments(self) -> list[AssignmentRow]:
        return all_checked(AssignmentRow, await self._all("assignments"))

    async def audit(self, after: int, limit: int) -> list[LinkedRow]:
        return all_checked(LinkedRow, await self._all("audit", after, limit))

    async def last_audit(self) -> LinkedRow | None:
        return await self._one(LinkedRow, "last_audit")

    async def ledger(self, after: int, limit: int) -> list[LinkedRow]:
        return all_checked(LinkedRow, await self._all("ledger", after, limit))

    async def last_ledger(self) -> LinkedRow | None:
        return await self._one(LinkedRow, "last_ledger")

    async def operations(self) -> list[OperationRow]:
        return all_checked(OperationRow, await self._all("operations"))

    async def backups(self) -> list[BackupRow]:
        return all_checked(BackupRow, await self._all("backups"))

    async def flow_scopes(self) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all("flow_scopes")]

    async def environment_scopes(self) -> list[bytes]:
        return [identifier(scope) for (scope,) in await self._all("environment_scopes")]

    async def environments(self) -> list[EnvironmentRow]:
        return all_checked(EnvironmentRow, await self._all("environments"))

    async def environment(self, name_index: bytes) -> EnvironmentRow | None:
        return await self._one(EnvironmentRow, "environment", name_index)

    # --- flows and connections

    async def connections(self) -> list[ConnectionRow]:
        return all_checked(ConnectionRow, await self._all("connections"))

    async def connection(self, name_indexes: Sequence[bytes]) -> ConnectionRow | None:
        return await self._one(ConnectionRow, "connection", list(name_indexes))

    async def flows(self) -> list[FlowRow]:
        return all_checked(FlowRow, await self._all("flows"))

    async def flow(self, *, flow_id: bytes | None = None, name_indexes: Sequence[bytes] = ()) -> FlowRow | None:
        if flow_id is not None:
            return await self._one(FlowRow, "flow_by_id", flow_id)
        return await self._one(FlowRow, "flow_by_name", list(name_indexes))

    async def version(self, flow_id: bytes, number: int) -> VersionRow | None:
        return await self._one(VersionRow, "version", flow_id, number)

    async def version_numbers(self, flow_id: bytes) -> list[int]:
        return [number for (number,) in await self._all("version_numbers", flow_id)]

    async def retentions(self) -> list[RetentionRow]:
        return all_checked(RetentionRow, await self._all("retentions"))

    # --- runs

    async def run(self, run_id: bytes) -> RunRow | None:
        rows = await self._all("run", run_id)
        return checked(RunRow, rows[0], of_run(run_id)) if rows else None

    async def runs(
        self,
        *,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[RunRow]:
        wanted = {
            "runs_where_flow": flow_id,
            "runs_where_status": None if statuses is None else list(statuses),
            "runs_where_parent": parent,
            "runs_where_before": before,
        }
        conditions = [(name, value) for name, value in wanted.items() if value is not None]
        rows = await self._filtered(conditions, limit)
        return [checked(RunRow, row, of_run(identifier(row[0]))) for row in rows]

    async def needed_runs(self, run_ids: Sequence[bytes]) -> list[bytes]:
        return [run_id for run_id in run_ids if await self._all("needed_run", run_id)]

    async def run_ids(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return [(number, identifier(run_id)) for number, run_id in await self._all("run_ids", after, limit)]

    async def run_counts(self) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in await self._all("run_counts")]

    async def run_sizes(self, flow_id: bytes) -> dict[bytes, int]:
        return {identifier(run_id): size for run_id, size in await self._all("run_sizes", flow_id)}

    async def unfinished(self) -> list[bytes]:
        return [identifier(run_id) for (run_id,) in await self._all("unfinished")]

    async def unfinished_of(self, flow_id: bytes) -> list[bytes]:
        return [identifier(run_id) for (run_id,) in await self._all("unfinished_of_flow", flow_id)]

    async def chunks(self, value_id: bytes, after: int, limit: int) -> list[ChunkRow]:
        return all_checked(ChunkRow, await self._all("chunks", value_id, after, limit))

    async def large_values(self, run_id: bytes) -> list[LargeValueRow]:
        return all_checked(LargeValueRow, await self._all("large_values", run_id))

    async def unsettled_values(self, before_ms: int, limit: int) -> list[LargeValueRow]:
        return all_checked(LargeValueRow, await self._all("unsettled_values", before_ms, limit))

    # --- triggers and queues

    async def trigger(self, flow_id: bytes) -> TriggerRow | None:
        return await self._one(TriggerRow, "trigger", flow_id)

    async def triggers(self) -> list[TriggerRow]:
        return all_checked(TriggerRow, await self._all("triggers"))

    async def due_triggers(self, by_ms: int, limit: int) -> list[TriggerRow]:
        return all_checked(TriggerRow, await self._all("due_triggers", by_ms, limit))

    async def inbox(self, limit: int, after: int = 0) -> list[StoredInboxRow]:
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in await self._all("inbox", after, limit)]

    async def inbox_of(self, run_id: bytes) -> list[StoredInboxRow]:
        return [StoredInboxRow(row[0], InboxRow._make(row[1:])) for row in await self._all("inbox_of", run_id)]

    async def inbox_item(self, item_id: bytes) -> InboxRow | None:
        return await self._one(InboxRow, "inbox_item", item_id)

    async def messages(
        self, flow_id: bytes, partition_indexes: Sequence[bytes] | None, limit: int, after: int
    ) -> list[StoredMessageRow]:
        if partition_indexes is None:
            rows = await self._all("messages", flow_id, after, limit)
        else:
            rows = await self._all("messages_of_partition", flow_id, after, list(partition_indexes), limit)
        return [StoredMessageRow(row[0], checked(MessageRow, row[1:])) for row in rows]

    async def message(self, message_id: bytes) -> MessageRow | None:
        return await self._one(MessageRow, "message", message_id)

    async def partitions(self, flow_id: bytes) -> list[PartitionRow]:
        return all_checked(PartitionRow, await self._all("message_counts", flow_id))

    # --- what a locked environment has taken in

    async def inbox_key(self) -> InboxKeyRow | None:
        return await self._one(InboxKeyRow, "inbox_key")

    async def sealed_items(self, limit: int) -> list[SealedItemRow]:
        return [SealedItemRow(*row) for row in await self._all("sealed_items", limit)]

    async def sealed_size(self) -> SealedSize:
        return SealedSize(*(await self._all("sealed_size"))[0])

    async def callback_scope(self, token_hash: bytes) -> bytes | None:
        rows = await self._all("callback_scope", token_hash)
        return identifier(rows[0][0]) if rows else None
