"""kill -9 while an environment is reset: the same command again does the rest, and nothing of before is left."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, Customer, customer
from key_changes import fill, filled, same_as_ever
from key_deaths import die_at_commit, forked
from sealflow.storage import create_backup, keys_file, reset_environment, verify_environment


async def covered(folder: Path) -> None:
    """An environment under a policy, with one of everything, runs in flight, and a backup."""
    place = await customer(folder)
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
        async with place.vault() as vault:
            await fill(vault, flows=1)
        await create_backup(administration, ENVIRONMENT, folder / "backup", expires_days=None)


async def reset(place: Customer, number: int, moment: str) -> None:
    async with place.administration() as administration:
        die_at_commit(number, moment)
        await reset_environment(administration, ENVIRONMENT)


def left(backup: Path) -> list[Path]:
    return [part for part in (backup, keys_file(backup)) if part.exists()]


async def all_gone(place: Customer) -> None:
    """Again, and everything is as in a new environment."""
    async with place.administration() as administration:
        await reset_environment(administration, ENVIRONMENT)
        assert await administration.policies.assignments() == {}
        assert await administration.reconcile() == []
        assert not left(place.folder / "backup")
        async for _ in administration.audit.acts():
            pass
        assert (await verify_environment(administration.store, ENVIRONMENT)).findings == []
    async with place.vault() as vault:
        assert await vault.flows() == []
        assert await vault.runs() == []
        assert vault.keys.cover is None
        await filled(vault)
    await same_as_ever(place)


@pytest.mark.parametrize(
    ("number", "moment"), [(1, "after"), (4, "before"), (7, "after"), (8, "after"), (9, "after"), (10, "before")]
)
def test_killed_while_it_is_reset(tmp_path: Path, number: int, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At one of the commits: of the audit, of the empty store, of the assignment, of the backup, of the audit."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # who is killed leaves its temporary folder
    assert not forked(partial(covered, tmp_path))
    place = Customer(tmp_path)
    assert forked(partial(reset, place, number, moment))
    assert not forked(partial(all_gone, place))
