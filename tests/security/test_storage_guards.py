"""Rows of runs that are cut, put back or exchanged where one check alone refuses them."""

from __future__ import annotations

import pytest
from attacked_store import AttackedStore
from sealflow.storage import (
    Conflict,
    EnvironmentLocked,
    IntegrityError,
    StoreClosed,
    TamperedHistory,
    Vault,
)
from sealflow.storage.format.envelope import EnvironmentKey, random_key
from sealflow.storage.format.purposes import Domain, Kind, Role
from sealflow.storage.format.stored_values import PACKED

RUN = b"r" * 16


async def _begun(attacked: AttackedStore) -> bytes:
    """A run of three durable pages with a sealed head; the id of its flow."""
    async with attacked.keys.vault() as vault:
        flow = await vault.put_flow("flow", {"v": 1})
        log = vault.create_run(RUN, flow.flow_id, 1, 5, {"s": 1}, status=1)
        for number in range(3):
            log.append([[number, "first"]])
            await vault.flush()
    return flow.flow_id


@pytest.mark.parametrize("cut", [True, False])
async def test_a_history_is_cut_behind_its_snapshot_and_the_head_put_back(attacked: AttackedStore, cut: bool) -> None:
    """The writer keeps the snapshot of a run, puts back its earlier row and deletes the later pages. The run does not
    resume from the snapshot.
    """
    await _begun(attacked)
    copy = await attacked.copy("runs")
    async with attacked.keys.vault() as vault:
        log = await vault.open_run(RUN)
        for number in range(3, 6):
            log.append([[number, "second"]])
            await vault.flush()
        log.snapshot({"state": 1})
        await vault.flush()
    await attacked.put_back(copy)
    if cut:
        await attacked.changed("DELETE FROM pages WHERE seq > 3")

    async def resumed(vault: Vault) -> None:
        log = await vault.open_run(RUN, from_snapshot=True)
        assert (await log.load_snapshot()) == (7, {"state": 1})
        assert await log.record(6) == [5, "second"]

    async with attacked.keys.vault() as vault:
        if cut:
            with pytest.raises(TamperedHistory):
                await vault.open_run(RUN, from_snapshot=True)
        else:  # its pages are all there: a head may be a second old
            await resumed(vault)
    assert (await attacked.verify()).ok == (not cut)


async def test_a_key_counts_its_seals_over_every_opening(attacked: AttackedStore) -> None:
    """No attack: a run is opened repeatedly, also from its snapshot. The count of its key never decreases, so that no
    key exceeds its limit.
    """
    await _begun(attacked)
    made = 0
    for turn in range(3):
        async with attacked.keys.vault() as vault:
            log = await vault.open_run(RUN, from_snapshot=turn > 0)
            assert log._key.seals >= made
            before = log._key.seals
            for number in range(4):
                log.append([[number, "more"]])
                await vault.flush()
            log.snapshot({"turn": turn})
            log.append([], head=True)
            await vault.flush()
            made += log._key.seals - before


async def test_a_closed_log_takes_nothing(attacked: AttackedStore) -> None:
    """No attack: a program still holds the closed log of a run that was handed over. It writes neither records,
    snapshots nor large values.
    """
    await _begun(attacked)
    async with attacked.keys.vault() as vault:
        log = await vault.open_run(RUN)
        log.close()
        assert log.closed
        for use in (lambda: log.append([[1]]), lambda: log.snapshot({}), lambda: log.value_writer(PACKED)):
            with pytest.raises(StoreClosed):
                use()
        await vault.flush()
        assert [page.seq async for page in vault.read_run(RUN)] == [1, 2, 3]


async def test_a_log_whose_commit_failed_is_closed(attacked: AttackedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No attack: a commit of a run fails. Its log is closed and writes nothing more."""
    await _begun(attacked)
    async with attacked.keys.vault() as vault:
        log = await vault.open_run(RUN)

        async def refused(batch: object) -> None:
            raise Conflict("no")

        monkeypatch.setattr(vault._backend, "commit", refused)
        log.append([[1]])
        with pytest.raises(Conflict, match="no"):
            await vault.flush()
        assert log.closed
        with pytest.raises(Conflict, match="no"):
            log.snapshot({})


async def test_the_first_pages_of_a_history_are_gone(attacked: AttackedStore) -> None:
    """The writer deletes the first page of a run. Readers report missing pages before they open any page."""
    await _begun(attacked)
    await attacked.changed("DELETE FROM pages WHERE seq = 1")
    async with attacked.keys.vault() as vault:
        with pytest.raises(TamperedHistory, match="pages are missing or repeated"):
            _ = [page async for page in vault.read_run(RUN)]


async def test_a_flow_is_shredded_while_its_oldest_run_is_in_flight(attacked: AttackedStore) -> None:
    """An administrator shreds a flow whose oldest run has not ended. It is refused before any ended run is deleted."""
    flow = await _begun(attacked)
    async with attacked.keys.vault() as vault:
        for number in range(1, 4):
            log = vault.create_run(bytes([number]) * 16, flow, 1, 5 + number, {}, status=1)
            log.append([], status=2, ended_ms=20)
        await vault.flush()
        with pytest.raises(Conflict, match="1 runs of the flow have not ended"):
            await vault.shred_flow(flow)
        assert len(await vault.runs()) == 4


def test_keys_that_were_forgotten_are_not_in_their_objects() -> None:
    """A program still holds the objects of dropped keys. They contain nothing that can open, find or certify data."""
    key = EnvironmentKey(random_key(), b"e" * 16, Role.ENVIRONMENT, Domain.SERVICE, 1)
    scope, _ = key.new_scope(Kind.RUN, RUN)
    held = [key._key, key._index, key._mac, key._wrap, scope._aead, scope._link_key]
    key.forget()
    left = [key._key, key._index, key._mac, key._wrap, scope._aead, scope._link_key]
    assert not [value for value in left if any(value is each for each in held)]
    for use in (lambda: key.index(1, b"v"), lambda: key.certify(b"label"), key.payload, lambda: key.new_scope(1, RUN)):
        with pytest.raises(EnvironmentLocked):
            use()


def test_a_key_row_names_another_key_than_it_wraps() -> None:
    """A holder of the wrapping key wraps a scope key under the id of another one. The row is refused, because the id is
    compared with the key.
    """
    key = EnvironmentKey(random_key(), b"e" * 16, Role.ENVIRONMENT, Domain.SERVICE, 1)
    honest, _ = key.new_scope(Kind.RUN, RUN)
    nonce, forged = bytes(12), random_key()
    context = key._wrap_context(Kind.RUN, RUN, 1, honest.kid)
    with pytest.raises(IntegrityError, match="belongs to another scope"):
        key.open_scope(Kind.RUN, RUN, 1, honest.kid, nonce + key._wrap.encrypt(nonce, forged, context))


def test_a_record_is_ascribed_to_no_key_but_its_own() -> None:
    """A record names the key that sealed it. No other key accepts it, and no key accepts a truncated record."""
    key = EnvironmentKey(random_key(), b"e" * 16, Role.ENVIRONMENT, Domain.SERVICE, 1)
    (own, _), (other, _) = key.new_scope(Kind.RUN, RUN), key.new_scope(Kind.RUN, RUN)
    record = own.seal(own.place(1, RUN), 1, 0, b"x")
    assert own.names(record)
    assert not other.names(record)
    assert not own.names(record[:20])
