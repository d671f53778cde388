"""What one run does beside deciding: its calls, delays and timers, found by the action they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..calls.outgoing import ActionKey

if TYPE_CHECKING:
    from ..calls.callers import Callers
    from ..calls.outgoing import Outgoing


class RunTasks:
    """The tasks and calls of one run. `ended` is called as each of them ends, with its exception where it had one."""

    def __init__(self, ended: Callable[[Exception | None], None], callers: Callers) -> None:
        self._ended = ended
        self._callers = callers
        self._tasks: dict[asyncio.Task[None], ActionKey | None] = {}
        self._calls: dict[Outgoing, None] = {}
        self._by_key: dict[ActionKey, asyncio.Task[None] | Outgoing] = {}

    def __len__(self) -> int:
        return len(self._tasks) + len(self._calls)

    @property
    def calling(self) -> bool:
        """Whether a call is under way."""
        return any(call.task is not None for call in self._calls)

    def __contains__(self, key: ActionKey) -> bool:
        return key in self._by_key

    def spawn(self, work: Coroutine[Any, Any, None], key: ActionKey | None = None) -> asyncio.Task[None]:
        """Do it beside everything else; `key` names the action that it is for, so that it can be given up."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = key
        if key is not None:
            self._by_key[key] = task
        task.add_done_callback(self._done)
        return task

    def call(self, call: Outgoing) -> None:
        """Make a call, or go on with one that is under way."""
        self._calls[call] = None
        self._by_key[call.place] = call
        call.over = self._call_over
        if call.task is None:
            self._callers.begin(call)

    def release(self) -> list[Outgoing]:
        """The calls that are under way; they are nobody's from now on."""
        released = []
        for call in list(self._calls):
            if call.task is None:
                self._callers.alone(call)
            task = call.task
            if task is not None and task is not asyncio.current_task() and not task.done() and not task.cancelling():
                call.over = None
                self._drop_call(call)
                released.append(call)
        return released

    def give_up(self, key: ActionKey) -> None:
        """Cancel what is done for an action, if anything is; never the task that asks for it."""
        found = self._by_key.get(key)
        if isinstance(found, asyncio.Task):
            _cancel(found)
        elif found is not None:
            self._give_up_call(found)

    def give_up_all(self) -> list[asyncio.Task[None]]:
        """Cancel everything but the task that asks for it; the tasks there were."""
        tasks = [*self._tasks, *(call.task for call in self._calls if call.task is not None)]
        for task in list(self._tasks):
            _cancel(task)
        for call in list(self._calls):
            self._give_up_call(call)
        return tasks

    def close(self) -> None:
        """Tell nobody of what ends from now on."""
        self._ended = _nobody

    def _give_up_call(self, call: Outgoing) -> None:
        if call.task is not None:
            _cancel(call.task)
        else:  # nobody has begun to make it
            call.given_up, call.over = True, None
            self._drop_call(call)

    def _done(self, task: asyncio.Task[None]) -> None:
        key = self._tasks.pop(task, None)
        if key is not None and self._by_key.get(key) is task:
            del self._by_key[key]
        error = None if task.cancelled() else task.exception()
        self._ended(error if isinstance(error, Exception) else None)

    def _call_over(self, call: Outgoing, error: Exception | None) -> None:
        self._calls.pop(call, None)
        if self._by_key.get(call.place) is call:
            del self._by_key[call.place]
        self._ended(error)

    def _drop_call(self, call: Outgoing) -> None:
        self._calls.pop(call, None)
        if self._by_key.get(call.place) is call:
            del self._by_key[call.place]


def _nobody(error: Exception | None) -> None:
    """Of the tasks of a run that is over."""


def _cancel(task: asyncio.Task[None]) -> None:
    if task is not asyncio.current_task():
        task.cancel()
