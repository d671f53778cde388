"""An anchor outside of the database tells what an earlier copy, put back, would hide."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT
from kept_store import KeptStore, add_run, kept_store
from sealflow.storage import InvalidAnchor, Retention, Vault, Verification
from sealflow.storage.format.purposes import Kind


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    return await kept_store(tmp_path)


def problems(found: Verification) -> list[str]:
    return [f"{finding.at}: {finding.problem}" for finding in found.findings]


async def further(vault: Vault) -> None:
    """What an environment in use goes through: runs that go on and end, new ones, deployments, triggers."""
    flow = (await vault.flows())[0].flow_id
    digest = (await vault.version(flow, 1)).digest
    (unfinished,) = await vault.unfinished()
    log = await vault.open_run(unfinished)
    log.append([[9, "more"]])
    log.append([], status=2, ended_ms=12)
    add_run(vault, flow, digest, ended=True)
    state = await vault.trigger(flow)
    assert state is not None
    vault.set_trigger(flow, {"next": 2}, due_ms=9, expected=state.row_version)
    await vault.put_flow("flow", {"v": 3})
    await vault.set_retention(flow, Retention(days=30))
    await vault.flush()


async def test_an_environment_that_goes_on_keeps_to_its_anchor(kept: KeptStore) -> None:
    anchor = await kept.anchor()
    assert (await kept.verify(anchor=anchor)).ok
    await kept.use(further)
    await kept.use(lambda vault: vault.delete_connection("c"))
    await kept.use(lambda vault: vault.shred_runs([kept.ids[0]]))
    found = await kept.verify(anchor=anchor)
    assert found.ok, found.findings
    later = await kept.anchor()
    assert json.loads(later)["sequence"] > json.loads(anchor)["sequence"]
    assert (await kept.verify(anchor=later)).ok
    assert (await kept.verify(anchor=anchor)).ok


async def test_an_anchor_goes_on_through_rotation_and_full_migration(kept: KeptStore) -> None:
    anchor = await kept.anchor()
    before = kept.keep()
    await kept.use(further)
    await kept.administer(lambda administration: administration.rotate(ENVIRONMENT, data_keys=True))

    async def migrate(vault: Vault) -> None:
        await vault.begin_migration(full=True)
        await vault.migrate()

    await kept.use(migrate)
    found = await kept.verify(anchor=anchor)
    assert found.ok, found.findings
    kept.put_back(before)
    assert not (await kept.verify(anchor=anchor)).ok  # the anchor cannot know, but the control store does


async def test_an_anchor_goes_on_when_its_policy_is_removed_and_keys_are_retired(kept: KeptStore) -> None:
    anchor = await kept.anchor()
    await kept.administer(lambda administration: administration.rotate(ENVIRONMENT, data_keys=True))

    async def migrate(vault: Vault) -> None:
        await vault.begin_migration()
        await vault.migrate()

    await kept.use(migrate)
    await kept.administer(lambda administration: administration.retire(ENVIRONMENT))
    await kept.administer(lambda administration: administration.remove(ENVIRONMENT))
    found = await kept.verify(anchor=anchor)
    assert found.ok, found.findings


async def test_a_run_that_was_put_back_to_an_earlier_state_is_named(kept: KeptStore) -> None:
    running = kept.ids[2]
    earlier = kept.keep()

    async def go_on(vault: Vault) -> None:
        log = await vault.open_run(running)
        log.append([[9, "more"]])
        log.append([], status=2, ended_ms=12)

    await kept.use(go_on)
    anchor = await kept.anchor()
    kept.put_back_rows(earlier, {"pages": "run = 3", "runs": "id = 3", "snapshots": "run = 3"})
    assert (await kept.verify()).ok
    found = await kept.verify(anchor=anchor)
    assert [finding.run for finding in found.findings] == [running]
    assert "earlier state was put back" in problems(found)[0]


async def test_a_run_that_only_got_an_earlier_row(kept: KeptStore) -> None:
    earlier = kept.keep()

    async def end(vault: Vault) -> None:
        (await vault.open_run(kept.ids[2])).append([], status=2, ended_ms=12)

    await kept.use(end)
    anchor = await kept.anchor()
    kept.put_back_rows(earlier, {"runs": "id = 3"})
    found = await kept.verify(anchor=anchor, run_id=kept.ids[2])
    assert [finding.run for finding in found.findings] == [kept.ids[2]]


async def test_another_history_after_a_run_was_put_back(kept: KeptStore) -> None:
    earlier = kept.keep()

    async def go_on(vault: Vault, what: str) -> None:
        (await vault.open_run(kept.ids[2])).append([[9, what], [9, what]], head=True)

    await kept.use(lambda vault: go_on(vault, "true"))
    anchor = await kept.anchor()
    kept.put_back_rows(earlier, {"pages": "run = 3", "runs": "id = 3"})
    await kept.use(lambda vault: go_on(vault, "false"))
    await kept.use(lambda vault: go_on(vault, "and on"))
    assert (await kept.verify()).ok
    found = await kept.verify(anchor=anchor)
    assert [finding.run for finding in found.findings] == [kept.ids[2]]
    assert "another history" in problems(found)[0]


async def test_a_run_that_was_removed_with_its_key(kept: KeptStore) -> None:
    anchor = await kept.anchor()
    run = kept.ids[1]
    for sql in (
        "DELETE FROM snapshots WHERE run = 2",
        "DELETE FROM pages WHERE run = 2",
        "DELETE FROM runs WHERE id = 2",
    ):
        kept.change(sql)
    kept.change(f"DELETE FROM keys WHERE kind = {Kind.RUN:d} AND scope = x'{run.hex()}'")
    assert (await kept.verify()).ok
    found = await kept.verify(anchor=anchor)
    assert [(finding.run, finding.at) for finding in found.findings] == [(run, "run")]
    assert [finding.run for finding in (await kept.verify(anchor=anchor, run_id=run)).findings] == [run]


async def test_a_flow_s_row_that_was_put_back(kept: KeptStore) -> None:
    earlier = kept.keep()
    await kept.use(lambda vault: vault.put_flow("flow", {"v": 3}))
    anchor = await kept.anchor()
    kept.put_back_rows(earlier, {"versions": "number > 0", "flows": "id > 0"})
    assert (await kept.verify()).ok
    assert any("flow" in each and "put back" in each for each in problems(await kept.verify(anchor=anchor)))
    # Deployed to again, the row is as new as the anchor's, but that version is another one.
    await kept.use(lambda vault: vault.put_flow("flow", {"v": "forked"}))
    assert any("version 3" in each for each in problems(await kept.verify(anchor=anchor)))


@pytest.mark.parametrize("table", ["triggers", "retention", "connections"])
async def test_rows_that_were_put_back_or_removed(kept: KeptStore, table: str) -> None:
    earlier = kept.keep()

    async def change(vault: Vault) -> None:
        state = await vault.trigger(kept.flow)
        assert state is not None
        vault.set_trigger(kept.flow, {"next": 2}, due_ms=9, expected=state.row_version)
        await vault.set_retention(kept.flow, Retention(days=30))
        await vault.flush()

    await kept.use(change)
    anchor = await kept.anchor()
    if table == "connections":
        kept.change("DELETE FROM connections")
        kept.change(f"DELETE FROM keys WHERE kind = {Kind.CONNECTION:d}")
    else:
        kept.put_back_rows(earlier, {table: "1"})
    assert (await kept.verify()).ok
    found = await kept.verify(anchor=anchor)
    assert [finding.at.split()[0] for finding in found.findings] == [table.rstrip("s")]


async def test_a_whole_store_that_was_put_back(kept: KeptStore) -> None:
    before_any = kept.keep()
    await kept.anchor()
    between = kept.keep()
    anchor = await kept.anchor()
    for earlier in (before_any, between):
        kept.put_back(earlier)
        found = await kept.verify(anchor=anchor)
        assert "The whole store is older than the anchor" in problems(found)[0]
    await kept.anchor()  # as many entries as the true one has, but others
    found = await kept.verify(anchor=anchor)
    assert problems(found) == ["ledger: It is not the one in which the anchor was put on record."]


async def test_an_audit_whose_end_was_cut_off(kept: KeptStore) -> None:
    head: tuple[int, bytes] = (0, b"")
    assignment: tuple[int, int, bytes] = (0, 0, b"")

    def keep(connection: sqlite3.Connection) -> None:
        nonlocal head, assignment
        (head,) = connection.execute("SELECT row_version, record FROM operations")
        (assignment,) = connection.execute("SELECT row_version, updated_ms, record FROM assignments")

    def put_back(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE operations SET row_version = ?, record = ?", head)
        connection.execute("DELETE FROM audit WHERE number > ?", head[:1])

    def put_assignment_back(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE assignments SET row_version = ?, updated_ms = ?, record = ?", assignment)

    kept.change(keep, control=True)
    await kept.administer(lambda administration: administration.lock(ENVIRONMENT))
    await kept.administer(lambda administration: administration.unlock(ENVIRONMENT))
    anchor = await kept.anchor()
    kept.change(put_back, control=True)  # acts and head agree, but the assignment is a later one
    assert not (await kept.verify_control()).ok
    kept.change(put_assignment_back, control=True)  # only the anchor knows more
    assert (await kept.verify_control()).ok
    found = await kept.verify(anchor=anchor)
    assert [finding.at.split(" ")[0] for finding in found.findings] == ["audit", "environment"]


async def test_a_shredded_run_that_somebody_puts_back(kept: KeptStore) -> None:
    earlier = kept.keep()
    run = kept.ids[0]
    await kept.use(lambda vault: vault.shred_runs([run]))
    kept.put_back_rows(
        earlier, {"keys": f"scope = x'{run.hex()}'", "runs": "id = 1", "pages": "run = 1", "snapshots": "run = 1"}
    )
    found = await kept.verify()
    assert [finding.run for finding in found.findings] == [run]
    assert "shredded" in found.findings[0].problem


async def test_a_tombstone_is_not_to_be_had_without_the_key(kept: KeptStore) -> None:
    anchor = await kept.anchor()
    kept.change("INSERT INTO ledger SELECT number + 7, created_ms, link, record FROM ledger WHERE number = 1")
    found = await kept.verify(anchor=anchor)
    assert "ledger" in {finding.at for finding in found.findings}


async def test_nothing_is_anchored_while_anything_is_wrong(kept: KeptStore) -> None:
    kept.change("UPDATE pages SET record = zeroblob(99) WHERE run = 1 AND seq = 3")
    found = await kept.verify(new_anchor=True)
    assert (found.ok, found.anchor) == (False, None)


async def test_the_file_tells_nothing_and_is_refused_where_it_does_not_belong(kept: KeptStore) -> None:
    anchor = await kept.anchor()
    assert not any(run.hex().encode() in anchor or run in anchor for run in kept.ids)
    assert kept.flow.hex().encode() not in anchor
    document = json.loads(anchor)
    assert set(document) == {"format", "version", "environment", "sequence", "time", "root", "sealed"}
    for damaged in (
        b"", b"[]", b"{}", b"\xff", json.dumps({**document, "version": 2}).encode(),
        json.dumps({**document, "environment": "00" * 16}).encode(),
        json.dumps({**document, "sealed": document["sealed"][:-8] + "AAAAAAA="}).encode(),
        json.dumps({**document, "root": "00" * 32}).encode(),
        json.dumps({**document, "sequence": 1}).encode(),
    ):  # fmt: skip
        with pytest.raises(InvalidAnchor):
            await kept.verify(anchor=damaged)
