"""Whoever can write the database file cannot change, drop, repeat, reorder or exchange anything unnoticed."""

# ruff: noqa: E501 (one line a change)

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sealflow.storage import IntegrityError, Keystore, NotARecord, Store, TamperedHistory, Vault, WrongKey

FLOW = b"F" * 16
Change = Callable[[sqlite3.Connection], object]


class Place:
    """Two ended runs of five pages, one running run, one flow and one inbox item, to be changed from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: list[bytes] = []

    async def open(self) -> tuple[Store, Vault]:
        store = await Store.open(self.folder / "home", Keystore(self.folder / "k.json"))
        try:
            return store, await store.open_vault("a")
        except BaseException:
            await store.close()
            raise

    async def build(self) -> Place:
        store = await Store.open(self.folder / "home", Keystore(self.folder / "k.json"))
        await store.create_environment("a")
        vault = await store.open_vault("a")
        await vault.put_flow("flow", {"v": 1})
        await vault.put_flow("flow", {"v": 2})
        for ended in (True, True, False):
            log = vault.create_run(os.urandom(16), FLOW, 1, 5, {"s": 1}, status=1)
            for page in range(5):
                log.append([[page, "x"], [page, "y"]])
            log.snapshot({"state": 1})
            if ended:
                log.append([], status=2, ended_ms=9)
            self.ids.append(log.run_id)
        await vault.inbox_add(1, {"q": 1}, run_id=self.ids[0])
        await vault.close()
        await store.close()
        return self

    def change(self, change: str | Change, *parameters: Any) -> None:
        (path,) = (self.folder / "home" / "environments").glob("*/store.db")
        connection = sqlite3.connect(path)
        with connection:
            if isinstance(change, str):
                assert connection.execute(change, parameters).rowcount > 0
            else:
                change(connection)
        connection.close()

    async def read_all(self) -> None:
        """Reads everything there is; raises if anything is not as it was written."""
        store, vault = await self.open()
        try:
            for run_id in self.ids:
                async for _ in vault.read_run(run_id):
                    pass
                log = await vault.open_run(run_id)
                await log.load_snapshot()
            await vault.runs()
            for flow in await vault.flows():
                for number in range(1, flow.version + 1):
                    await vault.version(flow.flow_id, number)
            await vault.inbox()
        finally:
            await vault.close()
            await store.close()


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    return await Place(tmp_path).build()


async def test_nothing_changed_is_accepted(place: Place) -> None:
    await place.read_all()


HISTORY: dict[str, str] = {
    "the last page is gone": "DELETE FROM pages WHERE run = 1 AND seq = 9",
    "the last two pages are gone": "DELETE FROM pages WHERE run = 1 AND seq >= 7",
    "all pages are gone": "DELETE FROM pages WHERE run = 1",
    "the first page is gone": "DELETE FROM pages WHERE run = 1 AND seq = 1",
    "a page in the middle is gone": "DELETE FROM pages WHERE run = 1 AND seq = 5",
    "a page is gone and the rest moved up": "UPDATE pages SET seq = seq - 2 WHERE run = 1 AND seq > 5 AND (SELECT 1 FROM pages)",
    "a page is repeated at the end": "INSERT INTO pages (run, seq, link, record) SELECT run, 11, link, record FROM pages WHERE run = 1 AND seq = 9",
    "a page is repeated inside": "INSERT INTO pages (run, seq, link, record) SELECT run, 2, link, record FROM pages WHERE run = 1 AND seq = 1",
    "a page of another run": "UPDATE pages SET record = (SELECT record FROM pages WHERE run = 2 AND seq = 5) WHERE run = 1 AND seq = 5",
    "a page of another run, with its link": (
        "UPDATE pages SET (record, link) = (SELECT record, link FROM pages WHERE run = 2 AND seq = 5) WHERE run = 1 AND seq = 5"
    ),
    "another run's whole history": "UPDATE pages SET run = CASE run WHEN 1 THEN 9 ELSE 1 END WHERE run = 2",
    "a page of the same run": "UPDATE pages SET record = (SELECT record FROM pages WHERE run = 1 AND seq = 3) WHERE run = 1 AND seq = 5",
    "an empty page": "UPDATE pages SET record = x'' WHERE run = 1 AND seq = 5",
    "a cut page": "UPDATE pages SET record = substr(record, 1, 70) WHERE run = 1 AND seq = 5",
    "a page as text": "UPDATE pages SET record = 'text' WHERE run = 1 AND seq = 5",
    "a link as text": "UPDATE pages SET link = 'abc' WHERE run = 1 AND seq = 5",
    "a head as number": "UPDATE runs SET head = 5 WHERE id = 1",
    "a version as text": "UPDATE runs SET head_version = 'x' WHERE id = 1",
    "a longer page": "UPDATE pages SET record = CAST(record || x'00' AS BLOB) WHERE run = 1 AND seq = 5",
    "plain text instead of a page": "UPDATE pages SET record = CAST('[[1]]' AS BLOB) WHERE run = 1 AND seq = 5",
    "another link": "UPDATE pages SET link = zeroblob(32) WHERE run = 1 AND seq = 9",
    "no link": "UPDATE pages SET link = x'' WHERE run = 1 AND seq = 9",
    "another status": "UPDATE runs SET status = 3 WHERE id = 1",
    "running again": "UPDATE runs SET ended_ms = NULL WHERE id = 1",
    "another end": "UPDATE runs SET ended_ms = 10 WHERE id = 1",
    "another start": "UPDATE runs SET started_ms = 6 WHERE id = 1",
    "another flow": "UPDATE runs SET flow_id = zeroblob(16) WHERE id = 1",
    "another version": "UPDATE runs SET version = 2 WHERE id = 1",
    "a parent": "UPDATE runs SET parent = zeroblob(16) WHERE id = 1",
    "another head version": "UPDATE runs SET head_version = 7 WHERE id = 1",
    "no head": "UPDATE runs SET head = x'' WHERE id = 1",
    "another run's head": "UPDATE runs SET (head, head_version) = (SELECT head, head_version FROM runs WHERE id = 2) WHERE id = 1",
    "another run's summary": "UPDATE runs SET summary = (SELECT summary FROM runs WHERE id = 2) WHERE id = 1",
    "the summary as head": "UPDATE runs SET head = summary WHERE id = 1",
    "another run's snapshot": "UPDATE snapshots SET record = (SELECT record FROM snapshots WHERE run = 2) WHERE run = 1",
    "an older place of the snapshot": "UPDATE snapshots SET seq = 9 WHERE run = 1",
    "a running run's tail": "DELETE FROM pages WHERE run = 3 AND seq = 9",
}  # fmt: skip


@pytest.mark.parametrize("sql", HISTORY.values(), ids=HISTORY)
async def test_a_changed_history_is_refused_with_its_run_named(place: Place, sql: str) -> None:
    def change(connection: sqlite3.Connection) -> None:
        if "moved up" in _name(sql):
            connection.execute("DELETE FROM pages WHERE run = 1 AND seq = 5")
        if "CASE run" in sql:
            connection.execute("DELETE FROM pages WHERE run = 1")
        assert connection.execute(sql).rowcount > 0

    place.change(change)
    with pytest.raises(TamperedHistory) as caught:
        await place.read_all()
    assert caught.value.run == place.ids[2 if "run = 3" in sql else 0].hex()
    assert caught.value.run in str(caught.value)


def _name(sql: str) -> str:
    return next(name for name, text in HISTORY.items() if text == sql)


async def test_two_pages_exchanged(place: Place) -> None:
    def exchange(connection: sqlite3.Connection) -> None:
        for old, new in ((3, 1000), (5, 3), (1000, 5)):
            connection.execute("UPDATE pages SET seq = ? WHERE run = 1 AND seq = ?", (new, old))

    place.change(exchange)
    with pytest.raises(TamperedHistory) as caught:
        await place.read_all()
    assert (caught.value.run, caught.value.seq) == (place.ids[0].hex(), 3)


async def test_every_flipped_bit_of_a_stored_record_is_refused(place: Place) -> None:
    """All bits of one page and its link, of a head and of a summary, as they lie in the file."""
    (path,) = (place.folder / "home" / "environments").glob("*/store.db")
    columns = [
        ("pages", "record", "run = 1 AND seq = 5"),
        ("pages", "link", "run = 1 AND seq = 5"),
        ("runs", "head", "id = 1"),
        ("runs", "summary", "id = 1"),
    ]
    store, vault = await place.open()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    for table, column, where in columns:
        (original,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        for bit in range(len(original) * 8):
            changed = bytearray(original)
            changed[bit // 8] ^= 1 << bit % 8
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(changed),))
            with pytest.raises(TamperedHistory):
                await _check(vault, place.ids[0])
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (original,))
    await vault.run(place.ids[0])
    connection.close()
    await vault.close()
    await store.close()


async def _check(vault: Vault, run_id: bytes) -> None:
    await vault.run(run_id)
    async for _ in vault.read_run(run_id):
        pass


OTHERS: dict[str, str] = {
    "another name": "UPDATE flows SET record = CAST(substr(record, 1, 100) || x'00' || substr(record, 102) AS BLOB)",
    "an older current version": "UPDATE flows SET version = 1",
    "another row version": "UPDATE flows SET row_version = 9",
    "another time": "UPDATE flows SET updated_ms = 1",
    "versions exchanged": "UPDATE versions SET record = (SELECT record FROM versions WHERE number = 1) WHERE number = 2",
    "a version's time": "UPDATE versions SET created_ms = 1",
    "a flow's record as version": "UPDATE versions SET record = (SELECT record FROM flows)",
    "no record": "UPDATE versions SET record = x''",
    "a request's kind": "UPDATE inbox SET kind = 2",
    "a request's run": "UPDATE inbox SET run_id = NULL",
    "a request": "UPDATE inbox SET record = zeroblob(100)",
    "a run's key": "UPDATE keys SET wrapped = zeroblob(60) WHERE kind = 1",
    "keys exchanged": (
        "UPDATE keys SET (kid, wrapped) = (SELECT kid, wrapped FROM keys WHERE kind = 2) WHERE kind = 1"
    ),
    "a key as text": "UPDATE keys SET wrapped = 'x'",
    "a key's id as text": "UPDATE keys SET kid = 'x'",
    "a certificate as text": "UPDATE environment_keys SET mac = 'x'",
    "a key's id": "UPDATE keys SET kid = zeroblob(32) WHERE kind = 2",
    "a key row": "DELETE FROM keys WHERE kind = 2",
    "a run's key row": "DELETE FROM keys WHERE kind = 1",
    "an environment key's certificate": "UPDATE environment_keys SET mac = zeroblob(32)",
    "an environment key": "UPDATE environment_keys SET wrapped = zeroblob(100)",
    "an environment key's id": "UPDATE environment_keys SET kid = zeroblob(32)",
    "the store's identity": "UPDATE meta SET environment_id = zeroblob(16)",
}  # fmt: skip


@pytest.mark.parametrize("sql", OTHERS.values(), ids=OTHERS)
async def test_other_changes_are_refused(place: Place, sql: str) -> None:
    place.change(sql)
    with pytest.raises(IntegrityError):
        await place.read_all()


async def test_an_error_tells_nothing_of_the_contents(place: Place) -> None:
    place.change("UPDATE versions SET record = zeroblob(100)")
    with pytest.raises(NotARecord) as caught:
        await place.read_all()
    assert caught.value.__cause__ is None
    assert caught.value.hint


async def test_another_environments_store_is_refused(place: Place) -> None:
    store, vault = await place.open()
    await vault.close()
    other = await store.create_environment("b")
    first = (await store.environment("a")).id
    folder = place.folder / "home" / "environments"
    (folder / first.hex() / "store.db").rename(folder / "aside.db")
    (folder / other.id.hex() / "store.db").rename(folder / first.hex() / "store.db")
    with pytest.raises(IntegrityError):
        await store.open_vault("a")
    await store.close()


async def test_a_renamed_environment_is_refused(place: Place) -> None:
    store, vault = await place.open()
    await vault.close()
    await store.create_environment("b")
    connection = sqlite3.connect(place.folder / "home" / "control.db")
    with connection:
        rows = connection.execute("SELECT environment_id, record FROM environments").fetchall()
        for (environment, _), (_, record) in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE environments SET record = ? WHERE environment_id = ?", (record, environment))
    connection.close()
    with pytest.raises(NotARecord):
        await store.environments()
    await store.close()


async def test_another_kek_is_the_wrong_key(place: Place) -> None:
    place.change("UPDATE environment_keys SET kek = zeroblob(16)")
    with pytest.raises(WrongKey):
        await place.read_all()
