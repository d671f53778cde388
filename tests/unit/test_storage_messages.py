"""The messages of batch triggers: from any process, in order, counted by partition, taken once."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sealflow.storage import Keystore, Message, MessageCount, NotStorable, RecordNotFound, Store, Vault
from sealflow.storage.format.codec import pack
from sealflow.storage.format.purposes import Domain, Kind


class Clock:
    ms = 1_000

    def __call__(self) -> int:
        self.ms += 1
        return self.ms


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    store = await Store.open(tmp_path / "home", Keystore(tmp_path / "k.json"), now_ms=Clock())
    await store.create_environment("a")
    vault = await store.open_vault("a")
    yield vault
    await vault.close()
    await store.close()


@pytest.fixture
async def flow(vault: Vault) -> bytes:
    return (await vault.put_flow("f", {})).flow_id


def values(messages: list[Message]) -> list[object]:
    return [message.value for message in messages]


async def test_messages_are_kept_in_their_order(vault: Vault, flow: bytes) -> None:
    numbers = [await vault.add_message(flow, "p" if n % 3 else "q", {"n": n}) for n in range(6)]
    assert numbers == sorted(set(numbers))
    found = await vault.messages(flow)
    assert [message.number for message in found] == numbers
    assert found[1].partition == "p"
    assert found[1].size == len(pack({"n": 1}))
    assert found[1].created_ms > found[0].created_ms > 1_000
    assert values(found) == [{"n": n} for n in range(6)]
    assert values(await vault.messages(flow, partition="q")) == [{"n": 0}, {"n": 3}]
    assert values(await vault.messages(flow, partition="p", limit=2, after=numbers[1])) == [{"n": 2}, {"n": 4}]
    assert await vault.messages(flow, partition="P") == await vault.messages(flow, partition="") == []


async def test_flows_do_not_see_each_others_messages(vault: Vault, flow: bytes) -> None:
    other = (await vault.put_flow("g", {})).flow_id
    await vault.add_message(flow, "p", 1, dedupe=b"d")
    await vault.add_message(other, "p", 2, dedupe=b"d")
    assert values(await vault.messages(flow)) == [1]
    assert values(await vault.messages(other, partition="p")) == [2]
    assert list(await vault.message_counts(other)) == ["p"]


async def test_counts(vault: Vault, flow: bytes) -> None:
    assert await vault.message_counts(flow) == {}
    for partition, value in (("q", "a"), ("p", "bb"), ("q", "ccc")):
        await vault.add_message(flow, partition, value)
    found = await vault.messages(flow)
    expected = {
        "q": MessageCount(2, found[0].size + found[2].size, found[0].created_ms),
        "p": MessageCount(1, found[1].size, found[1].created_ms),
    }
    assert await vault.message_counts(flow) == expected
    assert list(await vault.message_counts(flow)) == ["q", "p"]
    vault.consume_message(flow, found[1].number)
    await vault.flush()
    assert list(await vault.message_counts(flow)) == ["q"]


async def test_a_repeated_message_that_waits_is_added_once(vault: Vault, flow: bytes) -> None:
    number = await vault.add_message(flow, "p", 1, dedupe=b"d")
    assert await vault.add_message(flow, "q", 2, dedupe=b"d") == number
    vault.queue_message(flow, "p", 3, domain=Domain.SERVICE, dedupe=b"d")
    await vault.flush()
    assert values(await vault.messages(flow)) == [1]
    assert list(await vault.message_counts(flow)) == ["p"]
    vault.consume_message(flow, number)
    await vault.flush()
    assert await vault.add_message(flow, "p", 4, dedupe=b"d") > number


async def test_adding_and_taking_go_with_the_commit_of_the_run(vault: Vault, flow: bytes) -> None:
    for value in (1, 2):
        await vault.add_message(flow, "p", value)
    first, second = await vault.messages(flow)
    assert await vault.trigger(flow) is None
    commits, rows = vault.commits, vault.rows_written
    vault.create_run(os.urandom(16), flow, 1, 5, None).append([["start"]])
    vault.queue_message(flow, "p", 3, domain=Domain.SERVICE)
    vault.consume_message(flow, first.number)
    vault.consume_message(flow, first.number)
    vault.set_trigger(flow, "fired", due_ms=1, expected=0)
    await vault.flush()
    assert vault.commits == commits + 1
    assert vault.rows_written == rows + 8  # keys of run, message, trigger; run, page, message, trigger; the removal
    assert values(await vault.messages(flow)) == [second.value, 3]


async def test_what_is_taken_is_not_listed_even_before_it_is_durable(vault: Vault, flow: bytes) -> None:
    for value in range(4):
        await vault.add_message(flow, "p", value)
    found = await vault.messages(flow)
    for message in found[:3]:
        vault.consume_message(flow, message.number)
    assert values(await vault.messages(flow, limit=1)) == [3]


async def test_the_key_goes_with_the_message(vault: Vault, flow: bytes, tmp_path: Path) -> None:
    await vault.add_message(flow, "p", 1)
    await vault.add_message(flow, "p", 2)
    vault.consume_message(flow, (await vault.messages(flow))[0].number)
    await vault.flush()
    (path,) = (tmp_path / "home" / "environments").glob("*/store.db")
    await vault.close()
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT scope FROM keys WHERE kind = ?", (Kind.MESSAGE,)).fetchall()
        assert kept == connection.execute("SELECT message_id FROM messages").fetchall()
        assert len(kept) == 1


async def test_a_message_that_cannot_be_kept_is_refused(vault: Vault, flow: bytes) -> None:
    with pytest.raises(NotStorable):
        await vault.add_message(flow, "p", object())
    with pytest.raises(NotStorable):
        vault.queue_message(flow, "p", object(), domain=Domain.SERVICE)
    with pytest.raises(RecordNotFound):
        await vault.add_message(b"?" * 16, "p", 1)
    await vault.flush()
    assert await vault.messages(flow) == []


async def test_odd_names(vault: Vault, flow: bytes) -> None:
    names = ["", "\ud800", "\0", "ä" * 500, "P", "p"]
    for name in names:
        await vault.add_message(flow, name, name)
    assert list(await vault.message_counts(flow)) == names
    for name in names:
        assert values(await vault.messages(flow, partition=name)) == [name]


async def test_another_vault_adds_and_both_see_everything(vault: Vault, flow: bytes, tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "home", Keystore(tmp_path / "k.json"))
    other = await store.open_vault("a")
    await asyncio.gather(*(each.add_message(flow, "p", n) for n in range(20) for each in (vault, other)))
    assert sorted(values(await vault.messages(flow))) == sorted([*range(20), *range(20)])  # type: ignore[type-var]
    assert (await other.message_counts(flow))["p"].count == 40
    await other.close()
    await store.close()
