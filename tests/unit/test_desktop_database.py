"""The Database module, on SQLite files, and the reading of connection strings."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from desktop_world import World
from sealflow.connectors.desktop.connection_string import read
from sealflow.connectors.desktop.database import url_of
from sealflow.connectors.desktop.fault import Fault
from sealflow.engine.datatypes import DataTable, Datum

STRING = "Driver={SQLite3 ODBC Driver};Database=C:\\data.db;"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def run(world: World, connection: Datum, statement: str, **more: Datum) -> Datum:
    done = await world.do("Database.ExecuteSqlStatement.Execute", Connection=connection, Statement=statement, **more)
    return done["Result"]


async def test_statements_on_a_connection(world: World) -> None:
    connection = (await world.do("Database.Connect.Connect", ConnectionString=STRING))["Connection"]
    created = (
        "CREATE TABLE items (id INTEGER, name TEXT, price REAL, data BLOB);"
        "INSERT INTO items VALUES (1, 'a;b', 2.5, x'00ff'), (2, NULL, 3, NULL);"
    )
    assert await run(world, connection, created) == DataTable()
    found = await run(world, connection, "SELECT * FROM items ORDER BY id;")
    assert found == DataTable(
        ("id", "name", "price", "data"), ((1, "a;b", Decimal("2.5"), "00ff"), (2, None, Decimal("3.0"), None))
    )
    assert await run(world, connection, "SELECT id, id FROM items WHERE name LIKE '%:b%'") == DataTable(("id", "id2"))
    await world.do("Database.Close", Connection=connection)
    await world.fails(
        "InstanceLost", "Database.ExecuteSqlStatement.Execute", Connection=connection, Statement="SELECT 1"
    )
    # Each statement took effect at once.
    with sqlite3.connect(world.folder / "data.db") as kept:
        assert kept.execute("SELECT count(*) FROM items").fetchone() == (2,)
    kept.close()


async def test_a_statement_with_a_connection_of_its_own(world: World) -> None:
    done = await world.do(
        "Database.ExecuteSqlStatement.ConnectAndExecute", ConnectionString=STRING, Statement="SELECT 1 AS one"
    )
    assert done["Result"] == DataTable(("one",), ((1,),))


async def test_what_goes_wrong_has_its_name(world: World) -> None:
    connection = (await world.do("Database.Connect.Connect", ConnectionString=STRING))["Connection"]
    failure = await world.fails(
        "ErrorInSQLStatementError", "Database.ExecuteSqlStatement.Execute", Connection=connection, Statement="SELEC 1"
    )
    assert "SELEC" in failure.message
    await world.fails(
        "AccessDeniedError", "Database.Connect.Connect", ConnectionString="Driver=SQLite3;Database=/etc/x.db"
    )
    for wrong in ("x", "Driver={Paradox};Database=a", "Server=a;Database=b"):
        await world.fails("InvalidConnectionStringError", "Database.Connect.Connect", ConnectionString=wrong)
    (world.folder / "sub").mkdir()
    await world.fails(
        "CantConnectToDataSourceError", "Database.Connect.Connect", ConnectionString="Driver=SQLite3;Database=C:\\sub"
    )


async def test_a_statement_does_not_leave_its_file(world: World) -> None:
    connection = (await world.do("Database.Connect.Connect", ConnectionString=STRING))["Connection"]
    outside = world.outside / "other.db"
    for statement in (f"ATTACH '{outside}' AS other", f"VACUUM INTO '{outside}'", "SELECT load_extension('x')"):
        await world.fails(
            "ErrorInSQLStatementError",
            "Database.ExecuteSqlStatement.Execute",
            Connection=connection,
            Statement=statement,
        )
    assert not outside.exists()


async def test_a_statement_that_does_not_end_is_stopped(world: World) -> None:
    connection = (await world.do("Database.Connect.Connect", ConnectionString=STRING))["Connection"]
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    await world.fails(
        "ErrorInSQLStatementError",
        "Database.ExecuteSqlStatement.Execute",
        Connection=connection,
        Statement=endless,
        Timeout=1,
    )


@pytest.mark.parametrize(
    ("text", "host", "query"),
    [
        ("Driver={PostgreSQL Unicode};Server=db.example;Database=d", "db.example", {"hostaddr": "192.0.2.7"}),
        ("Driver={MySQL ODBC 8.0 Driver};Server=db.example;Database=d", "192.0.2.7", {}),
        ("Provider=OraOLEDB.Oracle;Data Source=db.example", "192.0.2.7", {}),
        (
            "Driver={ODBC Driver 17 for SQL Server};Server=db.example",
            "192.0.2.7",
            {"driver": "ODBC Driver 18 for SQL Server", "HostNameInCertificate": "db.example"},
        ),
    ],
)
def test_what_was_judged_is_connected_to(text: str, host: str, query: dict[str, str]) -> None:
    url = url_of(read(text), "192.0.2.7")
    assert (url.host, dict(url.query)) == (host, query)


async def test_a_server_that_may_not_be_reached(world: World) -> None:
    string = "Driver={PostgreSQL Unicode};Server=169.254.169.254;Database=d;Uid=u;Pwd=secret"
    failure = await world.fails("EgressRefused", "Database.Connect.Connect", ConnectionString=string)
    assert "secret" not in str(failure)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Driver={SQLite3 ODBC Driver};Database=C:\\a.db", ("sqlite", "C:\\a.db", "", None, "", "")),
        (
            "DRIVER={PostgreSQL Unicode(x64)};Server=db;Port=5433;Database=d;Uid=u;Pwd={p;}}q}",
            ("postgresql+psycopg", "d", "db", 5433, "u", "p;}q"),
        ),
        (
            "Provider=SQLOLEDB.1;Data Source=tcp:db,1434;Initial Catalog=c;User ID=u;Password='a=b'",
            ("mssql+pyodbc", "c", "db", 1434, "u", "a=b"),
        ),
        (
            'Provider=MSDASQL.1;Extended Properties="Driver={MySQL ODBC 8.0 Unicode Driver};Server=m;Database=x"',
            ("mysql+pymysql", "x", "m", None, "", ""),
        ),
        (
            "Provider=OraOLEDB.Oracle;Data Source=o:1521;User Id=u;Password=p;",
            ("oracle+oracledb", "", "o", 1521, "u", "p"),
        ),
    ],
)
def test_connection_strings(text: str, expected: tuple[object, ...]) -> None:
    source = read(text)
    assert (source.driver, source.database, source.server, source.port, source.user, source.password) == expected
    if source.password:
        assert source.password not in repr(source)


@pytest.mark.parametrize(
    "text", ["", ";;", "a", "Driver=", "=x", "Driver={SQL Server};Server=db,x", "Provider=Microsoft.ACE.OLEDB.12.0"]
)
def test_strings_that_lead_nowhere(text: str) -> None:
    with pytest.raises(Fault) as caught:
        read(text)
    assert caught.value.name == "InvalidConnectionStringError"
