"""An environment moves from a file into a database, and back: all of it, under fresh keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from key_changes import content, fill
from postgres_server import PostgresServer
from sealflow.storage import AlreadyThere, move_environment, verify_environment


async def keys(place: Customer) -> set[tuple[int, int, bytes]]:
    async with place.administration() as acts, acts.opened(ENVIRONMENT) as opened:
        return {(row.domain, row.version, row.kid) for row in opened.keyring.rows}


@pytest.mark.parametrize("covered", [True, False])
async def test_there_and_back(tmp_path: Path, postgres: PostgresServer, covered: bool) -> None:
    place = await customer(tmp_path)
    async with place.vault() as vault:
        going_on = await fill(vault)
    if covered:  # what was there stays the service's, what comes is the customer's
        async with place.administration() as acts:
            await acts.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            flow = (await vault.put_flow("new", {"v": 1})).flow_id
            await vault.put_flow("new", {"v": 2})
            log = vault.create_run(b"n" * 16, flow, 2, 5, {"s": "new"})
            log.append([["n", "x"]])
            await vault.flush()
        going_on.append(b"n" * 16)
    async with place.vault() as vault:
        before = await content(vault)
        domains = {flow.name: flow.domain for flow in await vault.flows()}
    for url in (postgres.url, None):
        had = await keys(place)
        async with place.administration() as acts:
            told: list[str] = []
            moved = await move_environment(acts, ENVIRONMENT, url, progress=lambda what, _: told.append(what))
            assert (moved.environment.database, moved.environment.other) == (url, None)
            assert (moved.flows, moved.in_flight, moved.left) == (len(before["flows"]), len(going_on), None)
            assert list(dict.fromkeys(told))[0] == "fence"
            assert list(dict.fromkeys(told))[-1] == "switch"
            assert (await verify_environment(acts.store, ENVIRONMENT)).findings == []
            assert await acts.reconcile() == []
            assert (await acts.policies.assignments() != {}) == covered
            with pytest.raises(AlreadyThere):
                await move_environment(acts, ENVIRONMENT, url)
        assert not had & await keys(place)
        assert [*place.home.glob("environments/*/store.db")] == [] if url else [place.database()]
        async with place.vault() as vault:
            assert await content(vault) == before
            assert {flow.name: flow.domain for flow in await vault.flows()} == domains
            assert set(await vault.unfinished()) == set(going_on)
            assert vault.keys.cover is not None if covered else vault.keys.cover is None
    async with place.vault() as vault:  # runs go on where they stood, and what is new is written
        for run_id in going_on:
            log = await vault.open_run(run_id, from_snapshot=True)
            log.append([["later"]], status=2, ended_ms=9)
        await vault.flush()
        assert await vault.unfinished() == []
        await vault.put_flow("flow 0", {"v": 3})
