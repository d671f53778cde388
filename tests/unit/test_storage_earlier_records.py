"""Policies, states of keys and environments as the first version wrote them are read, and used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from key_changes import filled, same_as_ever
from sealflow.storage.format.codec import pack
from sealflow.storage.keys import key_state as keystate
from sealflow.storage.policies import policy


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Customer:
    """Everything as it was written before there were approvals, recovery copies and locations."""

    def earlier_state(fields: Any) -> bytes:
        if len(fields) != 5 or type(fields[1]) is int:  # what is packed for a digest
            return pack(fields)
        domain, covers, lock, _, _ = fields
        return pack([domain, [cover[:8] for cover in covers], lock])

    with monkeypatch.context() as patch:
        patch.setattr(policy, "pack", lambda fields: pack(fields[:9] if len(fields) == 12 else fields))
        patch.setattr(keystate, "pack", earlier_state)
        made = await customer(tmp_path)
        async with made.administration() as administration:
            await administration.apply("one", ENVIRONMENT)
        async with made.vault() as vault:
            await filled(vault)
    return made


async def test_they_are_read(place: Customer) -> None:
    await same_as_ever(place)
    async with place.vault() as vault:
        cover, state = vault.keys.cover, vault.keys
        assert cover is not None
        assert (cover.approvals, cover.delete_after, cover.recovery, dict(cover.copies)) == (1, None, None, {})
        assert (state.domain, state.highest, vault.environment.location) == (2, 2, None)
    async with place.administration() as administration:
        one = await administration.policies.one("one")
        assert (one.approvals, one.delete_after, one.recovery, one.row_version) == (1, None, None, 1)


async def test_they_are_changed(place: Customer) -> None:
    async with place.administration() as administration:
        assert (await administration.grant("one", "bob")).readers == ("bob",)
        await administration.lock(ENVIRONMENT)
        await administration.unlock(ENVIRONMENT)
        await administration.remove(ENVIRONMENT)
        assert (await administration.apply("two", ENVIRONMENT)).domain == 3
    await same_as_ever(place)
