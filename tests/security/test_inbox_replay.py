"""Requests and callbacks that were carried out and whose rows are put back. Each request counts once."""

from __future__ import annotations

import pytest
from attacked_store import AttackedStore, Row
from customer_keys import ENVIRONMENT
from sealflow.storage import IntegrityError, Vault

CALLBACK = 1


async def _accepted(attacked: AttackedStore, run: bytes, value: object) -> None:
    """Let a locked environment accept an item, then unlock it."""
    async with attacked.keys.administration() as administration:
        await administration.lock(ENVIRONMENT)
    store = await attacked.keys.store()
    try:
        async with await store.sealed_inbox(ENVIRONMENT) as inbox:
            await inbox.accept(CALLBACK, run, {"value": value})
    finally:
        await store.close()
    async with attacked.keys.administration() as administration:
        await administration.unlock(ENVIRONMENT)


async def _drain(vault: Vault) -> list[object]:
    items = await vault.inbox_items(100)
    for item in items:
        vault.sealed_items.consume(item.place)
    await vault.flush()
    await vault.renew_inbox(drained=bool(items))
    return [item.value for item in items]


async def _drained(attacked: AttackedStore, *tables: str) -> dict[str, list[Row]]:
    """An item is accepted during a lock and carried out after it; these tables as they were in between."""
    run = b"r" * 16
    async with attacked.keys.vault() as vault:
        flow = await vault.put_flow("flow", {"v": 1})
        vault.create_run(run, flow.flow_id, 1, 5, {"s": 1}, status=1)
        vault.sealed_items.expect(run, b"token")
        await vault.sealed_items.renew()
        await vault.flush()
    await _accepted(attacked, run, 7)
    copy = await attacked.copy(*tables)
    async with attacked.keys.vault() as vault:
        assert await _drain(vault) == [{"value": 7}]
    return copy


async def test_a_drained_item_of_the_locked_environment_is_put_back(attacked: AttackedStore) -> None:
    """The writer puts back an item that the environment accepted while it was locked and that was carried out since. It
    does not open: the inbox key was replaced when the inbox was drained.
    """
    await attacked.put_back(await _drained(attacked, "sealed_inbox"))
    async with attacked.keys.vault() as vault:
        assert await _drain(vault) == []


async def test_a_drained_item_is_put_back_with_its_inbox_key(attacked: AttackedStore) -> None:
    """The writer puts back such an item together with the inbox key of its time. Both are refused: the scope key of
    that inbox key is gone.
    """
    await attacked.put_back(await _drained(attacked, "sealed_inbox", "inbox_keys"))
    async with attacked.keys.vault() as vault:
        with pytest.raises(IntegrityError, match="The key of the sealed inbox was altered or planted"):
            await vault.inbox_items(100)
