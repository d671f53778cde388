"""The SQLite backend passes the published suite, and a few promises that are its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sealflow.storage import (
    Backend,
    Batch,
    Conflict,
    StorageError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreNotWritable,
    StoreTooNew,
    StoreTooOld,
)
from sealflow.storage.backends.sqlite import SQLiteBackend, connection
from sealflow.storage.backends.sqlite.queries import named_queries, schemas, statements
from sealflow.storage.port import InboxChanges, KeyChanges, RunChanges
from sealflow.storage.testing.backends import BackendConformance
from sealflow.storage.testing.rows import ALL, first_batch, inbox_row, key_row, page_row, run_row

OpenBackend = Callable[[], Awaitable[Backend]]


class TestSQLite(
    BackendConformance,
):
    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> OpenBackend:
        async def open_it() -> Backend:
            return await SQLiteBackend.open(tmp_path / "store.db")

        return open_it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def test_settings(path: Path) -> None:
    backend = await SQLiteBackend.open(path)

    def setting(name: str) -> object:
        return backend.database.writer._conn.execute(f"PRAGMA {name}").fetchone()[0]

    settings = {
        "journal_mode": b"wal",
        "synchronous": 2,
        "page_size": 8192,
        "temp_store": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
    }
    assert {name: setting(name) for name in settings} == settings
    await backend.close()


async def test_another_programs_database_is_refused(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (id)")
    other.close()
    with pytest.raises(StoreCorrupt):
        await SQLiteBackend.open(path)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def test_no_database_is_refused(path: Path) -> None:
    _write(path, b"this is no database, but long enough to look like one" * 100)
    with pytest.raises(StoreCorrupt):
        await SQLiteBackend.open(path)


async def test_a_later_schema_is_refused(path: Path) -> None:
    await (await SQLiteBackend.open(path)).close()
    other = sqlite3.connect(path)
    other.execute("INSERT INTO schema_version VALUES (999, 0)")
    other.commit()
    other.close()
    with pytest.raises(StoreTooNew):
        await SQLiteBackend.open(path)


async def test_a_held_store_is_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.01)
    backend = await SQLiteBackend.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy):
        await backend.commit(first_batch())
    assert await backend.identity() is None  # reading goes on
    other.execute("ROLLBACK")
    await backend.commit(first_batch())
    other.close()
    await backend.close()


async def test_a_read_only_connection_cannot_write(path: Path) -> None:
    backend = await SQLiteBackend.open(path)
    backend.database.writer._conn.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreNotWritable):
        await backend.commit(first_batch())
    await backend.close()


async def test_a_full_disk_rolls_back(path: Path) -> None:
    backend = await SQLiteBackend.open(path)
    await backend.commit(first_batch())
    backend.database.writer._conn.execute("PRAGMA max_page_count = 1")  # rounded up to the present size
    run = b"r" * 16
    with pytest.raises(StoreFull):
        await backend.commit(
            Batch(runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, seq, 9000) for seq in range(1, 50)]))
        )
    assert await backend.runs.get(run) is None
    backend.database.writer._conn.execute("PRAGMA max_page_count = 100000")
    await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1, 9000)])))
    await backend.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_READONLY, StoreNotWritable),
        (sqlite3.SQLITE_READONLY | 4 << 8, StoreNotWritable),
        (sqlite3.SQLITE_CANTOPEN, StoreNotWritable),
        (sqlite3.SQLITE_BUSY, StoreBusy),
        (sqlite3.SQLITE_LOCKED, StoreBusy),
        (sqlite3.SQLITE_CORRUPT, StoreCorrupt),
        (sqlite3.SQLITE_NOTADB, StoreCorrupt),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Conflict),
        (sqlite3.SQLITE_IOERR, StorageError),
    ],
)
def test_driver_errors(code: int, expected: type[StorageError], path: Path) -> None:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    with pytest.raises(expected) as caught, connection.mapped(path):
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error
    assert str(path) in caught.value.message


def test_an_error_of_the_driver_itself_is_a_closed_store(path: Path) -> None:
    with pytest.raises(StoreClosed), connection.mapped(path):
        raise sqlite3.ProgrammingError("Cannot operate on a closed database.")


def test_schemas_are_numbered_without_gaps() -> None:
    assert [number for number, _ in schemas()] == list(range(11, len(schemas()) + 11))
    assert all(list(statements(script)) for _, script in schemas())
    assert all(text and "--" not in text for text in named_queries().values())


async def test_a_store_of_an_earlier_schema_is_upgraded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = await SQLiteBackend.open(path)
    await backend.commit(first_batch())
    await backend.commit(Batch(inbox=InboxChanges(inserts=[inbox_row(dedupe=b"d")])))
    await backend.close()
    later = [*schemas(), (schemas()[-1][0] + 1, "CREATE TABLE later (id INTEGER PRIMARY KEY);")]
    with monkeypatch.context() as patch:
        patch.setattr(connection, "schemas", lambda: later)
        connection._expected_schema.cache_clear()
        backend = await SQLiteBackend.open(path)
        assert len(await backend.inbox.waiting(10)) == 1
        await backend.close()
    connection._expected_schema.cache_clear()
    with closing(sqlite3.connect(path)) as other:
        versions = other.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    assert [version for (version,) in versions] == [number for number, _ in later]
    with pytest.raises(StoreTooNew):
        await SQLiteBackend.open(path)


def _as_unreleased(path: Path, column: str = "") -> None:
    """Make a file look like one of the last unreleased schema, or of one without a column of runs."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE schema_version SET version = 10")
        if column:
            other.execute("DROP INDEX runs_queued")
            other.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        other.commit()


async def test_a_store_of_before_the_first_release_is_refused_and_its_backup_restored(path: Path) -> None:
    backend = await SQLiteBackend.open(path)
    await backend.commit(first_batch())
    run = os.urandom(16)
    batch = Batch(
        keys=KeyChanges(inserts=[key_row(run)]),
        runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1)]),
        inbox=InboxChanges(inserts=[inbox_row(), inbox_row()], consumed=[2]),
    )
    await backend.commit(batch)
    content, keys = path.with_name("content"), path.with_name("keys")
    await backend.backups.copy_to(content, with_keys=keys)
    await backend.close()
    _as_unreleased(path)
    with pytest.raises(StoreTooOld, match="has schema 10") as refused:
        await SQLiteBackend.open(path)
    assert "Back it up with the version" in str(refused.value.hint)
    for file in (content, keys):
        _as_unreleased(file)
    restored = await SQLiteBackend.open(path.with_name("restored.db"))
    await restored.backups.copy_from(content, with_keys=keys)
    assert await restored.runs.pages(run, 1, 10, ALL) == batch.runs.pages
    assert await restored.keys.newest(1, [run]) == batch.keys.inserts
    assert len(await restored.inbox.waiting(10)) == 1
    assert await restored.commit(Batch(inbox=InboxChanges(inserts=[inbox_row()]))) == [3]  # no number is used twice
    await restored.close()


async def test_a_backup_of_an_earlier_unreleased_schema_is_refused(path: Path) -> None:
    backend = await SQLiteBackend.open(path)
    content, keys = path.with_name("content"), path.with_name("keys")
    await backend.backups.copy_to(content, with_keys=keys)
    _as_unreleased(content, "queue")
    with pytest.raises(StoreTooOld, match="before the last unreleased one"):
        await backend.backups.copy_from(content, with_keys=keys)
    await backend.close()
