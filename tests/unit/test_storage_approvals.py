"""Acts on keys that take a second administrator, where the policy or the operator says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from key_changes import acts
from refusals import REFUSED_ROW
from sealflow.storage import (
    ApprovalNeeded,
    Conflict,
    IntegrityError,
    InvalidPolicy,
    KeyDenied,
    NotPermitted,
    RecordNotFound,
    Request,
    reset_environment,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.keys.providers.file import disable_key, enable_key
from sealflow.storage.policies.approvals import LIFETIME_MS

ADA, BOB = Actor("ada"), Actor("bob")


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    """Policies `one` and `two` of before, and `four` on the key of `one`, whose acts take two."""
    made = await copied_customer(tmp_path)
    async with made.administration() as ada:
        await ada.create_policy("four", made.uri("one"), approvals=2, readers=("*",))
    return made


async def approved(place: Customer, act: Callable[[Administration], Awaitable[object]]) -> None:
    """Asked for by ada, approved by bob, done by ada: once, and nothing before."""
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded) as refused:
            await act(ada)
        [request] = [each for each in await ada.requests.all() if each.waits]
        assert request.id.hex() in refused.value.message
        assert f"policy approve {request.id.hex()}" in (refused.value.hint or "")
        with pytest.raises(ApprovalNeeded):
            await act(ada)
        assert [each for each in await ada.requests.all() if each.waits] == [request]  # the same one
        with pytest.raises(NotPermitted, match="second administrator"):
            await ada.approve(request.id.hex())
    async with place.administration(BOB) as bob:
        decided = await bob.approve(request.id.hex()[:12])
        assert (decided.status, decided.approver) == ("Approved", "bob")
    async with place.administration(ADA) as ada:
        await act(ada)
        assert [each for each in await ada.requests.all() if each.waits] == []
        told = [each async for each in ada.audit.acts()]
        begun = [each for each in told if each.kind == request.kind][-2]
        assert (begun.actor, begun.status, begun.detail["approvedBy"]) == ("ada", "Running", "bob")
        kinds = [(each.kind, each.actor) for each in told if each.kind.startswith("approval")]
        assert kinds[-2:] == [("approval request", "ada"), ("approval grant", "bob")]


async def test_each_act_takes_two(place: Customer) -> None:
    await approved(place, lambda ada: ada.apply("four", ENVIRONMENT))
    async with place.administration() as ada:
        await ada.rotate(ENVIRONMENT, data_keys=True)  # harms nobody
    async with place.vault() as vault:
        await vault.try_become_executor()
        await vault.migrate()
    await approved(place, lambda ada: ada.retire(ENVIRONMENT))
    await approved(place, lambda ada: ada.apply("two", ENVIRONMENT))  # a swap, since `four` covers it
    async with place.administration() as ada:
        await ada.remove(ENVIRONMENT)  # `two` takes one only
    await approved(place, lambda ada: ada.apply("four", ENVIRONMENT))
    await approved(place, lambda ada: ada.remove(ENVIRONMENT))
    await approved(place, lambda ada: ada.apply("four", ENVIRONMENT))
    await approved(place, lambda ada: reset_environment(ada, ENVIRONMENT))
    await approved(place, lambda ada: ada.apply("four", ENVIRONMENT))
    await approved(place, lambda ada: ada.delete_environment(ENVIRONMENT))


async def test_the_operator_may_ask_for_two_everywhere(place: Customer) -> None:
    """Else somebody makes a policy of his own, which takes one, puts everything under it, and takes the key away."""
    async with place.administration() as ada:
        strict = Administration(ada.store, ADA, approvals=2)
        with pytest.raises(ApprovalNeeded):
            await strict.apply("one", ENVIRONMENT)
        [request] = await ada.requests.all()
        await Administration(ada.store, BOB, approvals=2).approve(request.id.hex())
        assert (await strict.apply("one", ENVIRONMENT)).cover is not None
        with pytest.raises(ApprovalNeeded):
            await strict.remove(ENVIRONMENT)


async def test_an_approval_is_for_one_act_of_one_administrator(place: Customer) -> None:
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", ENVIRONMENT)
        [request] = await ada.requests.all()
        await Administration(ada.store, BOB).approve(request.id.hex())
        await ada.store.create_environment("second")
        with pytest.raises(ApprovalNeeded):
            await Administration(ada.store, Actor("eve")).apply("four", ENVIRONMENT)
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", "second")
        await ada.apply("four", ENVIRONMENT)
        with pytest.raises(ApprovalNeeded):
            await ada.remove(ENVIRONMENT)


async def test_a_request_ends_by_itself(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", ENVIRONMENT)
        [request] = await ada.requests.all()
        bob = Administration(ada.store, BOB)
        await bob.approve(request.id.hex())
        monkeypatch.setattr(ada.requests, "_now_ms", lambda: request.expires_ms)
        assert [each.status for each in await ada.requests.all()] == ["Expired"]
        with pytest.raises(ApprovalNeeded):  # and there is a new one
            await ada.apply("four", ENVIRONMENT)
        [_, second] = await ada.requests.all()
        assert second.expires_ms == request.expires_ms + LIFETIME_MS
        monkeypatch.setattr(bob.requests, "_now_ms", lambda: second.expires_ms)
        with pytest.raises(RecordNotFound, match="is expired"):
            await bob.approve(second.id.hex())


async def test_who_decides(place: Customer) -> None:
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", ENVIRONMENT)
        [request] = await ada.requests.all()
        keyless = Administration(ada.store, Actor("bob", key_administrator=False))
        for decide in (keyless.approve, keyless.refuse):
            with pytest.raises(NotPermitted, match="Only a key administrator"):
                await decide(request.id.hex())
        with pytest.raises(NotPermitted, match="has asked for this"):
            await Administration(ada.store, Actor("ADA")).approve(request.id.hex())
        for begin in ("", "ffff"):
            with pytest.raises(RecordNotFound):
                await ada.refuse(begin)
        assert (await ada.refuse(request.id.hex())).status == "Refused"  # one's own may be taken back
        with pytest.raises(RecordNotFound, match="is refused"):
            await Administration(ada.store, BOB).approve(request.id.hex())
        assert ("approval refuse", ENVIRONMENT, "Succeeded") in await acts(ada)


async def test_an_act_that_fails_uses_nothing_up(place: Customer) -> None:
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", ENVIRONMENT)
        [request] = await ada.requests.all()
        await Administration(ada.store, BOB).approve(request.id.hex())
        disable_key(place.file, "one")
        with pytest.raises(KeyDenied):
            await ada.apply("four", ENVIRONMENT)
        enable_key(place.file, "one")
        await ada.apply("four", ENVIRONMENT)
        assert [each.status for each in await ada.requests.all()] == ["Used"]


async def test_two_decide_at_once(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", ENVIRONMENT)
        [request] = await ada.requests.all()
        bob, eve = Administration(ada.store, BOB), Administration(ada.store, Actor("eve"))
        await eve.refuse(request.id.hex())

        async def seen_before(begin: str) -> Request:
            return replace(request)

        monkeypatch.setattr(bob.requests, "one", seen_before)
        with pytest.raises(Conflict, match="changed by somebody else"):
            await bob.approve(request.id.hex())
        assert [each.status for each in await ada.requests.all()] == ["Refused"]


@pytest.mark.parametrize("count", [0, 3])
async def test_one_or_two(place: Customer, count: int) -> None:
    async with place.administration() as ada:
        with pytest.raises(InvalidPolicy):
            await ada.create_policy("new", place.uri("two"), approvals=count)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE operations SET ended_ms = 1 WHERE created_ms > 0",
        "UPDATE operations SET created_ms = created_ms + 1 WHERE created_ms > 0",
        "UPDATE operations SET row_version = 2 WHERE created_ms > 0",
        "UPDATE operations SET record = (SELECT record FROM operations WHERE created_ms = 0) WHERE created_ms > 0",
        "DELETE FROM keys WHERE kind = 12",
    ],
)
async def test_a_request_that_was_changed_approves_nothing(place: Customer, change: str) -> None:
    async with place.administration(ADA) as ada:
        with pytest.raises(ApprovalNeeded):
            await ada.apply("four", ENVIRONMENT)
        [request] = await ada.requests.all()
    with closing(sqlite3.connect(place.home / "control.db")) as connection, connection:
        assert connection.execute(change).rowcount == 1
    async with place.administration(BOB) as bob:
        with pytest.raises(IntegrityError, match=REFUSED_ROW):
            await bob.approve(request.id.hex())
        with pytest.raises(IntegrityError, match=REFUSED_ROW):
            await Administration(bob.store, ADA).apply("four", ENVIRONMENT)
