"""The sealed record and the keys: every change is refused, and keys do not leak by accident."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import REFUSED_ROW
from sealflow.storage import IntegrityError, NotARecord, SealLimit, StaleKeys, WrongKey
from sealflow.storage.format import envelope
from sealflow.storage.format.purposes import Domain, Index, Kind, Purpose, Role
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.port import EnvironmentKeyRow, KeyFacts, Wrapped

ENVIRONMENT = b"E" * 16
RUN = b"R" * 16


def scope_key(seed: int = 1, environment: bytes = ENVIRONMENT, kind: int = Kind.RUN, scope: bytes = RUN) -> Any:
    return envelope.ScopeKey(bytes([seed]) * 32, environment, kind, scope)


def test_a_record_adds_64_bytes() -> None:
    key = scope_key()
    assert len(key.seal(key.place(Purpose.PAGE, RUN), 1, 0, b"x" * 10)) == 10 + envelope.OVERHEAD == 74


def test_every_flipped_bit_is_refused() -> None:
    key = scope_key()
    place = key.place(Purpose.PAGE, RUN)
    record = key.seal(place, 1, 0, b"a secret of some length")
    for bit in range(len(record) * 8):
        changed = bytearray(record)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotARecord):
            key.open(place, 1, 0, bytes(changed))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_other_bytes_are_one_error(data: bytes) -> None:
    key = scope_key()
    for record in (data, bytes((0x57, 1, 1, 1)) + key.kid + data):
        with pytest.raises(NotARecord):
            key.open(key.place(Purpose.PAGE, RUN), 1, 0, record)


def test_every_length_is_refused() -> None:
    key = scope_key()
    place = key.place(Purpose.PAGE, RUN)
    record = key.seal(place, 1, 0, b"abc")
    for length in range(len(record)):
        with pytest.raises(NotARecord):
            key.open(place, 1, 0, record[:length])
    with pytest.raises(NotARecord):
        key.open(place, 1, 0, record + b"\0")


def test_a_record_opens_in_its_own_place_only() -> None:
    key = scope_key()
    record = key.seal(key.place(Purpose.PAGE, RUN), 1, 0, b"abc")
    elsewhere = [
        (key, key.place(Purpose.HEAD, RUN), 1, 0),
        (key, key.place(Purpose.PAGE, b"S" * 16), 1, 0),
        (key, key.place(Purpose.PAGE, RUN), 2, 0),
        (key, key.place(Purpose.PAGE, RUN), 1, 1),
    ]
    for other in (
        scope_key(2),
        scope_key(environment=b"F" * 16),
        scope_key(kind=Kind.FLOW),
        scope_key(scope=b"S" * 16),
    ):
        elsewhere.append((other, other.place(Purpose.PAGE, RUN), 1, 0))
    for opener, place, seq, version in elsewhere:
        with pytest.raises(NotARecord):
            opener.open(place, seq, version, record)


def test_the_same_plaintext_never_looks_the_same() -> None:
    key = scope_key()
    place = key.place(Purpose.PAGE, RUN)
    assert len({key.seal(place, 1, 0, b"abc") for _ in range(100)}) == 100


def test_a_key_seals_no_more_than_it_may() -> None:
    key = scope_key()
    key.seals = envelope.MAX_SEALS
    with pytest.raises(SealLimit):
        key.seal(key.place(Purpose.PAGE, RUN), 1, 0, b"")


@pytest.mark.parametrize(("seq", "row_version"), [(0, envelope.MAX_SEALS), (envelope.MAX_SEALS, 0)])
def test_the_count_of_a_long_lived_key_outlives_the_process(seq: int, row_version: int) -> None:
    key = scope_key()  # as a new process has it
    with pytest.raises(SealLimit):
        key.seal(key.place(Purpose.TRIGGER, RUN), seq, row_version, b"")


def test_a_link_binds_what_came_before() -> None:
    key = scope_key()
    record = key.seal(key.place(Purpose.PAGE, RUN), 1, 0, b"abc")
    link = key.link(envelope.FIRST_LINK, 1, record)
    assert link == key.link(envelope.FIRST_LINK, 1, record)
    assert link != key.link(link, 1, record)
    assert link != key.link(envelope.FIRST_LINK, 2, record)
    assert link != scope_key(2).link(envelope.FIRST_LINK, 1, record)


@pytest.mark.parametrize(
    "key",
    [
        scope_key(),
        envelope.EnvironmentKey(bytes(32), ENVIRONMENT, Role.ENVIRONMENT, 1, 1),
        envelope.KeyEncryptionKey(bytes(32)),
    ],
    ids=lambda key: type(key).__name__,
)
def test_keys_are_not_shown_pickled_or_copied(key: Any) -> None:
    assert repr(key) == f"<{type(key).__name__}>"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"keys are not (serialised|copied)"):
            leak(key)


def test_length_prefixes_are_unambiguous() -> None:
    assert envelope.lp(b"ab", b"c") != envelope.lp(b"a", b"bc")


def test_a_key_row_opens_for_its_own_scope_only() -> None:
    key = envelope.EnvironmentKey(bytes(32), ENVIRONMENT, Role.ENVIRONMENT, 1, 1)
    scope, wrapped = key.new_scope(Kind.RUN, RUN)
    assert key.open_scope(Kind.RUN, RUN, 1, scope.kid, wrapped).kid == scope.kid
    for kind, scope_id, generation, kid, data in [
        (Kind.FLOW, RUN, 1, scope.kid, wrapped),
        (Kind.RUN, b"S" * 16, 1, scope.kid, wrapped),
        (Kind.RUN, RUN, 2, scope.kid, wrapped),
        (Kind.RUN, RUN, -1, scope.kid, wrapped),
        (Kind.RUN, RUN, 1, bytes(32), wrapped),
        (Kind.RUN, RUN, 1, scope.kid, wrapped[:-1]),
        (Kind.RUN, RUN, 1, scope.kid, b""),
    ]:
        with pytest.raises(IntegrityError, match="key row was altered or moved"):
            key.open_scope(kind, scope_id, generation, kid, data)
    # The same secret as an environment key of another domain, version or role.
    for role, domain, version in [(Role.ENVIRONMENT, 2, 1), (Role.ENVIRONMENT, 1, 2)]:
        with pytest.raises(IntegrityError, match="key row was altered or moved"):
            envelope.EnvironmentKey(bytes(32), ENVIRONMENT, role, domain, version).open_scope(
                Kind.RUN, RUN, 1, scope.kid, wrapped
            )
    with pytest.raises(IntegrityError, match="key row was altered or moved"):
        envelope.EnvironmentKey(b"1" * 32, ENVIRONMENT, Role.ENVIRONMENT, 1, 1).open_scope(
            Kind.RUN, RUN, 1, scope.kid, wrapped
        )


def test_blind_indexes_differ_by_column_and_environment_key() -> None:
    key = envelope.EnvironmentKey(bytes(32), ENVIRONMENT, Role.ENVIRONMENT, 1, 1)
    other = envelope.EnvironmentKey(b"1" * 32, ENVIRONMENT, Role.ENVIRONMENT, 1, 1)
    indexes = {
        key.index(Index.FLOW_NAME, b"a"),
        key.index(Index.CONNECTION_NAME, b"a"),
        key.index(Index.FLOW_NAME, b"b"),
        key.index(Index.FLOW_NAME, b"a", version=2),
        other.index(Index.FLOW_NAME, b"a"),
    }
    assert len(indexes) == 5


class Provider:
    """A key provider in memory."""

    name = "test"
    uri = "test:"

    def __init__(self, key: bytes = b"k" * 32) -> None:
        self.key = envelope.KeyEncryptionKey(key)

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        return Wrapped(self.key.kid, self.key.wrap(context, payload))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        if wrapped.kek != self.key.kid:
            raise WrongKey("another key")
        return self.key.unwrap(context, wrapped.data)

    async def facts(self) -> KeyFacts:
        return KeyFacts(self.key.kid)

    async def aclose(self) -> None:
        pass


async def test_the_keyring_opens_what_it_made() -> None:
    keyring, rows = await Keyring.create(ENVIRONMENT, Role.ENVIRONMENT, Provider(), 5)
    scope, row = keyring.new_scope(Kind.RUN, RUN)
    again = await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {Domain.SERVICE: Provider()}, rows)
    assert again.open_scope(row).kid == scope.kid
    assert again.name_index(Index.FLOW_NAME, "Straße") == keyring.name_index(Index.FLOW_NAME, "STRASSE")
    for field in ("generation", "domain", "key_version", "kind"):
        with pytest.raises((IntegrityError, StaleKeys), match=r"key row (was altered|names an environment key)"):
            again.open_scope(row._replace(**{field: getattr(row, field) + 1}))
    with pytest.raises(IntegrityError, match="wrapped environment key was altered"):
        await Keyring.open(ENVIRONMENT, Role.CONTROL, {Domain.SERVICE: Provider()}, rows)


@pytest.mark.parametrize("field", ["kid", "wrapped", "policy_epoch", "mac", "domain", "version", "created_ms"])
async def test_an_altered_environment_key_row_is_refused(field: str) -> None:
    _, (row,) = await Keyring.create(ENVIRONMENT, Role.ENVIRONMENT, Provider(), 5)
    value: Any = getattr(row, field)
    changed: Any = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    altered = row._replace(**{field: changed})
    with pytest.raises(IntegrityError, match=REFUSED_ROW):
        await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {Domain.SERVICE: Provider()}, [altered])


async def test_another_environments_key_row_is_refused() -> None:
    _, rows = await Keyring.create(b"F" * 16, Role.ENVIRONMENT, Provider(), 5)
    with pytest.raises(IntegrityError, match="wrapped environment key was altered"):
        await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {Domain.SERVICE: Provider()}, rows)
    with pytest.raises(WrongKey):
        await Keyring.open(b"F" * 16, Role.ENVIRONMENT, {Domain.SERVICE: Provider(b"l" * 32)}, rows)


async def test_a_planted_second_version_is_refused() -> None:
    """Whoever can write rows and call the provider, but holds no environment key, cannot add one."""
    _, rows = await Keyring.create(ENVIRONMENT, Role.ENVIRONMENT, Provider(), 5)
    payload = envelope.environment_key_payload(b"p" * 32, ENVIRONMENT, Role.ENVIRONMENT, Domain.SERVICE, 2)
    planted = envelope.environment_key_of(payload, ENVIRONMENT, Role.ENVIRONMENT, Domain.SERVICE, 2)
    context = envelope.lp(b"environment key", ENVIRONMENT, *map(envelope.number, (2, 1, 2)))
    kek, wrapped = await Provider().wrap(payload, context)
    numbers = tuple(map(envelope.number, range(10)))
    fields = (numbers[2], numbers[1], numbers[2], planted.kid, kek, numbers[0], numbers[6])
    own = planted.certify(b"environment key row", *fields)
    row = EnvironmentKeyRow(1, 2, kek, planted.kid, wrapped, 0, own, own, 6)
    first = (numbers[2], numbers[1], numbers[1], rows[0].kid, kek, numbers[0], numbers[5])
    certified = rows[0]._replace(mac=planted.certify(b"environment key row", *first))
    with pytest.raises(IntegrityError, match="predecessor"):
        await Keyring.open(ENVIRONMENT, Role.ENVIRONMENT, {Domain.SERVICE: Provider()}, [certified, row])
