"""The one worker that a SQLite store has: whoever holds `executor.lock`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ..connection import system_error
from ..database import Database
from ..lock import ExecutorLock


class SQLiteWorkers:
    """See `port.WorkerStore`. `forget` is called when the role is handed over."""

    paused = False
    shared = False
    executor_lost = False  # the lock ends with the process only
    holds_role = True

    def __init__(self, database: Database, forget: Callable[[], None]) -> None:
        self._path = path = database.path
        self._database = database
        self._forget = forget
        self._lock = ExecutorLock(path.with_name("executor.lock"))
        self._wanted = ExecutorLock(path.with_name("executor.wanted"))

    async def try_become_executor(self) -> bool:
        return self._locked(self._lock.acquire)

    async def join(self, *, lead: bool = True) -> bool:
        return self._locked(lambda: self._lock.acquire(yields=not lead))

    async def ask_for_role(self, asking: bool) -> bool:
        if asking:
            self._locked(self._wanted.acquire)
        else:
            self._wanted.release()
        return self._lock.yields()

    async def role_wanted(self) -> bool:
        return not self._wanted.held and not self._locked(self._wanted.is_free)

    async def hand_over(self) -> None:
        await self._database.in_writer(self._release)  # behind all commits

    def _release(self, connection: sqlite3.Connection) -> None:
        self._forget()
        self._lock.release()

    def leave(self) -> None:
        """Give the role up, with nothing left to write."""
        self._wanted.release()
        self._lock.release()

    async def lead(self) -> bool:
        return self._lock.held

    async def confirm_role(self) -> None:
        """The role is never in doubt."""

    @property
    def leads(self) -> bool:
        return self._lock.held

    async def executor_pid(self) -> int | None:
        return self._lock.holder()

    def _locked(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except OSError as error:
            raise system_error(error, self._path, "locked") from error
