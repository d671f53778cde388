"""Machines: processes that execute the desktop flows of an environment in PostgreSQL, and nothing else. They share the
work of their group, take over from each other, and leave everything else alone.
"""

# ruff: noqa: E501 (a row of a script is one line)

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from desktop_callers import GREETING, calling, deploy
from gate import Gate
from postgres_server import PostgresServer, shared_server
from processes import PATIENCE, Place, until_line
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.desktop.machine_groups import changed
from sealflow.engine.runtime.environment.environment import Environment
from worker_fleet import WorkerFleet, expire, fleet_of

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")

ENDLESS = "LOOP WHILE (1) = (1)\n    WAIT 20\nEND\n"
SHORT = "SET x TO 1\n"


class Fleet(WorkerFleet):
    """With the machine groups Robots and Finance, a worker that leads, and machines."""

    async def begin(self) -> Environment:
        engine = await self.open()
        acts = engine.administration()
        await acts.allow("prod", lambda kept: changed(kept, "Robots", minutes=30))
        await acts.allow("prod", lambda kept: changed(kept, "Finance", connections=["finance"]))
        return await self.join(engine)

    async def machine(self, *groups: str, sessions: int | None = None) -> Environment:
        return await self.join(await self.open(machine_groups=groups, sessions=sessions))

    async def runs_on(self, machine: Environment, count: int = 1) -> None:
        """Until a machine has this many runs."""

        async def now() -> bool:
            return len(_live(machine)) == count

        await self.until(now)


def _live(env: Environment) -> list[str]:
    executor = env._executor
    assert executor is not None
    return [run.flow for run in executor.live.values()]


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Fleet]:
    async with fleet_of(Fleet, tmp_path, postgres) as fleet:
        yield fleet


async def test_a_call_is_executed_by_a_machine_of_its_group(fleet: Fleet, tmp_path: Path) -> None:
    office = await fleet.begin()
    await deploy(office, tmp_path, "endless", ENDLESS)
    caller = calling({"uiFlowId": "endless"})
    caller["actions"]["Call"]["inputs"]["host"]["connectionName"] = "finance"
    (run,) = await office.start(await office.deploy("caller", caller))
    robots = await fleet.machine("Robots")
    finance = await fleet.machine("finance")
    await fleet.runs_on(finance)
    assert _live(robots) == []
    assert _live(office) in ([], ["caller"])  # it may sleep
    (queued,) = await office.machines.runs()
    assert (queued.group, queued.state, queued.parent) == ("Finance", "Running", run.id)
    assert await run.cancel()
    await fleet.runs_on(finance, 0)
    (child,) = await office.runs(flow="endless")
    assert (child.status, await office.machines.runs()) == ("Cancelled", [])


async def test_machines_share_a_queue_and_take_nothing_else(fleet: Fleet, tmp_path: Path) -> None:
    office = await fleet.begin()
    await deploy(office, tmp_path, "endless", ENDLESS)
    await deploy(office, tmp_path, "short", SHORT)
    machines = [await fleet.machine(), await fleet.machine(sessions=2)]
    flow = await office.deploy("caller", calling({"uiFlowId": "endless"}))
    runs = [run for _ in range(4) for run in await office.start(flow)]
    await fleet.runs_on(machines[0], 1)
    await fleet.runs_on(machines[1], 2)
    (urgent,) = await office.start(await office.deploy("urgent", calling({"uiFlowId": "short", "runPriority": "High"})))

    async def both_wait() -> bool:
        return [each.flow for each in await office.machines.runs() if each.state != "Running"] == ["short", "endless"]

    await fleet.until(both_wait)
    for run in runs[:3]:
        await run.cancel()
    answered: Any = await urgent.result()
    assert answered.response["body"]["error"] is None
    await fleet.until(lambda: _holds(sorted([*_live(machines[0]), *_live(machines[1])]) == ["endless"]))
    assert all(not machine._executor.leads for machine in machines if machine._executor is not None)


async def _holds(so: bool) -> bool:
    return so


async def test_a_run_that_no_machine_takes_in_time_times_out(fleet: Fleet, tmp_path: Path) -> None:
    office = await fleet.begin()
    await deploy(office, tmp_path, "short", SHORT)
    (run,) = await office.start(await office.deploy("caller", calling({"uiFlowId": "short"})))
    await fleet.until(lambda: _states(office, ["NextToRun"]))
    fleet.clock.advance(1801 * SECOND)
    call = next(each for each in (await run.result()).actions if each["name"] == "Call")
    assert call["error"]["code"] == "QueueTimeout"
    (child,) = await office.runs(flow="short")
    assert child.status == "TimedOut"


async def test_another_machine_goes_on_when_one_dies(fleet: Fleet, tmp_path: Path) -> None:
    office = await fleet.begin()
    inner = "WAIT 20\n"
    await deploy(office, tmp_path, "inner", inner)
    await deploy(office, tmp_path, "outer", "External.RunFlow FlowId: $'''inner'''\n")
    first = await fleet.machine("Robots")
    (run,) = await office.start(await office.deploy("caller", calling({"uiFlowId": "outer"})))
    await fleet.runs_on(first, 2)
    second = await fleet.machine("Robots")
    await fleet.dies(first)
    await fleet.runs_on(second, 2)
    assert _live(office) in ([], ["caller"])
    while await office.machines.runs():
        fleet.clock.advance(20 * SECOND)
        await asyncio.sleep(0.01)
    call = next(each for each in (await run.result()).actions if each["name"] == "Call")
    assert call["status"] == "Succeeded"
    assert len(await office.runs(flow="inner")) == len(await office.runs(flow="outer")) == 1


