"""Rows and backends for the suites."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..errors import StorageError
from ..port import (
    Backend,
    Batch,
    ChunkRow,
    EnvironmentKeyRow,
    InboxKeyRow,
    InboxRow,
    KeyChanges,
    KeyRow,
    KeyStateRow,
    LargeValueRow,
    MessageRow,
    PageRow,
    RunRow,
    RunUpdate,
    SealedItemRow,
    TriggerRow,
)

OpenBackend = Callable[[], Awaitable[Backend]]
IDENTITY = b"I" * 16
ALL = 1 << 40
ENVIRONMENT_KEY = EnvironmentKeyRow(1, 1, b"kek", b"kid", b"wrapped", 0, b"mac", None, 5)


def first_batch() -> Batch:
    """What the first commit to a new store carries."""
    return Batch(identity=IDENTITY, keys=KeyChanges(environment_keys=[ENVIRONMENT_KEY]))


def key_row(scope: bytes, *, kind: int = 1, generation: int = 1) -> KeyRow:
    return KeyRow(kind, scope, generation, 1, 1, os.urandom(32), os.urandom(60))


def run_row(run_id: bytes, *, flow_id: bytes = b"F" * 16, status: int = 1, parent: bytes | None = None) -> RunRow:
    return RunRow(run_id, flow_id, 1, 1, status, 5, None, parent, 1, os.urandom(80), 1, os.urandom(70))


def page_row(run_id: bytes, seq: int, size: int = 100) -> PageRow:
    return PageRow(run_id, seq, os.urandom(32), os.urandom(size))


def inbox_row(*, dedupe: bytes | None = None) -> InboxRow:
    return InboxRow(os.urandom(16), 1, None, dedupe, 5, os.urandom(80))


def trigger_row(flow_id: bytes, due_ms: int | None = None, row_version: int = 1) -> TriggerRow:
    return TriggerRow(flow_id, due_ms, row_version, os.urandom(80))


def message_row(
    flow_id: bytes, *, partition: bytes = b"p" * 16, dedupe: bytes | None = None, size: int = 10, created_ms: int = 5
) -> MessageRow:
    return MessageRow(os.urandom(16), flow_id, partition, dedupe, size, created_ms, os.urandom(80))


@asynccontextmanager
async def opened(open_backend: OpenBackend) -> AsyncIterator[Backend]:
    """A backend that is closed at the end."""
    backend = await open_backend()
    try:
        yield backend
    finally:
        await backend.close()


@asynccontextmanager
async def initialised(open_backend: OpenBackend) -> AsyncIterator[Backend]:
    """A backend of a store that has its identity and environment key."""
    async with opened(open_backend) as backend:
        await backend.commit(first_batch())
        yield backend


async def refused(awaitable: Awaitable[object], *errors: type[StorageError]) -> None:
    """Asserts that the call raises one of these."""
    try:
        await awaitable
    except errors:
        return
    raise AssertionError(f"expected one of {', '.join(error.__name__ for error in errors)}")


CUSTOMER_KEY = ENVIRONMENT_KEY._replace(domain=2, policy_epoch=1)


async def state(backend: Backend, epoch: int, lock_epoch: int = 0) -> KeyStateRow:
    """The state with these epochs, written."""
    row = KeyStateRow(epoch, lock_epoch, os.urandom(80))
    await backend.commit(Batch(keys=KeyChanges(state=row)))
    return row


def inbox_key_row(key_id: bytes) -> InboxKeyRow:
    return InboxKeyRow(key_id, 5, os.urandom(32), os.urandom(32), os.urandom(96))


def item_row(key_id: bytes, sequence: int, size: int = 80) -> SealedItemRow:
    return SealedItemRow(key_id, sequence, 4, b"R" * 16, 5, os.urandom(32), os.urandom(size))


FIRST, SECOND = b"1" * 16, b"2" * 16


def value_row(run_id: bytes, *, created_ms: int = 5, settled: int = 0) -> LargeValueRow:
    return LargeValueRow(os.urandom(16), run_id, created_ms, settled)


def chunk(value: LargeValueRow, number: int, size: int = 100) -> ChunkRow:
    return ChunkRow(value.value_id, number, os.urandom(size))


def ended(run_id: bytes) -> RunUpdate:
    return RunUpdate(run_id, 2, 9, 2, b"head", 1, None)
