"""Opening a SQLite file as Sealflow's store: settings, schema, and the mapping of the driver's errors. No rows."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

from ...errors import (
    Conflict,
    NotStorable,
    StorageError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreNotWritable,
    StoreTooNew,
    StoreTooOld,
)
from ...files import sync_folder
from .queries import schemas, statements

BUSY_SECONDS = 5.0

# secure_delete and temp_store belong to the connection: deleted key rows are overwritten, and no sort or index ever
# spills to a file.
_SETTINGS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA page_size = 8192",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
)

_creating = Lock()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to the store at `path`, created and brought up to date if needed. Raises the errors of storage only.

    `read_only` is for a second connection beside one that was opened before: it writes nothing.
    """
    with mapped(path):
        if is_read_only(path):
            return _connect_read_only(path)
        if not read_only:
            _create(path)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        # No column is text. Where somebody made one so, its bytes are judged like any others.
        connection.text_factory = bytes
        try:
            _set_up(connection, path)
            if read_only:
                connection.execute("PRAGMA query_only = ON").close()
            else:
                _migrate(connection, path)
                _check_schema(connection, path)
        except BaseException as error:
            connection.close()
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
                # These few statements are right: it is the schema that cannot be read.
                raise StoreCorrupt(f"The schema of {path} is damaged.") from error
            raise
        return connection


def is_read_only(path: Path) -> bool:
    """Whether the file is there, on a file system that is mounted read-only. Where only this user may not write, others
    may, and a connection without locks would read what they change.
    """
    if not hasattr(os, "statvfs"):
        return False
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that takes no lock and writes no file. Nobody can write the store either."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise StoreNotWritable(
            f"The store {path} is read-only, and its write-ahead log was not applied.",
            hint="Copy the whole home folder to a writable place and use the copy with --home.",
        )
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1",
        uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512,
    )  # fmt: skip
    connection.text_factory = bytes
    try:
        for setting in ("PRAGMA trusted_schema = OFF", "PRAGMA temp_store = MEMORY", "PRAGMA query_only = ON"):
            connection.execute(setting).close()
        if version_of(connection) != schemas()[-1][0]:
            raise StoreNotWritable(
                f"The store {path} is read-only, and has another schema than this version of Sealflow.",
                hint="Open it once where it can be written, so that its schema is brought up to date.",
            )
        _check_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Makes the file if it is not there, since SQLite would make it readable for others.

    A file that is there is never opened here: closing it again would drop the locks of every SQLite connection that
    this process has to it (https://sqlite.org/howtocorrupt.html, 2.2), and another process would then remove the
    write-ahead log under them. For the same reason nobody may connect between making and closing.
    """
    with _creating:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            sync_folder(path.parent)
        except FileExistsError:
            pass
        except OSError as error:
            raise system_error(error, path, "written") from error


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    for attempt in range(50):
        try:
            for setting in _SETTINGS:
                answer = connection.execute(setting).fetchone()
                if "journal_mode" in setting and answer != (b"wal",):
                    raise StorageError(
                        f"The store {path} lies on a file system that has no shared memory.",
                        hint="Choose a folder on a local disk.",
                    )
            return
        except sqlite3.OperationalError as error:
            # Switching a new file to WAL does not wait for the process that is doing the same.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or attempt == 49:
                raise
            time.sleep(0.02)


def version_of(connection: sqlite3.Connection) -> int | None:
    """The schema's version; 0 for an empty file, None for somebody else's database."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if b"schema_version" in tables:
        return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()[0])
    return None if tables else 0


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    steps = schemas()
    first, newest = steps[0][0], steps[-1][0]
    if version_of(connection) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)  # again: another process may have been faster
        if version is None:
            raise StoreCorrupt(f"{path} is a database of another program.", hint="Choose another folder.")
        if version > newest:
            raise StoreTooNew(f"The store {path} has schema {version}; this Sealflow knows up to {newest}.")
        if 0 < version < first:
            raise StoreTooOld(f"The store {path} has schema {version}; this Sealflow reads {first} and later.")
        _apply(connection, version)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _apply(connection: sqlite3.Connection, version: int) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL)"
    )
    for number, script in schemas():
        if number > version:
            for statement in statements(script):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?, ?)", (number, time.time_ns() // 1_000_000))


Schema = dict[bytes, tuple[object, ...]]


def _schema(connection: sqlite3.Connection) -> Schema:
    rows = connection.execute("SELECT name, type, tbl_name, sql FROM sqlite_master").fetchall()
    # Statistics are made by ANALYZE, which an administrator may run.
    return {name: tuple(row) for name, *row in rows if name not in (b"sqlite_stat1", b"sqlite_stat4")}


@cache
def _expected_schema() -> Schema:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.text_factory = bytes
    try:
        _apply(connection, 0)
        return _schema(connection)
    finally:
        connection.close()


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """The database has what the schemas made and nothing else: a planted trigger or view would change what is
    written, a missing index what is unique.
    """
    found, expected = _schema(connection), _expected_schema()
    if found != expected:
        names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        shown = ", ".join(name.decode("ascii", "replace") for name in names[:3])
        raise StoreCorrupt(f"The schema of {path} was changed: {shown}.")


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turns the driver's errors into storage errors, with the cause kept."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error, path) from error
    except UnicodeDecodeError as error:  # in the driver's own messages
        raise StoreCorrupt(f"The store {path} is damaged.") from error
    except OverflowError as error:
        raise NotStorable("A number is too large for the store.") from error


def system_error(error: OSError, path: Path, what: str) -> StorageError:
    """The storage error of an operating system's error: the store cannot be `what` (written, locked)."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"The disk is full: the store {path} cannot be {what}. Nothing that was acknowledged is lost.")
    return StoreNotWritable(f"The store {path} cannot be {what}: {error.strerror}.")


def storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """The storage error of a driver's error. SQLite result codes: https://sqlite.org/rescode.html"""
    code = getattr(error, "sqlite_errorcode", None)
    match None if code is None else code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"The disk is full: the store {path} cannot grow. Nothing that was acknowledged is lost.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return StoreNotWritable(f"The store {path} cannot be written: {error}.")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(f"The store {path} is in use by another process.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return StoreCorrupt(f"The store {path} is damaged: {error}.")
        case sqlite3.SQLITE_CONSTRAINT:
            return Conflict(f"The store {path} has such a row already: {error}.")
        case None if isinstance(error, sqlite3.ProgrammingError):
            return StoreClosed(f"The store {path} is closed.")
        case _:
            return StorageError(f"The store {path} failed: {error}.", hint="Check the disk.")
