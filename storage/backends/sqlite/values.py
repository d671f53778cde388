"""Large values and their chunks, written inside the transaction of the caller."""

from __future__ import annotations

import sqlite3

from ...errors import Conflict
from ...rows import Batch
from .queries import named_queries

_SQL = named_queries()


def write_values(connection: sqlite3.Connection, batch: Batch) -> None:
    """What the batch says of large values. Raises Conflict where one is to be settled, and is gone."""
    if not (batch.large_values or batch.chunks or batch.settled_values or batch.dropped_values):
        return
    execute = connection.execute
    for value in batch.large_values:
        execute(f"{_SQL['insert_large_values']} (?, ?, ?, ?)", value)
    for chunk in batch.chunks:
        row = execute(_SQL["value_number"], (chunk.value_id,)).fetchone()
        if row is not None:
            execute(f"{_SQL['insert_chunks']} (?, ?, ?)", (row[0], chunk.number, chunk.record))
    for value_id in batch.settled_values:
        if execute(_SQL["settle_value"], (value_id,)).rowcount != 1:
            raise Conflict("A large value was removed by somebody else at the same moment.")
    for value_id in batch.dropped_values:
        execute(_SQL["delete_unsettled_chunks"], (value_id,))
        execute(_SQL["delete_unsettled_value"], (value_id,))
