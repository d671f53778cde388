"""A writer of the database changes a stored history. `verify` reports it and names the run.

Each change is made in the file, from outside. Those that leave a store which verifies by itself (an earlier state put
back whole) are found with an anchor.
"""

# ruff: noqa: E501 (one line a change)

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from customer_keys import ENVIRONMENT
from gcm_forgeries import salamander
from kept_store import KeptStore, add_run, kept_store
from sealflow.storage import IntegrityError, NotARecord, Store, TamperedHistory, Vault
from sealflow.storage.format.envelope import HEADER_BYTES, NONCE_BYTES, environment_key_payload, expand, lp, number
from sealflow.storage.format.purposes import Kind, Purpose, Role

Change = Callable[[sqlite3.Connection], object]

HISTORY: dict[str, tuple[str, ...]] = {
    "a flipped bit of a page": ("UPDATE pages SET record = flip(record) WHERE run = 1 AND seq = 5",),
    "a flipped bit of a link": ("UPDATE pages SET link = flip(link) WHERE run = 1 AND seq = 5",),
    "a flipped bit of the head": ("UPDATE runs SET head = flip(head) WHERE id = 1",),
    "a flipped bit of the summary": ("UPDATE runs SET summary = flip(summary) WHERE id = 1",),
    "a flipped bit of the snapshot": ("UPDATE snapshots SET record = flip(record) WHERE run = 1",),
    "a flipped bit of the key": ("UPDATE keys SET wrapped = flip(wrapped) WHERE {key}",),
    "the first page is deleted": ("DELETE FROM pages WHERE run = 1 AND seq = 1",),
    "a page in the middle is deleted": ("DELETE FROM pages WHERE run = 1 AND seq = 5",),
    "the last page is deleted": ("DELETE FROM pages WHERE run = 1 AND seq = 9",),
    "all pages are deleted": ("DELETE FROM pages WHERE run = 1",),
    "its row is deleted": ("DELETE FROM runs WHERE id = 1",),
    "its key is deleted": ("DELETE FROM keys WHERE {key}",),
    "two pages are swapped": (
        "UPDATE pages SET seq = 1000 WHERE run = 1 AND seq = 3",
        "UPDATE pages SET seq = 3 WHERE run = 1 AND seq = 5",
        "UPDATE pages SET seq = 5 WHERE run = 1 AND seq = 1000",
    ),
    "a page is duplicated at the end": (
        "INSERT INTO pages (run, seq, link, record) SELECT 1, 11, link, record FROM pages WHERE run = 1 AND seq = 9",
    ),
    "a page is duplicated inside": (
        "UPDATE pages SET (link, record) = (SELECT link, record FROM pages WHERE run = 1 AND seq = 3) WHERE run = 1 AND seq = 5",
    ),
    "a page of another run": (
        "UPDATE pages SET (link, record) = (SELECT link, record FROM pages WHERE run = 2 AND seq = 5) WHERE run = 1 AND seq = 5",
    ),
    "another run's history, whole": (
        "DELETE FROM pages WHERE run = 1",
        "INSERT INTO pages (run, seq, link, record) SELECT 1, seq, link, record FROM pages WHERE run = 2",
    ),
    "another run's head": ("UPDATE runs SET (head, head_version) = (SELECT head, head_version FROM runs WHERE id = 2) WHERE id = 1",),
    "the summary in the column of the head": ("UPDATE runs SET head = summary, head_version = summary_version WHERE id = 1",),
    "a page in the column of the snapshot": ("UPDATE snapshots SET record = (SELECT record FROM pages WHERE run = 1 AND seq = 5) WHERE run = 1",),
    "another run's key id": ("UPDATE pages SET record = CAST(substr(record, 1, 4) || (SELECT substr(record, 5, 32) FROM pages WHERE run = 2 LIMIT 1) || substr(record, 37) AS BLOB) WHERE run = 1 AND seq = 5",),
    "another run's key": ("UPDATE keys SET (kid, wrapped) = (SELECT kid, wrapped FROM keys WHERE kind = 1 AND NOT ({key}) LIMIT 1) WHERE {key}",),
    "the domain of the run": ("UPDATE runs SET domain = 1 WHERE id = 1",),
    "the domain of its key": ("UPDATE keys SET domain = 1 WHERE {key}",),
    "another status": ("UPDATE runs SET status = 3 WHERE id = 1",),
    "not ended": ("UPDATE runs SET ended_ms = NULL WHERE id = 1",),
}  # fmt: skip


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    return await kept_store(tmp_path)


