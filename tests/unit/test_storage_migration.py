"""Everything goes over to the key that covers it now, while all of it is being written and read."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from key_changes import CHANGES, change, content, fill, migrated, stray
from sealflow.storage import Vault
from sealflow.storage.format.purposes import Kind
from sealflow.storage.stores import reencryption as migration_module
from sealflow.storage.stores.operations import SUCCEEDED, Operation


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.0)


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("full", [False, True])
async def test_all_is_moved_and_nothing_looks_different(place: Customer, what: str, full: bool) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        going_on = await fill(vault)
        before = await content(vault)
        await change(place, what)
        done: list[int] = []
        begun = await vault.begin_migration(full=full)

        def progress(operation: Operation) -> None:
            if operation.id == begun.id:  # a rotation has begun one of its own
                done.append(operation.done)

        task = asyncio.create_task(vault.migrate(progress))
        if full:
            while not done or len(await vault._backend.consistency.mixed_scopes(Kind.RUN)) < len(going_on):
                await asyncio.sleep(0)
            assert await content(vault) == before
            for run_id in going_on:
                log = await vault.open_run(run_id)
                log.append([["the end"]], status=2, ended_ms=9)
        await task
        operation = (await vault.operations())[-1]
        assert (operation.status, operation.error) == (SUCCEEDED, None)
        assert done == sorted(done)
        assert operation.done == done[-1] <= operation.total
        if not full:
            assert operation.done == operation.total
        assert stray(place, vault) == []
        if not full:
            assert await content(vault) == before
    async with place.vault() as vault:
        after = await content(vault)
        assert after["flows"] == before["flows"]
        assert after["documents"] == before["documents"]
        assert after["messages"] == before["messages"]
        assert len(after["histories"]) == len(before["histories"])
        if full:
            assert await vault._backend.consistency.mixed_scopes(Kind.RUN) == []
        async with place.administration() as administration:
            await administration.retire(ENVIRONMENT)
    async with place.vault() as vault:
        assert await content(vault) == after


async def test_after_a_full_migration_the_earlier_keys_open_nothing(place: Customer) -> None:
    """Whoever kept the service's environment key and every key row from before opens no record any more."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        for run_id in await fill(vault):
            log = await vault.open_run(run_id)
            log.append([], status=2, ended_ms=9)
        await vault.flush()
        with closing(sqlite3.connect(place.database())) as connection:
            kept = {
                row[0] for row in connection.execute("SELECT kid FROM keys WHERE kind != ?", (Kind.CONNECTION,))
            } | {row[0] for row in connection.execute("SELECT wrapped FROM keys WHERE kind != ?", (Kind.CONNECTION,))}
        await change(place, "apply")
        await migrated(vault, full=True)
    data = place.database().read_bytes()
    assert [value for value in kept if value in data] == []


@pytest.mark.parametrize("what", CHANGES)
async def test_a_run_in_flight_goes_on_under_a_fresh_key(place: Customer, what: str) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        run_id = os.urandom(16)
        flow = (await vault.put_flow("flow", {})).flow_id
        log = vault.create_run(run_id, flow, 1, 5, {"s": 1})
        log.append([[1]])
        await vault.flush()
        follower = await vault.reader(run_id)
        assert len(await follower.read()) == 1
        await change(place, what)
        await migrated(vault)
        log.append([[2]])
        await vault.flush()
        assert [page.records for page in await follower.read()] == [[[2]]]
        generations = await vault._backend.keys.generations(Kind.RUN, run_id)
        assert len(generations) == 2
        assert log.domain == vault.keys.domain
        assert await log.record(1) == [1]
        log.append([[3]], status=2, ended_ms=9)
        await vault.flush()
        await migrated(vault, full=True)
        assert [page.records for page in await follower.read()] == [[[3]]]
        assert len(await vault._backend.keys.generations(Kind.RUN, run_id)) == 1


