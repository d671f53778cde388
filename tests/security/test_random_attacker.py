"""A writer of the databases changes rows at random, by rows of any earlier moment of an honest history."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_judge import published
from attacked_history import History, honest_history
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_server import shared_server
from random_attack import KINDS, Change
from random_attacker import Outcome, attack, campaign
from thorough import LONG

_NUMBERS = st.integers(0, (1 << 16) - 1)
_CHANGES = st.lists(
    st.builds(Change, st.sampled_from(KINDS), st.integers(0, 1), _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS),
    min_size=1, max_size=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def history(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> History:
    """In a file, and made once."""
    return runner.run(honest_history(tmp_path_factory.mktemp("attacked")))


def test_random_rows_in_a_file(runner: asyncio.Runner, history: History) -> None:
    """The writer puts back, deletes, swaps and mixes random rows of both stores, including key rows. Sealflow serves
    the right data, refuses, or does what the threat model lists.
    """
    allowed = published()

    @settings(max_examples=2_000 if LONG else 25, suppress_health_check=list(HealthCheck), derandomize=not LONG)
    @given(_NUMBERS, _CHANGES)
    def attacked(moment: int, changes: list[Change]) -> None:
        found = runner.run(attack(history, 1 + moment % (len(history.moments) - 1), changes))
        assert [each for each in found or [] if each[0] not in allowed] == []

    attacked()


def test_random_rows_in_a_schema(runner: asyncio.Runner, tmp_path: Path) -> None:
    """The same on PostgreSQL."""
    server = shared_server()
    outcome = Outcome()
    history = runner.run(honest_history(tmp_path, server.url, every=1 if LONG else 4))
    runner.run(campaign(history, random.Random(1), 400 if LONG else 8, outcome))
    assert outcome.sequences
    assert outcome.violations == []


def test_every_table_is_attacked(runner: asyncio.Runner, history: History) -> None:
    """No attack: the honest history has rows in every table of the schema, so that random changes reach them."""
    environment, control = history.moments[-1]
    assert {"runs", "pages", "keys", "sealed_inbox", "key_state"} <= environment.keys()
    assert {"audit", "assignments", "operations", "keys", "environments"} <= control.keys()
    filled = {name for tables in history.moments for store in tables for name, rows in store.items() if rows}
    assert environment.keys() - filled <= {"schema_version", "large_values", "chunks", "callback_tokens", "backups"}
