"""How long a run may last, and which run has outlived that next.

Source: limits of both products: 30 days in Power Automate, 90 days in Logic Apps; then a run ends as TimedOut.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from datetime import timedelta
from typing import Final

from ...errors import SealflowError
from ...kernel.contract.timing import SECOND

DAY: Final = 86_400 * SECOND
RUN_DURATION: Final = {"power-automate": 30 * DAY, "logic-apps": 90 * DAY}
"""Ticks that a run may last, by dialect, where the environment does not say."""

CODE: Final = "RunDurationExceeded"
"""The code of a run that has outlived its limit; its status is TimedOut."""

_SPARE: Final = 256
"""So many entries of runs that have ended are not worth tidying up."""


def in_ticks(duration: timedelta | None) -> int | None:
    """A run's longest duration in ticks, None where it is the product's. Raises SealflowError for one of nothing."""
    if duration is None:
        return None
    if duration <= timedelta(0):
        raise SealflowError("A run must be allowed to last longer than nothing.", code="InvalidRunDuration")
    return round(duration.total_seconds() * SECOND)


def message(started: int, expires: int) -> str:
    """What such a run's error says."""
    days = (expires - started) / DAY
    return f"The run had not ended after {days:g} day{'s' if days != 1 else ''}, the longest that a run may last."


class Expiry:
    """The runs of an executor by when they expire: a heap, so that nobody has to look at each of them."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes]] = []

    def add(self, run_id: bytes, due: int, live: Collection[bytes]) -> None:
        """Remember a run; `live` are those that have not ended. Entries of others go once they are the most."""
        heapq.heappush(self._heap, (due, run_id))
        if len(self._heap) > _SPARE and len(self._heap) > 2 * len(live):
            self._heap = [entry for entry in self._heap if entry[1] in live]
            heapq.heapify(self._heap)

    def take(self, now: int) -> list[bytes]:
        """The runs whose time is over, the oldest first; each is given once."""
        over = []
        while self._heap and self._heap[0][0] <= now:
            over.append(heapq.heappop(self._heap)[1])
        return over

    def __len__(self) -> int:
        return len(self._heap)
