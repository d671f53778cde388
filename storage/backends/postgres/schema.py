"""The tables of a schema: made and brought up to date under a lock, while workers may be using them."""

from __future__ import annotations

from pathlib import Path

from ...errors import RecordNotFound, StoreCorrupt, StoreTooNew, StoreTooOld
from .. import sql_files
from .connection import WORK_SECONDS, Connection, Target

HERE = Path(__file__).parent


def schema_name(environment: bytes) -> str:
    """The schema of an environment."""
    return f"sealflow_{environment.hex()}"


def schemas() -> list[tuple[int, str]]:
    """(number, text) of each schema, in order. A later one only adds: earlier workers continue meanwhile."""
    return sql_files.schemas(HERE)


async def prepare(connection: Connection, target: Target, *, create: bool) -> None:
    """Makes the schema, if that is wanted, and applies what it lacks, in one transaction.

    Raises RecordNotFound (there is no such schema), StoreCorrupt (it is somebody else's), StoreTooNew, StoreTooOld.
    """
    steps = schemas()
    first, newest = steps[0][0], steps[-1][0]
    if await _version(connection, target) == newest:
        return
    async with connection.transaction():
        # Whoever comes second waits here, and finds everything done.
        lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
        await connection.execute(lock, target.schema, timeout=WORK_SECONDS)
        version = await _version(connection, target)
        if version is None:
            if not create:
                raise RecordNotFound(f"There is no schema {target.schema} in {target.place}.")
            await connection.execute(f'CREATE SCHEMA "{target.schema}"')
            version = 0
        if version > newest:
            raise StoreTooNew(f"The store {target.place} has schema {version}; this Sealflow knows up to {newest}.")
        if 0 < version < first:
            raise StoreTooOld(f"The store {target.place} has schema {version}; this Sealflow reads {first} and later.")
        if version == 0:
            columns = "version bigint PRIMARY KEY, applied_ms bigint NOT NULL"
            await connection.execute(f"CREATE TABLE schema_version ({columns})")
        for number, script in steps:
            if number > version:
                await connection.execute(script, timeout=WORK_SECONDS)
                await connection.execute(
                    "INSERT INTO schema_version VALUES ($1, extract(epoch FROM clock_timestamp()) * 1000)", number
                )


async def _version(connection: Connection, target: Target) -> int | None:
    """The schema's version; None where there is no schema."""
    kind = await connection.fetchval("SELECT to_regclass($1)::text", f"{target.schema}.schema_version")
    if kind is None:
        if await connection.fetchval("SELECT to_regnamespace($1)::text", target.schema) is not None:
            raise StoreCorrupt(f"The schema {target.schema} in {target.place} is not Sealflow's.")
        return None
    version: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_version")
    return version
