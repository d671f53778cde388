"""Values that records repeat are stored once: what is read is what was written, wherever reading begins."""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.cloud import parse
from sealflow.engine.kernel import build
from sealflow.storage import Keystore, NotARecord, NotStorable, RunLog, Store, TamperedHistory, Vault
from sealflow.storage.format.codec import pack, pack_pages
from sealflow.storage.format.compression import LEAST, unzipped
from sealflow.storage.format.envelope import REFERRING, ZIPPED, codec_of
from sealflow.storage.format.marks import Mark
from sealflow.storage.format.references import SPAN, Missing, Referrer, Resolver
from sealflow.storage.stores.runs.history import Chain, RunReader

PLACES = {1: 2, 2: 2}
BODY = {f"field{number}": "x" * 20 for number in range(20)}
RUN = b"r" * 16


def referrer() -> Referrer:
    made = Referrer()
    made.naming = made.named = PLACES
    return made


def page(packed: list[bytes]) -> bytes:
    ((_, data),) = pack_pages(packed, 1 << 30)
    return data


def records(count: int, **more: Any) -> list[Any]:
    return [[1, 1, {"outputs": {"body": copy.deepcopy(BODY), "n": number, **more}}] for number in range(count)]


def test_what_is_repeated_is_a_reference() -> None:
    first = [1, 1, {"outputs": {"body": BODY, "status": 200}}]
    second = [1, 2, {"host": {"id": "a"}, "parameters": {"payload": BODY}}]
    packed = referrer().pack([first, second], 1)
    assert len(packed[1]) < 100 < len(packed[0])
    opened = Resolver().open(page(packed), 1)
    assert opened == [first, second]
    assert opened[1][2]["parameters"]["payload"] is opened[0][2]["outputs"]["body"]


def test_an_equal_object_is_no_reference() -> None:
    packed = referrer().pack([[1, 1, {"body": BODY}], [1, 2, {"body": copy.deepcopy(BODY)}]], 1)
    assert len(packed[1]) == len(packed[0])


def test_what_was_changed_since_is_stored_as_it_is() -> None:
    changing, writer, reader = dict(BODY), referrer(), Resolver()
    first, second, third = [1, 1, {"body": changing}], [1, 2, {"body": changing}], [1, 2, {"body": changing}]
    pages = [page(writer.pack([first], 1)), page(writer.pack([second], 2))]
    before = copy.deepcopy(first)
    changing["field3"] = "y" * 20
    pages.append(page(writer.pack([third], 3)))
    assert reader.open(pages[0], 1) == [before]
    assert reader.open(pages[1], 2) == [[1, 2, before[2]]]
    assert reader.open(pages[2], 3) == [third]


