"""What is asked of SQLite for a list, a claim or a commit is found by an index: no question walks through rows that are
not its answer, however many there are.

What a question costs is counted in steps of SQLite's own machine: reading one row takes some. Nobody has gathered
statistics for the planner, as in a store that is used.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sealflow.storage import Batch
from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.port import ClaimChanges, InboxChanges, KeyChanges, RunChanges, RunUpdate, SnapshotRow, WaitRow
from sealflow.storage.testing.rows import first_batch, inbox_row, key_row, page_row, run_row
from store_questions import FLOW, LIMIT, OTHER, PARENT, Ask, asleep, ended, lists, reads
from thorough import LONG

RUNS = 1_000_000 if LONG else 20_000
"""Runs that have ended, pages of one of them, children of one."""
SLEEPING = RUNS // 4
MOST = 400 * LIMIT
"""Steps of one question. To walk through the rows of one table takes more than ten times as many."""
OFTEN = 10
"""Steps between two counts."""
QUEUE = b"Q" * 16


NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) "
ENDED = """INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms, ended_ms, parent,
    head_version, head, summary_version, summary)
    SELECT numbered(n), CASE WHEN n % 100 = 0 THEN :other ELSE :flow END, 1, 1, CASE WHEN n <= 10 THEN 2 ELSE 1 END,
        n, n, CASE WHEN n % 2 = 0 THEN :parent END, 1, 'head', 1, 'summary' FROM numbers"""
KEYS = """INSERT INTO keys (kind, scope, generation, domain, key_version, kid, wrapped)
    SELECT 1, numbered(n), 1, 1, 1, 'kid', 'wrapped' FROM numbers"""
PAGES = "INSERT INTO pages (run, seq, link, record) SELECT 1, n, x'00', x'00' FROM numbers"
TRIGGERS = (
    "INSERT INTO triggers (flow_id, due_ms, row_version, record) SELECT numbered(n), 1000 + n, 1, x'00' FROM numbers"
)
MESSAGES = """INSERT INTO messages (message_id, flow_id, partition_index, size, created_ms, record)
    SELECT numbered(n), :flow, numbered(n % 4), 1, 1, x'00' FROM numbers"""
INBOX = """INSERT INTO inbox (item_id, kind, run_id, created_ms, record)
    SELECT numbered(n), 1, asleep(n), 1, x'00' FROM numbers"""
SLEEPERS = """INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms, head_version, head,
    summary_version, summary, wake_ms) SELECT asleep(n), :flow, 1, 1, 6, n, 1, 'head', 1, 'summary', 1000000 + n
    FROM numbers"""
FILLING = {ENDED: RUNS, KEYS: RUNS, PAGES: RUNS, TRIGGERS: SLEEPING, MESSAGES: SLEEPING, INBOX: SLEEPING}
FILLING[SLEEPERS] = SLEEPING


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with very many rows."""
    path = tmp_path_factory.mktemp("plans") / "store.db"

    async def make() -> None:
        backend = await SQLiteBackend.open(path)
        await backend.commit(first_batch())
        await backend.close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("numbered", 1, ended, deterministic=True)
        connection.create_function("asleep", 1, asleep, deterministic=True)
        values = {"flow": FLOW, "other": OTHER, "parent": PARENT}
        for statement, count in FILLING.items():
            connection.execute(NUMBERS.format(count) + statement, values)
        connection.commit()
    return path


class Counted:
    """A backend, and the steps that its connections take."""

    def __init__(self, backend: SQLiteBackend) -> None:
        self.backend = backend
        self.steps = 0

    def _step(self) -> int:
        self.steps += OFTEN
        return 0

    async def watch(self) -> None:
        for thread in (self.backend.database.writer, self.backend.database.reader):
            connection: Any = thread._conn
            await thread._execute(connection.set_progress_handler, self._step, OFTEN)  # type: ignore[no-untyped-call]

    async def cost(self, ask: Ask) -> int:
        self.steps = 0
        await ask(self.backend)
        return self.steps


@pytest.fixture
async def counted(filled: Path) -> AsyncIterator[Counted]:
    backend = await SQLiteBackend.open(filled)
    assert await backend.workers.join()
    counted = Counted(backend)
    await counted.watch()
    yield counted
    await backend.close()


async def _claims(backend: SQLiteBackend) -> None:
    """As an executor does: what is ready when it comes, what is due then, nothing, and when it has to look again."""
    assert await backend.claims.claim(LIMIT, 0) == []
    assert len(await backend.claims.claim(LIMIT, 1_000_000 + LIMIT)) == LIMIT
    assert await backend.claims.claim(LIMIT, 0) == []
    assert await backend.claims.next_wake() == 1_000_000 + LIMIT + 1


QUESTIONS: dict[str, Any] = {
    **lists(RUNS),
    **reads(RUNS, SLEEPING),
    "large values of a run": lambda backend: backend.values.of_run(ended(7)),
    "large values of nobody": lambda backend: backend.values.unsettled(RUNS, LIMIT),
    "queued runs": lambda backend: backend.claims.queued([QUEUE], LIMIT),
    "queued runs to take": lambda backend: backend.claims.claim_queued([QUEUE], LIMIT, 2_000_000),
    "the queue of a run": lambda backend: backend.claims.queue_of(asleep(3)),
    "when one is due": lambda backend: backend.claims.next_wake(),
    "what is ready, and due": _claims,
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_takes_few_steps(counted: Counted, question: str) -> None:
    assert 0 < await counted.cost(QUESTIONS[question]) <= MOST


async def test_to_walk_through_a_table_is_noticed(counted: Counted) -> None:
    assert await counted.cost(lambda backend: backend.runs.counts()) > MOST * 3


async def test_a_commit_takes_few_steps(counted: Counted) -> None:
    """Of all that becomes of some runs: they start, go on, sleep, are told something, and end."""
    runs = [os.urandom(16) for _ in range(LIMIT)]
    for batch in (
        Batch(
            keys=KeyChanges(inserts=[key_row(run) for run in runs]),
            runs=RunChanges(inserts=[run_row(run) for run in runs]),
        ),
        Batch(runs=RunChanges(pages=[page_row(run, 1) for run in runs])),
        Batch(runs=RunChanges(snapshots={run: SnapshotRow(run, 2, b"snapshot") for run in runs})),
        Batch(claims=ClaimChanges(waits=[WaitRow(run, 5_000_000, False) for run in runs])),
        Batch(claims=ClaimChanges(wakes=runs)),
        Batch(inbox=InboxChanges(inserts=[inbox_row() for _ in runs])),
        Batch(
            runs=RunChanges(
                pages=[page_row(run, 2) for run in runs],
                updates=[RunUpdate(run, 1, 9, 2, b"head", 1, b"summary") for run in runs],
            )
        ),
        Batch(runs=RunChanges(removed=runs)),
    ):
        assert 0 < await counted.cost(lambda backend, batch=batch: backend.commit(batch)) <= MOST  # type: ignore[misc]
