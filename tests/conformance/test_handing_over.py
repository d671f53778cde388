"""Whoever executes an environment fires its triggers, or hands the role to a process that does: on SQLite and on
PostgreSQL, without losing or repeating anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import sealflow
from postgres_server import shared_server
from sealflow.connectors import ConnectorResponse
from sealflow.engine.kernel.contract.timing import SECOND, from_iso, iso
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.workers import polling

START = from_iso("2026-03-28T12:00:00Z")
S = ["Succeeded"]
CALL = {"type": "Http", "inputs": {"method": "POST", "uri": "https://example.org/"}}
CALLING = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"one": CALL, "two": {**CALL, "runAfter": {"one": S}}},
}
EACH_SECOND = {
    "triggers": {
        "T": {
            "type": "Recurrence",
            "recurrence": {"frequency": "Second", "interval": 1, "startTime": "2026-03-28T12:00:01Z"},
        }
    },
    "actions": {"keep": {"type": "Compose", "inputs": "@trigger()"}},
}


class Service:
    """Answers each call when it is told to, and counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()
        self.answers = asyncio.Event()

    async def __call__(self, call: sealflow.Call) -> ConnectorResponse:
        self.calls += 1
        self.called.set()
        await self.answers.wait()
        return ConnectorResponse(200, {}, None)


class Place:
    """Engines on one store, each of which stands for a process."""

    def __init__(self, folder: Path, url: str | None, stack: AsyncExitStack) -> None:
        self.url = url
        self.clock = sealflow.VirtualClock(START)
        self.service = Service()
        self._folder = folder
        self._stack = stack

    async def open(self, **options: Any) -> Environment:
        engine = sealflow.open(
            self._folder / "home", keystore=self._folder / "keys" / "k.json", clock=self.clock, **options
        )
        await self._stack.enter_async_context(engine)
        engine.connectors.register("http", self.service)
        if self.url is not None and not [each for each in await engine.environments() if each.name == "env"]:
            await engine.create_environment("env", database=self.url)
        return await engine.environment("env")


