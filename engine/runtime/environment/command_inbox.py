"""What other processes ask of an environment's workers: taken from the inbox, by whoever has the run that it is about,
and by the one that leads where it is about none.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ....storage import (
    EnvironmentLocked,
    ExecutorLost,
    InboxItem,
    IntegrityError,
    KeyUnavailable,
    RecordNotFound,
    StoreBusy,
    StoreClosed,
    StoreFull,
    StoreNotWritable,
)
from ...errors import NotFound
from ..calls.callbacks import Address
from ..calls.dispatch import Answer
from ..flows.start import Start, run_name
from ..runs.claims import RunElsewhereError
from ..workers.requests import ANSWERED, CALLBACK, CANCEL, DEPLOYED, MIGRATE, RESUME, START, SWITCH
from ..workers.retry_backoff import Retries
from .inbox_drain import drain

if TYPE_CHECKING:
    from ..workers.clock import Clock
    from .executor import Executor

log = logging.getLogger("sealflow")

_NOT_NOW: Final = (
    EnvironmentLocked, ExecutorLost, KeyUnavailable, StoreBusy, StoreClosed, StoreFull, StoreNotWritable,
)  # fmt: skip
"""Faults of the store or its keys: what was asked for is still to be done when they are over."""

_FOR_EVER: Final = (IntegrityError, NotFound, RecordNotFound)
"""What was asked for can never be done: the run is gone, or was changed from outside."""


async def take_inbox(executor: Executor) -> int:
    """Carry out what was asked for, and what came while the environment was locked; how many requests there were.

    Raises the store's errors, after which the rest is still there.
    """
    vault = executor.vault
    taken = await drain(executor) if vault.workers.leads else 0
    after = 0
    while items := await vault.inbox(here=True, without=executor.claims.without, after=after):
        for item in items:
            try:
                done = await _take(executor, item)
            except _NOT_NOW:
                await vault.flush()  # what came before it is not done again
                raise
            if done:
                taken += 1
                # Consumed in the same commit that holds what it led to.
                vault.consume(item.id, item.run_id)
            else:
                after = item.id  # it is left to another worker
        await vault.flush()
    return taken


async def _take(executor: Executor, item: InboxItem) -> bool:
    """Do what is asked for; False where that is to be done later, or by another worker."""
    if executor.put_off.waits(item.id) or _is_under_way(executor, item):
        return False
    try:
        await _carry_out(executor, item)
    except RunElsewhereError:
        return False
    except _NOT_NOW:
        raise
    except Exception as error:
        log.warning("a request for run %s failed: %s", _named(item.run_id), type(error).__name__)
        if not isinstance(error, _FOR_EVER):
            executor.put_off.failed(item.id)
            return False
    executor.put_off.over(item.id)
    return True


def _is_under_way(executor: Executor, item: InboxItem) -> bool:
    if item.kind != CALLBACK or item.run_id is None:
        return False
    return executor.callbacks.is_under_way(Address(item.run_id, str(item.value["token"])))


class PutOff:
    """Requests that could not be carried out, although the store works: each is tried again, ever later. What was
    acknowledged is not dropped because, for example, this release cannot resume the run that it is for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._retries = Retries()
        self._due: dict[int, int] = {}

    def waits(self, number: int) -> bool:
        """Whether it is too early for another attempt."""
        return self._clock.now() < self._due.get(number, 0)

    def failed(self, number: int) -> None:
        """Try it again after a while."""
        self._due[number] = self._clock.now() + self._retries.after(_name(number))

    def over(self, number: int) -> None:
        """It is done."""
        if self._due.pop(number, None) is not None:
            self._retries.over(_name(number))


def _name(number: int) -> bytes:
    return b"request %d" % number


async def _carry_out(executor: Executor, item: InboxItem) -> None:
    if item.kind == START:
        start = Start.from_json(item.value)
        if not await executor.vault.run_exists(start.run_id):
            await executor.starter.start(start)
    elif item.kind == CANCEL and item.run_id is not None:
        await executor.cancel(item.run_id, str(item.value))
    elif item.kind == RESUME and item.run_id is not None:
        await executor.resume(item.run_id)
    elif item.kind == DEPLOYED:
        await executor.watching.deployed(item.value)
    elif item.kind == SWITCH:
        await executor.triggers.switch(item.value["flow"], item.value["enabled"])
    elif item.kind == MIGRATE:
        executor.key_work.begin()
    elif item.kind == CALLBACK and item.run_id is not None:
        address = Address(item.run_id, str(item.value["token"]))
        await executor.callbacks.carry_out(address, Answer(*item.value["answer"]))
    elif item.kind == ANSWERED and item.run_id is not None:
        await executor.take_answer(item.run_id, item.value)


def _named(run_id: bytes | None) -> str:
    return run_name(run_id) if run_id is not None else "-"
