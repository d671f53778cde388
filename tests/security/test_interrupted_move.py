"""A move between databases (`env move`) that is attacked between its steps, at the source, at the target, and where the
environment is listed.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attacked_store import AttackedStore
from customer_keys import ENVIRONMENT, customer
from key_changes import content, fill
from postgres_server import shared_server
from sealflow.storage import StorageError, StoreRolledBack, move_environment
from sealflow.storage.maintenance.relocation import _Move
from thorough import LONG

Attack = Callable[[AttackedStore], Coroutine[Any, Any, object]]


@pytest.fixture
async def attacked(tmp_path: Path, database: str | None) -> AttackedStore:
    """An environment of its own: the places of others are not free."""
    return AttackedStore(await customer(tmp_path, database), database)


def _other(attacked: AttackedStore) -> AttackedStore:
    """The place that the environment moves to."""
    return AttackedStore(attacked.keys, shared_server().url if attacked.url is None else None)


def _now(work: Coroutine[Any, Any, object]) -> None:
    """Do this before the caller goes on, in a thread with a loop of its own."""
    failed: list[BaseException] = []

    def done() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=done)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


async def _moved(attacked: AttackedStore, step: str, attack: Callable[[], Coroutine[Any, Any, object]]) -> str:
    """Move the environment, with the attack at the beginning of a step: `moved`, or the code of the refusal."""
    struck = False

    def progress(what: str, done: int) -> None:
        nonlocal struck
        if what == step and not struck:
            struck = True
            _now(attack())

    async with attacked.keys.administration() as acts:
        try:
            await move_environment(acts, ENVIRONMENT, _other(attacked).url, progress=progress)
        except StorageError as error:
            assert struck
            return error.code
    assert struck
    return "moved"


async def _content(attacked: AttackedStore) -> dict[str, Any]:
    async with attacked.keys.vault() as vault:
        return await content(vault)


CHANGES: dict[str, str] = {
    "a page is deleted": "DELETE FROM pages WHERE seq = (SELECT max(seq) FROM pages)",
    "a page is exchanged": "UPDATE pages SET record = (SELECT max(record) FROM pages WHERE seq > 1) WHERE seq = 1",
    "a run is deleted": "DELETE FROM runs WHERE run_id = (SELECT run_id FROM runs ORDER BY run_id LIMIT 1)",
    "a key is deleted": "DELETE FROM keys WHERE scope = (SELECT run_id FROM runs ORDER BY run_id LIMIT 1)",
    "a message is deleted": "DELETE FROM messages WHERE message_id = (SELECT message_id FROM messages LIMIT 1)",
    "a request is deleted": "DELETE FROM inbox",
    "a trigger is due earlier": "UPDATE triggers SET due_ms = 1 WHERE due_ms = 2",
}  # fmt: skip
_UNNOTICED = ("a message is deleted", "a request is deleted")
"""A queue tells nothing of what it has lost: only the move compares the numbers."""


@pytest.mark.parametrize("change", [*CHANGES] if LONG else ["a page is exchanged", "a run is deleted", *_UNNOTICED[:1]])
async def test_the_source_is_changed_after_it_was_verified(attacked: AttackedStore, change: str) -> None:
    """The writer changes rows of the source between its verification and the copy. The move is refused, because the
    copy differs from what was verified. The environment stays in its place, where `verify` names the row.
    """
    async with attacked.keys.vault() as vault:
        await fill(vault)
    assert await _moved(attacked, "copy", lambda: attacked.execute(CHANGES[change])) != "moved"
    assert (await _place(attacked)) == attacked.url
    if change not in _UNNOTICED:
        assert not (await attacked.verify()).ok


async def test_an_earlier_row_is_put_back_at_the_source(attacked: AttackedStore) -> None:
    """The writer puts back earlier rows of connections, flows and triggers between the verification of the source
    and the copy. The move is refused.
    """
    async with attacked.keys.vault() as vault:
        await fill(vault)
    tables = ("connections", "flows", "triggers") if LONG else ("triggers",)
    copies = {table: await attacked.copy(table) for table in tables}
    async with attacked.keys.vault() as vault:
        flows = await vault.flows()
        for flow in flows:
            await vault.put_flow(flow.name, {"v": 3})
            state = await vault.trigger(flow.flow_id)
            assert state is not None
            vault.set_trigger(flow.flow_id, {"n": "later"}, due_ms=5, expected=state.row_version)
        for oauth in (True, False):
            await vault.delete_connection(f"oauth {oauth}")
            await vault.create_connection(f"oauth {oauth}", "c", oauth=oauth, parameter_set=None, values={"v": 2})
        await vault.flush()
    for table in tables:
        late = await attacked.copy(table)
        copy = copies[table]
        assert await _moved(attacked, "copy", lambda copy=copy: attacked.put_back(copy)) != "moved", table  # type: ignore[misc]
        await attacked.put_back(late)
    assert await _moved(attacked, "copy", lambda: asyncio.sleep(0)) == "moved"


@pytest.mark.parametrize("step", ["verify the target", "switch"])
@pytest.mark.parametrize("change", [*CHANGES] if LONG else ["a page is exchanged"])
async def test_the_target_is_changed_before_the_switch(attacked: AttackedStore, change: str, step: str) -> None:
    """The writer changes rows of the target after they were written. The move is refused if they are not verified yet.
    Otherwise `verify` names the row in the new place.
    """
    async with attacked.keys.vault() as vault:
        await fill(vault)
    before = await _content(attacked)
    target = _other(attacked)
    ended = await _moved(attacked, step, lambda: _at(target, attacked, CHANGES[change]))
    if step == "verify the target":
        assert ended != "moved"
        assert await _place(attacked) == attacked.url
        assert await _content(attacked) == before
    else:
        assert ended == "moved"
        if change not in _UNNOTICED:
            assert not (await target.verify()).ok


async def test_a_store_is_planted_at_the_target(attacked: AttackedStore) -> None:
    """The writer fills the destination of a move with rows before the move writes there. They are replaced, or the move
    is refused.
    """
    async with attacked.keys.vault() as vault:
        await fill(vault)
    before = await _content(attacked)
    target = _other(attacked)
    planted = "INSERT INTO meta (id, environment_id) VALUES (1, ?)"
    await _moved(attacked, "write", lambda: _at(target, attacked, planted, b"e" * 16))
    assert await _content(attacked) == before


async def test_a_move_that_died_and_whose_places_are_exchanged(
    attacked: AttackedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process of a move dies before the switch. The writer changes the source and leaves rows at the target. The
    next attempt ignores these rows and refuses the changed source.
    """
    async with attacked.keys.vault() as vault:
        await fill(vault)
    before = await _content(attacked)

    async def dead(self: _Move) -> None:
        return None

    async def dies() -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(_Move, "_undo", dead)
        with pytest.raises(SystemExit):
            await _moved(attacked, "switch", dies)
    target = _other(attacked)
    await _at(target, attacked, "DELETE FROM pages")
    kept = await attacked.copy("pages")
    await attacked.changed(CHANGES["a page is deleted"])
    assert await _moved(attacked, "verify the source", lambda: asyncio.sleep(0)) != "moved"
    await attacked.put_back(kept)
    assert await _moved(attacked, "copy", lambda: asyncio.sleep(0)) == "moved"
    assert await _content(attacked) == before
    assert (await target.verify()).ok


