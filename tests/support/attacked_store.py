"""An environment on SQLite or PostgreSQL, and the direct access to its tables that a database writer has."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from customer_keys import ENVIRONMENT, Customer
from sealflow.storage import Verification, verify_environment

Row = dict[str, Any]
BACKENDS: Final = ("sqlite", "postgres")


class AttackedStore:
    """Reads and changes the rows of one environment without any key.

    Statements use the SQL that both databases share, with values inlined or as `?`. Foreign keys, triggers and rules
    of the database do not hold the attacker back.
    """

    def __init__(self, keys: Customer, url: str | None = None) -> None:
        self.keys = keys
        self.url = url
        self.backend = "sqlite" if url is None else "postgres"

    @property
    def control(self) -> AttackedControl:
        """The control store of the home folder that the environment is in."""
        return AttackedControl(self.keys)

    async def tables(self) -> list[str]:
        """Return the names of the environment's tables, without those of the database itself."""
        if self.url is None:
            found = await self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        else:
            found = await self.execute("SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()")
        return sorted(row["name"] for row in found if not row["name"].startswith("sqlite_"))

    async def rows(self, table: str, where: str = "true") -> list[Row]:
        """Return rows of a table, each as a mapping of column to value."""
        return await self.execute(f"SELECT * FROM {table} WHERE {where}")

    async def copy(self, *tables: str) -> dict[str, list[Row]]:
        """Return the rows of these tables, or of all of them, to be put back later."""
        return {table: await self.rows(table) for table in tables or await self.tables()}

    async def put_back(self, copy: dict[str, list[Row]]) -> None:
        """Replace the content of these tables by rows of an earlier moment."""
        statements: list[tuple[str, Sequence[Any]]] = []
        for table, rows in copy.items():
            statements.append((f"DELETE FROM {table}", ()))
            statements.extend(_insert(table, row) for row in rows)
        await self._run(statements)

    async def insert(self, table: str, row: Row) -> None:
        """Add one row."""
        await self._run([_insert(table, row)])

    async def execute(self, sql: str, *values: Any) -> list[Row]:
        """Run one statement and return what it selects."""
        return await self._run([(sql, values)])

    async def changed(self, sql: str, *values: Any) -> None:
        """Run one UPDATE or DELETE that has to hit at least one row."""
        assert await self.execute(f"{sql} RETURNING 1 AS hit", *values), f"no row was hit: {sql}"

    async def drop(self) -> None:
        """Remove what this database holds of the environment."""
        import asyncpg

        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"DROP SCHEMA IF EXISTS {await self._schema()} CASCADE")
        finally:
            await connection.close()

    async def verify(self, **options: Any) -> Verification:
        """Run `verify` over the environment, as a new process does."""
        store = await self.keys.store()
        try:
            return await verify_environment(store, ENVIRONMENT, **options)
        finally:
            await store.close()

    async def _run(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Row]:
        if self.url is None:
            return _on_sqlite(self.keys.database(), statements)
        return await _on_postgres(self.url, await self._schema(), statements)

    async def _schema(self) -> str:
        store = await self.keys.store()
        try:
            return f"sealflow_{(await store.environment(ENVIRONMENT)).id.hex()}"
        finally:
            await store.close()


class AttackedControl(AttackedStore):
    """The same of the control store, which is always a SQLite file."""

    async def _run(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Row]:
        return _on_sqlite(self.keys.home / "control.db", statements)


def _insert(table: str, row: Row) -> tuple[str, Sequence[Any]]:
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values())


def _on_sqlite(path: Path, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Row]:
    found: list[Row] = []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        for sql, values in statements:
            found = [dict(row) for row in connection.execute(sql, tuple(values)).fetchall()]
    return found


async def _on_postgres(url: str, schema: str, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Row]:
    import asyncpg

    found: list[Row] = []
    connection = await asyncpg.connect(url, server_settings={"search_path": schema})
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for sql, values in statements:
                found = [dict(row) for row in await connection.fetch(_numbered(sql), *values)]
    finally:
        await connection.close()
    return found


def _numbered(sql: str) -> str:
    parts = sql.split("?")
    return parts[0] + "".join(f"${number}{part}" for number, part in enumerate(parts[1:], 1))
