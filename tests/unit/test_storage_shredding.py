"""What is shredded is gone from the disk, a tombstone says so, and the report says what is not known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT
from kept_store import KeptStore, add_run, kept_store
from sealflow.storage import Conflict, RecordNotFound, Vault
from sealflow.storage.format.purposes import Kind


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    return await kept_store(tmp_path)


def rows(kept: KeptStore, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(kept.keys.database())) as connection:
        return connection.execute(sql).fetchall()


def on_disk(kept: KeptStore, secret: bytes) -> bool:
    """Whether the bytes are in any file of the store."""
    return any(secret in path.read_bytes() for path in kept.keys.home.rglob("*") if path.is_file())


@contextmanager
def reading(kept: KeptStore) -> Iterator[sqlite3.Connection]:
    """Somebody who reads, and goes on reading."""
    with closing(sqlite3.connect(kept.keys.database(), isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM keys").fetchone()
        yield connection


async def test_the_key_of_a_shredded_run_is_gone_from_the_disk(kept: KeptStore) -> None:
    run = kept.ids[0]
    ((wrapped, kid),) = rows(kept, f"SELECT wrapped, kid FROM keys WHERE scope = x'{run.hex()}'")
    pages = rows(kept, "SELECT record FROM pages WHERE run = 1")
    assert on_disk(kept, wrapped)  # type: ignore[arg-type]

    async def shred(vault: Vault) -> None:
        found = await vault.shred_runs([run])
        assert (found.runs, found.wal, found.backups_until_ms) == (1, "done", None)
        # While the store is open: no closing connection has tidied up.
        assert not on_disk(kept, wrapped)  # type: ignore[arg-type]
        assert not on_disk(kept, kid)  # type: ignore[arg-type]
        assert not any(on_disk(kept, page[-16:]) for (page,) in pages)  # type: ignore[index]
        with pytest.raises(RecordNotFound):
            await vault.run(run)
        assert (await vault.shred_runs([run])).runs == 0

    await kept.use(shred)
    assert (await kept.verify()).ok


async def test_it_stays_pending_while_somebody_reads_and_is_completed_later(kept: KeptStore) -> None:
    run, other = kept.ids[:2]
    ((wrapped,),) = rows(kept, f"SELECT wrapped FROM keys WHERE scope = x'{run.hex()}'")

    async def shred(vault: Vault) -> None:
        with reading(kept):
            assert (await vault.shred_runs([run])).wal == "pending"
            assert on_disk(kept, wrapped)  # type: ignore[arg-type]
            assert await vault.finish_shredding() == "pending"
        assert await vault.finish_shredding() == "done"
        assert not on_disk(kept, wrapped)  # type: ignore[arg-type]
        assert (await vault.shred_runs([other])).wal == "done"

    await kept.use(shred)


async def test_runs_in_flight_stay_and_so_do_those_whose_parent_is(kept: KeptStore) -> None:
    running = kept.ids[2]

    async def shred(vault: Vault) -> None:
        child = add_run(vault, kept.flow, b"", ended=True, parent=running)
        await vault.flush()
        for run in (running, child):
            with pytest.raises(Conflict, match="has not ended"):
                await vault.shred_runs([run])
            assert await vault.run_exists(run)
        with pytest.raises(Conflict) as caught:
            await vault.shred_runs([kept.ids[0], running])
        assert running.hex() in caught.value.message
        (await vault.open_run(running)).append([], status=2, ended_ms=12)
        await vault.flush()
        assert (await vault.shred_runs([running, child])).runs == 2

    await kept.use(shred)


async def test_a_flow_goes_with_all_that_is_its_own(kept: KeptStore) -> None:
    async def shred(vault: Vault) -> None:
        with pytest.raises(Conflict, match="1 runs of the flow have not ended"):
            await vault.shred_flow(kept.flow)
        assert len(await vault.runs()) == 3  # nothing is gone then
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)
        await vault.flush()
        assert (await vault.shred_flow(kept.flow)).runs == 3
        assert await vault.flows() == []
        assert await vault.triggers() == []
        with pytest.raises(RecordNotFound):
            await vault.shred_flow(kept.flow)
        assert (await vault.put_flow("flow", {"v": 1})).created  # its name is free again

    anchor = await kept.anchor()
    await kept.use(shred)
    for table in ("runs", "pages", "snapshots", "messages", "retention", "triggers"):
        assert rows(kept, f"SELECT count(*) FROM {table}") == [(0,)], table
    kinds = {kind for (kind,) in rows(kept, "SELECT kind FROM keys")}
    assert not kinds & {Kind.RUN, Kind.TRIGGER, Kind.MESSAGE, Kind.RETENTION}
    found = await kept.verify(anchor=anchor)
    assert found.ok, found.findings


async def test_whoever_knew_the_trigger_of_a_flow_that_another_process_shredded(kept: KeptStore) -> None:
    async def look(vault: Vault) -> None:
        assert len(await vault.triggers()) == 1
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)
        await vault.flush()
        await kept.use(lambda other: other.shred_flow(kept.flow))
        assert await vault.triggers() == []

    await kept.use(look)


async def test_a_full_migration_goes_on_past_runs_that_are_shredded(kept: KeptStore) -> None:
    async def end(vault: Vault) -> None:
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)

    await kept.use(end)
    await kept.administer(lambda administration: administration.rotate(ENVIRONMENT, data_keys=True))

    async def migrate(vault: Vault) -> None:
        await vault.begin_migration(full=True)
        shredded: list[bytes] = []

        async def shred(other: Vault) -> None:
            await other.shred_runs(shredded)

        import asyncio

        tasks: list[asyncio.Task[None]] = []

        def progress(_: object) -> None:
            if not shredded:
                shredded.extend(kept.ids[1:])
                tasks.append(asyncio.get_running_loop().create_task(kept.use(shred)))

        await vault.migrate(progress)
        await asyncio.gather(*tasks)
        assert [each.status for each in await vault.operations()] == ["Succeeded"] * 3

    await kept.use(migrate)
    assert (await kept.verify()).ok
