"""`Engine.administration`: who acts, within which limit, and the acts as a program does them."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sealflow
from sealflow.engine.errors import NotFound, SealflowError
from sealflow.engine.runtime.administration import actor_name, policy_limit
from sealflow.storage import AlreadyThere, NotPermitted
from sealflow.storage.providers.file import create_key

FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {"A": {"type": "Compose", "inputs": "x", "runAfter": {}}},
}
DESK = {"properties": {"connectionParameters": {"token": {"type": "oauthSetting"}, "key": {"type": "securestring"}}}}


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[sealflow.Engine]:
    create_key(tmp_path / "c.json", "main")
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keys" / "k.json") as engine:
        yield engine


def test_who_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_ACTOR", "maria")
    assert actor_name() == "maria"
    monkeypatch.delenv("SEALFLOW_ACTOR")
    monkeypatch.setenv("LOGNAME", "omar")
    assert actor_name() == "omar"

    def nobody() -> str:
        raise OSError("no entry")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert actor_name().startswith("uid-")


def test_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALFLOW_POLICY_LIMIT", raising=False)
    assert policy_limit() == 25
    monkeypatch.setenv("SEALFLOW_POLICY_LIMIT", " 7 ")
    assert policy_limit() == 7
    for wrong in ("-1", "7.5", "all", "²"):
        monkeypatch.setenv("SEALFLOW_POLICY_LIMIT", wrong)
        with pytest.raises(SealflowError) as caught:
            policy_limit()
        assert caught.value.code == "InvalidPolicyLimit"


async def test_the_acts_of_a_program(engine: sealflow.Engine, tmp_path: Path) -> None:
    env = await engine.environment("contoso")
    [run] = await env.start(await env.deploy("f", FLOW))
    await run.result()
    acts = engine.administration("maria")
    await acts.create_policy("customer", f"file:{tmp_path}/c.json#main")
    await acts.apply("customer", "contoso")
    async with acts.migrating("contoso", full=False):
        operation = await env.keys.begin_migration()
    assert (await env.keys.follow(operation)).status == "Succeeded"
    status = await engine.environment_status("contoso")
    assert status.policy == "customer"
    assert {status.state.domain_name(flow.domain) for flow in status.flows} == {"customer:customer"}
    # Which key was called for it, and how often, is on record as well.
    migration = [(act.actor, act.status) async for act in acts.audit.acts() if act.kind == "policy migrate"]
    assert migration == [("maria", "Running"), ("maria", "Succeeded")]


async def test_roles_and_names(engine: sealflow.Engine, tmp_path: Path) -> None:
    only = engine.administration(sealflow.Actor("omar", key_administrator=False))
    with pytest.raises(NotPermitted):
        await only.create_policy("customer", f"file:{tmp_path}/c.json#main")
    with pytest.raises(NotPermitted):
        async with only.migrating("contoso", full=True):
            raise AssertionError("not reached")
    with pytest.raises(SealflowError) as caught:
        engine.administration(" ")
    assert caught.value.code == "InvalidActor"


async def test_an_environment_that_is_not_there(engine: sealflow.Engine) -> None:
    with pytest.raises(NotFound):
        await engine.environment_status("nope")


async def test_the_connections_of_an_environment(engine: sealflow.Engine) -> None:
    env = await engine.environment("contoso")
    made = await env.connections.create("Desk", DESK, {"key": "canary"}, connector="desk")
    assert (made.domain, made.info.oauth, made.parameters, made.secured) == (
        "service", True, {"key": None}, ("token", "key"),
    )  # fmt: skip
    assert "canary" not in repr(made)
    assert await env.connections.values("desk") == {"key": "canary"}
    assert [each.info.name for each in await env.connections.all()] == ["Desk"]
    with pytest.raises(AlreadyThere):
        await env.connections.create("DESK", DESK, {}, connector="desk")
    with pytest.raises(SealflowError) as caught:
        await env.connections.create("other", {}, {}, connector="desk")
    assert caught.value.code == "InvalidApiProperties"
    await env.connections.delete("desk")
    assert await env.connections.all() == []
