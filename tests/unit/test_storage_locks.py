"""Locks, and what a crash in the middle of an administrator's act leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from key_changes import acts, filled, same_as_ever
from sealflow.storage import (
    Batch,
    Conflict,
    EnvironmentLocked,
    KeyDenied,
    StorageError,
    StoreFull,
    WrongKey,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.format.purposes import Kind
from sealflow.storage.keys.providers.file import create_key, disable_key, enable_key
from sealflow.storage.port import KeyRow


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def test_a_lock_refuses_every_commit_at_once(place: Customer) -> None:
    async with place.vault() as vault, place.administration() as administration:
        await filled(vault)
        state = await administration.lock(ENVIRONMENT)
        assert (state.lock_epoch % 2, state.lock is not None) == (1, True)
        assert await administration.lock(ENVIRONMENT) == state
        for refused in (
            vault.put_flow("new", {}),
            vault.create_connection("new", "c", oauth=True, parameter_set=None, values={}),
            vault.inbox_add(1, {}),
            vault.add_message((await vault.flow("flow")).flow_id, "p", {}),
            vault.delete_connection("office"),
            vault.begin_migration(),
            vault.reload_keys(),
        ):
            with pytest.raises(EnvironmentLocked):
                await refused
        with pytest.raises(EnvironmentLocked):
            async with place.vault():
                pass
        for act in (
            administration.apply("one", ENVIRONMENT),
            administration.rotate(ENVIRONMENT),
            administration.remove(ENVIRONMENT),
            administration.retire(ENVIRONMENT),
        ):
            with pytest.raises(EnvironmentLocked):
                await act
        unlocked = await administration.unlock(ENVIRONMENT)
        assert (unlocked.lock_epoch, unlocked.lock) == (2, None)
        assert await administration.unlock(ENVIRONMENT) == unlocked
    await same_as_ever(place)


async def test_only_the_original_key_unlocks(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await filled(vault)
        await administration.lock(ENVIRONMENT, "denied")
        disable_key(place.file, "one")
        with pytest.raises(KeyDenied):
            await administration.unlock(ENVIRONMENT)
        original = place.file.rename(place.file.with_suffix(".original"))
        create_key(place.file, "one")
        with pytest.raises(WrongKey):
            await administration.unlock(ENVIRONMENT)
        with pytest.raises(EnvironmentLocked, match="revoked"):
            async with place.vault():
                pass
        original.rename(place.file)
        enable_key(place.file, "one")
        await administration.unlock(ENVIRONMENT)
    await same_as_ever(place)


# --- a crash between the environment's commit and the control store's


@pytest.mark.parametrize("repair", ["apply", "reconcile", "delete"])
async def test_a_crash_after_apply_leaves_an_assignment_to_repair(
    place: Customer, repair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.administration() as administration:
        with monkeypatch.context() as patch:
            fail_assignments(administration, patch)
            with pytest.raises(StoreFull):
                await administration.apply("one", ENVIRONMENT)
        assert await administration.policies.assignments() == {}
        if repair == "apply":
            assert (await administration.apply("one", ENVIRONMENT)).domain == 2
        elif repair == "reconcile":
            assert await administration.reconcile() == [ENVIRONMENT]
        else:
            with pytest.raises(Conflict, match="covers environments"):
                await administration.delete_policy("one")
        policy = await administration.policies.one("one")
        assert list((await administration.policies.assignments()).values()) == [policy.id]
        assert ("assignment repair", ENVIRONMENT, "Succeeded") in await acts(administration)
        assert await administration.reconcile() == []


async def test_a_crash_after_remove_leaves_an_assignment_to_repair(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.administration(limit=1) as administration:
        await administration._store.create_environment("second")
        await administration.apply("one", ENVIRONMENT)
        with monkeypatch.context() as patch:
            fail_assignments(administration, patch)
            with pytest.raises(StoreFull):
                await administration.remove(ENVIRONMENT)
        assert len(await administration.policies.assignments()) == 1
        assert (await administration.remove(ENVIRONMENT)).cover is None
        assert await administration.policies.assignments() == {}
        await administration.apply("one", "second")


def fail_assignments(administration: Administration, patch: pytest.MonkeyPatch) -> None:
    """The disk fills up when the control store is written."""
    backend = administration._store.backend
    real = backend.commit

    async def commit(batch: Batch) -> list[int]:
        if batch.control.assignments:
            raise StoreFull("The disk is full.")
        return await real(batch)

    patch.setattr(backend, "commit", commit)


async def test_acts_at_once_do_not_undo_each_other(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two administrators have looked at the same state: the second one is told, and nothing is half done."""
    async with place.administration() as ada, place.administration(Actor("bob")) as bob:
        await ada.grant("two", "bob")
        real = bob._commit

        async def late(*arguments: object) -> None:
            await ada.apply("one", ENVIRONMENT)
            await real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(bob, "_commit", late)
        with pytest.raises(StorageError) as refused:
            await bob.apply("two", ENVIRONMENT)
        assert refused.value.code in ("StaleKeys", "Conflict")
        assert (await ada.policies.assignments()).popitem()[1] == (await ada.policies.one("one")).id
    async with place.vault() as vault:
        assert vault.keys.cover is not None
        assert vault.keys.cover.name == "one"


async def test_two_processes_that_open_an_environment_at_once_repair_its_assignment_once(
    place: Customer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.administration() as administration:
        with monkeypatch.context() as patch:
            fail_assignments(administration, patch)
            with pytest.raises(StoreFull):
                await administration.apply("one", ENVIRONMENT)
        before = await acts(administration)
        store = await place.store()
        real = store.backend.commit

        async def late(batch: Batch) -> list[int]:
            if batch.control.assignments:
                monkeypatch.setattr(store.backend, "commit", real)
                async with place.vault():  # the other process, which is first
                    pass
            return await real(batch)

        monkeypatch.setattr(store.backend, "commit", late)
        try:
            await (await store.open_vault(ENVIRONMENT)).close()
        finally:
            await store.close()
        assert store.backend.commit == real
        assert caplog.messages == []
        repairs = [act for act in await acts(administration) if act not in before]
        assert repairs == [("assignment repair", ENVIRONMENT, "Succeeded")]


@pytest.mark.parametrize("look", [1, 2])
async def test_an_act_between_two_looks_of_another_one_keeps_its_rows(
    place: Customer, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """Ada's act has no rows of its own, and must not put the versions on record from before Bob's."""
    async with place.administration() as ada, place.administration(Actor("bob")) as bob:
        await ada.record("note", ENVIRONMENT, "Succeeded", None)
        backend, looks = ada.store.backend, 0
        real = backend.keys.newest

        async def late(kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
            nonlocal looks
            looks += kind == Kind.AUDIT
            if kind == Kind.AUDIT and looks == look:
                await bob.lock(ENVIRONMENT)
            return await real(kind, scopes)

        monkeypatch.setattr(backend.keys, "newest", late)
        await ada.record("note", ENVIRONMENT, "Succeeded", None)
        assert looks > look
        with pytest.raises(EnvironmentLocked):
            async with place.vault():
                pass
        await bob.unlock(ENVIRONMENT)
        kinds = Counter(kind for kind, _, status in await acts(ada) if status == "Succeeded")
        assert (kinds["note"], kinds["environment lock"], kinds["environment unlock"]) == (2, 1, 1)
