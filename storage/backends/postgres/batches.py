"""One batch as statements, inside the transaction of its caller: what goes before the common rows, and what behind.

The common rows themselves (keys, runs, pages, triggers, queues) are one call of the database's function `put`. What is
here is rare: deployments, administrators' acts, shredding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import AlreadyAnswered, Conflict
from ...format.purposes import Kind
from ...rows import Batch, InboxKeyRow
from ..sql_files import named_queries
from .connection import Connection
from .schema import HERE

SQL = named_queries(HERE)

RARE = (
    "identity", "key_state", "replaced_environment_keys", "environment_keys", "environments", "changed_environments",
    "flows", "versions",
    "queues", "consumed_messages", "resealed_messages", "resealed_items", "drained", "sealed_items", "inbox_key",
    "closed_inbox", "expected_tokens", "claimed_tokens", "reopened_tokens", "forgotten_tokens",
    "rewrapped_keys", "dropped_generations", "replaced_versions",
    "replaced_triggers", "replaced_pages", "exchanged_pages", "dropped_pages", "removed_snapshots", "run_domains",
    "retired_environment_keys", "policies", "removed_policies", "assignments", "audit", "connections",
    "removed_connections", "ledger", "retentions", "backups", "operations", "removed_runs", "removed_flows",
    "removed_environments", "removed_backups", "large_values", "chunks", "settled_values", "dropped_values",
)  # fmt: skip
"""The fields of a batch that `put` does not write."""

_REPLACED = ("rewrapped_keys", "replaced_versions", "replaced_pages")
_ADDED = ("audit", "ledger", "backups")
_VERSIONED = ("policies", "assignments", "connections", "retentions", "operations")
_KINDS_OF_FLOW = (Kind.FLOW, Kind.TRIGGER, Kind.RETENTION)


def common(batch: Batch) -> tuple[Sequence[Any], ...]:
    """The arguments of `put`."""
    waits = {row.run_id: row for row in batch.waits}  # of a run that falls asleep and is woken, what was said last
    epoch = batch.owned.get
    return (
        batch.keys, batch.runs, batch.pages, batch.run_updates, list(batch.snapshots.values()), batch.triggers,
        batch.inbox, batch.messages, batch.consumed, list(waits.values()), batch.wakes,
        [epoch(row[0]) for row in batch.pages], [epoch(row[0]) for row in batch.run_updates],
        [epoch(run_id) for run_id in batch.snapshots], [epoch(run_id) for run_id in waits],
    )  # fmt: skip


def is_common(batch: Batch) -> bool:
    """Whether `put` writes all of it."""
    return not any(getattr(batch, name) for name in RARE)


async def write(connection: Connection, batch: Batch, worker: bytes | None) -> list[int]:
    """Everything, behind `enter` and before `leave`, as this worker. Raises Conflict, and the driver's errors."""
    await _before(connection, batch)
    numbers: list[int] = await connection.fetchval(SQL["put"], worker, *common(batch))
    await _values(connection, batch)
    await _each(connection, "queues", [(*row, worker) for row in batch.queues])
    await _queues(connection, batch)
    await _locked_inbox(connection, batch)
    await _administration(connection, batch, worker)
    await _removal(connection, batch)
    return numbers


async def _before(connection: Connection, batch: Batch) -> None:
    if batch.key_state is not None:
        _changed(await connection.execute(SQL["set_key_state"], *batch.key_state), 1, "the state of keys")
    for name in ("dropped_pages", "delete_waiting_chunks"):
        await _each(connection, name, _alone(batch.dropped_pages))
    if batch.replaced_environment_keys:
        await _all(connection, "replaced_environment_keys", batch.replaced_environment_keys)
    if batch.identity is not None:
        await connection.execute(SQL["set_identity"], batch.identity)
    if batch.environment_keys:
        await connection.execute(SQL["environment_keys_new"], batch.environment_keys)
    await _each(connection, "environments_new", batch.environments)
    changed = [(row.environment_id, row.row_version, row.record) for row in batch.changed_environments]
    await _each(connection, "environments_changed", changed, counted=True)
    await _each(connection, "flows_next", batch.flows, counted=True)
    if batch.versions:
        await connection.execute(SQL["versions_new"], batch.versions)
    if batch.replaced_triggers:  # the same batch may hold the next version of such a row
        await _all(connection, "replaced_triggers", batch.replaced_triggers)


async def _values(connection: Connection, batch: Batch) -> None:
    await _each(connection, "large_values_new", batch.large_values)
    await _each(connection, "chunks_new", batch.chunks)
    await _each(connection, "settled_values", _alone(batch.settled_values), counted=True)
    for name in ("delete_unsettled_chunks", "dropped_values"):
        await _each(connection, name, _alone(batch.dropped_values))


async def _queues(connection: Connection, batch: Batch) -> None:
    await _each(connection, "consumed_messages", batch.consumed_messages)
    for flow_id, message_id, partition, dedupe, record in batch.resealed_messages:
        await connection.execute(SQL["other_message"], flow_id, dedupe, message_id)
        await _each(connection, "resealed_messages", [(message_id, partition, dedupe, record)], counted=True)
    for item_id, dedupe, record in batch.resealed_items:
        await connection.execute(SQL["other_item"], dedupe, item_id)
        await _each(connection, "resealed_items", [(item_id, dedupe, record)], counted=True)


