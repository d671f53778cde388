"""The callbacks of a worker's runs: accepted, given to the run, closed when the action's limit lapses.

Every callback is stored in the inbox before it is acknowledged, also where the run is in this process: the commit that
stores it claims the token, so of several processes only one accepts a callback. It leaves the inbox when its record is
queued.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from ....storage import InboxItem, StoreBusy
from ...errors import NotFound
from ...kernel import Open
from .callbacks import ACCEPTED, GONE, RECORDED, UNKNOWN, Address, Delivery, find, is_for, is_late, look_up, store
from .dispatch import Answer

if TYPE_CHECKING:
    from .protocols import CallingRun, RunsAtHand

log = logging.getLogger("sealflow")

_AGAIN_SECONDS: Final = 0.2
"""Between two attempts to write to a busy store."""


class Deliveries:
    """Gives callbacks to the runs of a worker."""

    def __init__(self, runs: RunsAtHand) -> None:
        self._runs = runs
        # How many tasks are about to store a callback and give it to its run: it is not taken from the inbox meanwhile.
        self._under_way: Counter[tuple[bytes, str]] = Counter()

    def is_under_way(self, address: Address) -> bool:
        """Whether a callback with this address is in the inbox and in the hands of `deliver` at the same time."""
        return self._under_way[(address.run_id, address.token)] > 0

    async def deliver(self, address: Address, answer: Answer) -> Delivery:
        """Give a callback to the run that waits for it, which is brought back for that: 200, 202, 404 or 410.

        What is accepted is durable when this returns. Raises as `RunsAtHand.at_hand` before it is accepted.
        """
        vault, library = self._runs.vault, self._runs.library
        name = (address.run_id, address.token)
        try:
            async with self._runs.at_hand(address.run_id) as run:
                entry = _entry(run, address)
                if run is not None and entry is not None:
                    path = run.plan.path(entry.node, entry.frame.it)
                    self._under_way[name] += 1
                    try:
                        return Delivery(await self._first(run, address, answer), run.id, path)
                    finally:
                        self._under_way[name] -= 1
                        self._under_way += Counter()  # without those that have come to 0
                if run is not None:
                    await vault.flush()  # what is stored tells of everything that was waited for
        except NotFound:
            return Delivery(UNKNOWN)
        found = await look_up(vault, library, address)
        return Delivery(GONE, found.run, found.path) if found.accepted else found

    async def _first(self, run: CallingRun, address: Address, answer: Answer) -> int:
        vault = self._runs.vault
        number = await store(vault, address, answer)
        if number is None:
            return GONE
        try:
            if await is_late(vault, address, number):
                return GONE
            await run.settled()
            if run.aside or run.failure is not None:
                return ACCEPTED
            if run.now() >= run.expires:
                run.expire()
            entry = _entry(run, address)
            if entry is not None:
                await self._give(run, entry, answer)
            vault.consume(number)
            await vault.flush()
        except Exception as error:
            log.warning("a callback for run %s waits in the inbox: %s", run.id, type(error).__name__)
            return ACCEPTED
        return RECORDED if entry is not None else GONE

    async def carry_out(self, address: Address, answer: Answer) -> None:
        """Give a callback that was accepted before to its run, unless the action is over. When this returns, its record
        is queued. Raises as `RunsAtHand.at_hand`, and the failure of a run that cannot go on.
        """
        async with self._runs.at_hand(address.run_id) as run:
            entry = _entry(run, address)
            if run is not None and entry is not None:
                await self._give(run, entry, answer)

    async def _give(self, run: CallingRun, entry: Open, answer: Answer) -> None:
        run.call_back(entry, answer)
        await run.settled()
        if run.failure is not None:
            raise run.failure

    async def close(self, run: CallingRun, entry: Open) -> bool:
        """The action's limit has lapsed: whether it ends by that. Otherwise a callback was accepted before, and counts.

        After that no callback is accepted for it.
        """
        address = Address.read(run.state.callback_url(run.plan.path(entry.node, entry.frame.it)))
        assert address is not None  # noqa: S101
        callbacks = self._runs.vault.callbacks
        while True:
            try:
                if await callbacks.close(address.run_id, bytes.fromhex(address.token)):
                    return True
                stored = await callbacks.requests_for(address.run_id)
                break
            except StoreBusy:
                await asyncio.sleep(_AGAIN_SECONDS)
        if self.is_under_way(address):
            return False
        kept = next((item for item in stored if is_for(item, address)), None)
        if kept is None or (found := _entry(run, address)) is None:
            return True  # closed before a crash, or over
        run.call_back(found, _answer(kept))  # the inbox is emptied as always
        return False


def _answer(item: InboxItem) -> Answer:
    return Answer(*item.value["answer"])


def _entry(run: CallingRun | None, address: Address) -> Open | None:
    return find(run.state, address.token) if run is not None and run.state.end is None else None
