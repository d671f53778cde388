"""Flows: their rows, the versions of their definitions, and how long their runs are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes


class FlowRow(NamedTuple):
    """A flow; `version` is the number of the current version. A commit writes the row only if it is new or the stored
    `row_version` is one less.
    """

    flow_id: bytes
    name_index: bytes
    domain: int
    version: int
    row_version: int
    created_ms: int
    updated_ms: int
    record: bytes


class VersionRow(NamedTuple):
    """One version of a flow's definition."""

    flow_id: bytes
    number: int
    created_ms: int
    record: bytes


class RetentionRow(NamedTuple):
    """How long the runs of a flow are kept. A commit writes it under the rule of a flow."""

    flow_id: bytes
    row_version: int
    record: bytes


@dataclass(slots=True)
class FlowChanges(Changes):
    """What a commit does to flows."""

    upserts: list[FlowRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    replaced_versions: list[VersionRow] = field(default_factory=list)
    """They must exist."""
    retentions: list[RetentionRow] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    """With their versions, triggers, messages, retentions and keys, after runs are removed."""


class FlowStore(Protocol):
    """Reads flows and what belongs to them."""

    async def all(self) -> list[FlowRow]:
        """Return all flows."""
        ...

    async def find(self, *, flow_id: bytes | None = None, name_indexes: Sequence[bytes] = ()) -> FlowRow | None:
        """Return a flow by its id, or by any of the blind indexes of its name."""
        ...

    async def version(self, flow_id: bytes, number: int) -> VersionRow | None:
        """Return one version of a flow."""
        ...

    async def version_numbers(self, flow_id: bytes) -> list[int]:
        """Return the numbers of a flow's versions."""
        ...

    async def retentions(self) -> list[RetentionRow]:
        """Return the retention of each flow that has one."""
        ...
