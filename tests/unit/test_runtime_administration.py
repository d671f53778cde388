"""`Engine.administration`: who acts, within which limit, and the acts as a program does them."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sealflow
from sealflow.engine.errors import NotFound, SealflowError
from sealflow.engine.runtime.keys.administration import actor_name, policy_limit
from sealflow.storage import AlreadyThere, ApprovalNeeded, NotPermitted
from sealflow.storage.keys.providers.file import create_key

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


async def test_a_plaintext_export_is_an_act_in_a_program_too(engine: sealflow.Engine, tmp_path: Path) -> None:
    env = await engine.environment("contoso")
    [run] = await env.start(await env.deploy("f", FLOW))
    await run.result()
    acts, other = engine.administration("maria"), engine.administration("omar")
    nobody = engine.administration(sealflow.Actor("eve", key_administrator=False))
    assert b'"x"' in await run.export(plaintext=True, acts=nobody)  # no policy: it is nobody's affair
    await acts.create_policy("one", f"file:{tmp_path}/c.json#main")
    await acts.create_policy("guarded", f"file:{tmp_path}/c.json#main", approvals=2)
    await acts.apply("one", "contoso")
    with pytest.raises(NotPermitted):
        await run.export(plaintext=True, acts=nobody)
    assert b'"x"' not in await run.export()
    assert b'"x"' in await run.export(plaintext=True, acts=acts)

    with pytest.raises(ApprovalNeeded):
        await acts.apply("guarded", "contoso")
    await other.approve((await acts.requests.all())[0].id.hex())
    await acts.apply("guarded", "contoso")
    with pytest.raises(ApprovalNeeded):
        await run.export(plaintext=True, acts=acts)
    waiting = next(each for each in await acts.requests.all() if each.waits)
    await other.approve(waiting.id.hex())
    assert b'"x"' in await run.export(plaintext=True, acts=acts)
    with pytest.raises(ApprovalNeeded):  # once
        await run.export(plaintext=True, acts=acts)
    told = [(act.actor, act.status) async for act in acts.audit.acts() if act.kind == "plaintext export"]
    assert told == [("maria", "Running"), ("maria", "Succeeded")] * 2


async def test_who_exports_where_nobody_is_named(
    engine: sealflow.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = await engine.environment("contoso")
    [run] = await env.start(await env.deploy("f", FLOW))
    await run.result()
    acts = engine.administration("maria")
    await acts.create_policy("one", f"file:{tmp_path}/c.json#main")
    await acts.apply("one", "contoso")
    monkeypatch.setenv("SEALFLOW_ACTOR", "ann")
    await run.export(plaintext=True)
    told = [(act.actor, act.status) async for act in acts.audit.acts() if act.kind == "plaintext export"]
    assert told == [("ann", "Running"), ("ann", "Succeeded")]
