"""Schemas of PostgreSQL are brought up to date however long that takes, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from sealflow.storage.backends.postgres import connection as postgres
from sealflow.storage.backends.postgres.schema import migrations, prepare


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


async def test_a_store_that_holds_much_may_take_its_time() -> None:
    told, target = Told(3), postgres.Target("postgresql://localhost/test", "sealflow_x")
    await prepare(cast(Any, told), target, create=False)
    lacking = [script for number, script in migrations() if number > 3]
    assert lacking
    for script in lacking:
        assert told.seconds[script] > 86_400
    (waiting,) = [seconds for sql, seconds in told.seconds.items() if sql.startswith("SELECT pg_advisory")]
    assert waiting > 86_400
