"""Several workers on one environment in PostgreSQL, played by engines that share the store and the clock only."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sealflow
from cli_session import compose, wait
from fleet import HOUR, Fleet, S, flow, http
from gate import Gate
from postgres_server import PostgresServer, shared_server
from processes import PATIENCE, Place, until_line
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import EnvironmentLocked, ExecutorLost, StorageError, StoreClosed

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(tmp_path, postgres, stack)


async def _statuses(env: Environment) -> Counter[str]:
    return Counter(run.status for run in await env.runs(limit=1000))


async def test_each_worker_goes_on_with_its_own_runs_and_hears_what_is_for_them(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", flow({"c": http("https://example.org/x")}))
    (mine,), (other,) = await first.start("f"), await second.start("f")
    await fleet.until(_are(lambda: fleet.service.calls == {"w0": 1, "w1": 1}))
    assert await (await first.run(other.id)).cancel()
    assert (await other.result()).status == "Cancelled"
    assert (await (await first.run(other.id)).result()).status == "Cancelled"
    fleet.service.gate.set()
    assert (await (await second.run(mine.id)).result()).status == "Succeeded"
    assert len(set(fleet.service.keys)) == len(fleet.service.keys) == 2


async def test_a_dead_workers_runs_go_on_elsewhere_and_its_writes_are_refused(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", flow({"c": http("https://example.org/x"), "d": compose(1, "c")}))
    runs = [(await first.start("f"))[0] for _ in range(5)]
    await fleet.until(_are(lambda: fleet.service.calls["w0"] == 5))
    stale = first._vault
    await fleet.kill(first)
    await fleet.until(_are(lambda: fleet.service.calls["w1"] == 5))
    assert Counter(Counter(fleet.service.keys).values()) == {2: 5}  # the same keys once more
    # Where it has learned of it already, its keys are dropped, and then it is closed.
    with pytest.raises((ExecutorLost, EnvironmentLocked, StoreClosed)):
        await stale.inbox_add(99, None)
    fleet.service.gate.set()
    for run in runs:
        result = await (await second.run(run.id)).result()
        assert (result.status, [each["status"] for each in result.actions]) == ("Succeeded", ["Succeeded"] * 2)
    # What was taken for dead forgets what it had, joins again and works on.
    await fleet.until(lambda: _starts(first))
    await fleet.until(_all_succeeded(second, 6))


async def test_a_worker_that_ends_hands_over(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", flow({"c": http("https://example.org/x"), "w": wait(3600, "c")}))
    for _ in range(3):
        await first.start("f")
    await fleet.until(_are(lambda: fleet.service.calls["w0"] == 3))
    await fleet.engines[0].close()
    await fleet.until(_are(lambda: fleet.service.calls["w1"] == 3))
    executor = await second._execute()
    assert executor is not None
    await fleet.until(_are(lambda: executor.leads))
    fleet.service.gate.set()
    await fleet.until(_are_statuses(second, {"Waiting": 3}))
    fleet.clock.advance(HOUR)
    await fleet.until(_all_succeeded(second, 3))


async def test_a_trigger_fires_once_however_many_watch(fleet: Fleet) -> None:
    envs = [await fleet.join() for _ in range(3)]
    rule = {"frequency": "Hour", "interval": 1, "startTime": "2026-03-28T13:00:00Z"}
    definition = {"triggers": {"T": {"type": "Recurrence", "recurrence": rule}}, "actions": {"c": compose(1)}}
    await envs[1].deploy("hourly", definition)
    for env in envs:
        await env.watch_triggers()
    await fleet.until(lambda: _registered(envs[2], "hourly"))
    for hour in range(1, 3):
        fleet.clock.advance(HOUR)
        await fleet.until(_all_succeeded(envs[0], hour))
    await fleet.kill(envs[0])
    executors = [await env._execute() for env in envs[1:]]
    await fleet.until(_are(lambda: any(each is not None and each.watching.scheduler is not None for each in executors)))
    fleet.clock.advance(HOUR)
    await fleet.until(_all_succeeded(envs[1], 3))
    history = (await envs[2].trigger("hourly")).history
    assert [each["scheduledTime"][11:16] for each in history] == ["15:00", "14:00", "13:00"]


async def test_what_one_worker_disables_is_refused_by_the_others_at_once(fleet: Fleet) -> None:
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", flow({"c": compose(1)}))
    for change, expected in ((None, 0), (first.disable, 5), (first.enable, 0), (second.disable, 5)):
        if change is not None:
            await change("f")
        for env in (first, second):
            told = await asyncio.gather(*(env.start("f") for _ in range(5)), return_exceptions=True)
            assert [getattr(each, "code", "") for each in told].count("FlowDisabled") == expected


async def test_the_concurrency_of_a_trigger_holds_across_workers(fleet: Fleet) -> None:
    envs = [await fleet.join() for _ in range(3)]
    limited = {"runtimeConfiguration": {"concurrency": {"runs": 2}}}
    await envs[0].deploy("f", flow({"c": http("https://example.org/x")}, **limited))
    for env in envs * 3:
        await env.start("f")
    await fleet.until(_are(lambda: fleet.service.now == 2))
    await fleet.until(_are_statuses(envs[0], {"Running": 2, "Waiting": 7}))
    await fleet.kill(envs[0])  # the one that leads: the next one has all of them, and begins no more than two
    await fleet.until(_are(lambda: fleet.service.calls["w1"] + fleet.service.calls["w2"] == 2))
    assert (await _statuses(envs[1])) == {"Running": 2, "Waiting": 7}
    fleet.service.now = fleet.service.most = 2
    fleet.service.gate.set()
    await fleet.until(_all_succeeded(envs[1], 9))
    assert len(set(fleet.service.keys)) == 9


async def test_a_callback_reaches_the_worker_that_has_the_run(fleet: Fleet) -> None:
    first, second, third = [await fleet.join() for _ in range(3)]
    fleet.service.gate.set()
    request = {"method": "POST", "uri": "https://example.org/hooks", "body": {"url": "@listCallbackUrl()"}}
    hook = {"type": "HttpWebhook", "inputs": {"subscribe": request}}
    await first.deploy("f", flow({"h": hook, "c": compose("@body('h')", "h")}))
    (asleep,), (awake,) = await first.start("f"), await second.start("f", on_change=lambda entry: None)
    urls: list[str] = []
    for run in (asleep, awake):
        await fleet.until(lambda run=run: _has_callback(run))  # type: ignore[misc]
        urls += (await run.callbacks()).values()
    await fleet.until(_are_statuses(first, {"Waiting": 2}))
    assert [(await third.callback(url, body=7)).status for url in urls] == [200, 202]
    for run in (asleep, awake):
        assert (await (await third.run(run.id)).result()).actions[-1]["outputs"] == 7


async def test_parent_and_child_in_two_workers(fleet: Fleet) -> None:
    """They are taken by different workers after the death of theirs, each of which has room for one run."""
    first = await fleet.join()
    answer = {"type": "Response", "inputs": {"statusCode": 200, "body": "late"}, "runAfter": {"w": S}}
    await first.deploy("child", flow({"w": wait(3600), "r": answer}))
    nested = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "child"}}}}
    await first.deploy("parent", flow({"n": nested, "c": compose("@body('n')", "n")}))
    (run,) = await first.start("parent")
    await fleet.until(_are_statuses(first, {"Waiting": 2}))
    others = [await fleet.join(concurrency=1) for _ in range(2)]
    await fleet.kill(first)
    fleet.clock.advance(HOUR)
    await fleet.until(_all_succeeded(others[0], 2))
    assert (await (await others[1].run(run.id)).result()).actions[-1]["outputs"] == "late"


async def test_keys_are_migrated_under_several_workers(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealflow.engine.runtime.environment.executor.CALLS_SECONDS", 0.05)
    first, second = await fleet.join(), await fleet.join()
    await first.deploy("f", flow({"c": http("https://example.org/x"), "d": compose(1, "c")}))
    for env in (first, second):
        await env.start("f")
    await fleet.until(_are(lambda: fleet.service.calls == {"w0": 1, "w1": 1}))
    await fleet.engines[0].administration("test").rotate("prod", data_keys=True)
    operation = await second.keys.begin_migration()
    assert (await second.keys.follow(operation)).status == "Succeeded"
    fleet.service.gate.set()
    await fleet.until(_all_succeeded(first, 2))
    for run in await second.runs():
        assert [each["status"] for each in (await (await second.run(run.id)).result()).actions] == ["Succeeded"] * 2


async def test_the_server_restarts_under_workers(tmp_path: Path) -> None:
    try:
        server = PostgresServer()
    except (FileNotFoundError, OSError) as error:
        pytest.skip(f"PostgreSQL does not run here: {error}")
    try:
        async with AsyncExitStack() as stack:
            fleet = Fleet(tmp_path, server, stack)
            first, second = await fleet.join(), await fleet.join()
            fleet.service.gate.set()
            await first.deploy(
                "f", flow({f"c{n}": http("https://x/y", *([f"c{n - 1}"] if n else [])) for n in range(5)})
            )
            for env in (first, second) * 5:
                await env.start("f")
            await asyncio.to_thread(server.halt, "immediate")
            await asyncio.to_thread(server.start)
            await fleet.until(_all_succeeded(second, 10))
    finally:
        server.stop()


def _are(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def now() -> bool:
        return holds()

    return now


def _are_statuses(env: Environment, expected: dict[str, int]) -> Callable[[], Awaitable[bool]]:
    async def now() -> bool:
        return await _statuses(env) == expected

    return now


def _all_succeeded(env: Environment, runs: int) -> Callable[[], Awaitable[bool]]:
    return _are_statuses(env, {"Succeeded": runs})


async def _starts(env: Environment) -> bool:
    try:
        await env.start("f")
    except StorageError:  # until it has joined again
        return False
    return True


async def _registered(env: Environment, name: str) -> bool:
    return (await env.trigger(name)).registered


async def _has_callback(run: sealflow.Run) -> bool:
    return bool(await run.callbacks())


def test_worker_processes_hand_over_and_end(place: Place, postgres: PostgresServer) -> None:
    """Two of them share an environment; what an interrupted command and an ended worker leave, the other one ends."""
    assert place("env", "create", "prod", "--database", postgres.url).code == 0
    place("env", "permissions", "set", "prod", "--egress-default", "local").expect(0)
    with Gate() as gate:
        definition = place.flow("slow", {"a": compose(1), "Ask": http(gate.url, "a"), "b": compose(2, "Ask")})
        assert place("flow", "deploy", definition, "--environment", "prod").code == 0
        workers = [place.begin("worker", "--environment", "prod", "--grace", "0") for _ in range(2)]
        for worker in workers:
            until_line(worker, "executing")
        command = place.begin("run", "slow", "--environment", "prod")
        gate.until_called()
        command.send_signal(signal.SIGINT)
        workers[0].send_signal(signal.SIGTERM)
        _, err = workers[0].communicate(timeout=PATIENCE)
        assert workers[0].returncode == 0, err
        gate.open()
        ended = until_line(workers[1], "run ")[-1]
        assert ended.endswith(" of slow ended: Succeeded")
        workers[1].send_signal(signal.SIGTERM)
        workers[1].communicate(timeout=PATIENCE)
        assert workers[1].returncode == 0
