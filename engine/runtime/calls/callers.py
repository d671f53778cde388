"""The tasks in which an environment's calls are made: as few as there are calls that wait for something.

A task of its own for each call costs more than a call that is answered at once. So a caller takes one call after the
other, and as soon as one of them waits, the next caller takes what is left. Whoever makes a call is in a task all the
same, which may be cancelled, and ends where anything of the call might be seen by the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outgoing import Outgoing


class Callers:
    """Makes calls, in the order in which they are given."""

    def __init__(self) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._tasks: set[asyncio.Task[None]] = set()  # nobody else holds on to them
        self._coming = False

    def begin(self, call: Outgoing) -> None:
        """Make a call soon; `call.task` is who makes it from then on. One that has a task by then is left alone."""
        self._waiting.append(call)
        if not self._coming:
            self._come()

    def alone(self, call: Outgoing) -> None:
        """Make a call that still waits in a task of its own."""
        call.task = self._spawn(_make(call))

    def _come(self) -> None:
        if not self._coming:
            self._coming = True
            self._spawn(self._take())

    def _spawn(self, work: asyncio._CoroutineLike[None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _take(self) -> None:
        self._coming = False
        waiting, task, before = self._waiting, asyncio.current_task(), copy_context()
        assert task is not None  # noqa: S101
        while waiting:
            call = waiting.popleft()
            if call.task is not None or call.given_up:
                continue
            call.task = task
            if waiting and not self._coming:  # for the rest, should this call wait
                self._coming = True
                asyncio.get_running_loop().call_soon(self._look)
            await _make(call)
            if call.apart or task.cancelling() or copy_context() != before:
                break
        if waiting:
            self._come()

    def _look(self) -> None:
        self._coming = False
        if self._waiting:
            self._come()


async def _make(call: Outgoing) -> None:
    try:
        await call.make()
    except asyncio.CancelledError:
        call.finished(None)
        raise
    except Exception as error:
        call.finished(error)
    else:
        call.finished(None)
