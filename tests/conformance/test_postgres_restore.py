"""A backup goes from a file into a database and back: into another environment under the same key, sealed anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, customer
from key_changes import content, fill
from postgres_server import PostgresServer
from sealflow.storage import create_backup, restore_into, verify_environment

COPIED = ("flows", "documents", "connections")


@pytest.mark.parametrize("from_database", [True, False])
async def test_into_another_environment(tmp_path: Path, postgres: PostgresServer, from_database: bool) -> None:
    first, other = (postgres.url, None) if from_database else (None, postgres.url)
    place = await customer(tmp_path, first)
    file = tmp_path / "backup"
    async with place.vault() as vault:
        await fill(vault)
        before = await content(vault)
        ended = [run for run in await vault.runs() if run.ended_ms is not None]
    async with place.administration() as acts:
        await acts.store.create_environment("other", database=other)
        for name in (ENVIRONMENT, "other"):
            await acts.apply("one", name)
        await create_backup(acts, ENVIRONMENT, file, expires_days=None)
        copied = await restore_into(acts, file, "other")
        assert (copied.flows, copied.runs, copied.connections, copied.left_out) == (3, 3, 2, 3)
        assert (await verify_environment(acts.store, "other")).findings == []
    async with place.vault("other") as vault:
        after = await content(vault)
        assert {name: after[name] for name in COPIED} == {name: before[name] for name in COPIED}
        assert await vault.runs() == ended
        log = vault.create_run(b"n" * 16, ended[0].flow_id, 2, 5, {"s": "new"})  # numbers of rows go on
        log.append([["n", "x"]], status=2, ended_ms=9)
        await vault.flush()
        assert (await vault.runs(limit=1))[0].run_id == b"n" * 16
