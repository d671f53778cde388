"""Reads the control store."""

from __future__ import annotations

from ...port import AssignmentRow, EnvironmentRow, LinkedRow, PolicyRow
from .queries import Reads


class ControlReads(Reads):
    """See `port.ControlStore`."""

    async def environments(self) -> list[EnvironmentRow]:
        return await self._each(EnvironmentRow, "environments")

    async def environment(self, name_index: bytes) -> EnvironmentRow | None:
        return await self._one(EnvironmentRow, "environment", name_index)

    async def policies(self) -> list[PolicyRow]:
        return await self._each(PolicyRow, "policies")

    async def policy(self, name_index: bytes) -> PolicyRow | None:
        return await self._one(PolicyRow, "policy", name_index)

    async def assignments(self) -> list[AssignmentRow]:
        return await self._each(AssignmentRow, "assignments")

    async def audit(self, after: int, limit: int) -> list[LinkedRow]:
        return await self._each(LinkedRow, "audit", after, limit)

    async def last_audit(self) -> LinkedRow | None:
        return await self._one(LinkedRow, "last_audit")
