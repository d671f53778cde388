"""Connecting to PostgreSQL, with the settings a store needs, and the mapping of the driver's errors. No rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from ...errors import (
    Conflict,
    DatabaseRefused,
    EnvironmentLocked,
    NotStorable,
    RecordNotFound,
    RunNotOwned,
    StaleKeys,
    StorageError,
    StoreBusy,
    StoreCorrupt,
    StoreFull,
    StoreGone,
    StoreNotWritable,
    StoreUnreachable,
    taken_over,
)
from ..database_url import place

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""After which a server that says nothing counts as lost."""
WORK_SECONDS = 7 * 86_400.0
"""The same, for what takes as long as there is much. To the driver None is no limit of its own: the one above."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

UNKNOWN_WRITER, NOT_OWNED = "SF006", "SF007"

# Sealed rows are found by their keys. A plan that was made while a table was small must not scan it once it has grown.
_BY_INDEX = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}


class Target(NamedTuple):
    """A database and the schema in it. `url` is a checked one, without a password."""

    url: str
    schema: str

    @property
    def place(self) -> str:
        return place(self.url)

    def options(self) -> dict[str, Any]:
        """The arguments of asyncpg's connect. The password comes from libpq's usual sources."""
        settings = {
            "search_path": f"{self.schema}, pg_temp",
            "default_transaction_isolation": "read committed",
            "jit": "off",
            "application_name": "sealflow",
            **_BY_INDEX,
        }
        return {
            "dsn": self.url,
            "timeout": CONNECT_SECONDS,
            "command_timeout": ANSWER_SECONDS,
            "statement_cache_size": 512,
            "max_cached_statement_lifetime": 0,
            "server_settings": settings,
        }


async def connect(target: Target) -> Connection:
    """A connection that writes. A commit is durable when it is answered, whatever the role's defaults are; a setting
    that waits for replicas too is left alone. Raises StoreUnreachable, DatabaseRefused, StoreBusy.
    """
    with mapped(target):
        connection: Connection = await asyncpg.connect(**target.options())
        try:
            if await connection.fetchval("SHOW synchronous_commit") == "off":
                await connection.execute("SET synchronous_commit = on")
        except BaseException:
            connection.terminate()
            raise
        return connection


@contextmanager
def mapped(target: Target) -> Iterator[None]:
    """Turns the driver's errors into storage errors, with the cause kept."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise storage_error(error, target) from error


def storage_error(error: BaseException, target: Target) -> StorageError:
    """The storage error of a driver's error, by its SQLSTATE (PostgreSQL documentation, appendix A)."""
    where = target.place
    if isinstance(error, asyncpg.PostgresError):
        if error.sqlstate == NOT_OWNED:
            return RunNotOwned(bytes.fromhex(run) for run in (error.detail or "").strip("{}").split(",") if run)
        return _of_server(error.sqlstate or "", str(error), where)
    if isinstance(error, asyncpg.DataError):
        return NotStorable("A value does not fit the store.")
    return StoreUnreachable(f"The database {where} cannot be reached.")


def _of_server(state: str, message: str, where: str) -> StorageError:
    match state[:2], state:
        case _, "SF001":
            return Conflict("A row was changed by somebody else at the same moment.")
        case _, "SF002":
            return RecordNotFound("There is no such run.")
        case _, "SF003":
            return StaleKeys("The environment's keys, policy or lock were changed in the meantime.")
        case _, "SF004":
            return EnvironmentLocked("The environment is locked.")
        case _, "SF005":
            return taken_over()
        case "23", _:
            return Conflict(f"The store {where} has such a row already: {message}.")
        case "22", _:
            return NotStorable("A value does not fit the store.")
        case _, "53100":
            return StoreFull(f"The disk of {where} is full. Nothing that was acknowledged is lost.")
        case "53" | "40" | "55", _:
            return StoreBusy(f"The database {where} is busy: {message}.")
        case _, "57014":
            return StoreBusy(f"The database {where} gave up on a statement: {message}.")
        case "57" | "08", _:
            return StoreUnreachable(f"The database {where} has ended the connection: {message}.")
        case _, "25006" | "42501":
            return StoreNotWritable(
                f"The store {where} cannot be written: {message}.",
                hint="The role needs the right to create a schema in the database, and to write it.",
            )
        case "28" | "3D", _:
            return DatabaseRefused(f"The database {where} refuses this user: {message}.")
        case _, "42P01" | "42883" | "42704" | "3F000":
            return _gone(where, message)
        case _, "XX000" if message.startswith(("cache lookup failed", "could not open relation")):  # dropped meanwhile
            return _gone(where, message)
        case "XX" | "42" | "3F", _:
            return StoreCorrupt(f"The store {where} is damaged: {message}.")
        case _:
            return StorageError(f"The store {where} failed: {message}.", hint="See the server's log.")


def _gone(where: str, message: str) -> StoreGone:
    return StoreGone(
        f"The store {where} was moved or removed while it was open: {message}.",
        hint="Open the environment again, where it is now. If it was not moved, restore a backup.",
    )
