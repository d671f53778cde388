"""What is asked of PostgreSQL for a list, a claim or a commit is found by an index: no question walks through rows that
are not its answer, however many there are.

The plans are those that the server carried out, also inside of its functions (`auto_explain`), with the rows that
they touched. The statistics are those of a store in which nothing is under way, and whatever is asked is asked often
enough to have its plan kept.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from postgres_server import PostgresServer
from sealflow.storage import Batch, ExecutorLost
from sealflow.storage.port import (
    ClaimChanges,
    Guard,
    InboxChanges,
    KeyChanges,
    RunChanges,
    RunUpdate,
    SnapshotRow,
    WaitRow,
)
from sealflow.storage.testing.rows import first_batch, inbox_row, key_row, page_row, run_row
from store_questions import FLOW, LIMIT, OTHER, PARENT, Ask, asleep, ended, lists, reads
from thorough import LONG

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend  # noqa: E402

RUNS = 1_000_000 if LONG else 8_000
"""Runs that have ended, pages of one of them, children of one."""
SLEEPING = RUNS // 4
MOST = 25 * LIMIT
"""Rows that one question may touch."""
OFTEN = 7
"""A plan of its own is made for the first five times."""

BIG = {"runs", "pages", "keys", "inbox", "messages", "triggers"}


ENDED = """
INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms, ended_ms, parent,
    head_version, head, summary_version, summary)
    SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), CASE WHEN n % 100 = 0 THEN {other} ELSE {flow} END, 1, 1,
        CASE WHEN n <= 10 THEN 2 ELSE 1 END, n, n, CASE WHEN n % 2 = 0 THEN {parent} END, 1, 'head', 1, 'summary'
    FROM generate_series(1, {runs}) AS n;
INSERT INTO keys (kind, scope, generation, domain, key_version, kid, wrapped)
    SELECT 1, run_id, 1, 1, 1, 'kid', 'wrapped' FROM runs;
INSERT INTO pages (run, seq, link, record)
    SELECT (SELECT id FROM runs WHERE run_id = {first}), n, 'link', 'record' FROM generate_series(1, {runs}) AS n;
INSERT INTO triggers (flow_id, due_ms, row_version, record)
    SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 1000 + n, 1, 'r' FROM generate_series(1, {runs} / 4) AS n;
INSERT INTO messages (message_id, flow_id, partition_index, size, created_ms, record)
    SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), {flow}, decode(lpad(to_hex(n % 4), 32, '0'), 'hex'), 1, 1, 'r'
    FROM generate_series(1, {runs} / 4) AS n;
ANALYZE;
"""
UNDER_WAY = """
INSERT INTO runs (run_id, flow_id, version, domain, status, started_ms,
    head_version, head, summary_version, summary, wake_ms)
    SELECT decode('ff' || lpad(to_hex(n), 30, '0'), 'hex'), {flow}, 1, 1, 6, n, 1, 'head', 1, 'summary', 1000000 + n
    FROM generate_series(1, {sleeping}) AS n;
INSERT INTO inbox (item_id, kind, run_id, created_ms, record)
    SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 1, decode('ff' || lpad(to_hex(n), 30, '0'), 'hex'), 1, 'r'
    FROM generate_series(1, {sleeping}) AS n;
"""


class _Alone:
    """A pool of one connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._turn:
            yield self._connection

    async def close(self) -> None:
        await self._connection.close()


@dataclass
class Watched:
    """A backend, and the plans that its questions were answered by."""

    backend: PostgresBackend
    plans: list[dict[str, Any]] = field(default_factory=list)

    async def watch(self) -> None:
        """Through one reader: one that goes back into a pool may have nobody listening."""
        writer, target = self.backend._writer._connection, self.backend._target
        assert writer is not None
        reader = await asyncpg.connect(**target.options())
        for connection in (reader, writer):
            await connection.execute("LOAD 'auto_explain'")
            settings = ("log_min_duration = 0", "log_analyze = on", "log_timing = off", "log_nested_statements = on")
            for setting in (*settings, "log_format = json", "log_level = notice"):
                await connection.execute(f"SET auto_explain.{setting}")
            connection.add_log_listener(self._told)
        await self.backend._readers.pool.close()
        self.backend._readers.pool = _Alone(reader)  # type: ignore[assignment]

    def _told(self, connection: Any, message: Any) -> None:
        text = str(message.message)
        if "plan:" in text and "typeinfo_tree" not in text:  # what the driver asks for types of values
            self.plans.append(json.loads(text.partition("plan:")[2]))

    def cost(self) -> tuple[int, set[str]]:
        """The rows that were touched since the plans were cleared, and the tables that were walked through."""
        assert self.plans, "no plan was told"
        nodes = [node for plan in self.plans for node in _nodes(plan["Plan"])]
        walked = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & BIG
        return sum(map(_touched, nodes)), walked


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for each in plan.get("Plans", ()) for node in _nodes(each))]


