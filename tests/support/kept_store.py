"""A store with something in every table, to be changed from outside and verified."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from copied_places import copied
from customer_keys import ENVIRONMENT, Customer, customer
from sealflow.storage import Administration, Retention, Store, Vault, Verification, verify_control, verify_environment

Change = Callable[[sqlite3.Connection], object]


class KeptStore:
    """A customer's environment: two versions of a flow with its trigger, three messages, a retention and a connection;
    two ended runs of five pages and a running one, in `ids`; a request, an operation, a tombstone of a run.
    """

    def __init__(self, keys: Customer) -> None:
        self.keys = keys
        self.ids: list[bytes] = []
        self.flow = b""
        self.shredded = b""

    async def verify(self, **options: Any) -> Verification:
        store = await self.keys.store()
        try:
            return await verify_environment(store, ENVIRONMENT, **options)
        finally:
            await store.close()

    async def verify_control(self) -> Verification:
        store = await self.keys.store()
        try:
            return await verify_control(store)
        finally:
            await store.close()

    async def anchor(self) -> bytes:
        """A new anchor of what is there now."""
        found = await self.verify(new_anchor=True)
        assert found.anchor is not None, found.findings
        return found.anchor

    async def administer(self, act: Callable[[Administration], Awaitable[object]]) -> None:
        async with self.keys.administration() as administration:
            await act(administration)

    async def use(self, work: Callable[[Vault], Awaitable[object]]) -> None:
        """Does something with the vault, in a process of its own."""
        async with self.keys.vault() as vault:
            await work(vault)

    async def with_store(self, work: Callable[[Store], Awaitable[object]]) -> None:
        store = await self.keys.store()
        try:
            await work(store)
        finally:
            await store.close()

    def change(self, change: str | Change, *, control: bool = False) -> None:
        """Changes a database from outside, as whoever can write its file."""
        path = self.keys.home / "control.db" if control else self.keys.database()
        with closing(sqlite3.connect(path)) as connection, connection:
            if isinstance(change, str):
                assert connection.execute(change).rowcount > 0
            else:
                change(connection)

    def keep(self) -> Path:
        """A copy of the environment's file, to be put back."""
        copy = self.keys.folder / f"kept-{os.urandom(4).hex()}.db"
        with closing(sqlite3.connect(self.keys.database())) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self.keys.database(), copy)
        return copy

    def put_back(self, copy: Path) -> None:
        for name in ("-wal", "-shm"):
            self.keys.database().with_name(f"store.db{name}").unlink(missing_ok=True)
        shutil.copy(copy, self.keys.database())

    def put_back_rows(self, copy: Path, tables: dict[str, str]) -> None:
        """Puts rows of an earlier copy in the place of those that are there: for each table, which."""

        def exchange(connection: sqlite3.Connection) -> None:
            connection.execute("ATTACH ? AS earlier", (str(copy),))
            for table, where in tables.items():
                connection.execute(f"DELETE FROM main.{table} WHERE {where}")
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM earlier.{table} WHERE {where}")
            connection.commit()
            connection.execute("DETACH earlier")

        self.change(exchange)


def add_run(
    vault: Vault, flow: bytes, digest: bytes, *, ended: bool, pages: int = 5, parent: bytes | None = None
) -> bytes:
    """A run with this many pages; its id."""
    log = vault.create_run(os.urandom(16), flow, 1, 5, {"s": 1}, status=1, definition_digest=digest, parent=parent)
    for page in range(pages):
        log.append([[page, "x"], [page, "y"]])
    log.snapshot({"state": 1})
    if ended:
        log.append([], status=2, ended_ms=9)
    return log.run_id


async def kept_store(folder: Path) -> KeptStore:
    """One in this folder of a test, which has no other one."""
    link, made = await copied(folder, "kept", _make)
    kept = KeptStore(Customer(link))
    kept.ids, kept.flow, kept.shredded = [*made.ids], made.flow, made.shredded
    return kept


async def _make(folder: Path) -> KeptStore:
    kept = KeptStore(await customer(folder))
    async with kept.keys.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    async with kept.keys.vault() as vault:
        await vault.put_flow("flow", {"v": 1})
        kept.flow = (await vault.put_flow("flow", {"v": 2})).flow_id
        digest = (await vault.version(kept.flow, 1)).digest
        assert await vault.trigger(kept.flow) is None
        vault.set_trigger(kept.flow, {"next": 1}, due_ms=7, expected=0)
        for number in range(3):
            await vault.add_message(kept.flow, "p" if number else "q", {"m": number}, dedupe=bytes([number]))
        await vault.set_retention(kept.flow, Retention(days=90))
        await vault.create_connection("c", "shared_sql", oauth=False, parameter_set=None, values={"password": "x"})
        kept.ids = [add_run(vault, kept.flow, digest, ended=ended) for ended in (True, True, False)]
        kept.shredded = add_run(vault, kept.flow, digest, ended=True)
        await vault.flush()
        await vault.shred_runs([kept.shredded])
        await vault.inbox_add(1, {"q": 1}, run_id=kept.ids[0])
        await vault.begin_migration()
        await vault.migrate()
    return kept
