"""Lists of flows, runs and connections in which a row that does not open is told of and hides no other.

Whoever asks for one thing gets an error where that was damaged; whoever lists has to see the rest. The lists are read
as ever, and one by one only where that fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from typing import Protocol, TypeVar

from ..errors import IntegrityError, RecordNotFound, StaleKeys
from ..keys.keyring import Keyring
from ..models import CorruptRecord, FlowInfo, RunInfo, TriggerState
from ..port import Backend
from .connections import ConnectionInfo, Connections
from .flows import Definitions
from .runs.runs import Runs
from .triggers import Triggers

T = TypeVar("T")
_STEP = 1000


def split(found: Iterable[T | CorruptRecord], damaged: list[CorruptRecord] | None) -> list[T]:
    """What opens; the rest is added to `damaged`. Raises IntegrityError where that is None."""
    good: list[T] = []
    for each in found:
        if not isinstance(each, CorruptRecord):
            good.append(each)
        elif damaged is None:
            raise each.error
        else:
            damaged.append(each)
    return good


class Fresh(Protocol):
    """Does something with the keys as they are now."""

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T: ...


class Listings:
    """Reads the lists of one environment. Raises the errors of a failing store, and EnvironmentLocked."""

    def __init__(
        self,
        backend: Backend,
        keyring: Keyring,
        definitions: Definitions,
        triggers: Triggers,
        runs: Runs,
        connections: Connections,
        fresh: Fresh,
    ) -> None:
        self._backend = backend
        self._keyring = keyring
        self._definitions = definitions
        self._triggers = triggers
        self._runs = runs
        self._connections = connections
        self._fresh = fresh

    async def flows(self) -> list[FlowInfo | CorruptRecord]:
        """All flows, in the order of their first deployment."""
        try:
            return list(await self._fresh(self._definitions.all))
        except IntegrityError:
            scopes = list(await self._backend.consistency.flow_scopes())
            with suppress(IntegrityError):  # those whose key is missing, where the rows can be read at all
                scopes += [row.flow_id for row in await self._backend.flows.all()]
            found = await self._each("flow", list(dict.fromkeys(scopes)), self._definitions.one)
            return sorted(found, key=lambda each: inf if isinstance(each, CorruptRecord) else each.created_ms)

    async def runs(
        self,
        *,
        flow_id: bytes | None = None,
        statuses: Sequence[int] | None = None,
        parent: bytes | None = None,
        limit: int = 30,
        before: bytes | None = None,
    ) -> list[RunInfo | CorruptRecord]:
        """Runs, newest first, chosen by what their rows say in clear. `before` is the id of the last one of the page
        before.
        """
        try:
            return list(
                await self._fresh(
                    lambda: self._runs.list(
                        flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before
                    )
                )
            )
        except IntegrityError:
            try:
                rows = await self._backend.runs.find(
                    flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before
                )
                run_ids = [row.run_id for row in rows]
            except IntegrityError:
                run_ids = await self._run_ids(flow_id, statuses, parent, limit, before)
            return await self._each("run", run_ids, self._runs.one)

    async def _run_ids(
        self,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[bytes]:
        """The same where some rows cannot be read at all: those are given in any case."""
        newest: list[bytes] = []
        after = 0
        while found := await self._backend.runs.ids(after, _STEP):
            newest[:0] = [run_id for _, run_id in reversed(found)]
            after = found[-1][0]
        if before in newest:
            newest = newest[newest.index(before) + 1 :]
        chosen: list[bytes] = []
        for run_id in newest:
            if len(chosen) == limit:
                break
            try:
                row = await self._backend.runs.get(run_id)
            except IntegrityError:
                chosen.append(run_id)
                continue
            if (
                row is not None
                and flow_id in (None, row.flow_id)
                and parent in (None, row.parent)
                and (statuses is None or row.status in statuses)
            ):
                chosen.append(run_id)
        return chosen

    async def triggers(self, flow_ids: Sequence[bytes]) -> list[TriggerState | CorruptRecord]:
        """The states of these flows' triggers, of those that have one."""
        found = await self._each("trigger", flow_ids, self._triggers.one)
        return [each for each in found if each is not None]

    async def connections(self) -> list[ConnectionInfo | CorruptRecord]:
        """All connections, oldest first. Raises IntegrityError for a row that cannot be read at all."""
        try:
            return list(await self._fresh(self._connections.all))
        except IntegrityError:
            rows = {row.connection_id: row for row in await self._backend.connections.all()}
            return await self._each("connection", list(rows), lambda one: self._connections.opened(rows[one]))

    async def _each(
        self, kind: str, ids: Sequence[bytes], read: Callable[[bytes], Awaitable[T]]
    ) -> list[T | CorruptRecord]:
        found: list[T | CorruptRecord] = []
        for one in ids:
            try:
                found.append(await self._fresh(lambda: read(one)))  # noqa: B023 (called at once)
            except RecordNotFound:  # removed in the meantime
                continue
            except (IntegrityError, StaleKeys) as error:
                found.append(CorruptRecord(kind, one, error))
        return found
