"""Large values: stored in chunks beside the records that name them, in commits of bounded size, and read back as they
were or not at all.
"""

# ruff: noqa: E501 (one line a change)

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from sealflow.storage import (
    Batch,
    RunLog,
    StorageError,
    StoredValue,
    StoreFull,
    TamperedHistory,
    ValueTooLarge,
    Vault,
    verify_environment,
)
from sealflow.storage.backends.sqlite.connection import connect
from sealflow.storage.backends.sqlite.queries import named_queries
from sealflow.storage.format.stored_values import BASE64, PACKED, TEXT, found_in
from sealflow.storage.stores.runs import run_log, value_writing

CHUNK = 4_096


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await customer(tmp_path)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 4 KiB, commits of four, and pages of half a one."""
    for module in (run_log, value_writing):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)
    monkeypatch.setattr(value_writing, "WAITING_BYTES", 4 * CHUNK)
    monkeypatch.setattr(run_log, "PAGE_BYTES", CHUNK // 2)


async def started(vault: Vault, *, zips: bool = False) -> RunLog:
    flow = await vault.put_flow("flow", {"v": 1})
    log = vault.create_run(os.urandom(16), flow.flow_id, 1, 5, {})
    log.zips = zips
    return log


async def history(vault: Vault, run_id: bytes, *, apart: bool = False) -> list[Any]:
    return [record async for page in vault.read_run(run_id, apart=apart) for record in page.records]


def commits(vault: Vault, patch: pytest.MonkeyPatch, fail_at: int | None = None) -> list[Batch]:
    """The commits that follow; from number `fail_at` on the disk is full."""
    real, made = vault._backend.commit, list[Batch]()

    async def commit(batch: Batch) -> Any:
        if fail_at is not None and len(made) >= fail_at:
            raise StoreFull("The disk is full.")
        made.append(batch)
        return await real(batch)

    patch.setattr(vault._backend, "commit", commit)
    return made


def change(place: Customer, sql: str, *parameters: Any) -> int:
    with closing(sqlite3.connect(place.database())) as connection, connection:
        return connection.execute(sql, parameters).rowcount


def counted(place: Customer, table: str) -> int:
    with closing(sqlite3.connect(place.database())) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


RECORDS = {
    "a text": ["x" * 30_000],
    "a text of other letters": [{"body": "ä𝄞" * 9_000}],
    "text that is no UTF-8": [{"body": "\ud800" * 9_000}],
    "many small values": [{"value": [{"n": number, "t": "some text"} for number in range(2_000)]}],
    "texts and small values": [{"a": "x" * 9_000, "b": {"c": "y" * 9_000, "d": 1}}, "z" * 9_000, None, 5],
    "a text in a list": [["x" * 9_000, 1]],
    "bytes": [{"b": os.urandom(9_000)}],
    "just more than a chunk": ["x" * (CHUNK + 1)],
    "two chunks": ["x" * 2 * CHUNK],
    "two chunks and a byte": ["x" * (2 * CHUNK + 1)],
}


@pytest.mark.parametrize("zips", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("fields", RECORDS.values(), ids=RECORDS)
async def test_what_goes_in_comes_out(place: Customer, fields: list[Any], at_once: bool, zips: bool) -> None:
    record = [1, 3, *fields]
    async with place.vault() as vault:
        log = await started(vault, zips=zips)
        log.append([[1, 1, "before"]])
        log.append([record if at_once else await log.set_apart(record), [1, 2, "after"]])
        await vault.flush()
        assert await log.whole(await log.record(2)) == record
        log.close()
    async with place.vault() as vault:
        assert await history(vault, log.run_id) == [[1, 1, "before"], record, [1, 2, "after"]]
        named = [*found_in(await history(vault, log.run_id, apart=True))]
        assert named
        assert all(len(page.record) < 2 * CHUNK for page in await vault._backend.runs.pages(log.run_id, 1, 99, 1 << 30))
        assert counted(place, "chunks") == sum(value.count for value in named)
        assert {row.settled for row in await vault._backend.values.of_run(log.run_id)} == {1}
    assert (await verified(place)) == []


async def verified(place: Customer) -> list[str]:
    store = await place.store()
    try:
        return [finding.problem for finding in (await verify_environment(store, ENVIRONMENT)).findings]
    finally:
        await store.close()


async def test_what_is_not_large_stays_in_its_record(place: Customer) -> None:
    async with place.vault() as vault:
        log = await started(vault)
        record = [1, 3, "x" * (CHUNK - 100)]
        assert await log.set_apart(record) is record
        log.append([record])
        await vault.flush()
    assert counted(place, "chunks") == 0


async def streamed(log: RunLog, data: bytes, form: int = TEXT, step: int = 1_000) -> StoredValue:
    writer = log.value_writer(form)
    for at in range(0, len(data), step):
        await writer.write(data[at : at + step])
    return await log.finish(writer)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK])
async def test_a_value_that_comes_in_pieces(place: Customer, size: int) -> None:
    data = os.urandom(size)
    async with place.vault() as vault:
        log = await started(vault)
        value = await streamed(log, data, BASE64)
        assert (value.size, value.count) == (size, max(1, -(-size // CHUNK)))
        log.append([[1, 3, {"$content": value, "again": value}]])
        await vault.flush()
        assert b"".join([part async for part in log.parts(value)]) == data
        import base64

        text = base64.b64encode(data).decode()
        assert await history(vault, log.run_id) == [[1, 3, {"$content": text, "again": text}]]
        assert await vault._backend.values.unsettled(1 << 50, 9) == []


async def test_commits_are_of_bounded_size_and_shared(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.vault() as vault:
        log, other = await started(vault), await started(vault)
        await vault.flush()
        made = commits(vault, monkeypatch)
        record = [1, 3, os.urandom(50 * CHUNK).hex()]
        work = asyncio.ensure_future(log.set_apart(record))
        others = 0
        while not work.done():
            await asyncio.sleep(0)
            if made and others < len(made):
                others += 1
                other.append([[1, others]])
        log.append([await work])
        await vault.flush()
        sizes = [sum(len(chunk.record) for chunk in batch.values.chunks) for batch in made]
        assert sum(sizes) > 100 * CHUNK
        assert max(sizes) <= 5 * (CHUNK + 64)
        assert sum(bool(batch.values.chunks and batch.runs.pages) for batch in made) > 5
        assert not [batch for batch in made if batch.values.chunks and batch.values.settled]
        assert made[-1].values.settled


TAMPERING = {
    "one is missing": "DELETE FROM chunks WHERE value = 1 AND number = 2",
    "the last is missing": "DELETE FROM chunks WHERE value = 1 AND number = 5",
    "all are missing": "DELETE FROM chunks WHERE value = 1",
    "two are exchanged": "UPDATE chunks SET record = (SELECT record FROM chunks AS c WHERE c.value = 1 AND c.number = 5 - chunks.number) WHERE value = 1 AND number IN (2, 3)",
    "one is cut": "UPDATE chunks SET record = substr(record, 1, 300) WHERE value = 1 AND number = 2",
    "one is altered": "UPDATE chunks SET record = CAST(substr(record, 1, 200) || x'00' || substr(record, 202) AS BLOB) WHERE value = 1 AND number = 2",
    "one is empty": "UPDATE chunks SET record = x'' WHERE value = 1 AND number = 2",
    "one is a text": "UPDATE chunks SET record = 'text' WHERE value = 1 AND number = 2",
    "one is of another value of the run": "UPDATE chunks SET record = (SELECT record FROM chunks AS c WHERE c.value = 2 AND c.number = 2) WHERE value = 1 AND number = 2",
    "one is of another run": "UPDATE chunks SET record = (SELECT record FROM chunks AS c WHERE c.value = 3 AND c.number = 2) WHERE value = 1 AND number = 2",
    "the last comes sooner": "UPDATE chunks SET record = (SELECT record FROM chunks AS c WHERE c.value = 1 AND c.number = 5) WHERE value = 1 AND number = 2",
    "another value takes its id": "exchange",
    "the value is gone": "DELETE FROM large_values WHERE id = 1",
    "there is one more": "INSERT INTO chunks SELECT value, 6, record FROM chunks WHERE value = 1 AND number = 5",
    "a page is the record": "UPDATE chunks SET record = (SELECT record FROM pages WHERE run = 1 LIMIT 1) WHERE value = 1 AND number = 2",
}


@pytest.mark.parametrize("sql", TAMPERING.values(), ids=TAMPERING)
async def test_what_was_changed_is_refused_and_named(place: Customer, sql: str) -> None:
    async with place.vault() as vault:
        logs = [await started(vault), await started(vault)]
        for log in (logs[0], logs[0], logs[1]):
            log.append([[1, 3, await streamed(log, os.urandom(CHUNK * 4 + 9), BASE64)]])
        logs[0].append([[1, "end"]], status=2, ended_ms=9)
        await vault.flush()
    if sql == "exchange":  # step by step: ids are unique
        with closing(sqlite3.connect(place.database())) as connection, connection:
            (value_id,) = connection.execute("SELECT value_id FROM large_values WHERE id = 1").fetchone()
            connection.execute("UPDATE large_values SET value_id = zeroblob(16) WHERE id = 1")
            connection.execute("UPDATE large_values SET value_id = ? WHERE id = 2", (value_id,))
    else:
        assert change(place, sql)
    async with place.vault() as vault:
        named = [*found_in(await history(vault, logs[0].run_id, apart=True))]
        assert len(named) == 2
        with pytest.raises(StorageError) as refused:
            await history(vault, logs[0].run_id)
        assert refused.value.code in ("TamperedHistory", "IntegrityError", "StoreCorrupt")
        assert len(await history(vault, logs[1].run_id)) == 1
    store = await place.store()
    try:
        found = (await verify_environment(store, ENVIRONMENT)).findings
        assert {finding.run for finding in found} == {logs[0].run_id}
    finally:
        await store.close()


async def test_a_value_put_together_by_an_earlier_key_alone_is_found(place: Customer) -> None:
    """Chunks may be sealed by any key of their run: the record's digest tells what they have to say."""
    async with place.vault() as vault:
        log = await started(vault)
        value = await streamed(log, b"a" * 9_000)
        other = await streamed(log, b"b" * 9_000)
        log.append([[1, 3, value, other]])
        await vault.flush()
        key = log._key
        forged = [
            value_writing.chunk_row(key, value.id, n, n == 3, 4, b"b" * size)
            for n, size in ((1, CHUNK), (2, CHUNK), (3, 9_000 - 2 * CHUNK))
        ]
    for chunk in forged:
        change(place, "UPDATE chunks SET record = ? WHERE value = 1 AND number = ?", chunk.record, chunk.number)
    async with place.vault() as vault:
        with pytest.raises(TamperedHistory, match="another one than its record names"):
            await history(vault, log.run_id)


