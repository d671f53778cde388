"""Shredding: a thing goes with the key that alone can open it, and a tombstone says so in the ledger.

What is deleted here is gone from the live store. Copies are not: the write-ahead log until it is emptied, backups until
they are destroyed, whatever else was copied for as long as it is kept. The report says what is known of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from ..errors import Conflict, IntegrityError, RecordNotFound, StorageError, TamperedHistory
from ..keys.keyring import Keyring
from ..models import RunInfo
from ..port import Backend, Batch, CallbackChanges, ConnectionChanges, FlowChanges, RunChanges
from .inbox.sealed_items import start_token
from .ledger import CONNECTION, FLOW, RUN, Ledger
from .retention import Retentions
from .runs.runs import Runs

_STEP: Final = 64
"""Runs that one commit removes: nobody who writes waits long for it."""

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was shredded: how many `runs`. The live store is done in any case.

    `wal` is pending while the write-ahead log may still hold what was removed. `backups_until_ms` is when the last
    registered backup that holds it expires, None where that is not known: where there is none on record, or one that
    does not expire.
    """

    runs: int
    wal: Literal["done", "pending"]
    backups_until_ms: int | None = None


class Shredding:
    """Shreds runs, flows and connections of one environment."""

    def __init__(self, backend: Backend, keyring: Keyring, ledger: Ledger, runs: Runs, retentions: Retentions) -> None:
        self._backend = backend
        self._keyring = keyring
        self._ledger = ledger
        self._runs = runs
        self._retentions = retentions

    async def runs(self, run_ids: Sequence[bytes]) -> int:
        """Shreds runs with their histories; durable on return. Those that are gone already are no error.

        Raises Conflict for one that has not ended, or whose parent has not: it may still be asked for. Those before it
        are gone then.
        """
        done = 0
        async for part in self._parts(run_ids):
            done += await self._remove_runs(part)
        return done

    async def _parts(self, run_ids: Sequence[bytes]) -> AsyncIterator[list[bytes]]:
        """Runs to be removed together; one by one where one of them may not go now."""
        for at in range(0, len(run_ids), _STEP):
            part = list(dict.fromkeys(run_ids[at : at + _STEP]))
            needed = await self._backend.runs.needed(part)
            for group in [part] if not needed else [[run_id] for run_id in part]:
                yield group

    async def _remove_runs(self, run_ids: list[bytes]) -> int:
        there = [run_id for run_id in run_ids if await self._backend.runs.get(run_id) is not None]
        if not there:
            return 0

        async def make() -> Batch:
            return Batch(runs=RunChanges(removed=there))

        await self._ledger.say([(RUN, run_id) for run_id in there], self._keyring.guard, make)
        return len(there)

    async def flow(self, flow_id: bytes) -> int:
        """Shreds a flow with all its versions, its trigger, waiting messages and runs; gives how many runs that were.

        A crash in between leaves the flow with fewer runs; called again, it goes on. Raises RecordNotFound, and
        Conflict while a run of it is in flight; nothing is gone then.
        """
        if await self._backend.flows.find(flow_id=flow_id) is None:
            raise RecordNotFound(f"There is no flow {flow_id.hex()} in this environment.")
        runs = await self._of_flow(flow_id)
        flying = sum(run.ended_ms is None for run in runs)
        if flying:
            raise Conflict(
                f"{flying:,} runs of the flow have not ended.", hint="Cancel them first, or wait for them to end."
            )
        done = await self.runs([run.run_id for run in runs])

        async def make() -> Batch:
            return Batch(
                flows=FlowChanges(removed=[flow_id]),
                callbacks=CallbackChanges(forgotten=[flow_id, start_token(flow_id).scope]),
            )

        await self._ledger.say([(FLOW, flow_id)], self._keyring.guard, make)
        return done

    async def connection(self, connection_id: bytes) -> None:
        """Shreds a connection. One that is gone is no error."""

        async def make() -> Batch:
            return Batch(connections=ConnectionChanges(removed=[connection_id]))

        await self._ledger.say([(CONNECTION, connection_id)], self._keyring.guard, make)

    async def retain(self, now_ms: int) -> int:
        """Shreds what no flow's retention keeps, and gives how many runs that were.

        Only what its own sealed head says counts: a run whose row was changed from outside is left alone, and so is
        one that has not ended or whose parent has not.
        """
        done = 0
        for flow_id, (_, retention) in (await self._retentions.all()).items():
            ended = [
                info
                for run in await self._of_flow(flow_id)
                if run.ended_ms is not None and (info := await self._info(run.run_id)) is not None
            ]
            async for part in self._parts(retention.over(ended, await self._backend.runs.sizes(flow_id), now_ms)):
                with suppress(Conflict):  # its parent is in flight: another time
                    done += await self._remove_runs(part)
        return done

    async def again(self, subjects: Sequence[tuple[str, bytes]]) -> None:
        """Shreds what was shredded before and is there again. What is in flight again stays, see `runs`."""
        for kind, subject in subjects:
            with suppress(Conflict, RecordNotFound):
                if kind == RUN:
                    await self.runs([subject])
                elif kind == FLOW:
                    await self.flow(subject)

    async def settled(self) -> Literal["done", "pending"]:
        """Empties the write-ahead log where nobody stands in the way."""
        try:
            return "done" if await self._backend.settle() else "pending"
        except StorageError:
            return "pending"

    async def _info(self, run_id: bytes) -> RunInfo | None:
        try:
            info = await self._runs.one(run_id)
        except (RecordNotFound, TamperedHistory, IntegrityError):
            return None
        return info if info.ended_ms is not None else None

    async def _of_flow(self, flow_id: bytes) -> list[_Listed]:
        found: list[_Listed] = []
        before: bytes | None = None
        while rows := await self._backend.runs.find(
            flow_id=flow_id, statuses=None, parent=None, limit=_PAGE, before=before
        ):
            found += [_Listed(row.run_id, row.ended_ms) for row in rows]
            before = rows[-1].run_id
        return found


@dataclass(frozen=True, slots=True)
class _Listed:
    run_id: bytes
    ended_ms: int | None
