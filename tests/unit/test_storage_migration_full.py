"""A full migration seals histories anew: many small ones in one commit, a large one part by part, and no reader, crash
or deletion in between sees anything but the whole history.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from customer_keys import Customer, copied_customer
from key_changes import change, migrated, stray
from sealflow.storage import Batch, StoreFull, Vault
from sealflow.storage.format.envelope import codec_of
from sealflow.storage.format.purposes import Kind
from sealflow.storage.stores import reencryption as migration_module
from sealflow.storage.stores.operations import SUCCEEDED

PAGES = 40


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.0)
    monkeypatch.setattr(migration_module, "_BYTES", 4_000)


async def add(vault: Vault, flow: bytes, pages: int) -> bytes:
    log = vault.create_run(os.urandom(16), flow, 1, 5, {})
    for number in range(pages):
        log.append([[number, "x" * 300]])
    log.append([], status=2, ended_ms=9)
    await vault.flush()
    return log.run_id


async def history(vault: Vault, run_id: bytes) -> list[int]:
    return [record[0] async for page in vault.read_run(run_id) for record in page.records]


def recorded(vault: Vault, patch: pytest.MonkeyPatch, fail_at: int | None = None) -> list[Batch]:
    """The commits that follow; at number `fail_at` the disk is full."""
    real, made = vault._backend.commit, list[Batch]()

    async def commit(batch: Batch) -> Any:
        if len(made) == fail_at:
            raise StoreFull("The disk is full.")
        made.append(batch)
        return await real(batch)

    patch.setattr(vault._backend, "commit", commit)
    return made


def waiting(place: Customer) -> int:
    """How many pages wait where no reader looks."""
    with closing(sqlite3.connect(place.database())) as connection:
        return int(connection.execute("SELECT count(*) FROM pages WHERE seq < 0").fetchone()[0])


async def test_many_small_runs_share_a_commit_of_bounded_size(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        flow = (await vault.put_flow("flow", {})).flow_id
        runs = [await add(vault, flow, 2) for _ in range(30)]
        await change(place, "apply")
        made = recorded(vault, monkeypatch)
        assert (await migrated(vault, full=True)).status == SUCCEEDED
        rewriting = [batch for batch in made if batch.runs.replaced_pages]
        assert 2 < len(rewriting) < 12
        assert sum(len(batch.runs.updates) for batch in rewriting) == 30
        assert all(sum(len(page.record) for page in batch.runs.replaced_pages) < 5_000 for batch in rewriting)
        assert stray(place, vault) == []
        assert [await history(vault, run_id) for run_id in runs] == [[0, 1]] * 30


async def test_a_large_history_is_written_part_by_part_and_exchanged_at_once(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault, place.vault() as other:
        assert await vault.try_become_executor()
        run_id = await add(vault, (await vault.put_flow("flow", {})).flow_id, PAGES)
        (before,) = await vault._backend.keys.generations(Kind.RUN, run_id)
        await change(place, "apply")
        made = recorded(vault, monkeypatch)
        seen = []
        real = vault._backend.commit

        async def looked_at(batch: Batch) -> Any:
            numbers = await real(batch)
            if batch.runs.pages or batch.runs.exchanged:
                seen.append(await history(other, run_id))
            return numbers

        monkeypatch.setattr(vault._backend, "commit", looked_at)
        assert (await migrated(vault, full=True)).status == SUCCEEDED
        parts = [batch for batch in made if batch.runs.pages]
        assert len(parts) > 3
        assert all(sum(len(page.record) for page in batch.runs.pages) < 5_000 for batch in parts)
        assert [bool(batch.runs.exchanged) for batch in parts] == [False] * (len(parts) - 1) + [True]
        assert seen == [list(range(PAGES))] * len(parts)
        assert waiting(place) == 0
        (after,) = await vault._backend.keys.generations(Kind.RUN, run_id)
        assert after.kid != before.kid
        rows = await vault._backend.runs.pages(run_id, 1, PAGES, 1 << 30)
        assert len(rows) == PAGES
        assert all(before.kid not in row.record for row in rows)


@pytest.mark.parametrize("part", [2, 3, 4])
async def test_a_crash_between_two_parts_leaves_the_history_as_it_was(
    place: Customer, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        run_id = await add(vault, (await vault.put_flow("flow", {})).flow_id, PAGES)
        await change(place, "apply")
        with monkeypatch.context() as patch:
            await vault.begin_migration(full=True)
            made = recorded(vault, patch, fail_at=part + 1)
            with pytest.raises(StoreFull):
                await vault.migrate()
            assert any(batch.runs.pages for batch in made)
    assert waiting(place) > 0
    async with place.vault() as vault:
        assert await history(vault, run_id) == list(range(PAGES))
        assert await vault.try_become_executor()
        await vault.migrate()
        assert [each.status for each in await vault.operations()] == [SUCCEEDED]
        assert waiting(place) == 0
        assert await history(vault, run_id) == list(range(PAGES))
        assert len(await vault._backend.keys.generations(Kind.RUN, run_id)) == 1


async def test_runs_that_are_shredded_meanwhile_stop_nothing(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for its commit, and one whose new history is half written."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        flow = (await vault.put_flow("flow", {})).flow_id
        large = await add(vault, flow, PAGES)
        small = [await add(vault, flow, 2) for _ in range(3)]
        await change(place, "apply")
        real, left = vault._backend.commit, [large, small[1]]

        async def commit(batch: Batch) -> Any:
            if left and batch.runs.pages:
                await vault.shred_runs([left.pop(0)])
            elif batch.runs.replaced_pages and small[1] in left:
                left.remove(small[1])
                await vault.shred_runs([small[1]])
            return await real(batch)

        monkeypatch.setattr(vault._backend, "commit", commit)
        assert (await migrated(vault, full=True)).status == SUCCEEDED
        assert left == []
        assert waiting(place) == 0
        assert {run.run_id for run in await vault.runs()} == {small[0], small[2]}
        assert [await history(vault, run_id) for run_id in (small[0], small[2])] == [[0, 1]] * 2
        assert stray(place, vault) == []


async def test_what_was_compressed_or_refers_stays_so(place: Customer) -> None:
    """A history goes over as it was packed: it grows by nothing, and is read as before."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        flow = (await vault.put_flow("flow", {})).flow_id
        log = vault.create_run(os.urandom(16), flow, 1, 5, {})
        records = [[number, "x", ["the same again"] * 50] for number in range(40)]
        log.append(records[:20])
        log.append(records[20:], status=2, ended_ms=9)
        await vault.flush()
        before = await vault._backend.runs.pages(log.run_id, 1, 99, 1 << 30)
        await change(place, "apply")
        assert (await migrated(vault, full=True)).status == SUCCEEDED
        after = await vault._backend.runs.pages(log.run_id, 1, 99, 1 << 30)
        assert [(page.seq, len(page.record), codec_of(page.record)) for page in after] == [
            (page.seq, len(page.record), codec_of(page.record)) for page in before
        ]
        assert [record async for page in vault.read_run(log.run_id) for record in page.records] == records
