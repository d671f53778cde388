"""`verify` looks at everything and says everything that is wrong, with the run named."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from kept_store import KeptStore, kept_store
from sealflow.storage import EnvironmentLocked, RecordNotFound, Store, Vault


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    return await kept_store(tmp_path)


async def test_a_store_that_nobody_touched_is_all_right(kept: KeptStore) -> None:
    told: list[str] = []
    found = await kept.verify(progress=lambda checked, what: told.append(what))
    assert (found.ok, found.findings) == (True, [])
    assert found.checked > 30
    assert {"key state", "audit", "flows", "runs", "inbox"} <= set(told)
    assert (await kept.verify_control()).ok


CHANGES: dict[str, tuple[str, str]] = {
    "a flow": ("UPDATE flows SET record = zeroblob(99)", "flow "),
    "a version": ("UPDATE versions SET record = zeroblob(99) WHERE number = 1", "version 1"),
    "a version is gone": ("DELETE FROM versions WHERE number = 1", "version 1"),
    "a trigger": ("UPDATE triggers SET record = zeroblob(99)", "trigger of flow"),
    "a trigger's row": ("DELETE FROM triggers", "trigger"),
    "a message": ("UPDATE messages SET record = zeroblob(99) WHERE id = 2", "message 2"),
    "a message's row": ("DELETE FROM messages WHERE id = 2", "message"),
    "a request": ("UPDATE inbox SET record = zeroblob(99)", "inbox item"),
    "a connection": ("UPDATE connections SET record = zeroblob(99)", "connection"),
    "a connection's row": ("DELETE FROM connections", "connection"),
    "an operation": ("UPDATE operations SET record = zeroblob(99) WHERE created_ms > 0", "operations"),
    "the retention": ("UPDATE retention SET record = zeroblob(99)", "retention"),
    "the ledger": ("UPDATE ledger SET record = zeroblob(99)", "ledger"),
    "the ledger's entries": ("DELETE FROM ledger", "ledger"),
    "the key state": ("UPDATE key_state SET record = zeroblob(99)", "environment keys"),
    "an environment key": ("UPDATE environment_keys SET mac = zeroblob(32)", "environment keys"),
}


@pytest.mark.parametrize(("sql", "at"), CHANGES.values(), ids=CHANGES)
async def test_what_was_changed_is_found_and_named(kept: KeptStore, sql: str, at: str) -> None:
    kept.change(sql)
    found = await kept.verify()
    assert not found.ok
    assert any(at in finding.at for finding in found.findings), found.findings


async def test_everything_that_is_wrong_is_said(kept: KeptStore) -> None:
    kept.change("UPDATE pages SET record = zeroblob(99) WHERE run = 1 AND seq = 3")
    kept.change("DELETE FROM runs WHERE id = 2")
    kept.change("UPDATE versions SET record = zeroblob(99) WHERE number = 2")
    found = await kept.verify()
    assert {finding.run for finding in found.findings} >= {kept.ids[0], kept.ids[1], None}
    assert any(finding.at == "record 3" for finding in found.findings)
    assert any("version 2" in finding.at for finding in found.findings)
    assert any(finding.at == "pages" for finding in found.findings)


async def test_one_run_is_verified_alone(kept: KeptStore) -> None:
    kept.change("UPDATE pages SET record = zeroblob(99) WHERE run = 1 AND seq = 3")
    assert (await kept.verify(run_id=kept.ids[1])).ok
    found = await kept.verify(run_id=kept.ids[0])
    assert [(finding.run, finding.at) for finding in found.findings] == [(kept.ids[0], "record 3")]
    with pytest.raises(RecordNotFound):
        await kept.verify(run_id=bytes(16))


async def test_a_version_that_a_run_was_started_with_is_asked_for(kept: KeptStore) -> None:
    def put_back(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE versions SET record = (SELECT record FROM versions WHERE number = 2)")

    kept.change(put_back)
    found = await kept.verify()
    assert kept.ids[0] in {finding.run for finding in found.findings}


@pytest.mark.parametrize("change", ["DELETE FROM audit WHERE number = 1", "UPDATE assignments SET record = x'00'"])
async def test_the_control_store_is_verified(kept: KeptStore, change: str) -> None:
    kept.change(change, control=True)
    assert not (await kept.verify_control()).ok
    assert not (await kept.verify()).ok


async def test_another_assignment_than_the_environment_s_own_state(kept: KeptStore) -> None:
    kept.change("DELETE FROM assignments", control=True)
    found = await kept.verify()
    assert [finding.at for finding in found.findings] == ["assignment"]


async def test_a_locked_environment_is_not_verified(kept: KeptStore) -> None:
    await kept.administer(lambda administration: administration.lock("contoso"))
    with pytest.raises(EnvironmentLocked):
        await kept.verify()


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ("UPDATE sealed_inbox SET sealed = zeroblob(99)", "sealed inbox, item 1"),
        ("UPDATE sealed_inbox SET sequence = 7", "sealed inbox, item 7"),
        ("UPDATE inbox_keys SET public = zeroblob(32)", "sealed inbox, key"),
        ("DELETE FROM inbox_keys", "sealed inbox, item 1"),
    ],
)
async def test_what_came_in_while_the_environment_was_locked(kept: KeptStore, change: str, at: str) -> None:
    async def expect(vault: Vault) -> None:
        vault.sealed_items.expect(kept.ids[2], b"token")
        await vault.sealed_items.renew()
        await vault.flush()

    async def accept(store: Store) -> None:
        async with await store.sealed_inbox("contoso") as inbox:
            await inbox.accept(1, kept.ids[2], {"body": 1})

    await kept.use(expect)
    await kept.administer(lambda administration: administration.lock("contoso"))
    await kept.with_store(accept)
    await kept.administer(lambda administration: administration.unlock("contoso"))
    found = await kept.verify()
    assert found.ok, found.findings
    kept.change(change)
    assert at in [finding.at for finding in (await kept.verify()).findings]
