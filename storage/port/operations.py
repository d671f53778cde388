"""Administrative operations on an environment, and the environment's ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes
from .control import LinkedRow


class OperationRow(NamedTuple):
    """A background operation on the keys of an environment. A commit writes it only if it is new or the stored
    `row_version` is one less. `ended_ms` is None while the operation runs.
    """

    operation_id: bytes
    row_version: int
    created_ms: int
    ended_ms: int | None
    record: bytes


@dataclass(slots=True)
class OperationChanges(Changes):
    """What a commit does to operations, and the entries that it appends to the ledger."""

    upserts: list[OperationRow] = field(default_factory=list)
    ledger: list[LinkedRow] = field(default_factory=list)


class OperationStore(Protocol):
    """Reads the operations of an environment and its ledger."""

    async def all(self) -> list[OperationRow]:
        """Return all operations, oldest first."""
        ...

    async def ledger(self, after: int, limit: int) -> list[LinkedRow]:
        """Return up to `limit` ledger entries with a number above `after`, in order."""
        ...

    async def last_ledger(self) -> LinkedRow | None:
        """Return the newest ledger entry."""
        ...
