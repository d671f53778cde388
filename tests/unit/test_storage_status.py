"""The status of an environment: what each key seals, with its key given, refused or out of reach, and locked."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sealflow.storage import Actor, Administration, Keystore, RecordNotFound, Store, environment_status
from sealflow.storage.keys.providers.file import create_key, disable_key
from sealflow.storage.maintenance.status import ACTIVE, LOCKED, SUSPENDED


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with the environment `e` under a policy: the flow `old` from before, `new` from after."""
    store = await Store.open(tmp_path / "home", Keystore(tmp_path / "keys" / "k.json"))
    try:
        await store.create_environment("e")
        await fill(store, "old")
        create_key(tmp_path / "c.json", "main")
        acts = Administration(store, Actor("ann"))
        await acts.create_policy("p", f"file:{tmp_path}/c.json#main")
        await acts.apply("p", "e")
        await fill(store, "new")
        yield store
    finally:
        await store.close()


async def fill(store: Store, flow: str) -> None:
    vault = await store.open_vault("e")
    made = await vault.put_flow(flow, {})
    await vault.flow(made.flow_id)
    run = vault.create_run(made.flow_id, made.flow_id, 1, 1, {})
    run.append([[1, 1, flow]])
    await vault.flush()
    await vault.create_connection(f"{flow} oauth", "c", oauth=True, parameter_set=None, values={})
    await vault.create_connection(f"{flow} plain", "c", oauth=False, parameter_set=None, values={})
    await vault.close()


async def test_with_its_key_given(store: Store, tmp_path: Path) -> None:
    found = await environment_status(store, "E")
    assert (found.environment.name, found.condition, found.problem, found.policy) == ("e", ACTIVE, None, "p")
    assert found.uri == f"file:{tmp_path}/c.json#main"
    assert found.facts is not None
    assert found.version == found.facts.version.hex()
    assert {(flow.name, flow.domain) for flow in found.flows} == {("old", 1), ("new", 2)}
    assert {(each.name, each.oauth, each.domain) for each in found.connections} == {
        ("old oauth", True, 2), ("old plain", False, 1), ("new oauth", True, 2), ("new plain", False, 1),
    }  # fmt: skip
    assert dict(found.runs) == {1: 1, 2: 1}
    assert [(each.kind, each.status) for each in found.operations] == [("apply", "Succeeded")]
    ids = {key.domain: key.key_id for key in found.keys}
    assert all(flow.key_id == ids[flow.domain] for flow in found.flows)
    assert [(key.domain, key.version, key.live) for key in found.keys] == [(1, 1, True), (2, 1, True)]
    assert found.keys[1].scopes == {"run": 1, "flow": 1, "connection": 2}


async def test_with_its_key_refused(store: Store, tmp_path: Path) -> None:
    disable_key(tmp_path / "c.json", "main")
    found = await environment_status(store, "e")
    assert (found.condition, found.facts) == (SUSPENDED, None)
    assert found.problem is not None
    assert found.problem.code == "KeyDenied"
    assert {(flow.name, flow.domain) for flow in found.flows} == {("old", 1), (None, 2)}
    assert {(each.name, each.oauth) for each in found.connections} == {
        (None, None), ("old plain", False), ("new plain", False),
    }  # fmt: skip
    assert dict(found.runs) == {1: 1, 2: 1}


async def test_with_its_key_out_of_reach(store: Store, tmp_path: Path) -> None:
    (tmp_path / "c.json").rename(tmp_path / "away.json")
    found = await environment_status(store, "e")
    assert found.condition == SUSPENDED
    assert found.problem is not None
    assert found.problem.code == "KeyUnavailable"


async def test_locked(store: Store) -> None:
    await Administration(store, Actor("ann")).lock("e")
    found = await environment_status(store, "e")
    assert (found.condition, found.problem, found.policy) == (LOCKED, None, "p")
    assert {flow.name for flow in found.flows} == {"old", None}
    assert len(found.keys) == 2


async def test_without_a_policy(store: Store) -> None:
    await Administration(store, Actor("ann")).remove("e")
    found = await environment_status(store, "e")
    assert (found.policy, found.uri) == (None, "service:")
    assert {found.state.domain_name(flow.domain) for flow in found.flows} == {"service"}
    assert {flow.name for flow in found.flows} == {"old", "new"}


async def test_a_row_that_is_missing_hides_no_other(store: Store, tmp_path: Path) -> None:
    [path] = (tmp_path / "home" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM flows WHERE domain = 2")
        database.commit()
    found = await environment_status(store, "e")
    assert [flow.name for flow in found.flows] == ["old"]
    assert [(each.kind, each.error.code) for each in found.damaged] == [("flow", "IntegrityError")]


@pytest.mark.parametrize("kind", [2, 3])
async def test_a_key_row_that_is_missing(store: Store, tmp_path: Path, kind: int) -> None:
    disable_key(tmp_path / "c.json", "main")
    [path] = (tmp_path / "home" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM keys WHERE kind = ? AND domain = 2", (kind,))
        database.commit()
    found = await environment_status(store, "e")
    assert found.damaged
    assert all("missing" in each.error.message for each in found.damaged)
    listed = {flow.id for flow in found.flows} | {connection.id for connection in found.connections}
    assert not {each.id for each in found.damaged} & listed


async def test_an_environment_that_is_not_there(store: Store) -> None:
    with pytest.raises(RecordNotFound):
        await environment_status(store, "nope")


async def test_no_name_is_in_its_repr(store: Store) -> None:
    shown = repr(await environment_status(store, "e"))
    assert [name for name in ("old", "new oauth") if f"'{name}'" in shown] == []


async def test_within_a_millisecond_an_act_stands_before_what_it_has_begun(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "home", Keystore(tmp_path / "keys.json"), now_ms=lambda: 1_700_000_000_000)
    try:
        await store.create_environment("e")
        await Administration(store, Actor("ann")).rotate("e", data_keys=True)
        found = await environment_status(store, "e")
        assert [each.kind for each in found.operations if each.kind != "environment create"] == ["rotate", "migrate"]
    finally:
        await store.close()
