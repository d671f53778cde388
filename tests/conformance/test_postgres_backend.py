"""The PostgreSQL backend passes the published suite, and a few promises that are its own. Those about lost connections
are in test_postgres_faults.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from sealflow.storage import (
    Backend,
    Batch,
    Conflict,
    DatabaseRefused,
    EnvironmentLocked,
    ExecutorLost,
    InvalidDatabaseUrl,
    NotStorable,
    RecordNotFound,
    StaleKeys,
    StorageError,
    StoreBusy,
    StoreCorrupt,
    StoreFull,
    StoreGone,
    StoreNotWritable,
    StoreTooNew,
    StoreTooOld,
    StoreUnreachable,
)
from sealflow.storage.backends.database_url import checked_url
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.port import Guard, InboxChanges, KeyChanges, KeyStateRow, RunChanges, RunUpdate, SnapshotRow
from sealflow.storage.port.batch import Parts
from sealflow.storage.testing.backends import BackendConformance
from sealflow.storage.testing.rows import ALL, first_batch, inbox_row, key_row, opened, page_row, run_row

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend, batches, connection  # noqa: E402
from sealflow.storage.backends.postgres import schema as tables  # noqa: E402

OpenBackend = Callable[[], Awaitable[Backend]]


class TestPostgres(
    BackendConformance,
):
    @pytest.fixture
    def open_backend(self, postgres: PostgresServer, schema: str) -> OpenBackend:
        async def open_it() -> Backend:
            return await PostgresBackend.open(postgres.url, schema)

        return open_it


# --- the schema


async def test_workers_that_start_at_once_make_one_schema(postgres: PostgresServer, schema: str) -> None:
    backends = await asyncio.gather(*(PostgresBackend.open(postgres.url, schema) for _ in range(4)))
    await backends[0].commit(first_batch())
    assert await backends[1].identity() is not None
    for backend in backends:
        await backend.close()


async def test_a_schema_that_is_not_there_is_not_made_unasked(postgres: PostgresServer, schema: str) -> None:
    with pytest.raises(RecordNotFound):
        await PostgresBackend.open(postgres.url, schema, create=False)
    await (await PostgresBackend.open(postgres.url, schema)).close()
    backend = await PostgresBackend.open(postgres.url, schema, create=False)
    await backend.drop()
    await backend.close()
    with pytest.raises(RecordNotFound):
        await PostgresBackend.open(postgres.url, schema, create=False)


async def test_other_schemas_are_refused(postgres: PostgresServer, schema: str) -> None:
    await (await PostgresBackend.open(postgres.url, schema)).close()
    other = await asyncpg.connect(postgres.url)
    await other.execute(f'INSERT INTO "{schema}".schema_version VALUES (999, 0)')
    with pytest.raises(StoreTooNew):
        await PostgresBackend.open(postgres.url, schema)
    await other.execute(f'UPDATE "{schema}".schema_version SET version = 10 WHERE version = 11')
    await other.execute(f'DELETE FROM "{schema}".schema_version WHERE version = 999')
    with pytest.raises(StoreTooOld, match="has schema 10"):
        await PostgresBackend.open(postgres.url, schema)
    await other.execute(f'DROP TABLE "{schema}".schema_version')
    with pytest.raises(StoreCorrupt):
        await PostgresBackend.open(postgres.url, schema)
    await other.close()


async def test_a_store_of_an_earlier_schema_is_upgraded_under_a_worker(
    postgres: PostgresServer, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is added while a worker that does not know it goes on writing."""
    steps = tables.schemas()
    worker = await PostgresBackend.open(postgres.url, schema)
    await worker.commit(first_batch())
    monkeypatch.setattr(tables, "schemas", lambda: [*steps, (steps[-1][0] + 1, "ALTER TABLE runs ADD x int")])
    later = await PostgresBackend.open(postgres.url, schema)
    run = os.urandom(16)
    await worker.commit(
        Batch(
            keys=KeyChanges(inserts=[key_row(run)]),
            runs=RunChanges(inserts=[run_row(run)], pages=[page_row(run, 1)]),
        )
    )
    assert len(await later.runs.pages(run, 1, 10, ALL)) == 1
    await worker.close()
    await later.close()


def test_schemas_are_numbered_without_gaps() -> None:
    assert [number for number, _ in tables.schemas()] == list(range(11, len(tables.schemas()) + 11))


def test_every_field_of_a_batch_is_common_or_rare() -> None:
    """A batch of one field is written by the one call that most commits are, or by a statement of its own."""
    for name, part in Batch(**{name: getattr(Batch(), name) for name in Parts.__annotations__}).parts():
        for field in part.__match_args__:
            batch = Batch()
            value = getattr(part, field)
            row = {b"r": None} if isinstance(value, dict) else [None] if isinstance(value, list) else True
            setattr(getattr(batch, name), field, row)
            assert batches.is_common(batch) == (field in batches.COMMON.get(name, ()))
    assert batches.is_common(Batch(guard=Guard(0)))
    assert not batches.is_common(Batch(identity=b"i"))
    assert not batches.is_common(Batch(runs=RunChanges(removed=[b"r" * 16])))


# --- errors


