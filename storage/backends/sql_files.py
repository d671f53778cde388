"""Reads the SQL that stands beside each backend: named queries and numbered schemas. Runs none.

The first file of `schemas` creates a whole store. A later version adds a file with the next number, which changes a
store of the number before.
"""

from __future__ import annotations

import re
from pathlib import Path


def named_queries(folder: Path) -> dict[str, str]:
    """The queries of the folder's queries.sql by name, without the comments between them."""
    parts = re.split(r"^-- name: (\w+)\n", (folder / "queries.sql").read_text("utf-8"), flags=re.MULTILINE)
    texts = (re.sub(r"^--.*\n", "", part, flags=re.MULTILINE).strip() for part in parts[2::2])
    return dict(zip(parts[1::2], texts, strict=True))


def schemas(folder: Path) -> list[tuple[int, str]]:
    """(number, text) of each file in the folder's schemas, in order."""
    files = sorted((folder / "schemas").glob("[0-9]*.sql"))
    return [(int(file.name.split("_")[0]), file.read_text("utf-8")) for file in files]
