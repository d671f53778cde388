"""What a command is prepared with before it starts: moments at which it dies, a faster clock, limits, another user.

Every function is called in the command's own process, by name, with values that JSON has. Some take what sets an
attribute too, so that a test can prepare its own process and undo that.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any


def die_at_commit(number: int, moment: str) -> None:
    """kill -9 right `before` or right `after` the commit number `number` that writes of a run.

    After: the commit is durable, and nothing that waited for it has happened.
    """
    from sealflow.storage.backends.sqlite import SQLiteBackend

    real = SQLiteBackend._commit
    count = 0

    def commit(self: SQLiteBackend, connection: sqlite3.Connection, batch: Any) -> list[int]:
        nonlocal count
        if batch.runs.pages or batch.runs.inserts:
            count += 1
            if count == number and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        numbers = real(self, connection, batch)
        if count == number and moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return numbers

    SQLiteBackend._commit = commit  # type: ignore[method-assign]


def later(seconds: int, patch: Callable[[Any, str, Any], None] = setattr) -> None:
    """The machine's clock, ahead of it by so many seconds: a pause is over at once."""
    from sealflow.engine.kernel.contract.timing import SECOND
    from sealflow.engine.runtime.workers.clock import SystemClock

    patch(SystemClock, "now", lambda _: time.time_ns() // 100 + seconds * SECOND)


def lapse_at_pause(patch: Callable[[Any, str, Any], None] = setattr) -> None:
    """The command's --timeout is over when its run comes to a pause of an hour or more, however long that takes."""
    import asyncio

    from sealflow.engine.kernel.contract.timing import SECOND
    from sealflow.engine.runtime.workers.clock import SystemClock

    real_timeout, real_sleep = asyncio.timeout_at, SystemClock.sleep_until
    begun: list[asyncio.Timeout] = []
    paused = False

    def timeout_at(_: float | None) -> asyncio.Timeout:
        begun.append(real_timeout(0 if paused else None))
        return begun[-1]

    async def sleep_until(clock: SystemClock, due: int) -> None:
        nonlocal paused
        if not paused and due - clock.now() > 1800 * SECOND:
            paused = True
            for each in begun:
                each.reschedule(0)
        await real_sleep(clock, due)

    patch(asyncio, "timeout_at", timeout_at)
    patch(SystemClock, "sleep_until", sleep_until)


def hasten(rate: int, base: int) -> None:
    """The machine's clock, `rate` times as fast since `base` (ticks), the same in all processes."""
    from asyncio import sleep

    from sealflow.engine.kernel.cloud import reply
    from sealflow.engine.runtime.workers.clock import SystemClock

    # Its caller waits in the machine's time: how long it takes to start processes again is not part of the flow.
    reply.ANSWER_WITHIN *= 100 * rate  # type: ignore[misc]

    def now(_: SystemClock) -> int:
        return base + (time.time_ns() // 100 - base) * rate

    async def sleep_until(clock: SystemClock, due: int) -> None:
        while (left := due - clock.now()) > 0:
            await sleep(left / 1e7 / rate)

    SystemClock.now = now  # type: ignore[assignment, method-assign]
    SystemClock.sleep_until = sleep_until  # type: ignore[assignment, method-assign]


def log_everything(file: str) -> None:
    """Every logger of the process at DEBUG, into a file, with all that the records carry."""
    import logging

    class Whole(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return f"{super().format(record)} {record.__dict__}"

    handler = logging.FileHandler(file, encoding="utf-8", errors="surrogatepass")
    handler.setFormatter(Whole())
    logging.basicConfig(level=logging.DEBUG, handlers=[handler], force=True)


def limit_file_size(size: int) -> None:
    """No file may grow beyond `size` bytes: what a full disk does to a program."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def become_nobody() -> None:
    """Root may write everywhere; nobody may not."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def die_at_action(action: str, moment: str) -> None:
    """kill -9 right `before` or right `after` a desktop flow's action of this id reaches outside, the first time."""
    from sealflow.connectors.desktop.port import ModuleConnector

    real = ModuleConnector.invoke

    async def invoke(self: ModuleConnector, call: Any, services: Any) -> Any:
        if call.operation.casefold() != action.casefold():
            return await real(self, call, services)
        if moment == "after":
            await real(self, call, services)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    ModuleConnector.invoke = invoke  # type: ignore[method-assign]