def flip(data: bytes) -> bytes:
    """One bit of it, in the middle, turned over."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


@pytest.mark.parametrize("statements", HISTORY.values(), ids=HISTORY)
async def test_a_changed_history_is_refused_with_its_run_named(kept: KeptStore, statements: tuple[str, ...]) -> None:
    """The writer changes, deletes, exchanges or repeats rows of a run. `verify` and every reader refuse it and name the
    run.
    """
    run = kept.ids[0]

    def change(connection: sqlite3.Connection) -> None:
        connection.create_function("flip", 1, flip)
        for sql in statements:
            key = f"kind = {Kind.RUN:d} AND scope = x'{run.hex()}'"
            assert connection.execute(sql.replace("{key}", key)).rowcount > 0

    kept.change(change)
    assert run in {finding.run for finding in (await kept.verify()).findings}
    assert {finding.run for finding in (await kept.verify(run_id=run)).findings} == {run}


async def test_an_old_head_is_replayed(kept: KeptStore) -> None:
    """The writer puts back an earlier head of a run. An anchor detects it."""
    running, earlier = kept.ids[2], kept.keep()

    async def go_on(vault: Vault) -> None:
        (await vault.open_run(running)).append([[9, "more"]], head=True)

    await kept.use(go_on)
    anchor = await kept.anchor()
    kept.put_back_rows(earlier, {"runs": "id = 3"})
    found = await kept.verify(anchor=anchor)
    assert {finding.run for finding in found.findings} == {running}


async def test_a_whole_run_is_rolled_back(kept: KeptStore) -> None:
    """The writer puts back a whole run to an earlier state. An anchor detects it."""
    running, earlier = kept.ids[2], kept.keep()

    async def end(vault: Vault) -> None:
        (await vault.open_run(running)).append([[9, "more"]], status=2, ended_ms=12)

    await kept.use(end)
    anchor = await kept.anchor()
    kept.put_back_rows(earlier, {"pages": "run = 3", "runs": "id = 3", "snapshots": "run = 3"})
    found = await kept.verify(anchor=anchor)
    assert {finding.run for finding in found.findings} == {running}


async def test_a_page_of_another_environment(kept: KeptStore) -> None:
    """The writer inserts a page of another environment."""
    own = kept.keys.database()
    await kept.with_store(lambda store: store.create_environment("other"))
    async with kept.keys.vault("other") as vault:
        flow = await vault.put_flow("flow", {"v": 1})
        add_run(vault, flow.flow_id, b"", ended=True)
    (other,) = {*kept.keys.home.glob("environments/*/store.db")} - {own}
    kept.keys.database = lambda: own  # type: ignore[method-assign]

    def move(connection: sqlite3.Connection) -> None:
        connection.execute("ATTACH ? AS other", (str(other),))
        connection.execute(
            "UPDATE pages SET (link, record) = (SELECT link, record FROM other.pages WHERE run = 1 AND seq = 5) "
            "WHERE run = 1 AND seq = 5"
        )

    kept.change(move)
    assert {finding.run for finding in (await kept.verify()).findings} == {kept.ids[0]}


@pytest.mark.parametrize("table", ["flows", "connections"])
async def test_a_flipped_domain_column(kept: KeptStore, table: str) -> None:
    """The writer changes the column that says whose key encrypts a row."""
    kept.change(f"UPDATE {table} SET domain = 3 - domain")
    found = await kept.verify()
    assert any(table.rstrip("s") in finding.at for finding in found.findings)


async def test_a_forged_inbox_item(kept: KeptStore) -> None:
    """The writer forges a request in the inbox."""
    kept.change(
        "INSERT INTO inbox (item_id, kind, run_id, dedupe, created_ms, record) "
        "SELECT randomblob(16), kind, run_id, NULL, created_ms, record FROM inbox"
    )
    found = await kept.verify()
    assert [(finding.at, finding.run) for finding in found.findings] == [("inbox item 2", kept.ids[0])]


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE sealed_inbox SET sealed = flip(sealed)",
        "UPDATE sealed_inbox SET mac = flip(mac)",
        "UPDATE sealed_inbox SET kind = kind + 1",
        "INSERT INTO sealed_inbox SELECT key_id, 2, kind, scope, created_ms, mac, sealed FROM sealed_inbox",
    ],
)
async def test_a_forged_item_of_the_inbox_of_a_locked_environment(kept: KeptStore, forgery: str) -> None:
    """The writer forges an item for a locked environment."""
    running = kept.ids[2]

    async def expect(vault: Vault) -> None:
        vault.sealed_items.expect(running, b"token")
        await vault.sealed_items.renew()
        await vault.flush()

    async def accept(store: Store) -> None:
        async with await store.sealed_inbox(ENVIRONMENT) as inbox:
            await inbox.accept(1, running, {"body": 1})

    def forge(connection: sqlite3.Connection) -> None:
        connection.create_function("flip", 1, flip)
        assert connection.execute(forgery).rowcount == 1

    await kept.use(expect)
    await kept.administer(lambda administration: administration.lock(ENVIRONMENT))
    await kept.with_store(accept)
    await kept.administer(lambda administration: administration.unlock(ENVIRONMENT))
    assert (await kept.verify()).ok
    kept.change(forge)
    (finding,) = (await kept.verify()).findings
    assert finding.at.startswith("sealed inbox, item")
    assert finding.run == running


async def test_a_planted_environment_key(kept: KeptStore) -> None:
    """The writer plants an environment key, even one that is wrapped by the customer's key: with a public key, anybody
    can wrap.
    """
    store = await kept.keys.store()
    info = await store.environment(ENVIRONMENT)
    await store.close()
    payload = environment_key_payload(os.urandom(32), info.id, Role.ENVIRONMENT, 2, 2)
    context = lp(b"environment key", info.id, number(Role.ENVIRONMENT), number(2), number(2))
    wrapped = await kept.keys.provider().wrap(payload, context)

    def plant(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO environment_keys SELECT domain, 2, ?, randomblob(length(kid)), ?, policy_epoch, "
            "mac, mac, created_ms FROM environment_keys WHERE domain = 2 AND version = 1",
            (wrapped.kek, wrapped.data),
        )

    kept.change(plant)
    found = await kept.verify()
    assert [finding.at for finding in found.findings] == ["environment keys"]
    with pytest.raises(IntegrityError, match=r"row was altered or planted"):
        async with kept.keys.vault():
            pass


# --- a ciphertext that opens under two keys ("invisible salamander": Dodis, Grubbs, Ristenpart, Woodage, CRYPTO 2018)


async def test_a_ciphertext_that_opens_under_two_keys(kept: KeptStore) -> None:
    """A holder of two keys creates a ciphertext that opens under both. The id of the key, which is checked before
    decryption, refuses it.
    """
    one, two = kept.ids[:2]
    async with kept.keys.vault() as vault:
        raw = []
        for run in (one, two):
            (row,) = await vault._backend.keys.generations(Kind.RUN, run)
            owner = vault._keyring._keys[row.domain, row.key_version]
            secret = owner._unwrap(row.kind, row.scope, row.generation, row.kid, row.wrapped)
            raw.append(expand(secret, b"enc|chain", length=64)[:32])
        first, second = (await vault._runs.keys(one)).live, (await vault._runs.keys(two)).live
        nonce = os.urandom(NONCE_BYTES)
        place = first.place(Purpose.PAGE, one)
        associated = place + lp(number(5), number(0))
        body = salamander(raw[0], raw[1], nonce, associated)
        assert AESGCM(raw[0]).decrypt(nonce, body, associated) != AESGCM(raw[1]).decrypt(nonce, body, associated)
        record = place[4 : 4 + HEADER_BYTES] + nonce + body
        assert first.open(place, 5, 0, record)
        for asked in (place, second.place(Purpose.PAGE, one)):
            with pytest.raises(NotARecord):
                second.open(asked, 5, 0, record)
        ((before,),) = [[page.link] for page in await vault._backend.runs.pages(two, 3, 1, 1)]
        link = second.link(before, 5, record)

    def plant(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE pages SET record = ?, link = ? WHERE run = 2 AND seq = 5", (record, link))

    kept.change(plant)
    found = await kept.verify()
    assert {finding.run for finding in found.findings} == {two}
    async with kept.keys.vault() as vault:
        with pytest.raises(TamperedHistory) as caught:
            await (await vault.reader(two)).read()
        assert caught.value.run == two.hex()
