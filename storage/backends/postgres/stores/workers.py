"""The role of this process among the workers of a PostgreSQL store: a lease in the database."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ....errors import ExecutorLost, StorageError, taken_over
from ..lease import Lease, Role
from ..readers import Readers
from ..statements import SQL


class PostgresWorkers:
    """See `port.WorkerStore`."""

    def __init__(self, readers: Readers, lease: Lease) -> None:
        self._readers = readers
        self._lease = lease

    async def try_become_executor(self) -> bool:
        self._readers.check_open()
        return await self._lease.take()

    async def join(self, *, lead: bool = True) -> bool:
        self._readers.check_open()
        return await self._lease.join(lead=lead)

    async def lead(self) -> bool:
        self._readers.check_open()
        self._lease.may_lead = True
        await self._lease.tend()
        return self._lease.leads

    async def ask_for_role(self, asking: bool) -> bool:
        if self._lease.shared:
            await self.as_worker(SQL["want_lead"], *self.role(), asking)
        return True

    async def role_wanted(self) -> bool:
        role = self._lease.role
        return await self._readers.value(SQL["lead_wanted"], role.worker if role is not None else b"") is not None

    async def hand_over(self) -> None:
        if self._lease.shared:
            await self._lease.hand_over()
            await self.hint()

    @property
    def holds_role(self) -> bool:
        return self._lease.held

    async def confirm_role(self) -> None:
        self._readers.check_open()
        await self._lease.confirm()

    @property
    def paused(self) -> bool:
        return self._lease.paused

    @property
    def shared(self) -> bool:
        return self._lease.shared

    @property
    def leads(self) -> bool:
        return self._lease.leads

    @property
    def executor_lost(self) -> bool:
        return self._lease.lost

    async def executor_pid(self) -> int | None:
        pid: int | None = await self._readers.value(SQL["executor_pid"])
        return pid

    async def hint(self) -> None:
        """Notify the other workers. Never raises: a worker that misses it checks by itself."""
        with suppress(StorageError):
            await self._readers.value(SQL["hint"], self._readers.target.schema)

    def role(self) -> Role:
        """Return the role under which this process writes. Raises ExecutorLost, StoreClosed."""
        self._readers.check_open()
        role = self._lease.role
        if role is None or self._lease.lost:
            raise taken_over()
        return role

    async def as_worker(self, sql: str, *parameters: Any) -> list[Any]:
        """Run a query as a worker. Raises ExecutorLost if the worker was taken over."""
        try:
            return await self._readers.select(sql, parameters)
        except ExecutorLost:
            self._lease.lose()
            raise

    async def tend(self) -> None:
        """Take over from workers whose lease has ended, and the lead if no worker has it."""
        await self._lease.tend()

    def lose(self) -> None:
        """Another process has taken over."""
        self._lease.lose()
