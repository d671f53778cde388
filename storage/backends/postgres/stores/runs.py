"""Runs: how histories are read, exchanged and removed. New rows are among the common rows."""

from __future__ import annotations

from ....errors import Conflict
from ....format.purposes import Kind
from ....port import PageRow, RunChanges, SnapshotRow
from ...reading.columns import checked, of_run
from ...reading.runs import RunReads
from ..connection import Connection
from ..statements import SQL, all_at_once, changed, each, each_id, remove_keys


class PostgresRuns(RunReads):
    """See `port.RunStore`."""

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        fail = of_run(run_id, from_seq)
        rows = await self._queries.fetch("pages", run_id, from_seq, limit, most_bytes)
        return [checked(PageRow, row, fail) for row in rows]

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None:
        rows = await self._queries.fetch("snapshot", run_id)
        return checked(SnapshotRow, rows[0], of_run(run_id)) if rows else None


async def before(connection: Connection, changes: RunChanges) -> None:
    """Remove waiting pages, before any are added."""
    for name in ("dropped_pages", "delete_waiting_chunks"):
        await each_id(connection, name, changes.dropped_pages)


async def finish(connection: Connection, changes: RunChanges, worker: bytes | None) -> None:
    """Exchange and remove what exists, after all that is added. Raises Conflict."""
    await all_at_once(connection, "replaced_pages", changes.replaced_pages, worker)
    for name in ("delete_read_pages", "show_waiting_pages", "delete_read_chunks", "show_waiting_chunks"):
        await each_id(connection, name, changes.exchanged)
    await each_id(connection, "removed_snapshots", changes.removed_snapshots)
    await each(connection, "run_domains", [(*row, worker) for row in changes.domains], counted=True)
    for run_id in changes.removed:
        await _remove(connection, run_id)


async def _remove(connection: Connection, run_id: bytes) -> None:
    await connection.execute(SQL["lock_run"], run_id)
    if await connection.fetchval(SQL["needed_run"], run_id) is not None:
        raise Conflict(f"The run {run_id.hex()} has not ended, or the run that started it has not.")
    for name in ("removed_snapshots", "delete_pages", "delete_chunks", "delete_large_values"):
        await connection.execute(SQL[name], run_id)
    changed(await connection.execute(SQL["delete_run"], run_id), 1, "a run")
    await remove_keys(connection, run_id, Kind.RUN)
