"""How long an environment keeps runs and flows, and how it removes them.

The part of `Vault` that deletes; what it deletes is the rest of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from ..stores.ledger import RUN
from ..stores.retention import Retention, Retentions
from ..stores.runs.journal import Journal
from ..stores.runs.runs import Runs
from ..stores.shredding import Shredded, Shredding
from ..stores.triggers import Triggers
from .open_keys import OpenKeys


class VaultRetention(OpenKeys):
    """What a vault keeps and removes. `Vault` makes the parts below."""

    _backups_until: Callable[[], Awaitable[int | None]]
    _journal: Journal
    _now_ms: Callable[[], int]
    _retentions: Retentions
    _runs: Runs
    _shredding: Shredding
    _triggers: Triggers

    async def retention(self, flow_id: bytes) -> Retention:
        """Return how long the runs of a flow are kept."""
        return await self._fresh(lambda: self._retentions.one(flow_id))

    async def set_retention(self, flow_id: bytes, retention: Retention) -> None:
        """Set how long the runs of a flow are kept; durable on return. Raises RecordNotFound."""
        await self._fresh(lambda: self._retentions.set(flow_id, retention))

    async def apply_retention(self, now_ms: int) -> int:
        """Shred the runs that no retention keeps at this time. Return how many. For the executor."""
        done = await self._fresh(lambda: self._shredding.retain(now_ms))
        if done:
            await self._shredding.settled()
        return done

    async def shred_runs(self, run_ids: Sequence[bytes]) -> Shredded:
        """Remove runs with their histories and keys; durable on return. A missing run is no error.

        Raises Conflict for a run that has not ended, or that a run in flight has started.
        """
        done = await self._fresh(lambda: self._shredding.runs(run_ids))
        return await self._shredded(done)

    async def shred_flow(self, flow_id: bytes) -> Shredded:
        """Remove a flow with all its versions, runs, messages and keys; durable on return. For the executor, or if
        there is none.

        Raises RecordNotFound, and Conflict while a run of it is in flight.
        """
        done = await self._fresh(lambda: self._shredding.flow(flow_id))
        self._triggers.forget(flow_id)
        return await self._shredded(done)

    async def shred_again(self, subjects: Sequence[tuple[str, bytes]]) -> None:
        """Shred what these tombstones (kind and subject) name, if a backup restored it. For the executor.

        A run in flight is ended first. A run whose parent is in flight is kept until the parent ends.
        """
        flying = set(await self._backend.runs.unfinished())
        for kind, run_id in subjects:
            if kind == RUN and run_id in flying:
                log = await self._runs.open(run_id, from_snapshot=False)
                log.append([], ended_ms=self._now_ms())
                log.close()
        await self._journal.flush()
        await self._shredding.again(subjects)

    async def finish_shredding(self) -> Literal["done", "pending"]:
        """Remove what was shredded from the write-ahead log, too, unless a reader is in the way."""
        return await self._shredding.settled()

    async def _shredded(self, runs: int) -> Shredded:
        return Shredded(runs, await self._shredding.settled(), await self._backups_until())
