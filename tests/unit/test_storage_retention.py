"""Runs are kept as long as their flow says, by age, number and size; what is in flight is kept in any case."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kept_store import KeptStore, kept_store
from sealflow.storage import Conflict, RecordNotFound, Retention, RunInfo, Vault
from sealflow.storage.port import RetentionRow
from sealflow.storage.stores.retention import DAY_MS


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    return await kept_store(tmp_path)


def ended(number: int, at_ms: int) -> RunInfo:
    return RunInfo(bytes([number]) * 16, b"F" * 16, 1, 2, 0, at_ms, None, {}, b"")


RUNS = [ended(number, number * DAY_MS) for number in range(1, 6)]
SIZES = {run.run_id: 100 for run in RUNS}


@pytest.mark.parametrize(
    ("retention", "gone"),
    [
        (Retention(), []),
        (Retention(days=3), [2, 1]),
        (Retention(runs=2), [3, 2, 1]),
        (Retention(runs=0), [5, 4, 3, 2, 1]),
        (Retention(size=250), [3, 2, 1]),
        (Retention(size=500), []),
        (Retention(days=3, runs=4, size=10_000), [2, 1]),
        (Retention(days=10, runs=1, size=10_000), [4, 3, 2, 1]),
    ],
)
def test_what_is_over(retention: Retention, gone: list[int]) -> None:
    assert [run[0] for run in retention.over(RUNS, SIZES, 6 * DAY_MS)] == gone


def test_no_limit_is_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Retention(days=-1)


async def test_limits_are_kept_and_replaced(kept: KeptStore) -> None:
    async def work(vault: Vault) -> None:
        assert await vault.retention(kept.flow) == Retention(days=90)
        await vault.set_retention(kept.flow, Retention(runs=1, size=7))
        assert await vault.retention(kept.flow) == Retention(runs=1, size=7)
        with pytest.raises(RecordNotFound):
            await vault.set_retention(os.urandom(16), Retention())

    await kept.use(work)


async def test_what_is_over_is_shredded_with_a_tombstone_and_nothing_else(kept: KeptStore) -> None:
    anchor = await kept.anchor()

    async def work(vault: Vault) -> None:
        assert await vault.apply_retention(90 * DAY_MS) == 0
        assert await vault.apply_retention(91 * DAY_MS) == 2
        assert [run.run_id for run in await vault.runs()] == [kept.ids[2]]
        assert await vault.apply_retention(900 * DAY_MS) == 0  # in flight
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)
        await vault.flush()
        assert await vault.apply_retention(900 * DAY_MS) == 1

    await kept.use(work)
    found = await kept.verify(anchor=anchor)
    assert found.ok, found.findings


async def test_a_run_whose_parent_is_in_flight_is_kept(kept: KeptStore) -> None:
    async def work(vault: Vault) -> None:
        for number in range(3):
            parent = kept.ids[2] if number else None
            log = vault.create_run(os.urandom(16), kept.flow, 1, 5, {}, status=2, parent=parent)
            log.append([[1]])
            log.append([], status=2, ended_ms=9)
        await vault.flush()
        assert await vault.apply_retention(91 * DAY_MS) == 3
        assert len(await vault.runs()) == 3

    await kept.use(work)


async def test_an_end_that_somebody_made_up_does_not_count(kept: KeptStore) -> None:
    kept.change("UPDATE runs SET ended_ms = 1 WHERE id = 3")
    kept.change("UPDATE runs SET ended_ms = 1 WHERE id = 1")

    async def work(vault: Vault) -> None:
        assert await vault.apply_retention(91 * DAY_MS) == 1

    await kept.use(work)
    assert {finding.run for finding in (await kept.verify()).findings} == {kept.ids[0], kept.ids[2]}


async def test_two_who_set_limits_at_the_same_moment(kept: KeptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(vault: Vault) -> None:
        backend = vault._backend
        read = backend.flows.retentions

        async def overtaken() -> list[RetentionRow]:
            rows = await read()
            monkeypatch.setattr(backend.flows, "retentions", read)
            await vault.set_retention(kept.flow, Retention(days=2))
            return rows

        monkeypatch.setattr(backend.flows, "retentions", overtaken)
        with pytest.raises(Conflict, match="set by somebody else"):
            await vault.set_retention(kept.flow, Retention(days=3))
        assert await vault.retention(kept.flow) == Retention(days=2)

    await kept.use(work)
