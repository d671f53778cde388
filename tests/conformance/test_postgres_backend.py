"""The PostgreSQL backend passes the published suite, and a few promises that are its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from sealflow.storage import Backend
from sealflow.storage.conformance import BackendConformance
from sealflow.storage.key_conformance import KeyRowsConformance
from sealflow.storage.sealed_inbox_conformance import SealedInboxConformance

if TYPE_CHECKING:
    from postgres_server import PostgresServer

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend  # noqa: E402

OpenBackend = Callable[[], Awaitable[Backend]]


@pytest.fixture
def open_backend(postgres: PostgresServer, schema: str) -> OpenBackend:
    async def open_it() -> Backend:
        return await PostgresBackend.open(postgres.url, schema)

    return open_it


class TestPostgres(BackendConformance, KeyRowsConformance, SealedInboxConformance):
    pass
