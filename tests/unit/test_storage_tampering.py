"""A writer of the database file changes, deletes, repeats, reorders or exchanges rows. Every change is detected."""

# ruff: noqa: E501 (one line a change)

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from copied_places import copied
from refusals import REFUSED_ROW
from sealflow.storage import (
    IntegrityError,
    Keystore,
    NotARecord,
    RecordNotFound,
    StorageError,
    Store,
    TamperedHistory,
    Vault,
    WrongKey,
)

FLOW = b"F" * 16
Change = Callable[[sqlite3.Connection], object]


class Place:
    """Two ended runs of five pages, one running run, one flow with its trigger and three messages, and one inbox item,
    to be changed from outside.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: list[bytes] = []
        self.flow = b""

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
        self.flow = (await vault.put_flow("flow", {"v": 2})).flow_id
        assert await vault.trigger(self.flow) is None
        vault.set_trigger(self.flow, {"next": 1}, due_ms=7, expected=0)
        for n in range(3):
            await vault.add_message(self.flow, "p" if n else "q", {"m": n}, dedupe=bytes([n]))
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
        """Changes the environment's store from outside."""
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
            await vault.triggers()
            await vault.trigger(self.flow)
            await vault.messages(self.flow)
            await vault.message_counts(self.flow)
        finally:
            await vault.close()
            await store.close()


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    link, made = await copied(tmp_path, "tampering", lambda folder: Place(folder).build())
    place = Place(link)
    place.ids, place.flow = [*made.ids], made.flow
    return place


async def test_nothing_changed_is_accepted(place: Place) -> None:
    """No attack: an unchanged store is accepted."""
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
    """The writer changes the history of a run. It is refused, and the error names the run."""

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
    """The writer exchanges two pages of a run."""

    def exchange(connection: sqlite3.Connection) -> None:
        for old, new in ((3, 1000), (5, 3), (1000, 5)):
            connection.execute("UPDATE pages SET seq = ? WHERE run = 1 AND seq = ?", (new, old))

    place.change(exchange)
    with pytest.raises(TamperedHistory) as caught:
        await place.read_all()
    assert (caught.value.run, caught.value.seq) == (place.ids[0].hex(), 3)


async def test_every_flipped_bit_of_a_stored_record_is_refused(place: Place) -> None:
    """The writer flips each bit of a page, a link, a head and a summary. All are refused."""
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