async def test_a_reader_that_is_half_way_through_a_rewritten_history_goes_on(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealflow.storage.stores.runs.history._PAGES_A_READ", 2)
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        flow = (await vault.put_flow("flow", {})).flow_id
        log = vault.create_run(os.urandom(16), flow, 1, 5, {})
        for number in range(9):
            log.append([[number]])
        log.append([], status=2, ended_ms=9)
        await vault.flush()
        reader = await vault.reader(log.run_id)
        seen = []
        async for page in reader.pages():
            seen += [record[0] for record in page.records]
            if len(seen) == 3:
                await migrated(vault, full=True)
        assert seen == list(range(9))
        assert reader.seq == 10


# --- at the same moment


def interpose(vault: Vault, patch: pytest.MonkeyPatch, name: str, act: Callable[[], Awaitable[object]]) -> None:
    """Right after the first look of this kind, `act` happens."""
    noun, method = name.split(".")
    store = getattr(vault._backend, noun)
    real = getattr(store, method)
    left = [act]

    async def look(*arguments: Any, **named: Any) -> Any:
        found = await real(*arguments, **named)
        if left:
            await left.pop()()
        return found

    patch.setattr(store, method, look)


async def a_run(vault: Vault) -> object:
    return await vault.run((await vault.unfinished())[0])


async def a_history(vault: Vault) -> object:
    return [page.records async for page in vault.read_run((await vault.unfinished())[0])]


READS: dict[str, tuple[str, Callable[[Vault, bytes], Awaitable[object]]]] = {
    "a flow": ("flows.find", lambda vault, _: vault.flow("flow 0")),
    "flows": ("flows.all", lambda vault, _: vault.flows()),
    "a version": ("flows.version", lambda vault, flow: vault.version(flow, 1)),
    "a trigger": ("triggers.get", lambda vault, flow: vault.trigger(flow)),
    "triggers": ("triggers.all", lambda vault, _: vault.triggers()),
    "due triggers": ("triggers.due", lambda vault, _: vault.triggers(due_by_ms=9)),
    "connections": ("connections.all", lambda vault, _: vault.connections()),
    "a connection": ("connections.find", lambda vault, _: vault.connection_values("oauth True")),
    "messages": ("messages.waiting", lambda vault, flow: vault.messages(flow)),
    "partitions": ("messages.partitions", lambda vault, flow: vault.message_counts(flow)),
    "the inbox": ("inbox.waiting", lambda vault, _: vault.inbox()),
    "runs": ("runs.find", lambda vault, _: vault.runs()),
    "a run": ("keys.generations", lambda vault, _: a_run(vault)),
    "a run's row": ("runs.get", lambda vault, _: a_run(vault)),
    "a history": ("keys.generations", lambda vault, _: a_history(vault)),
    "a page": ("runs.pages", lambda vault, _: a_history(vault)),
    "operations": ("operations.all", lambda vault, _: vault.operations()),
    "a deployment": ("flows.find", lambda vault, _: vault.put_flow("FLOW 0", {"v": 3})),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("read", READS)
async def test_whoever_reads_while_all_is_moved_sees_no_difference(
    place: Customer, read: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration comes right between two looks, and the reader, another process, has not seen the policy yet."""
    look, reading = READS[read]
    async with place.vault() as executor, place.vault() as reader:
        assert await executor.try_become_executor()
        await fill(executor)
        flow = (await executor.flow("flow 0")).flow_id
        expected = await reading(executor, flow) if read != "a deployment" else None

        async def act() -> None:
            await change(place, what)
            await migrated(executor)

        interpose(reader, monkeypatch, look, act)
        found = await reading(reader, flow)
        if read == "a deployment":
            assert (await executor.flow("flow 0")).version == 3
        elif read not in ("a flow", "flows", "connections", "operations"):  # these tell the domain
            assert found == expected
        assert stray(place, executor) == []


async def test_a_flow_that_is_deployed_while_it_is_moved_keeps_both(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as executor, place.vault() as maker:
        assert await executor.try_become_executor()
        await fill(executor, 1)
        await change(place, "apply")
        await executor.reload_keys()
        flow = (await executor.flow("flow 0")).flow_id
        interpose(executor, monkeypatch, "flows.version", lambda: maker.put_flow("flow 0", {"v": 3}))
        await migrated(executor)
        assert [(await executor.version(flow, n)).document["v"] for n in (1, 2, 3)] == [1, 2, 3]
        assert stray(place, executor) == []


async def test_a_trigger_that_fires_while_it_is_moved_is_not_lost(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault, 1)
        flow = (await vault.flow("flow 0")).flow_id
        await vault.trigger(flow)
        await change(place, "apply")

        async def fires() -> None:
            vault.set_trigger(flow, {"n": "fired"}, due_ms=8, expected=1)

        interpose(vault, monkeypatch, "triggers.get", fires)
        await migrated(vault)
        vault.set_trigger(flow, {"n": "again"}, due_ms=9, expected=2)
        await vault.flush()
        assert stray(place, vault) == []
    async with place.vault() as vault:
        state = await vault.trigger(flow)
        assert state is not None
        assert (state.value, state.row_version) == ({"n": "again"}, 3)


async def test_a_read_that_began_before_the_move_does_not_bring_the_earlier_key_back(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler looks for due triggers while they are moved, in the same process."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault, 1)
        flow = (await vault.flow("flow 0")).flow_id
        vault._triggers._known.clear()  # as at the start
        await change(place, "apply")
        await vault.reload_keys()
        interpose(vault, monkeypatch, "keys.newest", lambda: migrated(vault))
        (state,) = await vault.triggers(due_by_ms=9)
        vault.set_trigger(flow, {"n": "next"}, due_ms=9, expected=state.row_version)
        await vault.flush()
    async with place.vault() as vault:
        assert [state.value for state in await vault.triggers()] == [{"n": "next"}]


@pytest.mark.parametrize("kind", [Kind.INBOX, Kind.MESSAGE, Kind.CONNECTION])
async def test_what_is_taken_out_while_it_is_moved_is_gone(
    place: Customer, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault, 1)
        flow = (await vault.flow("flow 0")).flow_id
        (message,) = await vault.messages(flow)
        (item,) = await vault.inbox()
        await change(place, "data keys")

        async def taken() -> None:
            if kind == Kind.INBOX:
                vault.consume(item.id)
            elif kind == Kind.MESSAGE:
                vault.consume_message(flow, message.number)
            else:
                await vault.delete_connection("oauth True")
            await vault.flush()

        interpose(vault, monkeypatch, "connections.all" if kind == Kind.CONNECTION else "keys.wrapped_by", taken)
        assert (await migrated(vault)).status == SUCCEEDED
        assert stray(place, vault) == []
        left = (len(await vault.inbox()), len(await vault.messages(flow)), len(await vault.connections()))
        assert left == {Kind.INBOX: (0, 1, 2), Kind.MESSAGE: (1, 0, 2), Kind.CONNECTION: (1, 1, 1)}[kind]


async def test_a_message_that_was_added_again_meanwhile_counts_once(place: Customer) -> None:
    """`dedupe` is found by an index of the live key: a repetition after a rotation is told apart when all is moved."""
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault, 1)
        flow = (await vault.flow("flow 0")).flow_id
        await change(place, "data keys")
        await vault.reload_keys()
        await vault.add_message(flow, "p", {"m": "again"}, dedupe=b"d")
        await vault.inbox_add(1, {"q": "again"}, dedupe=b"q")
        await migrated(vault)
        assert [message.value for message in await vault.messages(flow)] == [{"m": 0}]
        assert [item.value for item in await vault.inbox()] == [{"q": 1}]
        assert (await vault.message_counts(flow))["p"].count == 1


async def test_an_administrator_who_rotates_meanwhile_does_not_stop_it(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        assert await vault.try_become_executor()
        await fill(vault)
        before = await content(vault)
        await change(place, "apply")
        await vault.reload_keys()
        interpose(vault, monkeypatch, "flows.version", lambda: change(place, "data keys"))
        assert (await migrated(vault)).status == SUCCEEDED
        assert vault._keyring.live_version(2) == 2
        assert stray(place, vault) == []
        assert await content(vault) == before


@pytest.mark.parametrize("kind", ["flow", "connection"])
@pytest.mark.parametrize("moment", ["the name", "keys.state"])
async def test_a_name_is_found_although_its_key_became_known_only_while_it_was_looked_for(
    place: Customer, kind: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process made it, under a key that another task of this process read meanwhile."""
    async with place.vault() as reader, place.vault() as maker:
        await fill(reader, 1)

        async def becomes_known() -> None:
            await change(place, "apply")
            await maker.reload_keys()
            if kind == "flow":
                await maker.put_flow("late", {"v": 1})
            else:
                await maker.create_connection("late", "c", oauth=True, parameter_set=None, values={"v": 1})
            await reader.reload_keys()

        interpose(reader, monkeypatch, f"{kind}s.find" if moment == "the name" else moment, becomes_known)
        found = await (reader.flow("late") if kind == "flow" else reader.connection("late"))
        assert found.name == "late"
