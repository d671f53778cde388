"""Failing stores: full disks, read-only folders, missing and wrong keys. Clear errors; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sealflow
import sealflow.storage
from sealflow.storage import (
    KeyMissing,
    Keystore,
    RecordNotFound,
    RunLog,
    RunNotOwned,
    SealLimit,
    StorageError,
    Store,
    StoreBusy,
    StoreCorrupt,
    StoreFull,
    StoreGone,
    StoreNotWritable,
    Vault,
    WrongKey,
)
from sealflow.storage.port import Batch, WaitRow
from sealflow.storage.stores.runs import journal as journal_module
from sealflow.storage.stores.runs.journal import Journal

FLOW = b"F" * 16


async def make(folder: Path) -> tuple[Store, Vault]:
    store = await Store.open(folder / "home", Keystore(folder / "k.json"))
    await store.create_environment("a")
    return store, await store.open_vault("a")


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    store, vault = await make(tmp_path)
    yield vault
    await vault.close()
    await store.close()


def new_run(vault: Vault) -> RunLog:
    return vault.create_run(os.urandom(16), FLOW, 1, 5, None)


def limit(vault: Vault, pages: int) -> None:
    connection: Any = vault._backend
    connection.database.writer._conn.execute(f"PRAGMA max_page_count = {pages}")


async def test_a_full_disk(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    log, quiet = new_run(vault), new_run(vault)
    log.append([["kept"]])
    quiet.append([["quiet"]])
    await vault.flush()
    limit(vault, 1)  # rounded up to the present size: the file cannot grow
    told: list[Exception] = []
    durable: list[int] = []
    log.on_error = told.append
    quiet.on_error = told.append
    log.append([["lost" * 20_000]], on_durable=lambda: durable.append(1))
    with pytest.raises(StoreFull) as caught:
        await vault.flush()
    assert caught.value.hint
    assert told == [caught.value]
    assert durable == []
    with pytest.raises(StoreFull):
        log.append([["more"]])
    assert [page.records async for page in vault.read_run(log.run_id)] == [[["kept"]]]  # reading goes on
    await vault.flush()  # nothing is queued

    # Those who have lost nothing go on once there is room, and the one that has is opened again.
    limit(vault, 1_000_000)
    quiet.append([["quiet"]])
    new = new_run(vault)
    new.append([["new"]])
    await vault.flush()
    assert told == [caught.value]
    assert [page.records async for page in vault.read_run(quiet.run_id)] == [[["quiet"]]] * 2
    assert [page.records async for page in vault.read_run(new.run_id)] == [[["new"]]]
    with pytest.raises(StoreFull):
        log.append([["more"]])
    log = await vault.open_run(log.run_id)
    assert log.seq == 2
    log.append([["after"]])
    await vault.flush()
    assert [page.records async for page in vault.read_run(log.run_id)] == [[["kept"]], [["after"]]]
    await vault.close()
    await store.close()


async def test_a_full_disk_while_deploying(vault: Vault) -> None:
    limit(vault, 1)
    with pytest.raises(StoreFull):
        await vault.put_flow("a", {"x": "y" * 200_000})
    limit(vault, 1_000_000)
    assert (await vault.put_flow("a", {"x": "y" * 200_000})).version == 1


class Unreliable:
    """A backend whose commits answer as told."""

    def __init__(self, *answers: StorageError | None) -> None:
        self.answers = list(answers)
        self.batches: list[Batch] = []
        self.entered, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    async def commit(self, batch: Batch) -> list[int]:
        self.batches.append(batch)
        self.entered.set()
        await self.go_on.wait()
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return []


class Log:
    """A source that only counts."""

    def __init__(self, run_id: bytes = b"r") -> None:
        self.run_id = run_id
        self.events: list[str] = []

    def settle(self, batch: Batch) -> bool:
        batch.inbox.consumed.append(1)
        return False

    def want_head(self) -> None:
        raise AssertionError

    def committed(self) -> None:
        self.events.append("committed")

    def failed(self, error: StorageError) -> None:
        self.events.append(error.code)


def journal(*answers: StorageError | None) -> tuple[Journal, Unreliable]:
    backend = Unreliable(*answers)
    return Journal(backend), backend  # type: ignore[arg-type]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy store is tried again without a pause."""
    monkeypatch.setattr(journal_module, "BUSY_SECONDS", (0.0,))


