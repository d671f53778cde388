"""kill -9 while an environment moves: the same command goes on, another gives it up, and nothing is lost or twice."""

from __future__ import annotations

import json
import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from death_at_move import counted, die_at
from key_changes import content, fill
from key_deaths import forked
from postgres_server import PostgresServer, shared_server
from sealflow.storage import (
    Administration,
    AlreadyThere,
    EnvironmentLocked,
    move_environment,
    reset_environment,
    verify_environment,
)
from sealflow.storage.maintenance import relocation as moving
from thorough import LONG

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

SAMPLES = 3
"""Of the steps of a move; with SEALFLOW_TEST_LONG=1 all of them."""


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


async def begun(folder: Path, url: str | None) -> None:
    """A covered environment with one of everything, and what it holds, in a file."""
    place = await customer(folder, url)
    async with place.administration() as acts:
        await acts.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        await fill(vault, flows=1)
        (folder / "held").write_text(repr(await content(vault)))


async def move(place: Customer, url: str | None, number: int | None = None) -> None:
    async with place.administration() as acts:
        if number is not None:
            die_at(number)
        await move_environment(acts, ENVIRONMENT, url)


async def steps(place: Customer, url: str | None) -> None:
    """How many steps a move has."""
    found: list[int] = []
    async with place.administration() as acts:
        counted(lambda count, _: found.append(count))
        await move_environment(acts, ENVIRONMENT, url)
    (place.folder / "steps").write_text(json.dumps(found[-1]))


async def whole(place: Customer, url: str | None) -> None:
    """The same command, and everything is there, once; nothing is left on the way."""
    async with place.administration() as acts:
        await _again(acts, url)
        info = await acts.store.environment(ENVIRONMENT)
        assert (info.database, info.other) == (url, None)
        assert await acts.reconcile() == []
        assert (await verify_environment(acts.store, ENVIRONMENT)).findings == []
        assert len(await acts.policies.assignments()) == 1
    assert [*place.home.glob("moving/*")] == []
    assert len([*place.home.glob("environments/*/store.db")]) == (url is None)
    async with place.vault() as vault:
        assert repr(await content(vault)) == (place.folder / "held").read_text()
        for run_id in await vault.unfinished():
            (await vault.open_run(run_id)).append([["later"]], status=2, ended_ms=9)
        await vault.flush()
        assert await vault.unfinished() == []


async def given_up(place: Customer, here: str | None, there: str | None) -> None:
    """A move to where it is: it is there, or it had gone over before."""
    async with place.administration() as acts:
        database = (await acts.store.environment(ENVIRONMENT)).database
        if database is None:
            assert [*place.home.glob("environments/*/store.db")] != []
        await _again(acts, database)
        info = await acts.store.environment(ENVIRONMENT)
        assert (info.database, info.other) == (database, None)
        assert database in (here, there)
    async with place.vault() as vault:
        assert repr(await content(vault)) == (place.folder / "held").read_text()


async def _again(acts: Administration, url: str | None) -> None:
    try:
        await move_environment(acts, ENVIRONMENT, url)
    except AlreadyThere:
        pass


async def lapsed(place: Customer, server: str) -> None:
    """The lease of who died is over."""
    async with place.administration() as acts:
        schema = f"sealflow_{(await acts.store.environment(ENVIRONMENT)).id.hex()}"
    connection = await asyncpg.connect(server)
    try:
        if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.workers") is not None:
            await connection.execute(f"UPDATE {schema}.workers SET expires = clock_timestamp() - interval '1 s'")
    finally:
        await connection.close()


async def refused(place: Customer) -> None:
    """Nobody works in an environment whose move was interrupted before the switch."""
    async with place.administration() as acts:
        with pytest.raises(EnvironmentLocked, match="moved"):
            async with place.vault():
                pass
        with pytest.raises(EnvironmentLocked, match="moved"):
            await acts.unlock(ENVIRONMENT)


@pytest.mark.parametrize("back", [False, True])
def test_killed_while_it_moves(tmp_path: Path, postgres: PostgresServer, back: bool) -> None:
    """Into a database, or from it into a file."""
    here, there = (postgres.url, None) if back else (None, postgres.url)
    first = tmp_path / "first"
    assert not forked(partial(begun, first, here))
    assert not forked(partial(steps, Customer(first), there))
    last = json.loads((first / "steps").read_text())
    chosen = range(1, last + 1)
    for number in chosen if LONG else sorted(random.Random(last).sample(chosen, SAMPLES - back)):
        folder = tmp_path / str(number)
        assert not forked(partial(begun, folder, here))
        place = Customer(folder)
        assert forked(partial(move, place, there, number)), number
        assert not forked(partial(lapsed, place, postgres.url)), number
        if number % 3:
            assert not forked(partial(whole, place, there)), number
        else:
            assert not forked(partial(given_up, place, here, there)), number


@pytest.mark.parametrize("then", ["the same", "deleted", "reset"])
def test_interrupted_it_is_closed(tmp_path: Path, postgres: PostgresServer, then: str) -> None:
    assert not forked(partial(begun, tmp_path, None))
    place = Customer(tmp_path)

    async def die_while_it_is_verified() -> None:
        async def died(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        moving._counts = died  # type: ignore[assignment]
        await move(place, postgres.url)

    async def gone() -> None:
        """With the environment, what was copied of it."""
        async with place.administration() as acts:
            info = await acts.store.environment(ENVIRONMENT)
            assert info.other is not None
            if then == "deleted":
                await acts.store.delete_environment(ENVIRONMENT, in_flight=True)
            else:
                await reset_environment(acts, ENVIRONMENT)
        connection = await asyncpg.connect(postgres.url)
        try:
            name = f"sealflow_{info.id.hex()}"
            assert await connection.fetch("SELECT 1 FROM pg_namespace WHERE nspname = $1", name) == []
        finally:
            await connection.close()

    assert forked(die_while_it_is_verified)
    if then == "the same":
        assert not forked(partial(refused, place))
        assert not forked(partial(whole, place, postgres.url))
    else:
        assert not forked(gone)