def test_what_is_far_behind_is_not_named_but_for_the_first_record() -> None:
    writer, start = referrer(), [1, 1, {"outputs": {"body": dict(BODY)}}]
    early = records(1)[0]
    sizes = [len(data) for data in writer.pack([start, early], 1)]
    seq = 3
    for record in records(SPAN // sizes[1] + 1):
        writer.pack([record], seq)
        seq += 1
    again = writer.pack([[1, 2, early[2]], [1, 2, start[2]]], seq)
    assert len(again[0]) > sizes[1] * 0.9
    assert len(again[1]) < 60


def test_what_cannot_be_stored_leaves_nothing_behind() -> None:
    writer = referrer()
    with pytest.raises(NotStorable):
        writer.pack([[1, 1, {"body": BODY}], [1, 2, {"body": object()}]], 1)
    assert len(writer.pack([[1, 1, {"body": BODY}]], 1)[0]) > 400


def test_a_page_does_not_grow_without_bounds_when_it_is_read() -> None:
    body = {"text": "x" * 30_000}
    many = [[1, 1, {"body": body}], *([1, 2, {"body": body}] for _ in range(100))]
    packed = referrer().pack(many, 1)
    assert 30 < sum(len(each) < 100 for each in packed) < 40  # a MiB of them
    assert Resolver().open(page(packed), 1) == many


@pytest.mark.parametrize("given", [b"\xc0", b"\x91\xc0", b"\x91\xc4\x01\xc1", page([b"\x91\xc7\x01\x06\xc0"])])
def test_other_bytes_are_one_error(given: bytes) -> None:
    with pytest.raises(NotARecord):
        Resolver().open(given, 1)


def test_a_reference_to_another_record_is_refused() -> None:
    packed = referrer().pack([[1, 1, {"body": BODY}], [1, 2, {"body": BODY}]], 5)
    other = pack([1, 1, {"body": {**BODY, "field0": "another"}}])
    with pytest.raises(NotARecord, match="another record"):
        Resolver().open(page([other, packed[1]]), 5)
    with pytest.raises(Missing):
        Resolver().open(page([packed[1]]), 6)


_bodies = st.sampled_from([{"k": "v" * 300, "n": [number] * 50} for number in range(4)])
_turns = st.lists(
    st.lists(st.tuples(st.sampled_from([1, 2, 3]), _bodies, st.booleans()), min_size=1, max_size=6), max_size=12
)


@given(_turns, st.integers(200, 3_000))
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_is_read(turns: list[list[tuple[int, Any, bool]]], limit: int) -> None:
    writer, reader, seq = referrer(), Resolver(), 1
    for turn in turns:
        given = [[1, kind, {"inside": {"body": body}} if nested else body] for kind, body, nested in turn]
        for count, data in pack_pages(writer.pack(given, seq), limit):
            assert reader.open(data, seq) == given[:count]
            given, seq = given[count:], seq + count


# --- in a store


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    store = await Store.open(tmp_path / "home", Keystore(tmp_path / "keys" / "k.json"))
    await store.create_environment("e")
    vault = await store.open_vault("e")
    yield vault
    await vault.close()
    await store.close()


async def history(vault: Any) -> list[Any]:
    return [record async for page in vault.read_run(RUN) for record in page.records]


async def begun(vault: Any) -> RunLog:
    flow = await vault.put_flow("f", {})
    log: RunLog = vault.create_run(RUN, flow.flow_id, 1, 5, {})
    log.name_values(PLACES, PLACES)
    return log


async def test_a_record_is_read_alone_with_what_it_refers_to(vault: Vault) -> None:
    log = await begun(vault)
    written: list[Any] = []
    last: Any = {"outputs": {"body": BODY}}
    for number in range(100):
        both = [[1, 1, {"outputs": {"body": {**BODY, "n": number}}}], [1, 2, {"x": last, "start": BODY}]]
        last = both[0][2]
        written += both
        log.append(both)
    await vault.flush()
    assert await history(vault) == written
    for seq in (1, 2, 39, 40, 120, 199, 200):
        assert await log.record(seq) == written[seq - 1]
    log.close()


@pytest.mark.parametrize("fault", [{}, {"summary": {"n": object()}}], ids=["a value", "the summary"])
async def test_what_was_refused_is_named_by_nothing(vault: Vault, fault: dict[str, Any]) -> None:
    vault._journal.values = type(vault._journal.values)(300_000)
    log = await begun(vault)
    value = {"outputs": {"body": BODY}}
    refused = [[1, 1, value]] if fault else [[1, 1, ["x" * 300_001]], [1, 1, value]]
    with pytest.raises(NotStorable):
        log.append(refused, **fault)
    written: list[Any] = [[1, 3, "another"], [1, 2, value], [1, 2, value]]
    log.append(written)
    await vault.flush()
    assert await history(vault) == written
    log.close()


async def test_reading_from_a_snapshot_needs_nothing_before_it(vault: Vault) -> None:
    log = await begun(vault)
    value = {"outputs": {"body": BODY}}
    log.append([[1, 1, value]])
    log.snapshot({"any": 1})
    log.append([[1, 2, value], [1, 2, value]])
    await vault.flush()
    log.close()
    again = await vault.open_run(RUN, from_snapshot=True)
    assert await again.record(3) == [1, 2, value]
    again.append([[1, 2, value]])
    await vault.flush()
    assert await history(vault) == [[1, 1, value]] + [[1, 2, value]] * 3


async def test_a_reader_that_begins_too_late_says_so(vault: Vault) -> None:
    log = await begun(vault)
    value = {"outputs": {"body": BODY}}
    log.append([[1, 1, value]])
    place = log.seq, log._link
    log.append([[1, 2, value]])
    await vault.flush()
    reader = RunReader(vault._backend, log._keys, Chain(log._keys, RUN, Mark(*place, b"")), RUN)
    with pytest.raises(TamperedHistory, match="refers to"):
        await reader.read()


# --- compressed


async def test_pages_are_compressed_where_that_pays_and_is_asked_for(vault: Vault) -> None:
    log = await begun(vault)
    whole = log.append(records(4))
    log.zips = True
    zipped, short = log.append(records(4)), log.append([[1, 3, "a" * (LEAST - 100)]])
    noise = log.append([[1, 3, random.Random(1).randbytes(LEAST)]])
    assert zipped < whole / 2
    assert short > LEAST - 100
    assert noise > LEAST
    await vault.flush()
    rows = await vault._backend.runs.pages(RUN, 1, 10, 1 << 20)
    assert [codec_of(row.record) for row in rows] == [REFERRING, ZIPPED, REFERRING, REFERRING]
    assert (await history(vault))[:8] == [*records(4), *records(4)]


@pytest.mark.parametrize("given", [b"", b"no frame", zstandard.ZstdCompressor(write_content_size=False).compress(b"x")])
def test_what_is_no_compressed_page_is_one_error(given: bytes) -> None:
    with pytest.raises(NotARecord):
        unzipped(given)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ({"type": "Compose", "inputs": 1, "runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}, {}),
        ({"type": "Compose", "inputs": 1}, {"parameters": {"key": {"type": "SecureString"}}}),
        (
            {
                "type": "Http",
                "inputs": {
                    "method": "GET",
                    "uri": "https://example.org",
                    "authentication": {"type": "Basic", "username": "a", "password": "b"},
                },
            },
            {},
        ),
    ],
)
def test_a_run_that_keeps_secrets_is_not_compressed(action: dict[str, Any], more: dict[str, Any]) -> None:
    assert build(parse({"triggers": {}, "actions": {"a": action}, **more})).secretive
    assert not build(parse({"triggers": {}, "actions": {"a": {"type": "Compose", "inputs": 1}}})).secretive