@pytest.mark.usefixtures("at_once")
async def test_a_busy_store_is_tried_again_with_the_same_batch() -> None:
    writer, backend = journal(StoreBusy("1"), StoreBusy("2"))
    log = Log()
    writer.touch(log)
    await writer.flush()
    assert log.events == ["committed"]
    assert len(backend.batches) == 3
    assert len({id(batch) for batch in backend.batches}) == 1
    await writer.close()


@pytest.mark.usefixtures("at_once")
async def test_a_store_that_stays_busy_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    writer, backend = journal(*[StoreBusy("held")] * 30)
    log = Log()
    writer.touch(log)
    await writer.flush()
    assert log.events == ["committed"]
    assert len(backend.batches) == 31
    assert len({id(batch) for batch in backend.batches}) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "writing waits: held",
        "the store can be written again",
    ]
    await writer.close()


@pytest.mark.usefixtures("at_once")
async def test_closing_does_not_wait_for_a_busy_store_for_ever() -> None:
    writer, _ = journal(*[StoreBusy("held")] * 1000)
    log = Log()
    writer.touch(log)
    with pytest.raises(StoreBusy):
        await writer.close()
    assert log.events == ["StoreBusy"]


async def test_the_journal_goes_on_after_a_failure() -> None:
    writer, backend = journal(StoreFull("full"))
    lost, later = Log(), Log()
    regretted: list[str] = []
    writer.after_commit(lambda: regretted.append("done"), lambda: regretted.append("lost"))
    writer.touch(lost)
    with pytest.raises(StoreFull):
        await writer.flush()
    writer.touch(later)
    await writer.flush()
    assert (lost.events, later.events, regretted) == (["StoreFull"], ["committed"], ["lost"])
    assert len(backend.batches) == 2
    await writer.close()


async def test_what_was_queued_during_the_failing_commit_is_told_too() -> None:
    writer, backend = journal(StoreFull("full"))
    backend.go_on.clear()
    first, second = Log(), Log()
    called: list[int] = []
    writer.touch(first, on_durable=lambda: called.append(1))
    await backend.entered.wait()
    writer.touch(second, on_durable=lambda: called.append(2))
    backend.go_on.set()
    with pytest.raises(StoreFull):
        await writer.flush()
    assert called == []
    assert first.events == second.events == ["StoreFull"]
    await writer.close()


async def test_a_loop_that_ends_wakes_those_who_wait() -> None:
    writer, _ = journal()
    writer.touch(Log())
    waiting = asyncio.ensure_future(writer.flush())
    await asyncio.sleep(0)
    assert writer._writer is not None
    writer._writer.cancel()
    with pytest.raises(StorageError, match="closed"):
        await waiting


# --- heads


async def test_heads_are_written_for_runs_that_are_behind(vault: Vault) -> None:
    log = new_run(vault)
    await vault.flush()
    log.append([["a"]])
    await vault.flush()
    before = vault.commits
    vault._journal.seal_heads()
    await vault.flush()
    assert vault.commits == before + 1
    reader = await vault.reader(log.run_id)
    await reader.read()
    assert reader.head is not None
    assert reader.head.seq == 2
    vault._journal.seal_heads()  # nothing is behind now
    await vault.flush()
    assert vault.commits == before + 1


async def test_a_head_is_asked_for_by_a_timer_once_a_second_at_most(vault: Vault) -> None:
    logs = [new_run(vault) for _ in range(5)]
    await vault.flush()
    assert vault._journal._timer is None
    for log in logs:
        log.append([["a"]])
    await vault.flush()
    timer = vault._journal._timer
    assert timer is not None
    assert 0 < timer.when() - asyncio.get_running_loop().time() <= 1
    logs[0].append([["b"]])
    await vault.flush()
    assert vault._journal._timer is timer


