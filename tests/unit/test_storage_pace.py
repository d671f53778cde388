"""Commits in the event loop: while the disk is quick, of ordinary rows, and never while anybody else writes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sealflow.storage import Conflict, StoreNotWritable
from sealflow.storage.backends.sqlite import SQLiteBackend, pace
from sealflow.storage.backends.sqlite.pace import MOST_BYTES, PENANCE, QUICK_SECONDS, TRIAL, Pace
from sealflow.storage.port import Batch, EnvironmentKeyRow, KeyChanges, KeyRow, PageRow, RunChanges, RunRow

RUN = b"r" * 16


def page(seq: int, size: int = 10) -> Batch:
    return Batch(runs=RunChanges(pages=[PageRow(RUN, seq, b"l" * 32, bytes(size))]))


def tried() -> Pace:
    made = Pace()
    assert not any(made.in_loop(page(1)) for _ in range(TRIAL))
    return made


def test_the_thread_comes_first() -> None:
    assert tried().in_loop(page(1))


def test_a_slow_disk_is_for_the_thread_and_tried_again() -> None:
    made = tried()
    made.took(QUICK_SECONDS * 100)
    assert made.in_loop(page(1))  # once is no rule
    for _ in range(10):
        made.took(QUICK_SECONDS * 2)
    assert not any(made.in_loop(page(1)) for _ in range(PENANCE - 7))
    while not made.in_loop(page(1)):
        pass
    for _ in range(1_000):
        made.took(QUICK_SECONDS / 2)
        assert made.in_loop(page(1))


def test_what_is_large_or_stands_for_much_is_for_the_thread() -> None:
    made = tried()
    assert not made.in_loop(page(1, MOST_BYTES + 1))
    assert not made.in_loop(Batch(runs=RunChanges(pages=page(1).runs.pages, removed=[RUN])))
    assert not made.in_loop(
        Batch(runs=RunChanges(pages=[page(seq).runs.pages[0] for seq in range(pace.MOST_ROWS + 1)]))
    )


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[SQLiteBackend]:
    backend = await SQLiteBackend.open(tmp_path / "store.db")
    wrapped = EnvironmentKeyRow(1, 1, b"k" * 16, b"k" * 32, b"w" * 60, 0, b"m" * 32, None, 1)
    run = RunRow(RUN, b"f" * 16, 1, 1, 0, 1, None, None, 1, b"h", 1, b"s")
    key = KeyRow(1, RUN, 1, 1, 1, b"k" * 32, b"w" * 60)
    await backend.commit(
        Batch(
            identity=b"e" * 16,
            keys=KeyChanges(environment_keys=[wrapped], inserts=[key]),
            runs=RunChanges(inserts=[run]),
        )
    )
    backend._pace._wait = 0
    yield backend
    await backend.close()


async def stored(backend: SQLiteBackend) -> list[int]:
    return [row.seq for row in await backend.runs.pages(RUN, 1, 100, 1 << 20)]


async def test_a_commit_in_the_loop_is_as_durable_as_any(backend: SQLiteBackend) -> None:
    given = backend.database.given
    await backend.commit(page(1))
    assert backend.database.given == given
    assert await stored(backend) == [1]
    with sqlite3.connect(backend.path) as other:
        assert other.execute("SELECT count(*) FROM pages").fetchone() == (1,)
    other.close()


async def test_while_another_process_writes_the_thread_waits_and_not_the_loop(backend: SQLiteBackend) -> None:
    other = sqlite3.connect(backend.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    committing = asyncio.create_task(backend.commit(page(1)))
    await asyncio.sleep(0)
    assert backend.database.given == backend.database.done + 1  # handed over
    other.execute("ROLLBACK")
    other.close()
    await committing
    assert await stored(backend) == [1]


async def test_the_loop_does_not_write_while_the_thread_does(backend: SQLiteBackend) -> None:
    gate = threading.Event()
    held = asyncio.create_task(backend.database.in_writer(lambda connection: gate.wait(20)))
    await asyncio.sleep(0)
    committing = asyncio.create_task(backend.commit(page(1)))
    await asyncio.sleep(0)
    assert not committing.done()
    held.cancel()  # whoever waits for the thread is gone, the thread is still busy
    await asyncio.gather(held, return_exceptions=True)
    again = asyncio.create_task(backend.commit(page(2)))
    await asyncio.sleep(0)
    assert not again.done()
    gate.set()
    await asyncio.gather(committing, again)
    assert await stored(backend) == [1, 2]


async def test_a_failure_in_the_loop_is_the_stores_and_leaves_nothing(backend: SQLiteBackend) -> None:
    backend.database.writer._conn.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreNotWritable):
        await backend.commit(page(1))
    backend.database.writer._conn.execute("PRAGMA query_only = OFF")
    await backend.commit(page(1))
    with pytest.raises(Conflict, match="such a row"):
        await backend.commit(Batch(runs=RunChanges(pages=[*page(2).runs.pages, *page(1).runs.pages])))
    assert await stored(backend) == [1]