async def test_the_source_is_put_back_after_the_move(tmp_path: Path, attacked: AttackedStore) -> None:
    """The writer puts back the source from before the move, and the row with the place of the environment. The
    environment does not open there, because its keys were replaced.
    """
    async with attacked.keys.vault() as vault:
        await fill(vault)
    tables = await attacked.copy()
    folder = attacked.keys.database().parent if attacked.url is None else None
    saved = tmp_path / "saved"
    if folder is not None:
        shutil.copytree(folder, saved)
    listed = await attacked.control.copy("environments", "keys")
    assert await _moved(attacked, "copy", lambda: asyncio.sleep(0)) == "moved"
    await attacked.control.put_back({"environments": listed["environments"]})
    if folder is not None:
        shutil.copytree(saved, folder, dirs_exist_ok=True)
    with pytest.raises(StoreRolledBack):
        await (_content(attacked) if folder is not None else _recreated(attacked, tables))


async def _recreated(attacked: AttackedStore, tables: dict[str, Any]) -> None:
    """The schema again, as the writer can make it from a copy of the tables of any other environment."""
    store = await attacked.keys.store()
    try:
        info = await store.environment(ENVIRONMENT)
        await (await store.places.create(info)).close()
    finally:
        await store.close()
    await attacked.put_back(tables)


async def _place(attacked: AttackedStore) -> str | None:
    store = await attacked.keys.store()
    try:
        return (await store.environment(ENVIRONMENT)).database
    finally:
        await store.close()


async def _at(target: AttackedStore, source: AttackedStore, statement: str, *values: Any) -> None:
    """A change at the target, which is not listed as the environment's place yet."""
    if target.url is None:
        (path,) = (source.keys.home / "environments").glob("*/store.db")
        assert path.exists()
    await target.execute(statement, *values)