async def test_closing_seals_the_heads(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    log = new_run(vault)
    await vault.flush()
    log.append([["a"]])
    await vault.close()
    vault = await store.open_vault("a")
    reader = await vault.reader(log.run_id)
    await reader.read()
    assert reader.head is not None
    assert reader.head.seq == 2
    await vault.close()
    await store.close()


async def test_a_head_comes_with_the_page_when_asked(vault: Vault) -> None:
    log = new_run(vault)
    await vault.flush()
    for more in ({"head": True}, {"status": 3}, {"ended_ms": 9}):
        log.append([["a"]], **more)
        await vault.flush()
        reader = await vault.reader(log.run_id)
        await reader.read()
        assert reader.head is not None
        assert reader.head.seq == log.seq


# --- keys


async def test_a_missing_keystore_is_never_made_again(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    await store.close()
    os.rename(tmp_path / "k.json", tmp_path / "aside.json")
    with pytest.raises(KeyMissing) as caught:
        await Store.open(tmp_path / "home", Keystore(tmp_path / "k.json"))
    assert str(tmp_path / "k.json") in caught.value.message
    assert "SEALFLOW_KEYSTORE" in (caught.value.hint or "")
    assert not Keystore(tmp_path / "k.json").exists()


async def test_another_keystore(tmp_path: Path) -> None:
    for name in ("one", "two"):
        store, vault = await make(tmp_path / name)
        await vault.close()
        await store.close()
    with pytest.raises(KeyMissing, match="another keystore"):
        await Store.open(tmp_path / "one" / "home", Keystore(tmp_path / "two" / "k.json"))


def _exchange_keys(path: Path, which: int) -> None:
    document = json.loads(path.read_bytes())
    name = list(document["keys"])[which]
    document["keys"][name] = "A" * 43 + "="
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("which", [0, 1], ids=["control", "environment"])
async def test_the_wrong_key(tmp_path: Path, which: int) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    await store.close()
    _exchange_keys(tmp_path / "k.json", which)

    async def open_both() -> None:
        store = await Store.open(tmp_path / "home", Keystore(tmp_path / "k.json"))
        try:
            await store.open_vault("a")
        finally:
            await store.close()

    with pytest.raises(WrongKey) as caught:
        await open_both()
    assert str(tmp_path / "k.json") in caught.value.message


async def test_an_environment_whose_file_is_gone(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    shutil.rmtree(tmp_path / "home" / "environments")
    with pytest.raises(StoreCorrupt, match="missing"):
        await store.open_vault("a")
    await store.close()


# --- folders


async def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    _touch(tmp_path / "file")
    with pytest.raises(StoreNotWritable):
        await Store.open(tmp_path / "file" / "home", Keystore(tmp_path / "k.json"))


def _touch(path: Path) -> None:
    path.write_text("")


READ_ONLY = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from sealflow.storage import Keystore, StorageError, Store
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # root may write everywhere
async def main():
    try:
        await Store.open(Path(sys.argv[1]), Keystore(Path(sys.argv[2])))
    except StorageError as error:
        print(error.code, error.message)
asyncio.run(main())
"""


@pytest.mark.parametrize("existing", [False, True])
def test_a_read_only_folder(existing: bool) -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path is closed to other users
    try:
        folder.chmod(0o755)
        (folder / "home").mkdir()

        async def build() -> None:
            store, vault = await make(folder)
            await vault.close()
            await store.close()

        if existing:
            asyncio.run(build())
            if os.geteuid() == 0:
                os.chown(folder / "k.json", 65534, 65534)
        for path in [folder / "home", *(folder / "home").rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        arguments = [sys.executable, "-c", READ_ONLY, str(folder / "home"), str(folder / "k.json")]
        result = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd="/")
        if "ModuleNotFoundError" in result.stderr:
            pytest.skip("another user cannot read this installation")
        assert result.stdout.startswith("StoreNotWritable"), result.stdout + result.stderr
        assert str(folder / "home") in result.stdout
        assert result.stderr == ""
    finally:
        shutil.rmtree(folder)


async def test_a_corrupt_control_store(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    await store.close()
    _overwrite(tmp_path / "home" / "control.db")
    with pytest.raises((StoreCorrupt, RecordNotFound)):
        await Store.open(tmp_path / "home", Keystore(tmp_path / "k.json"))


def _overwrite(path: Path) -> None:
    path.write_bytes(b"x" * 20_000)


async def test_a_key_that_may_seal_no_more_is_told_to_its_run(vault: Vault) -> None:
    log = new_run(vault)
    await vault.flush()
    log._key.seals = 1 << 31
    with pytest.raises(SealLimit):
        log.append([["a"]])
    told: list[Exception] = []
    log.on_error = told.append
    log.append([], head=True)  # the head is sealed when the batch is written
    with pytest.raises(SealLimit):
        await vault.flush()
    assert len(told) == 1


async def test_a_run_that_is_not_owned_fails_alone() -> None:
    """Its rows leave the batch, with the requests that are tied to them; everything else of it is written once."""
    written, backend = journal(RunNotOwned([b"a" * 16]))
    mine, lost = Log(b"b" * 16), Log(b"a" * 16)
    written.batch.claims.waits += [WaitRow(lost.run_id, 1, False), WaitRow(mine.run_id, 1, False)]
    written.batch.inbox.consumed.append(7)
    written.batch.tied.append((lost.run_id, written.batch.inbox.consumed, 7))
    given_back: list[str] = []
    written.after_commit(lambda: None, lambda: given_back.append("lost"), lost.run_id)
    written.after_commit(lambda: None, lambda: given_back.append("mine"), mine.run_id)
    written.touch(mine)
    written.touch(lost)
    await written.flush()
    assert len(backend.batches) == 2  # the same batch again, without the run
    assert backend.batches[-1].claims.waits == [WaitRow(mine.run_id, 1, False)]
    assert 7 not in backend.batches[-1].inbox.consumed
    assert mine.events == ["committed"]
    assert lost.events == ["RunNotOwned"]
    assert given_back == ["lost"]
    await written.close()


async def test_a_refusal_that_names_no_run_of_the_batch_fails_all_of_it() -> None:
    written, _ = journal(RunNotOwned([b"x" * 16]))
    log = Log(b"b" * 16)
    written.touch(log)
    with pytest.raises(RunNotOwned):
        await written.flush()
    assert log.events == ["RunNotOwned"]
    await written.close()


@pytest.mark.parametrize("name", ["store.db", "store.db-wal"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_in_a_file_that_is_gone(tmp_path: Path, name: str, replaced: bool) -> None:
    store, vault = await make(tmp_path)
    log = new_run(vault)
    log.append([["kept"]])
    await vault.flush()
    (file,) = (tmp_path / "home").glob(f"environments/*/{name}")
    copy = tmp_path / "copy"
    shutil.copy(file, copy)
    file.unlink()
    if replaced:
        shutil.copy(copy, file)
    durable: list[int] = []
    log.append([["lost"]], on_durable=lambda: durable.append(1))
    with pytest.raises(StoreGone):
        await vault.flush()
    with pytest.raises(StoreGone):
        await vault.put_flow("late", {"x": 1})
    assert durable == []
    await vault.close()
    await store.close()


def test_every_public_error_is_a_sealflow_error() -> None:
    errors = [getattr(sealflow.storage, name) for name in sealflow.storage.__all__]
    found = [each for each in errors if isinstance(each, type) and issubclass(each, Exception)]
    assert len(found) > 30
    assert all(issubclass(each, sealflow.SealflowError) for each in found)
    assert StorageError("text", hint="do").to_json() == {"code": "StorageError", "message": "text", "hint": "do"}
