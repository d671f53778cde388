"""The control store records the latest key state of each environment. An earlier copy of a store, put back from outside
or restored from a backup, cannot undo a policy or a lock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT
from kept_store import KeptStore, kept_store
from sealflow.storage import (
    Administration,
    EnvironmentLocked,
    IntegrityError,
    NotPermitted,
    PolicyLimit,
    Store,
    StoreFull,
    StoreRolledBack,
    Vault,
    create_backup,
    environment_status,
    restore_backup,
)
from sealflow.storage.administration.administration import Actor
from sealflow.storage.format.codec import pack
from sealflow.storage.format.purposes import Kind, Purpose
from sealflow.storage.keys.key_state import Floor, KeyState
from sealflow.storage.policies.policy import Assignment
from sealflow.storage.port import AssignmentRow, Batch, ControlChanges

Act = Callable[[Administration], Awaitable[object]]


@pytest.fixture
async def kept(tmp_path: Path) -> KeptStore:
    """Under the policy `one`, with no run in flight."""
    made = await kept_store(tmp_path)

    async def end(vault: Vault) -> None:
        (await vault.open_run(made.ids[2])).append([], status=2, ended_ms=12)

    await made.use(end)
    return made


async def kept_assignment(kept: KeptStore) -> Assignment:
    async with kept.keys.administration() as acts:
        (row,) = await acts.store.backend.control.assignments()
        found = await acts.policies.assignment(row.environment_id)
    assert found is not None
    return found


async def refused_everywhere(kept: KeptStore) -> None:
    """Nothing reads or writes an environment whose store is an earlier copy, and the assignment stays as it was."""
    before = await kept_assignment(kept)
    ways: list[Act] = [
        lambda acts: acts.store.open_vault(ENVIRONMENT),
        lambda acts: environment_status(acts.store, ENVIRONMENT),
        lambda acts: acts.store.sealed_inbox(ENVIRONMENT),
        lambda acts: acts.apply("one", ENVIRONMENT),
        lambda acts: acts.lock(ENVIRONMENT),
        lambda acts: acts.unlock(ENVIRONMENT),
        lambda acts: acts.reconcile(),
    ]
    for way in ways:
        with pytest.raises(StoreRolledBack, match="earlier copy") as refused:
            await kept.administer(way)
        assert refused.value.code == "StoreRolledBack"
        assert isinstance(refused.value, IntegrityError)
    found = await kept.verify()
    assert [finding.at for finding in found.findings] == ["environment keys"]
    assert await kept_assignment(kept) == before


# --- earlier copies that are put back


@pytest.mark.parametrize(
    "act",
    [
        lambda acts: acts.apply("two", ENVIRONMENT),
        lambda acts: acts.remove(ENVIRONMENT),
        lambda acts: acts.rotate(ENVIRONMENT),
        lambda acts: acts.rotate(ENVIRONMENT, data_keys=True),
        lambda acts: acts.retire(ENVIRONMENT),
        lambda acts: acts.lock(ENVIRONMENT),
    ],
    ids=["swap", "remove", "rotate", "data keys", "retire", "lock"],
)
async def test_an_earlier_store_is_refused_after_each_act(kept: KeptStore, act: Act) -> None:
    """The writer puts back an environment's store from before an act on its keys. It is refused after each act."""
    copy = kept.keep()
    await kept.administer(act)
    kept.put_back(copy)
    await refused_everywhere(kept)


async def test_a_store_of_before_the_policy_is_refused(kept: KeptStore) -> None:
    """The writer puts back a store from before a policy. It is refused."""
    first = kept.keys.database()
    await kept.with_store(lambda store: store.create_environment("second"))
    (database,) = set(kept.keys.home.glob("environments/*/store.db")) - {first}
    before = database.read_bytes()
    await kept.administer(lambda acts: acts.apply("one", "second"))
    for name in ("store.db-wal", "store.db-shm"):
        database.with_name(name).unlink(missing_ok=True)
    database.write_bytes(before)
    async with kept.keys.administration() as acts:
        with pytest.raises(StoreRolledBack):
            await acts.store.open_vault("second")
        with pytest.raises(StoreRolledBack):
            await acts.reconcile()
        assert len(await acts.policies.assignments()) == 2


