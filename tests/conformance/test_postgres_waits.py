"""A run that falls asleep and is woken before that is written: both come in one commit, and the last one counts."""

from __future__ import annotations

import os

import pytest
from postgres_server import PostgresServer
from sealflow.storage import Batch
from sealflow.storage.port import FOR_EVENTS, ClaimChanges, KeyChanges, RunChanges, WaitRow
from sealflow.storage.testing.rows import first_batch, key_row, run_row

pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend


@pytest.mark.parametrize("awake_last", [True, False])
async def test_of_two_waits_in_one_commit_the_last_counts(
    postgres: PostgresServer, schema: str, awake_last: bool
) -> None:
    one = await PostgresBackend.open(postgres.url, schema)
    await one.commit(first_batch())
    assert await one.workers.join()
    runs = [os.urandom(16) for _ in range(8)]
    await one.commit(
        Batch(
            keys=KeyChanges(inserts=[key_row(run) for run in runs]),
            runs=RunChanges(inserts=[run_row(run) for run in runs]),
        )
    )
    for run in runs:
        waits = [WaitRow(run, FOR_EVENTS, False), WaitRow(run, 0, False)]
        await one.commit(Batch(claims=ClaimChanges(waits=waits if awake_last else waits[::-1])))
    await one.close()
    other = await PostgresBackend.open(postgres.url, schema)
    assert await other.workers.join()
    assert sorted(await other.claims.claim(20, 0)) == (sorted(runs) if awake_last else [])
    await other.close()


async def test_a_word_of_another_worker_is_heard_although_the_run_goes_on_at_the_same_moment(
    postgres: PostgresServer, schema: str
) -> None:
    one = await PostgresBackend.open(postgres.url, schema)
    await one.commit(first_batch())
    two = await PostgresBackend.open(postgres.url, schema)
    assert await one.workers.join()
    assert await two.workers.join()
    run, stays = os.urandom(16), os.urandom(16)
    await one.commit(
        Batch(
            keys=KeyChanges(inserts=[key_row(run), key_row(stays)]),
            runs=RunChanges(inserts=[run_row(run), run_row(stays)]),
        )
    )
    await two.commit(Batch(claims=ClaimChanges(wakes=[run, stays])))
    await one.commit(Batch(claims=ClaimChanges(waits=[WaitRow(run, 0, False), WaitRow(stays, FOR_EVENTS, False)])))
    assert set(await one.claims.signalled()) == {run, stays}
    assert await one.claims.signalled() == []  # once
    for wake_ms, release in ((0, False), (FOR_EVENTS, True)):
        await one.commit(Batch(claims=ClaimChanges(waits=[WaitRow(run, wake_ms, release)])))
    await one.close()
    assert await two.claims.claim(10, 0) == [stays]  # the other one has gone on after it had heard
    await two.close()
