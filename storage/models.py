"""What the vault answers with: plain, opened values. No bytes that are sealed, no keys, no rows of a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import StorageError

Value = Any
"""A JSON value, plus bytes, integers of any size, decimals and lone surrogates (see codec)."""


@dataclass(frozen=True, slots=True)
class OtherPlace:
    """Where an environment also has rows that do not count: `database` as in EnvironmentInfo. They are a copy that is
    being made there by the attempt with this id, or, `left` behind, what is to be destroyed after it has moved.
    """

    database: str | None = field(repr=False)
    left: bool
    attempt: bytes


@dataclass(frozen=True, slots=True)
class EnvironmentInfo:
    """An environment: `id` is 16 immutable bytes, times are Unix milliseconds. `database` is the address of the
    PostgreSQL database that has its store, without a password; None for a file in the home folder. `location` is the
    region it is said to be in, None where that is not said. `settings` are what an administrator allows its flows, by
    name. `other` is there while it moves.
    """

    id: bytes
    name: str = field(repr=False)
    created_ms: int
    database: str | None = field(default=None, repr=False)
    location: str | None = None
    settings: Mapping[str, Value] | None = field(default=None, repr=False)
    other: OtherPlace | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """The answer to a deployment. `created` is False when the content was the current version's already."""

    flow_id: bytes
    name: str = field(repr=False)
    version: int
    created: bool


@dataclass(frozen=True, slots=True)
class FlowInfo:
    """A deployed flow and its current version's number. `domain` says whose key seals it (purposes.Domain)."""

    flow_id: bytes
    name: str = field(repr=False)
    version: int
    created_ms: int
    updated_ms: int
    domain: int


@dataclass(frozen=True, slots=True)
class FlowDocument:
    """One version of a flow. `digest` is the SHA-256 of its packed document and meta."""

    flow_id: bytes
    number: int
    document: Value = field(repr=False)
    meta: Value = field(repr=False)
    created_ms: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as lists show it. `status` is the host's own number; `ended_ms` is None while the run goes on.

    `definition_digest` is that of the version it was started with, if that was given: hand it to `Vault.version`.
    """

    run_id: bytes
    flow_id: bytes
    version: int
    status: int
    started_ms: int
    ended_ms: int | None
    parent: bytes | None
    summary: Value = field(repr=False)
    definition_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive records of one run. `seq` is the first record's number; records are numbered from 1 without gaps."""

    seq: int
    records: list[Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A request to the environment's executor. `kind` is the host's own number."""

    id: int
    kind: int
    run_id: bytes | None
    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class TriggerState:
    """Where a flow's trigger stands. `due_ms` is when it has to be looked at again, None for never by itself;
    `row_version` is what the next `Vault.set_trigger` expects.
    """

    flow_id: bytes
    due_ms: int | None
    value: Value = field(repr=False)
    row_version: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message that waits for a flow's batch trigger; `number` orders them. `size`: the bytes of its packed value."""

    number: int
    partition: str = field(repr=False)
    value: Value = field(repr=False)
    created_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class MessageCount:
    """What waits in one partition: how many messages, the sum of their sizes, and when the oldest came."""

    count: int
    bytes: int
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class CorruptRecord:
    """A row that does not open. `kind` is flow, trigger (with its flow's id), run, connection or operation; `error` is
    what asking for it alone raises.
    """

    kind: str
    id: bytes
    error: StorageError
