"""What one run does beside deciding: its calls, delays and timers as tasks, found by the action they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..kernel.records import Iteration

if TYPE_CHECKING:
    from .outgoing import Outgoing

ActionKey = tuple[int, Iteration]
"""An action's number in its plan, and the iteration."""


class RunTasks:
    """The tasks of one run. `ended` is called as each of them ends, with its exception where it had one."""

    def __init__(self, ended: Callable[[Exception | None], None]) -> None:
        self._ended = ended
        self._keys: dict[asyncio.Task[None], ActionKey | None] = {}
        self._by_key: dict[ActionKey, asyncio.Task[None]] = {}
        self._calls: dict[asyncio.Task[None], Outgoing] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: ActionKey) -> bool:
        return key in self._by_key

    def spawn(self, work: Coroutine[Any, Any, None], key: ActionKey | None = None) -> None:
        """Do it beside everything else; `key` names the action that it is for, so that it can be given up."""
        self._watch(asyncio.get_running_loop().create_task(work), key)

    def call(self, call: Outgoing) -> None:
        """Make a call, or go on with one that is under way."""
        if call.task is None:
            call.task = asyncio.get_running_loop().create_task(call.make())
        self._calls[call.task] = call
        self._watch(call.task, call.place)

    def release(self) -> list[Outgoing]:
        """The calls that are under way; they are nobody's from now on."""
        released = []
        for task, call in list(self._calls.items()):
            if task is not asyncio.current_task() and not task.done() and not task.cancelling():
                task.remove_done_callback(self._done)
                self._drop(task)
                released.append(call)
        return released

    def _watch(self, task: asyncio.Task[None], key: ActionKey | None) -> None:
        self._keys[task] = key
        if key is not None:
            self._by_key[key] = task
        task.add_done_callback(self._done)

    def give_up(self, key: ActionKey) -> None:
        """Cancel what is done for an action, if anything is; never the task that asks for it."""
        task = self._by_key.get(key)
        if task is not None:
            _cancel(task)

    def give_up_all(self) -> list[asyncio.Task[None]]:
        """Cancel everything but the task that asks for it; the tasks there were."""
        tasks = list(self._keys)
        for task in tasks:
            _cancel(task)
        return tasks

    def close(self) -> None:
        """Tell nobody of what ends from now on."""
        self._ended = _nobody

    def _done(self, task: asyncio.Task[None]) -> None:
        self._drop(task)
        error = None if task.cancelled() else task.exception()
        self._ended(error if isinstance(error, Exception) else None)

    def _drop(self, task: asyncio.Task[None]) -> None:
        self._calls.pop(task, None)
        key = self._keys.pop(task, None)
        if key is not None and self._by_key.get(key) is task:
            del self._by_key[key]


def _nobody(error: Exception | None) -> None:
    """Of the tasks of a run that is over."""


def _cancel(task: asyncio.Task[None]) -> None:
    if task is not asyncio.current_task():
        task.cancel()
