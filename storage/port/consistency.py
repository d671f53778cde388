"""What verification asks of a store: rows that do not belong together."""

from __future__ import annotations

from typing import Protocol


class ConsistencyStore(Protocol):
    """Finds keys without rows and rows without owners, as tampering or a fault leaves them."""

    async def mixed_scopes(self, kind: int) -> list[bytes]:
        """Return the scopes of one kind that have more than one generation of keys."""
        ...

    async def flow_scopes(self) -> list[bytes]:
        """Return the scopes of all keys of flows. A scope without a row means that the row was removed."""
        ...

    async def environment_scopes(self) -> list[bytes]:
        """Return the scopes of all keys of environments."""
        ...

    async def orphaned_keys(self, kind: int) -> list[bytes]:
        """Return the scopes of all keys of this kind that have no row, or whose message belongs to no flow: the row was
        removed or moved. The kind is that of a run, flow, connection, request, trigger, message, operation, retention,
        inbox key, policy or assignment.
        """
        ...

    async def orphaned_rows(self) -> dict[str, int]:
        """Return the number of rows, by table, that belong to a run or flow that does not exist."""
        ...
