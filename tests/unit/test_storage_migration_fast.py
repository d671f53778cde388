"""A migration without `--full` costs by the number of scope keys, and tells all the way how far it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from key_changes import content, fill, migrated, stray
from sealflow.storage import Batch
from sealflow.storage.format.purposes import Domain
from sealflow.storage.stores import reencryption as migration_module
from sealflow.storage.stores.operations import SUCCEEDED, Operation

RUNS, STEP = 40, 10


@pytest.mark.parametrize("pages", [1, 20])
async def test_it_rewrites_no_history_and_tells_how_far_it_is(
    tmp_path: Path, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_module, "_STEP", STEP)
    place: Customer = await customer(tmp_path)
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        flow = (await vault.put_flow("flow", {})).flow_id
        for _ in range(RUNS):
            log = vault.create_run(os.urandom(16), flow, 1, 5, {})
            for page in range(pages):
                log.append([[page, "x"]])
            log.append([], status=2, ended_ms=9)
        await vault.flush()
        async with place.administration() as administration:
            await administration.apply("one", ENVIRONMENT)
        made: list[Batch] = []
        real = vault._backend.commit

        async def commit(batch: Batch) -> Any:
            made.append(batch)
            return await real(batch)

        monkeypatch.setattr(vault._backend, "commit", commit)
        told: list[Operation] = []
        begun = await vault.begin_migration()
        await vault.migrate(told.append)
        assert (await vault.operations())[-1].status == SUCCEEDED
        assert stray(place, vault) == []
        assert not any(batch.runs.pages or batch.runs.replaced_pages or batch.runs.exchanged for batch in made)
        assert sum(len(batch.keys.rewrapped) for batch in made) == RUNS
        assert len(made) <= RUNS // STEP + 6  # whatever the runs hold
        assert (begun.done, begun.total) == (0, RUNS + 1)
        assert [each.done for each in told] == [1, *range(1 + STEP, RUNS + 2, STEP)]
        assert {each.total for each in told} == {RUNS + 1}


async def test_what_was_left_with_the_service_goes_over_whenever_that_is_wanted(tmp_path: Path) -> None:
    """Long under a policy, with keys that were rotated meanwhile, new flows beside the old ones, and none of the old
    processes left.
    """
    place: Customer = await customer(tmp_path)
    async with place.vault() as vault:
        await fill(vault)
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        new = await vault.put_flow("new", {"v": 1})
        await vault.put_flow("new", {"v": 2})
        log = vault.create_run(os.urandom(16), new.flow_id, 2, 5, {"s": "ended"})
        log.append([["new", "x"]], status=2, ended_ms=9)
        await vault.flush()
    async with place.administration() as administration:
        await administration.rotate(ENVIRONMENT)
        await administration.apply("two", ENVIRONMENT)
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        domains = [flow.domain for flow in await vault.flows()]
        assert domains == [Domain.SERVICE] * 3 + [vault.keys.domain]
        assert {row.domain for row in await vault._backend.runs.find(
            flow_id=None, statuses=None, parent=None, limit=99, before=None
        )} == {Domain.SERVICE, vault.keys.domain}  # fmt: skip
        before = await content(vault)
        assert (await migrated(vault)).status == SUCCEEDED
        assert stray(place, vault) == []
        assert {flow.domain for flow in await vault.flows()} == {vault.keys.domain}
        assert await content(vault) == before
