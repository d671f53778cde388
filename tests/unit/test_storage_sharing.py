"""One store used twice: by several openings in one process, by a fork, and by whoever closes while others write."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sealflow.storage import (
    AlreadyThere,
    Batch,
    Keystore,
    Store,
    StoreClosed,
    StoreCorrupt,
    StoreNotWritable,
    Vault,
    files,
)
from sealflow.storage.backends.sqlite import ExecutorLock, SQLiteBackend, connection
from sealflow.storage.errors import IntegrityError, StorageError
from sealflow.storage.port import RunChanges
from sealflow.storage.testing.rows import first_batch, page_row, run_row

FLOW = b"F" * 16


async def open_store(folder: Path) -> Store:
    return await Store.open(folder / "home", Keystore(folder / "k.json"))


async def make(folder: Path) -> tuple[Store, Vault]:
    store = await open_store(folder)
    await store.create_environment("a")
    return store, await store.open_vault("a")


def database(folder: Path) -> Path:
    (path,) = (folder / "home" / "environments").glob("*/store.db")
    return path


# --- the locks of SQLite


def held_locks(path: Path) -> set[str]:
    """The POSIX locks that this process has on a database or its shared memory."""
    if not Path("/proc/locks").exists():
        pytest.skip("the system does not list its locks")
    inodes = {f"{os.stat(file).st_ino}": file.suffix for file in (path, path.with_name(path.name + "-shm"))}
    held = set()
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "->" not in fields and fields[1] == "POSIX" and fields[4] == str(os.getpid()):
            suffix = inodes.get(fields[5].rsplit(":", 1)[-1])
            if suffix is not None:
                held.add(f"{suffix} {fields[6]}-{fields[7]}")
    return held


READ_AND_LEAVE = """
import asyncio, sys
from pathlib import Path
from sealflow.storage import Keystore, Store
async def main():
    folder = Path(sys.argv[1])
    store = await Store.open(folder / "home", Keystore(folder / "k.json"))
    vault = await store.open_vault("a")
    print(len(await vault.runs(limit=1000)), [flow.name for flow in await vault.flows()])
    await vault.close()
    await store.close()
