"""Where keys come from: rows that are read while they are exchanged, and what becomes of keys that were given out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer, counted
from sealflow.storage import EnvironmentLocked, IntegrityError, KeyDenied, StaleKeys
from sealflow.storage.format.purposes import Domain, Kind, Purpose
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.keys.providers.file import add_version, disable_key
from sealflow.storage.port import KeyRow, KeyStateRow


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def test_keys_that_change_while_they_are_read_are_read_again(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy comes between the look at the state and the look at the keys, and goes in the same way."""
    async with place.vault() as vault, place.administration() as administration:
        backend = vault._backend
        real = backend.keys.environment_keys
        acts = [administration.remove(ENVIRONMENT), administration.apply("one", ENVIRONMENT)]

        async def between() -> object:
            if acts:
                await acts.pop()
            return await real()

        monkeypatch.setattr(backend.keys, "environment_keys", between)
        await vault.reload_keys()
        assert (vault.keys.epoch, vault.keys.cover) == (2, None)
        assert acts == []


async def test_keys_that_never_rest_are_stale(place: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place.vault() as vault:
        looks = iter(range(1000))

        async def restless() -> KeyStateRow:
            return KeyStateRow(next(looks), 0, b"")

        monkeypatch.setattr(vault._backend.keys, "state", restless)
        with pytest.raises(StaleKeys):
            await vault.reload_keys()


async def test_dropping_reaches_what_was_given_out_before_keys_were_exchanged(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            domain = vault.keys.domain
            held, _ = vault._keyring.new_scope(Kind.RUN, b"r" * 16, domain)
            record = held.seal(held.place(Purpose.PAGE, b"r" * 16), 1, 0, b"secret")
            for _ in range(2):
                await administration.rotate(ENVIRONMENT, data_keys=True)
                await vault.reload_keys()
            assert held.open(held.place(Purpose.PAGE, b"r" * 16), 1, 0, record) == b"secret"
            await vault.drop_keys()
            with pytest.raises(EnvironmentLocked):
                held.open(held.place(Purpose.PAGE, b"r" * 16), 1, 0, record)
            with pytest.raises(EnvironmentLocked):
                held.link(bytes(32), 1, record)
            with pytest.raises(EnvironmentLocked):
                held.seal(b"", 1, 0, b"")


async def test_dropping_reaches_what_a_retired_key_gave_out(place: Customer) -> None:
    async with place.administration() as administration, place.vault() as vault:
        old = vault._keyring
        held, row = old.new_scope(Kind.RUN, b"r" * 16)
        later, _ = await old.with_new_key(Domain.SERVICE, vault._source.service, 1, policy_epoch=1)
        old.adopt(Keyring(old.environment, old.role, [later._live_key(Domain.SERVICE)], later.rows[1:]))
        with pytest.raises(StaleKeys):
            old.open_scope(row)
        await vault.drop_keys()
        with pytest.raises(EnvironmentLocked):
            held.seal(b"", 1, 0, b"")
        assert (await administration.policies.one("one")).uri == place.uri("one")


async def test_keys_that_arrive_after_they_were_dropped_are_dropped(place: Customer) -> None:
    async with place.vault() as vault:
        source = vault._source
        arriving = await source.load()
        held, _ = arriving.new_scope(Kind.RUN, b"r" * 16)
        await vault.drop_keys()
        with pytest.raises(EnvironmentLocked):
            vault._keyring.adopt(arriving)
        with pytest.raises(EnvironmentLocked):
            held.seal(b"", 1, 0, b"")


async def test_a_probe_unwraps_each_key_version_in_use(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        add_version(place.file, "one")
        await administration.rotate(ENVIRONMENT, data_keys=True)  # two environment keys, by two versions of the key
        store = await place.store()
        made = counted(store)
        vault = await store.open_vault(ENVIRONMENT)
        assert made[0].calls == ["unwrap", "unwrap"]
        await vault.probe_keys()
        assert made[0].calls == ["unwrap"] * 4
        disable_key(place.file, "one")
        with pytest.raises(KeyDenied):
            await vault.probe_keys()
        await vault.close()
        await store.close()


async def test_a_probe_sees_that_somebody_locked(place: Customer) -> None:
    async with place.administration() as administration, place.vault() as vault:
        await vault.probe_keys()
        await administration.lock(ENVIRONMENT)
        with pytest.raises(EnvironmentLocked):
            await vault.probe_keys()


async def test_opening_asks_the_key_store_once(place: Customer) -> None:
    async with place.administration() as administration, place.vault() as before:
        await administration.apply("one", ENVIRONMENT)
        await before.reload_keys()
        for number in range(30):
            await before.put_flow(f"flow {number}", {})
        store = await place.store()
        made = counted(store)
        vault = await store.open_vault(ENVIRONMENT)
        assert len(await vault.flows()) == 30
        assert [keys.calls for keys in made] == [["unwrap"]]
        await vault.close()
        await store.close()


async def test_a_key_row_of_no_environment_key_is_tampering_after_two_looks(
    place: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.vault() as vault:
        flow = await vault.put_flow("flow", {})
        (row,) = await vault._backend.keys.newest(Kind.FLOW, [flow.flow_id])

        real = vault._backend.keys.newest

        async def planted(kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
            return [row._replace(key_version=7)] if kind == Kind.FLOW else await real(kind, scopes)

        monkeypatch.setattr(vault._backend.keys, "newest", planted)
        with pytest.raises(IntegrityError, match="does not have"):
            await vault.version(flow.flow_id, 1)
