"""The published list of clear columns is the schema: no column is missing from it, and none is made up."""

from __future__ import annotations

import re
from pathlib import Path

from sealflow.storage.backends.sqlite.connection import connect

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "clear-columns.md"
SEALED = {
    "environments.record",
    "flows.record",
    "versions.record",
    "runs.head",
    "runs.summary",
    "pages.record",
    "chunks.record",
    "snapshots.record",
    "inbox.record",
    "triggers.record",
    "messages.record",
    "key_state.record",
    "policies.record",
    "assignments.record",
    "audit.record",
    "connections.record",
    "operations.record",
    "ledger.record",
    "retention.record",
    "backups.record",
    "inbox_keys.record",
}


def published() -> dict[str, str]:
    """What the page says of each `table.column`."""
    columns: dict[str, str] = {}
    table = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if heading := re.match(r"### (\w+)$", line):
            table = heading[1]
        elif line.startswith("## "):
            table = ""
        elif table and (row := re.match(r"\| `(\w+)` \| (.+) \|$", line)):
            columns[f"{table}.{row[1]}"] = row[2]
    return columns


def schema(path: Path) -> set[str]:
    connection = connect(path)
    tables = [
        name.decode()
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith(b"sqlite_")
    ]
    columns = {
        f"{table}.{row[1].decode()}" for table in tables for row in connection.execute(f"PRAGMA table_info({table})")
    }
    connection.close()
    return columns


def test_every_column_is_published(tmp_path: Path) -> None:
    assert set(published()) == schema(tmp_path / "store.db")


def test_what_is_published_as_sealed_is_sealed() -> None:
    assert {name for name, text in published().items() if text.startswith("sealed")} == SEALED


def test_no_column_holds_text(tmp_path: Path) -> None:
    connection = connect(tmp_path / "store.db")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f"PRAGMA table_info({name.decode()})"):
            assert row[2] in (b"INTEGER", b"BLOB", b""), (name, row)
    connection.close()
