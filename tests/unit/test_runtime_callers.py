"""Calls share tasks as long as they are answered at once: order, cancelling, and what one call leaves for the next."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest
from sealflow.engine.runtime.calls.callers import Callers

LEFT: ContextVar[str] = ContextVar("left", default="nothing")


class Fake:
    """An `Outgoing` that does what it is told."""

    def __init__(self, name: str, log: list[Any], *, wait: asyncio.Event | None = None, fails: bool = False) -> None:
        self.name = name
        self.task: asyncio.Task[None] | None = None
        self.apart = self.given_up = False
        self._log, self._wait, self._fails = log, wait, fails

    async def make(self) -> None:
        self._log.append((self.name, LEFT.get()))
        if self._wait is not None:
            await self._wait.wait()
        if self._fails:
            raise ValueError(self.name)

    def finished(self, error: Exception | None) -> None:
        self._log.append((self.name, "failed" if error is not None else "over"))


def begin(callers: Callers, *calls: Fake) -> None:
    for call in calls:
        callers.begin(call)  # type: ignore[arg-type]


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_calls_that_do_not_wait_share_a_task() -> None:
    log: list[Any] = []
    calls = [Fake(str(number), log, fails=number == 1) for number in range(4)]
    begin(Callers(), *calls)
    await turns()
    assert len({call.task for call in calls}) == 1
    assert [name for name, _ in log] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert ("1", "failed") in log


async def test_a_call_that_waits_keeps_nobody_waiting() -> None:
    log: list[Any] = []
    gates = [asyncio.Event(), asyncio.Event()]
    first, second, third = Fake("a", log, wait=gates[0]), Fake("b", log, wait=gates[1]), Fake("c", log)
    callers = Callers()
    begin(callers, first, second)
    await turns()
    begin(callers, third)
    await turns()
    assert [name for name, _ in log] == ["a", "b", "c", "c"]
    gates[1].set()
    gates[0].set()
    await turns()
    assert sorted(name for name, what in log if what == "over") == ["a", "b", "c"]


async def test_cancelling_a_call_ends_no_other() -> None:
    log: list[Any] = []
    gate = asyncio.Event()
    first, others = Fake("a", log, wait=gate), [Fake(name, log) for name in "bcd"]
    begin(Callers(), first, *others)
    others[1].given_up = True
    await turns()
    assert first.task is not None
    first.task.cancel()
    await turns()
    assert [(name, what) for name, what in log if what == "over"] == [("b", "over"), ("d", "over"), ("a", "over")]


async def test_what_a_call_leaves_in_its_context_is_not_there_for_the_next() -> None:
    log: list[Any] = []

    class Leaving(Fake):
        async def make(self) -> None:
            await super().make()
            LEFT.set(self.name)

    calls = [Leaving("a", log), Leaving("b", log), Fake("c", log)]
    begin(Callers(), *calls)
    await turns()
    assert [what for name, what in log if what != "over"] == ["nothing"] * 3
    assert len({call.task for call in calls}) == 3


async def test_a_call_that_outlives_its_run_ends_its_task() -> None:
    log: list[Any] = []
    gate = asyncio.Event()
    first, second = Fake("a", log, wait=gate), Fake("b", log)
    callers = Callers()
    begin(callers, first)
    await turns()
    first.apart = True
    gate.set()
    begin(callers, second)
    await turns()
    assert first.task is not None
    assert first.task.done()
    assert second.task is not first.task


async def test_one_that_has_a_task_of_its_own_is_made_once() -> None:
    log: list[Any] = []
    call, callers = Fake("a", log), Callers()
    begin(callers, call)
    callers.alone(call)  # type: ignore[arg-type]
    await turns()
    assert log == [("a", "nothing"), ("a", "over")]


@pytest.mark.parametrize("size", [2_000])
async def test_many_calls_in_one_go(size: int) -> None:
    log: list[Any] = []
    begin(Callers(), *(Fake(str(number), log) for number in range(size)))
    await turns()
    assert len(log) == 2 * size