async def filled(writer: value_writing.ValueWriter) -> None:
    for _ in range(30):
        await writer.write(b"x" * 1_000)


async def test_what_is_too_large_is_refused_and_leaves_nothing(place: Customer) -> None:
    async with place.vault() as vault:
        vault._journal.values = type(vault._journal.values)(20_000)
        log = await started(vault)
        log.append([[1, 1, "x"]])
        for record in ([1, 3, "x" * 20_001], [1, 3, "y" * 9_000, ["x" * 30_000]]):
            with pytest.raises(ValueTooLarge) as refused:
                log.append([[1, 2, "before"], record])
            assert refused.value.code == "ValueTooLarge"
            assert "20,000 bytes" in refused.value.message
            with pytest.raises(ValueTooLarge):
                await log.set_apart(record)
        writer = log.value_writer(TEXT)
        with pytest.raises(ValueTooLarge):
            await filled(writer)
        writer.drop()
        log.append([[1, 3, "x" * 19_000]])
        await vault.flush()
        assert [record[1] for record in await history(vault, log.run_id)] == [1, 3]
        swept = await vault.sweep_values(run_id=log.run_id)
        assert (swept, counted(place, "large_values")) == (
            1,
            1,
        )  # that of the record with two, of which one was too large


async def test_a_value_that_is_given_up_goes(place: Customer) -> None:
    async with place.vault() as vault:
        log = await started(vault)
        writer = log.value_writer(TEXT)
        await writer.write(b"x" * 9 * CHUNK)
        assert counted(place, "chunks") > 0
        writer.drop()
        await vault.flush()
        assert (counted(place, "chunks"), counted(place, "large_values")) == (0, 0)


