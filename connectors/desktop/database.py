"""The Database module: connections by SQLAlchemy, statements as they stand, results as data tables.

A SQLite file has to be in an allowed folder, and a statement cannot reach another one (ATTACH and extensions are off).
A server is judged by the environment's egress policy, as any address is, and what was judged is connected to.
"""

from __future__ import annotations

import sqlite3
import threading
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...engine.datatypes import DataTable, Datum, from_float
from .arguments import Arguments
from .connection_string import Source, read
from .fault import Fault, fault
from .files.csv_file import unique_columns
from .port import Operation, Outputs, Table
from .reach import address_of
from .session import Session

KIND: Final = "SqlConnection"

MOST_ROWS: Final = 1_000_000
"""Rows that one result may have."""


class Opened:
    """An open connection; its statements take effect at once."""

    def __init__(self, source: Source, connection: Connection) -> None:
        self.source = source
        self._connection = connection

    def run(self, statement: str, seconds: int) -> DataTable:
        """The rows of the last statement that has any. Raises Fault ErrorInSQLStatementError."""
        raw: Any = self._connection.connection.driver_connection
        file = isinstance(raw, sqlite3.Connection)
        timer = threading.Timer(seconds, raw.interrupt) if file and seconds > 0 else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            table = DataTable()
            for each in _statements(statement) if file else [statement]:
                table = self._one(each) or table
            return table
        except (DBAPIError, ValueError) as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            raise fault("Error in SQL statement", f"{cause}") from None
        finally:
            if timer is not None:
                timer.cancel()

    def _one(self, statement: str) -> DataTable | None:
        result = self._connection.exec_driver_sql(statement)
        try:
            if not result.returns_rows:
                return None
            names = list(result.keys())
            rows = tuple(tuple(map(value_of, row)) for row in result.fetchmany(MOST_ROWS + 1))
        finally:
            result.close()
        if len(rows) > MOST_ROWS:
            raise fault("Error in SQL statement", f"The result has more than {MOST_ROWS:,} rows.")
        return DataTable(unique_columns(names, len(names)), rows)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def _statements(text: str) -> list[str]:
    """A batch cut into its statements, as SQLite tells where one ends."""
    found: list[str] = []
    rest = ""
    for piece in text.split(";"):
        rest += piece + ";"
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    if rest.strip("; \t\r\n"):
        found.append(rest)
    return [statement for statement in found if statement.strip("; \t\r\n")]


def value_of(found: Any) -> Datum:
    """A column's value as a value of a flow: floats as decimals, bytes as hexadecimal digits, days as datetimes."""
    if found is None or isinstance(found, (bool, int, str, Decimal)):
        return found
    if isinstance(found, float):
        return from_float(found)
    if isinstance(found, datetime):
        return found.replace(tzinfo=None)
    if isinstance(found, date):
        return datetime(found.year, found.month, found.day)
    if isinstance(found, (bytes, bytearray, memoryview)):
        return bytes(found).hex()
    if isinstance(found, (time, timedelta)):
        return str(found)
    return str(found)


def connected(text: str, session: Session) -> Opened:
    """Raises Fault InvalidConnectionStringError, CantConnectToDataSourceError, AccessDeniedError."""
    source = read(text)
    if source.driver == "sqlite":
        path = session.folders.resolve(source.database, write=True)
        url = URL.create("sqlite", database=str(path))
    else:
        url = url_of(source, address_of(source.server, source.port or _port(source), session, _NOT_CONNECTED))
    try:
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if source.driver == "sqlite":
            raw: Any = connection.connection.driver_connection
            raw.set_authorizer(_authorize)
            raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        return Opened(source, connection)
    except ModuleNotFoundError as error:
        what = f"The driver '{source.package}' is not installed."
        raise Fault("LibraryMissing", what, hint=f"pip install {source.package}") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise fault("Invalid connection string", "It names no database that can be reached here.") from error
    except (SQLAlchemyError, OSError) as error:
        # Drivers quote what they were given, passwords among it.
        where = f"'{source.server}'" if source.server else "the file"
        raise fault("Can't connect to data source", f"No connection to {where} could be opened.") from error


_NOT_CONNECTED: Final = "Can't connect to data source"
_PORTS: Final = {"postgresql": 5432, "mysql": 3306, "oracle": 1521, "mssql": 1433}


def _port(source: Source) -> int:
    """The port that a driver connects to by itself."""
    return _PORTS[source.driver.partition("+")[0]]


def url_of(source: Source, address: str) -> URL:
    """Where SQLAlchemy connects to: the address that was judged, and not what the name may stand for a moment later.

    A server's certificate is still compared with its name, by the drivers that can be told both.
    """
    host, query = address, {}
    if source.driver.startswith("postgresql"):
        host, query = source.server, {"hostaddr": address}
    elif source.driver.startswith("mssql"):
        query = {"driver": "ODBC Driver 18 for SQL Server", "HostNameInCertificate": source.server}
    return URL.create(source.driver, source.user, source.password, host, source.port, source.database, query)


_PRAGMAS: Final = frozenset(
    {
        "data_store_directory",
        "hard_heap_limit",
        "soft_heap_limit",
        "temp_store_directory",
        "trusted_schema",
        "writable_schema",
    }
)
"""What reaches further than the file: settings of the whole process, and of folders; and what breaks a file."""

_LONGEST_VALUE: Final = 64 * 1024 * 1024
"""Bytes that one text or blob may have in a statement of a file database."""

_FORBIDDEN: Final = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})


def _authorize(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action in _FORBIDDEN or (action == sqlite3.SQLITE_FUNCTION and second in ("load_extension", "fts3_tokenizer")):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


# --- the actions


def connect(arguments: Arguments, session: Session) -> Outputs:
    """Database.Connect.*"""
    opened = connected(arguments.text("ConnectionString"), session)
    # The string itself is a secret where it holds a password.
    shown: dict[str, Datum] = {"ConnectionString": f"{opened.source.driver}:{opened.source.server}", "IsClosed": False}
    return {"Connection": session.keep(KIND, opened, shown)}


def execute(arguments: Arguments, session: Session) -> Outputs:
    """Database.ExecuteSqlStatement.Execute, .ConnectAndExecute."""
    statement, seconds = arguments.text("Statement"), arguments.integer("Timeout", 30)
    if arguments.selector.casefold() == "execute":
        return {"Result": session.use(arguments.item("Connection", KIND), Opened).run(statement, seconds)}
    opened = connected(arguments.text("ConnectionString"), session)
    try:
        return {"Result": opened.run(statement, seconds)}
    finally:
        opened.close()


def close(arguments: Arguments, session: Session) -> Outputs:
    """Database.Close. Closing what is closed is nothing."""
    opened = session.drop(arguments.item("Connection", KIND))
    if isinstance(opened, Opened):
        opened.close()
    return None


TABLE: Table = {
    "Database.Connect": Operation(connect),
    "Database.Connect.Connect": Operation(connect),
    "Database.Connect.ConnectOracle": Operation(connect),
    "Database.ExecuteSqlStatement.Execute": Operation(execute),
    "Database.ExecuteSqlStatement.ConnectAndExecute": Operation(execute),
    "Database.ExecuteSqlStatement.ConnectAndExecuteOracle": Operation(execute),
    "Database.Close": Operation(close),
}
