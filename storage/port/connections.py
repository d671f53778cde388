"""Connections of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes


class ConnectionRow(NamedTuple):
    """A connection. A commit writes it only if it is new or the stored `row_version` is one less."""

    connection_id: bytes
    name_index: bytes
    domain: int
    row_version: int
    created_ms: int
    updated_ms: int
    record: bytes


@dataclass(slots=True)
class ConnectionChanges(Changes):
    """What a commit does to connections. The keys of a removed connection go with it."""

    upserts: list[ConnectionRow] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)


class ConnectionStore(Protocol):
    """Reads connections."""

    async def all(self) -> list[ConnectionRow]:
        """Return all connections."""
        ...

    async def find(self, name_indexes: Sequence[bytes]) -> ConnectionRow | None:
        """Return the connection with any of these blind indexes of its name."""
        ...
