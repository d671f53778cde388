"""Runs: their rows, pages and snapshots, as SQLite has them."""

from __future__ import annotations

import sqlite3

from ....errors import Conflict, RecordNotFound, RunNotOwned
from ....format.purposes import Kind
from ....port import PageRow, RunChanges, RunRow, SnapshotRow
from ...reading.columns import checked, of_run
from ...reading.runs import RunReads
from ..database import Database, fetch_all
from ..statements import SQL, changed_one, each, insert_all, remove_keys, removed_one


class SQLiteRuns(RunReads):
    """See `port.RunStore`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database
        self._numbers: dict[bytes, int] = {}  # row numbers of runs being written; used by whoever writes

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        return await self._database.in_reader(_pages, run_id, from_seq, limit, most_bytes)

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None:
        return await self._database.in_reader(_snapshot, run_id)

    def write(self, connection: sqlite3.Connection, changes: RunChanges) -> None:
        """Write rows and histories of runs. Raises RunNotOwned, RecordNotFound."""
        if changes.dropped_pages:
            each(connection, "delete_waiting_pages", changes.dropped_pages)
            each(connection, "delete_waiting_chunks", changes.dropped_pages)
        if changes.inserts:
            self._insert(connection, changes.inserts)
        if changes.pages:
            known, number_of = self._numbers.get, self._number
            pages = [
                (known(run) or number_of(connection, run), seq, link, record)
                for run, seq, link, record in changes.pages
            ]
            insert_all(connection, "insert_pages", pages)
        for update in changes.updates:
            number = self._number(connection, update.run_id)
            values = (*update[1:], number, update.head_version - 1)
            if connection.execute(SQL["update_run"], values).rowcount != 1:
                raise RunNotOwned([update.run_id])
        if changes.snapshots:
            rows = [(self._number(connection, row.run_id), row.seq, row.record) for row in changes.snapshots.values()]
            insert_all(connection, "put_snapshots", rows)

    def finish(self, connection: sqlite3.Connection, changes: RunChanges) -> None:
        """Exchange and remove what exists, after all that is added. Raises Conflict."""
        execute = connection.execute
        for page in changes.replaced_pages:
            changed_one(execute(SQL["replace_page"], (page.link, page.record, page.run_id, page.seq)), "page")
        for run_id in changes.exchanged:
            execute(SQL["delete_read_pages"], (run_id,))
            execute(SQL["show_waiting_pages"], (run_id,))
            execute(SQL["delete_read_chunks"], (run_id,))
            execute(SQL["show_waiting_chunks"], (run_id,))
        each(connection, "delete_snapshot", changes.removed_snapshots)
        for run_id, domain in changes.domains:
            changed_one(execute(SQL["set_run_domain"], (domain, run_id)), "run")
        for run_id in changes.removed:
            _remove(connection, run_id)

    def committed(self, changes: RunChanges) -> None:
        """Forget the row numbers of runs that are written no more."""
        ended = [row.run_id for row in changes.inserts if row.ended_ms is not None]
        ended += [row.run_id for row in changes.updates if row.ended_ms is not None]
        for run_id in ended:
            self._numbers.pop(run_id, None)
        for run_id in changes.removed:
            self._numbers.pop(run_id, None)

    def failed(self, changes: RunChanges) -> None:
        """Forget the row numbers of runs that were not added."""
        for row in changes.inserts:
            self._numbers.pop(row.run_id, None)

    def replaced(self) -> None:
        """Forget all row numbers: other rows have taken the place of all."""
        self._numbers.clear()

    def _insert(self, connection: sqlite3.Connection, runs: list[RunRow]) -> None:
        # Asked inside the transaction: no other process can take the same numbers.
        last = connection.execute(SQL["last_run"]).fetchone()[0]
        insert_all(connection, "insert_runs", [(number, *run) for number, run in enumerate(runs, last + 1)])
        self._numbers.update((run.run_id, number) for number, run in enumerate(runs, last + 1))

    def _number(self, connection: sqlite3.Connection, run_id: bytes) -> int:
        number = self._numbers.get(run_id)
        if number is None:
            row = connection.execute(SQL["run_number"], (run_id,)).fetchone()
            if row is None:
                raise RecordNotFound(f"There is no run {run_id.hex()}.")
            number = self._numbers[run_id] = int(row[0])
        return number


def _remove(connection: sqlite3.Connection, run_id: bytes) -> None:
    execute = connection.execute
    if execute(SQL["needed_run"], (run_id,)).fetchone() is not None:
        raise Conflict(f"The run {run_id.hex()} has not ended, or the run that started it has not.")
    execute(SQL["delete_snapshot"], (run_id,))
    execute(SQL["delete_pages"], (run_id,))
    execute(SQL["delete_chunks"], (run_id,))
    execute(SQL["delete_large_values"], (run_id,))
    removed_one(execute(SQL["delete_run"], (run_id,)), "The run")
    remove_keys(connection, run_id, Kind.RUN)


def _pages(connection: sqlite3.Connection, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
    row = connection.execute(SQL["run_number"], (run_id,)).fetchone()
    if row is None:
        return []
    fail = of_run(run_id, from_seq)
    pages: list[PageRow] = []
    for found in connection.execute(SQL["pages"], (row[0], from_seq, limit)):
        page = checked(PageRow, (run_id, *found), fail)
        pages.append(page)
        most_bytes -= len(page.record)
        if most_bytes <= 0:
            break
    return pages


def _snapshot(connection: sqlite3.Connection, run_id: bytes) -> SnapshotRow | None:
    row = connection.execute(SQL["run_number"], (run_id,)).fetchone()
    rows = fetch_all(connection, SQL["snapshot"], (row[0],)) if row else []
    return checked(SnapshotRow, (run_id, *rows[0]), of_run(run_id)) if rows else None
