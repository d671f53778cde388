"""What administrators do to keys: every act, who may do it, and what a crash in the middle of one leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer, counted
from key_changes import acts, filled, same_as_ever
from sealflow.storage import (
    AlreadyThere,
    Conflict,
    InvalidPolicy,
    KeyDenied,
    LocationMismatch,
    NotPermitted,
    PolicyLimit,
    RecordNotFound,
    UnsuitableKey,
    Vault,
    create_backup,
    environment_status,
    expire_backup,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.backends.reading.keys import KeyReads
from sealflow.storage.format.purposes import Domain, Kind
from sealflow.storage.keys.providers.file import FileKeys, add_version, disable_key, enable_key
from sealflow.storage.port import KeyFacts


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def key_domain(vault: Vault, kind: Kind, scope: bytes) -> tuple[int, int]:
    """Domain and version of the environment key that a stored key row names."""
    (row,) = await vault._backend.keys.newest(kind, [scope])
    return row.domain, row.key_version


# --- policies


async def test_a_policy_names_a_key_and_no_version(place: Customer) -> None:
    async with place.administration() as administration:
        policy = await administration.policies.one("ONE")
        assert (policy.name, policy.uri, policy.location) == ("one", place.uri("one"), "local")
        assert policy.owner == "ada"
        before = await administration.policies.all()
        add_version(place.file, "one")
        assert await administration.policies.all() == before
        with pytest.raises(AlreadyThere):
            await administration.create_policy("One", place.uri("two"))


async def test_a_key_that_is_not_there_or_disabled_makes_no_policy(place: Customer) -> None:
    disable_key(place.file, "two")
    async with place.administration() as administration:
        for key in ("two", "three"):
            with pytest.raises(KeyDenied):
                await administration.create_policy("new", place.uri(key))
        assert [policy.name for policy in await administration.policies.all()] == ["one", "two"]


@pytest.mark.parametrize("facts", [KeyFacts(b"v", problem="RSA-1024 is too short."), KeyFacts(b"v", recoverable=False)])
async def test_an_unsuitable_key_is_refused_with_the_reason(
    place: Customer, facts: KeyFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(_: FileKeys) -> KeyFacts:
        return facts

    monkeypatch.setattr(FileKeys, "facts", told)
    async with place.administration() as administration:
        with pytest.raises(UnsuitableKey) as refused:
            await administration.create_policy("new", place.uri("one"))
        assert (facts.problem or "could be lost for good") in refused.value.message
        with pytest.raises(UnsuitableKey):
            await administration.apply("one", ENVIRONMENT)
        assert await administration.health("one") == f"denied: {refused.value.message}"
        assert await administration.policies.assignments() == {}


@pytest.mark.parametrize("probe", [0.0, -1.0, 3601.0, float("inf"), float("nan")])
async def test_a_key_is_asked_for_each_hour_at_least(place: Customer, probe: float) -> None:
    async with place.administration() as administration:
        with pytest.raises(InvalidPolicy, match="3600 at most") as refused:
            await administration.create_policy("new", place.uri("one"), probe=probe)
        assert "after its key was taken away" in (refused.value.hint or "")
        assert (await administration.create_policy("new", place.uri("one"), probe=3600.0)).probe == 3600.0


async def test_health(place: Customer) -> None:
    async with place.administration() as administration:
        assert await administration.health("one") == "healthy"
        disable_key(place.file, "one")
        assert (await administration.health("one")).startswith("denied: ")
        enable_key(place.file, "one")
        hidden = place.file.rename(place.file.with_suffix(".away"))
        assert (await administration.health("one")).startswith("unavailable: ")
        hidden.rename(place.file)
        assert await administration.health("one") == "healthy"


async def test_what_new_data_keys_leave_to_be_done_is_on_record_with_them(place: Customer) -> None:
    """Whoever dies right after the rotation leaves an operation that goes on with the next executor."""
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            made = await vault.put_flow("hello", {})
        await administration.rotate(ENVIRONMENT)
        async with place.vault() as vault:
            assert await vault.operations() == []
        await administration.rotate(ENVIRONMENT, data_keys=True)
        async with place.vault() as vault:
            (operation,) = await vault.operations()
            assert (operation.kind, operation.status, operation.done) == ("rotate --data-keys", "Running", 0)
            assert operation.total >= 1
            assert await vault.try_become_executor()
            await vault.migrate()
            assert [each.status for each in await vault.operations()] == ["Succeeded"]
            assert [flow.flow_id for flow in await vault.flows()] == [made.flow_id]
        assert len(await administration.retire(ENVIRONMENT)) == 1


async def test_new_data_keys_move_nothing_to_the_customer(place: Customer) -> None:
    """What a policy found stays under the service's key until it is migrated, whatever else is done to keys."""
    async with place.vault() as vault:
        old = await vault.put_flow("old", {})
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            new = await vault.put_flow("new", {})
        await administration.rotate(ENVIRONMENT, data_keys=True)
        async with place.vault() as vault:
            assert await vault.try_become_executor()
            await vault.migrate()
            (operation,) = await vault.operations()
            assert (operation.status, operation.done) == ("Succeeded", operation.total)
        status = await environment_status(administration.store, ENVIRONMENT)
        live = {each.domain: each.key_id for each in status.keys if each.live}
        assert {flow.id: (flow.domain, flow.key_id) for flow in status.flows} == {
            old.flow_id: (1, live[1]), new.flow_id: (2, live[2]),
        }  # fmt: skip
        await administration.retire(ENVIRONMENT)
        async with place.vault() as vault:
            assert await vault.try_become_executor()
            await vault.begin_migration()
            await vault.migrate()
        status = await environment_status(administration.store, ENVIRONMENT)
        assert {flow.domain for flow in status.flows} == {2}


