"""An environment with one of everything, what is to be read of it, and how its keys are exchanged."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any

from customer_keys import ENVIRONMENT, Customer
from sealflow.storage import Vault
from sealflow.storage.administration.administration import Administration
from sealflow.storage.format.purposes import Kind
from sealflow.storage.keys.provider_calls import CALLS
from sealflow.storage.stores.operations import Operation

SERVICE_KINDS = {Kind.KEY_STATE, Kind.OPERATION, Kind.LEDGER, Kind.RETENTION}
CHANGES = ["apply", "data keys"]


async def fill(vault: Vault, flows: int = 3) -> list[bytes]:
    """Flows with two versions and a trigger, a run of each that has ended and one that goes on, messages, connections,
    and requests. The ids of the runs that go on.
    """
    going_on = []
    for number in range(flows):
        await vault.put_flow(f"flow {number}", {"v": 1})
        flow = (await vault.put_flow(f"flow {number}", {"v": 2})).flow_id
        assert await vault.trigger(flow) is None
        vault.set_trigger(flow, {"n": number}, due_ms=number, expected=0)
        await vault.add_message(flow, "p", {"m": number}, dedupe=b"d")
        for ended in (True, False):
            log = vault.create_run(os.urandom(16), flow, 2, 5, {"s": number})
            log.append([[number, "a"]])
            log.append([[number, "b"]])
            log.snapshot({"state": number})
            if not number:  # two chunks
                log.append([[number, f"large {ended} " * 30_000]])
            if ended:
                log.append([[number, "end"]], status=2, ended_ms=9, summary={"s": "ended"})
            else:
                going_on.append(log.run_id)
    for oauth in (True, False):
        await vault.create_connection(f"oauth {oauth}", "c", oauth=oauth, parameter_set=None, values={"v": oauth})
    await vault.inbox_add(1, {"q": 1}, dedupe=b"q")
    await vault.flush()
    return going_on


async def content(vault: Vault) -> dict[str, Any]:
    """All that there is to read."""
    flows = await vault.flows()
    return {
        "flows": [(flow.name, flow.version) for flow in flows],
        "documents": [(await vault.version(flow.flow_id, n)).document for flow in flows for n in (1, 2)],
        "by name": [(await vault.flow(flow.name.upper())).flow_id == flow.flow_id for flow in flows],
        "triggers": [(state.due_ms, state.value, state.row_version) for state in await vault.triggers()],
        "messages": [(m.number, m.partition, m.value) for f in flows for m in await vault.messages(f.flow_id)],
        "partitions": [await vault.message_counts(flow.flow_id) for flow in flows],
        "runs": [(run.status, run.summary) for run in await vault.runs()],
        "histories": [
            [record async for page in vault.read_run(run.run_id) for record in page.records]
            for run in await vault.runs()
        ],
        "connections": [(c.name, await vault.connection_values(c.name)) for c in await vault.connections()],
        "inbox": [(item.kind, item.value) for item in await vault.inbox()],
    }


async def change(place: Customer, what: str) -> None:
    """What makes a migration necessary."""
    async with place.administration() as administration:
        if what == "apply":
            await administration.apply("one", ENVIRONMENT)
        else:
            await administration.rotate(ENVIRONMENT, data_keys=True)


async def migrated(vault: Vault, *, full: bool = False) -> Operation:
    await vault.begin_migration(full=full)
    await vault.migrate()
    return (await vault.operations())[-1]


def stray(place: Customer, vault: Vault) -> list[tuple[int, int, int]]:
    """Kind, domain and version of the stored scope keys that are not where they belong."""
    state = vault.keys
    with closing(sqlite3.connect(place.database())) as connection:
        rows = connection.execute("SELECT kind, domain, key_version FROM keys").fetchall()
    found = []
    for kind, domain, version in rows:
        wanted = 1 if kind in SERVICE_KINDS else domain if kind == Kind.CONNECTION else state.domain
        if (domain, version) != (wanted, vault._keyring.live_version(wanted)):
            found.append((kind, domain, version))
    return found


async def filled(vault: Vault) -> None:
    """A flow, a run that has ended and a connection, whatever they are sealed by."""
    flow = await vault.put_flow("flow", {"v": 1})
    log = vault.create_run(b"r" * 16, flow.flow_id, 1, 5, {"s": 1})
    log.append([[1, "x"]], status=2, ended_ms=9)
    await vault.create_connection("office", "c", oauth=True, parameter_set=None, values={"v": 1})
    await vault.flush()


async def same_as_ever(place: Customer) -> None:
    """A fresh process reads all of it."""
    async with place.vault() as vault:
        (flow,) = await vault.flows()
        assert (await vault.version(flow.flow_id, 1)).document == {"v": 1}
        assert [page.records async for page in vault.read_run(b"r" * 16)] == [[[1, "x"]]]
        assert (await vault.run(b"r" * 16)).summary == {"s": 1}
        assert await vault.connection_values("office") == {"v": 1}


async def acts(administration: Administration) -> list[tuple[str, str, str]]:
    """What administrators did, without what key stores were asked for it."""
    told = [(act.kind, act.subject, act.status) async for act in administration.audit.acts()]
    return [act for act in told if act[0] not in CALLS]
