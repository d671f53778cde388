"""What one environment holds, sealed anew for another one: how a backup gets into one that it was not made of.

The environment's id is bound into every record, so nothing can be carried over as it is: everything is opened, verified
on the way, and sealed by fresh keys of the other environment, under the same ids, numbers and times. Flows with all
their versions, runs that have ended, connections and retentions go over. Runs in flight, what waits for flows and where
triggers stand do not: the first environment may go on with those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...keys.key_state import KeyState
from ...keys.keyring import Keyring
from ...models import EnvironmentInfo, Value
from ...port import Backend, Batch
from ...stores.bounded_writes import Parts
from ...stores.connections import Connections
from ...stores.flows import Definitions
from ...stores.retention import Retention, Retentions
from ...stores.runs.journal import Journal
from ...stores.runs.runs import Runs
from ...stores.triggers import Triggers

_BYTES = 4 * 1024 * 1024
"""Sealed bytes of histories that one commit writes, but for one page more."""
_STEP: Final = 256

CopyTrigger = Callable[[Value | None], Value | None]
"""From the state of a flow's trigger, None where it has none, to that of its copy."""

Progress = Callable[[int, int], None]
"""Called with how many runs are done, and of how many."""


def no_trigger(_: Value | None) -> Value | None:
    """Triggers begin as those of new flows."""
    return None


@dataclass(frozen=True, slots=True)
class Copied:
    """What was put into `environment`; `left_out` is how many runs in flight were not."""

    environment: EnvironmentInfo
    flows: int
    runs: int
    connections: int
    left_out: int


class Side:
    """One of the two environments: its rows, its keys, and what reads and writes them."""

    def __init__(self, backend: Backend, keyring: Keyring, state: KeyState, now_ms: Callable[[], int]) -> None:
        self.backend = backend
        self.keyring = keyring
        self.journal = Journal(backend)
        self.definitions = Definitions(backend, keyring, now_ms, _unchanged)
        self.connections = Connections(backend, keyring, now_ms, lambda: state, _unchanged)
        self.runs = Runs(backend, keyring, self.journal)
        self.retentions = Retentions(backend, keyring)
        self.triggers = Triggers(backend, keyring, self.journal)


async def is_empty(backend: Backend) -> bool:
    """Whether an environment holds nothing that makers have made or that waits for them."""
    waiting = await backend.inbox.waiting(1) or (await backend.sealed_inbox.size()).items
    return not (
        waiting
        or await backend.consistency.flow_scopes()
        or await backend.runs.ids(0, 1)
        or await backend.connections.all()
    )


class Resealing:
    """Copies everything from one side to the other, which is empty. Nobody else uses the two meanwhile."""

    def __init__(self, source: Side, target: Side) -> None:
        self._source = source
        self._target = target

    async def all(self, info: EnvironmentInfo, copy_trigger: CopyTrigger, progress: Progress) -> Copied:
        """Copies to the environment `info`. Raises IntegrityError for what was changed in the source from outside,
        TamperedHistory with the run.
        """
        flows = await self._flows(copy_trigger)
        connections = await self._connections()
        runs, left_out = await self._runs(progress)
        await self._target.journal.close()
        return Copied(info, flows, runs, connections, left_out)

    async def _flows(self, copy_trigger: CopyTrigger) -> int:
        source, target = self._source, self._target
        flows = await source.definitions.all()
        for flow in flows:
            numbers = range(1, flow.version + 1)
            versions = [await source.definitions.version(flow.flow_id, number, None) for number in numbers]
            batch = Batch()
            target.definitions.adopt(flow, versions, batch)
            await target.backend.commit(batch)
            retention = await source.retentions.one(flow.flow_id)
            if retention != Retention():
                await target.retentions.set(flow.flow_id, retention)
            stored = await source.triggers.one(flow.flow_id)
            value = copy_trigger(None if stored is None else stored.value)
            if value is not None:
                await target.triggers.one(flow.flow_id)
                target.triggers.set(flow.flow_id, value, None, 0)
                await target.journal.flush()
        return len(flows)

    async def _connections(self) -> int:
        batch = Batch()
        found = await self._source.connections.all()
        for info in found:
            self._target.connections.adopt(info, await self._source.connections.values(info.name), batch)
        await self._target.backend.commit(batch)
        return len(found)

    async def _runs(self, progress: Progress) -> tuple[int, int]:
        source, target = self._source, self._target
        flying = set(await source.backend.runs.unfinished())
        total = sum(runs for _, runs in await source.backend.runs.counts()) - len(flying)
        after = done = 0
        parts = Parts(target.backend, _BYTES)
        while rows := await source.backend.runs.ids(after, _STEP):
            for _, run_id in rows:
                if run_id in flying:
                    continue
                info, reader = await source.runs.one(run_id), await source.runs.reader(run_id, apart=True)
                await target.runs.adopt(info, reader, parts)
                done += 1
            await parts.flush()
            progress(done, total)
            after = rows[-1][0]
        progress(done, total)
        return done, len(flying)


async def _unchanged() -> None:
    """Nobody else changes the keys of a copy."""
