"""A whole schema as SQLite files and back: the form in which every backend gives and takes copies, so that a backup of
one can be restored into another.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ...errors import StoreCorrupt
from ..sqlite.connection import connect
from ..sqlite.copies import alone, open_copy

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

_KEY_TABLES = ("environment_keys", "keys")
_TABLES = (
    "meta", *_KEY_TABLES, "key_state", "environments", "flows", "versions", "runs", "pages", "snapshots", "inbox",
    "triggers", "messages", "policies", "assignments", "audit", "connections", "operations", "ledger", "retention",
    "backups", "inbox_keys", "sealed_inbox", "callback_tokens", "large_values", "chunks",
)  # fmt: skip
"""Those of both backends, in the order in which they refer to each other."""
_OWN = {("runs", "worker"), ("runs", "epoch")}
"""Columns that only this backend has, and that say nothing elsewhere."""
_NUMBERED = ("keys", "flows", "runs", "inbox", "triggers", "messages", "large_values")
_ROWS_AT_A_TIME = 500
_LONG_ROWS_AT_A_TIME = 16
"""Of the table whose rows are a quarter of a megabyte."""

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


async def copy_to(connection: Connection, path: Path, with_keys: Path) -> None:
    """Copies the schema as of one moment to the new file `path`, and its keys to `with_keys`."""
    copy, keys = await asyncio.to_thread(connect, path), await asyncio.to_thread(connect, with_keys)
    with closing(copy), closing(keys):
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for table in _TABLES:
                await _copy_table(connection, table, keys if table in _KEY_TABLES else copy)
        for target in (copy, keys):
            await asyncio.to_thread(alone, target)


async def _copy_table(connection: Connection, table: str, target: sqlite3.Connection) -> None:
    columns = await _columns(connection, table)
    names = ", ".join(columns)
    where = " WHERE record IS NOT NULL" if table == "key_state" else ""
    insert = f"INSERT INTO {table} ({names}) VALUES ({','.join('?' * len(columns))})"  # noqa: S608 (names of the schema)
    target.execute("BEGIN")
    cursor = await connection.cursor(f"SELECT {names} FROM {table}{where}")  # noqa: S608 (names of the schema)
    while rows := await cursor.fetch(_at_a_time(table)):
        await asyncio.to_thread(_insert, target, insert, [tuple(row) for row in rows])
    target.execute("COMMIT")


def _insert(target: sqlite3.Connection, insert: str, rows: list[tuple[object, ...]]) -> None:
    """The cursor ends in the thread that used it: one that is thrown away later, beside the next one of the same
    statement in another thread, resets that statement under it.
    """
    with closing(target.cursor()) as cursor:
        try:
            cursor.executemany(insert, rows)
        except sqlite3.IntegrityError as error:
            raise StoreCorrupt(
                "Rows of the database refer to rows that are not there: it was changed from outside.",
                hint="`sealflow verify` names what is damaged; restore it from a backup.",
            ) from error


async def copy_from(connection: Connection, path: Path, with_keys: Path) -> None:
    """Puts a copy in the place of everything in the schema, in one transaction. Numbers are still never used twice."""
    copy, keys = await asyncio.to_thread(open_copy, path), await asyncio.to_thread(open_copy, with_keys)
    with closing(copy), closing(keys):
        async with connection.transaction():
            await connection.execute(f"TRUNCATE {', '.join(_TABLES)}")
            for table in _TABLES:
                await _restore_table(connection, table, keys if table in _KEY_TABLES else copy)
            await connection.execute(
                "INSERT INTO key_state (id, epoch, lock_epoch) VALUES (1, 0, 0) ON CONFLICT DO NOTHING"
            )
            for table in _NUMBERED:
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                await connection.execute(
                    f"SELECT setval({sequence}, greatest(nextval({sequence}), (SELECT max(id) FROM {table})))"  # noqa: S608
                )


async def _restore_table(connection: Connection, table: str, source: sqlite3.Connection) -> None:
    columns = await _columns(connection, table)
    found = source.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 (names of the schema)
    while rows := await asyncio.to_thread(found.fetchmany, _at_a_time(table)):
        await connection.copy_records_to_table(table, records=rows, columns=columns)


def _at_a_time(table: str) -> int:
    return _LONG_ROWS_AT_A_TIME if table == "chunks" else _ROWS_AT_A_TIME


async def _columns(connection: Connection, table: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        table,
    )
    return [row[0] for row in rows if (table, row[0]) not in _OWN]
