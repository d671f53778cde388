"""A worker does nothing outside while it is not certain that it still has its role. Its clock is injected."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sealflow.connectors import Call, ConnectorResponse, Registry, Services
from sealflow.engine.kernel.contract.operations import Operation
from sealflow.engine.runtime.calls.dispatch import Outside, Performer
from sealflow.engine.runtime.workers.clock import VirtualClock
from sealflow.storage import ExecutorLost

pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

from sealflow.storage.backends.postgres.lease import Lease

SECONDS = 15.0
TRIES = 200


class Database:
    """Knows when the lease ends, by the same clock, and that somebody takes over as soon as it has."""

    def __init__(self) -> None:
        self.now = 100.0
        self.expires = 0.0
        self.taken_over = False

    async def ask(self, sql: str, *parameters: Any) -> int | None:
        if self.now >= self.expires > 0:
            self.taken_over = True
        if self.taken_over:
            return None
        self.expires = self.now + SECONDS
        return 1


class Role:
    """What a worker asks before each effect."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    @property
    def holds_role(self) -> bool:
        return self._lease.held

    async def confirm_role(self) -> None:
        await self._lease.confirm()


async def test_a_stopped_worker_makes_no_late_call() -> None:
    """200 workers are stopped for random times before a call. None calls after another one may have taken over."""
    chance = random.Random(11)
    late = made = refused = 0
    for _ in range(TRIES):
        database = Database()
        lease = Lease(database.ask, SECONDS, now=lambda database=database: database.now)  # type: ignore[misc]
        assert await lease.take()

        async def connector(call: Call, database: Database = database) -> Any:
            nonlocal late, made
            made += 1
            late += database.now >= database.expires
            return ConnectorResponse(200, {}, None)

        registry = Registry()
        registry.register("outside", connector)
        performer = Performer(registry, Services(VirtualClock()), role=Role(lease))
        call = Call("outside", "do", {}, "key", "/a", 1)
        prepared = Outside(
            registry.find("outside"), call, Operation("connector", "outside", "do", False, frozenset(), {}), asks=False
        )
        database.now += chance.uniform(0, 3 * SECONDS)  # it is stopped, and goes on
        try:
            await performer.carry_out(prepared)
        except ExecutorLost:
            refused += 1
            assert lease.lost
        await lease.stop()
    assert late == 0
    assert made + refused == TRIES
    assert made > 40
    assert refused > 100


async def test_a_lease_that_is_in_doubt_is_renewed_before_the_call() -> None:
    database = Database()
    lease = Lease(database.ask, SECONDS, now=lambda: database.now)
    assert await lease.take()
    assert lease.held
    database.now += SECONDS * 0.9  # within the margin
    assert not lease.held
    await lease.confirm()
    assert lease.held
    assert database.expires == database.now + SECONDS
    await lease.stop()
