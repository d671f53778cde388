"""The state of a run that is brought back, made while its history is opened: from the latest snapshot on where there is
one, else from the first record. So the history is read once.
"""

from __future__ import annotations

from typing import Any

from ....storage import Page, RunReader
from ...kernel import Plan, Record, State
from ...kernel.contract import records as event
from ...kernel.machines import machine_of
from .external_payloads import foldable_page


class Refolding:
    """A `storage.Folding`. `state` is as of the last page; `calls` counts the results of each action, by its key, that
    were not in the snapshot. `room`: bytes of large values that it may keep.

    `waits`: the snapshot names values that have to be read before anything can be applied to it, which takes the opened
    log. Then the pages are left to whoever reads them.
    """

    def __init__(self, plan: Plan, room: int) -> None:
        self._plan = plan
        self._room = room
        self._machine = machine_of(plan)
        self.state: State = self._machine.state(plan, None)
        self.calls: dict[str, int] = {}
        self.waits = False

    def begin(self, seq: int, snapshot: Any) -> bool:
        """See `storage.Folding`: of no use is a snapshot of another format or plan."""
        self.calls, self.waits = {}, False
        if snapshot is None:
            self.state = self._machine.state(self._plan, None)
            return True
        restored = self._machine.restore(self._plan, snapshot)
        if restored is None or restored.seq + 1 != seq:
            return False
        self.state, self.waits = restored, bool(restored.need)
        return True

    async def take(self, page: Page, reader: RunReader) -> None:
        """See `storage.Folding`."""
        if not self.waits:
            self.apply(await foldable_page(self._plan, page, reader, self.state.seq))

    def apply(self, records: list[Record]) -> None:
        """Apply the next records; large values are let go where there are too many."""
        machine, plan, state = self._machine, self._plan, self.state
        for record in records:
            if record[1] == event.RESULT:
                key = plan.nodes[record[2]].key
                self.calls[key] = self.calls.get(key, 0) + 1
            machine.apply(plan, state, record)
        if state.resident > self._room:
            machine.relieve(state, self._room // 2)
