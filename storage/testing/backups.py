"""The suite for backups."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os
from pathlib import Path

from ..errors import Conflict
from ..format.purposes import Kind
from ..port import BackupChanges, BackupRow, Batch, KeyChanges, RunChanges
from .rows import ALL, OpenBackend, initialised, key_row, page_row, refused, run_row


class BackupConformance:
    """The promises of `port.BackupStore` and `BackupChanges`."""

    async def test_the_register_of_backups(self, open_backend: OpenBackend) -> None:
        rows = [BackupRow(os.urandom(16), b"E" * 16, created, b"record") for created in (2, 1)]
        keys = [key_row(row.backup_id, kind=Kind.BACKUP) for row in rows]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(inserts=keys), backups=BackupChanges(inserts=rows)))
            assert await backend.backups.all() == [rows[1], rows[0]]
            await backend.commit(Batch(backups=BackupChanges(removed=[rows[0].backup_id])))
            assert await backend.backups.all() == [rows[1]]
            assert await backend.keys.newest(Kind.BACKUP, [row.backup_id for row in rows]) == [keys[1]]
            await refused(backend.commit(Batch(backups=BackupChanges(removed=[rows[0].backup_id]))), Conflict)

    async def test_a_copy_takes_the_place_of_everything(self, open_backend: OpenBackend, tmp_path: Path) -> None:
        run, later = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            key, page = key_row(run), page_row(run, 1)
            first = RunChanges(inserts=[run_row(run)], pages=[page])
            await backend.commit(Batch(keys=KeyChanges(inserts=[key]), runs=first))
            content, keys = tmp_path / "content.copy", tmp_path / "keys.copy"
            await backend.backups.copy_to(content, with_keys=keys)
            second = RunChanges(inserts=[run_row(later)], pages=[page_row(run, 2)])
            await backend.commit(Batch(keys=KeyChanges(inserts=[key_row(later)]), runs=second))
            assert key.wrapped not in content.read_bytes()
            await backend.backups.copy_from(content, with_keys=keys)
            assert await backend.runs.unfinished() == [run]
            assert await backend.runs.pages(run, 1, 10, ALL) == [page]
            assert await backend.keys.newest(1, [run, later]) == [key]