async def test_a_cancel_without_a_machine_takes_the_run_out_of_the_queue(fleet: Fleet, tmp_path: Path) -> None:
    office = await fleet.begin()
    await deploy(office, tmp_path, "short", SHORT)
    (run,) = await office.start(await office.deploy("caller", calling({"uiFlowId": "short"})))
    await fleet.until(lambda: _states(office, ["NextToRun"]))
    assert await run.cancel()
    (child,) = await office.runs(flow="short")
    assert (await (await office.run(child.id)).result()).status == "Cancelled"
    assert await office.machines.runs() == []


async def test_keys_are_exchanged_while_machines_work_and_flows_wait(fleet: Fleet, tmp_path: Path) -> None:
    office = await fleet.begin()
    await deploy(office, tmp_path, "endless", ENDLESS)
    machine = await fleet.machine("Robots")
    flow = await office.deploy("caller", calling({"uiFlowId": "endless"}))
    runs = [run for _ in range(2) for run in await office.start(flow)]
    await fleet.runs_on(machine)
    await fleet.until(lambda: _states(office, ["Running", "NextToRun"]))
    await (await fleet.open()).administration().rotate("prod", data_keys=True)
    assert (await office.keys.follow(await office.keys.begin_migration())).status == "Succeeded"
    await fleet.runs_on(machine)
    for run in runs:
        assert await run.cancel()
    await fleet.until(lambda: _states(office, []))
    assert {each.status for each in await office.runs(flow="endless")} == {"Cancelled"}


async def _states(env: Environment, expected: list[str]) -> bool:
    return [each.state for each in await env.machines.runs()] == expected


def test_a_machine_that_is_killed_is_taken_over(place: Place, postgres: PostgresServer) -> None:
    """What was under way in it, and must not happen twice, is ActionInterrupted: the script handles that."""
    script = """@OUTPUT Interrupted : { 'Description': '', 'FriendlyName': 'Greeting', 'Type': 'Numeric' }
SET Interrupted TO 0
Web.InvokeWebService.InvokeWebServicePost Url: $'''URL''' Accept: $'''*/*''' ContentType: $'''text/plain''' RequestBody: $'''x''' ConnectionTimeout: 300 Response=> Answer
    ON ERROR ActionInterrupted
        SET Interrupted TO Interrupted + 1
    END
"""
    assert place("env", "create", "prod", "--database", postgres.url).code == 0
    assert place("machine-group", "create", "Robots", "-e", "prod").code == 0
    place("env", "permissions", "set", "prod", "--egress-default", "local").expect(0)
    with Gate() as gate:
        place.write("ask.robin", script.replace("URL", gate.url))
        place.write("caller.json", calling({"uiFlowId": "ask"}))
        place("flow", "deploy", "ask.robin", "--environment", "prod").expect(0)
        machines = [place.begin("worker", "--desktop", "--environment", "prod")]
        until_line(machines[0], "executing desktop flows of Robots in the environment prod")
        command = place.begin("run", "caller.json", "--environment", "prod", "--json")
        gate.until_called()
        machines[0].kill()
        machines[0].wait(PATIENCE)
        machines.append(place.begin("worker", "--desktop", "--group", "robots", "--environment", "prod"))
        until_line(machines[1], "executing desktop flows of Robots")
        _its_lease_ends(postgres, place)
        assert until_line(machines[1], "run ")[-1].endswith(" of ask ended: Succeeded")
        out, err = command.communicate(timeout=PATIENCE)
        assert (command.returncode, '"greeting":1' in out.replace(" ", "")) == (0, True), out + err


def _its_lease_ends(postgres: PostgresServer, place: Place) -> None:
    """As if the lease of the process that was killed had run out."""
    environment = place("env", "show", "prod", "--json").json["id"]

    async def after_death() -> None:
        admin = await asyncpg.connect(postgres.url)
        schema = f'"sealflow_{environment}"'
        dead = await admin.fetchval(
            f"SELECT worker FROM {schema}.runs WHERE queue IS NOT NULL AND ended_ms IS NULL AND worker IS NOT NULL"
        )
        await admin.close()
        await expire(postgres, environment, dead)

    asyncio.run(after_death())


def test_whoever_is_killed_around_the_queue_starts_one_run_and_gets_its_answer(place: Place) -> None:
    """In a store in a file: at the commits that put the run into the queue, take it, and answer."""
    place.write("greet.robin", GREETING)
    place.write("caller.json", calling({"uiFlowId": "greet", "item/Who": "Ada"}))
    place("env", "create", "default").expect(0)
    place("machine-group", "create", "Robots").expect(0)
    place("flow", "deploy", "greet.robin").expect(0)
    killed = 0
    for number in (2, 3, 4):
        died = place("run", "caller.json", "--json", prepare=[["die_at_commit", number, "after"]])
        if not died.killed:
            break
        killed += 1
        place("runs", "resume", "--all").expect(0)
        parents = place("runs", "list", "--flow", "caller", "--json").expect(0).json
        children = place("runs", "list", "--flow", "greet", "--json").expect(0).json
        assert {each["status"] for each in [*parents, *children]} == {"Succeeded"}
        assert len(parents) == len(children) == killed
        assert len({each["parent"] for each in children}) == killed
        shown = place("runs", "show", parents[0]["run"], "--json").expect(0).json
        assert shown["response"]["body"]["greeting"] == "Hello Ada"
    assert killed >= 2
