"""A writer of the databases, without any key, puts back rows that decide who can use an environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from attacked_store import AttackedStore, Row
from customer_keys import ENVIRONMENT
from refusals import REFUSED_ROW
from sealflow.storage import (
    ApprovalNeeded,
    EnvironmentLocked,
    IntegrityError,
    StoreCorrupt,
    StoreFull,
    StoreRolledBack,
    Vault,
    Verification,
    verify_control,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.format.purposes import Kind

Copy = dict[str, list[Row]]

KEY_STATE = ("key_state", "environment_keys")
ASSIGNMENT = ("assignments",)


async def administer(
    attacked: AttackedStore, act: Callable[[Administration], Awaitable[object]], who: str = "ada"
) -> None:
    async with attacked.keys.administration(Actor(who)) as administration:
        await act(administration)


async def use(attacked: AttackedStore, work: Callable[[Vault], Awaitable[object]]) -> None:
    async with attacked.keys.vault() as vault:
        await work(vault)


async def put_back_with_keys(store: AttackedStore, copy: Copy, keys: list[Row], kind: Kind) -> None:
    """Puts back tables, and the scope keys of one kind as they were."""
    await store.put_back(copy)
    await store.execute(f"DELETE FROM keys WHERE kind = {int(kind)}")
    for row in keys:
        if row["kind"] == kind:
            await store.insert("keys", row)


async def refused(attacked: AttackedStore) -> None:
    """The environment does not open, and both kinds of verification say so and name a row."""
    with pytest.raises(IntegrityError, match=REFUSED_ROW):
        async with attacked.keys.vault():
            pass
    assert _named(await attacked.verify())
    assert _named(await control_of(attacked))


def _named(found: Verification) -> bool:
    return any(finding.at != "environment" and finding.problem for finding in found.findings)


async def control_of(attacked: AttackedStore) -> Verification:
    store = await attacked.keys.store()
    try:
        return await verify_control(store)
    finally:
        await store.close()


async def test_the_key_state_of_before_a_lock(attacked: AttackedStore) -> None:
    """The writer puts back the key state from before a lock. The environment stays closed."""
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    state = await attacked.copy(*KEY_STATE)
    await administer(attacked, lambda acts: acts.lock(ENVIRONMENT))
    await attacked.put_back(state)
    await refused(attacked)


async def test_key_state_and_assignment_of_before_a_lock(attacked: AttackedStore) -> None:
    """The writer puts back the key state and the assignment from before a lock. The newest act of the audit records the
    lock, so the environment stays closed.
    """
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    state, assignment = await attacked.copy(*KEY_STATE), await attacked.control.copy(*ASSIGNMENT)
    await administer(attacked, lambda acts: acts.lock(ENVIRONMENT))
    await attacked.put_back(state)
    await attacked.control.put_back(assignment)
    await refused(attacked)


async def test_key_state_assignment_and_head_of_before_a_lock(attacked: AttackedStore) -> None:
    """The writer also puts back the head of the audit, but not its acts. The head does not match the last act, so the
    environment stays closed.
    """
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    state, control = await attacked.copy(*KEY_STATE), await attacked.control.copy(*ASSIGNMENT, "operations")
    await administer(attacked, lambda acts: acts.lock(ENVIRONMENT))
    await attacked.put_back(state)
    await attacked.control.put_back(control)
    await refused(attacked)


async def test_a_policy_is_taken_away(attacked: AttackedStore) -> None:
    """The writer puts back key state, key rows and assignment from before a policy, and deletes the customer's key
    rows. The environment does not open, so the service key encrypts nothing new.
    """
    state, keys = await attacked.copy(*KEY_STATE), await attacked.rows("keys")
    control, control_keys = await attacked.control.copy(*ASSIGNMENT), await attacked.control.rows("keys")
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    await put_back_with_keys(attacked, state, keys, Kind.KEY_STATE)
    await put_back_with_keys(attacked.control, control, control_keys, Kind.ASSIGNMENT)
    await refused(attacked)


async def test_key_rows_of_before_a_rotation(attacked: AttackedStore) -> None:
    """The writer puts back the rows of environment keys from before a rotation, and leaves the key state. The key state
    contains a digest of the rows, so the environment does not open.
    """
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    rows = await attacked.copy("environment_keys")
    await administer(attacked, lambda acts: acts.rotate(ENVIRONMENT))
    await attacked.put_back(rows)
    with pytest.raises(IntegrityError, match="key state"):
        async with attacked.keys.vault():
            pass
    assert _named(await control_of(attacked))


async def test_a_retired_key_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back the row of an environment key that was retired. The environment does not open."""
    await administer(attacked, lambda acts: acts.rotate(ENVIRONMENT, data_keys=True))

    async def migrate(vault: Vault) -> None:
        await vault.try_become_executor()
        await vault.migrate()

    await use(attacked, migrate)
    (earlier, _) = await attacked.rows("environment_keys")
    await administer(attacked, lambda acts: acts.retire(ENVIRONMENT))
    await attacked.insert("environment_keys", earlier)
    with pytest.raises(IntegrityError, match="was not made by its predecessor"):
        async with attacked.keys.vault():
            pass