async def test_a_policy_that_covers_something_is_not_deleted(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        with pytest.raises(Conflict, match="covers"):
            await administration.delete_policy("one")
        await administration.remove(ENVIRONMENT)
        await administration.delete_policy("one")
        with pytest.raises(RecordNotFound):
            await administration.policies.one("one")


# --- roles


async def test_each_role_may_do_its_own_acts_only(place: Customer) -> None:
    keys, environments = Actor("kay", environment_administrator=False), Actor("eve", key_administrator=False)
    async with place.administration(environments) as administration:
        for refused in (
            administration.create_policy("x", place.uri("one")),
            administration.grant("one", "eve"),
            administration.delete_policy("one"),
            administration.remove(ENVIRONMENT),
            administration.rotate(ENVIRONMENT),
            administration.retire(ENVIRONMENT),
        ):
            with pytest.raises(NotPermitted):
                await refused
        with pytest.raises(NotPermitted, match="eve may not use") as unread:
            await administration.apply("one", ENVIRONMENT)
        assert unread.value.hint is not None
        assert "policy grant one --reader eve" in unread.value.hint
    async with place.administration(keys) as administration:
        for refused in (
            administration.apply("one", ENVIRONMENT),
            administration.lock(ENVIRONMENT),
            administration.unlock(ENVIRONMENT),
        ):
            with pytest.raises(NotPermitted):
                await refused
        await administration.grant("one", "eve")
        assert (await administration.grant("one", "eve")).readers == ("eve",)
        await administration.grant("two", "eve")
    async with place.administration(environments) as administration:
        assert (await administration.apply("one", ENVIRONMENT)).cover is not None
        with pytest.raises(NotPermitted, match="another policy"):  # whose key would be needed no longer
            await administration.apply("two", ENVIRONMENT)
        assert (await administration.apply("one", ENVIRONMENT)).cover is not None


async def test_everybody_may_read_where_the_owner_says_so(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.grant("two", "*")
    async with place.administration(Actor("eve", key_administrator=False)) as administration:
        assert (await administration.apply("two", ENVIRONMENT)).domain == 2


# --- apply


async def test_what_is_there_stays_and_what_is_new_is_the_customers(place: Customer) -> None:
    async with place.vault() as vault, place.administration() as administration:
        old = await vault.put_flow("old", {"v": 1})
        state = await administration.apply("one", ENVIRONMENT)
        assert (state.domain, state.epoch) == (2, 1)
        new = await vault.put_flow("new", {"v": 1})  # this process had not seen the policy yet
        again = await vault.put_flow("OLD", {"v": 2})
        assert await key_domain(vault, Kind.FLOW, old.flow_id) == (Domain.SERVICE, 1)
        assert await key_domain(vault, Kind.FLOW, new.flow_id) == (2, 1)
        assert (again.flow_id, again.version) == (old.flow_id, 2)
        for flow, domain in ((old, 1), (new, 2)):
            log = vault.create_run(bytes([domain]) * 16, flow.flow_id, 1, 5, {})
            assert log.domain == domain
        child = vault.create_run(b"c" * 16, old.flow_id, 1, 5, {}, parent=b"\2" * 16, parent_domain=2)
        assert child.domain == 2
        await vault.flush()
        assert [info.run_id for info in await vault.runs()] == [b"c" * 16, b"\2" * 16, b"\1" * 16]


async def test_connections_by_class(place: Customer) -> None:
    async with place.vault() as vault, place.administration() as administration:
        for name, oauth in (("sql", False), ("office", True)):
            await vault.create_connection(name, "c", oauth=oauth, parameter_set=None, values={"secret": name})
        await administration.apply("one", ENVIRONMENT)
        for name, oauth in (("key", False), ("graph", True)):
            await vault.create_connection(name, "c", oauth=oauth, parameter_set=None, values={"secret": name})
        for connection in await vault.connections():
            domain, version = await key_domain(vault, Kind.CONNECTION, connection.id)
            assert domain == connection.domain == (2 if connection.oauth else 1)
            assert connection.key_id == vault._keyring.key_id(domain, version)
            assert await vault.connection_values(connection.name) == {"secret": connection.name}


async def test_a_policy_may_cover_all_connections(place: Customer) -> None:
    async with place.vault() as vault, place.administration() as administration:
        await vault.create_connection("sql", "c", oauth=False, parameter_set=None, values={})
        await administration.create_policy("all", place.uri("two"), all_connections=True)
        await administration.apply("all", ENVIRONMENT)
        assert (await vault.connection("sql")).domain == 2
        await administration.apply("one", ENVIRONMENT)  # which does not cover it
        assert (await vault.connection("sql")).domain == 1


async def test_the_limit_counts_environments(place: Customer) -> None:
    async with place.administration(limit=1) as administration:
        await administration._store.create_environment("second")
        await administration.apply("one", ENVIRONMENT)
        await administration.apply("two", ENVIRONMENT)  # one that is covered already
        with pytest.raises(PolicyLimit) as refused:
            await administration.apply("one", "second")
        assert refused.value.hint is not None
        assert "SEALFLOW_POLICY_LIMIT" in refused.value.hint
        await administration.remove(ENVIRONMENT)
        await administration.apply("one", "second")


async def test_one_policy_covers_many_environments_and_its_key_opens_all(place: Customer) -> None:
    async with place.administration() as administration:
        await administration._store.create_environment("second")
        for name in (ENVIRONMENT, "second"):
            await administration.apply("one", name)
        assert set((await administration.policies.assignments()).values()) == {
            (await administration.policies.one("one")).id
        }
        disable_key(place.file, "one")
        for name in (ENVIRONMENT, "second"):
            with pytest.raises(KeyDenied):
                async with place.vault(name):
                    pass


async def test_applying_the_same_policy_again_changes_nothing(place: Customer) -> None:
    async with place.administration() as administration:
        first = await administration.apply("one", ENVIRONMENT)
        assert await administration.apply("one", ENVIRONMENT) == first
        assert [status for kind, _, status in await acts(administration) if kind == "policy apply"] == [
            "Running",
            "Succeeded",
        ]


async def test_an_unknown_policy_or_environment(place: Customer) -> None:
    async with place.administration() as administration:
        with pytest.raises(RecordNotFound):
            await administration.apply("none", ENVIRONMENT)
        with pytest.raises(RecordNotFound):
            await administration.apply("one", "nowhere")


async def test_a_denied_key_applies_nothing_and_is_on_record(place: Customer) -> None:
    disable_key(place.file, "one")
    async with place.administration() as administration, place.vault() as vault:
        with pytest.raises(KeyDenied):
            await administration.apply("one", ENVIRONMENT)
        assert (await acts(administration))[-1] == ("policy apply", ENVIRONMENT, "Failed")
        await vault.reload_keys()
        assert vault.keys.epoch == 0


# --- rotate, swap, remove


@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("data_keys", [True, False])
async def test_rotate(place: Customer, covered: bool, data_keys: bool) -> None:
    async with place.administration() as administration:
        if covered:
            await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
            before = {(row.domain, row.version): row for row in vault._keyring.rows}
            if covered:
                add_version(place.file, "one")
            await administration.rotate(ENVIRONMENT, data_keys=data_keys)
            await vault.reload_keys()
            after = {(row.domain, row.version): row for row in vault._keyring.rows}
            domain = vault.keys.domain
            assert ((domain, 2) in after) == data_keys
            assert (after[domain, 1].kek != before[domain, 1].kek) != data_keys
            assert after[domain, 1].kid == before[domain, 1].kid
            assert vault._keyring.live_version(domain) == (2 if data_keys else 1)
    await same_as_ever(place)


async def test_a_rotation_of_a_key_with_a_new_version_leaves_the_earlier_version_unneeded(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
        earlier = (await place.provider()._keys())[0].kid
        add_version(place.file, "one")
        await administration.rotate(ENVIRONMENT)
        async with place.vault() as vault:
            assert earlier not in {row.kek for row in vault._keyring.rows}


async def test_rotate_and_swap_cost_calls_by_environment_keys_and_not_by_data(place: Customer) -> None:
    store = await place.store()
    made = counted(store)
    administration = Administration(store, Actor("ada"))
    await administration.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        for number in range(40):
            await vault.put_flow(f"flow {number}", {})

    async def cost(act: str) -> int:
        for keys in made:
            keys.calls.clear()
        await (administration.rotate(ENVIRONMENT) if act == "rotate" else administration.apply(act, ENVIRONMENT))
        return sum(call != "facts" for keys in made for call in keys.calls)

    assert await cost("rotate") == 2  # unwrapped, wrapped
    assert await cost("two") == 3  # the same, and a new environment key
    await store.close()


async def test_a_swap_lets_the_earlier_key_go_at_once(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
            state = await administration.apply("two", ENVIRONMENT)
            assert state.domain == 2
            disable_key(place.file, "one")
            await vault.put_flow("new", {})
            assert (await vault.flow("new")).domain == 2
            assert vault._keyring.live_version(2) == 2
        disable_key(place.file, "one")
        async with place.vault() as vault:
            await vault.connection("office")


async def test_removing_gives_everything_back_to_the_service(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
            state = await administration.remove(ENVIRONMENT)
            assert (state.domain, state.covers) == (Domain.SERVICE, {})
            disable_key(place.file, "one")
            new = await vault.put_flow("new", {})
            assert await key_domain(vault, Kind.FLOW, new.flow_id) == (Domain.SERVICE, 1)
        await same_as_ever_and_new(place)
        assert await administration.policies.assignments() == {}
        assert await administration.remove(ENVIRONMENT) == state
        assert (await administration.apply("two", ENVIRONMENT)).domain == 3
        with pytest.raises(KeyDenied):
            await administration.apply("one", ENVIRONMENT)


async def same_as_ever_and_new(place: Customer) -> None:
    async with place.vault() as vault:
        assert [flow.name for flow in await vault.flows()] == ["flow", "new"]
        assert await vault.connection_values("office") == {"v": 1}


async def test_taking_a_denied_key_away_is_refused(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        disable_key(place.file, "one")
        with pytest.raises(KeyDenied):
            await administration.remove(ENVIRONMENT)


# --- retire


async def test_retire_says_what_needs_the_earlier_key_and_then_removes_it(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
            assert await administration.retire(ENVIRONMENT) == []
            await administration.rotate(ENVIRONMENT, data_keys=True)
            with pytest.raises(Conflict, match="3 runs, flows and connections still need") as refused:
                await administration.retire(ENVIRONMENT)
            assert refused.value.hint is not None
            assert "migrate" in refused.value.hint
            assert await vault.try_become_executor()
            await vault.begin_migration()
            await vault.migrate()
            assert await administration.retire(ENVIRONMENT) == [(2, 1)]
            await vault.put_flow("new", {})  # this process still has the key
            assert (await vault.flow("flow")).version == 1
        async with place.vault() as vault:
            assert [(row.domain, row.version) for row in vault._keyring.rows] == [(1, 1), (2, 2)]
        await same_as_ever_and_new(place)
        await administration.rotate(ENVIRONMENT, data_keys=True)  # its predecessor is there


async def test_the_keys_of_a_policy_that_was_taken_away_are_retired_once_nothing_is_left(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
            await administration.rotate(ENVIRONMENT, data_keys=True)
            assert await vault.try_become_executor()
            await vault.migrate()
            await administration.remove(ENVIRONMENT)
            assert await administration.retire(ENVIRONMENT) == [(2, 1)]  # 2.2 is needed for what is there
            uses = {use.domain: use for use in (await environment_status(administration.store, ENVIRONMENT)).keys}
            assert {domain: use.live for domain, use in uses.items()} == {1: True, 2: False}
            assert uses[2].scopes["flow"] == 1
            await vault.begin_migration()
            await vault.migrate()
            assert await administration.retire(ENVIRONMENT) == [(2, 2)]
            await vault.put_flow("new", {})
        async with place.vault() as vault:
            assert [(row.domain, row.version) for row in vault._keyring.rows] == [(1, 1)]
        await same_as_ever_and_new(place)
        # Its number is not used again: nothing that an earlier copy has is taken for something of now.
        assert (await administration.apply("two", ENVIRONMENT)).domain == 3


async def test_a_backup_keeps_the_keys_of_a_policy_that_was_taken_away(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        backup = await create_backup(administration, ENVIRONMENT, place.folder / "b", expires_days=None)
        await administration.remove(ENVIRONMENT)
        with pytest.raises(Conflict, match="1 backup of contoso needs"):
            await administration.retire(ENVIRONMENT)
        await expire_backup(administration, backup)
        assert await administration.retire(ENVIRONMENT) == [(2, 1)]


# --- regions, and others who act at the same time


async def test_a_policy_of_another_region_is_refused(place: Customer) -> None:
    async with place.administration() as administration:
        store = administration.store
        for name, location in (("here", "EU"), ("there", "us"), ("anywhere", None), ("local", "local")):
            assert (await store.create_environment(name, location=location)).location == location
        await administration.create_policy("european", place.uri("one"), location="eu")
        with pytest.raises(LocationMismatch, match="there is in us, the policy european in another region: eu"):
            await administration.apply("european", "there")
        assert await administration.policies.assignments() == {}
        for name in ("here", "anywhere", "local"):
            assert (await administration.apply("european", name)).cover is not None
        assert (await administration.apply("one", "there")).cover is not None  # that names no region
    async with place.administration() as administration:
        assert {each.name: each.location for each in await administration.store.environments()}["here"] == "EU"


@pytest.mark.parametrize("from_policy", [False, True])
async def test_a_connection_that_is_deleted_while_a_policy_comes(
    place: Customer, from_policy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was read, and before the commit: the policy comes all the same, and the connection is gone."""
    async with place.administration() as administration:
        if from_policy:
            await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            for name in ("first", "second", "third"):
                await vault.create_connection(name, "c", oauth=True, parameter_set=None, values={"v": name})
            real, going = administration._commit, ["first", "second"]

            async def late(*arguments: Any, **options: Any) -> None:
                if going:
                    await vault.delete_connection(going.pop())
                await real(*arguments, **options)

            monkeypatch.setattr(administration, "_commit", late)
            state = await administration.apply("two", ENVIRONMENT)
            assert (state.cover is not None, state.domain) == (True, 2)
            assert [each.name for each in await vault.connections()] == ["third"]
            assert (await vault.connection("third")).domain == 2
        told = await acts(administration)
        assert told[-1] == ("policy apply", ENVIRONMENT, "Succeeded")
        assert ("policy apply", ENVIRONMENT, "Failed") not in told


async def test_a_key_that_is_needed_after_all_is_not_retired(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something comes between the count and the commit: the store itself refuses."""
    async with place.vault() as vault, place.administration() as administration:
        await vault.put_flow("flow", {})
        await administration.rotate(ENVIRONMENT, data_keys=True)

        async def nothing(_: KeyReads) -> list[object]:
            return []

        with monkeypatch.context() as patch:
            patch.setattr(type(vault._backend.keys), "counts", nothing)
            with pytest.raises(Conflict, match="FOREIGN KEY"):
                await administration.retire(ENVIRONMENT)
        assert (await acts(administration))[-1] == ("key retire", ENVIRONMENT, "Failed")
    async with place.vault() as vault:
        assert (await vault.flow("flow")).version == 1
