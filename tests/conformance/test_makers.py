"""Keys are invisible: whatever makers do looks the same under every key, while keys are exchanged under it, and on
every backend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sealflow
from customer_keys import ENVIRONMENT, Customer, customer
from makers import Makers, service
from postgres_server import shared_server
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage.administration.administration import Administration
from sealflow.storage.keys.providers.file import add_version
from sealflow.storage.stores import reencryption as migration_module
from sealflow.storage.stores.operations import SUCCEEDED

START = 17_000_000_000_000_000

Act = Callable[[Administration, Environment, Customer], Awaitable[object]]


async def apply(administration: Administration, _: Environment, __: Customer) -> None:
    await administration.apply("one", ENVIRONMENT)


async def swap(administration: Administration, _: Environment, __: Customer) -> None:
    await administration.apply("two", ENVIRONMENT)


async def remove(administration: Administration, _: Environment, __: Customer) -> None:
    await administration.remove(ENVIRONMENT)


async def rotate(administration: Administration, _: Environment, place: Customer) -> None:
    add_version(place.file, "one")
    await administration.rotate(ENVIRONMENT)


async def rotate_data_keys(administration: Administration, _: Environment, __: Customer) -> None:
    await administration.rotate(ENVIRONMENT, data_keys=True)


async def migrate(_: Administration, environment: Environment, __: Customer) -> None:
    await environment.keys.begin_migration()


async def migrate_fully(_: Administration, environment: Environment, __: Customer) -> None:
    await environment.keys.begin_migration(full=True)


async def migrate_to_the_end(_: Administration, environment: Environment, __: Customer) -> None:
    operation = await environment.keys.begin_migration()
    assert (await environment.keys.follow(operation)).status == SUCCEEDED


TREATMENTS: dict[str, dict[int, list[Act]]] = {
    "nothing": {},
    "a policy before anything": {0: [apply]},
    "a policy in the middle": {14: [apply]},
    "a policy, then another one": {3: [apply], 16: [swap]},
    "a policy that goes again": {3: [apply], 16: [remove]},
    "a new version of the customer's key": {0: [apply], 12: [rotate], 20: [rotate]},
    "new data keys": {0: [apply], 12: [rotate_data_keys], 22: [rotate_data_keys]},
    "new data keys of the service": {8: [rotate_data_keys]},
    "a new version of the service's key": {8: [rotate]},
    "during a migration": {10: [apply, migrate], 18: [rotate_data_keys, migrate]},
    "during a full migration": {10: [apply, migrate_fully]},
    "after a migration": {12: [apply, migrate_to_the_end]},
    "all of it": {
        2: [apply],
        9: [migrate_fully],
        13: [rotate, rotate_data_keys, migrate],
        17: [swap, migrate],
        21: [remove, migrate],
        24: [apply, migrate],
    },
    "at every step": {step: [swap if step % 2 else apply, rotate_data_keys, migrate] for step in range(40)},
}
CASES = [
    (store, treatment)
    for store in ("sqlite", "postgres")
    for treatment in TREATMENTS
    if (store, treatment) != ("postgres", "at every step")  # 40 migrations take their time there
]


async def transcript(folder: Path, acts: dict[int, list[Act]], database: str | None = None) -> list[Any]:
    """The makers' session, in one process, with these acts of administrators in another one."""
    place = await customer(folder, database)
    clock = sealflow.VirtualClock(START, jumps=True)
    async with (
        sealflow.open(place.home, keystore=place.keystore, clock=clock) as engine,
        place.administration() as administration,
    ):
        for connector in ("test", "http"):
            engine.connectors.register(connector, service)
        environment = await engine.environment(ENVIRONMENT)

        async def turn(step: int) -> None:
            for act in acts.get(step, []):
                await act(administration, environment, place)

        makers = Makers(environment, turn)
        await turn(0)
        async with asyncio.timeout(300):
            told = await makers.run()
            for operation in await environment.keys.operations():
                assert (await environment.keys.follow(operation)).status == SUCCEEDED
        return told


@pytest.fixture(scope="module")
def untouched() -> dict[str, list[Any]]:
    """The transcript under the service's key, made once."""
    return {}


@pytest.fixture
async def usual(tmp_path: Path, untouched: dict[str, list[Any]]) -> list[Any]:
    """What makers see under the service's key, in a file."""
    if not untouched:
        untouched["service key"] = await transcript(tmp_path / "service", {})
    assert len(untouched["service key"]) > 30
    return untouched["service key"]


@pytest.mark.parametrize(("store", "treatment"), CASES)
async def test_makers_see_no_difference(
    store: str, treatment: str, tmp_path: Path, usual: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.001)
    database = shared_server().url if store == "postgres" else None
    told = await transcript(tmp_path / "treated", TREATMENTS[treatment], database)
    for found, expected in zip(told, usual, strict=True):  # one by one: the first difference is shown with its name
        assert found == expected


async def test_the_session_is_a_session_of_makers(usual: list[Any]) -> None:
    """What it is compared by holds every kind of answer: results, refusals, lists."""
    told = dict(usual)
    assert told["parent"]["status"] == "Succeeded"
    assert told["failing"]["status"] == "Failed"
    assert told["cancelled"]["status"] == "Cancelled"
    assert told["callback"] == [200, "/w", "Succeeded"]
    assert told["callback again"][0] == 410
    assert "error" in told["bad definition"]
    assert told["connections"] == [["Office", True, {"token": "t"}], ["Weather", False, {"api_key": "k"}]]
    assert told["what is not there"][0] == "NotFound"