def _touched(node: dict[str, Any]) -> int:
    """Rows that a node reads from a table or an index, or compares in vain."""
    removed = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Join Filter", "Index Recheck"))
    read = node["Actual Rows"] if "Relation Name" in node or "Index Name" in node else 0
    touched: int = round((read + removed) * node["Actual Loops"])
    return touched


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[str]:
    """A schema with very many rows."""
    schema = f"sealflow_{os.urandom(16).hex()}"
    named = {"flow": FLOW, "other": OTHER, "parent": PARENT, "first": ended(1)}
    values = {name: f"'\\x{value.hex()}'::bytea" for name, value in named.items()}
    values |= {"runs": str(RUNS), "sleeping": str(SLEEPING)}

    async def fill() -> None:
        admin = await asyncpg.connect(postgres.url)
        try:
            await admin.execute("LOAD 'auto_explain'")
            backend = await PostgresBackend.open(postgres.url, schema)
            await backend.commit(first_batch())
            await backend.close()
            await admin.execute(f'SET search_path = "{schema}"')
            for part in (ENDED, UNDER_WAY):
                await admin.execute(part.format(**values), timeout=600)
        finally:
            await admin.close()

    try:
        asyncio.run(fill())
    except asyncpg.UndefinedFileError as error:
        pytest.skip(f"PostgreSQL was installed without auto_explain: {error}")
    yield schema
    asyncio.run(_drop(postgres, schema))


async def _drop(postgres: PostgresServer, schema: str) -> None:
    backend = await PostgresBackend.open(postgres.url, schema)
    await backend.drop()
    await backend.close()


@pytest.fixture
async def watched(postgres: PostgresServer, filled: str) -> AsyncIterator[Watched]:
    backend = await PostgresBackend.open(postgres.url, filled)
    assert await backend.workers.join()
    watched = Watched(backend)
    await watched.watch()
    yield watched
    await backend.close()


LISTS, READS = lists(RUNS), reads(RUNS, SLEEPING)
WORK: dict[str, Ask] = {
    "runs that are ready: none": lambda backend: backend.claims.claim(LIMIT, 0),
    "runs that are ready": lambda backend: backend.claims.claim(LIMIT, 2_000_000, [OTHER]),
    "this very run": lambda backend: backend.claims.claim_run(asleep(SLEEPING)),
    "a run that has ended": lambda backend: backend.claims.claim_run(ended(9)),
    "runs that were told something": lambda backend: backend.claims.signalled(),
    "when one is due": lambda backend: backend.claims.next_wake(),
    "to give runs back": lambda backend: backend.claims.release([asleep(SLEEPING), ended(9)]),
    "requests for this worker": lambda backend: backend.inbox.for_worker(LIMIT, SLEEPING // 2, [OTHER]),
    "whose lease has ended": lambda backend: backend.workers.lead(),
    "queued runs": lambda backend: backend.claims.queued([b"q" * 16], LIMIT),
    "queued runs to take": lambda backend: backend.claims.claim_queued([b"q" * 16], LIMIT, 2_000_000),
    "the queue of a run": lambda backend: backend.claims.queue_of(asleep(3)),
}


@pytest.mark.parametrize("asked", [*LISTS, *READS, *WORK])
async def test_what_is_asked_touches_few_rows(watched: Watched, asked: str) -> None:
    ask = {**LISTS, **READS, **WORK}[asked]
    for _ in range(OFTEN):
        watched.plans.clear()
        await ask(watched.backend)
        touched, walked = watched.cost()
        assert not walked
        assert touched <= MOST


def _batches() -> list[Batch]:
    """What becomes of some runs: they start, go on, sleep, are told something, and end."""
    runs = [os.urandom(16) for _ in range(LIMIT)]
    batches = [
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
        Batch(runs=RunChanges(pages=[page_row(run, 3) for run in runs])),  # as when keys are exchanged
        Batch(runs=RunChanges(removed=runs)),
    ]
    for batch in batches:
        batch.guard = Guard(0)
        batch.owned = dict.fromkeys(runs, 1)
    return batches


async def test_a_commit_touches_few_rows(watched: Watched) -> None:
    for _ in range(OFTEN):
        for number, batch in enumerate(_batches()):
            watched.plans.clear()
            await watched.backend.commit(batch)
            touched, walked = watched.cost()
            assert not walked, number
            assert touched <= MOST, number


async def test_who_dies_gives_its_runs_back_without_a_walk_through_those_of_others(
    watched: Watched, postgres: PostgresServer, filled: str
) -> None:
    """By its own end, and by a takeover when its lease has ended."""
    admin = await asyncpg.connect(postgres.url)
    for _ in range(2):
        dead = await PostgresBackend.open(postgres.url, filled)
        assert await dead.workers.join(lead=False)
        runs = [os.urandom(16) for _ in range(LIMIT)]
        await dead.commit(
            Batch(
                keys=KeyChanges(inserts=[key_row(run) for run in runs]),
                runs=RunChanges(inserts=[run_row(run) for run in runs]),
            )
        )
        await admin.execute(f"UPDATE \"{filled}\".workers SET expires = '-infinity' WHERE NOT lead")
        watched.plans.clear()
        claimed = await watched.backend.claims.claim(1_000, 0)  # those that other tests have left too
        assert set(runs) <= set(claimed)
        assert watched.cost()[0] <= MOST + 10 * len(claimed)
        with pytest.raises(ExecutorLost):
            await dead.commit(Batch(runs=RunChanges(pages=[page_row(runs[0], 1)])))
        await dead.close()
    await admin.close()
