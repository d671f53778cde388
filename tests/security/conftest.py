"""The attacks on Sealflow, one function each.

Each file is one attacker or one target. Each test function is one attack: its docstring says in one or two sentences
what the attacker does and what must happen. `tests/support/attacks_page.py` generates `docs/why/attacks.md` from
these docstrings, so write them for readers of the documentation:

    python tests/support/attacks_page.py

Attack through a public door: the API, the command line, a port, a protocol, or the rows of the database. Run the attack
on SQLite and on PostgreSQL where the database is concerned: the `attacked` fixture gives both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attacked_store import BACKENDS, AttackedStore
from cli_session import Cli
from customer_keys import copied_customer, customer
from postgres_server import PostgresServer, shared_server
from processes import ForkServer, Place, fork_server


@pytest.fixture(scope="session")
def postgres() -> PostgresServer:
    """The PostgreSQL server of this test process; the test is skipped where there is none."""
    return shared_server()


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest) -> str | None:
    """Where an environment is stored: None for SQLite, else the URL of a PostgreSQL database."""
    return None if request.param == "sqlite" else shared_server().url


@pytest.fixture
async def attacked(tmp_path: Path, database: str | None) -> AttackedStore:
    """An environment with two unused policies on this database, and direct access to its tables."""
    keys = await copied_customer(tmp_path) if database is None else await customer(tmp_path, database)
    return AttackedStore(keys, database)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Command lines in this process."""
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    with fork_server() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: ForkServer) -> Iterator[Place]:
    """Command lines in processes of their own."""
    place = Place(tmp_path, server)
    yield place
    place.close()
