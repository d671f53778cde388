"""What triggers need of the worker that starts their runs."""

from __future__ import annotations

from typing import Protocol

from ....storage import Vault
from ..calls.dispatch import Performer
from ..flows.library import Library
from ..runs.admission import Admission
from ..runs.recovery import Reviving
from ..runs.starter import Starter
from ..workers.clock import Clock
from .batches import Batches


class TriggerRuns(Protocol):
    """Starts the runs of triggers, in the same commit as what the trigger stores."""

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def library(self) -> Library:
        """The environment's flows."""
        ...

    @property
    def clock(self) -> Clock:
        """The worker's clock."""
        ...

    @property
    def performer(self) -> Performer:
        """What makes the calls of polling triggers and webhooks."""
        ...

    @property
    def admission(self) -> Admission:
        """The limits of how many runs of a flow there are."""
        ...

    @property
    def batches(self) -> Batches:
        """The messages that wait for batch triggers."""
        ...

    @property
    def starter(self) -> Starter:
        """What starts runs."""
        ...

    @property
    def recovery(self) -> Reviving:
        """How runs are brought back."""
        ...
