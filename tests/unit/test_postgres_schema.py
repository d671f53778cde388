"""Schemas of PostgreSQL are brought up to date however long that takes, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sealflow.storage.backends.postgres import connection as postgres
from sealflow.storage.backends.postgres import schema
from sealflow.storage.backends.postgres.schema import prepare


class Told:
    """Notes how long each statement may take, as the driver understands it."""

    def __init__(self, version: int) -> None:
        self._version = version
        self.seconds: dict[str, float] = {}

    async def execute(self, sql: str, *_: Any, timeout: float | None = None) -> None:
        self.seconds[sql] = postgres.ANSWER_SECONDS if timeout is None else timeout

    async def fetchval(self, sql: str, *_: Any) -> Any:
        return self._version if "max(version)" in sql else "schema_version"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


async def test_a_store_that_holds_much_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    later = [*schema.schemas(), (12, "ALTER TABLE runs ADD x int")]
    monkeypatch.setattr(schema, "schemas", lambda: later)
    told, target = Told(11), postgres.Target("postgresql://localhost/test", "sealflow_x")
    await prepare(cast(Any, told), target, create=False)
    assert told.seconds["ALTER TABLE runs ADD x int"] > 86_400
    (waiting,) = [seconds for sql, seconds in told.seconds.items() if sql.startswith("SELECT pg_advisory")]
    assert waiting > 86_400
