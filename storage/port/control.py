"""The control store: environments, policies, assignments and the audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes


class EnvironmentRow(NamedTuple):
    """An environment."""

    environment_id: bytes
    name_index: bytes
    row_version: int
    created_ms: int
    record: bytes


class PolicyRow(NamedTuple):
    """An enterprise policy. A commit writes it only if it is new or the stored `row_version` is one less."""

    policy_id: bytes
    name_index: bytes
    row_version: int
    created_ms: int
    record: bytes


class AssignmentRow(NamedTuple):
    """The policy that covers an environment: one row for each environment that ever had a policy or a lock. A commit
    writes it under the rule of a policy. It stays when the environment is removed.
    """

    environment_id: bytes
    row_version: int
    updated_ms: int
    record: bytes


class LinkedRow(NamedTuple):
    """An entry of an append-only series, numbered from 1 without gaps and linked to the entry before: the audit of the
    control store, or the ledger of an environment.
    """

    number: int
    created_ms: int
    link: bytes
    record: bytes


@dataclass(slots=True)
class ControlChanges(Changes):
    """What a commit does to the control store."""

    environments: list[EnvironmentRow] = field(default_factory=list)
    changed_environments: list[EnvironmentRow] = field(default_factory=list)
    """Their next row version and record."""
    removed_environments: list[bytes] = field(default_factory=list)
    """The row and its key. The assignment stays: a backup may be restored."""
    policies: list[PolicyRow] = field(default_factory=list)
    removed_policies: list[bytes] = field(default_factory=list)
    assignments: list[AssignmentRow] = field(default_factory=list)
    audit: list[LinkedRow] = field(default_factory=list)


class ControlStore(Protocol):
    """Reads what administrators manage across environments. Only the control store has such rows."""

    async def environments(self) -> list[EnvironmentRow]:
        """Return all environments."""
        ...

    async def environment(self, name_index: bytes) -> EnvironmentRow | None:
        """Return the environment with this blind index of its name."""
        ...

    async def policies(self) -> list[PolicyRow]:
        """Return all policies."""
        ...

    async def policy(self, name_index: bytes) -> PolicyRow | None:
        """Return the policy with this blind index of its name."""
        ...

    async def assignments(self) -> list[AssignmentRow]:
        """Return all assignments."""
        ...

    async def audit(self, after: int, limit: int) -> list[LinkedRow]:
        """Return up to `limit` audit entries with a number above `after`, in order."""
        ...

    async def last_audit(self) -> LinkedRow | None:
        """Return the newest audit entry."""
        ...