async def test_every_flipped_bit_of_a_trigger_and_a_message_is_refused(place: Place) -> None:
    """The writer flips each bit of a trigger and of a message. All are refused."""
    (path,) = (place.folder / "home" / "environments").glob("*/store.db")
    store, vault = await place.open()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    columns = [("triggers", "flow_id"), ("triggers", "record")]
    columns += [("messages", column) for column in ("message_id", "flow_id", "partition_index", "dedupe", "record")]
    for table, column in columns:
        (original,) = connection.execute(f"SELECT {column} FROM {table} WHERE id = 1").fetchone()
        for bit in range(len(original) * 8):
            changed = bytearray(original)
            changed[bit // 8] ^= 1 << bit % 8
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = 1", (bytes(changed),))
            with pytest.raises(IntegrityError, match=REFUSED_ROW):
                await _check_queues(vault, place.flow)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = 1", (original,))
    await _check_queues(vault, place.flow)
    connection.close()
    await vault.close()
    await store.close()


async def _check_queues(vault: Vault, flow_id: bytes) -> None:
    await vault.triggers()
    await vault.messages(flow_id)
    await vault.message_counts(flow_id)


async def _check(vault: Vault, run_id: bytes) -> None:
    await vault.run(run_id)
    async for _ in vault.read_run(run_id):
        pass


ALTERED = (
    "CAST(substr(record, 1, 100) || CASE substr(record, 101, 1) WHEN x'00' THEN x'01' ELSE x'00' END"
    " || substr(record, 102) AS BLOB)"
)
OTHERS: dict[str, str] = {
    "another name": f"UPDATE flows SET record = {ALTERED}",
    "an older current version": "UPDATE flows SET version = 1",
    "another row version": "UPDATE flows SET row_version = 9",
    "another time": "UPDATE flows SET updated_ms = 1",
    "versions exchanged": "UPDATE versions SET record = (SELECT record FROM versions WHERE number = 1) WHERE number = 2",
    "a version's time": "UPDATE versions SET created_ms = 1",
    "a flow's record as version": "UPDATE versions SET record = (SELECT record FROM flows)",
    "no record": "UPDATE versions SET record = x''",
    "a flow's index": "UPDATE flows SET name_index = zeroblob(16)",
    "a flow's domain": "UPDATE flows SET domain = 2",
    "a flow's row": "DELETE FROM flows",
    "a trigger's record": f"UPDATE triggers SET record = {ALTERED}",
    "a trigger's time": "UPDATE triggers SET due_ms = 8",
    "no time of a trigger": "UPDATE triggers SET due_ms = NULL",
    "a trigger's row version": "UPDATE triggers SET row_version = 2",
    "a trigger's flow": "UPDATE triggers SET flow_id = zeroblob(16)",
    "a trigger's row": "DELETE FROM triggers",
    "a trigger's key": "DELETE FROM keys WHERE kind = 7",
    "a trigger's key as a message's": "UPDATE keys SET kind = 8 WHERE kind = 7",
    "a flow's record as its trigger's": "UPDATE triggers SET record = (SELECT record FROM flows)",
    "a message's record": f"UPDATE messages SET record = {ALTERED} WHERE id = 2",
    "another message's record": "UPDATE messages SET record = (SELECT record FROM messages WHERE id = 3) WHERE id = 2",
    "a message's partition": "UPDATE messages SET partition_index = (SELECT partition_index FROM messages WHERE id = 1) WHERE id = 2",
    "a message's uniqueness": "UPDATE messages SET dedupe = zeroblob(16) WHERE id = 2",
    "no uniqueness of a message": "UPDATE messages SET dedupe = NULL WHERE id = 2",
    "a message's size": "UPDATE messages SET size = size + 1 WHERE id = 2",
    "a message's time": "UPDATE messages SET created_ms = 1 WHERE id = 2",
    "a message's flow": "UPDATE messages SET flow_id = zeroblob(16) WHERE id = 2",
    "a message's id": "UPDATE messages SET message_id = zeroblob(16) WHERE id = 2",
    "a message's row": "DELETE FROM messages WHERE id = 2",
    "a message's key": "DELETE FROM keys WHERE scope = (SELECT message_id FROM messages WHERE id = 2)",
    "a flow's id": "UPDATE flows SET flow_id = zeroblob(16)",
    "a version's number": "UPDATE versions SET number = 7 WHERE number = 1",
    "a run's parent": "UPDATE runs SET parent = x'' WHERE id = 1",
    "a version's flow": "UPDATE versions SET flow_id = zeroblob(16) WHERE number = 1",
    "a version": "DELETE FROM versions WHERE number = 2",
    "a run's domain": "UPDATE runs SET domain = 2",
    "a run's row": "DELETE FROM runs WHERE id = 1",
    "a run's id": "UPDATE runs SET run_id = zeroblob(16) WHERE id = 1",
    "a key's generation": "UPDATE keys SET generation = 99 WHERE kind = 1",
    "a key's domain": "UPDATE keys SET domain = 2 WHERE kind = 1",
    "a key's version": "UPDATE keys SET key_version = 2 WHERE kind = 2",
    "a key's scope": "UPDATE keys SET scope = zeroblob(16) WHERE id = (SELECT min(id) FROM keys WHERE kind = 1)",
    "an environment key's time": "UPDATE environment_keys SET created_ms = 1",
    "an environment key's predecessor": "UPDATE environment_keys SET predecessor_mac = zeroblob(32)",
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
    """The writer changes other columns and rows. All changes are refused."""
    place.change(sql)
    with pytest.raises(IntegrityError, match=REFUSED_ROW):
        await place.read_all()


# Whatever type and value a column is made to hold, there is a storage error and no other one.
ODD = ("NULL", "-1", "9223372036854775807", "-9223372036854775808", "1.5", "'text'", "x''", "x'ff'", "zeroblob(16)")
COLUMNS = {
    "flows": "flow_id name_index domain version row_version created_ms updated_ms record",
    "versions": "flow_id number created_ms record",
    "runs": "run_id flow_id version domain status started_ms ended_ms parent head_version head summary_version summary",
    "pages": "run seq link record",
    "snapshots": "seq record",
    "triggers": "flow_id due_ms row_version record",
    "messages": "message_id flow_id partition_index dedupe size created_ms record",
    "keys": "kind scope generation domain key_version kid wrapped",
    "environment_keys": "domain version kek kid wrapped policy_epoch mac predecessor_mac created_ms",
    "meta": "environment_id",
}


@pytest.mark.parametrize("table", COLUMNS)
async def test_damaged_columns_are_refused_with_a_clear_error(place: Place, table: str) -> None:
    """The writer stores values of any type in a column. The result is a storage error and no other error."""
    (path,) = (place.folder / "home" / "environments").glob("*/store.db")
    undamaged = path.read_bytes()
    for column in COLUMNS[table].split():
        for value in ODD:
            path.write_bytes(undamaged)
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA synchronous = OFF")
            (row,) = connection.execute(f"SELECT min(rowid) FROM {table}").fetchone()
            try:
                before = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
                connection.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid = ?", (row,))
                after = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
            except sqlite3.IntegrityError:  # the schema refuses it
                continue
            finally:
                connection.close()
            if before == after:
                continue
            try:
                await place.read_all()
            except StorageError:
                continue
            raise AssertionError(f"{table}.{column} = {value} was accepted")


async def test_names_are_not_exchanged(place: Place) -> None:
    """The writer exchanges the name indexes of two flows. Both are refused."""
    store, vault = await place.open()
    await vault.put_flow("other", {"v": 9})
    await vault.close()
    await store.close()

    def exchange(connection: sqlite3.Connection) -> None:
        (one, first), (two, second) = connection.execute("SELECT id, name_index FROM flows").fetchall()
        for number, index in ((one, b"aside"), (two, first), (one, second)):
            connection.execute("UPDATE flows SET name_index = ? WHERE id = ?", (index, number))

    place.change(exchange)
    store, vault = await place.open()
    for call in (vault.flow("flow"), vault.put_flow("flow", {"v": 3}), vault.flows(), vault.flow("missing")):
        with pytest.raises(IntegrityError, match="says otherwise than its record"):
            await call
    await vault.close()
    await store.close()


async def test_a_hidden_name_is_not_taken_for_missing(place: Place) -> None:
    """The writer changes the name index of a flow, so that a search does not find it. Reading and deploying refuse in
    place of reporting a missing flow.
    """
    place.change("UPDATE flows SET name_index = zeroblob(16)")
    store, vault = await place.open()
    for call in (vault.flow("flow"), vault.put_flow("flow", {"v": 3}), vault.put_flow("new", {"v": 3})):
        with pytest.raises(IntegrityError, match="says otherwise than its record"):
            await call
    await vault.close()
    await store.close()


async def test_a_flow_or_run_whose_key_is_there_is_not_taken_for_missing(place: Place) -> None:
    """The writer deletes the row of a flow or run and leaves its key. It is reported as missing data and not as
    unknown.
    """
    store, vault = await place.open()
    flow = await vault.flow("flow")
    await vault.close()
    await store.close()
    place.change("DELETE FROM flows")
    place.change("DELETE FROM runs WHERE id = 1")
    store, vault = await place.open()
    for call in (vault.flow(flow.flow_id), vault.version(flow.flow_id, 1), vault.version(flow.flow_id, 2)):
        with pytest.raises(IntegrityError, match="missing"):
            await call
    reader = await vault.reader(place.ids[0])
    for look in (vault.run(place.ids[0]), vault.open_run(place.ids[0]), reader.read()):
        with pytest.raises(TamperedHistory, match="missing"):
            await look
    await vault.close()
    await store.close()


async def test_environments_are_not_exchanged(place: Place) -> None:
    """The writer exchanges the name indexes of two environments. Both are refused."""
    store, vault = await place.open()
    await vault.close()
    await store.create_environment("b")
    connection = sqlite3.connect(place.folder / "home" / "control.db", isolation_level=None)
    (one, first), (two, second) = connection.execute("SELECT rowid, name_index FROM environments").fetchall()
    for number, index in ((one, b"aside"), (two, first), (one, second)):
        connection.execute("UPDATE environments SET name_index = ? WHERE rowid = ?", (index, number))
    for name in ("a", "b", "missing"):
        with pytest.raises(IntegrityError, match="says otherwise than its record"):
            await store.environment(name)
    with pytest.raises(IntegrityError, match="says otherwise than its record"):
        await store.environments()
    with pytest.raises(IntegrityError, match="says otherwise than its record"):
        await store.create_environment("c")
    connection.close()
    await store.close()


async def test_an_environment_whose_key_is_there_is_not_taken_for_missing(place: Place) -> None:
    """The writer deletes the row of an environment and leaves its key. Listing, opening and creating it are refused."""
    connection = sqlite3.connect(place.folder / "home" / "control.db", isolation_level=None)
    connection.execute("DELETE FROM environments")
    connection.close()
    store = await Store.open(place.folder / "home", Keystore(place.folder / "k.json"))
    for call in (store.environments(), store.environment("a"), store.create_environment("a")):
        with pytest.raises(IntegrityError, match="missing"):
            await call
    await store.close()


async def test_a_version_from_another_life_of_the_store_is_refused(place: Place) -> None:
    """The writer puts back a store from a backup to which another content was deployed under the same version number. A
    run refuses the version that it did not start with.
    """
    (path,) = (place.folder / "home" / "environments").glob("*/store.db")
    backup = path.read_bytes()

    async def deploy(content: str) -> tuple[bytes, bytes, Any, Any]:
        store, vault = await place.open()
        put = await vault.put_flow("flow", {"v": content})
        digest = (await vault.version(put.flow_id, put.version)).digest
        run_id = os.urandom(16)
        vault.create_run(run_id, put.flow_id, put.version, 5, None, definition_digest=digest)
        await vault.put_flow("flow", {"v": "later"})
        await vault.close()
        await store.close()
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT * FROM versions WHERE number >= 3 ORDER BY number").fetchall()
        connection.close()
        return run_id, put.flow_id, rows[0], rows[1]

    _, _, first, _ = await deploy("first life")
    path.write_bytes(backup)
    run_id, flow_id, _, _ = await deploy("second life")

    def put_back(connection: sqlite3.Connection) -> None:
        statement = "UPDATE versions SET created_ms = ?, record = ? WHERE number = 3"
        assert connection.execute(statement, first[2:]).rowcount == 1

    place.change(put_back)
    store, vault = await place.open()
    info = await vault.run(run_id)
    with pytest.raises(IntegrityError, match="started with"):
        await vault.version(flow_id, 3, digest=info.definition_digest)
    await vault.close()
    await store.close()
    # The current version is compared with the flow's own row, run or not.
    place.change("UPDATE versions SET number = 5 WHERE number = 4")
    with pytest.raises(IntegrityError, match="names version 4, and there is a later one"):
        await place.read_all()


async def test_a_current_version_from_another_life_of_the_store_is_refused(place: Place) -> None:
    """The same for the current version of a flow: its digest does not match, so it is refused."""
    (path,) = (place.folder / "home" / "environments").glob("*/store.db")
    backup = path.read_bytes()
    versions = []
    for content in ("first life", "second life"):
        path.write_bytes(backup)
        store, vault = await place.open()
        flow_id = (await vault.put_flow("flow", {"v": content})).flow_id
        await vault.close()
        await store.close()
        connection = sqlite3.connect(path)
        versions += connection.execute("SELECT created_ms, record FROM versions WHERE number = 3").fetchall()
        connection.close()
    place.change("UPDATE versions SET created_ms = ?, record = ? WHERE number = 3", *versions[0])
    store, vault = await place.open()
    with pytest.raises(IntegrityError, match="names"):
        await vault.version(flow_id, 3)
    await vault.close()
    await store.close()


async def test_a_run_whose_version_is_gone(place: Place) -> None:
    """The writer removes the version of a run. Reading reports an integrity error."""
    store, vault = await place.open()
    with pytest.raises(RecordNotFound):
        await vault.version(FLOW, 1)
    with pytest.raises(IntegrityError, match="is missing, and a run was started with it"):
        await vault.version(FLOW, 1, digest=b"d" * 32)
    await vault.close()
    await store.close()


INBOX: dict[str, str] = {
    "another kind": "UPDATE inbox SET kind = 2 WHERE id = 1",
    "another run": "UPDATE inbox SET run_id = NULL WHERE id = 1",
    "another time": "UPDATE inbox SET created_ms = 1 WHERE id = 1",
    "unique for an empty reason": "UPDATE inbox SET dedupe = x'' WHERE id = 1",
    "unique for another reason": "UPDATE inbox SET dedupe = zeroblob(16) WHERE id = 1",
    "a run as text": "UPDATE inbox SET run_id = 'text' WHERE id = 1",
    "a number as id": "UPDATE inbox SET item_id = 5 WHERE id = 1",
    "another id": "UPDATE inbox SET item_id = zeroblob(16) WHERE id = 1",
    "no record": "UPDATE inbox SET record = zeroblob(100) WHERE id = 1",
    "a record as text": "UPDATE inbox SET record = 'text' WHERE id = 1",
    "no key": "DELETE FROM keys WHERE scope = (SELECT item_id FROM inbox WHERE id = 1)",
    "a key as text": "UPDATE keys SET kid = 'text' WHERE scope = (SELECT item_id FROM inbox WHERE id = 1)",
}


@pytest.mark.parametrize("sql", INBOX.values(), ids=INBOX)
async def test_a_changed_request_blocks_no_other(place: Place, sql: str, caplog: pytest.LogCaptureFixture) -> None:
    """The writer changes a request in the inbox. It is refused, and the other requests are carried out."""
    store, vault = await place.open()
    await vault.inbox_add(2, "good", run_id=place.ids[1], dedupe=b"d")
    await vault.close()
    await store.close()
    place.change(sql)
    store, vault = await place.open()
    for _ in range(2):
        assert [item.value for item in await vault.inbox()] == ["good"]
    assert [item.value for item in await vault.inbox(1)] == ["good"]
    assert [record.levelname for record in caplog.records if record.name == "sealflow"] == ["ERROR"]
    assert await _waiting(vault) == 2  # who is not the executor changes nothing
    assert await vault.try_become_executor()
    await vault.inbox()
    await vault.flush()
    assert await _waiting(vault) == 1
    assert [item.value for item in await vault.inbox()] == ["good"]
    for run_id in place.ids:
        await vault.run(run_id)  # no run lost its key
    await vault.close()
    await store.close()


async def _waiting(vault: Vault) -> int:
    return len(await vault._backend.inbox.waiting(10))


async def test_a_request_that_names_a_run_as_itself_takes_no_key(place: Place) -> None:
    """The writer gives a request the id of a run. The request is discarded, and the key of the run stays."""
    place.change("UPDATE inbox SET item_id = ?", place.ids[0])
    store, vault = await place.open()
    assert await vault.try_become_executor()
    assert await vault.inbox() == []
    await vault.flush()
    assert await _waiting(vault) == 0
    await vault.run(place.ids[0])
    await vault.close()
    await store.close()


async def test_an_error_tells_nothing_of_the_contents(place: Place) -> None:
    """Errors about damaged records contain nothing of the contents."""
    place.change("UPDATE versions SET record = zeroblob(100)")
    with pytest.raises(NotARecord) as caught:
        await place.read_all()
    assert caught.value.__cause__ is None
    assert caught.value.hint


async def test_another_environments_store_is_refused(place: Place) -> None:
    """The writer exchanges the stores of two environments. They are refused."""
    store, vault = await place.open()
    await vault.close()
    other = await store.create_environment("b")
    first = (await store.environment("a")).id
    folder = place.folder / "home" / "environments"
    (folder / first.hex() / "store.db").rename(folder / "aside.db")
    (folder / other.id.hex() / "store.db").rename(folder / first.hex() / "store.db")
    with pytest.raises(IntegrityError, match="is not the store of environment a"):
        await store.open_vault("a")
    await store.close()


async def test_a_renamed_environment_is_refused(place: Place) -> None:
    """The writer exchanges the sealed names of two environments. They are refused."""
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
    """A store is opened with another key-encryption key. The error is `WrongKey`."""
    place.change("UPDATE environment_keys SET kek = zeroblob(16)")
    with pytest.raises(WrongKey):
        await place.read_all()
