"""Bundles (`runs export`) that are altered, exchanged, assembled from parts, or opened in another place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attacked_store import AttackedStore
from customer_keys import ENVIRONMENT, customer
from sealflow.storage import (
    EnvironmentLocked,
    IntegrityError,
    NotARecord,
    StorageError,
    Vault,
    WrongKey,
    export_bundle,
    move_environment,
    open_bundle,
)
from sealflow.storage.format.codec import pack, unpack
from sealflow.storage.format.envelope import lp
from sealflow.storage.maintenance.bundle import MAGIC, _parts

VALUE = {"run": ["canary-4711" * 9000]}
"""Two chunks."""
OTHER = {"run": ["another-run" * 9000]}


@pytest.fixture
async def attacked(tmp_path: Path, database: str | None) -> AttackedStore:
    """An environment of its own: copies of one would meet in the database that one of them moves to."""
    return AttackedStore(await customer(tmp_path, database), database)


@pytest.fixture
async def vault(attacked: AttackedStore) -> AsyncIterator[Vault]:
    async with attacked.keys.vault() as vault:
        yield vault


async def refused(vault: Vault, data: bytes) -> StorageError:
    with pytest.raises((IntegrityError, WrongKey)) as caught:
        await open_bundle(vault, data)
    assert "canary" not in caught.value.message
    return caught.value


async def test_a_bundle_with_a_changed_byte(vault: Vault) -> None:
    """The attacker changes any byte of a bundle. It does not open."""
    bundle = await export_bundle(vault, VALUE)
    assert await open_bundle(vault, bundle) == VALUE
    for at in {*range(320), *range(320, len(bundle), 9973), len(bundle) - 1}:
        await refused(vault, bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :])


async def test_a_bundle_that_is_cut_or_put_together(vault: Vault) -> None:
    """The attacker cuts a bundle, or omits, repeats or exchanges its parts, or inserts parts of another bundle of the
    environment. It does not open.
    """
    first, second = (
        _parts((await export_bundle(vault, VALUE))[len(MAGIC) :]),
        _parts((await export_bundle(vault, OTHER))[len(MAGIC) :]),
    )
    header, one, two = first
    for parts in (
        [header, one], [header, two], [header, two, one], [header, one, one, two], [header, one, two, two],
        [header, one, second[2]], [header, *second[1:]], [second[0], one, two], [header, header, one, two],
    ):  # fmt: skip
        await refused(vault, MAGIC + lp(*parts))
    whole = MAGIC + lp(*first)
    for length in (0, 5, len(MAGIC), len(MAGIC) + 3, len(whole) // 2, len(whole) - 1):
        await refused(vault, whole[:length])
    await refused(vault, whole + lp(b""))
    await refused(vault, whole + b"x")


async def test_a_bundle_of_another_environment(attacked: AttackedStore, vault: Vault) -> None:
    """The attacker opens a bundle in another environment, unchanged and with that environment's id in its header.
    Neither opens.
    """
    store = await attacked.keys.store()
    try:
        await store.create_environment("other")
    finally:
        await store.close()
    async with attacked.keys.vault("other") as other:
        bundle = await export_bundle(vault, VALUE)
        assert isinstance(await refused(other, bundle), WrongKey)
        header, *chunks = _parts(bundle[len(MAGIC) :])
        header = pack([other.environment.id, *unpack(header)[1:]])
        assert isinstance(await refused(other, MAGIC + lp(header, *chunks)), IntegrityError)


async def test_a_bundle_with_a_key_of_its_own(vault: Vault) -> None:
    """The attacker can write the database, has no key, and creates a bundle with a new scope key. It does not open,
    because the environment's key did not wrap that key.
    """
    header, *chunks = _parts((await export_bundle(vault, VALUE))[len(MAGIC) :])
    fields = unpack(header)
    for at in range(1, len(fields)):
        if isinstance(fields[at], bytes):
            forged = [*fields]
            forged[at] = bytes(len(fields[at]))
            await refused(vault, MAGIC + lp(pack(forged), *chunks))
        elif isinstance(fields[at], int):
            for wrong in (0, 1, 2, 3, 2**40, -1):
                if wrong != fields[at]:
                    await refused(vault, MAGIC + lp(pack([*fields[:at], wrong, *fields[at + 1 :]]), *chunks))


async def test_a_bundle_of_before_a_move(attacked: AttackedStore, postgres: object) -> None:
    """The attacker opens a bundle that was exported before the environment moved to another database. It does not open,
    because its key was removed with the keys of the earlier place.
    """
    from postgres_server import shared_server

    async with attacked.keys.vault() as vault:
        bundle = await export_bundle(vault, VALUE)
    async with attacked.keys.administration() as acts:
        await move_environment(acts, ENVIRONMENT, shared_server().url if attacked.url is None else None)
    async with attacked.keys.vault() as vault:
        error = await refused(vault, bundle)
        assert isinstance(error, NotARecord)
        assert "no longer has" in error.message


async def test_a_bundle_while_the_environment_is_locked(attacked: AttackedStore, vault: Vault) -> None:
    """A program keeps an open environment and opens a bundle after the environment was locked. It does not open, and no
    bundle is exported.
    """
    bundle = await export_bundle(vault, VALUE)
    async with attacked.keys.administration() as administration:
        await administration.lock(ENVIRONMENT)
    vault._keyring.forget()  # as the watch of the keys does
    with pytest.raises(EnvironmentLocked):
        await open_bundle(vault, bundle)
    with pytest.raises(EnvironmentLocked):
        await export_bundle(vault, VALUE)
