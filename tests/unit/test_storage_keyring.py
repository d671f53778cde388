"""The keys of an environment in memory: which there are, what certifies them, and what opens when one is missing."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from refusals import REFUSED_ROW
from sealflow.storage import EnvironmentLocked, IntegrityError, StaleKeys, WrongKey
from sealflow.storage.format.envelope import KeyEncryptionKey, random_key
from sealflow.storage.format.purposes import Domain, Index, Kind, Purpose, Role
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.port import EnvironmentKeyRow, KeyFacts, Wrapped

ENVIRONMENT = os.urandom(16)


class Provider:
    """A key that is held in memory."""

    name = "memory"
    uri = "memory:"

    def __init__(self) -> None:
        self._key = KeyEncryptionKey(random_key())

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        return Wrapped(self._key.kid, self._key.wrap(context, payload))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        if wrapped.kek != self._key.kid:
            raise WrongKey("Another key wrapped this.")
        return self._key.unwrap(context, wrapped.data)

    async def facts(self) -> KeyFacts:
        return KeyFacts(self._key.kid)

    async def aclose(self) -> None:
        """There is nothing to close."""


class Keys:
    """The service's keys 1 and 2, and the customer's 1, 2 and 3."""

    def __init__(self) -> None:
        self.service, self.customer = Provider(), Provider()

    async def made(self) -> Keyring:
        keyring, _ = await Keyring.create(ENVIRONMENT, Role.ENVIRONMENT, self.service, 5)
        for domain in (2, 2, 1, 2):
            provider = self.service if domain == Domain.SERVICE else self.customer
            keyring, _ = await keyring.with_new_key(domain, provider, 5, policy_epoch=1)
        return keyring

    async def opened(self, rows: list[EnvironmentKeyRow], *, locked: bool = False) -> Keyring:
        providers = {1: self.service} if locked else {1: self.service, 2: self.customer}
        return await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, providers, rows)


@pytest.fixture
def keys() -> Keys:
    return Keys()


async def test_what_was_made_is_opened_again(keys: Keys) -> None:
    made = await keys.made()
    assert [(row.domain, row.version) for row in made.rows] == [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    opened = await keys.opened(made.rows)
    assert (opened.live_version(1), opened.live_version(2)) == (2, 3)
    key, row = made.new_scope(Kind.RUN, b"r" * 16, 2)
    assert (row.domain, row.key_version) == (2, 3)
    assert opened.open_scope(row).kid == key.kid
    assert opened.name_index(Index.FLOW_NAME, "Name", 2) in made.name_indexes(Index.FLOW_NAME, "NAME")


async def test_a_key_may_go_and_the_next_one_is_certified_without_it(keys: Keys) -> None:
    made = await keys.made()
    for place in ((2, 1), (1, 1), (2, 2)):
        made = made.without(*place)
        assert (await keys.opened(made.rows)).rows == made.rows
    assert [row.predecessor_mac for row in made.rows] == [None, None]
    made, row = await made.with_new_key(2, keys.customer, 6, policy_epoch=2)
    assert row.version == 4
    assert row.predecessor_mac is not None
    await keys.opened(made.rows)


CHANGES: dict[str, Callable[[list[EnvironmentKeyRow]], list[EnvironmentKeyRow]]] = {
    "a key in the middle is missing": lambda rows: [row for row in rows if (row.domain, row.version) != (2, 2)],
    "the first one is missing": lambda rows: [row for row in rows if (row.domain, row.version) != (2, 1)],
    "a predecessor's word is missing": lambda rows: [*rows[:-1], rows[-1]._replace(predecessor_mac=None)],
    "the word of another predecessor": lambda rows: [*rows[:-1], rows[-1]._replace(predecessor_mac=rows[-2].mac)],
    "a first key with a predecessor": lambda rows: [*rows[:2], rows[2]._replace(predecessor_mac=bytes(32)), *rows[3:]],
    "another domain": lambda rows: [*rows[:-1], rows[-1]._replace(domain=3, predecessor_mac=None)],
    "another epoch": lambda rows: [*rows[:-1], rows[-1]._replace(policy_epoch=7)],
    "the service's keys are missing": lambda rows: [row for row in rows if row.domain == 2],
    "the service's latest key is missing": lambda rows: [row for row in rows if (row.domain, row.version) != (1, 2)],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("locked", [False, True])
async def test_rows_that_were_changed_are_refused(keys: Keys, change: str, locked: bool) -> None:
    rows = CHANGES[change]((await keys.made()).rows)
    if locked and "predecessor" in change and "first" not in change and "missing" not in change:
        return  # the customer's keys themselves say that, and they are not there
    with pytest.raises((IntegrityError, WrongKey), match=REFUSED_ROW):
        await keys.opened(rows, locked=locked)


async def test_another_store_and_another_role_are_refused(keys: Keys) -> None:
    rows = (await keys.made()).rows
    for environment, role in ((os.urandom(16), Role.ENVIRONMENT), (ENVIRONMENT, Role.CONTROL)):
        with pytest.raises(IntegrityError, match="wrapped environment key was altered"):
            await Keyring.open(environment, role, {1: keys.service, 2: keys.customer}, rows)
    with pytest.raises(WrongKey):
        await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {1: keys.service, 2: keys.service}, rows)
    with pytest.raises(IntegrityError, match="service has no key for this store"):
        await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {2: keys.customer}, rows)


async def test_a_locked_keyring_has_the_services_keys_only(keys: Keys) -> None:
    made = await keys.made()
    _, row = made.new_scope(Kind.RUN, b"r" * 16, 2)
    _, of_service = made.new_scope(Kind.KEY_STATE, b"s" * 16)
    locked = await keys.opened(made.rows, locked=True)
    assert locked.locked
    assert locked.open_scope(of_service).domain == Domain.SERVICE
    with pytest.raises(EnvironmentLocked):
        locked.open_scope(row)
    with pytest.raises(EnvironmentLocked):
        locked.new_scope(Kind.RUN, b"r" * 16, 2)
    with pytest.raises(EnvironmentLocked):
        locked.rewrap_scope(row, Domain.SERVICE)
    with pytest.raises(EnvironmentLocked):
        await locked.rewrapped(2, keys.service, policy_epoch=2)
    with pytest.raises(EnvironmentLocked):
        await locked.with_new_key(2, keys.customer, 5, policy_epoch=2)


async def test_keys_given_back_to_the_service_are_the_same_keys(keys: Keys) -> None:
    made = await keys.made()
    key, row = made.new_scope(Kind.RUN, b"r" * 16, 2)
    back = await made.rewrapped(2, keys.service, policy_epoch=2)
    opened = await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {1: keys.service, 2: keys.service}, back.rows)
    assert opened.open_scope(row).kid == key.kid
    assert [row.policy_epoch for row in back.rows] == [0, 1, 2, 2, 2]


async def test_a_scope_key_is_wrapped_anew(keys: Keys) -> None:
    made = await keys.made()
    key, row = made.new_scope(Kind.RUN, b"r" * 16)
    moved = made.rewrap_scope(row, 2)
    assert (moved.domain, moved.key_version, moved.kid) == (2, 3, row.kid)
    again = made.open_scope(moved)
    record = key.seal(key.place(Purpose.PAGE, b"r" * 16), 1, 0, b"text")
    assert again.open(again.place(Purpose.PAGE, b"r" * 16), 1, 0, record) == b"text"
    assert again.domain == 2
    with pytest.raises(IntegrityError, match="key row was altered or moved"):
        made.rewrap_scope(row._replace(scope=b"x" * 16), 2)
    with pytest.raises(StaleKeys):
        made.rewrap_scope(row._replace(key_version=9), 2)


async def test_a_child_is_never_less_protected_than_its_parent(keys: Keys) -> None:
    keyring = await keys.made()
    keyring.covered = frozenset({2})
    cases = {(1, None): 1, (2, None): 2, (1, 1): 1, (1, 2): 2, (2, 1): 2, (2, 2): 2}
    assert {case: keyring.domain_of_child(*case) for case in cases} == cases


async def test_nothing_is_left_after_forgetting(keys: Keys) -> None:
    keyring = await keys.made()
    key, row = keyring.new_scope(Kind.RUN, b"r" * 16, 2)
    keyring.forget()
    for use in (
        lambda: key.seal(b"", 1, 0, b""),
        lambda: key.link(bytes(32), 1, bytes(100)),
        lambda: keyring.open_scope(row),
        lambda: keyring.new_scope(Kind.RUN, b"r" * 16),
        lambda: keyring.name_index(Index.FLOW_NAME, "name"),
        lambda: keyring.certify(b"label"),
    ):
        with pytest.raises(EnvironmentLocked):
            use()
    assert keyring.name_indexes(Index.FLOW_NAME, "name") == []
