"""The SQL that stands beside this module, and how SQLite takes a schema: statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import complete_statement

from .. import sql_files

_HERE = Path(__file__).parent


def named_queries() -> dict[str, str]:
    """The queries of queries.sql by name, without their comments."""
    return sql_files.named_queries(_HERE)


def schemas() -> list[tuple[int, str]]:
    """(number, text) of each schema, in order."""
    return sql_files.schemas(_HERE)


def statements(script: str) -> Iterator[str]:
    """The single statements of a schema: executed one by one, they stay inside the caller's transaction."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if complete_statement(text):
            yield text
            text = ""
