"""What key stores were asked is on record: each call, probes in sums, and no byte of a key."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from customer_keys import ENVIRONMENT, Customer, copied_customer
from sealflow.storage import EnvironmentLocked, KeyDenied, KeyMissing, KeyUnavailable, StoreFull
from sealflow.storage.keys.provider_calls import CALLS, SUMMARY_MS, KeyCalls
from sealflow.storage.keys.providers.file import disable_key
from sealflow.storage.policies.audit import Act
from sealflow.storage.port import KeyFacts, Wrapped


@pytest.fixture
async def place(tmp_path: Path) -> Customer:
    return await copied_customer(tmp_path)


async def calls(place: Customer, *, service: bool = False) -> list[Act]:
    """What the customer's key store was asked, or the service's."""
    async with place.administration() as administration:
        told = [act async for act in administration.audit.acts() if act.kind in CALLS]
    return [act for act in told if (act.detail["key"] == "service:") == service]


async def test_each_wrap_and_unwrap_is_on_record(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        await administration.rotate(ENVIRONMENT, data_keys=True)
    async with place.vault():
        pass
    uri = place.uri("one")
    told = await calls(place)
    assert [(act.actor, act.kind, act.subject, act.status, act.detail) for act in told] == [
        ("ada", "key wrap", ENVIRONMENT, "Succeeded", {"key": uri, "calls": 1}),
        ("ada", "key unwrap", ENVIRONMENT, "Succeeded", {"key": uri, "calls": 1}),
        ("ada", "key wrap", ENVIRONMENT, "Succeeded", {"key": uri, "calls": 1}),
        ("sealflow", "key unwrap", ENVIRONMENT, "Succeeded", {"key": uri, "calls": 2}),
    ]
    async with place.vault() as vault:
        held = [key.payload() for key in vault._keyring._keys.values()] + [row.wrapped for row in vault._keyring.rows]
    assert not any(
        str(secret)[2:-1] in str(act.detail) or secret.hex() in str(act.detail) for secret in held for act in told
    )


async def test_what_the_services_keystore_is_asked_is_on_record(place: Customer) -> None:
    before = await calls(place, service=True)
    assert [(act.actor, act.kind, act.status, act.detail["calls"]) for act in before] == [
        ("sealflow", "key wrap", "Succeeded", 1),  # the environment was made
    ]
    async with place.vault():
        pass
    async with place.administration() as administration:
        await administration.rotate(ENVIRONMENT)
    told = (await calls(place, service=True))[1:]
    assert [(act.actor, act.kind, act.subject, act.status, act.detail["calls"]) for act in told] == [
        ("sealflow", "key unwrap", ENVIRONMENT, "Succeeded", 1),
        ("ada", "key unwrap", ENVIRONMENT, "Succeeded", 1),
        ("ada", "key wrap", ENVIRONMENT, "Succeeded", 1),
    ]


async def test_a_key_that_the_services_keystore_lacks_is_on_record(place: Customer) -> None:
    document = json.loads(place.keystore.read_text())
    async with place.administration() as administration:
        environment = (await administration.store.environment(ENVIRONMENT)).id.hex()
    del document["keys"][environment]
    place.keystore.write_text(json.dumps(document))
    with pytest.raises(KeyMissing):
        async with place.vault():
            pass
    last = (await calls(place, service=True))[-1]
    assert (last.kind, last.status, last.detail["code"]) == ("key unwrap", "Failed", "KeyMissing")


async def test_looking_at_a_locked_environment_again_and_again_is_a_record_an_hour(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.lock(ENVIRONMENT)
    looks = 50
    store = await place.store()
    try:
        for _ in range(looks):
            with pytest.raises(EnvironmentLocked):
                await store.open_vault(ENVIRONMENT)
    finally:
        await store.close()
    told = [act.detail["calls"] for act in await calls(place, service=True) if act.actor == "sealflow"]
    assert told == [1, 1, looks - 1]  # it was made, it was looked at, and the rest at the end


async def test_a_refusal_is_on_record(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    disable_key(place.file, "one")
    with pytest.raises(KeyDenied):
        async with place.vault():
            pass
    last = (await calls(place))[-1]
    assert (last.kind, last.status) == ("key unwrap", "Failed")
    assert last.detail == {"key": place.uri("one"), "calls": 1, "code": "KeyDenied"}


async def test_probes_are_on_record_when_the_answer_changes_and_at_the_end(place: Customer) -> None:
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    async with place.vault() as vault:
        for _ in range(3):
            await vault.probe_keys()
        await vault.tell_key_calls()
        assert [act.kind for act in await calls(place)] == ["key wrap", "key unwrap"]  # nothing has changed
        disable_key(place.file, "one")
        for _ in range(2):
            with pytest.raises(KeyDenied):
                await vault.probe_keys()
        await vault.tell_key_calls()
        given, denied = [act for act in await calls(place) if act.kind == "key probe"]
        assert (given.status, given.detail["calls"]) == ("Succeeded", 3)
        assert (denied.status, denied.detail["calls"], denied.detail["code"]) == ("Failed", 1, "KeyDenied")
    last = (await calls(place))[-1]
    assert (last.kind, last.status, last.detail["calls"]) == ("key probe", "Failed", 1)


# --- how many records that are


class Told:
    """Somebody who keeps what is put on record, unless the disk is full."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str | None, dict[str, Any]]] = []
        self.full = False
        self.now = 0

    async def __call__(self, actor: str, kind: str, code: str | None, detail: dict[str, Any]) -> None:
        if self.full:
            raise StoreFull("The disk is full.")
        self.records.append((kind, code, detail))