asyncio.run(main())
"""


async def in_another_process(folder: Path) -> str:
    command = [sys.executable, "-c", READ_AND_LEAVE, str(folder)]
    result = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    return result.stdout.strip()


async def test_opening_a_store_again_drops_no_lock(tmp_path: Path) -> None:
    """Another process that leaves must not take the write-ahead log with it, and what was acknowledged in it."""
    store, vault = await make(tmp_path)
    path = database(tmp_path)
    before = held_locks(path)
    assert before
    second = await open_store(tmp_path)
    other = await second.open_vault("a")
    assert held_locks(path) >= before
    assert await in_another_process(tmp_path) == "0 []"
    assert path.with_name("store.db-wal").exists()
    await vault.put_flow("first", {"a": 1})
    vault.create_run(os.urandom(16), FLOW, 1, 5, None)
    await vault.flush()
    assert await in_another_process(tmp_path) == "1 ['first']"
    await other.close()
    await second.close()
    assert held_locks(path) >= before
    assert await in_another_process(tmp_path) == "1 ['first']"
    await vault.put_flow("second", {"a": 1})
    assert await in_another_process(tmp_path) == "1 ['first', 'second']"
    await vault.close()
    await store.close()


async def test_a_database_that_is_there_is_never_opened_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    backend = await SQLiteBackend.open(path)
    opened: list[Any] = []
    real = os.open

    def watched(file: Any, flags: int, *more: Any, **named: Any) -> int:
        if Path(file) == path:
            assert flags & os.O_EXCL
        handle = real(file, flags, *more, **named)
        opened.append(file)
        return handle

    monkeypatch.setattr(os, "open", watched)
    again = await SQLiteBackend.open(path)
    assert path not in opened
    await again.close()
    await backend.close()


# --- forks


async def test_a_fork_is_not_the_executor(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    assert await vault.try_become_executor()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        answer = b"error"
        try:
            answer = b"%d %d" % (await vault.try_become_executor(), vault._backend.database.closed)  # type: ignore[attr-defined]
        finally:
            os.write(writing, answer)
            os._exit(0)
    assert os.read(reading, 20) == b"0 1"
    os.waitpid(pid, 0)  # noqa: ASYNC222 (it is about to end)
    os.close(reading)
    os.close(writing)
    assert not await asyncio.to_thread(_another_takes, tmp_path)  # the fork's end gave nothing up
    await vault.close()
    await store.close()


def _another_takes(folder: Path) -> bool:
    program = (
        "import sys; from pathlib import Path; from sealflow.storage.backends.sqlite import ExecutorLock\n"
        "sys.exit(0 if ExecutorLock(Path(sys.argv[1])).acquire() else 1)"
    )
    lock = database(folder).with_name("executor.lock")
    return subprocess.run([sys.executable, "-c", program, str(lock)], check=False).returncode == 0


def test_the_lock_ends_although_a_fork_lives(tmp_path: Path) -> None:
    lock = ExecutorLock(tmp_path / "executor.lock")
    assert lock.acquire()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)  # until the parent is done
        os._exit(0)
    os.close(reading)
    lock.release()
    other = ExecutorLock(tmp_path / "executor.lock")
    assert other.acquire()
    other.release()
    os.close(writing)
    os.waitpid(pid, 0)


def test_a_lock_whose_file_cannot_be_written_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(os, "ftruncate", full)
    lock = ExecutorLock(tmp_path / "executor.lock")
    assert lock.acquire()
    assert lock.held
    assert not ExecutorLock(tmp_path / "executor.lock").acquire()
    lock.release()
    again = ExecutorLock(tmp_path / "executor.lock")
    assert again.acquire()
    again.release()


# --- closing, and reading beside a commit


def held_up(backend: SQLiteBackend) -> tuple[threading.Event, threading.Event]:
    """Makes the next commit wait in its thread: (it has begun, let it go on)."""
    begun, go_on = threading.Event(), threading.Event()
    real = backend._commit

    def waiting(connection: sqlite3.Connection, batch: Batch) -> list[int]:
        begun.set()
        go_on.wait(20)
        return real(connection, batch)

    backend._commit = waiting  # type: ignore[method-assign]
    return begun, go_on


async def test_the_lock_is_given_up_when_nothing_can_be_written_any_more(tmp_path: Path) -> None:
    backend = await SQLiteBackend.open(tmp_path / "store.db")
    await backend.commit(first_batch())
    assert await backend.workers.try_become_executor()
    begun, go_on = held_up(backend)
    run = b"r" * 16
    committing = asyncio.create_task(backend.commit(Batch(runs=RunChanges(inserts=[run_row(run)]))))
    await asyncio.to_thread(begun.wait)
    closing = asyncio.create_task(backend.close())
    await asyncio.sleep(0)
    committing.cancel()
    closing.cancel()
    await asyncio.gather(committing, closing, return_exceptions=True)
    other = ExecutorLock(tmp_path / "executor.lock")
    assert not other.acquire()
    go_on.set()
    await backend.close()
    assert other.acquire()
    other.release()
    backend = await SQLiteBackend.open(tmp_path / "store.db")
    assert await backend.runs.get(run) is not None
    await backend.close()


async def test_reading_does_not_wait_for_a_commit(tmp_path: Path) -> None:
    backend = await SQLiteBackend.open(tmp_path / "store.db")
    await backend.commit(first_batch())
    begun, go_on = held_up(backend)
    committing = asyncio.create_task(
        backend.commit(Batch(runs=RunChanges(inserts=[run_row(b"r" * 16)], pages=[page_row(b"r" * 16, 1)])))
    )
    await asyncio.to_thread(begun.wait)
    assert await backend.runs.unfinished() == []
    assert not committing.done()
    go_on.set()
    await committing
    assert await backend.runs.unfinished() == [b"r" * 16]
    await backend.close()
    with pytest.raises(StoreClosed):
        await backend.runs.unfinished()


# --- making things at once, and durably


async def test_environments_made_at_once_leave_one_folder(tmp_path: Path) -> None:
    stores = [await open_store(tmp_path) for _ in range(4)]
    answers = await asyncio.gather(*(store.create_environment("a") for store in stores), return_exceptions=True)
    made = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(made) == 1
    assert all(isinstance(answer, AlreadyThere) for answer in answers if answer not in made)
    assert len(list((tmp_path / "home" / "environments").iterdir())) == 1
    for store in stores:
        assert [info.name for info in await store.environments()] == ["a"]
        await store.close()


async def test_an_environment_that_cannot_be_made_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(tmp_path)

    def refuse(*_: object) -> None:
        raise StoreNotWritable("no")

    with monkeypatch.context() as patch:
        patch.setattr(Keystore, "add", refuse)
        with pytest.raises(StoreNotWritable):
            await store.create_environment("a")
    assert list((tmp_path / "home" / "environments").iterdir()) == []
    await store.create_environment("a")
    await store.close()


async def test_new_folders_are_durable_in_the_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    real = files.sync_folder

    def sync(path: Path) -> None:
        synced.append(path)
        real(path)

    for module in ("files", "keys.secret_file", "vault.locations", "backends.sqlite.connection"):
        monkeypatch.setattr(f"sealflow.storage.{module}.sync_folder", sync)
    home = tmp_path / "deep" / "home"
    store = await Store.open(home, Keystore(tmp_path / "keys" / "k.json"))
    info = await store.create_environment("a")
    await store.close()
    assert {tmp_path, tmp_path / "deep", home, home / "environments", tmp_path / "keys"} <= set(synced)
    assert home / "environments" / info.id.hex() in synced


# --- the control store


async def test_a_lost_control_store_is_not_made_again(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    await store.close()
    control = tmp_path / "home" / "control.db"
    kept = control.read_bytes()
    control.unlink()
    with pytest.raises(StoreCorrupt, match="control"):
        await open_store(tmp_path)
    assert not control.exists()
    _write(control, b"")
    with pytest.raises(StoreCorrupt, match="control"):
        await open_store(tmp_path)
    _write(control, kept)
    store = await open_store(tmp_path)
    assert [info.name for info in await store.environments()] == ["a"]
    await store.close()


async def test_an_environments_store_is_no_control_store(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    await store.close()
    control, environment = tmp_path / "home" / "control.db", database(tmp_path)
    kept = control.read_bytes()
    _write(control, environment.read_bytes())
    with pytest.raises(IntegrityError, match="place"):
        await open_store(tmp_path)
    _write(control, kept)
    _write(environment, kept)
    store = await open_store(tmp_path)
    with pytest.raises(IntegrityError, match="is not the store of environment a"):
        await store.open_vault("a")
    await store.close()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


# --- the schema


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t BEFORE INSERT ON pages BEGIN SELECT RAISE(IGNORE); END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE more (x)",
        "DROP INDEX pages_by_run",
        "ALTER TABLE runs ADD COLUMN more",
    ],
)
async def test_a_changed_schema_is_refused(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "store.db"
    await (await SQLiteBackend.open(path)).close()
    other = sqlite3.connect(path)
    other.execute("ANALYZE")
    other.close()
    await (await SQLiteBackend.open(path)).close()  # statistics are no change
    other = sqlite3.connect(path)
    other.execute(sql)
    other.close()
    with pytest.raises(StoreCorrupt, match="schema"):
        await SQLiteBackend.open(path)


async def test_rows_that_a_trigger_swallows_are_noticed(tmp_path: Path) -> None:
    """Planted while the store is open, when the schema was compared already."""
    path = tmp_path / "store.db"
    backend = await SQLiteBackend.open(path)
    await backend.commit(first_batch())
    other = sqlite3.connect(path)
    other.execute("CREATE TRIGGER t BEFORE INSERT ON pages BEGIN SELECT RAISE(IGNORE); END")
    other.close()
    with pytest.raises(StoreCorrupt):
        await backend.commit(Batch(runs=RunChanges(inserts=[run_row(b"r" * 16)], pages=[page_row(b"r" * 16, 1)])))
    assert await backend.runs.get(b"r" * 16) is None
    await backend.close()


def test_a_file_system_without_shared_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_SETTINGS", ("PRAGMA journal_mode = DELETE",))
    with pytest.raises(StorageError, match="shared memory"):
        connection.connect(tmp_path / "store.db")


async def test_a_number_that_no_column_holds(tmp_path: Path) -> None:
    backend = await SQLiteBackend.open(tmp_path / "store.db")
    with pytest.raises(StorageError, match="too large"):
        await backend.flows.version(FLOW, 1 << 70)
    await backend.close()


@pytest.mark.parametrize("old", [b"CREATE TABLE meta", b"schema_version", b"name_index BLOB"])
async def test_a_damaged_schema_is_a_damaged_store(tmp_path: Path, old: bytes) -> None:
    """One bit of the statements that the file itself holds, which SQLite parses at opening."""
    path = tmp_path / "store.db"
    await (await SQLiteBackend.open(path)).close()
    undamaged = path.read_bytes()
    start = undamaged.index(old)
    for position in range(start, start + len(old)):
        for bit in (0, 1, 5, 7):
            changed = bytearray(undamaged)
            changed[position] ^= 1 << bit
            _write(path, bytes(changed))
            with pytest.raises(StoreCorrupt):
                await SQLiteBackend.open(path)