@pytest.fixture(params=["sqlite", "postgres"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setattr(polling, "INBOX_PERIOD", 0.01)
    async with AsyncExitStack() as stack:
        yield Place(tmp_path, None if request.param == "sqlite" else shared_server().url, stack)


async def until(holds: Any) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_command_that_executes_hands_the_role_to_a_worker(place: Place) -> None:
    """The call under way is not repeated, the run goes on in the worker, and its end is seen by who has started it."""
    command = await place.open(resume=False)
    await command.deploy("clock", EACH_SECOND)
    await command.deploy("f", CALLING)
    if place.url is not None:
        assert await (await command._execute()).lead()  # type: ignore[union-attr]
    (run,) = await command.start("f")
    await place.service.called.wait()
    worker = await place.open()
    fired: list[str] = []
    watching = asyncio.create_task(worker.watch_triggers(fired=lambda each: fired.append(each.told["scheduledTime"])))
    await until(lambda: command._executor is None or command._executor.parting)
    place.service.answers.set()
    await watching
    await until(lambda: worker._executor is not None and worker._executor.leads)
    assert (await run.result(60)).status == "Succeeded"
    assert place.service.calls == 2
    assert list(worker._executor.live) == []  # type: ignore[union-attr]
    await until(lambda: worker._executor is not None and worker._executor.watching.scheduler is not None)
    place.clock.advance_to(START + 3 * SECOND)
    await until(lambda: len(fired) == 3)
    assert [each[17:19] for each in fired] == ["01", "02", "03"]


async def test_occurrences_before_the_first_worker_fire_within_the_grace(place: Place) -> None:
    """A flow is deployed by a command; the first worker comes three seconds after its start time."""
    place.clock.advance_to(sealflow.SystemClock().now())
    begins = place.clock.now() // SECOND * SECOND + 3600 * SECOND
    command = await place.open(resume=False)
    recurrence = {"frequency": "Second", "interval": 1, "startTime": iso(begins + SECOND)}
    await command.deploy("clock", {**EACH_SECOND, "triggers": {"T": {"type": "Recurrence", "recurrence": recurrence}}})
    place.clock.advance_to(begins + 3 * SECOND)
    worker = await place.open()
    fired: list[str] = []
    await worker.watch_triggers(fired=lambda each: fired.append(each.told["scheduledTime"]))
    await until(lambda: len(fired) == 3)
    assert fired == [iso(begins + SECOND), iso(begins + 2 * SECOND), iso(begins + 3 * SECOND)]


async def test_nothing_is_lost_while_a_migration_of_the_command_line_executes(place: Place) -> None:
    """A worker dies, a command that works on keys executes for 34 seconds, another worker comes."""
    worker = await place.open()
    await worker.deploy("clock", EACH_SECOND)
    await worker.watch_triggers()
    await worker.close()
    command = await place.open(resume=False)
    operation = await command.keys.begin_migration(full=True)
    await command.keys.follow(operation)
    executor = command._executor
    assert executor is not None
    assert executor.leads
    place.clock.advance(34 * SECOND)
    again = await place.open()
    fired: list[str] = []
    await again.watch_triggers(fired=lambda each: fired.append(each.told["scheduledTime"]))
    await until(lambda: len(fired) == 34)
    assert [int(each[17:19]) for each in fired] == list(range(1, 35))
    following = await command.keys.begin_migration(full=True)  # asked for, and done by the worker
    await command.keys.follow(following)
    if command._executor is not None:
        assert not command._executor.leads


async def test_one_that_fires_triggers_does_not_hand_over(place: Place) -> None:
    first, second = await place.open(), await place.open()
    await first.watch_triggers()
    if place.url is None:
        with pytest.raises(sealflow.Denied) as refused:
            await second.watch_triggers()
        assert refused.value.code == "ExecutedElsewhere"
    else:
        await second.watch_triggers()
        assert second._executor is not None
        await second._executor.claims.look()
        assert not second._executor.leads
    assert first._executor is not None
    assert first._executor.leads


async def test_a_registration_that_fails_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is busy when the triggers are to be watched: they fire all the same."""
    from sealflow.engine.runtime.triggers.scheduler import Scheduler
    from sealflow.storage import StoreBusy

    worker = await place.open()
    await worker.deploy("clock", EACH_SECOND)
    begin, failures = Scheduler.start, 2

    async def start(scheduler: Scheduler) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreBusy("The store is busy.")
        await begin(scheduler)

    monkeypatch.setattr(Scheduler, "start", start)
    with pytest.raises(StoreBusy):
        await worker.watch_triggers()
    fired: list[str] = []
    executor = worker._executor
    assert executor is not None
    executor.triggers.fired = lambda each: fired.append(each.flow)
    await until(lambda: executor.watching.scheduler is not None)
    place.clock.advance(3 * SECOND)
    await until(lambda: len(fired) == 3)


async def test_a_former_leader_knows_that_a_flow_was_disabled(place: Place) -> None:
    """It led, and remembers the flow as enabled; another worker leads now, and disables it."""
    if place.url is None:
        pytest.skip("one worker there")
    import asyncpg

    first, second = await place.open(), await place.open()
    place.service.answers.set()
    await first.deploy("f", CALLING)
    (run,) = await first.start("f")
    await run.result(60)
    ours, theirs = first._executor, await second._execute()
    assert ours is not None
    assert theirs is not None
    assert (ours.leads, theirs.leads) == (True, False)
    connection = await asyncpg.connect(place.url)
    try:
        workers, to = f'"sealflow_{first.id}".workers', theirs.vault._backend._lease.role.worker  # type: ignore[attr-defined]
        async with connection.transaction():
            await connection.execute(f"UPDATE {workers} SET lead = false")
            await connection.execute(f"UPDATE {workers} SET lead = true WHERE worker = $1", to)
        await theirs.claims.look()
    finally:
        await connection.close()
    await ours.claims.look()
    assert (ours.leads, theirs.leads) == (False, True)
    await second.disable("f")
    with pytest.raises(sealflow.Denied) as refused:
        await first.start("f")
    assert refused.value.code == "FlowDisabled"
