"""Connection strings as Windows programs write them, read into what SQLAlchemy connects to.

ODBC (`Driver={SQLite3 ODBC Driver};Database=...`) and OLE DB (`Provider=MSOLEDBSQL;Data Source=...`) name a driver of
Windows; here each has the driver of Python that reaches the same database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .fault import fault

_PART = re.compile(
    r"""\s*([^=;]+?)\s*=\s*
    (?: \{((?:[^}]|\}\})*)\} | "((?:[^"]|"")*)" | '((?:[^']|'')*)' | ([^;]*) )
    \s*(?:;|$)""",
    re.VERBOSE,
)

# What a driver's or provider's name holds: the dialect and driver of SQLAlchemy, and the package that has the driver.
_DRIVERS: Final = (
    ("sqlite", "sqlite", ""),
    ("postgres", "postgresql+psycopg", "psycopg"),
    ("npgsql", "postgresql+psycopg", "psycopg"),
    ("mysql", "mysql+pymysql", "pymysql"),
    ("mariadb", "mysql+pymysql", "pymysql"),
    ("oracle", "oracle+oracledb", "oracledb"),
    ("oraoledb", "oracle+oracledb", "oracledb"),
    ("msdaora", "oracle+oracledb", "oracledb"),
    ("sqloledb", "mssql+pyodbc", "pyodbc"),
    ("sqlncli", "mssql+pyodbc", "pyodbc"),
    ("msoledbsql", "mssql+pyodbc", "pyodbc"),
    ("sql server", "mssql+pyodbc", "pyodbc"),
)
_SERVER: Final = ("server", "data source", "host", "address", "addr", "network address")
_DATABASE: Final = ("database", "initial catalog", "dbname", "dbq")
_USER: Final = ("uid", "user id", "user", "username")
_PASSWORD: Final = ("pwd", "password")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a string leads. `database`: of a file database its file; `package`: the driver's library, "" if none."""

    driver: str
    database: str
    server: str = ""
    port: int | None = None
    user: str = ""
    password: str = ""
    package: str = ""

    def __repr__(self) -> str:
        return f"Source({self.driver!r}, server={self.server!r})"


def read(text: str) -> Source:
    """Raises Fault InvalidConnectionStringError."""
    parts = _parts(text)
    inner = parts.get("extended properties", "")
    if "=" in inner and "driver" in inner.lower():  # the OLE DB provider for ODBC wraps a string of ODBC
        parts = {**parts, **_parts(inner)}
        parts.pop("provider", None)
    name = (parts.get("driver") or parts.get("provider") or "").lower()
    for known, driver, package in _DRIVERS:
        if known in name:
            return _source(parts, driver, package)
    what = f"'{name}' is no driver that is known here." if name else "It names neither a Driver nor a Provider."
    raise fault("Invalid connection string", what)


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    at = 0
    while at < len(text):
        if text[at] in "; \t\r\n":
            at += 1
            continue
        found = _PART.match(text, at)
        if found is None:
            # The text itself may hold a password.
            raise fault("Invalid connection string", f"It is not made of name=value parts (at character {at + 1}).")
        name, braced, double, single, bare = found.groups()
        value = next((each for each in (braced, double, single) if each is not None), bare or "")
        parts[name.lower()] = value.replace("}}", "}") if braced is not None else value.strip()
        at = found.end()
    return parts


def _first(parts: dict[str, str], names: tuple[str, ...]) -> str:
    return next((parts[name] for name in names if parts.get(name)), "")


def _source(parts: dict[str, str], driver: str, package: str) -> Source:
    server, database = _first(parts, _SERVER), _first(parts, _DATABASE)
    if driver == "sqlite":
        return Source(driver, database or server)
    host, port = server, parts.get("port", "")
    for separator in (",", ":"):
        if separator in host and not port:
            host, _, port = host.rpartition(separator)
    host = host.removeprefix("tcp:")
    if port and not port.strip().isdigit():
        raise fault("Invalid connection string", f"'{port}' is no port.")
    if not host:
        raise fault("Invalid connection string", "It names no server.")
    return Source(
        driver,
        database,
        host,
        int(port) if port else None,
        _first(parts, _USER),
        _first(parts, _PASSWORD),
        package,
    )