async def _locked_inbox(connection: Connection, batch: Batch) -> None:
    """Items first: whoever exchanges the key in the same commit has consumed all of them."""
    await _each(connection, "drained", batch.drained)
    await _each(connection, "sealed_items_new", batch.sealed_items, counted=True)
    if batch.inbox_key is not None or batch.closed_inbox:
        await _exchange(connection, batch.inbox_key)
    await _each(connection, "expected_tokens", batch.expected_tokens)
    for token_hash in batch.claimed_tokens:
        if await connection.execute(SQL["claim_token"], token_hash) != "UPDATE 1":
            raise AlreadyAnswered("The callback was accepted before, or nobody waits for it.")
    await _each(connection, "reopened_tokens", _alone(batch.reopened_tokens))
    await _each(connection, "forgotten_tokens", _alone(batch.forgotten_tokens))


async def _exchange(connection: Connection, row: InboxKeyRow | None) -> None:
    await connection.execute(SQL["delete_inbox_keys"])
    if await connection.fetchval(SQL["some_sealed_item"]) is not None:
        raise Conflict("There are items that only the earlier key opens.")
    await connection.execute(SQL["delete_inbox_scope_keys"], b"" if row is None else row.key_id)
    if row is not None:
        await connection.execute(SQL["insert_inbox_key"], *row)


async def _administration(connection: Connection, batch: Batch, worker: bytes | None) -> None:
    for name in _REPLACED:
        if rows := getattr(batch, name):
            await _all(connection, name, rows, *([worker] if name == "replaced_pages" else []))
    for name in ("delete_read_pages", "show_waiting_pages", "delete_read_chunks", "show_waiting_chunks"):
        await _each(connection, name, _alone(batch.exchanged_pages))
    await _each(connection, "dropped_generations", batch.dropped_generations)
    await _each(connection, "removed_snapshots", _alone(batch.removed_snapshots))
    await _each(connection, "run_domains", [(*row, worker) for row in batch.run_domains], counted=True)
    await _each(connection, "retired_environment_keys", batch.retired_environment_keys, counted=True)
    for name in _VERSIONED:
        await _each(connection, f"{name}_next", getattr(batch, name), counted=True)
    for name in _ADDED:
        await _each(connection, f"{name}_new", getattr(batch, name))
    for policy in batch.removed_policies:
        await connection.execute(SQL["removed_policies"], policy)
        await _shred(connection, policy, (Kind.POLICY,))
    for connection_id in batch.removed_connections:
        await connection.execute(SQL["removed_connections"], connection_id)
        await _shred(connection, connection_id, (Kind.CONNECTION,))


async def _removal(connection: Connection, batch: Batch) -> None:
    for run_id in batch.removed_runs:
        await connection.execute(SQL["lock_run"], run_id)
        if await connection.fetchval(SQL["needed_run"], run_id) is not None:
            raise Conflict(f"The run {run_id.hex()} has not ended, or the run that started it has not.")
        for name in ("removed_snapshots", "delete_pages", "delete_chunks", "delete_large_values"):
            await connection.execute(SQL[name], run_id)
        _changed(await connection.execute(SQL["delete_run"], run_id), 1, "a run")
        await _shred(connection, run_id, (Kind.RUN,))
    for flow_id in batch.removed_flows:
        for name in ("delete_versions", "delete_trigger", "delete_messages", "delete_retention"):
            await connection.execute(SQL[name], flow_id)
        if await connection.execute(SQL["delete_flow"], flow_id) != "DELETE 1":
            raise Conflict("The flow still has runs, or is gone.")
        await _shred(connection, flow_id, _KINDS_OF_FLOW)
    for environment in batch.removed_environments:
        _changed(await connection.execute(SQL["delete_environment"], environment), 1, "the environment")
        await _shred(connection, environment, (Kind.ENVIRONMENT,))
    for backup in batch.removed_backups:
        _changed(await connection.execute(SQL["delete_backup"], backup), 1, "the backup's entry")
        await _shred(connection, backup, (Kind.BACKUP,))


async def _shred(connection: Connection, scope: bytes, kinds: Iterable[Kind]) -> None:
    for kind in kinds:
        await connection.execute(SQL["delete_scope_keys"], scope, int(kind))


async def _all(connection: Connection, name: str, rows: Sequence[Any], *others: Any) -> None:
    """All rows in one statement, each of which has to change one."""
    _changed(await connection.execute(SQL[name], rows, *others), len(rows), name.replace("_", " "))


async def _each(connection: Connection, name: str, rows: Iterable[Sequence[Any]], *, counted: bool = False) -> None:
    """One statement a row."""
    for row in rows:
        answer = await connection.execute(SQL[name], *row)
        if counted:
            _changed(answer, 1, name.replace("_", " "))


def _alone(values: Iterable[bytes]) -> Iterable[tuple[bytes]]:
    return ((value,) for value in values)


def _changed(answer: str, rows: int, what: str) -> None:
    """The answer of the server is "UPDATE 3", "INSERT 0 3" or the like."""
    if int(answer.rpartition(" ")[2]) != rows:
        raise Conflict(f"A row ({what}) was changed by somebody else at the same moment.")
