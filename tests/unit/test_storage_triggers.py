"""The states of triggers: versioned, in one commit with what they started, and refused where they were changed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sealflow.storage import (
    Batch,
    Conflict,
    IntegrityError,
    Keystore,
    NotARecord,
    NotStorable,
    RecordNotFound,
    Store,
    StoreFull,
    TriggerState,
    Vault,
)
from sealflow.storage.format.codec import pack
from sealflow.storage.format.purposes import Kind, Purpose
from sealflow.storage.port import KeyChanges, TriggerChanges, TriggerRow


class Place:
    """A store with two flows, opened as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flows: list[bytes] = []
        self._closing: list[Vault | Store] = []

    async def open(self) -> Vault:
        store = await Store.open(self.folder / "home", Keystore(self.folder / "k.json"))
        if not self.flows:
            await store.create_environment("a")
        vault = await store.open_vault("a")
        if not self.flows:
            self.flows = [(await vault.put_flow(name, {})).flow_id for name in ("f", "g")]
        self._closing += [vault, store]
        return vault

    async def close(self) -> None:
        while self._closing:
            await self._closing.pop(0).close()

    def change(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Changes the environment's store from outside."""
        (path,) = (self.folder / "home" / "environments").glob("*/store.db")
        connection = sqlite3.connect(path)
        with connection:
            change(connection)
        connection.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    yield place
    await place.close()


async def test_a_state_is_written_and_read(place: Place) -> None:
    vault = await place.open()
    flow = place.flows[0]
    assert await vault.trigger(flow) is None
    assert vault.set_trigger(flow, {"n": 1}, due_ms=50, expected=0) == 1
    assert vault.set_trigger(flow, {"n": 2}, due_ms=60, expected=1) == 2  # in the same batch
    await vault.flush()
    expected = TriggerState(flow, 60, {"n": 2}, 2)
    assert await vault.trigger(flow) == expected
    await place.close()
    vault = await place.open()
    assert await vault.triggers() == [expected]
    assert vault.set_trigger(flow, None, due_ms=None, expected=2) == 3
    await vault.flush()
    assert await vault.trigger(flow) == TriggerState(flow, None, None, 3)


async def test_those_that_are_due(place: Place) -> None:
    vault = await place.open()
    flows = [*place.flows, (await vault.put_flow("h", {})).flow_id]
    for flow, due_ms in zip(flows, (30, 10, None), strict=True):
        await vault.trigger(flow)
        vault.set_trigger(flow, "x", due_ms=due_ms, expected=0)
    await vault.flush()

    def order(states: list[TriggerState]) -> list[int]:
        return [flows.index(state.flow_id) for state in states]

    assert order(await vault.triggers()) == [1, 0, 2]
    assert order(await vault.triggers(due_by_ms=30)) == [1, 0]
    assert order(await vault.triggers(due_by_ms=30, limit=1)) == [1]
    assert order(await vault.triggers(due_by_ms=29)) == [1]
    assert order(await vault.triggers(due_by_ms=9)) == []


async def test_a_state_is_in_one_commit_with_the_run_it_started(place: Place) -> None:
    vault = await place.open()
    flow = place.flows[0]
    await vault.trigger(flow)
    await vault.flush()
    commits, rows = vault.commits, vault.rows_written
    log = vault.create_run(os.urandom(16), flow, 1, 5, None)
    log.append([["start"]])
    vault.set_trigger(flow, "fired", due_ms=9, expected=0)
    assert vault.pending_bytes > 0
    await vault.flush()
    assert vault.commits == commits + 1
    assert vault.rows_written == rows + 5  # two keys, the run, its page, the trigger


async def test_a_write_that_continues_something_else_is_refused_before_it_is_queued(place: Place) -> None:
    vault = await place.open()
    flow = place.flows[0]
    with pytest.raises(ValueError, match="read before"):
        vault.set_trigger(flow, 1, due_ms=None, expected=0)
    await vault.trigger(flow)
    vault.set_trigger(flow, 1, due_ms=None, expected=0)
    log = vault.create_run(os.urandom(16), flow, 1, 5, None)
    for expected in (0, 2):
        with pytest.raises(Conflict, match="was changed since it was read"):
            vault.set_trigger(flow, 2, due_ms=None, expected=expected)
    with pytest.raises(NotStorable):
        vault.set_trigger(flow, object(), due_ms=None, expected=1)
    for due_ms in (-1, 1 << 63):
        with pytest.raises(ValueError, match="milliseconds"):
            vault.set_trigger(flow, 2, due_ms=due_ms, expected=1)
    await vault.flush()  # the run that shares the batch is not harmed
    assert await vault.run_exists(log.run_id)
    assert await vault.trigger(flow) == TriggerState(flow, None, 1, 1)


async def test_a_row_that_was_changed_elsewhere_fails_the_commit_as_a_whole(place: Place) -> None:
    vault, other = await place.open(), await place.open()
    flow = place.flows[0]
    for each in (vault, other):
        await each.trigger(flow)
    other.set_trigger(flow, "theirs", due_ms=None, expected=0)
    await other.flush()
    log = vault.create_run(os.urandom(16), flow, 1, 5, None)
    vault.set_trigger(flow, "ours", due_ms=None, expected=0)
    with pytest.raises(Conflict, match="has such a row already"):
        await vault.flush()
    assert not await vault.run_exists(log.run_id)
    assert await vault.trigger(flow) == TriggerState(flow, None, "theirs", 1)
    assert vault.set_trigger(flow, "ours", due_ms=None, expected=1) == 2  # read again, it goes on
    await vault.flush()


async def test_a_lost_commit_leaves_what_was_durable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = await place.open()
    flow, new = place.flows
    for each in (flow, new):
        await vault.trigger(each)
    vault.set_trigger(flow, "durable", due_ms=1, expected=0)
    await vault.flush()

    async def full(batch: object) -> list[int]:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(vault._backend, "commit", full)
        vault.set_trigger(flow, "lost", due_ms=2, expected=1)
        vault.set_trigger(flow, "lost", due_ms=3, expected=2)
        vault.set_trigger(new, "lost", due_ms=3, expected=0)
        with pytest.raises(StoreFull):
            await vault.flush()
    assert vault.set_trigger(flow, "next", due_ms=4, expected=1) == 2
    assert vault.set_trigger(new, "first", due_ms=5, expected=0) == 1
    await vault.flush()
    assert [state.value for state in await vault.triggers()] == ["next", "first"]
    await place.close()
    vault = await place.open()
    assert [state.value for state in await vault.triggers()] == ["next", "first"]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_state_that_is_set_while_its_trigger_moves_to_another_key(
    place: Place, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    vault = await place.open()
    flow = place.flows[0]
    await vault.trigger(flow)
    vault.set_trigger(flow, "before", due_ms=None, expected=0)
    await vault.flush()
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    moving = asyncio.ensure_future(vault._triggers.move(flow, 1))
    while not vault._journal.batch.triggers.replaced:
        await asyncio.sleep(0)
    vault.set_trigger(flow, "after", due_ms=None, expected=1)
    with monkeypatch.context() as patch:
        if fails:
            patch.setattr(vault._backend, "commit", full)
            with pytest.raises(StoreFull):
                await moving
            with pytest.raises(Conflict, match="was changed since it was read"):
                vault.set_trigger(flow, "later", due_ms=None, expected=1)
        else:
            assert await moving
    expected = TriggerState(flow, None, "before", 1) if fails else TriggerState(flow, None, "after", 2)
    assert await vault.trigger(flow) == expected
    assert await (await place.open()).trigger(flow) == expected
    assert faults == []


async def full(batch: Batch) -> list[int]:
    raise StoreFull("The disk is full.")


async def test_there_is_no_trigger_of_a_flow_that_is_not_there(place: Place) -> None:
    vault = await place.open()
    with pytest.raises(RecordNotFound):
        await vault.trigger(b"?" * 16)


async def test_having_read_all_is_having_read_each(place: Place) -> None:
    vault = await place.open()
    assert await vault.triggers() == []
    for flow in place.flows:
        assert vault.set_trigger(flow, 1, due_ms=None, expected=0) == 1
    await vault.flush()
    assert len(await vault.triggers()) == 2


async def test_many_states(place: Place) -> None:
    vault = await place.open()
    flow, other = place.flows
    for each in (flow, other):
        await vault.trigger(each)
        for version in range(500):
            vault.set_trigger(each, version, due_ms=version, expected=version)
    await vault.flush()
    assert [(state.value, state.row_version) for state in await vault.triggers()] == [(499, 500)] * 2


# --- changed from outside


async def written(place: Place) -> Vault:
    """A vault of a store whose two triggers have the versions 1 and 2, and that has read neither."""
    vault = await place.open()
    for flow, versions in zip(place.flows, (1, 2), strict=True):
        await vault.trigger(flow)
        for version in range(versions):
            vault.set_trigger(flow, {"flow": flow, "n": version}, due_ms=version, expected=version)
            await vault.flush()
    await place.close()
    return await place.open()


async def test_rows_exchanged_between_flows_are_refused(place: Place) -> None:
    vault = await written(place)

    def exchange(connection: sqlite3.Connection) -> None:
        first, second = connection.execute("SELECT due_ms, row_version, record FROM triggers ORDER BY id").fetchall()
        for row, flow in zip((second, first), place.flows, strict=True):
            connection.execute(
                "UPDATE triggers SET due_ms = ?, row_version = ?, record = ? WHERE flow_id = ?", (*row, flow)
            )

    place.change(exchange)
    for flow in place.flows:
        with pytest.raises(NotARecord):
            await vault.trigger(flow)
    with pytest.raises(NotARecord):
        await vault.triggers(due_by_ms=100)


async def test_a_state_older_than_one_that_was_seen_is_refused(place: Place) -> None:
    vault = await written(place)
    flow = place.flows[1]
    rows: list[tuple[object, ...]] = []
    columns = "due_ms, row_version, record"
    place.change(
        lambda connection: rows.extend(
            connection.execute(f"SELECT {columns} FROM triggers WHERE flow_id = ?", (flow,)).fetchall()
        )
    )
    assert (await vault.triggers())[1].row_version == 2
    vault.set_trigger(flow, "later", due_ms=9, expected=2)
    await vault.flush()
    place.change(
        lambda connection: connection.execute(
            "UPDATE triggers SET due_ms = ?, row_version = ?, record = ? WHERE flow_id = ?", (*rows[0], flow)
        )
    )
    for call in (vault.trigger(flow), vault.triggers(), vault.triggers(due_by_ms=100)):
        with pytest.raises(IntegrityError, match="older"):
            await call


@pytest.mark.parametrize("seen", [True, False])
async def test_a_removed_row_is_noticed(place: Place, seen: bool) -> None:
    vault = await written(place)
    if seen:
        await vault.triggers()
    place.change(
        lambda connection: connection.executescript(
            "DELETE FROM triggers;" + ("DELETE FROM keys WHERE kind = 7" if seen else "")
        )
    )
    for call in (vault.trigger(place.flows[0]), vault.triggers()):
        with pytest.raises(IntegrityError, match="missing"):
            await call


async def test_a_row_that_another_process_sealed_anew_is_opened_with_its_new_key(place: Place) -> None:
    vault, other = await written(place), await place.open()
    flow = place.flows[0]
    assert await vault.trigger(flow) is not None
    key, key_row = other._keyring.new_scope(Kind.TRIGGER, flow, generation=2)
    record = key.seal(key.place(Purpose.TRIGGER, flow), 0, 2, pack([None, "anew"]))
    await other._backend.commit(
        Batch(
            keys=KeyChanges(inserts=[key_row]),
            triggers=TriggerChanges(upserts=[TriggerRow(flow, None, 2, record)]),
        )
    )
    assert await vault.trigger(flow) == TriggerState(flow, None, "anew", 2)
    vault.set_trigger(flow, "goes on", due_ms=1, expected=2)
    await vault.flush()
    assert await other.trigger(flow) == TriggerState(flow, 1, "goes on", 3)
