"""One batch as statements, inside the transaction of its caller.

The common rows (new keys, runs, pages, triggers, requests) are one call of the database's function `put`. Everything
else is rare: deployments, administrators' work, shredding. Each store writes its part of that before or after `put`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from ...port import Batch
from .connection import Connection
from .statements import SQL
from .stores import backups, claims, connections, control, flows, inbox, keys, operations, runs, triggers, values

COMMON: Final = {
    "keys": ("inserts",),
    "runs": ("inserts", "pages", "updates", "snapshots"),
    "triggers": ("upserts",),
    "inbox": ("inserts", "consumed"),
    "messages": ("inserts",),
    "claims": ("waits", "wakes"),
}
"""What `put` writes, by part."""

_Step = tuple[str, Callable[..., Awaitable[None]]]

_BEFORE: Final[tuple[_Step, ...]] = (
    ("keys", keys.before),
    ("runs", runs.before),
    ("control", control.before),
    ("flows", flows.before),
    ("triggers", triggers.before),
)
_AFTER: Final[tuple[_Step, ...]] = (
    ("values", values.after),
    ("messages", triggers.after_messages),
    ("inbox", inbox.after),
    ("sealed_inbox", inbox.after_sealed),
    ("callbacks", inbox.after_callbacks),
    ("keys", keys.after),
    ("flows", flows.after),
    ("control", control.after),
    ("connections", connections.after),
    ("operations", operations.after),
    ("backups", backups.after),
    ("keys", keys.finish),
)
_LAST: Final[tuple[_Step, ...]] = (
    ("flows", flows.finish),
    ("control", control.finish),
    ("backups", backups.finish),
)


def common(batch: Batch) -> tuple[Sequence[Any], ...]:
    """Return the arguments of `put`."""
    changes = batch.runs
    waits = {row.run_id: row for row in batch.claims.waits}  # of a run that waits and is signalled, the last
    epoch = batch.owned.get
    return (
        batch.keys.inserts, changes.inserts, changes.pages, changes.updates, list(changes.snapshots.values()),
        batch.triggers.upserts, batch.inbox.inserts, batch.messages.inserts, batch.inbox.consumed,
        list(waits.values()), batch.claims.wakes,
        [epoch(row[0]) for row in changes.pages], [epoch(row[0]) for row in changes.updates],
        [epoch(run_id) for run_id in changes.snapshots], [epoch(run_id) for run_id in waits],
    )  # fmt: skip


def is_common(batch: Batch) -> bool:
    """Return whether `put` writes all of the batch."""
    rows = [len(getattr(part, field)) for name, part in batch.parts() for field in COMMON.get(name, ())]
    return batch.identity is None and sum(rows) == batch.rows()


async def write(connection: Connection, batch: Batch, worker: bytes | None) -> list[int]:
    """Write everything, after `enter` and before `leave`, as this worker. Raises Conflict, and the driver's errors."""
    if batch.identity is not None:
        await connection.execute(SQL["set_identity"], batch.identity)
    await _steps(connection, batch, _BEFORE)
    numbers: list[int] = await connection.fetchval(SQL["put"], worker, *common(batch))
    await claims.after(connection, batch.claims, worker)
    await _steps(connection, batch, _AFTER)
    await runs.finish(connection, batch.runs, worker)
    await _steps(connection, batch, _LAST)
    return numbers


async def _steps(connection: Connection, batch: Batch, steps: Sequence[_Step]) -> None:
    parts = dict(batch.parts())
    for name, step in steps:
        if name in parts:
            await step(connection, parts[name])
