"""The fixtures of the acceptance tests: a process that forks commands, and a place for a test to work in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import ForkServer, Place, fork_server


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    with fork_server() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: ForkServer) -> Iterator[Place]:
    place = Place(tmp_path, server)
    yield place
    place.close()
