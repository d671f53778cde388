"""The queues of an environment's machine groups as a host shows them: which runs wait, which have been taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ....storage import RecordNotFound
from ...kernel.contract.status import NAMES
from ...revocable import Revocable
from ..flows.start import run_name
from ..keys.access import Opened
from ..keys.scopes import keyed
from .machine_groups import MachineGroup, named
from .run_queue import HIGH, NORMAL, RANKS

_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True, repr=False)
class QueuedRun(Revocable):
    """A run of a queue as lists show it. `state` is Running, NextToRun or Queued."""

    run: str
    flow: str
    group: str
    state: str
    priority: str
    status: str
    requested_ms: int
    parent: str | None


class MachineQueues:
    """The queues of one environment as a host shows them."""

    def __init__(self, access: Opened, groups: Sequence[MachineGroup]) -> None:
        self._access = access
        self.groups = tuple(groups)

    def names(self, chosen: Sequence[str] = ()) -> list[str]:
        """The names of these groups, as they are written there; of all without any. Raises NotFound."""
        return [named(self.groups, each).name for each in chosen] or [group.name for group in self.groups]

    @keyed
    async def runs(self, group: str | None = None) -> list[QueuedRun]:
        """The runs of one group, or of all, that have not ended: in the order in which they are taken. Raises
        NotFound.
        """
        vault = self._access.vault
        chosen = self.groups if group is None else (named(self.groups, group),)
        names = {each.id: each.name for each in chosen}
        if not names:
            return []
        found: list[QueuedRun] = []
        next_of: set[bytes] = set()
        for row in await vault.workers.queued(list(names), _LISTED):
            try:
                info = await vault.run(row.run_id)
            except RecordNotFound:
                continue  # it was deleted since
            if info.ended_ms is not None:
                continue
            state = "Running"
            if row.rank >= 0:
                state = "Queued" if row.queue in next_of else "NextToRun"
                next_of.add(row.queue)
            found.append(
                QueuedRun(
                    run_name(info.run_id),
                    str(info.summary.get("flow", "")),
                    names[row.queue],
                    state,
                    HIGH if row.rank in (RANKS[HIGH], RANKS[HIGH] - 2) else NORMAL,
                    NAMES[info.status],
                    info.started_ms,
                    run_name(info.parent) if info.parent is not None else None,
                )
            )
        return [*map(self._access.given, found)]
