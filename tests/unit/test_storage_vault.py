"""The vault: flows, runs, inbox, group commit, closing and opening again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sealflow.storage import (
    AlreadyThere,
    InvalidName,
    Keystore,
    KeystoreUnreadable,
    NotARecord,
    NotStorable,
    RecordNotFound,
    RunLog,
    Store,
    StoreClosed,
    Vault,
    WrongKey,
    export_bundle,
    open_bundle,
)

FLOW = b"F" * 16


class Clock:
    ms = 1_000

    def __call__(self) -> int:
        self.ms += 1
        return self.ms


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "home", Keystore(tmp_path / "keys" / "k.json"), now_ms=Clock())
    yield store
    await store.close()


@pytest.fixture
async def vault(store: Store) -> AsyncIterator[Vault]:
    await store.create_environment("Contoso")
    vault = await store.open_vault("contoso")
    yield vault
    await vault.close()


def new_run(vault: Vault, summary: Any = None, **more: Any) -> RunLog:
    return vault.create_run(os.urandom(16), FLOW, 1, 5, summary, **more)


async def records(vault: Vault, run_id: bytes, after: int = 0) -> list[tuple[int, Any]]:
    return [
        (page.seq + offset, record)
        async for page in vault.read_run(run_id, after)
        for offset, record in enumerate(page.records)
    ]


# --- environments


async def test_environments(store: Store) -> None:
    first = await store.create_environment("Contoso")
    second = await store.create_environment("fabrikam")
    assert [(info.id, info.name) for info in await store.environments()] == [
        (first.id, "Contoso"),
        (second.id, "fabrikam"),
    ]
    assert (await store.environment("CONTOSO")) == first
    with pytest.raises(AlreadyThere):
        await store.create_environment("contoso")
    with pytest.raises(RecordNotFound):
        await store.environment("other")
    with pytest.raises(RecordNotFound):
        await store.open_vault("other")
    for name in ("", "  "):
        with pytest.raises(InvalidName):
            await store.create_environment(name)


async def test_the_folder(store: Store) -> None:
    info = await store.create_environment("Contoso")
    assert (store.home / ".gitignore").read_text() == "*\n"
    assert oct(store.home.stat().st_mode)[-3:] == "700"
    for file in (store.home / "control.db", store.home / "environments" / info.id.hex() / "store.db"):
        assert oct(file.stat().st_mode)[-3:] == "600"


async def test_it_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound):
        await Store.open(tmp_path / "home", Keystore(tmp_path / "k.json"), create=False)
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "k.json").exists()


async def test_a_keystore_inside_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(KeystoreUnreadable):
        await Store.open(tmp_path / "home", Keystore(tmp_path / "home" / "k.json"))
    assert not (tmp_path / "home").exists()


async def test_stores_made_at_once_are_one(tmp_path: Path) -> None:
    def keystore() -> Keystore:
        return Keystore(tmp_path / "keys" / "k.json")

    stores = await asyncio.gather(*(Store.open(tmp_path / "home", keystore()) for _ in range(4)))
    await stores[0].create_environment("a")
    for store in stores:
        assert [info.name for info in await store.environments()] == ["a"]
        await store.close()


# --- flows


async def test_flow_versions(vault: Vault) -> None:
    first = await vault.put_flow("Invoice", {"a": 1}, meta={"m": 1})
    same = await vault.put_flow("invoice", {"a": 1}, meta={"m": 1})
    second = await vault.put_flow("INVOICE", {"a": 2}, meta={"m": 1})
    back = await vault.put_flow("Invoice", {"a": 1}, meta={"m": 1})
    assert [(v.version, v.created, v.name) for v in (first, same, second, back)] == [
        (1, True, "Invoice"),
        (1, False, "Invoice"),
        (2, True, "Invoice"),
        (3, True, "Invoice"),
    ]
    assert {v.flow_id for v in (first, same, second, back)} == {first.flow_id}
    document = await vault.version(first.flow_id, 2)
    assert (document.number, document.document, document.meta) == (2, {"a": 2}, {"m": 1})
    assert document.digest != (await vault.version(first.flow_id, 3)).digest
    info = await vault.flow("inVoice")
    assert info == await vault.flow(first.flow_id) == (await vault.flows())[0]
    assert (info.version, info.name) == (3, "Invoice")
    assert info.created_ms < info.updated_ms


async def test_flow_errors(vault: Vault) -> None:
    with pytest.raises(RecordNotFound):
        await vault.flow("nothing")
    with pytest.raises(RecordNotFound):
        await vault.flow(FLOW)
    with pytest.raises(RecordNotFound):
        await vault.version(FLOW, 1)
    with pytest.raises(RecordNotFound):
        await vault.version(FLOW, 1 << 80)
    with pytest.raises(InvalidName):
        await vault.put_flow("", {"a": 1})
    with pytest.raises(NotStorable):
        await vault.put_flow("x", {"a": object()})
    assert await vault.flows() == []


async def test_order_of_a_definition_matters(vault: Vault) -> None:
    await vault.put_flow("a", {"x": 1, "y": 2})
    assert (await vault.put_flow("a", {"y": 2, "x": 1})).created


async def test_deploying_at_once(vault: Vault) -> None:
    answers = await asyncio.gather(*(vault.put_flow("a", {"n": n}) for n in range(10)))
    assert sorted(answer.version for answer in answers) == list(range(1, 11))


async def test_deploying_from_two_processes_at_once(store: Store, vault: Vault) -> None:
    other = await store.open_vault("contoso")
    answers = await asyncio.gather(
        *(where.put_flow("a", {"n": n, "who": who}) for n in range(3) for who, where in enumerate((vault, other)))
    )
    assert sorted(answer.version for answer in answers) == list(range(1, 7))
    await other.close()


# --- runs


async def test_a_run(vault: Vault) -> None:
    parent = os.urandom(16)
    assert not await vault.run_exists(os.urandom(16))
    log = new_run(vault, {"name": "x"}, parent=parent, status=1)
    assert log.seq == log.durable_seq == 1
    durable: list[int] = []
    log.append([["start", 1], ("second", 2.5)], on_durable=lambda: durable.append(log.durable_seq))
    assert (log.seq, log.durable_seq, durable) == (3, 1, [])
    assert vault.pending_bytes > 0
    await vault.flush()
    assert (log.durable_seq, durable, vault.pending_bytes) == (3, [3], 0)
    assert await vault.unfinished() == [log.run_id]
    log.append([["end"]], status=2, ended_ms=9, summary={"name": "y"})
    await vault.flush()
    assert await records(vault, log.run_id) == [(1, ["start", 1]), (2, ["second", 2.5]), (3, ["end"])]
    assert await records(vault, log.run_id, after=1) == [(2, ["second", 2.5]), (3, ["end"])]
    assert await records(vault, log.run_id, after=3) == []
    info = await vault.run(log.run_id)
    assert (info.flow_id, info.version, info.status, info.started_ms, info.ended_ms) == (FLOW, 1, 2, 5, 9)
    assert (info.parent, info.summary) == (parent, {"name": "y"})
    assert await vault.unfinished() == []
    assert await vault.run_exists(log.run_id)


async def test_a_run_that_is_not_there(vault: Vault) -> None:
    for call in (vault.run, vault.open_run, vault.reader):
        with pytest.raises(RecordNotFound):
            await call(os.urandom(16))
    with pytest.raises(RecordNotFound):
        await records(vault, os.urandom(16))
    with pytest.raises(ValueError, match="16 bytes"):
        vault.create_run(b"short", FLOW, 1, 5, None)


async def test_lists_of_runs(vault: Vault) -> None:
    parents = {4: b"p" * 16}
    logs = [
        vault.create_run(os.urandom(16), bytes([n % 2]) * 16, 1, n, {"n": n}, status=n % 3, parent=parents.get(n))
        for n in range(8)
    ]
    await vault.flush()

    async def numbers(**filters: Any) -> list[int]:
        return [info.summary["n"] for info in await vault.runs(**filters)]

    assert await numbers() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert await numbers(limit=3) == [7, 6, 5]
    assert await numbers(limit=3, before=logs[5].run_id) == [4, 3, 2]
    assert await numbers(flow_id=b"\1" * 16) == [7, 5, 3, 1]
    assert await numbers(statuses=[0, 2]) == [6, 5, 3, 2, 0]
    assert await numbers(statuses=[]) == []
    assert await numbers(parent=b"p" * 16) == [4]
    assert await vault.unfinished() == [log.run_id for log in logs]


async def test_large_appends_are_split_and_atomic(vault: Vault) -> None:
    log = new_run(vault)
    calls: list[int] = []
    sent = [["x" * 30_000, n] for n in range(7)] + [["y" * 200_000, 7]] + [["z", 8]]
    written = log.append(sent, on_durable=lambda: calls.append(1))
    await vault.flush()
    assert written == log.bytes_written
    assert calls == [1]
    assert vault.commits == 1
    pages = [(page.seq, len(page.records)) async for page in vault.read_run(log.run_id)]
    assert pages == [(1, 2), (3, 2), (5, 2), (7, 1), (8, 1), (9, 1)]
    assert [record for _, record in await records(vault, log.run_id)] == sent
    assert await records(vault, log.run_id, after=5) == [(n + 1, sent[n]) for n in range(5, 9)]


async def test_a_refused_append_changes_nothing(vault: Vault) -> None:
    log = new_run(vault)
    with pytest.raises(NotStorable):
        log.append([["a"], [object()]])
    with pytest.raises(NotStorable):
        log.append([["a"]], summary=object())
    log.append([["b"]])
    await vault.flush()
    assert await records(vault, log.run_id) == [(1, ["b"])]


async def test_an_empty_append_is_a_barrier(vault: Vault) -> None:
    log = new_run(vault)
    log.append([["a"]])
    order: list[str] = []
    log.append([], on_durable=lambda: order.append(f"durable {log.durable_seq}"))
    await vault.flush()
    assert order == ["durable 2"]


async def test_snapshots(vault: Vault) -> None:
    log = new_run(vault)
    assert await log.load_snapshot() is None
    log.append([["a"]])
    log.snapshot({"state": 1})
    log.append([["b"]])
    log.snapshot({"state": 2})
    log.append([["c"]])
    await vault.flush()
    assert await log.load_snapshot() == (3, {"state": 2})
    for from_snapshot in (False, True):
        again = await vault.open_run(log.run_id, from_snapshot=from_snapshot)
        assert again.seq == 4
        assert await again.load_snapshot() == (3, {"state": 2})


async def test_a_run_goes_on_after_opening_again(store: Store) -> None:
    await store.create_environment("a")
    vault = await store.open_vault("a")
    log = new_run(vault, {"s": 1}, status=1)
    log.append([["a"]])
    await vault.close()
    for n in range(3):
        vault = await store.open_vault("a")
        log = await vault.open_run(log.run_id)
        assert (log.seq, log.durable_seq, log.status, log.flow_id, log.version) == (n + 2, n + 2, 1, FLOW, 1)
        log.append([[n]], summary={"s": n})
        await vault.close()
    vault = await store.open_vault("a")
    log = await vault.open_run(log.run_id)
    log.append([["end"]], status=2, ended_ms=7)
    await vault.flush()
    assert [record for _, record in await records(vault, log.run_id)] == [["a"], [0], [1], [2], ["end"]]
    assert (await vault.run(log.run_id)).summary == {"s": 2}
    await vault.close()


async def test_following_a_run(store: Store, vault: Vault) -> None:
    log = new_run(vault)
    log.append([["a"]])
    await vault.flush()
    other = await store.open_vault("contoso")
    reader = await other.reader(log.run_id)
    assert [page.seq for page in await reader.read()] == [1]
    assert await reader.read() == []
    for _ in range(150):
        log.append([["b"]])
    await vault.flush()
    assert [page.seq for page in await reader.read()] == list(range(2, 152))
    assert reader.seq == 152
    await other.close()


# --- group commit


async def test_what_is_appended_at_once_is_one_commit(vault: Vault) -> None:
    logs = [new_run(vault) for _ in range(100)]
    await vault.flush()
    before = vault.commits

    async def one(log: RunLog) -> None:
        durable = asyncio.Event()
        log.append([["x"]], on_durable=durable.set)
        await durable.wait()

    await asyncio.gather(*(one(log) for log in logs))
    assert vault.commits - before == 1
    before = vault.commits
    await asyncio.gather(*(one(log) for log in logs for _ in range(10)))
    assert vault.commits - before <= 2


async def test_the_next_batch_is_what_piled_up(vault: Vault) -> None:
    """50 runs of 20 steps, each step waiting for its commit, cost about 20 commits."""

    async def run() -> None:
        log = new_run(vault)
        for n in range(20):
            durable = asyncio.Event()
            log.append([[n]], on_durable=durable.set)
            await durable.wait()

    await asyncio.gather(*(run() for _ in range(50)))
    assert 20 <= vault.commits <= 60
    assert vault.rows_written == 50 * (20 + 2)


async def test_callbacks_follow_their_commit_and_their_order(vault: Vault) -> None:
    log = new_run(vault)
    order: list[int] = []
    for n in range(5):
        log.append([[n]], on_durable=lambda n=n: order.append(n))  # type: ignore[misc]
    assert order == []
    await vault.flush()
    assert order == [0, 1, 2, 3, 4]


async def test_a_callback_may_append(vault: Vault) -> None:
    log = new_run(vault)

    def more() -> None:
        if log.seq < 10:
            log.append([["more"]], on_durable=more)

    log.append([["first"]], on_durable=more)
    while log.durable_seq < 10:
        await vault.flush()
    assert len(await records(vault, log.run_id)) == 9


async def test_a_failing_callback_stops_nobody(vault: Vault) -> None:
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    log = new_run(vault)
    done: list[int] = []
    log.append([["a"]], on_durable=lambda: 1 / 0)  # type: ignore[arg-type]
    log.append([["b"]], on_durable=lambda: done.append(1))
    await vault.flush()
    assert done == [1]
    assert isinstance(seen[0]["exception"], ZeroDivisionError)


async def test_a_closed_vault_refuses(store: Store) -> None:
    await store.create_environment("a")
    vault = await store.open_vault("a")
    log = new_run(vault)
    log.append([["a"]])
    await vault.close()
    assert log.durable_seq == 2
    with pytest.raises(StoreClosed):
        log.append([["b"]])
    with pytest.raises(StoreClosed):
        await vault.flush()
    with pytest.raises(StoreClosed):
        await vault.flows()
    await vault.close()


async def test_a_closed_log_refuses_and_loses_nothing(vault: Vault) -> None:
    log = new_run(vault)
    log.append([["a"]])
    log.close()
    with pytest.raises(StoreClosed):
        log.append([["b"]])
    await vault.flush()
    assert await records(vault, log.run_id) == [(1, ["a"])]


# --- inbox


async def test_inbox(store: Store, vault: Vault) -> None:
    other = await store.open_vault("contoso")
    run = os.urandom(16)
    first = await other.inbox_add(1, {"start": "x"})
    second = await other.inbox_add(2, ["cancel"], run_id=run, dedupe=b"once")
    assert await other.inbox_add(2, ["cancel"], run_id=run, dedupe=b"once") == second
    items = await vault.inbox()
    assert [(i.id, i.kind, i.run_id, i.value) for i in items] == [
        (first, 1, None, {"start": "x"}),
        (second, 2, run, ["cancel"]),
    ]
    assert [item.id for item in await vault.inbox(limit=1)] == [first]
    vault.consume(first)
    vault.consume(first)
    assert [item.id for item in await vault.inbox(limit=1)] == [second]
    await vault.flush()
    assert [item.id for item in await other.inbox()] == [second]
    vault.consume(second)
    await vault.flush()
    third = await other.inbox_add(2, ["again"], dedupe=b"once")
    assert third > second
    assert [item.value for item in await vault.inbox()] == [["again"]]
    await other.close()


async def test_an_item_is_consumed_in_the_commit_that_records_it(vault: Vault) -> None:
    item = await vault.inbox_add(1, "start")
    vault.consume(item)
    log = new_run(vault)
    log.append([["started"]])
    await vault.flush()
    assert vault.commits == 1


# --- bundles


@pytest.mark.parametrize("size", [0, 10, 65_535, 65_536, 300_000])
async def test_bundles(vault: Vault, size: int) -> None:
    data = await export_bundle(vault, {"x": "a" * size})
    assert await open_bundle(vault, data) == {"x": "a" * size}
    assert b"aaaa" not in data


async def test_altered_bundles(store: Store, vault: Vault) -> None:
    data = await export_bundle(vault, ["x" * 200_000])
    for position in [*range(260), 70_000, 140_000, len(data) - 1]:
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises((NotARecord, WrongKey)):
            await open_bundle(vault, bytes(changed))
    for length in (0, 5, 18, 30, 200, 70_000, len(data) - 1):
        with pytest.raises(NotARecord):
            await open_bundle(vault, data[:length])
    header = 18 + 4 + int.from_bytes(data[18:22], "big")
    chunk = 4 + int.from_bytes(data[header : header + 4], "big")
    for other in (
        data + b"\0",
        data[:header] + data[header + chunk :],  # without its first chunk
        data[: header + chunk],  # without all others
        data[: header + chunk] + data[header:],  # the first one twice
    ):
        with pytest.raises(NotARecord):
            await open_bundle(vault, other)
    await store.create_environment("other")
    elsewhere = await store.open_vault("other")
    with pytest.raises(WrongKey, match="another environment"):
        await open_bundle(elsewhere, data)
    await elsewhere.close()