async def test_the_row_of_before_a_lock_is_refused(kept: KeptStore) -> None:
    """The writer puts back the row of the key state from before a lock. It is refused."""
    copy = kept.keep()
    await kept.administer(lambda acts: acts.lock(ENVIRONMENT))
    kept.put_back_rows(copy, {"key_state": "1"})
    await refused_everywhere(kept)


async def test_the_row_of_before_an_unlock_locks_nothing_again(kept: KeptStore) -> None:
    """The writer puts back the row of the key state from before an unlock. It does not lock the environment again."""
    await kept.administer(lambda acts: acts.lock(ENVIRONMENT))
    copy = kept.keep()
    await kept.administer(lambda acts: acts.unlock(ENVIRONMENT))
    kept.put_back_rows(copy, {"key_state": "1"})
    await refused_everywhere(kept)


async def test_a_restore_helps_where_an_earlier_store_was_put_back(kept: KeptStore) -> None:
    """No attack: after an earlier store was put back, restoring a backup repairs the environment."""
    copy = kept.keep()
    await kept.administer(lambda acts: acts.rotate(ENVIRONMENT))
    file = kept.keys.folder / "backup"
    await kept.administer(lambda acts: create_backup(acts, ENVIRONMENT, file, expires_days=1))
    await kept.administer(lambda acts: acts.rotate(ENVIRONMENT))
    kept.put_back(copy)
    await kept.administer(lambda acts: restore_backup(acts, file))
    found = await kept.verify()
    assert found.ok, found.findings
    assert (await kept_assignment(kept)).floor == Floor(4, 0)


async def test_the_control_store_follows_a_later_state_only(kept: KeptStore) -> None:
    """The control store accepts only a later key state, and refuses another policy."""
    later = await kept_assignment(kept)
    async with kept.keys.administration() as acts:
        (row,) = await acts.store.backend.control.assignments()
        assert await acts.policies.following(row.environment_id, KeyState()) is None
        with pytest.raises(IntegrityError, match="another policy"):
            await acts.policies.following(row.environment_id, KeyState(later.floor.epoch, later.floor.lock_epoch))
        acts.changed(row.environment_id, KeyState())
        await acts.record("test", ENVIRONMENT, "Succeeded", None)
    assert await kept_assignment(kept) == later


