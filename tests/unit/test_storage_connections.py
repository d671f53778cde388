"""Connections that several processes make, list and remove at the same moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from sealflow.storage import AlreadyThere, InvalidName, NotStorable, RecordNotFound, Vault


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def make(vault: Vault, name: str, *, oauth: bool = True) -> None:
    await vault.create_connection(name, "shared_test", oauth=oauth, parameter_set="set", values={"secret": name})


def after(vault: Vault, patch: pytest.MonkeyPatch, look: str, act: Callable[[], Awaitable[Any]]) -> None:
    """Right after the first look of this kind, `act` happens."""
    noun, method = look.split(".")
    store = getattr(vault._backend, noun)
    real, left = getattr(store, method), [act]

    async def looked(*arguments: Any) -> Any:
        found = await real(*arguments)
        if left:
            await left.pop()()
        return found

    patch.setattr(store, method, looked)


async def test_what_is_told_of_a_connection(place: Customer) -> None:
    async with place.vault() as vault:
        await make(vault, "Office")
        (told,) = await vault.connections()
        assert (told.name, told.connector, told.oauth, told.parameter_set) == ("Office", "shared_test", True, "set")
        assert (told.domain, told.key_version) == (1, 1)
        assert "Office" not in repr(told)
        assert await vault.connection("OFFICE") == told
        for name in ("", "  "):
            with pytest.raises(InvalidName):
                await make(vault, name)
        with pytest.raises(AlreadyThere):
            await make(vault, "office")
        with pytest.raises(NotStorable):
            await vault.create_connection("new", "c", oauth=True, parameter_set=None, values=object())
        for missing in (vault.connection("new"), vault.connection_values("new"), vault.delete_connection("new")):
            with pytest.raises(RecordNotFound):
                await missing


async def test_of_two_with_one_name_the_second_is_told(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.vault() as one, place.vault() as two:
        after(one, monkeypatch, "connections.all", lambda: make(two, "OFFICE"))
        with pytest.raises(AlreadyThere):
            await make(one, "office")
        assert [each.name for each in await one.connections()] == ["OFFICE"]


async def test_a_policy_that_comes_meanwhile_decides(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.vault() as vault, place.administration() as administration:
        after(vault, monkeypatch, "connections.all", lambda: administration.apply("one", ENVIRONMENT))
        await make(vault, "oauth")
        await make(vault, "key", oauth=False)
        assert {each.name: each.domain for each in await vault.connections()} == {"oauth": 2, "key": 1}


@pytest.mark.parametrize("look", ["connections.all", "keys.newest"])
async def test_one_that_is_removed_while_they_are_listed_is_not_shown(
    place: Customer, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as one, place.vault() as two:
        await make(one, "first")
        await make(one, "second")
        after(one, monkeypatch, look, lambda: two.delete_connection("second"))
        assert [each.name for each in await one.connections()] == ["first"]


async def test_a_removed_name_is_free_again(place: Customer) -> None:
    async with place.vault() as vault:
        await make(vault, "office")
        await vault.delete_connection("OFFICE")
        await make(vault, "office")
        assert await vault.connection_values("office") == {"secret": "office"}
