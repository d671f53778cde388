"""Recovery copies: an environment whose key is lost is opened by a second key, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer, counted
from key_changes import acts, filled, same_as_ever
from sealflow.storage import (
    ApprovalNeeded,
    EnvironmentLocked,
    InvalidPolicy,
    KeyDenied,
    KeyUnavailable,
    NotPermitted,
    RecordNotFound,
    environment_status,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.keys.key_state import KeyState
from sealflow.storage.keys.providers.file import add_version, create_key, disable_key, enable_key, uri_of
from sealflow.storage.maintenance.status import ACTIVE


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    """An environment under a policy with the key `one` and the recovery key `spare`, and something in it."""
    made = await copied_customer(tmp_path)
    create_key(made.file, "spare")
    async with made.administration() as administration:
        await administration.create_policy("safe", made.uri("one"), recovery=made.uri("spare"))
        await administration.apply("safe", ENVIRONMENT)
    async with made.vault() as vault:
        await filled(vault)
    return made


async def state(place: Customer) -> KeyState:
    async with place.administration() as administration, administration.opened(ENVIRONMENT, locked=True) as opened:
        return opened.state


async def copies(place: Customer) -> dict[int, bytes]:
    """By version of the environment key: the id of the key that wraps the copy."""
    cover = (await state(place)).cover
    assert cover is not None
    return {version: copy.kek for version, copy in cover.copies.items()}


async def spare_version(place: Customer) -> bytes:
    return (await place.provider("spare").facts()).version


@pytest.mark.parametrize("locked", [True, False])
async def test_the_recovery_key_opens_what_the_lost_key_sealed(place: Customer, locked: bool) -> None:
    async with place.administration() as administration:
        if locked:
            await administration.lock(ENVIRONMENT)
        disable_key(place.file, "one")
        if locked:
            with pytest.raises(KeyDenied):
                await administration.unlock(ENVIRONMENT)
        with pytest.raises(EnvironmentLocked if locked else KeyDenied):
            async with place.vault():
                pass
        recovered = await administration.recover(ENVIRONMENT)
        assert recovered.lock is None
        assert ("key recover", ENVIRONMENT, "Succeeded") in await acts(administration)
    await same_as_ever(place)
    async with place.vault() as vault:
        cover = vault.keys.cover
        assert cover is not None
        assert (cover.name, cover.uri, cover.recovery, dict(cover.copies)) == ("safe", place.uri("spare"), None, {})
        await vault.probe_keys()
        await vault.put_flow("new", {})
    # Another key takes over, and the first one again when it is back.
    async with place.administration() as administration:
        await administration.apply("two", ENVIRONMENT)
        disable_key(place.file, "spare")
        enable_key(place.file, "one")
        await administration.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        assert [flow.name for flow in await vault.flows()] == ["flow", "new"]


async def test_the_same_policy_takes_over_again_when_its_key_is_back(place: Customer) -> None:
    async with place.administration() as administration:
        disable_key(place.file, "one")
        await administration.recover(ENVIRONMENT)
        enable_key(place.file, "one")
        cover = (await administration.apply("safe", ENVIRONMENT)).cover
        assert cover is not None
        assert (cover.uri, cover.recovery) == (place.uri("one"), place.uri("spare"))
    assert set(await copies(place)) == {1, 2}
    await same_as_ever(place)


async def test_without_the_recovery_key_nothing_is_opened(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.lock(ENVIRONMENT)
        for key in ("one", "spare"):
            disable_key(place.file, key)
        with pytest.raises(KeyDenied):
            await administration.recover(ENVIRONMENT)
        assert (await state(place)).lock is not None
        place.file.rename(place.file.with_suffix(".away"))
        with pytest.raises(KeyUnavailable):
            await administration.recover(ENVIRONMENT)
        assert (await acts(administration))[-1] == ("key recover", ENVIRONMENT, "Failed")


async def test_no_copy_no_recovery(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)  # a policy without a recovery key: the copies are gone
        disable_key(place.file, "one")
        with pytest.raises(RecordNotFound, match="no recovery copy"):
            await administration.recover(ENVIRONMENT)
        with pytest.raises(RecordNotFound):
            await administration.recover((await administration.store.create_environment("second")).name)


async def test_copies_stay_true(place: Customer) -> None:
    first = await spare_version(place)
    assert await copies(place) == {1: first}
    async with place.administration() as administration:
        add_version(place.file, "spare")
        await administration.rotate(ENVIRONMENT, data_keys=True)
        latest = await spare_version(place)
        assert latest != first
        assert await copies(place) == {1: latest, 2: latest}
        add_version(place.file, "spare")
        await administration.rotate(ENVIRONMENT)
        assert await copies(place) == dict.fromkeys((1, 2), await spare_version(place))
        await administration.rotate(ENVIRONMENT, service=True)
        async with place.vault() as vault:
            assert await vault.try_become_executor()
            await vault.migrate()
        assert await administration.retire(ENVIRONMENT) == [(2, 1)]
        assert set(await copies(place)) == {2}
        # A lock and an unlock ask the recovery key for nothing.
        made = counted(administration.store)
        await administration.lock(ENVIRONMENT)
        await administration.unlock(ENVIRONMENT)
        assert [call for each in made if each.uri == place.uri("spare") for call in each.calls] == []
        disable_key(place.file, "one")
        await administration.recover(ENVIRONMENT)
    await same_as_ever(place)


@pytest.mark.parametrize("away", [True, False])
async def test_keys_go_over_to_a_new_version_while_the_recovery_key_is_not_given(place: Customer, away: bool) -> None:
    """The copies that there are open the same keys, so they stay until the recovery key is given again."""
    code, spare = ("KeyUnavailable", place.file.with_name("spare.json")) if away else ("KeyDenied", place.file)
    uri = place.uri("spare")
    if away:  # in a file of its own
        create_key(spare, "spare")
        uri = uri_of(spare, "spare")
        async with place.administration() as administration:
            await administration.create_policy("apart", place.uri("one"), recovery=uri)
            await administration.apply("apart", ENVIRONMENT)
    before = await copies(place)
    if away:
        spare.rename(spare.with_suffix(".away"))
    else:
        disable_key(spare, "spare")
    async with place.administration() as administration:
        add_version(place.file, "one")
        await administration.rotate(ENVIRONMENT)
        assert await copies(place) == before
        newest = (await place.provider("one").facts()).version
        status = await environment_status(administration.store, ENVIRONMENT)
        assert {use.kek for use in status.keys if use.domain > 1} == {newest.hex()}
        last = [act async for act in administration.audit.acts() if act.kind == "key rotate"][-1]
        assert (last.status, last.detail["recoveryCopies"]) == ("Succeeded", code)
        # A new key has no copy yet: that takes the recovery key, and the error says so.
        with pytest.raises(KeyUnavailable if away else KeyDenied, match="recovery key is not given"):
            await administration.rotate(ENVIRONMENT, data_keys=True)
        assert (await environment_status(administration.store, ENVIRONMENT)).operations[-1].status == "Failed"
        if away:
            spare.with_suffix(".away").rename(spare)
        else:
            enable_key(spare, "spare")
        add_version(spare, "spare")
        await administration.rotate(ENVIRONMENT)
        assert set((await copies(place)).values()).isdisjoint(before.values())
        last = [act async for act in administration.audit.acts() if act.kind == "key rotate"][-1]
        assert "recoveryCopies" not in last.detail
        disable_key(place.file, "one")
        await administration.recover(ENVIRONMENT)
    await same_as_ever(place)


async def test_after_a_swap_the_new_policy_s_recovery_key_opens_and_no_other(place: Customer) -> None:
    create_key(place.file, "second spare")
    async with place.administration() as administration:
        await administration.create_policy("other", place.uri("two"), recovery=place.uri("second spare"))
        await administration.apply("other", ENVIRONMENT)
        disable_key(place.file, "spare")
        disable_key(place.file, "two")
        await administration.recover(ENVIRONMENT)
    await same_as_ever(place)


async def test_what_was_given_back_is_opened_too(place: Customer) -> None:
    """A domain of an earlier policy, whose keys the service wraps."""
    async with place.administration() as administration:
        await administration.remove(ENVIRONMENT)
        await administration.apply("safe", ENVIRONMENT)
        disable_key(place.file, "one")
        await administration.recover(ENVIRONMENT)
    await same_as_ever(place)


async def test_a_policy_is_applied_with_its_copies_or_not_at_all(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.remove(ENVIRONMENT)
        disable_key(place.file, "spare")
        with pytest.raises(KeyDenied):
            await administration.apply("safe", ENVIRONMENT)
        assert await administration.policies.assignments() == {}
        with pytest.raises(KeyDenied):
            await administration.create_policy("new", place.uri("one"), recovery=place.uri("spare"))
        with pytest.raises(InvalidPolicy, match="is the key itself"):
            await administration.create_policy("new", place.uri("one"), recovery=place.uri("one"))


async def test_who_may(place: Customer) -> None:
    async with place.administration() as ada:
        for roles in ((True, False), (False, True)):
            with pytest.raises(NotPermitted):
                await Administration(ada.store, Actor("kim", *roles)).recover(ENVIRONMENT)
        with pytest.raises(ApprovalNeeded):
            await Administration(ada.store, Actor("ada"), approvals=2).recover(ENVIRONMENT)


async def test_a_crash_before_the_unlock_leaves_it_to_the_unlock(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.administration() as administration:
        await administration.lock(ENVIRONMENT)
        disable_key(place.file, "one")

        async def dies(_: str) -> KeyState:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(administration, "unlock", dies)
            with pytest.raises(KeyboardInterrupt):
                await administration.recover(ENVIRONMENT)
        await administration.unlock(ENVIRONMENT)
        assert (await environment_status(administration.store, ENVIRONMENT)).condition == ACTIVE
    await same_as_ever(place)