async def test_a_crash_before_the_floor_is_raised_is_repaired(kept: KeptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No attack: a process dies before it records the new key state in the control store. The next one records it."""
    async with kept.keys.administration() as acts:
        with monkeypatch.context() as patch:

            async def full(*_: object) -> None:
                raise StoreFull("The disk is full.")

            patch.setattr(acts.policies, "following", full)
            with pytest.raises(StoreFull):
                await acts.lock(ENVIRONMENT)
        assert (await kept_assignment(kept)).floor == Floor(1, 0)
        assert await acts.reconcile() == [ENVIRONMENT]
        assert await acts.reconcile() == []
    assert (await kept_assignment(kept)).floor == Floor(1, 1)


async def test_an_assignment_of_before_there_were_floors_still_opens(kept: KeptStore) -> None:
    """No attack: an assignment that an earlier version wrote opens, and the next act records the key state."""
    async with kept.keys.administration() as acts:
        store = acts.store
        (row,) = await store.backend.control.assignments()
        (key_row,) = await store.backend.keys.newest(Kind.ENVIRONMENT, [row.environment_id])
        policy, version = (await acts.policies.one("one")).id, row.row_version + 1
        key = store.keyring.open_scope(key_row)
        place = key.place(Purpose.ASSIGNMENT, row.environment_id)
        record = key.seal(place, 0, version, pack([policy, 5]))
        batch = Batch(control=ControlChanges(assignments=[AssignmentRow(row.environment_id, version, 5, record)]))
        await store.audit.record("test", "test", ENVIRONMENT, "Succeeded", None, batch)
    kept.change(f"DELETE FROM keys WHERE kind = {int(Kind.ASSIGNMENT)}", control=True)
    assert await kept_assignment(kept) == Assignment(policy, Floor())
    assert (await kept.verify()).ok
    await kept.administer(lambda acts: acts.rotate(ENVIRONMENT))
    assert await kept_assignment(kept) == Assignment(policy, Floor(2, 0))


# --- deleted and restored


async def backed_up(kept: KeptStore) -> Path:
    file = kept.keys.folder / "backup"
    await kept.administer(lambda acts: create_backup(acts, ENVIRONMENT, file, expires_days=1))
    return file


def restored(kept: KeptStore, file: Path, actor: Actor | None = None, limit: int = 25) -> Awaitable[None]:
    async def restore() -> None:
        async with kept.keys.administration(actor, limit=limit) as acts:
            await restore_backup(acts, file, ENVIRONMENT)

    return restore()


async def deleted(kept: KeptStore, *acts: Act) -> Path:
    """A backup, these acts, and the environment is deleted."""
    file = await backed_up(kept)
    for act in acts:
        await kept.administer(act)
    await kept.administer(lambda admin: admin.delete_environment(ENVIRONMENT))
    async with kept.keys.administration() as admin:
        assert await admin.policies.assignments() == {}
    return file


EVE = Actor("eve", key_administrator=False)


async def test_what_is_restored_goes_on_above_the_floor_under_its_policy(kept: KeptStore) -> None:
    """A deleted environment is restored. Its key state is later than the recorded one, under the same policy."""
    file = await deleted(kept, lambda acts: acts.rotate(ENVIRONMENT))
    assert (await kept_assignment(kept)).floor == Floor(2, 0)
    await restored(kept, file, EVE)
    async with kept.keys.administration() as acts:
        policy = await acts.policies.one("one")
        assert list((await acts.policies.assignments()).values()) == [policy.id]
    assert await kept_assignment(kept) == Assignment(policy.id, Floor(3, 0))
    for found in (await kept.verify(), await kept.verify_control()):
        assert found.ok, found.findings


async def test_locked_when_deleted_is_locked_when_restored(kept: KeptStore) -> None:
    """An environment is deleted while it is locked, and restored. It is locked."""
    file = await deleted(kept, lambda acts: acts.lock(ENVIRONMENT))
    await restored(kept, file)
    with pytest.raises(EnvironmentLocked):
        async with kept.keys.vault():
            pass
    await kept.administer(lambda acts: acts.unlock(ENVIRONMENT))
    assert (await kept_assignment(kept)).floor == Floor(2, 2)
    found = await kept.verify()
    assert found.ok, found.findings


async def test_unlocked_again_when_deleted_is_not_locked(kept: KeptStore) -> None:
    """An environment is locked, unlocked, deleted and restored. It is not locked."""
    file = await deleted(kept, lambda acts: acts.lock(ENVIRONMENT), lambda acts: acts.unlock(ENVIRONMENT))
    await restored(kept, file)
    assert (await kept_assignment(kept)).floor == Floor(2, 2)
    assert (await kept.verify()).ok


@pytest.mark.parametrize("act", ["swap", "remove"])
async def test_another_policy_comes_back_by_a_key_administrator_only(kept: KeptStore, act: str) -> None:
    """A backup with another policy is restored. Only a key administrator can do this."""
    file = await deleted(
        kept, lambda acts: acts.apply("two", ENVIRONMENT) if act == "swap" else acts.remove(ENVIRONMENT)
    )
    with pytest.raises(NotPermitted, match="key administrator"):
        await restored(kept, file, EVE)
    await restored(kept, file)
    async with kept.keys.administration() as acts:
        assert list((await acts.policies.assignments()).values()) == [(await acts.policies.one("one")).id]
    found = await kept.verify()
    assert found.ok, found.findings


async def test_a_backup_without_a_policy_does_not_take_it_away(kept: KeptStore) -> None:
    """A backup from before a policy is restored. The policy stays."""
    await kept.administer(lambda acts: acts.remove(ENVIRONMENT))
    file = await deleted(kept, lambda acts: acts.apply("one", ENVIRONMENT))
    with pytest.raises(NotPermitted, match="key administrator"):
        await restored(kept, file, EVE)
    await restored(kept, file)
    assert (await kept_assignment(kept)).policy is None
    assert (await kept.verify()).ok


async def test_a_policy_that_is_gone_is_made_again(kept: KeptStore) -> None:
    """A backup whose policy was deleted is restored. Only an administrator of the policy can do this, and the policy is
    created again.
    """
    file = await deleted(kept, lambda acts: acts.remove(ENVIRONMENT), lambda acts: acts.delete_policy("one"))
    with pytest.raises(NotPermitted):
        await restored(kept, file, EVE)
    await restored(kept, file)
    async with kept.keys.administration() as acts:
        policy = await acts.policies.one("one")
    assert (policy.uri, policy.owner) == (kept.keys.uri("one"), "ada")
    for found in (await kept.verify(), await kept.verify_control()):
        assert found.ok, found.findings


async def test_what_is_restored_counts(kept: KeptStore) -> None:
    """A restored environment counts towards the limit of its policy."""
    file = await deleted(kept)
    await kept.with_store(lambda store: store.create_environment("second"))
    await kept.administer(lambda acts: acts.apply("two", "second"))
    with pytest.raises(PolicyLimit):
        await restored(kept, file, limit=1)
    await restored(kept, file, limit=2)


async def test_what_reconcile_would_put_on_record_counts(kept: KeptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose assignment is not recorded yet counts towards the limit of its policy."""
    await kept.with_store(lambda store: store.create_environment("second"))
    async with kept.keys.administration(limit=1) as acts:
        with monkeypatch.context() as patch:

            async def nothing(*_: object) -> None:
                return None

            patch.setattr(acts.policies, "following", nothing)
            patch.setattr(acts, "check_limit", nothing)
            await acts.apply("one", "second")
        with pytest.raises(PolicyLimit):
            await acts.apply("two", "second")
        assert len(await acts.policies.assignments()) == 1


async def test_what_cannot_be_opened_is_deleted_and_its_last_state_is_kept(kept: KeptStore) -> None:
    """An earlier store is put back and the environment is deleted. The control store keeps its latest key state."""
    copy = kept.keep()
    await kept.administer(lambda acts: acts.lock(ENVIRONMENT))
    before = await kept_assignment(kept)
    kept.put_back(copy)
    await kept.administer(lambda acts: acts.delete_environment(ENVIRONMENT))
    assert await kept_assignment(kept) == before


# --- what verify finds


async def test_an_assignment_without_its_policy_is_found(kept: KeptStore) -> None:
    """The writer deletes a policy that is in use. `verify` reports it."""
    kept.change("DELETE FROM policies", control=True)
    found = await kept.verify_control()
    assert {finding.at.split(" ")[0] for finding in found.findings} == {"assignments", "policies", "policy"}
    assert [finding.at.split(" ")[0] for finding in found.findings].count("policy") == 2  # their keys are left
    kept.change("DELETE FROM keys WHERE kind = 10", control=True)
    for finding in (await kept.verify_control()).findings:
        assert finding.at in ("assignments", "policies")
        assert "is missing: the audit knows it" in finding.problem
    (finding,) = (await kept.verify()).findings
    assert finding.at == "assignment"


async def test_a_missing_assignment_is_found(kept: KeptStore) -> None:
    """The writer deletes the assignment of an environment. `verify` reports it."""
    kept.change("DELETE FROM assignments", control=True)
    found = {finding.at.split(" ")[0] for finding in (await kept.verify_control()).findings}
    assert found == {"assignment", "assignments", "audit", "key"}
    (finding,) = (await kept.verify()).findings
    assert finding.at == "assignment"

    async def opened(store: Store) -> None:
        with pytest.raises(IntegrityError, match="missing"):
            await store.open_vault(ENVIRONMENT)

    await kept.with_store(opened)
