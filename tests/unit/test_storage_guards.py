"""Checks of the store that only another process, at the right moment, makes necessary."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from key_changes import migrated
from sealflow.storage import Conflict, RecordNotFound, StoreBusy, StoreClosed, Vault
from sealflow.storage.format.purposes import Domain
from sealflow.storage.stores import connections
from sealflow.storage.stores.runs import journal


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


def after(vault: Vault, patch: pytest.MonkeyPatch, look: str, act: Callable[[], Awaitable[Any]]) -> None:
    """Right after the first look of this kind, `act` happens."""
    noun, method = look.split(".")
    store = getattr(vault._backend, noun)
    real, left = getattr(store, method), [act]

    async def looked(*arguments: Any, **options: Any) -> Any:
        found = await real(*arguments, **options)
        if left:
            await left.pop()()
        return found

    patch.setattr(store, method, looked)


def fails(vault: Vault, patch: pytest.MonkeyPatch, *errors: Exception, before: Any = None) -> list[Exception]:
    """The next commits fail with these errors; those that did."""
    real, left, raised = vault._backend.commit, list(errors), []

    async def commit(batch: Any) -> None:
        if left:
            if before is not None:
                await before()
            raised.append(left.pop(0))
            raise raised[-1]
        await real(batch)

    patch.setattr(vault._backend, "commit", commit)
    return raised


async def test_a_run_that_goes_over_to_another_key_while_it_is_listed(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        flow = (await vault.put_flow("flow", {})).flow_id
        log = vault.create_run(os.urandom(16), flow, 1, 5, {"s": 1}, status=1)
        log.append([[1]], status=2, ended_ms=9, summary={"s": "ended"})
        await vault.flush()

        async def move() -> None:
            async with place.administration() as administration:
                await administration.apply("one", ENVIRONMENT)
            await migrated(vault, full=True)

        after(vault, monkeypatch, "runs.find", move)
        assert [(run.run_id, run.summary) for run in await vault.runs()] == [(log.run_id, {"s": "ended"})]


async def test_nothing_is_taken_once_the_vault_is_closed(place: Customer) -> None:
    async with place.vault() as vault:
        flow = (await vault.put_flow("flow", {})).flow_id
        await vault.trigger(flow)
        run = os.urandom(16)
    for use in (
        lambda: vault.create_run(run, flow, 1, 5, None),
        lambda: vault.set_trigger(flow, 1, due_ms=None, expected=0),
        lambda: vault.queue_message(flow, "p", 1, domain=Domain.SERVICE),
        lambda: vault.workers.wake(run, lambda: None),
    ):
        with pytest.raises(StoreClosed):
            use()


async def test_a_store_that_is_busy_for_a_moment_when_it_is_closed_loses_nothing(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "BUSY_SECONDS", (0.0,))
    async with place.vault() as vault:
        flow = (await vault.put_flow("flow", {})).flow_id
        log = vault.create_run(os.urandom(16), flow, 1, 5, None)
        busy = fails(vault, monkeypatch, *[StoreBusy("held")] * (journal._BUSY_ATTEMPTS_AT_CLOSE - 1))
    assert len(busy) == journal._BUSY_ATTEMPTS_AT_CLOSE - 1
    async with place.vault() as vault:
        assert await vault.run_exists(log.run_id)


async def test_a_trigger_of_a_flow_that_another_process_shredded_is_forgotten(place: Customer) -> None:
    async with place.vault() as one, place.vault() as other:
        flow = (await one.put_flow("flow", {})).flow_id
        await one.trigger(flow)
        one.set_trigger(flow, {"n": 1}, due_ms=1, expected=0)
        await one.flush()
        await other.shred_flow(flow)
        assert await one.triggers() == []
        with pytest.raises(Conflict, match="was changed since it was read"):
            one.set_trigger(flow, {"n": 2}, due_ms=2, expected=1)
        assert await one.triggers() == []


async def test_making_a_connection_is_given_up_after_some_attempts(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        raised = fails(vault, monkeypatch, *[Conflict("again")] * (2 * connections._ATTEMPTS))
        with pytest.raises(Conflict, match="again"):
            await vault.create_connection("name", "c", oauth=True, parameter_set=None, values={})
        assert len(raised) == connections._ATTEMPTS


async def test_a_flow_that_another_process_deployed_under_newer_keys_is_found(place: Customer) -> None:
    async with place.vault() as one, place.vault() as other, place.administration() as administration:
        await one.put_flow("flow", {"v": 1})
        assert len(await one.flows()) == 1
        await administration.rotate(ENVIRONMENT, data_keys=True)
        await other.reload_keys()
        await other.put_flow("flow", {"v": 2})
        await other.put_flow("later", {"v": 1})
        assert (await one.flow("flow")).version == 2
        assert (await one.flow("later")).version == 1


async def test_a_name_that_is_not_found_is_looked_for_under_newer_keys(place: Customer) -> None:
    async with place.vault() as vault, place.administration() as administration:
        await administration.rotate(ENVIRONMENT, data_keys=True)
        epoch = vault.keys.epoch
        with pytest.raises(RecordNotFound):
            await vault.flow("flow")
        assert vault.keys.epoch > epoch


class Shredded:
    """A vault with runs that have ended, to be shredded, which puts an entry into the ledger."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    async def run(self) -> bytes:
        flow = (await self.vault.put_flow("flow", {})).flow_id
        log = self.vault.create_run(os.urandom(16), flow, 1, 5, None)
        log.append([[1]], status=2, ended_ms=9)
        await self.vault.flush()
        return log.run_id


async def test_an_entry_of_the_ledger_is_not_tried_again_where_its_batch_conflicts(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        run = await Shredded(vault).run()
        raised = fails(vault, monkeypatch, *[Conflict("of the batch")] * 5)
        with pytest.raises(Conflict, match="of the batch"):
            await vault.shred_runs([run])
        assert len(raised) == 1
        assert await vault.run_exists(run)


async def test_an_entry_of_the_ledger_is_given_up_where_others_are_always_faster(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault, place.vault() as other:
        run, there = await Shredded(vault).run(), Shredded(other)

        async def faster() -> None:
            await other.shred_runs([await there.run()])

        raised = fails(vault, monkeypatch, *[Conflict("number")] * 100, before=faster)
        with pytest.raises(Conflict, match="number"):
            await vault.shred_runs([run])
        assert 1 < len(raised) < 100
        assert await vault.run_exists(run)