async def test_permissions_that_were_taken_away(attacked: AttackedStore) -> None:
    """The writer puts back permissions of flows that an administrator removed. The audit records a later row, so the
    environment does not open.
    """
    await administer(attacked, lambda acts: acts.allow(ENVIRONMENT, lambda now: {**now, "folders": ["/tmp"]}))
    rows = await attacked.control.copy("environments")
    await administer(attacked, lambda acts: acts.allow(ENVIRONMENT, lambda now: {}))
    await attacked.control.put_back(rows)
    await refused(attacked)


async def test_a_reader_whose_policy_row_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back an earlier row of a policy. It is refused, and so is the policy."""
    rows = await attacked.control.copy("policies")
    await administer(attacked, lambda acts: acts.grant("one", "bob"))
    await attacked.control.put_back(rows)
    with pytest.raises(StoreRolledBack):
        await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    assert _named(await control_of(attacked))


async def test_a_deleted_policy_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back a policy that was deleted, with its key. It is refused."""
    rows, keys = await attacked.control.copy("policies"), await attacked.control.rows("keys")
    await administer(attacked, lambda acts: acts.delete_policy("two"))
    await put_back_with_keys(attacked.control, rows, keys, Kind.POLICY)
    with pytest.raises(StoreRolledBack, match="had been removed"):
        await administer(attacked, lambda acts: acts.apply("two", ENVIRONMENT))


async def test_an_approval_is_used_twice(attacked: AttackedStore) -> None:
    """The writer puts back an approved request after the approval was used. It is not used again, because every row of
    the control store is compared with the audit.
    """
    async with attacked.keys.administration() as administration:
        await administration.create_policy("strict", attacked.keys.uri("one"), approvals=2)
    async with attacked.keys.administration() as ada:
        with pytest.raises(ApprovalNeeded, match="approval"):
            await ada.apply("strict", ENVIRONMENT)
        (request,) = await ada.requests.all()
    await administer(attacked, lambda bob: bob.approve(request.id.hex()), "bob")
    id_ = request.id
    (approved,) = [row for row in await attacked.control.rows("operations") if row["operation_id"] == id_]
    await administer(attacked, lambda acts: acts.apply("strict", ENVIRONMENT))
    await attacked.control.changed("DELETE FROM operations WHERE operation_id = ?", id_)
    await attacked.control.insert("operations", approved)
    with pytest.raises(StoreRolledBack):
        await administer(attacked, lambda acts: acts.remove(ENVIRONMENT))
    assert _named(await control_of(attacked))


async def test_everything_is_put_back_and_an_anchor_finds_it(attacked: AttackedStore) -> None:
    """The writer puts back every row of both stores to before a lock. Nothing inside the stores can detect this. An
    anchor that was written during the lock detects it.
    """
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    everything, control = await attacked.copy(), await attacked.control.copy()
    await administer(attacked, lambda acts: acts.lock(ENVIRONMENT))
    found = await attacked.verify(new_anchor=True)
    assert found.ok, found.findings
    assert found.anchor is not None
    await attacked.put_back({name: rows for name, rows in everything.items() if name != "schema_version"})
    await attacked.control.put_back({name: rows for name, rows in control.items() if name != "schema_version"})
    assert (await attacked.verify()).ok
    assert _named(await attacked.verify(anchor=found.anchor))


async def test_an_anchor_of_a_locked_environment_holds_the_lock(attacked: AttackedStore) -> None:
    """The writer puts back everything except the ledger to before a lock. An anchor contains the key state of the lock
    and detects it.
    """
    await administer(attacked, lambda acts: acts.apply("one", ENVIRONMENT))
    everything, control = await attacked.copy(), await attacked.control.copy()
    await administer(attacked, lambda acts: acts.lock(ENVIRONMENT))
    anchor = (await attacked.verify(new_anchor=True)).anchor
    assert anchor is not None
    assert (await attacked.verify(anchor=anchor)).ok  # still locked
    keep = {"schema_version", "ledger", "keys"}
    await attacked.put_back({name: rows for name, rows in everything.items() if name not in keep})
    await attacked.control.put_back({name: rows for name, rows in control.items() if name != "schema_version"})
    found = {finding.at.split(" ")[0] for finding in (await attacked.verify(anchor=anchor)).findings}
    assert {"key", "audit"} <= found