def _server_error(state: str) -> Exception:
    error: Exception = asyncpg.PostgresError.new({"C": state, "M": "text"})
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_server_error("SF001"), Conflict),
        (_server_error("SF002"), RecordNotFound),
        (_server_error("SF003"), StaleKeys),
        (_server_error("SF004"), EnvironmentLocked),
        (_server_error("SF005"), ExecutorLost),
        (_server_error("23505"), Conflict),
        (_server_error("22003"), NotStorable),
        (_server_error("53100"), StoreFull),
        (_server_error("53300"), StoreBusy),
        (_server_error("40P01"), StoreBusy),
        (_server_error("55P03"), StoreBusy),
        (_server_error("57014"), StoreBusy),
        (_server_error("57P01"), StoreUnreachable),
        (_server_error("08006"), StoreUnreachable),
        (_server_error("25006"), StoreNotWritable),
        (_server_error("42501"), StoreNotWritable),
        (_server_error("28P01"), DatabaseRefused),
        (_server_error("3D000"), DatabaseRefused),
        (_server_error("42P01"), StoreGone),
        (_server_error("42883"), StoreGone),
        (_server_error("42703"), StoreCorrupt),
        (_server_error("XX001"), StoreCorrupt),
        (_server_error("58030"), StorageError),
        (asyncpg.InterfaceError("text"), StoreUnreachable),
        (ConnectionResetError(), StoreUnreachable),
        (TimeoutError(), StoreUnreachable),
    ],
)
def test_driver_errors(error: Exception, expected: type[StorageError]) -> None:
    target = connection.Target("postgresql://user@host/name", "s")
    with pytest.raises(expected) as caught, connection.mapped(target):
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error


async def test_a_schema_that_is_removed_while_it_is_open(postgres: PostgresServer, schema: str) -> None:
    async with opened(lambda: PostgresBackend.open(postgres.url, schema)) as backend:
        await backend.commit(first_batch())
        other = await asyncpg.connect(postgres.url)
        await other.execute(f'DROP SCHEMA "{schema}" CASCADE')
        await other.close()
        batch = Batch(runs=RunChanges(inserts=[run_row(b"r" * 16)]))
        for work in (backend.runs.unfinished(), backend.commit(batch), backend.workers.join()):
            with pytest.raises(StoreGone, match="moved or removed"):
                await work


async def test_a_number_that_is_too_large(postgres: PostgresServer, schema: str) -> None:
    async with opened(lambda: PostgresBackend.open(postgres.url, schema)) as backend:
        with pytest.raises(NotStorable):
            await backend.commit(Batch(runs=RunChanges(inserts=[run_row(b"r" * 16)._replace(started_ms=1 << 70)])))


async def test_a_read_only_database(postgres: PostgresServer, schema: str) -> None:
    await (await PostgresBackend.open(postgres.url, schema)).close()
    backend = await PostgresBackend.open(f"{postgres.url}?default_transaction_read_only=on", schema)
    with pytest.raises(StoreNotWritable):
        await backend.commit(first_batch())
    await backend.close()


async def test_an_unknown_database_is_refused(postgres: PostgresServer, schema: str) -> None:
    with pytest.raises(DatabaseRefused):
        await PostgresBackend.open(postgres.url.replace("/postgres", "/nowhere"), schema)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@host/db",
        "postgresql://host/db?user=me&password=s3cret",
        "mysql://user@host/s3cret",
        "s3cret",
        "postgresql://[s3cret",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrl) as caught:
        checked_url(url)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_addresses_that_are_taken() -> None:
    for url in (
        "postgresql://host/db",
        "postgres://user@a,b:5433/db?sslmode=verify-full",
        "postgresql:///db?host=/run",
    ):
        assert checked_url(url) == url


# --- copies


async def test_a_copy_goes_over_to_the_other_backend_and_back(
    postgres: PostgresServer, schema: str, tmp_path: Path
) -> None:
    run = os.urandom(16)
    item = inbox_row(dedupe=b"d")
    backend = await PostgresBackend.open(postgres.url, schema)
    await backend.commit(first_batch())
    (number,) = await backend.commit(
        Batch(
            keys=KeyChanges(state=KeyStateRow(1, 0, b"state"), inserts=[key_row(run)]),
            runs=RunChanges(
                inserts=[run_row(run)],
                pages=[page_row(run, seq, 3000) for seq in range(1, 1200)],
                snapshots={run: SnapshotRow(run, 3, b"s")},
            ),
            inbox=InboxChanges(inserts=[item]),
        )
    )
    pages = await backend.runs.pages(run, 1, 2000, ALL)
    row, keys = await backend.runs.get(run), await backend.keys.newest(1, [run])
    await backend.backups.copy_to(tmp_path / "copy.db", with_keys=tmp_path / "keys.db")

    there = await SQLiteBackend.open(tmp_path / "store.db")
    await there.backups.copy_from(tmp_path / "copy.db", with_keys=tmp_path / "keys.db")
    assert await there.runs.pages(run, 1, 2000, ALL) == pages
    assert (await there.runs.get(run), await there.keys.newest(1, [run])) == (row, keys)
    assert await there.keys.state() == await backend.keys.state()
    await there.commit(
        Batch(
            runs=RunChanges(updates=[RunUpdate(run, 2, 9, 2, b"head", 2, b"summary")]),
            inbox=InboxChanges(consumed=[number]),
        )
    )
    await there.backups.copy_to(tmp_path / "back.db", with_keys=tmp_path / "back-keys.db")

    await backend.backups.copy_from(tmp_path / "back.db", with_keys=tmp_path / "back-keys.db")
    assert await backend.runs.pages(run, 1, 2000, ALL) == pages
    assert await backend.keys.newest(1, [run]) == keys
    assert await backend.runs.unfinished() == []
    assert await backend.inbox.waiting(10) == []
    assert (await backend.commit(Batch(inbox=InboxChanges(inserts=[item]))))[0] > number
    await backend.close()
