"""What runs need of the worker that drives them, by who needs it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ....storage import Vault
from ...kernel import Plan, Record, State
from ..calls.callers import Callers
from ..calls.dispatch import Performer
from ..calls.outgoing import Underway
from ..calls.protocols import DesktopFlowCalls, Routes
from ..flows.library import Library
from ..workers.clock import Clock
from .admission import Admission
from .background import BackgroundTasks
from .turn_pace import TurnPace

if TYPE_CHECKING:
    from ..workers.evaluations import Evaluations
    from .claims import Claims
    from .eviction import Eviction
    from .live_run import LiveRun
    from .recovery import Reviving


class RunQueue(Protocol):
    """The queues in which runs wait for machines."""

    wanted: bool
    """Whether something may be there to be claimed."""

    @property
    def alone(self) -> bool:
        """Whether this process executes nothing else than the runs of queues."""
        ...

    def serves(self, queue: bytes | None) -> bool:
        """Return whether runs of this queue, or of none, execute here."""
        ...

    async def may_serve(self, run_id: bytes) -> bool:
        """Return whether a run may execute here, as far as the store says."""
        ...

    def adopted(self, run_id: bytes, pins: Mapping[str, Any]) -> None:
        """Note with the current commit that a run that begins here is for a queue, where its pins say so."""
        ...

    def left(self, run: LiveRun) -> None:
        """Note that a run has left memory: another one may begin."""
        ...

    def late(self, state: State, now: int) -> Record | None:
        """Return the end of a run that has waited too long."""
        ...

    async def put_back(self, run_id: bytes, pins: Mapping[str, Any], *, begun: bool) -> None:
        """Give a run to whoever serves its queue."""
        ...

    async def take(self) -> bool:
        """Bring back what can begin. Return whether the store was asked."""
        ...

    def with_room(self) -> list[bytes]:
        """Return the queues of which something could begin."""
        ...


class OrphanEnding(DesktopFlowCalls, Protocol):
    """Calls of desktop flows, and the end of called runs that nobody waits for."""

    async def is_orphan(self, parent: bytes | None, state: State) -> bool:
        """Return whether nobody waits for this called run."""
        ...

    def end_orphan(self, run: LiveRun) -> None:
        """Cancel such a run before anything else happens in it."""
        ...


class TurnSettings(Protocol):
    """What a turn may take: time, memory, and where it is evaluated when that is too much for the event loop."""

    @property
    def pace(self) -> TurnPace:
        """How long a turn may take."""
        ...

    @property
    def room(self) -> int:
        """How many bytes of large values a run may keep in memory."""
        ...

    @property
    def evaluations(self) -> Evaluations:
        """The processes for long evaluations."""
        ...


class RunHost(Routes, TurnSettings, Protocol):
    """What a run in memory needs of its worker."""

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def clock(self) -> Clock:
        """The worker's clock."""
        ...

    @property
    def claims(self) -> Claims:
        """Which runs the worker owns, and signals to them."""
        ...

    @property
    def background(self) -> BackgroundTasks:
        """What is done while nobody waits for it."""
        ...

    @property
    def eviction(self) -> Eviction:
        """How runs leave memory."""
        ...

    @property
    def callers(self) -> Callers:
        """The tasks that make calls."""
        ...

    @property
    def underway(self) -> Underway:
        """The calls that outlive a lock."""
        ...

    @property
    def parting(self) -> bool:
        """Whether the runs are handed over, so that nothing more is done here."""
        ...

    def run_duration(self, plan: Plan) -> int:
        """Return how long a run of this plan may last, in ticks."""
        ...


class RunsInMemory(Protocol):
    """The runs in memory."""

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def live(self) -> Mapping[bytes, LiveRun]:
        """The runs in memory, by id."""
        ...


class RecoveryHost(RunHost, RunsInMemory, Protocol):
    """What the recovery of runs needs of the worker."""

    @property
    def library(self) -> Library:
        """The environment's flows."""
        ...

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def admission(self) -> Admission:
        """The limits of how many runs of a flow there are."""
        ...

    @property
    def queue(self) -> RunQueue:
        """The queues in which runs wait for machines."""
        ...

    @property
    def desktop_calls(self) -> OrphanEnding:
        """Calls of desktop flows."""
        ...

    def adopt(self, run: LiveRun) -> None:
        """Drive a run from now on."""
        ...


class StarterHost(RunHost, RunsInMemory, Protocol):
    """What the start of runs needs of the worker."""

    @property
    def library(self) -> Library:
        """The environment's flows."""
        ...

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def admission(self) -> Admission:
        """The limits of how many runs of a flow there are."""
        ...

    @property
    def queue(self) -> RunQueue:
        """The queues in which runs wait for machines."""
        ...

    @property
    def recovery(self) -> Reviving:
        """How runs are brought back."""
        ...

    def adopt(self, run: LiveRun) -> None:
        """Drive a run from now on."""
        ...


class EvictionHost(Protocol):
    """What eviction needs of the worker. It removes runs from `live`."""

    live: dict[bytes, LiveRun]

    @property
    def admission(self) -> Admission:
        """The limits of how many runs of a flow there are."""
        ...

    @property
    def background(self) -> BackgroundTasks:
        """What is done while nobody waits for it."""
        ...

    @property
    def claims(self) -> Claims:
        """Which runs the worker owns, and signals to them."""
        ...

    @property
    def performer(self) -> Performer:
        """What makes calls, and holds the sessions of desktop flows."""
        ...

    @property
    def queue(self) -> RunQueue:
        """The queues in which runs wait for machines."""
        ...

    @property
    def recovery(self) -> Reviving:
        """How runs are brought back."""
        ...

    def at_hand(self, run_id: bytes) -> AbstractAsyncContextManager[LiveRun | None]:
        """Return a run that takes in at once what it is given; None where it has ended."""
        ...


class ClaimsHost(RunsInMemory, Protocol):
    """What claims need of the worker. `parting`: nothing more is done here until the runs are handed over."""

    parting: bool

    @property
    def clock(self) -> Clock:
        """The worker's clock."""
        ...

    @property
    def performer(self) -> Performer:
        """What makes calls, and holds the sessions of desktop flows."""
        ...

    @property
    def queue(self) -> RunQueue:
        """The queues in which runs wait for machines."""
        ...

    async def resume(self, run_id: bytes, *, ending: bool = False) -> LiveRun | None:
        """Bring an unfinished run into memory; None where it has ended."""
        ...

    @property
    def eviction(self) -> Eviction:
        """How runs leave memory."""
        ...

    async def answered(self) -> None:
        """Decide nothing more, and return when the calls under way are answered."""
        ...

    @property
    def background(self) -> BackgroundTasks:
        """What is done while nobody waits for it."""
        ...