async def test_a_lock_whose_process_died_before_the_record(
    attacked: AttackedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attack: the process that locks an environment dies between the commit in the environment's store and the one
    in the control store. The environment is locked, and an administrator unlocks it as usual.
    """
    await _dies(attacked, monkeypatch, lambda acts: acts.lock(ENVIRONMENT))
    with pytest.raises(EnvironmentLocked):
        async with attacked.keys.vault():
            pass
    await administer(attacked, lambda acts: acts.unlock(ENVIRONMENT))
    await _all_is_well(attacked)


async def test_a_rotation_whose_process_died_before_the_record(
    attacked: AttackedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attack: the process that rotates keys dies between its two commits. The next process that opens the
    environment records the state, so that it cannot be put back afterwards.
    """
    state = await attacked.copy(*KEY_STATE)
    await _dies(attacked, monkeypatch, lambda acts: acts.rotate(ENVIRONMENT))
    await use(attacked, lambda vault: vault.flows())
    await _all_is_well(attacked)
    async with attacked.keys.administration() as acts:
        kinds = [act.kind async for act in acts.audit.acts()]
    assert "assignment repair" in kinds
    await attacked.put_back(state)
    await refused(attacked)


async def _dies(
    attacked: AttackedStore, monkeypatch: pytest.MonkeyPatch, act: Callable[[Administration], Awaitable[object]]
) -> None:
    async with attacked.keys.administration() as acts:

        async def dead(*_: object) -> None:
            raise StoreFull("The disk is full.")

        with monkeypatch.context() as patch:
            patch.setattr(acts.policies, "following", dead)
            with pytest.raises(StoreFull):
                await act(acts)


async def _all_is_well(attacked: AttackedStore) -> None:
    for found in (await attacked.verify(), await control_of(attacked)):
        assert found.ok, found.findings


async def test_an_earlier_flow_row_beside_later_versions(attacked: AttackedStore) -> None:
    """The writer puts back the row of a flow to its first version and leaves the later versions. The flow is refused,
    and its first version does not run.
    """
    async with attacked.keys.vault() as vault:
        flow_id = (await vault.put_flow("flow", {"v": 1})).flow_id
        first = await attacked.copy("flows")
        await vault.put_flow("flow", {"v": 2})
    await attacked.put_back(first)
    async with attacked.keys.vault() as vault:
        for look in (
            lambda: vault.flow("flow"),
            lambda: vault.version(flow_id, 1),
            lambda: vault.put_flow("flow", {"v": 3}),
        ):
            with pytest.raises(IntegrityError, match="an earlier row was put back"):
                await look()
    assert any(finding.at == f"flow {flow_id.hex()}" for finding in (await attacked.verify()).findings)


PLANTED = {
    "a trigger": "CREATE TRIGGER spy BEFORE INSERT ON versions FOR EACH ROW EXECUTE FUNCTION {elsewhere}()",
    "a rule": "CREATE RULE spy AS ON INSERT TO versions DO ALSO NOTHING",
    "a policy": "CREATE POLICY spy ON versions USING (true)",
    "row security": "ALTER TABLE versions ENABLE ROW LEVEL SECURITY",
    "a default": "ALTER TABLE versions ALTER created_ms SET DEFAULT {elsewhere}_number()",
    "a check": "ALTER TABLE versions ADD CHECK ({elsewhere}_number() > 0)",
    "an index": "CREATE INDEX spy ON versions (({elsewhere}_number()))",
    "a view": "CREATE VIEW spy AS SELECT * FROM versions",
    "a function": "CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
    "another body": "CREATE OR REPLACE FUNCTION owner_of(by_worker bytea) RETURNS bytea LANGUAGE sql "
    "AS 'SELECT by_worker'",
    "a child": "CREATE TABLE spy () INHERITS (versions)",
}


@pytest.mark.parametrize("statement", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_schema_with_something_planted(attacked: AttackedStore, statement: str) -> None:
    """The writer plants a trigger, rule, policy, default, check, index, view, child table or function in the schema, or
    exchanges a function. The store is refused.
    """
    spy = f"spy_{attacked.keys.folder.name}".replace("-", "_").lower()
    elsewhere = f"public.{spy}"
    await attacked.execute(f"CREATE FUNCTION {elsewhere}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    await attacked.execute(
        f"CREATE FUNCTION {elsewhere}_number() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 1::bigint'"
    )
    await attacked.execute(statement.format(elsewhere=elsewhere))
    with pytest.raises(StoreCorrupt, match="was changed"):
        async with attacked.keys.vault():
            pass
