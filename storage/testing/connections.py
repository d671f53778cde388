"""The suites for connections and operations."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..format.purposes import Kind
from ..port import (
    Batch,
    ConnectionChanges,
    ConnectionRow,
    KeyChanges,
    OperationChanges,
    OperationRow,
)
from .rows import (
    OpenBackend,
    initialised,
    key_row,
    refused,
)


class ConnectionConformance:
    """The promises of `port.ConnectionStore` and `ConnectionChanges`."""

    async def test_connections(self, open_backend: OpenBackend) -> None:
        rows = [ConnectionRow(os.urandom(16), os.urandom(16), 1, 1, number, 5, b"one") for number in (2, 1)]
        keys = [key_row(row.connection_id, kind=Kind.CONNECTION) for row in rows]
        run_key = key_row(rows[0].connection_id)
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(keys=KeyChanges(inserts=[*keys, run_key]), connections=ConnectionChanges(upserts=rows))
            )
            assert await backend.connections.all() == [rows[1], rows[0]]
            assert await backend.connections.find([b"x", rows[0].name_index]) == rows[0]
            second = rows[0]._replace(name_index=b"n" * 16, domain=2, row_version=2, updated_ms=6, record=b"two")
            await backend.commit(Batch(connections=ConnectionChanges(upserts=[second])))
            for stale in (rows[0], second, second._replace(row_version=4)):
                await refused(backend.commit(Batch(connections=ConnectionChanges(upserts=[stale]))), Conflict)
            twin = rows[1]._replace(connection_id=os.urandom(16))
            await refused(backend.commit(Batch(connections=ConnectionChanges(upserts=[twin]))), Conflict)
            assert await backend.connections.find([b"n" * 16]) == second
            await backend.commit(Batch(connections=ConnectionChanges(removed=[second.connection_id, os.urandom(16)])))
            assert await backend.connections.all() == rows[1:]
            assert await backend.keys.newest(Kind.CONNECTION, [row.connection_id for row in rows]) == keys[1:]
            assert await backend.keys.newest(Kind.RUN, [second.connection_id]) == [run_key]


class OperationConformance:
    """The promises of `port.OperationStore` and `OperationChanges`."""

    async def test_operations(self, open_backend: OpenBackend) -> None:
        rows = [OperationRow(os.urandom(16), 1, number, None, b"one") for number in (2, 1)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(operations=OperationChanges(upserts=rows)))
            ended = rows[0]._replace(row_version=2, ended_ms=9, record=b"two")
            await backend.commit(Batch(operations=OperationChanges(upserts=[ended])))
            assert await backend.operations.all() == [rows[1], ended]
            await refused(backend.commit(Batch(operations=OperationChanges(upserts=[ended]))), Conflict)
