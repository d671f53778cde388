"""Reads the SQL that stands beside it: named queries and numbered migrations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import complete_statement

_HERE = Path(__file__).parent


def named_queries() -> dict[str, str]:
    """The queries of queries.sql by name, without their comments."""
    parts = re.split(r"^-- name: (\w+)\n", (_HERE / "queries.sql").read_text("utf-8"), flags=re.MULTILINE)
    texts = (re.sub(r"^--.*\n", "", part, flags=re.MULTILINE).strip() for part in parts[2::2])
    return dict(zip(parts[1::2], texts, strict=True))


def migrations() -> list[tuple[int, str]]:
    """(number, text) of each migration, in order."""
    files = sorted((_HERE / "migrations").glob("[0-9]*.sql"))
    return [(int(file.name.split("_")[0]), file.read_text("utf-8")) for file in files]


def statements(script: str) -> Iterator[str]:
    """The single statements of a migration: executed one by one, they stay inside the caller's transaction."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if complete_statement(text):
            yield text
            text = ""
