"""An environment moves from a file into a database, and back: all of it, under fresh keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from key_changes import change, content, fill
from postgres_server import PostgresServer
from sealflow.storage import AlreadyThere, create_backup, move_environment, restore_backup, verify_environment


async def keys(place: Customer) -> set[tuple[int, int, bytes]]:
    async with place.administration() as acts, acts.opened(ENVIRONMENT) as opened:
        return {(row.domain, row.version, row.kid) for row in opened.keyring.rows}


@pytest.mark.parametrize("covered", [True, False])
async def test_there_and_back(tmp_path: Path, postgres: PostgresServer, covered: bool) -> None:
    place = await customer(tmp_path)
    async with place.vault() as vault:
        going_on = await fill(vault)
    if covered:  # what was there stays the service's, what comes is the customer's
        async with place.administration() as acts:
            await acts.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            flow = (await vault.put_flow("new", {"v": 1})).flow_id
            await vault.put_flow("new", {"v": 2})
            log = vault.create_run(b"n" * 16, flow, 2, 5, {"s": "new"})
            log.append([["n", "x"]])
            await vault.flush()
        going_on.append(b"n" * 16)
    async with place.vault() as vault:
        before = await content(vault)
        domains = {flow.name: flow.domain for flow in await vault.flows()}
    for url in (postgres.url, None):
        had = await keys(place)
        async with place.administration() as acts:
            told: dict[str, int] = {}
            moved = await move_environment(acts, ENVIRONMENT, url, progress=told.__setitem__)
            assert (moved.environment.database, moved.environment.other) == (url, None)
            assert (moved.flows, moved.in_flight, moved.left) == (len(before["flows"]), len(going_on), None)
            assert [*told] == [
                "fence", "verify the source", "copy", "seal by fresh keys", "write", "verify the target", "switch",
            ]  # fmt: skip
            assert told["verify the target"] > 30
            assert (await verify_environment(acts.store, ENVIRONMENT)).findings == []
            assert await acts.reconcile() == []
            assert (await acts.policies.assignments() != {}) == covered
            with pytest.raises(AlreadyThere):
                await move_environment(acts, ENVIRONMENT, url)
        assert not had & await keys(place)
        assert [*place.home.glob("environments/*/store.db")] == [] if url else [place.database()]
        async with place.vault() as vault:
            assert await content(vault) == before
            assert {flow.name: flow.domain for flow in await vault.flows()} == domains
            assert set(await vault.unfinished()) == set(going_on)
            assert vault.keys.cover is not None if covered else vault.keys.cover is None
    async with place.vault() as vault:  # runs go on where they stood, and what is new is written
        for run_id in going_on:
            log = await vault.open_run(run_id, from_snapshot=True)
            log.append([["later"]], status=2, ended_ms=9)
        await vault.flush()
        assert await vault.unfinished() == []
        await vault.put_flow("flow 0", {"v": 3})


async def test_backups_and_anchors_of_before(tmp_path: Path, postgres: PostgresServer) -> None:
    """An anchor holds at the new place, and a backup goes back there."""
    place = await customer(tmp_path)
    async with place.administration() as acts:
        await acts.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await fill(vault)
            before = await content(vault)
        anchor = (await verify_environment(acts.store, ENVIRONMENT, new_anchor=True)).anchor
        assert anchor is not None
        await create_backup(acts, ENVIRONMENT, tmp_path / "backup", expires_days=30)
        moved = await move_environment(acts, ENVIRONMENT, postgres.url)
        assert moved.backups_until_ms is not None
        assert (await verify_environment(acts.store, ENVIRONMENT, anchor=anchor)).findings == []
        async with place.vault() as vault:
            await vault.put_flow("later", {"v": 1})
        await restore_backup(acts, tmp_path / "backup")
        assert (await acts.store.environment(ENVIRONMENT)).database == postgres.url
        assert (await verify_environment(acts.store, ENVIRONMENT)).findings == []
        async with place.vault() as vault:
            assert await content(vault) == before
        await move_environment(acts, ENVIRONMENT, None)  # with keys of a lower number than they were
        async with place.vault() as vault:
            assert await content(vault) == before


async def test_what_waits_twice_after_a_rotation_moves_once(tmp_path: Path, postgres: PostgresServer) -> None:
    """Repetitions are found by an index of the live key; after a rotation, they wait beside what they repeat."""
    place = await customer(tmp_path)
    async with place.vault() as vault:
        await fill(vault, 1)
        flow = (await vault.flow("flow 0")).flow_id
        await change(place, "data keys")
        await vault.reload_keys()
        await vault.add_message(flow, "p", {"m": "again"}, dedupe=b"d")
        await vault.add_message(flow, "p", {"m": "other"}, dedupe=b"e")
        await vault.inbox_add(1, {"q": "again"}, dedupe=b"q")
        assert (len(await vault.messages(flow)), len(await vault.inbox())) == (3, 2)
    async with place.administration() as acts:
        await move_environment(acts, ENVIRONMENT, postgres.url)
    async with place.vault() as vault:
        assert [message.value for message in await vault.messages(flow)] == [{"m": 0}, {"m": "other"}]
        assert [item.value for item in await vault.inbox()] == [{"q": 1}]


async def test_earlier_keys_are_in_no_file_and_no_table(tmp_path: Path, postgres: PostgresServer) -> None:
    """Of the key rows of before, no byte is at either place."""
    place = await customer(tmp_path)
    async with place.vault() as vault:
        await fill(vault)
    for url in (postgres.url, None):
        async with place.administration() as acts:
            async with acts.opened(ENVIRONMENT) as opened:
                backend = opened.backend
                rows = opened.keyring.rows
                wrapped = [row.wrapped for row in rows]
                for key in rows:
                    wrapped += [
                        row.wrapped for _, row in await backend.keys.wrapped_by(key.domain, key.version, 10_000)
                    ]
            assert len(wrapped) > 15
            await move_environment(acts, ENVIRONMENT, url)
            async with acts.opened(ENVIRONMENT) as opened:
                await opened.backend.backups.copy_to(
                    tmp_path / f"{url is None}", with_keys=tmp_path / f"{url is None}.keys"
                )
        assert holding(tmp_path, wrapped) == []

        (tmp_path / f"{url is None}.keys").unlink()  # those are the earlier ones next time


def holding(folder: Path, parts: list[bytes]) -> list[Path]:
    """The files with any of these bytes."""
    files = [(each, each.read_bytes()) for each in folder.rglob("*") if each.is_file()]
    return [file for file, data in files if any(part in data for part in parts)]