@pytest.mark.parametrize("fail_at", range(8))
async def test_a_crash_at_any_commit_loses_nothing_and_leaves_what_is_swept(
    place: Customer, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    async with place.vault() as vault:
        log = await started(vault)
        log.append([[1, 1, "acknowledged"]])
        await vault.flush()
        commits(vault, monkeypatch, fail_at)
        acknowledged = False
        try:
            log.append([await log.set_apart([1, 3, "x" * 20 * CHUNK])])
            await vault.flush()
            acknowledged = True
        except StoreFull:
            pass
        monkeypatch.undo()
        log.close()
    async with place.vault() as vault:
        assert len(await history(vault, log.run_id)) == 1 + acknowledged
        left = await vault._backend.values.of_run(log.run_id)
        assert await vault.sweep_values(-60_000) == 0  # its run is in flight: it may go on elsewhere
        swept = await vault.sweep_values(run_id=log.run_id)
        assert swept == (len(left) if not acknowledged else 0)
        assert bool(counted(place, "chunks")) == acknowledged
        assert len(await history(vault, log.run_id)) == 1 + acknowledged


async def test_what_a_start_left_that_never_came_is_swept_later(place: Customer) -> None:
    async with place.vault() as vault:
        log = await started(vault)
        log.append([[1, 1, "x"]])
        await streamed(log, b"x" * 9_000)
        log.append([[1, 2, "end"]], status=2, ended_ms=9)
        await vault.flush()
        assert await vault.sweep_values(60_000) == 0
        assert await vault.sweep_values(-60_000) == 1
        assert counted(place, "chunks") == 0


async def test_values_go_when_their_run_is_shredded(place: Customer) -> None:
    async with place.vault() as vault:
        log = await started(vault)
        log.append([[1, 3, "x" * 9_000]], status=2, ended_ms=9)
        await vault.flush()
        assert counted(place, "chunks") == 3
        await vault.shred_runs([log.run_id])
        assert (counted(place, "chunks"), counted(place, "large_values")) == (0, 0)


async def test_nothing_of_a_value_lies_on_the_disk_in_the_clear(place: Customer) -> None:
    canary = "canary-5b1c77"
    async with place.vault() as vault:
        log = await started(vault)
        log.append([await log.set_apart([1, 3, {"body": canary * 2_000}]), [1, 4, [canary] * 2_000]])
        await vault.flush()
        files = [path for path in place.folder.rglob("*") if path.is_file()]
        assert counted(place, "chunks") > 9
        assert not [path for path in files if canary.encode() in path.read_bytes()]


async def test_forms() -> None:
    assert not StoredValue(bytes(16), PACKED, 1, 1, bytes(32)).streams
    assert StoredValue(bytes(16), TEXT, 1, 1, bytes(32)).streams
    for fields in ([], None, [b"", 1, 1, 1, b""], [bytes(16), 9, 1, 1, b""], [bytes(16), 1, 0, 1, b""]):
        with pytest.raises(ValueError, match="large value"):
            StoredValue.of_fields(fields)


def test_every_look_at_values_goes_by_an_index(tmp_path: Path) -> None:
    queries = named_queries()
    with closing(connect(tmp_path / "store.db")) as connection:
        for name, values in {
            "chunks": (b"v", 0, 4),
            "value_number": (b"v",),
            "settle_value": (b"v",),
            "large_values": (b"r",),
            "unsettled_values": (5, 10),
            "delete_chunks": (b"r",),
            "show_waiting_chunks": (b"r",),
        }.items():
            plan = [row[3].decode() for row in connection.execute(f"EXPLAIN QUERY PLAN {queries[name]}", values)]
            assert not [line for line in plan if line.startswith("SCAN") and "USING INDEX" not in line], (name, plan)
