"""kill -9 while administrators exchange keys, lock and unlock, and while the work that follows goes on, under load:
nothing acknowledged is lost, nothing opens that should not, and every operation completes in the next process.

A sample in the suite; with SEALFLOW_TEST_LONG=1, 200 deaths on SQLite and 40 on PostgreSQL.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from customer_keys import Customer, customer
from key_deaths import (
    ACTS,
    COMMITS,
    MOMENTS,
    Told,
    check,
    forked,
    live_and_die,
    nothing_is_left_with_the_service,
    with_runs_of_the_service,
)
from postgres_server import shared_server
from sealflow.storage.stores import reencryption as migration_module
from thorough import LONG

A_STORE = 20
"""Deaths that one store goes through: a history that grows for ever makes every check slower."""


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.001)


def kill(folder: Path, acts: list[str], chance: random.Random, database: str | None = None) -> Counter[str]:
    """A process is killed for each of these acts; how often each was under way."""
    died: Counter[str] = Counter()
    for first in range(0, len(acts), A_STORE):
        home = folder / f"store {first}"
        assert not forked(partial(customer, home, database))
        place, told = Customer(home), Told(home / "told")
        assert not forked(partial(with_runs_of_the_service, place))
        for act in acts[first : first + A_STORE]:
            while True:
                killed = died_at(place, act, chance, told)
                assert not forked(partial(check, place, told.all()))
                told.add("checked")
                if killed:
                    break
            died[act] += 1
            print(f"{died.total()}: {act}", flush=True)
        assert not forked(partial(nothing_is_left_with_the_service, place))
        assert not forked(partial(check, place, told.all()))
    return died


def died_at(place: Customer, act: str, chance: random.Random, told: Told) -> bool:
    number, moment = chance.randrange(1, COMMITS.get(act, 8)), chance.choice(MOMENTS)
    delay = chance.uniform(0.05, 0.4) if moment == "any" else None
    return forked(partial(live_and_die, place, act, number, moment, told), delay)


def chosen(chance: random.Random, count: int) -> list[str]:
    """So many acts, each as often as any other, in any order."""
    acts = [ACTS[number % len(ACTS)] for number in range(count)]
    chance.shuffle(acts)
    return acts


def test_killed_while_keys_are_exchanged(tmp_path: Path) -> None:
    chance = random.Random(5)
    died = kill(tmp_path, chosen(chance, 200 if LONG else len(ACTS)), chance)
    print(f"killed {died.total()} times: {dict(died)}")
    assert set(died) == set(ACTS)


def test_killed_while_keys_are_exchanged_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = shared_server()
    from sealflow.storage.backends.postgres import PostgresBackend

    defaults: Any = PostgresBackend.open.__kwdefaults__  # a lease that the next process need not wait for
    monkeypatch.setitem(defaults, "lease_seconds", 3.0)
    chance = random.Random(6)
    acts = chosen(chance, 40) if LONG else ["migrate --full"]
    died = kill(tmp_path, acts, chance, server.url)
    print(f"killed {died.total()} times: {dict(died)}")
    assert died.total() == len(acts)
