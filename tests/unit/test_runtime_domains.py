"""Whose key a run is sealed by: its flow's, but never less than that of the run which started it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sealflow
from customer_keys import ENVIRONMENT, Customer, customer
from makers import FLOWS, compose, flow, service

CALLS = flow(
    go={
        "type": "Workflow",
        "inputs": {"host": {"workflow": {"id": "/x/workflows/child"}}, "body": {"n": 1}},
    }
)


def domains(place: Customer) -> list[int]:
    """Of all runs, oldest first."""
    with closing(sqlite3.connect(place.database())) as connection:
        return [domain for (domain,) in connection.execute("SELECT domain FROM runs ORDER BY id")]


async def test_a_child_of_a_customers_run_is_the_customers(tmp_path: Path) -> None:
    place = await customer(tmp_path)
    async with (
        sealflow.open(place.home, keystore=place.keystore) as engine,
        place.administration() as administration,
    ):
        engine.connectors.register("test", service)
        env = await engine.environment(ENVIRONMENT)
        await env.deploy("child", FLOWS["child"])
        await env.deploy("old", CALLS)
        await administration.apply("one", ENVIRONMENT)
        await env.deploy("new", CALLS)
        for name in ("child", "old", "new"):
            (run,) = await env.start(name, {"n": 1})
            assert await run.wait(timeout=60) == "Succeeded"
        assert domains(place) == [1, 1, 1, 2, 2]


async def test_who_becomes_the_executor_knows_what_was_moved_before(tmp_path: Path) -> None:
    """It has read the flow long ago, and nothing of it since."""
    place = await customer(tmp_path)
    async with sealflow.open(place.home, keystore=place.keystore) as later, place.administration() as administration:
        waiting = await later.environment(ENVIRONMENT)
        deployed = await waiting.deploy("flow", flow(c=compose(1)))
        async with sealflow.open(place.home, keystore=place.keystore) as first:
            env = await first.environment(ENVIRONMENT)
            await env.start("flow")
            await administration.apply("one", ENVIRONMENT)
            await env.keys.follow(await env.keys.begin_migration())
            await env.idle()
        (run,) = await waiting.start(deployed)
        assert await run.wait(timeout=60) == "Succeeded"
        assert domains(place) == [2, 2]