class Provider:
    name, uri = "x", "x:key"

    def __init__(self) -> None:
        self.out_of_reach = False

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        return Wrapped(b"k", payload)

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        if self.out_of_reach:
            raise KeyUnavailable("No answer.")
        return wrapped.data

    async def facts(self) -> KeyFacts:
        return KeyFacts(b"1")

    async def aclose(self) -> None:
        return None


async def test_a_day_of_probes_is_a_record_an_hour() -> None:
    told, provider = Told(), Provider()
    made = KeyCalls(told, lambda: told.now)
    watched = made.watched(provider)
    await watched.unwrap(Wrapped(b"k", b""), b"")
    await made.tell()
    made.probing(True)
    for _ in range(24 * 12):  # every five minutes
        told.now += 300_000
        await watched.unwrap(Wrapped(b"k", b""), b"")
        await made.tell()
    await made.close()
    probes = [detail for kind, _, detail in told.records if kind == "key probe"]
    assert len(probes) == 24
    assert sum(detail["calls"] for detail in probes) == 24 * 12
    assert [later["since"] - earlier["since"] for earlier, later in pairwise(probes)] == ([SUMMARY_MS] * 23)


async def test_every_change_of_the_answer_is_a_record() -> None:
    told, provider = Told(), Provider()
    made = KeyCalls(told, lambda: told.now)
    watched = made.watched(provider)
    made.probing(True)
    for provider.out_of_reach in (False, True, False, False):
        try:
            await watched.unwrap(Wrapped(b"k", b""), b"")
        except KeyUnavailable:
            pass
    await made.close()
    assert [(code, detail["calls"]) for _, code, detail in told.records] == [
        (None, 1), ("KeyUnavailable", 1), (None, 1), (None, 1),
    ]  # fmt: skip


async def test_what_cannot_be_put_on_record_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told, provider = Told(), Provider()
    made = KeyCalls(told, lambda: told.now)
    told.full = True
    await made.watched(provider).wrap(b"secret", b"")
    await made.tell()
    assert "could not be put on record: StoreFull" in caplog.text
    assert "secret" not in caplog.text
    await made.close()
