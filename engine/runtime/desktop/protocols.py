"""What desktop flows need of the worker that drives their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ....storage import Vault
from ..calls.dispatch import Performer
from ..calls.protocols import StartGuard
from ..flows.library import Library
from ..runs.background import BackgroundTasks
from ..runs.claims import Claims
from ..runs.live_run import LiveRun
from ..workers.clock import Clock

if TYPE_CHECKING:
    from .run_queue import DesktopQueue


class DesktopRuns(Protocol):
    """The runs of desktop flows: found in memory, or brought there."""

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def library(self) -> Library:
        """The environment's flows."""
        ...

    @property
    def live(self) -> Mapping[bytes, LiveRun]:
        """The runs in memory, by id."""
        ...

    @property
    def claims(self) -> Claims:
        """Which runs the worker owns."""
        ...

    async def resume(self, run_id: bytes) -> LiveRun | None:
        """Bring an unfinished run into memory; None where it has ended."""
        ...

    @property
    def background(self) -> BackgroundTasks:
        """What is done while nobody waits for it."""
        ...


class QueuedRuns(DesktopRuns, Protocol):
    """What the queues of machines need."""

    @property
    def clock(self) -> Clock:
        """The worker's clock."""
        ...


class CalledDesktopRuns(DesktopRuns, Protocol):
    """What calls of desktop flows need."""

    @property
    def queue(self) -> DesktopQueue:
        """The queues of machines."""
        ...

    @property
    def performer(self) -> Performer:
        """What makes the calls of connectors."""
        ...

    @property
    def triggers(self) -> StartGuard:
        """Which flows must not start."""
        ...

    async def cancel(self, run_id: bytes, reason: str) -> bool:
        """End a run as Cancelled. Return False where it had ended."""
        ...
