"""Triggers of flows, and the messages that wait for batch triggers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes


class TriggerRow(NamedTuple):
    """The state of a flow's trigger; `due_ms` is when the trigger has to be checked again. A commit writes the row only
    if it is new with version 1, or the stored `row_version` is one less.
    """

    flow_id: bytes
    due_ms: int | None
    row_version: int
    record: bytes


class MessageRow(NamedTuple):
    """A message that waits for a batch trigger. A commit does not add a second message with the same `dedupe` to a
    flow. `size` is that of the message alone.
    """

    message_id: bytes
    flow_id: bytes
    partition_index: bytes
    dedupe: bytes | None
    size: int
    created_ms: int
    record: bytes


class StoredMessageRow(NamedTuple):
    """A message with the number that orders it. Numbers are never used twice."""

    number: int
    row: MessageRow


class PartitionRow(NamedTuple):
    """How much waits in one partition; `first` is the number of its oldest message."""

    partition_index: bytes
    messages: int
    size: int
    oldest_ms: int
    first: int


@dataclass(slots=True)
class TriggerChanges(Changes):
    """What a commit does to triggers."""

    upserts: list[TriggerRow] = field(default_factory=list)
    replaced: list[TriggerRow] = field(default_factory=list)
    """The same row versions, sealed by another key, written before `upserts`. They must exist."""


@dataclass(slots=True)
class MessageChanges(Changes):
    """What a commit does to messages."""

    inserts: list[MessageRow] = field(default_factory=list)
    consumed: list[tuple[bytes, int]] = field(default_factory=list)
    """Flow and number of each."""
    resealed: list[tuple[bytes, bytes, bytes, bytes | None, bytes]] = field(default_factory=list)
    """Flow, message, its new indexes of partition and `dedupe`, and its record. Conflict if the message does not exist.
    Another message of the flow with this `dedupe` is removed, as if it had not been added.
    """


class TriggerStore(Protocol):
    """Reads the triggers of flows."""

    async def get(self, flow_id: bytes) -> TriggerRow | None:
        """Return the trigger of a flow."""
        ...

    async def all(self) -> list[TriggerRow]:
        """Return all triggers, ordered by `due_ms`."""
        ...

    async def due(self, by_ms: int, limit: int) -> list[TriggerRow]:
        """Return up to `limit` triggers whose `due_ms` is at most `by_ms`, in that order."""
        ...


class MessageStore(Protocol):
    """Reads the messages that wait for batch triggers."""

    async def waiting(
        self, flow_id: bytes, partition_indexes: Sequence[bytes] | None, limit: int, after: int
    ) -> list[StoredMessageRow]:
        """Return up to `limit` messages of a flow with a number above `after`, oldest first. With `partition_indexes`,
        return only messages with one of them.
        """
        ...

    async def get(self, message_id: bytes) -> MessageRow | None:
        """Return one message."""
        ...

    async def partitions(self, flow_id: bytes) -> list[PartitionRow]:
        """Return the partitions of a flow that have messages, ordered by their first message."""
        ...
