"""Moves what an environment has to the key that covers it now, while flows are deployed, started and run.

Fast: every scope key is wrapped anew. Whatever steers (flows, triggers, messages, requests, the rows of runs) takes a
fresh scope key at the same time, so that no key that another environment key ever wrapped seals anything that counts.
Full: the histories of runs are sealed again as well, and the scope keys that sealed them before are shredded.

Each step is one commit that also says how far the work is, so that it goes on after a crash where it stood. Only the
environment's executor does this: it holds the logs of the runs in flight.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import Conflict, IntegrityError, RecordNotFound, StorageError, taken_over
from ..format.purposes import Domain, Kind
from ..keys.closing import close
from ..keys.key_source import KeySource
from ..keys.keyring import Keyring
from ..port import Backend, Batch, KeyCount, KeyRow
from .batch_messages import Messages
from .connections import Connections
from .flows import Definitions, Moving
from .inbox.requests import Inbox
from .operations import FAILED, SUCCEEDED, Operation, Operations
from .runs.runs import Runs
from .triggers import Triggers

MIGRATE: Final = "migrate"
MIGRATE_FULL: Final = "migrate --full"
NEW_DATA_KEYS: Final = "rotate --data-keys"
"""As a migration, but what belongs to another domain stays there: under a policy, what was made before it came."""

log = logging.getLogger("sealflow")

_STEP = 256
"""Scope keys that one commit moves, where nobody removes some of them at the same moment."""

_BYTES = 4 * 1024 * 1024
"""Sealed bytes of histories that one commit of a full migration writes, but for one page more."""

_ROUNDS: Final = 10
"""What was made or moved while a round went on is left to the next one."""

_PAUSE: Final = 0.5
"""Seconds between two looks at the runs that are still in flight."""


@dataclass(slots=True)
class _Rewriting:
    """Histories that are sealed anew: those that wait for the next commit (run, cursor and rows), and their bytes."""

    operation: Operation
    domain: int
    progress: Callable[[Operation], None]
    waiting: list[tuple[bytes, bytes | None, Batch]] = field(default_factory=list)
    size: int = 0


class Migration:
    """Moves everything of one environment, with the machinery of its vault."""

    def __init__(
        self,
        backend: Backend,
        keyring: Keyring,
        source: KeySource,
        operations: Operations,
        definitions: Definitions,
        triggers: Triggers,
        inbox: Inbox,
        messages: Messages,
        connections: Connections,
        runs: Runs,
    ) -> None:
        self._backend = backend
        self._keyring = keyring
        self._source = source
        self._operations = operations
        self._definitions = definitions
        self._triggers = triggers
        self._inbox = inbox
        self._messages = messages
        self._connections = connections
        self._runs = runs
        self._damaged: set[bytes] = set()
        self._renewed: set[bytes] = set()  # ended runs that the next commit gives a fresh key
        self._stays = False

    async def remaining(self) -> int:
        """How many scope keys are not wrapped by the live key of the domain they belong to."""
        return await remaining(self._backend, self._source.state.domain, self._keyring, stays=self._stays)

    async def run(self, operation: Operation, progress: Callable[[Operation], None]) -> Operation:
        """Does the work, or what is left of it. Raises EnvironmentLocked, StaleKeys and the errors of the store, after
        which it can be called again; any other fault ends the operation as Failed.

        What was changed from outside stays as it is and is named in the log; the rest is moved, and the operation ends
        as Failed.
        """
        self._damaged.clear()
        self._stays = operation.kind == NEW_DATA_KEYS
        try:
            for _ in range(_ROUNDS):
                operation = replace(operation, done=operation.done + await self._move_connections())
                operation = await self._move_flows(operation, progress)
                operation = await self._move_scopes(operation, progress)
                if await self.remaining() <= len(self._damaged):
                    break
            if operation.kind == MIGRATE_FULL:
                operation = await self._rewrite_runs(operation, progress)
        except StorageError:
            raise
        except Exception as error:
            await self._end(operation, FAILED, type(error).__name__)
            raise
        if self._damaged:
            return await self._end(operation, FAILED, IntegrityError.code)
        return await self._end(operation, SUCCEEDED, None)

    async def _end(self, operation: Operation, status: str, error: str | None) -> Operation:
        batch = Batch(guard=self._keyring.deciding if status == SUCCEEDED else self._keyring.guard)
        ended = await self._operations.moved(operation, batch, done=operation.done, status=status, error=error)
        closed = await close(self._backend, self._keyring, batch) if status == SUCCEEDED else 0
        await self._backend.commit(batch)
        self._keyring.closed = closed or self._keyring.closed
        return ended

    # --- the steps

    async def _move_connections(self) -> int:
        """How many that were."""
        while True:
            batch = Batch(guard=self._keyring.deciding)
            try:
                await self._connections.resealed(self._source.state, batch)
            except IntegrityError as error:
                self._skip(self._keyring.environment, "a connection of environment", error)
                return 0
            if batch.connections.upserts:
                try:
                    await self._backend.commit(batch)
                except Conflict:  # one was removed at the same moment
                    continue
            return len(batch.connections.upserts)

    async def _move_flows(self, operation: Operation, progress: Callable[[Operation], None]) -> Operation:
        domain = self._source.state.domain
        for flow_id in await self._definitions.elsewhere(domain, stays=self._stays):
            if flow_id in self._damaged:
                continue
            try:
                operation = await self._move_flow(operation, flow_id, domain)
            except IntegrityError as error:
                if await self._backend.keys.newest(Kind.FLOW, [flow_id]):  # otherwise it was shredded in the meantime
                    self._skip(flow_id, "flow", error)
                continue
            progress(operation)
        return operation

    async def _move_flow(self, operation: Operation, flow_id: bytes, domain: int) -> Operation:
        moving = Moving(flow_id, domain)
        while True:
            batch = Batch(guard=self._keyring.deciding)
            await self._definitions.move(moving, batch)
            moved = await self._operations.moved(operation, batch, done=operation.done + 1)
            try:
                await self._backend.commit(batch)
            except Conflict:  # it was deployed at the same moment
                continue
            break
        self._definitions.moved(flow_id, domain)
        return replace(moved, done=moved.done + await self._triggers.move(flow_id, domain))

    async def _move_scopes(self, operation: Operation, progress: Callable[[Operation], None]) -> Operation:
        domain = self._source.state.domain
        there = (domain, self._keyring.live_version(domain))
        for key in self._keyring.rows:
            if (key.domain, key.version) == there:
                continue  # whatever it wraps belongs there
            after, step = 0, _STEP
            while rows := await self._backend.keys.wrapped_by(key.domain, key.version, step, after):
                batch, self._renewed = Batch(guard=self._keyring.guard), set()
                moved = sum([await self._move_scope(row, batch) for _, row in rows])
                if moved:
                    further = await self._operations.moved(operation, batch, done=operation.done + moved)
                    try:
                        await self._backend.commit(batch)
                    except (Conflict, RecordNotFound):  # something was removed at the same moment: try again with less
                        step = max(1, step // 4)
                        continue
                    operation = further
                    progress(operation)
                after, step = rows[-1][0], _STEP
        return operation

    async def _move_scope(self, row: KeyRow, batch: Batch) -> int:
        """Puts one scope key into the batch, wrapped by the key it belongs to; how many that were (0 or 1)."""
        target = self._belongs(row)
        if target is None or row.kind in (Kind.FLOW, Kind.CONNECTION) or row.scope in self._damaged:
            return 0  # what was deployed or made in the meantime is the next round's
        try:
            if row.kind == Kind.RUN:
                return await self._move_run(row, target, batch)
            if row.kind == Kind.TRIGGER:
                # Fired for the first time since its flow was moved.
                return int(await self._triggers.move(row.scope, target))
            if row.kind == Kind.MESSAGE:
                return int(await self._messages.reseal(row, target, batch))
            if row.kind == Kind.INBOX:
                return int(await self._inbox.reseal(row, target, batch))
            moved = self._keyring.rewrap_scope(row, target)
        except IntegrityError as error:
            self._skip(row.scope, Kind(row.kind).name.lower(), error)
            return 0
        batch.keys.rewrapped.append(moved)
        return 1

    def _skip(self, scope: bytes, what: str, error: IntegrityError) -> None:
        if self._backend.workers.executor_lost:  # who has taken over may have changed it between two looks
            raise taken_over() from error
        self._damaged.add(scope)
        log.error("%s %s was changed outside of Sealflow and is left where it is: %s", what, scope.hex(), error.message)

    async def _move_run(self, row: KeyRow, domain: int, batch: Batch) -> int:
        """Wraps a key of a run anew, and lets a fresh one seal its row, and what a run in flight still writes."""
        generations = await self._backend.keys.generations(Kind.RUN, row.scope)
        run = await self._backend.runs.get(row.scope)
        if row.generation not in {each.generation for each in generations}:
            return 0  # it went in the meantime
        there = (domain, self._keyring.live_version(domain))
        latest = generations[-1]
        if (
            (latest.domain, latest.key_version) != there
            and row.scope not in self._renewed
            and run is not None
            and (run.ended_ms is not None or not await self._runs.change_key(row.scope, domain))
        ):
            known = (run, generations) if run.ended_ms is not None else None
            await self._runs.renew_row(row.scope, domain, batch, known)
            self._renewed.add(row.scope)
        batch.keys.rewrapped.append(self._keyring.rewrap_scope(row, domain))
        return 1

    async def _rewrite_runs(self, operation: Operation, progress: Callable[[Operation], None]) -> Operation:
        domain = self._source.state.domain
        while runs := await self._backend.runs.find(
            flow_id=None, statuses=None, parent=None, limit=_STEP, before=await self._cursor(operation)
        ):
            work = _Rewriting(operation, domain, progress)
            for run in runs:
                try:
                    if run.ended_ms is not None or not await self._rolled(run.run_id, domain):
                        await self._rewrite(work, run.run_id, run.run_id)
                except IntegrityError as error:
                    self._skip(run.run_id, "run", error)
            await self._commit(work)
            operation = await self._passed(work.operation, runs[-1].run_id)
        # Those that were in flight, as they end.
        while mixed := set(await self._backend.consistency.mixed_scopes(Kind.RUN)) - self._damaged:
            work = _Rewriting(operation, domain, progress)
            for run_id in mixed:
                try:
                    if (await self._runs.one(run_id)).ended_ms is not None:
                        await self._rewrite(work, run_id, None)
                except IntegrityError as error:
                    self._skip(run_id, "run", error)
            await self._commit(work)
            operation = work.operation
            await asyncio.sleep(_PAUSE)
        return operation

    async def renew(self) -> None:
        """Gives what will still be written to (flows, triggers, runs in flight) a fresh scope key where it is."""
        for flow in await self._backend.flows.all():
            batch = Batch(guard=self._keyring.deciding)
            await self._definitions.move(Moving(flow.flow_id, flow.domain), batch)
            await self._backend.commit(batch)
            await self._triggers.move(flow.flow_id, flow.domain)
        for run_id in await self._backend.runs.unfinished():
            row = await self._backend.runs.get(run_id)
            if row is not None:
                await self._runs.change_key(run_id, row.domain)

    async def _rolled(self, run_id: bytes, domain: int) -> bool:
        """Lets a run in flight go on under a fresh key, so that it is rewritten when it ends; False if it has ended."""
        generations = await self._backend.keys.generations(Kind.RUN, run_id)
        return len(generations) > 1 or not generations or await self._runs.change_key(run_id, domain)

    async def _rewrite(self, work: _Rewriting, run_id: bytes, cursor: bytes | None) -> None:
        """Puts a run into the next commit, and does that as soon as it is large enough. Raises IntegrityError of this
        run, with everything before it still to be committed.
        """
        one = Batch()
        try:
            size = await self._runs.rewrite(run_id, work.domain, one, _BYTES)
        except (IntegrityError, RecordNotFound, Conflict):
            if await self._backend.runs.get(run_id) is not None:
                raise
            return  # it was shredded in the meantime
        work.waiting.append((run_id, cursor, one))
        work.size += size
        if work.size >= _BYTES or len(work.waiting) >= _STEP:
            await self._commit(work)

    async def _commit(self, work: _Rewriting) -> None:
        """Writes what waits, in one commit; and one by one, where somebody shreds some of it at this moment."""
        waiting, work.waiting, work.size = work.waiting, [], 0
        parts = [waiting] if waiting else []
        while parts:
            part = parts.pop(0)
            batch = Batch(guard=self._keyring.guard)
            for _, _, one in part:
                batch.add(one)
            moved = await self._operations.moved(
                work.operation, batch, done=work.operation.done + len(part), cursor=part[-1][1]
            )
            try:
                await self._backend.commit(batch)
            except (RecordNotFound, Conflict):
                if len(part) > 1:
                    parts = [[each] for each in part]
                elif await self._backend.runs.get(part[0][0]) is not None:
                    raise
                continue
            work.operation = moved
            work.progress(moved)

    async def _cursor(self, operation: Operation) -> bytes | None:
        """Where it goes on: from the newest run again if the one it came to was shredded."""
        if operation.cursor is None or await self._backend.runs.get(operation.cursor) is None:
            return None
        return operation.cursor

    async def _passed(self, operation: Operation, cursor: bytes) -> Operation:
        batch = Batch(guard=self._keyring.guard)
        operation = await self._operations.moved(operation, batch, done=operation.done, cursor=cursor)
        await self._backend.commit(batch)
        return operation

    def _belongs(self, row: KeyRow | KeyCount) -> int | None:
        return belongs(row, self._source.state.domain, self._keyring, stays=self._stays)


async def remaining(backend: Backend, domain: int, keyring: Keyring, *, stays: bool = False) -> int:
    """How many scope keys of a store are to be moved, where new flows belong to `domain`."""
    counts = await backend.keys.counts()
    return sum(each.scopes for each in counts if belongs(each, domain, keyring, stays=stays) is not None)


def belongs(row: KeyRow | KeyCount, domain: int, keyring: Keyring, *, stays: bool = False) -> int | None:
    """The domain whose live key has to wrap a scope key, None where it is there; new flows belong to `domain`. With
    `stays`, what is in another domain belongs to where it is.
    """
    if stays and row.domain != domain:
        return None
    if row.kind in (Kind.KEY_STATE, Kind.OPERATION, Kind.LEDGER, Kind.RETENTION):
        domain = int(Domain.SERVICE)
    elif row.kind == Kind.CONNECTION:
        domain = row.domain  # by a rule of its own, see connections
    return None if (domain, keyring.live_version(domain)) == (row.domain, row.key_version) else domain
