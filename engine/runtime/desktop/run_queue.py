"""Runs of desktop flows that wait for a machine of their group, in the environment's store, and how they are taken.

A run that is put into a queue is history like any other: its start record is stored, with the pin `held`, and nothing
of it is decided. It is nobody's until a machine of the group takes it, by priority and then in the order of requests;
if that machine dies, another one of the group goes on with it. In PostgreSQL the machines are processes that execute
nothing else (`Serving`); in SQLite the one executor is a machine of every group.

What the store says of a queue (`Batch.queues`) is a hint for finding runs. What counts is the pin in the sealed start
record, and it is compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ....storage import pack_record
from ...errors import SealflowError
from ...kernel import Plan, State
from ...kernel.contract import records as event
from ...kernel.contract.status import TIMED_OUT, WAITING
from ...kernel.contract.timing import SECOND
from ..flows.start import Start
from ..history.queue_context import GROUP, queue_of
from ..runs.claims import RunElsewhereError
from .machine_groups import MachineGroup, Serving, named

if TYPE_CHECKING:
    from ..calls.protocols import CallingRun
    from ..runs.live_run import LiveRun
    from .protocols import QueuedRuns

HIGH: Final = "High"
NORMAL: Final = "Normal"
RANKS: Final = {HIGH: 0, NORMAL: 1}

TOO_LONG: Final = "QueueTimeout"
"""The code of a run that no machine has taken in time; its status is TimedOut. (Decided here.)"""

_MINUTE: Final = 60 * SECOND
_TICKS_PER_MS: Final = 10_000
_LISTED: Final = 1_000


class DesktopQueue:
    """The runs of one worker that are put into queues, and those that it takes."""

    def __init__(self, runs: QueuedRuns, groups: Sequence[MachineGroup], serving: Serving | None) -> None:
        self._runs = runs
        self._serving = serving
        self.groups = tuple(groups)
        self.alone = serving is not None
        """Whether this process executes nothing else."""
        wanted = serving.groups if serving is not None else None
        self._chosen = self.groups if wanted is None else tuple(named(self.groups, name) for name in wanted)
        # Of a process that takes nothing by itself: what it has put into a queue.
        self._own: list[bytes] = []
        self._own_turn = asyncio.Lock()
        # Queues of which nothing can be taken until a session is free.
        self._full: set[bytes] = set()
        self.wanted = True
        """Whether something may be there to be taken."""

    @property
    def served(self) -> tuple[MachineGroup, ...]:
        """The groups that this process is a machine of."""
        return self._chosen if self.alone or not self._runs.vault.workers.shared else ()

    def serves(self, queue: bytes | None) -> bool:
        """Whether runs of this queue go on here; None: those that are in no queue."""
        if queue is None:
            return not self.alone
        return not self._runs.vault.workers.shared or any(group.id == queue for group in self.served)

    async def may_serve(self, run_id: bytes) -> bool:
        """Whether a run may go on here, as far as the store says."""
        workers = self._runs.vault.workers
        if not workers.shared or not (self.groups or self.alone):
            return True
        return self.serves(await workers.queue_of(run_id))

    # ---- in

    async def put(self, start: Start, plan: Plan, group: MachineGroup, priority: str) -> None:
        """Put a run into the queue of a group. Durable on return. Raises storage errors."""
        runs, vault = self._runs, self._runs.vault
        until = start.at + group.minutes * _MINUTE if group.minutes is not None else None
        kept = {"id": group.id.hex(), "name": group.name, "priority": priority, "until": until}
        record = event.start(start.at, start.trigger, {**start.pins, GROUP: kept, "held": True})
        packed = pack_record(record)
        digest = await runs.library.digest(start.flow_id, start.version)
        parent = runs.live.get(start.parent) if start.parent is not None else None
        run = vault.create_run(
            start.run_id,
            start.flow_id,
            start.version,
            start.at // _TICKS_PER_MS,
            {"flow": start.flow},
            status=WAITING,
            parent=start.parent,
            parent_domain=parent.log.domain if parent is not None else None,
            definition_digest=digest,
        )
        run.released = True
        run.zips = not plan.secretive
        run.append([record], head=True, packed=packed)
        vault.workers.put_in_queue(
            start.run_id, group.id, RANKS[priority], -(-until // _TICKS_PER_MS) if until is not None else None
        )
        await vault.flush()
        if vault.workers.shared:
            runs.background.hint()
        else:
            self._own.append(start.run_id)
            self.look_soon()

    def inherit(self, start: Start, parent: CallingRun) -> None:
        """What a run of a machine calls runs on that machine, and goes on with its group if the machine dies."""
        kept = parent.state.pins.get(GROUP)
        if kept is not None:
            start.pins[GROUP] = {"id": kept["id"], "name": kept["name"]}

    def adopted(self, run_id: bytes, pins: Mapping[str, Any]) -> None:
        """With the current commit: a run that begins here is for a group, where its pins say so."""
        queue = queue_of(pins)
        if queue is not None:
            self._runs.vault.workers.set_queue(run_id, queue)

    # ---- out

    def look_soon(self) -> None:
        """Take what may begin, as soon as can be."""
        self.wanted = True
        claims = self._runs.claims
        if claims.active:
            claims.look_soon()
        elif self._own:
            self._runs.background.run(self._take_own())

    async def take(self) -> bool:
        """Take what may begin, as far as there are sessions, and bring it back; whether there was a reason to look."""
        if not self.served or not (self.wanted or self._runs.vault.workers.shared):
            return False
        self.wanted = False
        serving = self._serving
        try:
            if serving is not None and serving.sessions is not None:
                await self._take([group.id for group in self.served], serving.sessions)
                return True
            for group in self.served:
                await self._take([group.id], group.sessions)
        except BaseException:
            self.wanted = True
            raise
        return True

    async def _take_own(self) -> None:
        async with self._own_turn:
            await self.take()

    async def _take(self, queues: list[bytes], sessions: int) -> None:
        self._full.update(queues)  # before anything is waited for: whoever leaves meanwhile has another look taken
        tried: list[bytes] = []
        while (room := sessions - self._used(queues)) > 0:  # again, where one has not begun: it takes no session
            found = await self._next(queues, room, [*self._runs.live, *tried])
            for run_id in found:
                await self._begin(run_id)
            if len(found) < room:
                self._full.difference_update(queues)
                return
            tried += found

    async def _next(self, queues: list[bytes], room: int, here: list[bytes]) -> list[bytes]:
        runs = self._runs
        if runs.claims.active:
            now_ms = runs.clock.now() // _TICKS_PER_MS
            return await runs.vault.workers.claim_queued(queues, room, now_ms, here)
        rows = await runs.vault.workers.queued(queues, _LISTED)
        return [row.run_id for row in rows if row.run_id in self._own and row.run_id not in here][:room]

    async def _begin(self, run_id: bytes) -> None:
        try:
            await self._runs.resume(run_id)
        except RunElsewhereError:
            return
        except Exception as error:
            await self._runs.claims.later(run_id, error)
            return
        if run_id in self._own:
            self._own.remove(run_id)

    def _used(self, queues: Sequence[bytes]) -> int:
        """How many sessions are taken: what a run calls on the same machine takes none."""
        return sum(
            run.state.pins.get("held") is True and queue_of(run.state.pins) in queues
            for run in self._runs.live.values()
        )

    def left(self, run: LiveRun) -> None:
        """A run has ended, or left memory: there may be a session for the next."""
        if self._full and queue_of(run.state.pins) in self._full:
            self.look_soon()

    def with_room(self) -> list[bytes]:
        """The queues that something could be taken of: the others are looked at when a session is free."""
        return [group.id for group in self.served if group.id not in self._full]

    # ---- too late, or in the wrong place

    def late(self, state: State, now: int) -> event.Record | None:
        """The end of a run that has waited too long for a machine."""
        kept = state.pins.get(GROUP)
        until = kept.get("until") if isinstance(kept, dict) else None
        if not isinstance(kept, dict) or until is None or state.seq != 1 or now < until:
            return None
        minutes = (until - state.started) / _MINUTE
        message = f"No machine of the group '{kept['name']}' has taken the run within {minutes:g} minutes."
        return event.stop(now, TIMED_OUT, TOO_LONG, message)

    async def put_back(self, run_id: bytes, pins: Mapping[str, Any], *, begun: bool) -> None:
        """Give a run to whoever serves its group; it was taken here although this process does not."""
        vault, kept = self._runs.vault, pins[GROUP]
        if begun:
            vault.workers.set_queue(run_id, bytes.fromhex(kept["id"]))
            vault.workers.set_wait(run_id, 0, release=True)
        else:
            until = kept.get("until")
            vault.workers.put_in_queue(
                run_id,
                bytes.fromhex(kept["id"]),
                RANKS.get(kept.get("priority"), 1),
                -(-until // _TICKS_PER_MS) if until is not None else None,
            )
        await vault.flush()


def priority_of(given: object) -> str:
    """`High` or `Normal`, as a call may write it. Raises SealflowError, code InvalidPriority."""
    name = str(given or NORMAL).strip().capitalize()
    if name not in RANKS:
        raise SealflowError(f"'{given}' is no priority.", code="InvalidPriority", hint="It is High or Normal.")
    return name
