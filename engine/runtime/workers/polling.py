"""How often a worker looks whether there is work for it: at once after a hint of another process, and in intervals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ....storage import StoreClosed

if TYPE_CHECKING:
    from ....storage import Vault

log = logging.getLogger("sealflow")

INBOX_PERIOD: Final = 0.2
"""Seconds between two looks at the inbox: of the machine's time, since other processes live in it."""

LONG: Final = 1.0
"""Seconds between two looks of one that has had nothing to do, where others give hints when they have something for
it: a hint may get lost, and the end of another worker gives none.
"""

QUIET_LOOKS: Final = 25
"""So many looks in a row that found nothing to do come before that."""


class Looking:
    """The pauses of one worker."""

    def __init__(self) -> None:
        self._quiet = 0

    def pause(self, short: float, *, hinted: bool) -> float:
        """Seconds until the next look. `short`: of one that has something to do, or gets no hints (`hinted`)."""
        return max(short, LONG) if hinted and self._quiet >= QUIET_LOOKS else short

    def looked(self, *, busy: bool) -> None:
        """A look and the pause behind it are over; `busy`: something is under way, or a hint has come."""
        self._quiet = 0 if busy else self._quiet + 1


class InboxPolling:
    """Calls `look` again and again, from `begin` to `close`. `busy` says whether the worker has runs in memory."""

    def __init__(self, vault: Vault, look: Callable[[], Awaitable[None]], busy: Callable[[], bool]) -> None:
        self._vault = vault
        self._look = look
        self._busy = busy
        self._hinted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on, until `close`."""
        if self._task is None:
            self._vault.workers.on_hint(self._hinted.set)
            self._task = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        looking = Looking()
        while True:
            self._hinted.clear()
            try:
                await self._look()
            except StoreClosed:
                return
            except Exception as error:
                log.warning("the inbox could not be read: %s", type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(looking.pause(INBOX_PERIOD, hinted=self._vault.workers.shared)):
                    await self._hinted.wait()
            looking.looked(busy=self._busy() or self._hinted.is_set())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
