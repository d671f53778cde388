"""What a PostgreSQL server gets to see: the published columns, and nothing in them that a flow knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sealflow
from canaries import Canaries, files
from postgres_server import PostgresServer

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres import PostgresBackend  # noqa: E402
from sealflow.storage.backends.sqlite.connection import connect  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "clear-columns.md"
CANARIES = Canaries({what: f"Kanariepgzjxv{what}Vogel" for what in ("name", "action", "value", "input", "answer")})
C = CANARIES.texts


def added() -> set[str]:
    """`table.column` of what the page says is in PostgreSQL alone."""
    section = PAGE.read_text("utf-8").partition("\n## In PostgreSQL\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+\.\w+)`", row)}


def in_a_file(path: Path) -> set[str]:
    connection = connect(path)
    names = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    ).fetchall()
    connection.close()
    return {f"{table.decode()}.{column.decode()}" for table, column in names if not table.startswith(b"sqlite_")}


async def test_every_column_is_published(postgres: PostgresServer, schema: str, tmp_path: Path) -> None:
    await (await PostgresBackend.open(postgres.url, schema)).close()
    connection = await asyncpg.connect(postgres.url)
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = $1", schema
    )
    await connection.close()
    assert {f"{table}.{column}" for table, column, _ in rows} == (
        in_a_file(tmp_path / "store.db") - {"pages.id"} | added()
    )
    assert not {kind for _, _, kind in rows} & {"text", "character varying", "json", "jsonb"}


async def test_the_server_has_nothing_in_the_clear(postgres: PostgresServer, tmp_path: Path) -> None:
    flow = {
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {
            C["action"]: {"type": "Compose", "inputs": [C["value"] * 3_000, "@triggerBody()"]},
            "R": {
                "type": "Response",
                "inputs": {"statusCode": 200, "body": C["answer"]},
                "runAfter": {C["action"]: ["Succeeded"]},
            },
        },
    }
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys.json") as engine:
        info = await engine.create_environment("prod", database=postgres.url)
        environment = await engine.environment("prod")
        await environment.deploy(C["name"], flow)
        (run,) = await environment.start(C["name"], {"x": C["input"]})
        assert (await run.result()).response is not None
        plain = await run.export(plaintext=True)
    postgres.halt("fast")  # what it has in memory goes to its files, and they stay as they are
    try:
        kept = files(postgres.folder)
    finally:
        postgres.start()
    assert any(info.id.hex().encode() in data for data in kept.values())  # the name of its schema
    assert CANARIES.missing(plain) == []
    assert CANARIES.found(kept) == []
